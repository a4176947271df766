"""Tables whose content is listed pair by pair: long files and frames, pairs of id and label, tag lists."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, count
from limen.sources.tables import Kind, Table, csr_from_codes

# Labels given as pairs or tags become a dense matrix up to this many cells, and CSR beyond.
DENSE_CELLS = 50_000_000


def table_of_entries(
    ids: tuple[str, ...],
    labels: tuple[str, ...],
    item: NDArray[np.int64],
    label: NDArray[np.int64],
    value: NDArray[Any] | None,
    kind: Kind,
    source: str,
) -> Table:
    """Return the table of pairs of item and label.

    Parameters
    ----------
    ids, labels : tuple of str
        Names of the items and labels.
    item, label : int64 (n_entries,)
        Which item and label each entry is of.
    value : float or bool (n_entries,), or None
        Scores, or labels; None if every entry is a positive label and everything else is 0.
    kind : {"scores", "labels"}
    source : str
        What the messages call it.

    Notes
    -----
    Scores that are not listed are below every cut (the result is CSR); labels with values that are not
    listed are unknown.

    Raises
    ------
    InputError
        If a pair is listed twice, or labels are all 1 with most pairs missing.
    """
    shape = (len(ids), len(labels))
    codes = item * max(len(labels), 1) + label
    order = np.argsort(codes)
    codes = codes[order]
    again = np.unique(codes[1:][np.diff(codes) == 0])
    if len(again):
        pairs = [f"{ids[code // len(labels)]}, {labels[code % len(labels)]}" for code in again[:6].tolist()]
        raise InputError(
            f"{source} lists {count(len(again), 'pair')} of id and label more than once (first: "
            f"{pairs[0]!r}). Keep one line for each pair."
        )
    if value is None:
        positive = np.ones(len(codes), dtype=np.bool_)
        dense = shape[0] * shape[1] <= DENSE_CELLS
        matrix = _scatter(codes, positive, shape, False) if dense else csr_from_codes(codes, positive, shape)
        return Table(matrix, source, "tags", ids, labels)
    values = value[order]
    if kind == "labels":
        values = as_labels(values)
    if len(codes) == shape[0] * shape[1]:
        return Table(values.reshape(shape), source, "long", ids, labels)
    if kind == "scores":
        return Table(csr_from_codes(codes, values, shape), source, "long", ids, labels)
    if (values == 1).all():
        raise InputError(
            f"{source} lists {len(codes)} of {count(shape[0] * shape[1], 'pair')}, all with value 1, "
            "so the others could be 0 or unknown. If they are 0, drop the value column; if they are unknown, "
            "list the pairs that are 0."
        )
    values = values.astype(np.result_type(values, np.float32))
    return Table(_scatter(codes, values, shape, np.nan), source, "long", ids, labels)


def as_labels(values: NDArray[Any]) -> NDArray[Any]:
    """Return 0/1 as bool and 0/1/NaN as float32; anything else stays for the checks of the arrays."""
    one: NDArray[Any] = values == 1
    known = one | (values == 0)
    if known.all():
        return one
    return values.astype(np.float32) if (known | np.isnan(values)).all() else values


def _scatter(
    codes: NDArray[np.int64], values: NDArray[Any], shape: tuple[int, int], absent: float
) -> NDArray[Any]:
    dense = np.full(shape[0] * shape[1], absent, dtype=values.dtype)
    dense[codes] = values
    return dense.reshape(shape)
