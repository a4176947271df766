"""What a thresholds file says of each label, as columns: read from JSON or from arrays, by the same rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.decisions import Counts
from limen.errors import InputError
from limen.names import unique
from limen.thresholds_file import (
    LABEL_FIELDS,
    SCHEMA,
    SCHEMA_VERSION,
    calibration_to_save,
    check_fields,
    counts_cannot_be,
    counts_of,
    gains_of,
    ranges_of,
    threshold_of,
    to_save,
)

RANGE, GAIN = "range", "gain"
_ENDS = "name_ends"


class Columns(NamedTuple):
    """What is known of each label.

    Attributes
    ----------
    labels : tuple of n_labels str
    values : float16, float32 or float64 (n_labels,)
        Thresholds; +inf is never.
    counts : Counts
    ranges : as values (2, n_labels), or None
    gains : float64 (3, n_labels), or None
        NaN where there is none.
    """

    labels: tuple[str, ...]
    values: NDArray[Any]
    counts: Counts
    ranges: NDArray[Any] | None
    gains: NDArray[np.float64] | None

    @classmethod
    def of_objects(cls, labels: list[Any], dtype: np.dtype[Any], n_items: int) -> Columns:
        """Return the columns of the entries of 'labels' in JSON, each checked."""
        for number, label in enumerate(labels):
            if not isinstance(label, dict):
                raise InputError(f"label {number} is not an object.")
            check_fields(label, LABEL_FIELDS, f"label {number}")
        names = unique((label["name"] for label in labels), "the file")
        wide = np.array([threshold_of(label["threshold"]) for label in labels], np.float64)
        values = wide.astype(dtype)
        if not np.array_equal(values.astype(np.float64), wide):
            at = int(np.flatnonzero(values.astype(np.float64) != wide)[0])
            raise InputError(
                f"the threshold {float(wide[at])!r} of {names[at]!r} is no {dtype} number. The file was altered, "
                "or score_dtype is wrong."
            )
        return cls(names, values, counts_of(labels, n_items), ranges_of(labels, dtype), gains_of(labels))

    def as_objects(self) -> list[dict[str, Any]]:
        """Return the entries of 'labels' in JSON."""
        plain = {key: counts.tolist() for key, counts in self.counts._asdict().items()}
        gains = None if self.gains is None else self.gains.T.tolist()
        ranges = None if self.ranges is None else self.ranges.T
        return [
            {
                "name": name,
                "threshold": to_save(value),
                "range": None if ranges is None else [to_save(end) for end in ranges[k]],
                **{key: counts[k] for key, counts in plain.items()},
                "gain": None if gains is None or math.isnan(gains[k][0]) else gains[k],
            }
            for k, (name, value) in enumerate(zip(self.labels, self.values, strict=True))
        ]

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of a compact file."""
        encoded = [name.encode() for name in self.labels]
        arrays = {
            "names": np.frombuffer(b"".join(encoded), np.uint8),
            _ENDS: np.cumsum([len(name) for name in encoded], dtype=np.int64),
            "threshold": self.values,
            **self.counts._asdict(),
        }
        if self.ranges is not None:
            arrays[RANGE] = self.ranges
        if self.gains is not None:
            arrays[GAIN] = self.gains
        return arrays

    @classmethod
    def of_arrays(cls, arrays: dict[str, NDArray[Any]], dtype: np.dtype[Any], n_items: int) -> Columns:
        """Return the columns of the arrays of a compact file, checked by the rules of the JSON file."""
        names = _names(arrays)
        n_labels, whole = len(names), arrays["p"].dtype == np.int64
        counted = np.dtype(np.int64 if whole else np.float64)
        wanted = {
            "names": (np.dtype(np.uint8), arrays["names"].shape),
            _ENDS: (np.dtype(np.int64), (n_labels,)),
            "threshold": (dtype, (n_labels,)),
            **dict.fromkeys(Counts._fields, (counted, (n_labels,))),
            RANGE: (dtype, (2, n_labels)),
            GAIN: (np.dtype(np.float64), (3, n_labels)),
        }
        if not set(wanted) - {RANGE, GAIN} <= set(arrays) <= set(wanted):
            raise InputError(f"the file has the arrays {', '.join(sorted(arrays))}. It was altered.")
        for key, array in arrays.items():
            if (array.dtype, array.shape) != wanted[key]:
                raise InputError(f"{key!r} is {array.dtype} of shape {array.shape}. The file was altered.")
        values, ranges, gains = arrays["threshold"], arrays.get(RANGE), arrays.get(GAIN)
        if not (np.isfinite(values) | (values == np.inf)).all():
            raise InputError("a threshold is no number. The file was altered.")
        counts = Counts(*(arrays[key] for key in Counts._fields))
        _check_counts(names, counts, n_items)
        if ranges is not None:
            _check_ranges(names, ranges)
        if gains is not None:
            _check_gains(names, gains)
        return cls(unique(names, "the file"), values, counts, ranges, gains)


