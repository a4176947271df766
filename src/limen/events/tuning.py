"""The front door of events: from frame scores and annotated events to settings and thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import objectives
from limen.constraints import Bound, Infeasible, bind, outcomes
from limen.decisions import Counts
from limen.draws import as_seed, name_keys
from limen.errors import InputError, UnsupportedError, examples
from limen.events.curves import (
    EventCurves,
    Progress,
    checked_references,
    durations_of,
    event_curves,
    low_thresholds,
)
from limen.events.detecting import detect
from limen.events.evaluation import interval_of_counts
from limen.events.matching import COLLAR, Criterion, count_right
from limen.events.problem import best, best_shared, check_constraints, check_objective, check_positive
from limen.events.recordings import Events, FrameScores
from limen.events.regularised import Chosen, at_candidates, automatic
from limen.events.reserved import HELD, automatic_within
from limen.events.settings import Setting
from limen.events.thresholds import EventThresholds
from limen.folds import as_groups, keyed_folds
from limen.metrics import Metric
from limen.objectives import Objective
from limen.solvers.solution import Solution
from limen.thresholds import now

METHODS = {
    "auto": "counts smoothed, labels drawn to what serves all, as strongly as cross-fitting advises (default)",
    "exact": "the best setting and threshold of each label on these recordings, proven",
    "shared": "the best one setting and threshold for all labels",
}
FOLDS = 5
UNDER_CONSTRAINTS = "the exact method keeps constraints on the recordings tuned on, and folds may not allow it"
ONE_GROUP = "there is one group of recordings, and nothing to leave out"


def tune(
    scores: FrameScores,
    events: Events,
    *,
    criterion: Criterion | str = COLLAR,
    settings: Setting | Sequence[Setting] | None = None,
    metric: str | dict[str, Any] | Metric = "f1",
    average: str = "micro",
    method: str = "auto",
    groups: Mapping[str, Any] | Sequence[Any] | None = None,
    constraints: Sequence[Any] = (),
    infeasible: Infeasible = "error",
    hold: float | None = None,
    zero_division: float = 0.0,
    random_state: Any = 0,
    progress: Progress | None = None,
) -> EventThresholds:
    """Return the setting and the threshold of each label that make a metric of events large.

    Parameters
    ----------
    scores : FrameScores
    events : Events
        The annotated ones; those of one label that overlap are merged, with a warning.
    criterion : Collar, Intersection, Segments, Clips, or "collar", "intersection", "segment", "clip"
        When an event is right.
    settings : Setting or sequence of Setting, optional
        What to choose from; `settings_grid` if left out.
    metric, average, zero_division
        As in `limen.tune`; "samples" is not for events.
    method : {"auto", "exact", "shared"}
    groups : mapping from recording to group, or sequence in the order of ``scores.names``, optional
        Recordings of one source belong together: what is left out when the strength is chosen, or something
        expected, must not share a source with the rest. Without it results look better than they are.
    constraints : sequence of limen.constraints
        Limits on counts, for each label or over all: `MinPrecision`, `MinRecall`, `MaxPredictions`,
        `MinPredictions`, `MaxFalsePositives(per_hour=2, hours=scores.hours)`. "exact" keeps them on these
        recordings, with nothing to spare; "auto" on new ones too, with a reserve that the folds tell.
    infeasible : {"error", "never", "status"}
        As in `limen.tune`.
    hold : float, optional
        With "auto": how often the reserve shall make limits hold on plenty of new recordings, as the folds tell;
        0.9 if left out. A limit over all labels after so many of all tunings, one for each label for so many of
        the labels.
    random_state : int from 0, None or numpy Generator
        Seed that deals groups to folds, and resamples.
    progress : callable ``(step, steps)``, optional

    Raises
    ------
    InputError
        If the data do not fit, or there is no event to find.
    UnsupportedError
        If counts of events do not decide what is asked for.

    Notes
    -----
    Of the value on the recordings tuned on, "exact" is proven optimal; what to expect on new ones is measured on
    folds of groups that were left out, with a bootstrap over groups. See docs/theory/events.md.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> recordings = {f"r{i}": rng.normal(-3, 1, (50, 1)) for i in range(8)}
    >>> for own in recordings.values():
    ...     own[20:30] += 5
    >>> scores = FrameScores(("dog",), recordings, 0.1)
    >>> events = Events.from_rows([(name, 2.0, 3.0, "dog") for name in recordings])
    >>> tuned = tune(scores, events, settings=[Setting(), Setting(median=0.3)], method="exact")
    >>> tuned.value, tuned.status
    (1.0, 'optimal')
    >>> len(tuned.decide(scores))
    8
    """
    if method not in METHODS:
        raise InputError(f"method={method!r} is unknown. The methods are: {', '.join(METHODS)}.")
    objective = objectives.objective(metric, average, zero_division)
    seed = as_seed(random_state)
    number = as_groups(in_order(groups, scores.names), len(scores.names))
    parts = folds_of(scores.names, number, seed)
    check_hold(hold, method, bool(constraints))
    curves = event_curves(scores, events, settings, criterion, parts=parts, progress=progress)
    check_objective(objective, curves)
    check_positive(curves.p)
    bound = bind(constraints, scores.labels, infeasible) if constraints else None
    if bound is not None:
        check_constraints(bound, curves)
        if method == "shared":
            raise UnsupportedError("method 'shared' takes no constraints. Use 'auto' or 'exact'.")
    folds = Folds(curves, scores, checked_references(scores, events, warn=False), parts, number)
    if method == "auto" and bound is not None:
        held = HELD if hold is None else hold
        chosen, held_out, solution = automatic_within(curves, objective, bound, folds.shares, held, folds.by_unit)
    else:
        chosen, held_out, solution = _chosen(curves, objective, method, bound)
    tuned = made(curves, scores, objective, method, chosen, solution, bound)
    if not held_out:
        return replace(tuned, expected_reason=ONE_GROUP if curves.n_parts < 2 else UNDER_CONSTRAINTS)
    expected = interval_of_counts(objective, folds.counts(held_out), number, seed, curves.criterion)
    return replace(tuned, expected=expected)


def check_hold(hold: float | None, method: str, constrained: bool) -> None:
    """Raise an error if ``hold`` is given where nothing is held, or cannot be a rate."""
    if hold is None:
        return
    if not constrained:
        raise InputError("hold goes with constraints: how often they shall hold on new data. Leave it out.")
    if method != "auto":
        raise UnsupportedError(
            f"method={method!r} keeps constraints on the recordings tuned on, with nothing to spare: hold is of "
            "method='auto', which keeps a reserve. Leave it out, or use that."
        )
    if isinstance(hold, bool) or not (isinstance(hold, int | float) and 0.5 <= hold < 1):
        raise InputError(
            f"hold={hold!r} is no rate at which limits hold on new data. It must be from 0.5 and below 1."
        )


@dataclass(frozen=True, eq=False)
class Folds:
    """The recordings that are left out in turn: ``parts`` and ``groups`` hold numbers (n_recordings,)."""

    curves: EventCurves
    scores: FrameScores
    references: Events
    parts: NDArray[np.int64]
    groups: NDArray[np.int64] | None

    @property
    def shares(self) -> NDArray[np.float64]:
        """Part of the hours that each fold has, (n_parts,)."""
        seconds = np.bincount(self.parts, durations_of(self.scores).astype(np.float64))
        return np.asarray(seconds / max(float(seconds.sum()), 1e-300))

    def counts(self, held_out: list[Chosen]) -> NDArray[np.int64]:
        """Return tp, pp, p and n of each recording (4, n_recordings, n_labels) by what the others chose."""
        curves, scores = self.curves, self.scores
        counts = np.zeros((4, len(scores.names), len(scores.labels)), np.int64)
        for part, choice in enumerate(held_out):
            own = np.flatnonzero(self.parts == part)
            some = scores.take([scores.names[r] for r in own])
            found, known = _detected(curves, some, choice), self.references.take(some.names)
            counts[:, own] = count_right(found, known, curves.criterion, durations_of(some))
        return counts

    def by_unit(self, held_out: list[Chosen]) -> NDArray[np.int64]:
        """Return the same for each group, or recording."""
        counts = self.counts(held_out)
        if self.groups is None:
            return counts
        summed = np.zeros((int(self.groups.max()) + 1, 4, counts.shape[2]), np.int64)
        np.add.at(summed, self.groups, counts.transpose(1, 0, 2))
        return summed.transpose(1, 0, 2)


def made(
    curves: EventCurves,
    scores: FrameScores,
    objective: Objective,
    method: str,
    chosen: Chosen,
    solution: Solution,
    bound: Bound | None = None,
) -> EventThresholds:
    """Return the artefact of settings and thresholds, with their counts by the curves."""
    import limen

    settings = tuple(curves.settings[s] for s in chosen.settings)
    index = np.array([curves.at(k, s, t) for k, (s, t) in enumerate(zip(*chosen, strict=True))])
    tp, pp = (counts[:, index].sum(axis=0).astype(np.int64) for counts in (curves.tp, curves.pp))
    counts = Counts(tp, pp, curves.p.sum(axis=0), curves.n.sum(axis=0))
    excused = solution.details.get("never_by_constraint", [])
    told: tuple[dict[str, Any], ...] = ()
    if bound is not None:
        fresh = outcomes(bound, counts, chosen.thresholds, excused)
        told = tuple(
            new | more for new, more in zip(fresh, solution.constraints or ({},) * len(fresh), strict=True)
        )
    return EventThresholds(
        labels=curves.labels,
        settings=settings,
        thresholds=chosen.thresholds,
        low=low_thresholds(chosen.thresholds, settings, curves.kind),
        criterion=curves.criterion,
        metric=objective.metric,
        average=objective.average,
        zero_division=objective.zero_division,
        method=method,
        status=solution.status,
        reason=solution.reason,
        value=float(objective(*counts)),
        upper_bound=None if solution.upper_bound is None else float(solution.upper_bound),
        counts=counts,
        scale=curves.kind,
        score_dtype=curves.dtype,
        frame_seconds=scores.frame_seconds,
        n_recordings=curves.n_recordings,
        hours=curves.hours,
        digest=curves.digest(),
        created=now(),
        versions={"limen": limen.__version__, "numpy": np.__version__},
        constraints=told,
        details={**solution.details, "n_settings": len(curves.settings), "n_candidates": len(curves.cuts)},
    )


def _chosen(
    curves: EventCurves, objective: Objective, method: str, bound: Bound | None
) -> tuple[Chosen, list[Chosen], Solution]:
    """Return the choice, what each fold's other recordings choose, and what is proven."""
    if method == "auto":
        chosen, held_out, details = automatic(curves, objective)
        return chosen, held_out, Solution(values=chosen.thresholds, details=details)

    def solve(some: EventCurves) -> tuple[Chosen, Solution]:
        if method == "shared":
            found = best_shared(some, objective)
            return at_candidates(some, found.index, found.solution.details["shared"]), found.solution
        found = best(some, objective, bound)
        return at_candidates(some, found.index), found.solution

    chosen, solution = solve(curves.of_parts(slice(None)))
    if bound is not None or curves.n_parts < 2:
        return chosen, [], solution
    others = [curves.of_parts(np.arange(curves.n_parts) != part) for part in range(curves.n_parts)]
    return chosen, [solve(some)[0] for some in others], solution


def _detected(curves: EventCurves, scores: FrameScores, chosen: Chosen) -> Events:
    settings = [curves.settings[s] for s in chosen.settings]
    return detect(scores, settings, chosen.thresholds, low_thresholds(chosen.thresholds, settings, curves.kind))


def in_order(groups: Mapping[str, Any] | Sequence[Any] | None, names: tuple[str, ...]) -> Any:
    """Return the group of each recording as given, or as a mapping says."""
    if not isinstance(groups, Mapping):
        return groups
    if missing := [name for name in names if name not in groups]:
        raise InputError(f"groups lack {examples(missing)}. Give the group of every recording.")
    return [groups[name] for name in names]


def folds_of(names: tuple[str, ...], groups: NDArray[np.int64] | None, seed: int) -> NDArray[np.int64]:
    """Return the fold of each recording; groups stay together."""
    units = list(names) if groups is None else [str(g) for g in range(int(groups.max()) + 1)]
    if len(units) < 2:
        return np.zeros(len(names), np.int64)
    of_unit = np.empty(len(units), np.int64)
    for fold, members in enumerate(keyed_folds(name_keys(units, seed), FOLDS)):
        of_unit[members] = fold
    return of_unit if groups is None else of_unit[groups]
