"""What a thresholds file must say: fields, numbers, counts and values, read strictly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.decisions import Counts, in_dtype
from limen.errors import InputError, count, examples
from limen.intervals import Interval
from limen.names import repeated
from limen.objectives import Objective

SCHEMA = "https://limen.dev/schema/thresholds"
SCHEMA_VERSION = 2

_NUMBER = (int, float)
FIELDS: dict[str, tuple[type, ...]] = {
    "schema": (str,),
    "schema_version": (int,),
    "metric": (str, dict),
    "average": (str,),
    "zero_division": _NUMBER,
    "method": (str,),
    "status": (str,),
    "reason": (str,),
    "value": _NUMBER,
    "value_measured_on": (str,),
    "expected": (dict, type(None)),
    "expected_reason": (str,),
    "upper_bound": (int, float, type(None)),
    "rule": (str,),
    "score_dtype": (str,),
    "score_scale": (str, type(None)),
    "n_items": (int,),
    "data_digest": (str,),
    "created": (str,),
    "versions": (dict,),
    "details": (dict,),
    "labels": (list,),
}
LATER: dict[str, Any] = {"reason": "", "expected_reason": "", "score_scale": None}
"""What files of schema version 1 lack."""
LABEL_FIELDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "threshold": (int, float, type(None)),
    "range": (list, type(None)),
    "tp": _NUMBER,
    "pp": _NUMBER,
    "p": _NUMBER,
    "n": _NUMBER,
}


def check_fields(content: dict[str, Any], fields: dict[str, tuple[type, ...]], where: str) -> None:
    """Raise `InputError` unless the content has exactly these fields, of these types."""
    missing, unknown = [k for k in fields if k not in content], [k for k in content if k not in fields]
    if missing or unknown:
        raise InputError(
            f"{where} lacks {examples(missing) or 'nothing'} and has unknown {examples(unknown) or 'nothing'}. "
            f"A thresholds file of schema version {SCHEMA_VERSION} has exactly: {', '.join(fields)}."
        )
    for key, kinds in fields.items():
        if isinstance(content[key], float) and not math.isfinite(content[key]):
            raise InputError(f"{key!r} of {where} is {content[key]}. It must be a finite number.")
        if not isinstance(content[key], kinds) or (isinstance(content[key], bool)):
            raise InputError(
                f"{key!r} of {where} is {content[key]!r}. It must be {' or '.join(k.__name__ for k in kinds)}."
            )


def check_choice(content: dict[str, Any], key: str, choices: Sequence[str]) -> None:
    """Raise `InputError` unless a field is one of the choices."""
    if content[key] not in choices:
        raise InputError(f"{key!r} is {content[key]!r}. It must be one of {', '.join(choices)}.")


def threshold_of(value: Any) -> float:
    """Return a threshold; null is never."""
    if value is None:
        return math.inf
    if not isinstance(value, int | float) or not _is_finite(value):
        raise InputError(f"a threshold is {str(value)[:40]}. It must be a finite number, or null for never.")
    return float(value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def counts_of(labels: list[dict[str, Any]], n_items: int) -> Counts:
    """Return the counts of all labels, refused if no data can have them."""
    # Items are counted in whole numbers; with weights, counts are sums of them.
    whole = all(isinstance(label[key], int) for label in labels for key in Counts._fields)
    most = n_items if whole else np.finfo(np.float64).max
    for label in labels:
        tp, pp, p, n = (label[key] for key in Counts._fields)
        slack = 1e-9 * (abs(n) + 1)
        if not all(map(_is_finite, (tp, pp, p, n))) or not (
            -slack <= tp <= min(p, pp) + slack and max(p, pp) <= n + slack and n <= most
        ):
            raise InputError(
                f"the counts of {label['name']!r} cannot be, of {count(n_items, 'item')}: tp {tp}, pp {pp}, "
                f"p {p}, n {n}. The file was altered."
            )
    dtype = np.int64 if whole else np.float64
    return Counts(*(np.array([label[key] for label in labels], dtype) for key in Counts._fields))


def check_values(content: dict[str, Any], objective: Objective, counts: Counts, expected: Interval | None) -> None:
    """Raise `InputError` if the values cannot be those of the objective and the counts."""
    value, bound, given = content["value"], content["upper_bound"], objective(*counts)
    slack = 1e-6 * max(1.0, abs(given))
    if abs(value - given) > slack:
        raise InputError(
            f"'value' is {value!r}, and the counts of the labels give {objective} {given:.6g}. The file was "
            "altered."
        )
    if bound is not None and not value - slack <= bound <= 1 + slack:
        raise InputError(
            f"'upper_bound' is {bound!r}. It cannot be below the value {value!r} or above 1. The file was altered."
        )
    if expected is not None and not expected.low <= expected.value <= expected.high <= 1 + slack:
        raise InputError(
            f"'expected' is {expected.value!r} from {expected.low!r} to {expected.high!r}. These must rise from "
            "low over value to high, and not pass 1. The file was altered."
        )


def interval_of(content: dict[str, Any] | None) -> Interval | None:
    """Return the content of an interval."""
    if content is None:
        return None
    check_fields(content, dict.fromkeys(Interval._fields, _NUMBER), "'expected'")
    return Interval(**content)


def ranges_of(labels: list[dict[str, Any]], dtype: np.dtype[Any]) -> NDArray[Any] | None:
    """Return the ranges of all thresholds (2, n_labels), or None if there are none."""
    if all(label["range"] is None for label in labels):
        return None
    ends = []
    for label in labels:
        if label["range"] is None or len(label["range"]) != 2:
            raise InputError("'range' must be two numbers for every label, or null for every label.")
        ends.append([threshold_of(end) for end in label["range"]])
        if ends[-1][0] > ends[-1][1]:
            raise InputError(f"the range of {label['name']!r} is {label['range']}. Its lower end must come first.")
    return in_dtype(np.array(ends).T, dtype)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; a key that stands twice is refused."""
    if twice := repeated(key for key, _ in pairs):
        raise ValueError(f"the key {twice[0]!r} stands twice")
    return dict(pairs)


def refuse_constant(name: str) -> float:
    """Refuse NaN and infinities, which are no JSON."""
    raise ValueError(f"{name} is no JSON number (null means: never given)")
