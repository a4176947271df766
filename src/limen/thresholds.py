"""The artefact: thresholds with all that is needed to apply and to trust them."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from limen import metrics, objectives
from limen.constraints import Bound, bind, outcomes, said_in_short, said_out_of_sample, said_outcome
from limen.curve_files import opened, write_arrays
from limen.decisions import THRESHOLD_RULE, Counts, check_rule, decide
from limen.display import Displayed, Shown, most_frequent, said_of_shown
from limen.errors import InputError, LimenWarning, count, examples
from limen.expectation import on_new_items
from limen.files.writing import write_atomically
from limen.intervals import Interval
from limen.objectives import Average, Objective
from limen.promises import Promise
from limen.scales import Kind
from limen.solvers.solution import Status
from limen.states import BAR, state_keys, warnings_of
from limen.thresholds_columns import Columns, header_of
from limen.thresholds_file import (
    COMPACT,
    FIELDS,
    LARGE,
    SCHEMA,
    SCHEMA_VERSION,
    WANTED,
    check_choice,
    check_fields,
    check_values,
    completed,
    constraint_of,
    interval_of,
    is_compact,
    kept_constraints,
    read_content,
    rule_of,
    said_of_other,
)

TUNING_DATA = "tuning data"
REWEIGHTED = "tuning data, reweighted to target_prevalence"


@dataclass(frozen=True, eq=False, kw_only=True)
class Thresholds(Displayed):
    """Per-label decision thresholds, and what is known about them.

    Attributes
    ----------
    labels : tuple of n_labels str
    values : float16, float32 or float64 (n_labels,)
        In the dtype of the scores; +inf means that the label is never given.
    rule : str
        ``">="``: a label is given when its score is at or above its threshold. ``"top-k:K"`` and
        ``"mcut"`` decide by item instead, and leave ``values`` at the lowest finite number; so does
        ``"expected-f:BETA"``, a `limen.expected_f.ExpectedF` that holds the calibration it needs. ``"argmax"``
        gives each item the one label whose score is farthest above its threshold.
    metric, average, zero_division
        The objective tuned for; see `limen.tune`.
    method : str
        How the thresholds were chosen.
    status : {"optimal", "bounded", "local", "infeasible"}
        Proven to be the best on the tuning data; at most ``upper_bound - value`` below it; neither; or nothing
        meets what was asked.
    reason : str
        Why the status is no better, in a sentence; may be empty.
    scale : {"probability", "logit", "real"} or None
        What the scores were taken for, by their range; None where that is not known.
    value : float
        The objective on the tuning data. New data will give less: measure it with `limen.evaluate`.
    value_measured_on : str
        "tuning data"; `REWEIGHTED` if positives and negatives were weighed to have the target shares.
    upper_bound : float or None
        No thresholds reach more on the tuning data.
    counts : Counts
        tp, pp, p and n of each label on the tuning data, (n_labels,) each.
    n_items : int
    digest : str
        Digest of the tuning data's counts.
    created : str
        Time in ISO 8601, UTC.
    versions : dict
        Of limen and numpy, when tuned.
    expected : Interval or None
        The mean of the objective over new data like these, with a 95 % interval: cross-fitted, each item
        decided by thresholds tuned without it. For a number of new items see `expected_on`.
    expected_gain : Interval or None
        How much more that is than 0.5 gives on the same items, with the 95 % interval of this paired difference.
    expected_reason : str
        Why nothing is expected, where that was tried; may be empty.
    half : float or None
        The objective at 0.5 on the tuning data; None where the scores were not at hand.
    gains : float64 (3, n_labels) or None
        The metric of each label on the tuning data minus that at 0.5, and the lower and upper end of the 95 %
        interval of this paired difference; NaN for a label where it is not known. See `limen.states`.
    ranges : ndarray (2, n_labels) or None
        Where other data like these would put the threshold (95 %): how well it is known.
    promise : Promise or None
        What they promise on new data; see `limen.guarantee`.
    details : dict
        What the method chose, and why.
    constraints : tuple of dict
        For each constraint what it is ("constraint" in words, "spec"), whether it "holds" on the tuning data and
        what was "measured" there; with the exact method whether it "binds" and its "price", the gain of the
        objective if it were loosened by "step"; with "auto" how it fared "out_of_sample".
    history : tuple of float
        The objective at each iterate of an iterative method, as it saw it; not saved.
    """

    labels: tuple[str, ...]
    values: NDArray[Any]
    metric: metrics.Metric
    average: Average
    method: str
    status: Status
    value: float
    upper_bound: float | None
    counts: Counts
    n_items: int
    digest: str
    created: str
    versions: dict[str, str]
    rule: str = THRESHOLD_RULE
    scale: Kind | None = None
    reason: str = ""
    zero_division: float = 0.0
    expected: Interval | None = None
    expected_gain: Interval | None = None
    expected_reason: str = ""
    half: float | None = None
    gains: NDArray[np.float64] | None = None
    value_measured_on: str = TUNING_DATA
    ranges: NDArray[Any] | None = None
    promise: Promise | None = None
    details: dict[str, Any] = field(default_factory=dict)
    history: tuple[float, ...] = field(default=(), repr=False)
    constraints: tuple[dict[str, Any], ...] = ()

    @property
    def objective(self) -> Objective:
        """The objective tuned for."""
        return Objective(self.metric, self.average, self.zero_division)

    @property
    def never(self) -> tuple[str, ...]:
        """Names of the labels that are never given."""
        return tuple(name for name, value in zip(self.labels, self.values, strict=True) if value == np.inf)

    def bound(self) -> Bound | None:
        """Return the constraints tuned under, put to the labels; None if there were none."""
        return (
            bind([constraint_of(entry) for entry in self.constraints], self.labels) if self.constraints else None
        )

    def said_constraints(self) -> list[str]:
        """Return one sentence for each constraint: whether it holds on the tuning data and on items left out."""
        elsewhere = self.value_measured_on not in (TUNING_DATA, REWEIGHTED)
        where = f"on the {self.value_measured_on}" if elsewhere else "on the items tuned on"
        return [
            "; ".join(filter(None, (f"{said_outcome(entry)} ({where})", said_out_of_sample(entry))))
            for entry in self.constraints
        ]

    def outcomes(self, counts: Counts, n_items: int) -> tuple[dict[str, Any], ...]:
        """Return, for each constraint tuned under, whether it holds for counts of other items."""
        bound = self.bound()
        if bound is None:
            return ()
        excused = self.details.get("never_by_constraint", [])
        return tuple(outcomes(bound.scaled(n_items / self.n_items), counts, self.values, excused))

    def states(self, bar: float = BAR) -> tuple[str, ...]:
        """Return the state of each label on the tuning data, a key of `limen.states.STATES`.

        Parameters
        ----------
        bar : float
            F1 below which a label is weak.
        """
        return state_keys(self.counts, self.n_items, self.gains, bar)

    def decide(self, y_score: Any) -> Any:
        """Return which labels each item gets.

        Parameters
        ----------
        y_score : array-like (n_items, n_labels), scipy sparse, tensor or frame
            Columns in the order of ``labels``; a frame's columns are taken by name. For a single
            label, one dimension will do. What an engine holds (Dask, Spark) is decided there, when it is
            asked for.

        Returns
        -------
        bool ndarray (n_items, n_labels)
            One-dimensional if ``y_score`` is; sparse if it is (a score not stored gives no label).

        Raises
        ------
        InputError
            If the labels do not fit, or a score is NaN or infinite.

        Examples
        --------
        >>> import limen
        >>> t = limen.tune([[0, 1], [1, 0], [1, 1]], [[0.2, 0.9], [0.6, 0.3], [0.8, 0.7]])
        >>> t.decide([[0.5, 0.4]])
        array([[ True, False]])
        """
        return decide(y_score, self.labels, self.values, self.rule)

    def save(self, path: str | Path) -> None:
        """Write the thresholds: the whole file, or nothing.

        As JSON if the name ends with ``.json``, as compact arrays (no pickle) if it ends with ``.npz``; with any
        other name as JSON, or compact if there are more than 65 536 labels. `load` reads both.

        Raises
        ------
        FileError
            If the file cannot be written; one that stood there before is kept.
        UnsupportedError
            If the metric is the user's own and not registered (`limen.metrics.register`).

        Warns
        -----
        LimenWarning
            If JSON was asked for of more than 65 536 labels.
        """
        metrics.spec_to_save(self.metric)
        ending, large = Path(path).suffix.lower(), len(self.labels) > LARGE
        if ending == ".npz" or (large and ending != ".json"):
            write_arrays(path, header_of(self), self._columns().as_arrays())
            return
        if large:
            warnings.warn(
                f"{os.fspath(path)} will have the {count(len(self.labels), 'label')} as JSON, which is large and "
                "slow to read. Give a name that ends with .npz for compact arrays, which every command reads too.",
                LimenWarning,
                stacklevel=2,
            )
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        with write_atomically(path) as temporary:
            temporary.write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Thresholds:
        """Return the thresholds of a file that `save` wrote, JSON or compact: its content tells which.

        Raises
        ------
        UnreadableError
            If the file cannot be read, or is damaged.
        InputError
            If it is not a thresholds file, is cut short or altered, or is of a newer schema.
        """
        compact = is_compact(path)
        content, arrays = (
            opened(path, (COMPACT,)) if compact else (read_content(path, "a thresholds file", WANTED), {})
        )
        try:
            if not compact:
                return cls.from_dict(content)
            if "labels" in content:
                raise InputError("its header has 'labels', which are arrays. The file was altered.")
            return cls._of({**content, "labels": []}, partial(Columns.of_arrays, arrays))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Return the content of the JSON file: plain numbers, text and lists."""
        return {**header_of(self), "labels": self._columns().as_objects()}

    def _columns(self) -> Columns:
        return Columns(self.labels, self.values, self.counts, self.ranges, self.gains)

    @classmethod
    def from_dict(cls, content: Any) -> Thresholds:
        """Return the thresholds of `to_dict`'s content, checked strictly.

        Raises
        ------
        InputError
            If anything is missing, unknown or of the wrong kind.
        """
        return cls._of(content, None)

    @classmethod
    def _of(cls, content: Any, columns: Callable[[np.dtype[Any], int], Columns] | None) -> Thresholds:
        """Return the thresholds of a file's content, checked; its labels are there, or read by ``columns``."""
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            raise InputError(f"this is not a thresholds file: {said_of_other(content)}. {WANTED}")
        version = content.get("schema_version")
        if not isinstance(version, int) or version < 1:
            raise InputError(f"the schema version {version!r} is not a number from 1.")
        if version > SCHEMA_VERSION:
            raise InputError(
                f"the file has schema version {version}; this limen reads up to {SCHEMA_VERSION}. Upgrade limen: "
                "pip install --upgrade limen."
            )
        content = completed(content, version)
        check_fields(content, FIELDS, "the file")
        if content["score_scale"] is not None:
            check_choice(content, "score_scale", get_args(Kind))
        check_choice(content, "status", get_args(Status))
        check_choice(content, "average", get_args(Average))
        check_choice(content, "score_dtype", ("float16", "float32", "float64"))
        if not 1 <= content["n_items"] < 1 << 62:
            raise InputError(
                f"'n_items' is {content['n_items']}. At least one item is needed, and fewer than 2^62."
            )
        dtype = np.dtype(content["score_dtype"])
        if columns is None:
            if not content["labels"]:
                raise InputError("the file has no labels. At least one is needed.")
            columns = partial(Columns.of_objects, content["labels"])
        labels, values, counts, ranges, gains = columns(dtype, content["n_items"])
        rule = rule_of(content, len(labels))
        check_rule(rule, len(labels))
        objective = objectives.objective(content["metric"], content["average"], content["zero_division"])
        objective.check_labels(len(labels))
        constraints = kept_constraints(content, labels, counts, values)
        expected, gain = interval_of(content, "expected"), interval_of(content, "expected_gain")
        check_values(content, objective, counts, expected, gain)
        return cls(
            labels=labels,
            values=values,
            metric=objective.metric,
            counts=counts,
            digest=content["data_digest"],
            rule=rule,
            scale=content["score_scale"],
            expected=expected,
            expected_gain=gain,
            gains=gains,
            constraints=constraints,
            ranges=ranges,
            promise=None if content["promise"] is None else Promise.from_dict(content["promise"], labels),
            **{
                key: content[key]
                for key in (
                    "average",
                    "method",
                    "status",
                    "reason",
                    "value",
                    "value_measured_on",
                    "expected_reason",
                    "half",
                    "upper_bound",
                    "n_items",
                    "created",
                    "versions",
                    "zero_division",
                    "details",
                )
            },
        )

    def __eq__(self, other: object) -> bool:
        """Return whether both would be written as the same file."""
        if not isinstance(other, Thresholds):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def summary(self) -> str:
        """Return one sentence: what was tuned, what it gives on the tuning data, what is proven."""
        bound = "" if self.upper_bound is None else self.metric.said(self.upper_bound)
        proof = {
            "optimal": "proven optimal",
            "bounded": f"at most {bound} is possible",
            "local": "not proven optimal",
            "infeasible": "nothing meets what was asked",
        }[self.status]
        if self.status == "optimal" and (self.constraints or self.promise is not None):
            proof = (
                "the best that keeps the promise" if self.promise is not None else f"{proof} under its constraints"
            )
        weighed = ", reweighted to the target shares" if self.value_measured_on == REWEIGHTED else ""
        return (
            f"{self.objective.said(self.value)} on the {count(self.n_items, 'item')} tuned on{weighed} ({proof}; "
            f"method {self.method}){self._expectation()}{self._by_rule()}"
        )

    def _by_rule(self) -> str:
        """Return which labels have a threshold that nothing was learned for, and by which rule."""
        given = self.details.get("by_rule")
        if not given:
            return ""
        return f"; without a positive item, by rule: {examples(given['labels'])} ({given['rule']})"

    def _expectation(self) -> str:
        held = f"; {told}" if (told := said_in_short(self.constraints)) else ""
        if self.expected is None:
            return f"; new data: not estimable: {self.expected_reason}" if self.expected_reason else held
        value, low, high = self.expected
        spread, gain = self.metric.said_span(low, high), ""
        if self.expected_gain is not None and self.scale == "probability":
            gain = f"; over 0.5 {self.metric.said_gain(*self.expected_gain)}"
        return f"; expect {self.metric.said(value)}, the mean over new data ({spread}){gain}{held}"

    def expected_on(self, n_items: int) -> Interval | None:
        """Return what to expect on so many new items: wider than `expected`, which is for the mean over new data.

        Of 100 sets of so many items, about 95 give values in the interval. Averages over labels are lower on
        few items, where some labels do not occur. None where nothing is expected.

        Parameters
        ----------
        n_items : int from 1

        Raises
        ------
        InputError
            If ``n_items`` is below 1.
        """
        if n_items < 1:
            raise InputError(f"n_items={n_items} is not usable. Give the number of new items, from 1.")
        if self.expected is None:
            return None
        return on_new_items(self.objective, self.counts, self.expected, n_items / self.n_items)

    def __repr__(self) -> str:
        return f"Thresholds({count(len(self.labels), 'label')}; {self.summary()})"

    def columns(self, some: NDArray[np.int64] | None = None) -> dict[str, list[str]]:
        """Return the display columns: label, state, threshold and its range, counts on the tuning data.

        Parameters
        ----------
        some : int64 (n_shown,), optional
            Numbers of the labels to show, in order; all if left out.
        """
        some = np.arange(len(self.labels)) if some is None else some
        tp, pp, p, _ = (part[some] for part in self.counts)
        states = self.states()
        columns = {
            "label": [self.labels[k] for k in some.tolist()],
            "state": warnings_of([states[k] for k in some.tolist()]),
            "threshold": [threshold_text(value) for value in self.values[some]],
        }
        if self.ranges is not None:
            columns["95 % range"] = [
                f"{threshold_text(low, 3)} to {threshold_text(high, 3)}" for low, high in self.ranges[:, some].T
            ]
        for heading, counts in (("positives", p), ("given", pp), ("correct", tp)):
            columns[heading] = [f"{number:g}" for number in counts]
        return columns

    def shown(self) -> Shown:
        """Return the table that is shown."""
        columns = self.columns(most_frequent(self.counts.p))
        rows = list(zip(*columns.values(), strict=True))
        optional = ("correct", "given", "95 % range", "positives")
        title = self.summary() + said_of_shown(len(self.labels))
        return Shown(title, list(columns), rows, ("state",), optional, ("label",))


def threshold_text(value: Any, digits: int = 4) -> str:
    """Return a threshold as people read it: a number, "never", or "any" where every score is given."""
    if value == np.inf:
        return "never"
    if value == np.finfo(np.asarray(value).dtype).min:
        return "any"
    return f"{float(value):.{digits}g}"


def now() -> str:
    """Return the present time in ISO 8601, UTC, to the second."""
    from datetime import UTC

    return datetime.now(UTC).isoformat(timespec="seconds")
