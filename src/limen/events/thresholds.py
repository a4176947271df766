"""The artefact of events: a setting and a threshold for each label, and what is known about them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import metrics
from limen.constraints import bind, outcomes, said_out_of_sample, said_outcome
from limen.decisions import Counts
from limen.display import Displayed, Shown
from limen.errors import InputError, count
from limen.events.curves import low_thresholds
from limen.events.detecting import detect
from limen.events.matching import Criterion, as_criterion, criterion_spec
from limen.events.promise import EventPromise
from limen.events.recordings import Events, FrameScores
from limen.events.settings import Setting
from limen.events.thresholds_file import SCHEMA_VERSION, WANTED, checked
from limen.files.writing import write_atomically
from limen.intervals import Interval
from limen.names import match
from limen.objectives import Average, Objective
from limen.promises import Measured
from limen.scales import BARELY, Kind
from limen.solvers.solution import Status
from limen.thresholds_file import EVENTS_SCHEMA, constraint_of, interval_of, read_content, to_save

_PLAIN = (
    *("average", "zero_division", "method", "status", "reason", "value", "expected_reason", "upper_bound"),
    *("score_dtype", "frame_seconds", "n_recordings", "hours", "created", "versions", "details"),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class EventThresholds(Displayed):
    """A setting and a threshold for each label, and what is known about them.

    Attributes
    ----------
    labels : tuple of n_labels str
    settings : tuple of n_labels Setting
    thresholds, low : float64 (n_labels,)
        An event is a stretch of frames with scores at or above ``low`` that reaches the threshold; +inf is never.
    criterion : Collar, Intersection, Segments or Clips
    metric, average, zero_division
        The objective tuned for.
    method, status, reason, value, upper_bound, expected, expected_reason, constraints, details, created, versions
        As of `limen.Thresholds`.
    promise : EventPromise or None
        What they promise on new recordings; see `limen.events.guarantee`.
    counts : Counts
        tp, pp, p and n of each label on the recordings tuned on; n is 0 where only events are counted.
    scale : {"probability", "logit", "real"}
        What the scores are.
    score_dtype : str
    frame_seconds : float
    n_recordings : int
    hours : float
    digest : str
    """

    labels: tuple[str, ...]
    settings: tuple[Setting, ...]
    thresholds: NDArray[np.float64]
    low: NDArray[np.float64]
    criterion: Criterion
    metric: metrics.Metric
    average: Average
    method: str
    status: Status
    value: float
    upper_bound: float | None
    counts: Counts
    scale: Kind
    score_dtype: str
    frame_seconds: float
    n_recordings: int
    hours: float
    digest: str
    created: str
    versions: dict[str, str]
    zero_division: float = 0.0
    reason: str = ""
    expected: Interval | None = None
    expected_reason: str = ""
    constraints: tuple[dict[str, Any], ...] = ()
    promise: EventPromise | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def objective(self) -> Objective:
        """The objective tuned for."""
        return Objective(self.metric, self.average, self.zero_division)

    @property
    def never(self) -> tuple[str, ...]:
        """Names of the labels that are never given."""
        return tuple(name for name, value in zip(self.labels, self.thresholds, strict=True) if value == np.inf)

    def decide(self, scores: FrameScores) -> Events:
        """Return the events of recordings.

        Raises
        ------
        InputError
            If labels, length of a frame or kind of scores are not those tuned on.
        """
        self.check(scores)
        at = match(self.labels, scores.labels, between=("event thresholds", "scores"))
        if at != list(range(len(at))):
            found = {name: own[:, at] for name, own in scores.recordings.items()}
            scores = FrameScores(self.labels, found, scores.frame_seconds, scores.durations)
        return detect(scores, self.settings, self.thresholds, self.low)

    def check(self, scores: FrameScores) -> None:
        """Raise `InputError` if scores are not like those tuned on; `decide` does."""
        match(self.labels, scores.labels, between=("event thresholds", "scores"))
        if abs(scores.frame_seconds - self.frame_seconds) > 1e-6 * self.frame_seconds:
            raise InputError(
                f"the scores have frames of {scores.frame_seconds:g} s, and the event thresholds were tuned on "
                f"frames of {self.frame_seconds:g} s. Use the model that was tuned, or tune again."
            )
        low, high = scores.extremes
        if self.scale == "probability" and max(-low, high - 1) > BARELY:
            raise InputError(
                f"the scores reach from {low:.4g} to {high:.4g}, and the event thresholds are for probabilities. "
                "Use the model's probabilities, or tune again on these scores."
            )

    def replaced(
        self, settings: Mapping[str, Setting] | None = None, thresholds: Mapping[str, float] | None = None
    ) -> tuple[tuple[Setting, ...], NDArray[np.float64], NDArray[np.float64]]:
        """Return settings, thresholds and low thresholds with those of some labels changed."""
        changed, values = settings or {}, thresholds or {}
        new = tuple(changed.get(k, own) for k, own in zip(self.labels, self.settings, strict=True))
        high = np.array([values.get(k, own) for k, own in zip(self.labels, self.thresholds, strict=True)])
        return new, high, low_thresholds(high, new, self.scale)

    def outcomes(self, counts: Counts, hours: float) -> tuple[dict[str, Any], ...]:
        """Return, for each constraint tuned under, whether it holds for counts of other recordings."""
        if not self.constraints:
            return ()
        bound = bind([constraint_of(entry) for entry in self.constraints], self.labels)
        return tuple(outcomes(bound.scaled(hours / self.hours), counts, self.thresholds, []))

    def promised(self, counts: Counts, hours: float) -> list[Measured]:
        """Return how each number that is promised came out, by counts of other recordings of so many hours."""
        return [] if self.promise is None else self.promise.on(self.labels, counts, hours)

    def said_constraints(self) -> list[str]:
        """Return one sentence for each constraint: on the recordings tuned on, and left out if that is known."""
        said = []
        for entry in self.constraints:
            sentence = f"{said_outcome(entry, 'events')} (on the recordings tuned on)"
            told = said_out_of_sample(entry, "recordings")
            said.append(f"{sentence}; {told}" if told else sentence)
        return said

    def save(self, path: str | Path) -> None:
        """Write the event thresholds as JSON: the whole file, or nothing.

        Raises
        ------
        FileError
            If the file cannot be written; one that stood there before is kept.
        """
        metrics.spec_to_save(self.metric)
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        with write_atomically(path) as temporary:
            temporary.write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> EventThresholds:
        """Return the event thresholds of a JSON file.

        Raises
        ------
        UnreadableError
            If the file cannot be read.
        InputError
            If it is not a file of event thresholds, is cut short or altered, or is of a newer schema.
        """
        content = read_content(path, "a file of event thresholds", WANTED)
        try:
            return cls.from_dict(content)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Return the content of the JSON file: plain numbers, text and lists."""
        return {
            "schema": EVENTS_SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "criterion": criterion_spec(self.criterion),
            "metric": self.metric.spec,
            **{key: getattr(self, key) for key in _PLAIN},
            "expected": None if self.expected is None else self.expected._asdict(),
            "score_scale": self.scale,
            "data_digest": self.digest,
            "constraints": list(self.constraints),
            "promise": None if self.promise is None else self.promise.to_dict(),
            "labels": [
                {
                    "name": name,
                    "threshold": to_save(self.thresholds[k]),
                    "low": to_save(self.low[k]),
                    "setting": self.settings[k].to_dict(),
                    **{key: int(counts[k]) for key, counts in self.counts._asdict().items()},
                }
                for k, name in enumerate(self.labels)
            ],
        }

    @classmethod
    def from_dict(cls, content: Any) -> EventThresholds:
        """Return the event thresholds of `to_dict`'s content, checked strictly.

        Raises
        ------
        InputError
            If anything is missing, unknown or of the wrong kind.
        """
        content, names, high, low, objective, counts = checked(content)
        return cls(
            labels=names,
            settings=tuple(Setting(**label["setting"]) for label in content["labels"]),
            thresholds=high,
            low=low,
            criterion=as_criterion(content["criterion"]),
            metric=objective.metric,
            counts=counts,
            scale=content["score_scale"],
            digest=content["data_digest"],
            expected=interval_of(content, "expected"),
            promise=None if content["promise"] is None else EventPromise.from_dict(content["promise"], names),
            constraints=tuple(content["constraints"]),
            **{key: content[key] for key in _PLAIN},
        )

    def __eq__(self, other: object) -> bool:
        """Return whether both would be written as the same file."""
        if not isinstance(other, EventThresholds):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def summary(self) -> str:
        """Return one sentence: what was tuned, what it gives on the tuning data, what is proven."""
        bound = "" if self.upper_bound is None else self.metric.said(self.upper_bound)
        proof = {
            "optimal": "proven optimal" + " under its constraints" * bool(self.constraints),
            "bounded": f"at most {bound} is possible",
            "local": "not proven optimal",
            "infeasible": "nothing meets what was asked",
        }[self.status]
        if self.promise is not None and self.promise.labels:
            proof = "the best of those tested that keep the promise"
        expectation = f"; new data: not estimable: {self.expected_reason}" if self.expected_reason else ""
        if self.expected is not None:
            value, low, high = self.expected
            expectation = f"; expect {self.metric.said(value)} ({self.metric.said_span(low, high)})"
        promised = "" if self.promise is None else f"; promised: {self.promise.said()}"
        where = f"by {self.criterion}, on the {count(self.n_recordings, 'recording')} tuned on"
        how = f"({proof}; method {self.method})"
        return f"{self.objective.said(self.value)} of events {where} {how}{expectation}{promised}"

    def __repr__(self) -> str:
        return f"EventThresholds({count(len(self.labels), 'label')}; {self.summary()})"

    def columns(self) -> dict[str, list[str]]:
        """Return the display columns."""
        return {
            "label": list(self.labels),
            "threshold": ["never" if value == np.inf else f"{value:.4g}" for value in self.thresholds],
            "setting": list(map(str, self.settings)),
            self.criterion.noun + "s": [str(number) for number in self.counts.p],
            "given": [str(number) for number in self.counts.pp],
            "correct": [str(number) for number in self.counts.tp],
        }

    def shown(self) -> Shown:
        """Return the table that is shown."""
        columns = self.columns()
        rows = list(zip(*columns.values(), strict=True))
        return Shown(self.summary(), list(columns), rows, ("setting",), ("correct", "given"), ("label",))
