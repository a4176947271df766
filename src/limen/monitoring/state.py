"""What monitoring remembers from one run to the next, and its file: read strictly, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError
from limen.files.writing import write_atomically
from limen.monitoring.betting import STEPS
from limen.monitoring.checks import FAMILIES, FamilyName
from limen.thresholds import Thresholds
from limen.thresholds_file import check_fields, read_content
from limen.versions import versions

SCHEMA = "https://limen.dev/schema/monitor"
VERSION = 1
FORM = f"A state file of version {VERSION}"
MOST_POINTS, MOST_DIGESTS, SKETCH = 1000, 4000, 256
"""So many checks are kept for the picture, and to tell those counted before; so many ids of the last one."""
LATELY = 0.5 ** (1 / 7)
"""Shares "lately" weigh a check half as much as one seven checks later."""


class Settings(NamedTuple):
    """What must not change while the same error is spent.

    ``group_size`` is 0 where items are the units.
    """

    alpha: float
    tolerance: float
    at_least: float | None
    group_size: int


@dataclass
class Course:
    """How the checks of one family went.

    Attributes
    ----------
    number : int
        Times that they were made.
    logs : float64 (n_checks, n_stakes)
        Logarithm of the money at each stake.
    bad, size, bad_lately, size_lately : float64 (n_checks,)
    alarm : str
        When the family's alarm was given; empty if it was not.
    blamed : dict from the name of a check to when it was
    """

    number: int
    logs: NDArray[np.float64]
    sums: NDArray[np.float64]
    alarm: str = ""
    blamed: dict[str, str] = field(default_factory=dict)

    @classmethod
    def new(cls, n_checks: int) -> Course:
        """Return the course of checks that were never made."""
        return cls(0, np.full((n_checks, len(STEPS)), -np.inf), np.zeros((4, n_checks)))


@dataclass
class State:
    """All that monitoring remembers.

    Attributes
    ----------
    thresholds : str
        Digest of the thresholds.
    settings : Settings
    courses : dict of Course
        "tags" and "answers".
    counted : dict from digest to str
        What was counted of each check of the past: "t" tags, "a" answers.
    sketch : list of str
        Some ids of the last check, as digests.
    history : list of dict
        One for each check that is kept for the picture.
    n_items : int
    created : str
    """

    thresholds: str
    settings: Settings
    courses: dict[FamilyName, Course]
    counted: dict[str, str] = field(default_factory=dict)
    sketch: list[str] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    n_items: int = 0
    created: str = field(default_factory=lambda: now())

    def remember(self, digest: str, what: str, sketch: list[str]) -> None:
        """Remember that a check was counted."""
        self.counted[digest] = "".join(sorted(set(self.counted.get(digest, "") + what)))
        self.sketch = sketch
        for old in list(self.counted)[: max(0, len(self.counted) - MOST_DIGESTS)]:
            del self.counted[old]

    def picture(self, point: dict[str, Any]) -> None:
        """Keep a point of the picture; when there are too many, every other one of the older half goes."""
        self.history.append(point)
        if len(self.history) > MOST_POINTS:
            half = MOST_POINTS // 2
            self.history = [
                p for k, p in enumerate(self.history) if k >= half or k % 2 == 0 or p["alarm"] or p["blamed"]
            ][-MOST_POINTS:]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the state: the whole file, or nothing."""
        text = json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
        with write_atomically(path) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def to_dict(self) -> dict[str, Any]:
        """Return the content of the file: plain numbers, text and lists."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "versions": versions(),
            "created": self.created,
            "updated": now(),
            "thresholds": self.thresholds,
            "settings": self.settings._asdict(),
            "n_items": self.n_items,
            "courses": {
                name: {
                    "number": course.number,
                    # never staked yet is minus infinity, which JSON has no word for
                    "logs": [None if row[0] == -np.inf else row.tolist() for row in course.logs],
                    "sums": course.sums.tolist(),
                    "alarm": course.alarm,
                    "blamed": course.blamed,
                }
                for name, course in self.courses.items()
            },
            "counted": self.counted,
            "sketch": self.sketch,
            "history": self.history,
        }

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> State:
        """Return the state of a file.

        Raises
        ------
        UnreadableError
            If the file cannot be read.
        InputError
            If it is no such file, is cut short or altered, or is of a newer version.
        """
        content = read_content(path, "a state file", "Give the file that limen monitor --state wrote.")
        try:
            return cls.from_dict(content)
        except InputError as error:
            raise InputError(f"{os.fspath(path)}: {error}") from error

    @classmethod
    def from_dict(cls, content: Any) -> State:
        """Return the state of `to_dict`'s content, checked strictly.

        Raises
        ------
        InputError
            If anything is missing, unknown or of the wrong kind.
        """
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            raise InputError("this is no state of limen monitor. Give the file that --state wrote.")
        if content.get("version") != VERSION:
            raise InputError(
                f"the state has version {content.get('version')!r}; this limen knows {VERSION}. Upgrade limen: "
                "pip install --upgrade limen."
            )
        check_fields(content, _FIELDS, "the file", FORM)
        check_fields(content["settings"], _SETTINGS, "'settings'", FORM)
        if sorted(content["courses"]) != sorted(FAMILIES):
            raise InputError(f"'courses' has {sorted(content['courses'])}. It must have {', '.join(FAMILIES)}.")
        courses = {name: _course(name, content["courses"][name]) for name in FAMILIES}
        counted, sketch, history = content["counted"], content["sketch"], content["history"]
        if not (
            all(what in ("a", "t", "at") for what in counted.values())
            and all(isinstance(one, str) for one in sketch)
            and all(isinstance(point, dict) and set(point) == set(POINT) for point in history)
        ):
            raise InputError("'counted', 'sketch' or 'history' have another form. The file was altered.")
        return cls(
            thresholds=content["thresholds"],
            settings=Settings(**content["settings"]),
            courses=courses,
            counted=counted,
            sketch=sketch,
            history=history,
            n_items=content["n_items"],
            created=content["created"],
        )


POINT = ("when", "items", "tags", "answers", "labels", "alarm", "blamed")
"""What a point of the picture has: when, how many items, log10 of e-values of the families and of some checks."""
_SETTINGS: dict[str, tuple[type, ...]] = {
    "alpha": (float,),
    "tolerance": (int, float),
    "at_least": (int, float, type(None)),
    "group_size": (int,),
}
_FIELDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("schema", "created", "updated", "thresholds"), (str,)),
    **dict.fromkeys(("version", "n_items"), (int,)),
    **dict.fromkeys(("versions", "settings", "courses", "counted"), (dict,)),
    **dict.fromkeys(("sketch", "history"), (list,)),
}
_COURSE: dict[str, tuple[type, ...]] = {
    "number": (int,),
    "logs": (list,),
    "sums": (list,),
    "alarm": (str,),
    "blamed": (dict,),
}


def _course(name: str, content: Any) -> Course:
    if not isinstance(content, dict):
        raise InputError(f"the course of {name!r} is no object. The file was altered.")
    check_fields(content, _COURSE, f"the course of {name!r}", FORM)
    try:
        rows = [[-np.inf] * len(STEPS) if row is None else row for row in content["logs"]]
        logs = np.array(rows, np.float64).reshape(len(rows), len(STEPS))
        sums = np.array(content["sums"], np.float64).reshape(4, len(rows))
        possible = not np.isnan(logs).any() and bool((logs < np.inf).all() and np.isfinite(sums).all())
        possible = possible and bool((sums >= 0).all()) and content["number"] >= 0
    except (TypeError, ValueError):
        possible = False
    if not possible:
        raise InputError(f"the course of {name!r} has numbers that cannot be. The file was altered.")
    return Course(content["number"], logs, sums, content["alarm"], dict(content["blamed"]))


def digest_of(thresholds: Thresholds) -> str:
    """Return a digest of what decides, and of what it promises."""
    promise = None if thresholds.promise is None else thresholds.promise.to_dict()
    expected = None if thresholds.expected is None else list(thresholds.expected)
    said = [list(thresholds.labels), thresholds.values.astype(float).tolist(), str(thresholds.rule), promise]
    counts = [part.tolist() for part in thresholds.counts]
    kept = [entry["spec"] for entry in thresholds.constraints]
    text = json.dumps([said, counts, expected, str(thresholds.objective), kept], default=str)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:32]


def now() -> str:
    """Return the time in ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def log10(value: float) -> float:
    """Return a natural logarithm as one of base 10, with two decimals."""
    return round(value / math.log(10), 2)
