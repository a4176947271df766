"""Arrays of every kind, checked: scores, labels and weights, dense or as compressed sparse rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, count, examples
from limen.sources.matrix import Matrix

UNKNOWN = -1
WEIGHTS = (1e-60, 1e60)
"""Between these, products of four sums of weights neither vanish nor overflow."""


class CSR(NamedTuple):
    """Compressed sparse rows; column indices ascend within a row and do not repeat."""

    data: NDArray[Any]
    indices: NDArray[Any]
    indptr: NDArray[Any]
    shape: tuple[int, int]

    def rows(self, start: int, stop: int) -> CSR:
        """Return the rows ``start`` to ``stop``, without copying the data."""
        low, high = int(self.indptr[start]), int(self.indptr[stop])
        return CSR(
            self.data[low:high],
            self.indices[low:high],
            self.indptr[start : stop + 1] - low,
            (stop - start, self.shape[1]),
        )

    def take(self, rows: NDArray[np.int64]) -> CSR:
        """Return a copy of the rows of these numbers, in this order."""
        length = np.diff(self.indptr)[rows]
        indptr = np.concatenate([[0], np.cumsum(length)])
        at = np.repeat(self.indptr[:-1][rows] - indptr[:-1], length) + np.arange(indptr[-1])
        return CSR(self.data[at], self.indices[at], indptr, (len(rows), self.shape[1]))

    def row_of_entries(self) -> NDArray[np.int64]:
        """Return the row number of every stored entry."""
        return np.repeat(np.arange(self.shape[0]), np.diff(self.indptr))


def working_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype the kernels compare in; it holds every value of ``dtype`` exactly."""
    return np.dtype(np.float64 if dtype == np.float64 else np.float32)


def stored_scores(y_score: Matrix, name: str = "y_score") -> Matrix:
    """Return scores that stay where they are; integers become float64.

    Raises
    ------
    InputError
        If they are no numbers.
    """
    return y_score.converted(_as_float(np.empty((0, 0), y_score.dtype), name).dtype)


def as_scores(y_score: Any, name: str = "y_score") -> NDArray[Any] | CSR:
    """Return scores as a 2-d float16/32/64 array (no copy where possible) or as CSR.

    One dimension is read as one label. Integers become float64.

    Raises
    ------
    InputError
        If there are no numbers, or not one or two dimensions.
    """
    if is_csr(y_score):
        csr = _as_csr(y_score)
        return csr._replace(data=_as_float(csr.data, name))
    if np.ma.is_masked(y_score):
        raise InputError(
            f"{name} has masked scores. Every item needs its scores: leave labels unknown with mask=, or drop "
            "the items."
        )
    return _as_float(_as_matrix(y_score, name), name)


def is_csr(data: Any) -> bool:
    """Return whether ``data`` is a sparse matrix: limen's own `CSR` or any of scipy's."""
    return isinstance(data, CSR) or hasattr(data, "tocsr")


def check_finite(scores: NDArray[Any], labels: Sequence[str], start: int = 0, name: str = "y_score") -> None:
    """Raise `InputError` if a block of scores (rows, n_labels) has NaN or an infinite value."""
    if np.isfinite(scores).all():
        return
    bad = ~np.isfinite(scores)
    row, column = (int(index) for index in np.argwhere(bad)[0])
    what = "NaN" if np.isnan(scores[row, column]) else "an infinite value"
    raise InputError(
        f"{name} has {what} in {int(bad.any(axis=0).sum())} of {count(len(labels), 'label')} "
        f"(first: {labels[column]!r}, row {start + row}). Scores must be finite: drop those rows "
        "or fix the model."
    )


