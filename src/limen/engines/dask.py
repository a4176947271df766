"""Dask: arrays in chunks of rows and wide frames are counted where they lie, and decided when it is asked for.

``limen.tune(y_true, y_score)`` takes them as it takes arrays, with whatever scheduler is set: threads, processes,
or the cluster of a ``dask.distributed.Client``. Each block gives limen's own summary, and a tree of a fixed form
merges these. The data are read twice, and never gathered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import decisions
from limen.curves import Curves
from limen.errors import InputError, require

require("dask", extra="dask", user="limen.engines.dask")

import dask  # noqa: E402
import dask.array as da  # noqa: E402

from limen.engines.dask_arrays import array_parts, whole_rows  # noqa: E402
from limen.engines.dask_parts import DaskSource, Like, Part, first_pass, is_frame, said_at, second_pass  # noqa: E402

__all__ = ["curves_of", "decide"]


def curves_of(
    y_true: Any,
    y_score: Any,
    *,
    labels: Sequence[str] | None = None,
    sample_weight: Any = None,
    mask: Any = None,
    groups: Any = None,
) -> Curves:
    """Return the curves of Dask arrays or frames, counted where their blocks lie.

    They equal those of the same data in memory bit for bit, whatever the blocks, the scheduler and the order in
    which they are done, and `limen.tune` makes thresholds of them. They remember where the data are: what needs
    counts at other cuts has them counted there.

    Parameters
    ----------
    y_true : Dask array (n_items, n_labels), or Dask frame
        0/1, bool, or NaN for unknown. With scores in an array also anything at hand that `limen.tune` takes. Of a
        frame, columns are labels, and an id column or the index joins its rows with those of ``y_score``.
    y_score : Dask array (n_items, n_labels), or Dask frame
        Finite numbers. An array in chunks of rows; if its columns are in chunks too, they are put together.
    labels : sequence of n_labels str, optional
    sample_weight : array-like or Dask array (n_items,), or column of ``y_score``'s partitions, optional
        Counts are then sums of weights, added in an order that the blocks alone decide. Where such sums are exact
        (whole numbers, halves) they are the same however items are cut; else the last bits follow the blocks.
    mask : bool array-like or Dask array (n_items, n_labels), optional
        With arrays: true where the label of an item is known.
    groups : array-like or Dask array (n_items,), or column of ``y_score``'s partitions, optional
        Group of each item: the folds that are counted apart keep groups whole.

    Raises
    ------
    InputError
        If the data do not fit together; the message names the row, or the partition.
    UnsupportedError
        If a frame is long, or there is a mask beside frames.

    Examples
    --------
    >>> import dask.array as da
    >>> y_true, y_score = da.from_array([[0], [1], [0], [1]], 2), da.from_array([[0.1], [0.8], [0.3], [0.6]], 2)
    >>> curves = curves_of(y_true, y_score)
    >>> import limen
    >>> limen.tune(curves, method="exact").values, curves.n_items
    (array([0.45]), 4)
    """
    names = None if labels is None else tuple(map(str, labels))
    given = {"y_true": y_true, "y_score": y_score, "sample_weight": sample_weight, "mask": mask}
    given["groups"] = groups
    given = {name: data for name, data in given.items() if data is not None}
    for name in ("y_true", "y_score"):
        if name not in given:
            raise InputError(f"{name} is missing. Give labels and scores.")
    parts, like = _parts(given, names)
    # Kept where they are computed, and waited for: else a cluster would keep all blocks for the second pass.
    cuts = first_pass(parts, like).persist()
    dask.delayed(_there)(cuts).compute()
    curves: Curves = second_pass(parts, like, cuts).compute()
    again = DaskSource(
        tuple(parts), like, curves.labels, curves.dtype, curves.n_items, curves.n_known.dtype != np.int64
    )
    return replace(curves, sources=(again,))


def _there(_cuts: Any) -> None:
    """Depend on the cuts, and leave them where they are."""


def _parts(given: dict[str, Any], labels: tuple[str, ...] | None) -> tuple[list[Part], Like]:
    both = (given["y_score"], given["y_true"])
    if any(map(is_frame, both)):
        from limen.engines.dask_frames import frame_parts

        return frame_parts(given, labels)
    given = {name: data.values if is_frame(data) else data for name, data in given.items()}
    for name, data in given.items():
        if dask.is_dask_collection(data) and not isinstance(data, da.Array):
            raise InputError(f"{name} is a dask {type(data).__name__}. Give an array, or a frame.")
    return array_parts(given), Like(labels)


def decide(y_score: Any, labels: tuple[str, ...], values: NDArray[Any], rule: str = ">=") -> Any:
    """Return which labels each item gets, decided when it is asked for.

    Parameters
    ----------
    y_score : Dask array (n_items, n_labels) or (n_items,), or Dask frame
    labels, values, rule
        As in `limen.decisions.decide`.

    Returns
    -------
    Dask array of bool, of the same shape and chunks of rows; or Dask frame
        Of a frame: its index, the column of ids if it has one, and a column of bool for each label.

    Raises
    ------
    InputError
        If columns do not fit; when it is computed, if a score is NaN or infinite.

    Examples
    --------
    >>> import dask.array as da, numpy as np
    >>> decided = decide(da.from_array([[0.2], [0.6], [0.8]], 2), ("dog",), np.array([0.5]))
    >>> decided.compute()[:, 0]
    array([False,  True,  True])
    """
    if is_frame(y_score):
        from limen.engines.dask_frames import decide_frame

        return decide_frame(y_score, labels, values, rule)
    if not isinstance(y_score, da.Array):
        raise InputError(f"y_score is a dask {type(y_score).__name__}. Give an array, or a frame.")
    whole = y_score if y_score.ndim == 1 else whole_rows(y_score, "y_score")
    columns = 1 if y_score.ndim == 1 else y_score.shape[1]
    decisions.decide(np.zeros((1, columns)), labels, values, rule)  # says it now if there are too many columns
    do = partial(_decided, labels=labels, values=values, rule=rule)
    return whole.map_blocks(do, dtype=bool, meta=np.empty((0,) * whole.ndim, bool))


def _decided(
    scores: Any, labels: tuple[str, ...], values: NDArray[Any], rule: str, block_info: Any = None
) -> NDArray[np.bool_]:
    if not scores.shape[0]:
        return np.zeros(scores.shape, bool)
    first = block_info[0]["array-location"][0][0]
    block = block_info[0]["chunk-location"][0]
    known = not np.isnan(first)
    with said_at("" if known else f"block {block}"):
        decided: NDArray[np.bool_] = decisions.decide(
            scores, labels, values, rule, first_row=int(first) if known else 0
        )
    return decided
