"""How detected events compare with annotated ones: the metric, counts by label, cross triggers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import metrics, objectives
from limen.decisions import Counts
from limen.display import Displayed, Shown
from limen.draws import as_seed
from limen.errors import InputError, count, examples, percent
from limen.events.matching import COLLAR, Criterion, Intersection, as_criterion, count_right
from limen.events.problem import uses_negatives
from limen.events.recordings import Events, FrameScores, microseconds
from limen.folds import as_groups
from limen.intervals import Bootstrap, Interval, percentiles, values_of
from limen.metrics import Metric
from limen.objectives import Objective


@dataclass(frozen=True, eq=False, kw_only=True)
class EventEvaluation(Displayed):
    """The metric of detections against references, and counts by label.

    Attributes
    ----------
    value : float
    interval : (low, high) or None
        95 % interval by the bootstrap over recordings, or groups of them; None for a single one.
    metric, average, zero_division
    criterion : Collar, Intersection, Segments or Clips
    labels : tuple of n_labels str
    counts : Counts
        tp, pp, p and n by label; n is 0 where only events are counted.
    cross_triggers : int64 (n_labels, n_labels) or None
        With intersections: detections of the row's label that are not right and lie in events of the column's.
    by_recording : int64 (4, n_recordings, n_labels)
        The counts of each recording.
    n_merged : int
        References that overlapped another of the same label, and were merged with it.
    """

    value: float
    interval: tuple[float, float] | None
    metric: Metric
    average: str
    zero_division: float
    criterion: Criterion
    labels: tuple[str, ...]
    recordings: tuple[str, ...]
    counts: Counts
    cross_triggers: NDArray[np.int64] | None
    by_recording: NDArray[np.int64]
    n_merged: int

    def summary(self) -> str:
        """Return one sentence with the value."""
        objective = Objective(self.metric, self.average, self.zero_division)  # type: ignore[arg-type]
        spread = "" if self.interval is None else f" ({self.metric.said_span(*self.interval)})"
        found = f"{count(int(self.counts.tp.sum()), self.criterion.noun)} of {self.counts.p.sum()} found"
        return (
            f"{objective.said(self.value)}{spread} by {self.criterion}, on "
            f"{count(len(self.recordings), 'recording')}: {found}, {self.counts.pp.sum()} given"
        )

    def __repr__(self) -> str:
        return f"EventEvaluation({self.summary()})"

    def shown(self) -> Shown:
        """Return the table that is shown."""
        tp, pp, p, _ = (column.astype(np.float64) for column in self.counts)
        shares = [metrics.ratio(a, b, 0.0) for a, b in ((tp, pp), (tp, p), (2 * tp, pp + p))]
        rows = [
            [name, f"{p[k]:g}", f"{pp[k]:g}", f"{tp[k]:g}", *(percent(share[k]) for share in shares)]
            for k, name in enumerate(self.labels)
        ]
        headings = ["label", self.criterion.noun + "s", "given", "correct", "precision", "recall", "f1"]
        return Shown(self.summary(), headings, rows, (), ("correct", "given"), ("label",))


def evaluate(
    events: Events,
    detections: Events,
    criterion: Criterion | str = COLLAR,
    *,
    durations: FrameScores | Mapping[str, float] | None = None,
    metric: str | dict[str, Any] | Metric = "f1",
    average: str = "micro",
    zero_division: float = 0.0,
    groups: Any = None,
    random_state: Any = 0,
) -> EventEvaluation:
    """Return how detections compare with the references.

    Parameters
    ----------
    events, detections : Events
        References and what was found; recordings and labels are matched by name. Where those of one label overlap
        they are merged, references and detections.
    criterion : Collar, Intersection, Segments, Clips, or a name
    durations : FrameScores, or mapping from recording to seconds, optional
        How long recordings are; needed by segments alone, which else reach to the last event.
    groups : sequence (n_recordings,), optional
        Group of each of ``detections.recordings``, for the interval.

    Raises
    ------
    InputError
        If recordings or labels differ.

    Examples
    --------
    >>> truth = Events.from_rows([("a", 1.0, 2.0, "dog"), ("b", 0.0, 1.0, "dog")])
    >>> found = Events.from_rows([("a", 1.1, 2.1, "dog")], recordings=("a", "b"))
    >>> result = evaluate(truth, found)
    >>> result.value, result.counts.tp, result.counts.pp, result.counts.p
    (0.6666666666666666, array([1]), array([1]), array([2]))
    """
    criterion = as_criterion(criterion)
    objective = objectives.objective(metric, average, zero_division)
    if objective.needs_items:
        raise InputError(f"{objective} is of whole items. Use average='micro' or 'macro' for events.")
    if not criterion.has_negatives and uses_negatives(objective.metric):
        raise InputError(
            f"{objective.metric} counts what is rightly not given: use f1, or the criterion 'segment'."
        )
    references, n_merged = events.aligned(detections.recordings, detections.labels).merged()
    found, _ = detections.merged()
    counts = count_right(found, references, criterion, _lengths(durations, references, found))
    summed = Counts(*counts.sum(axis=1))
    seed, number = as_seed(random_state), as_groups(groups, len(detections.recordings))
    interval = interval_of_counts(objective, counts, number, seed, criterion)
    return EventEvaluation(
        value=float(objective(*summed)),
        interval=None if interval is None else interval[1:],
        metric=objective.metric,
        average=objective.average,
        zero_division=objective.zero_division,
        criterion=criterion,
        labels=detections.labels,
        recordings=detections.recordings,
        counts=summed,
        cross_triggers=_cross_triggers(found, references, criterion),
        by_recording=counts,
        n_merged=n_merged,
    )


def interval_of_counts(
    objective: Objective,
    counts: NDArray[np.int64],
    groups: NDArray[np.int64] | None,
    random_state: int,
    criterion: Criterion,
) -> Interval | None:
    """Return the objective of counts (4, n_recordings, n_labels) with its interval by the bootstrap."""
    n_recordings = counts.shape[1]
    if n_recordings < 2:
        return None
    value = float(objective(*counts.sum(axis=1)))
    bootstrap = Bootstrap.over(n_recordings, groups, random_state)
    unit = np.arange(n_recordings) if groups is None else groups
    of_unit = np.zeros((bootstrap.n_units, 4 * counts.shape[2]))
    np.add.at(of_unit, unit, counts.transpose(1, 0, 2).reshape(n_recordings, -1))
    drawn = bootstrap.weights(np.arange(bootstrap.n_units)).T.astype(np.float64) @ of_unit
    seen = drawn.reshape(len(drawn), 4, -1).transpose(1, 0, 2)
    more = bootstrap.with_unseen(seen, ())
    values = values_of(objective, more.sum(axis=2, keepdims=True) if objective.pooled else more)
    centre = objective.average != "micro" and counts.shape[2] > 1
    return Interval(value, *map(float, percentiles(values, value, centre)))


def _lengths(
    durations: FrameScores | Mapping[str, float] | None, references: Events, found: Events
) -> NDArray[np.int64]:
    names = found.recordings
    if isinstance(durations, FrameScores):
        durations = {name: durations.seconds(name) for name in durations.names}
    if durations is not None:
        if missing := [name for name in names if name not in durations]:
            raise InputError(f"durations lack {examples(missing)}. Give the seconds of every recording.")
        return microseconds([durations[name] for name in names])
    ends = np.zeros(len(names), np.int64)
    for some in (references, found):
        np.maximum.at(ends, some.recording, some.offset)
    return ends


def _cross_triggers(found: Events, references: Events, criterion: Criterion) -> NDArray[np.int64] | None:
    """Return the detections of each label, not right, that lie in events of each other label."""
    if not isinstance(criterion, Intersection):
        return None
    n_labels = len(found.labels)
    out = np.zeros((n_labels, n_labels), np.int64)
    ends = np.searchsorted(references.recording, np.arange(len(found.recordings) + 1))
    for r, k, onset, offset in zip(found.recording, found.label, found.onset, found.offset, strict=True):
        own = slice(ends[r], ends[r + 1])
        shared = np.minimum(references.offset[own], offset) - np.maximum(references.onset[own], onset)
        of_label = np.bincount(references.label[own], np.maximum(shared, 0), n_labels)
        if of_label[k] < np.rint(criterion.dtc * (offset - onset)):
            hit = (of_label >= np.rint(criterion.cttc * (offset - onset))) & (of_label > 0)
            hit[k] = False
            out[k] += hit
    return out