def truth_codes(
    truth: NDArray[Any],
    labels: Sequence[str],
    start: int = 0,
    known: NDArray[np.bool_] | None = None,
) -> NDArray[np.int8]:
    """Return 0/1/NaN labels (rows, n_labels) as int8 codes 0, 1 and -1 (unknown).

    What ``known`` does not mark is unknown, whatever its value.

    Raises
    ------
    InputError
        If any value is neither 0, 1 nor NaN; names the label, the row and the value.
    """
    if truth.dtype == np.bool_ and known is None:
        return np.ascontiguousarray(truth).view(np.int8)
    if truth.dtype.kind in "iu" and known is None:
        low, high = (truth.min(), truth.max()) if truth.size else (0, 0)
        if low >= 0 and high <= 1:
            whole = np.ascontiguousarray(truth)
            return whole.view(np.int8) if whole.itemsize == 1 else whole.astype(np.int8)
    unknown = np.isnan(truth) if truth.dtype.kind == "f" else np.zeros(truth.shape, bool)
    if known is not None:
        unknown |= ~known
    one = truth == 1
    bad = ~(one | (truth == 0) | unknown)
    if bad.any():
        row, column = (int(index) for index in np.argwhere(bad)[0])
        raise InputError(
            f"y_true has {truth[row, column]!s} in label {labels[column]!r}, row {start + row} "
            f"({count(int(bad.sum()), 'such value')} in this block). Labels must be 0, 1, True, False, "
            "or NaN for unknown."
        )
    return np.where(unknown, np.int8(UNKNOWN), one.astype(np.int8))


def _as_matrix(data: Any, name: str) -> NDArray[Any]:
    if hasattr(data, "detach"):
        try:
            data = data.detach().cpu()
            data = data.float().numpy() if str(data.dtype) == "torch.bfloat16" else data.numpy()
        except (TypeError, RuntimeError) as error:
            raise InputError(f"{name} is a tensor that numpy cannot read: {error}. Give a dense one.") from error
    elif hasattr(data, "__dlpack__") and not isinstance(data, np.ndarray):
        data = _from_dlpack(data)
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise InputError(f"{name} is not a matrix: its rows differ in length.") from error
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.dtype == object and not array.ndim:
        raise InputError(f"{name} is a {type(data).__name__}. It must be a matrix: (n_items, n_labels).")
    if array.ndim != 2:
        raise InputError(f"{name} has {array.ndim} dimensions. It must have two: (n_items, n_labels).")
    return array


def _from_dlpack(data: Any) -> Any:
    """Return an array that another library holds, copied only if it lies on another device."""
    try:
        return np.from_dlpack(data)
    except (BufferError, RuntimeError, TypeError, ValueError):
        # Not on this device, or a dtype that numpy lacks: the library itself may know how.
        return data.get() if hasattr(data, "get") else data


def _as_float(array: NDArray[Any], name: str) -> NDArray[Any]:
    if array.dtype.newbyteorder("=") in (np.float16, np.float32, np.float64):
        return array
    if array.dtype.kind in "biu":
        return array.astype(np.float64)
    raise InputError(f"{name} has dtype {array.dtype}. Scores must be float16, float32, float64 or integers.")


def check_finite_entries(csr: CSR, labels: Sequence[str], start: int = 0, name: str = "y_score") -> None:
    """Raise `InputError` if a stored score is NaN or infinite."""
    bad = np.flatnonzero(~np.isfinite(csr.data))
    if len(bad):
        one_row = np.zeros((1, len(labels)))
        one_row[0, csr.indices[bad[0]]] = csr.data[bad[0]]
        check_finite(one_row, labels, start + int(csr.row_of_entries()[bad[0]]), name)


def _as_csr(data: Any) -> CSR:
    if isinstance(data, CSR):
        return data
    if len(data.shape) != 2:
        raise InputError(
            f"a sparse array has {len(data.shape)} dimension. It must have two: (n_items, n_labels); reshape it."
        )
    csr = data.tocsr()
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    return CSR(csr.data, csr.indices, csr.indptr, (int(csr.shape[0]), int(csr.shape[1])))


