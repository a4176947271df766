"""The file of event thresholds: what it must hold, and whether that can be."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from limen import objectives
from limen.decisions import Counts
from limen.errors import InputError
from limen.names import unique
from limen.objectives import Average, Objective
from limen.scales import Kind
from limen.solvers.solution import Status
from limen.thresholds_file import EVENTS_SCHEMA, check_choice, check_fields, said_of_other, threshold_of

SCHEMA_VERSION = 1
WANTED = "Give the JSON file that limen tune-events wrote."
FORM = f"A file of event thresholds of schema version {SCHEMA_VERSION}"
_NUMBER = (int, float)
FIELDS: dict[str, tuple[type, ...]] = {
    "schema": (str,),
    "schema_version": (int,),
    "criterion": (dict,),
    "metric": (str, dict),
    "average": (str,),
    "zero_division": _NUMBER,
    "method": (str,),
    "status": (str,),
    "reason": (str,),
    "value": _NUMBER,
    "expected": (dict, type(None)),
    "expected_reason": (str,),
    "upper_bound": (int, float, type(None)),
    "score_dtype": (str,),
    "score_scale": (str,),
    "frame_seconds": _NUMBER,
    "n_recordings": (int,),
    "hours": _NUMBER,
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
    "low": (int, float, type(None)),
    "setting": (dict,),
    "tp": (int,),
    "pp": (int,),
    "p": (int,),
    "n": (int,),
}
_SETTING: dict[str, tuple[type, ...]] = dict.fromkeys(("median", "hysteresis", "gap", "shortest"), _NUMBER)

ADDED = {"promise": None}
"""What files of an earlier limen lack, and what that means."""

Checked = tuple[dict[str, Any], tuple[str, ...], NDArray[np.float64], NDArray[np.float64], Objective, Counts]


def checked(content: Any) -> Checked:
    """Return the content, with labels, thresholds, low thresholds, objective and counts.

    Raises
    ------
    InputError
        If anything is missing, unknown or of the wrong kind.
    """
    if not isinstance(content, dict) or content.get("schema") != EVENTS_SCHEMA:
        raise InputError(
            f"this is not a file of event thresholds: {said_of_other(content, EVENTS_SCHEMA)}. {WANTED}"
        )
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InputError(
            f"the file has schema version {version!r}; this limen reads {SCHEMA_VERSION}. Upgrade limen: pip "
            "install --upgrade limen."
        )
    content = ADDED | content
    check_fields(content, FIELDS, "the file", FORM)
    for key, choices in (
        ("score_scale", get_args(Kind)),
        ("status", get_args(Status)),
        ("average", get_args(Average)),
        ("score_dtype", ("float16", "float32", "float64")),
    ):
        check_choice(content, key, choices)
    labels = content["labels"]
    if not labels or not all(isinstance(label, dict) for label in labels):
        raise InputError("'labels' must be a list of objects, at least one.")
    for number, label in enumerate(labels):
        check_fields(label, LABEL_FIELDS, f"label {number}", FORM)
        check_fields(label["setting"], _SETTING, f"'setting' of label {number}", FORM)
        if not 0 <= label["tp"] <= min(label["pp"], label["p"]):
            raise InputError(f"the counts of {label['name']!r} cannot be. The file was altered.")
    if not (content["n_recordings"] >= 1 and content["frame_seconds"] > 0 and content["hours"] >= 0):
        raise InputError("'n_recordings', 'frame_seconds' or 'hours' cannot be. The file was altered.")
    names = unique((label["name"] for label in labels), "the file")
    high, low = (np.array([threshold_of(label[key]) for label in labels]) for key in ("threshold", "low"))
    if (low > high).any():
        raise InputError(f"'low' of {names[int((low > high).argmax())]!r} is above its threshold.")
    objective = objectives.objective(content["metric"], content["average"], content["zero_division"])
    objective.check_labels(len(names))
    counts = Counts(*(np.array([label[key] for label in labels], np.int64) for key in Counts._fields))
    value = objective(*counts)
    if abs(value - content["value"]) > 1e-6 * max(1.0, abs(value)):
        raise InputError(
            f"'value' is {content['value']!r}, and the counts of the labels give {objective} {value:.6g}. The "
            "file was altered."
        )
    return content, names, high, low, objective, counts
