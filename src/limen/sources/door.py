"""The door: from whatever a user holds to a source of blocks, checked once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, UnsupportedError, count
from limen.names import unique
from limen.sources.arrays import CSR, as_scores, as_truth, as_weight, is_csr, stored_scores
from limen.sources.dense import DenseSource
from limen.sources.frame_tables import unframed
from limen.sources.frames import is_series
from limen.sources.matrix import Matrix
from limen.sources.plain import mapped
from limen.sources.sparse import SparseSource


def as_source(
    y_true: Any,
    y_score: Any,
    *,
    labels: Sequence[str] | None = None,
    sample_weight: Any = None,
    mask: Any = None,
    first_row: int = 0,
    part: bool = False,
) -> DenseSource | SparseSource:
    """Return scores and labels as a source, after checking that they fit together.

    Parameters
    ----------
    y_true : array-like (n_items, n_labels) of 0/1, bool or float with NaN for unknown; masked array;
        scipy sparse; or a list of n_items collections of label names
    y_score : array-like (n_items, n_labels), scipy sparse, tensor or frame (columns are labels)
    labels : sequence of n_labels str, optional
    sample_weight : array-like (n_items,), optional
    mask : bool array-like (n_items, n_labels), optional
        True where the label of an item is known.
    first_row : int
        Number of the first row, for messages.
    part : bool
        Whether this is part of the data, so that all its weights may be 0.

    Raises
    ------
    InputError
        If shapes, names or values do not fit; the message says which.
    """
    return read(
        y_true, y_score, labels=labels, sample_weight=sample_weight, mask=mask, first_row=first_row, part=part
    )[0]


def read(
    y_true: Any,
    y_score: Any,
    *,
    labels: Sequence[str] | None = None,
    sample_weight: Any = None,
    mask: Any = None,
    first_row: int = 0,
    part: bool = False,
) -> tuple[DenseSource | SparseSource, tuple[str, ...] | None]:
    """Return the source, and the ids of the items where frames name them; the rest is as in `as_source`."""
    if isinstance(labels, str):
        raise InputError(f"labels is the text {labels!r}. Give a sequence of label names.")
    names = None if labels is None else tuple(str(name) for name in labels)
    if is_series(y_true) and is_series(y_score):
        y_true, y_score = (data.to_frame(names[0] if names else "0") for data in (y_true, y_score))
    y_true, y_score, mask, names, ids = unframed(y_true, y_score, names, mask)
    y_true, y_score = _stored(y_true), _stored(y_score)
    scores = stored_scores(y_score) if isinstance(y_score, Matrix) else as_scores(y_score)
    if scores.shape[0] == 0 or scores.shape[1] == 0:
        raise InputError(
            f"y_score is empty: shape {tuple(scores.shape)}. At least one item and one label are needed."
        )
    label_names = names if names is not None else tuple(str(k) for k in range(scores.shape[1]))
    if len(label_names) != scores.shape[1]:
        raise InputError(
            f"labels has {count(len(label_names), 'name')}, y_score has {count(scores.shape[1], 'column')}. "
            "Give one name for each column."
        )
    unique(label_names, "labels")
    truth = as_truth(y_true, label_names, first_row)
    if truth.shape != scores.shape:
        raise InputError(
            f"y_true has shape {tuple(truth.shape)}, y_score {tuple(scores.shape)}. Both must be "
            "(n_items, n_labels) with the same items and labels in the same order."
        )
    if isinstance(y_true, np.ma.MaskedArray):
        known = ~np.ma.getmaskarray(y_true).reshape(truth.shape)
        mask = known if mask is None else known & np.asarray(mask, bool)
    if mask is not None:
        mask = np.asarray(mask)
        mask = mask[:, np.newaxis] if mask.ndim == 1 else mask
        if mask.dtype != np.bool_ or mask.shape != tuple(scores.shape):
            raise InputError(
                f"mask has dtype {mask.dtype} and shape {mask.shape}. It must be bool of shape "
                f"{tuple(scores.shape)}, True where the label of an item is known."
            )
    weight = None if sample_weight is None else as_weight(sample_weight, scores.shape[0], part=part)
    if isinstance(scores, CSR):
        return SparseSource(scores, truth, mask, weight, label_names, first_row), ids
    return DenseSource(scores, truth, mask, weight, label_names, first_row), ids


def _stored(data: Any) -> Any:
    """Return a memory map as a matrix that is read block by block, where that can be; other data as they are."""
    if not isinstance(data, np.memmap) or data.dtype.kind not in "biuf":
        return data
    found = mapped(data)
    return data if found is None else found


def as_batch(y_true: Any, y_score: Any, **given: Any) -> tuple[DenseSource, NDArray[np.int8]] | None:
    """Return a batch of a stream as a source and its codes (n_items, n_labels), checked; None if it is empty.

    Other parameters are those of `as_source`.

    Raises
    ------
    UnsupportedError
        If the scores are sparse.
    InputError
        If the batch is not usable.
    """
    if is_csr(y_score):
        raise UnsupportedError("sparse scores cannot be accumulated. Use Curves.from_chunks, or dense scores.")
    if len(y_score) == 0:
        return None
    source = as_source(y_true, y_score, **given, part=True)
    assert isinstance(source, DenseSource)
    return source, np.concatenate([rows.truth for rows in source.blocks()])
