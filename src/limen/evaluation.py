"""How thresholds do on labelled data: the metric, and a table by label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import influence, metrics, objectives
from limen.constraints import said_outcome
from limen.counted import Counted
from limen.curves import Curves
from limen.data import Data, as_data
from limen.decisions import THRESHOLD_RULE, Counts, alike, count_decisions, in_dtype, values_by_label
from limen.display import Displayed, Shown, most_frequent, said_of_shown
from limen.draws import as_seed
from limen.errors import InputError, UnsupportedError, count, examples, percent
from limen.intervals import Interval, Part, averaged, bootstrap_for, percentiles
from limen.metrics import Metric
from limen.names import match
from limen.objectives import Objective
from limen.promises import Measured, held
from limen.sources import engines
from limen.sources.blocks import Source
from limen.sources.frames import is_frame
from limen.states import BAR, STATES, label_states, warnings_of
from limen.sums import sums_of
from limen.thresholds import Thresholds, threshold_text

OPTIONAL = (("tp", "fp", "fn"), ("precision", "recall"), "support")
COLUMNS = ("label", "state", "threshold", "support", "tp", "fp", "fn", "precision", "recall", "f1")


@dataclass(frozen=True, eq=False)
class Evaluation(Displayed):
    """The metric of given thresholds on given data, and counts by label.

    Attributes
    ----------
    value : float, or float64 (n_labels,) if ``average`` is "none"
    metric : Metric
    average : {"micro", "macro", "weighted", "samples", "none"}
    labels : tuple of n_labels str
    values : ndarray (n_labels,)
        The thresholds.
    counts : Counts
        tp, pp, p, n by label.
    n_items : int
    on_tuning_data : bool
        Whether every count equals that of the tuning data, so that this is no measurement on new data.
    interval : (low, high) or None
        95 % interval of the value, by the bootstrap over items or groups; arrays by label for "none".
        None for a single item.
    difference : Interval or None
        Value minus that of the baseline, with the interval of the paired difference.
    states : tuple of n_labels str
        The state of each label on these data, a key of `limen.states.STATES`.
    gains : float64 (3, n_labels)
        The metric of each label minus that at 0.5, and the ends of the 95 % interval of this paired difference.
    constraints : tuple of dict
        For each constraint that the thresholds were tuned under: what it is, and whether it "holds" on these data.
        Numbers of tags are scaled to the number of items.
    promised : list of Measured, or None
        How each share that the thresholds promise came out on these data.
    bounds : (low, high), optional
        Where the value lies, if it is that of curves whose data are gone and that do not know it.
    """

    value: float | NDArray[np.float64]
    metric: Metric
    average: str
    zero_division: float
    labels: tuple[str, ...]
    values: NDArray[Any]
    counts: Counts
    n_items: int
    on_tuning_data: bool
    states: tuple[str, ...]
    gains: NDArray[np.float64]
    interval: tuple[Any, Any] | None = None
    difference: Interval | None = None
    constraints: tuple[dict[str, Any], ...] = ()
    promised: list[Measured] | None = None
    bounds: tuple[float, float] | None = None

    @property
    def table(self) -> list[dict[str, Any]]:
        """One dict a label: label, state (in words), threshold, support, tp, fp, fn, precision, recall, f1."""
        return self.rows()

    def rows(self, some: NDArray[np.int64] | None = None) -> list[dict[str, Any]]:
        """Return the `table` of the labels of these numbers, in this order; of all if left out."""
        some = np.arange(len(self.labels)) if some is None else some
        tp, pp, p, n = (part[some] for part in self.counts)
        scores = [metrics.get(name)(tp, pp, p, n, self.zero_division) for name in ("precision", "recall", "f1")]
        names = tuple(self.labels[k] for k in some.tolist())
        states = tuple(STATES[self.states[k]].words for k in some.tolist())
        columns = (names, states, self.values[some], p, tp, pp - tp, p - tp, *scores)
        plain = [column if isinstance(column, tuple) else column.tolist() for column in columns]
        return [dict(zip(COLUMNS, row, strict=True)) for row in zip(*plain, strict=True)]

    def summary(self) -> str:
        """Return one sentence: the value, and what it was measured on."""
        data = count(self.n_items, "item")
        where = f"the {data} tuned on: new data will give less" if self.on_tuning_data else data
        if isinstance(self.value, np.ndarray):
            return f"{self.metric} by label, measured on {where}"
        spread = ""
        if self.interval is not None:
            spread = f" ({self.metric.said_span(*self.interval)})"
        if self.bounds is not None:
            spread += f" at least, {self.metric.said(self.bounds[1])} at most"
        against = ""
        if self.difference is not None:
            value, low, high = self.difference
            between = self.metric.said_span(low, high, signed=True)
            against = f"; {self.metric.said(value, signed=True)} to the baseline ({between})"
        objective = objectives.objective(self.metric, self.average, self.zero_division)
        kept = "" if self.promised is None else f"; {held(self.promised)}"
        return f"{objective.said(self.value)}{spread}, measured on {where}{against}{kept}"

    def said_constraints(self) -> list[str]:
        """Return one sentence for each constraint: whether it holds on these data."""
        return [said_outcome(entry) for entry in self.constraints]

    def __repr__(self) -> str:
        return f"Evaluation({count(len(self.labels), 'label')}; {self.summary()})"

    def shown(self) -> Shown:
        """Return the table that is shown."""
        some = most_frequent(self.counts.p)
        numbers = range(len(self.labels)) if some is None else some.tolist()
        # Thresholds are of their own type, whose lowest value means any score.
        rows = [
            _cells(row, warnings_of((self.states[k],))[0], threshold_text(self.values[k]))
            for k, row in zip(numbers, self.rows(some), strict=True)
        ]
        title = self.summary() + said_of_shown(len(self.labels))
        return Shown(title, COLUMNS, rows, ("state",), OPTIONAL, ("label",))


def evaluate(
    y_true: Any,
    y_score: Any,
    thresholds: Thresholds | float | Any,
    *,
    metric: str | dict[str, Any] | Metric | None = None,
    average: str | None = None,
    labels: Any = None,
    sample_weight: Any = None,
    mask: Any = None,
    zero_division: float | None = None,
    baseline: Thresholds | float | Any = None,
    groups: Any = None,
    random_state: Any = 0,
    bar: float = BAR,
) -> Evaluation:
    """Return how thresholds do on labelled data.

    Parameters
    ----------
    y_true, y_score, labels, sample_weight, mask
        As in `limen.tune`. Or `Curves`, and None: counts are exact where the thresholds lie at candidates or no
        score lies between, and between ``bounds`` elsewhere.
    thresholds : Thresholds, or a number, or array-like (n_labels,), or mapping from label name to number
        With plain numbers, ``metric`` and ``average`` default to micro-F1.
    metric, average, zero_division : optional
        What to measure; what the thresholds were tuned for, if left out. The average "none" gives
        one value a label.
    baseline : thresholds as above, optional
        To compare with, on the same resampled items.
    groups : array-like (n_items,), optional
        Group of each item, such as its recording: intervals resample groups.
    random_state : int from 0, None or numpy Generator
        Seed of the bootstrap.
    bar : float
        F1 below which a label is weak, see `limen.states`.

    Raises
    ------
    InputError
        If the data do not fit together, or not the thresholds.

    Examples
    --------
    >>> evaluate([[1], [0], [1]], [[0.9], [0.6], [0.4]], 0.5)
    Evaluation(1 label; micro F1 50.0 % (95 % 5.7 to 94.8), measured on 3 items)
    """
    if isinstance(y_true, Curves):
        if any(given is not None for given in (y_score, labels, sample_weight, mask, groups)):
            raise InputError("curves hold scores, labels, weights and groups already. Give them alone.")
        return _evaluate_curves(y_true, thresholds, (metric, average, zero_division), baseline, bar)
    named = labels if hasattr(y_score, "columns") else labels_of(thresholds, y_true, y_score, labels)
    of_items = {"labels": named, "sample_weight": sample_weight, "mask": mask, "groups": groups}
    if (counted := engines.curves_of(y_true, y_score, **of_items)) is not None:
        return _evaluate_curves(counted, thresholds, (metric, average, zero_division), baseline, bar)
    data = as_data(y_true, y_score, **of_items)
    if isinstance(thresholds, Thresholds):
        data = data.in_order(thresholds.labels)
    source, seed = data.source, as_seed(random_state)
    tuned = thresholds if isinstance(thresholds, Thresholds) else None
    chosen, average, zero = measured_by(tuned, metric, average, zero_division)
    by_label = average == "none"
    objective = objectives.objective(chosen, "macro" if by_label else average, zero)
    objective.check_labels(len(source.labels))
    part = _part(source, thresholds)
    counts = count_decisions((source,), part.values, part.rule)
    value = objective.of_labels(*counts) if by_label else _value(objective, part, counts)
    states = label_states(
        (source,), part.values, objective, rule=part.rule, groups=data.groups, counts=counts, bar=bar
    )
    interval: tuple[Any, Any] | None = None
    difference = None
    if by_label and source.n_items > 1 and influence.serves(objective, len(source.labels)):
        interval = influence.interval_of_labels(objective, counts, states.spread)
    elif source.n_items > 1:
        paired = baseline is not None
        bootstrap = bootstrap_for([part], objective, source.n_items, data.groups, seed, paired=paired)
        values = bootstrap.values_by_label if by_label else bootstrap.values
        resampled = values([part], objective)
        centre = not by_label and averaged(objective, [part])
        interval = percentiles(resampled, value, centre)
        if baseline is not None and not by_label:
            other = _part(source, baseline)
            gap = _value(objective, part, counts) - _value(objective, other)
            gaps = resampled - values([other], objective)
            difference = Interval(gap, *map(float, percentiles(gaps, gap, centre)))
    return Evaluation(
        value=value,
        metric=chosen,
        average=average,
        zero_division=zero,
        labels=source.labels,
        values=part.values,
        counts=counts,
        n_items=source.n_items,
        on_tuning_data=tuned is not None and all(map(alike, counts, tuned.counts)),
        states=states.keys,
        gains=states.gains,
        constraints=() if tuned is None else tuned.outcomes(counts, source.n_items),
        interval=interval,
        difference=difference,
        promised=None if tuned is None or tuned.promise is None else tuned.promise.measure(source.labels, counts),
    )


def _evaluate_curves(
    curves: Curves, thresholds: Any, options: tuple[Any, Any, Any], baseline: Any, bar: float
) -> Evaluation:
    """Return what `evaluate` does, from counts alone."""
    tuned = thresholds if isinstance(thresholds, Thresholds) else None
    chosen, average, zero = measured_by(tuned, *options)
    objective = objectives.objective(chosen, "macro" if average == "none" else average, zero)
    objective.check_labels(curves.n_labels)
    if objective.needs_items:
        raise UnsupportedError(
            f"curves hold counts by label; {objective.noun} needs whole items. Give scores and labels."
        )
    values = _values_for(curves, thresholds)
    found = Counted.of(curves, values)
    by_label = average == "none"
    other = None if baseline is None or by_label else Counted.of(curves, _values_for(curves, baseline))
    gap = None if other is None else found.interval(objective, other)
    value = objective.of_labels(*found.counts) if by_label else objective(*found.counts)
    states, gains = found.states(curves, objective, bar)
    bounds = None if by_label else found.bounds(objective)
    place = {name: k for k, name in enumerate(curves.labels)}
    order = [place[name] for name in (curves if tuned is None else tuned).labels]
    own = Counts(*(part[order] for part in found.counts))
    return Evaluation(
        value=value if bounds is None else bounds[0],
        metric=chosen,
        average=average,
        zero_division=zero,
        labels=curves.labels,
        values=values,
        counts=found.counts,
        n_items=curves.n_items,
        on_tuning_data=tuned is not None and all(map(alike, own, tuned.counts)),
        states=states,
        gains=gains,
        constraints=() if tuned is None else tuned.outcomes(own, curves.n_items),
        interval=None if by_label or bounds is not None else found.interval(objective),
        difference=None
        if gap is None or other is None or bounds is not None
        else Interval(objective(*found.counts) - objective(*other.counts), *gap),
        promised=None
        if tuned is None or tuned.promise is None
        else tuned.promise.measure(curves.labels, found.counts),
        bounds=bounds,
    )


def _values_for(curves: Curves, thresholds: Any) -> NDArray[Any]:
    """Return thresholds for the labels of curves, in their order and dtype.

    Raises
    ------
    UnsupportedError
        If the rule looks at whole items.
    InputError
        If they are of other labels.
    """
    if not isinstance(thresholds, Thresholds):
        return values_by_label(thresholds, curves.labels, curves.dtype)
    if thresholds.rule != THRESHOLD_RULE:
        raise UnsupportedError(
            "these thresholds decide by all scores of an item, and curves hold counts by label. Give scores and "
            "labels."
        )
    match(thresholds.labels, curves.labels, between=("the thresholds", "the curves"))
    own = dict(zip(thresholds.labels, thresholds.values, strict=True))
    return in_dtype(np.array([own[name] for name in curves.labels]), curves.dtype)


def _value(objective: Objective, part: Part, counts: Counts | None = None) -> float:
    """Return the objective of a part's decisions, whose counts by label may be known."""
    if counts is not None and not objective.needs_items:
        return objective(*counts)
    return objective(*sums_of(objective, (part.source,), part.values, part.rule, check=False))