def as_truth(y_true: Any, labels: tuple[str, ...], first_row: int = 0) -> NDArray[Any] | Matrix | CSR:
    """Return labels as a matrix (n_items, n_labels) of numbers, or as CSR of codes.

    Lists of label names become CSR.

    Raises
    ------
    InputError
        If the names do not match, or the values are no labels.
    """
    if is_csr(y_true):
        csr = _as_csr(y_true)
        codes = csr.data.astype(np.float64)
        bad = np.flatnonzero(~((codes == 0) | (codes == 1) | np.isnan(codes)))
        if len(bad):
            row = csr.row_of_entries()[bad[0]]
            raise InputError(
                f"y_true has {csr.data[bad[0]]!s} in label {labels[csr.indices[bad[0]]]!r}, "
                f"row {first_row + row}. "
                "Labels must be 0, 1, True, False, or NaN for unknown."
            )
        return csr._replace(data=np.where(np.isnan(codes), UNKNOWN, codes).astype(np.int8))
    if _is_tag_lists(y_true):
        return _tags_to_csr(y_true, labels, first_row)
    array = y_true if isinstance(y_true, Matrix) else _as_matrix(y_true, "y_true")
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"y_true has dtype {array.dtype}. Labels must be 0/1, bool, float with NaN for unknown, or lists "
            "of label names."
        )
    return array


def _is_tag_lists(y_true: Any) -> bool:
    if isinstance(y_true, np.ndarray) or not isinstance(y_true, Sequence) or isinstance(y_true, str):
        return False
    if not all(isinstance(tags, (list, tuple, set, frozenset)) for tags in y_true):
        return False
    return all(isinstance(tag, str) for tags in y_true for tag in tags)


def _tags_to_csr(y_true: Sequence[Iterable[str]], labels: tuple[str, ...], first_row: int) -> CSR:
    position = {name: k for k, name in enumerate(labels)}
    unknown: dict[str, int] = {}
    indptr, indices = [0], []
    for row, tags in enumerate(y_true):
        columns = set()
        for tag in tags:
            if tag in position:
                columns.add(position[tag])
            else:
                unknown.setdefault(tag, first_row + row)
        indices.extend(sorted(columns))
        indptr.append(len(indices))
    if unknown:
        raise InputError(
            f"y_true has tags that are no label: {examples(unknown)} (first in row "
            f"{min(unknown.values())}). Tags must be among the {count(len(labels), 'label name')}; pass labels= "
            "with the names of the score columns."
        )
    return CSR(
        np.ones(len(indices), np.int8),
        np.asarray(indices, np.int64),
        np.asarray(indptr, np.int64),
        (len(indptr) - 1, len(labels)),
    )


def as_weight(sample_weight: Any, n_items: int, *, part: bool = False) -> NDArray[np.float64]:
    """Return weights (n_items,), after checking that they are finite, not negative and not all 0.

    Only their ratios matter, so absurdly large or small ones are scaled, by a power of two. Those of a ``part``
    of the data may all be 0, and are not scaled: the other parts would not be.

    Raises
    ------
    InputError
        If they are not one usable number for each item, or too far apart to be added.
    """
    try:
        weight = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"sample_weight is not numbers: {error}. Give one number for each item.") from error
    if weight.shape != (n_items,):
        raise InputError(
            f"sample_weight has shape {weight.shape}. It must be ({n_items},): one weight for each item."
        )
    if not np.isfinite(weight).all() or (weight < 0).any():
        row = int(np.flatnonzero(~np.isfinite(weight) | (weight < 0))[0])
        raise InputError(f"sample_weight has {weight[row]} in row {row}. Weights must be finite and not negative.")
    if not part and not weight.any():
        raise InputError("sample_weight is zero for every item. At least one weight must be positive.")
    if _in_range(weight):
        return weight
    scaled = weight if part else np.ldexp(weight, -int(np.frexp(weight.max())[1]))
    if not _in_range(scaled) or ((scaled == 0) & (weight > 0)).any():
        used = weight[weight > 0]
        raise InputError(
            f"sample_weight lies from {used.min():g} to {used.max():g}. Weights must be 0, or from {WEIGHTS[0]:g} "
            f"to {WEIGHTS[1]:g}: multiply all of them by one number, and set to 0 what is too small to count."
        )
    return scaled


def _in_range(weight: NDArray[np.float64]) -> bool:
    used = weight[weight > 0]
    return not len(used) or bool(used.min() >= WEIGHTS[0] and used.max() <= WEIGHTS[1])