def header_of(thresholds: Any) -> dict[str, Any]:
    """Return the content of the file of `limen.Thresholds`, but for its labels."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "metric": thresholds.metric.spec,
        "average": thresholds.average,
        "zero_division": thresholds.zero_division,
        "method": thresholds.method,
        "status": thresholds.status,
        "reason": thresholds.reason,
        "value": thresholds.value,
        "value_measured_on": thresholds.value_measured_on,
        "expected": None if thresholds.expected is None else thresholds.expected._asdict(),
        "expected_gain": None if thresholds.expected_gain is None else thresholds.expected_gain._asdict(),
        "expected_reason": thresholds.expected_reason,
        "half": thresholds.half,
        "upper_bound": thresholds.upper_bound,
        "rule": str(thresholds.rule),
        "calibration": calibration_to_save(thresholds.rule),
        "score_dtype": str(thresholds.values.dtype),
        "score_scale": thresholds.scale,
        "n_items": thresholds.n_items,
        "data_digest": thresholds.digest,
        "created": thresholds.created,
        "versions": thresholds.versions,
        "constraints": list(thresholds.constraints),
        "promise": None if thresholds.promise is None else thresholds.promise.to_dict(),
        "details": thresholds.details,
    }


def _names(arrays: dict[str, NDArray[Any]]) -> list[str]:
    """Return the names of the labels, from their bytes end to end."""
    for key in ("names", _ENDS, "threshold", *Counts._fields):
        if key not in arrays:
            raise InputError(f"the file lacks the array {key!r}. It was altered.")
    whole, ends = arrays["names"].tobytes(), arrays[_ENDS]
    if ends.dtype != np.int64 or ends.ndim != 1 or not len(ends):
        raise InputError("the file has no labels. At least one is needed.")
    starts = np.concatenate([[0], ends[:-1]])
    if (starts > ends).any() or ends[-1] != len(whole) or starts[0] != 0:
        raise InputError("the names of the labels do not end where the file says. It was altered.")
    try:
        pairs = zip(starts.tolist(), ends.tolist(), strict=True)
        return [whole[start:end].decode() for start, end in pairs]
    except UnicodeDecodeError as error:
        raise InputError(f"a label's name is no UTF-8 text ({error.reason}). The file was altered.") from error


def _check_counts(names: Sequence[str], counts: Counts, n_items: int) -> None:
    """Raise `InputError` if no data can have these counts, as `counts_of` does for JSON."""
    tp, pp, p, n = counts
    most = n_items if tp.dtype == np.int64 else np.finfo(np.float64).max
    with np.errstate(invalid="ignore"):
        slack = 1e-9 * (np.abs(n) + 1)
        fine = (-slack <= tp) & (tp <= np.minimum(p, pp) + slack) & (np.maximum(p, pp) <= n + slack) & (n <= most)
    bad = np.flatnonzero(~fine | ~np.isfinite([tp, pp, p, n]).all(axis=0))
    if len(bad):
        raise counts_cannot_be(names[bad[0]], [part[bad[0]].item() for part in counts], n_items)


def _check_ranges(names: Sequence[str], ranges: NDArray[Any]) -> None:
    """Raise `InputError` unless ranges are numbers, or never, that rise."""
    bad = np.flatnonzero(~((ranges[0] <= ranges[1]) & (ranges[0] > -np.inf)))
    if len(bad):
        ends = [to_save(end) for end in ranges[:, bad[0]]]
        raise InputError(f"the range of {names[bad[0]]!r} is {ends}. Its lower end must come first.")


def _check_gains(names: Sequence[str], gains: NDArray[np.float64]) -> None:
    """Raise `InputError` unless gains are a value between two ends, or nothing."""
    value, low, high = gains
    none = np.isnan(gains).all(axis=0)
    bad = np.flatnonzero(~none & ~(np.isfinite(gains).all(axis=0) & (low <= value) & (value <= high)))
    if len(bad):
        raise InputError(
            f"'gain' of {names[bad[0]]!r} is {gains[:, bad[0]].tolist()}. It must be a value, and the lower and "
            "the upper end of its interval. The file was altered."
        )