def measured_by(
    tuned: Thresholds | None,
    metric: str | dict[str, Any] | Metric | None,
    average: str | None,
    zero_division: float | None,
) -> tuple[Metric, str, float]:
    """Return what is measured: what is asked for, or else what the thresholds were tuned for, or micro-F1."""
    chosen = metrics.get(metric if metric is not None else tuned.metric if tuned else "f1")
    zero = zero_division if zero_division is not None else tuned.zero_division if tuned else 0.0
    return chosen, average or (tuned.average if tuned else "micro"), zero


def labels_of(thresholds: Any, y_true: Any, y_score: Any, labels: Any) -> Any:
    """Return the names of the labels: those given, or those of the thresholds where the data name none."""
    named = labels is not None or isinstance(y_true, Data) or is_frame(y_score)
    return thresholds.labels if isinstance(thresholds, Thresholds) and not named else labels


def _part(source: Source, thresholds: Thresholds | float | Any) -> Part:
    """Return the source with thresholds that fit it."""
    rows = np.arange(source.n_items)
    if not isinstance(thresholds, Thresholds):
        return Part(source, rows, values_by_label(thresholds, source.labels, source.dtype), THRESHOLD_RULE)
    if thresholds.labels != source.labels:
        raise InputError(
            f"the baseline is for {examples(thresholds.labels, most=3)}, and the data have "
            f"{examples(source.labels, most=3)}. Both must be the same labels in the same order."
        )
    return Part(source, rows, thresholds.values, thresholds.rule)


def _cells(row: dict[str, Any], state: str, threshold: str) -> list[str]:
    whole = [f"{row[key]:g}" for key in ("support", "tp", "fp", "fn")]
    return [row["label"], state, threshold, *whole, *(percent(row[key]) for key in ("precision", "recall", "f1"))]
