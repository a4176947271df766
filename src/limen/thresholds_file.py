"""What a thresholds file must say: fields, numbers, counts and values, read strictly."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from limen.constraints import Constraint, bind, of_spec, outcomes
from limen.curve_files import Form
from limen.decisions import Counts, in_dtype
from limen.errors import InputError, UnreadableError, count, examples
from limen.expected_f import NAME, Calibration, ExpectedF
from limen.intervals import Interval
from limen.names import repeated
from limen.objectives import Objective
from limen.scales import Kind

SCHEMA = "https://limen.dev/schema/thresholds"
SCHEMA_VERSION = 3
EVENTS_SCHEMA = "https://limen.dev/schema/event-thresholds"
"""Of `limen.events.EventThresholds`."""

WANTED = "Give the JSON file that limen tune wrote, or that a report saved."
"""What to do with a file that is something else."""
COMPACT = Form(SCHEMA, "thresholds", "limen tune or Thresholds.save")
ZIP = b"PK\x03\x04"
LARGE = 1 << 16
"""Thresholds of more labels are saved as arrays where no form is asked for: JSON of them is large and slow."""
_NUMBER = (int, float)
_CALIBRATION = ("offset", "slope", "low", "high")
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
    "expected_gain": (dict, type(None)),
    "expected_reason": (str,),
    "half": (int, float, type(None)),
    "upper_bound": (int, float, type(None)),
    "rule": (str,),
    "calibration": (dict, type(None)),
    "score_dtype": (str,),
    "score_scale": (str, type(None)),
    "n_items": (int,),
    "data_digest": (str,),
    "created": (str,),
    "versions": (dict,),
    "constraints": (list,),
    "promise": (dict, type(None)),
    "details": (dict,),
    "labels": (list,),
}
LABEL_FIELDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "threshold": (int, float, type(None)),
    "range": (list, type(None)),
    "tp": _NUMBER,
    "pp": _NUMBER,
    "p": _NUMBER,
    "n": _NUMBER,
    "gain": (list, type(None)),
}
LATER: dict[int, dict[str, Any]] = {
    2: {"reason": "", "expected_reason": "", "score_scale": None},
    3: {"half": None, "expected_gain": None, "calibration": None, "constraints": [], "promise": None},
}
LABELS_LATER: dict[int, dict[str, Any]] = {3: {"gain": None}}
"""What files before a schema version lack, and what it is taken for; of the file, and of each label."""


def read_content(path: str | os.PathLike[str], what: str, wanted: str) -> Any:
    """Return the content of a JSON file of thresholds (``what``); ``wanted`` says which file to give.

    Raises
    ------
    UnreadableError
        If the file cannot be read.
    InputError
        If it is no such text, or cut short.
    """
    whole = _bytes_of(path)
    try:
        text = whole.decode()
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            raise InputError(f"{path} is not {what}: it is not UTF-8 text. {wanted}") from error
        text = whole.decode(errors="ignore")  # cut short within a character
    try:
        return json.loads(text, parse_constant=refuse_constant, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} {said_of(text, error, what)} {wanted}") from error


def is_compact(path: str | os.PathLike[str]) -> bool:
    """Return whether a file is an archive of arrays, as compact thresholds files are.

    Raises
    ------
    UnreadableError
        If the file cannot be read.
    """
    return _bytes_of(path, len(ZIP)) == ZIP


def _bytes_of(path: str | os.PathLike[str], most: int = -1) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise UnreadableError(f"cannot read {path}: {error.strerror}. Check the path.") from error


def to_save(threshold: Any) -> float | None:
    """Return a threshold as files have it: never is null."""
    return None if threshold == math.inf else float(threshold)


def completed(content: dict[str, Any], version: int) -> dict[str, Any]:
    """Return the content of a file of an older schema version with what it lacks."""
    if version == SCHEMA_VERSION:
        return content
    lacking, of_labels = (
        {key: value for since, fields in later.items() if since > version for key, value in fields.items()}
        for later in (LATER, LABELS_LATER)
    )
    labels = content.get("labels")
    if isinstance(labels, list):
        labels = [{**of_labels, **label} if isinstance(label, dict) else label for label in labels]
        content = {**content, "labels": labels}
    return {**lacking, **content}


def check_fields(
    content: dict[str, Any],
    fields: dict[str, tuple[type, ...]],
    where: str,
    form: str = f"A thresholds file of schema version {SCHEMA_VERSION}",
) -> None:
    """Raise `InputError` unless the content, of a file of this form, has exactly these fields, of these types."""
    missing, unknown = [k for k in fields if k not in content], [k for k in content if k not in fields]
    if missing or unknown:
        raise InputError(
            f"{where} lacks {examples(missing) or 'nothing'} and has unknown {examples(unknown) or 'nothing'}. "
            f"{form} has exactly: {', '.join(fields)}."
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
            raise counts_cannot_be(label["name"], (tp, pp, p, n), n_items)
    dtype = np.int64 if whole else np.float64
    return Counts(*(np.array([label[key] for label in labels], dtype) for key in Counts._fields))


def counts_cannot_be(name: str, counts: Sequence[float], n_items: int) -> InputError:
    """Return the error for counts tp, pp, p and n that no data can have."""
    tp, pp, p, n = counts
    return InputError(
        f"the counts of {name!r} cannot be, of {count(n_items, 'item')}: tp {tp}, pp {pp}, p {p}, n {n}. The file "
        "was altered."
    )


def check_values(
    content: dict[str, Any],
    objective: Objective,
    counts: Counts,
    expected: Interval | None,
    gain: Interval | None,
) -> None:
    """Raise `InputError` if the values cannot be those of the objective and the counts."""
    value, bound = content["value"], content["upper_bound"]
    # Of an average over items the counts by label say nothing, but that it is no more than 1.
    given = min(value, 1.0) if objective.needs_items else objective(*counts)
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
    if content["half"] is not None and content["half"] > 1 + slack:
        raise InputError(f"'half' is {content['half']!r}. No metric is above 1. The file was altered.")
    if expected is not None and not expected.low <= expected.value <= expected.high <= 1 + slack:
        raise InputError(
            f"'expected' is {expected.value!r} from {expected.low!r} to {expected.high!r}. These must rise from "
            "low over value to high, and not pass 1. The file was altered."
        )
    if gain is not None and not (expected is not None and gain.low <= gain.value <= gain.high):
        raise InputError(
            f"'expected_gain' is {gain.value!r} from {gain.low!r} to {gain.high!r}. These must rise from low over "
            "value to high, and go with 'expected'. The file was altered."
        )


def constraint_of(entry: Any) -> Constraint:
    """Return the constraint of an entry of 'constraints'."""
    if not isinstance(entry, dict) or not isinstance(entry.get("holds"), bool) or "constraint" not in entry:
        raise InputError(
            f"'constraints' has {str(entry)[:60]!r}. Each must be an object with 'constraint', 'spec' and 'holds'."
        )
    return of_spec(entry.get("spec"))


def kept_constraints(
    content: dict[str, Any], labels: Sequence[str], counts: Counts, values: NDArray[Any]
) -> tuple[dict[str, Any], ...]:
    """Return the entries of 'constraints'; whether each holds is told by the counts and thresholds of the file.

    Of thresholds that were edited by hand nothing is told of what the solver knew.
    """
    entries = content["constraints"]
    if not entries:
        return ()
    details = content["details"]
    excused = details.get("never_by_constraint", [])
    if not isinstance(excused, list):
        raise InputError(f"'never_by_constraint' is {str(excused)[:40]!r}. It must be a list of labels.")
    fresh = outcomes(bind([constraint_of(entry) for entry in entries], labels), counts, values, excused)
    return tuple(new if "edited" in details else old | new for old, new in zip(entries, fresh, strict=True))


def interval_of(content: dict[str, Any], key: str) -> Interval | None:
    """Return the interval that a field holds."""
    if content[key] is None:
        return None
    check_fields(content[key], dict.fromkeys(Interval._fields, _NUMBER), repr(key))
    return Interval(**content[key])


def calibration_to_save(rule: str) -> dict[str, Any] | None:
    """Return the calibration that a rule needs, as plain numbers; None if it needs none."""
    if not isinstance(rule, ExpectedF):
        return None
    kind, numbers = rule.calibration
    return {"scale": kind, **dict(zip(_CALIBRATION, numbers.tolist(), strict=True))}


def rule_of(content: dict[str, Any], n_labels: int) -> str:
    """Return the rule of a file, with the calibration that it needs."""
    rule, calibration = str(content["rule"]), content["calibration"]
    name, _, beta = rule.partition(":")
    if (name == NAME) != (calibration is not None):
        raise InputError(f"'calibration' goes with the rule 'expected-f' alone; the rule is {rule!r}.")
    if calibration is None:
        return rule
    check_fields(calibration, {"scale": (str,), **dict.fromkeys(_CALIBRATION, (list,))}, "'calibration'")
    check_choice(calibration, "scale", get_args(Kind))
    numbers = []
    for key in _CALIBRATION:
        found = [one for one in calibration[key] if isinstance(one, int | float) and not isinstance(one, bool)]
        if len(found) != n_labels or len(calibration[key]) != n_labels or not all(map(_is_finite, found)):
            raise InputError(
                f"{key!r} of 'calibration' must be a finite number for each of {count(n_labels, 'label')}."
            )
        numbers.append(found)
    try:
        number = float(beta)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise InputError(f"the rule is {rule!r}. It must be 'expected-f:BETA', with a beta above 0.")
    fitted = Calibration(calibration["scale"], np.array(numbers, np.float64))
    return ExpectedF(number, float(content["zero_division"]), fitted)


def gains_of(labels: list[dict[str, Any]]) -> NDArray[np.float64] | None:
    """Return the gains of all labels (3, n_labels), NaN where there is none; None if there are none at all."""
    if all(label["gain"] is None for label in labels):
        return None
    found = np.full((3, len(labels)), np.nan)
    for k, label in enumerate(labels):
        gain = label["gain"]
        if gain is None:
            continue
        numbers = [end for end in gain if isinstance(end, int | float) and not isinstance(end, bool)]
        if len(gain) != 3 or len(numbers) != 3 or not all(map(_is_finite, numbers)):
            raise InputError(f"'gain' of {label['name']!r} must be three finite numbers, or null.")
        if not gain[1] <= gain[0] <= gain[2]:
            raise InputError(
                f"'gain' of {label['name']!r} is {gain}. It must be a value, and the lower and the upper end of "
                "its interval. The file was altered."
            )
        found[:, k] = gain
    return found


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


def said_of(text: str, error: Exception, what: str) -> str:
    """Return what is wrong with the text of a file that is no JSON; ``what`` it should be, with its article."""
    whole = text.strip()
    if whole[:1] != "{":
        problem = "it is empty" if not whole else f"it begins with {whole[:20]!r}, and JSON of limen with '{{'"
        return f"is not {what}: {problem}."
    cut = not whole.endswith("}") or (isinstance(error, json.JSONDecodeError) and error.pos >= len(text.rstrip()))
    problem = f"it is cut short, in line {whole.count(chr(10)) + 1}" if cut else str(error)
    return f"is not a whole {what.removeprefix('a ')}: {problem}."


def said_of_other(content: Any, wanted: str = SCHEMA) -> str:
    """Return what JSON holds that is not of the wanted schema."""
    if not isinstance(content, dict):
        return f"it is JSON, but {'a list' if isinstance(content, list) else repr(content)[:40]}"
    schema = content.get("schema")
    if schema is None:
        return f"it is JSON with {examples(content) or 'nothing'}, and no 'schema'"
    if (schema, wanted) == (EVENTS_SCHEMA, SCHEMA):
        return "it holds thresholds of events: use limen.events.EventThresholds.load, or limen tag"
    if (schema, wanted) == (SCHEMA, EVENTS_SCHEMA):
        return "it holds thresholds of tags, without settings: use limen.Thresholds.load"
    return f"its 'schema' is {str(schema)[:60]!r}, not {wanted!r}"
