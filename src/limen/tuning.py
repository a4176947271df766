"""The front door: from scores and labels to thresholds."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import objectives, solvers
from limen.constraints import Bound, Infeasible, bind, outcomes
from limen.curves import Curves, Placement, prevalence_factors
from limen.data import as_data
from limen.decisions import HALF, Counts, count_decisions, in_dtype
from limen.display import Displayed, Shown, svg_curve
from limen.draws import as_seed
from limen.errors import InputError, LimenWarning, UnsupportedError, count, examples, percent
from limen.expectation import Expectation, expect, expect_counts
from limen.folds import as_groups
from limen.intervals import Part
from limen.metrics import Metric
from limen.names import beyond
from limen.objectives import Objective
from limen.solvers.base import Problem, Progress, Solver
from limen.solvers.constrained import extended, in_range, kept_or_never, permitted, placed
from limen.solvers.frontier import Walk
from limen.solvers.solution import Solution
from limen.sources import engines
from limen.states import half_of_curves, label_states, states_of_curves
from limen.streams import Summary
from limen.sums import sums_of
from limen.thresholds import REWEIGHTED, TUNING_DATA, Thresholds, now
from limen.unscored import unscored
from limen.versions import versions


def tune(
    y_true: Any,
    y_score: Any = None,
    *,
    metric: str | dict[str, Any] | Metric = "f1",
    average: str = "micro",
    method: str | Solver = "auto",
    labels: Sequence[str] | None = None,
    sample_weight: Any = None,
    mask: Any = None,
    constraints: Sequence[Any] = (),
    infeasible: Infeasible = "error",
    hold: float | None = None,
    zero_division: float = 0.0,
    placement: Placement = "midpoint",
    min_positive: float = 0.0,
    target_prevalence: Any = None,
    groups: Any = None,
    random_state: Any = 0,
    progress: Progress | None = None,
) -> Thresholds:
    """Return the thresholds that make a metric large on labelled scores.

    Parameters
    ----------
    y_true : array-like (n_items, n_labels) of 0/1, bool, or float with NaN for unknown
        Dense, scipy sparse, a masked array, a tensor, a frame, or n_items lists of label names. Or
        `Curves`, or `limen.data.Data`, and no ``y_score``. Or a collection of an engine (Dask, Spark), as
        ``y_score`` is one: the data are counted there. Or an iterator of blocks ``(y_true, y_score)``, or its
        `limen.streams.Summary`: it is read once, and a bound tells how much better thresholds could be.
    y_score : array-like (n_items, n_labels) of finite numbers
        Dense, a memory map, scipy sparse, a tensor (torch, or any that speaks DLPack), or a frame (pandas,
        Polars, PyArrow). Probabilities, logits or any other real scores; only their order within a
        label matters to the exact methods. Two frames are joined: columns by label name, rows by id
        where both have an id column or pandas indexes of the same items; each may be wide or long
        (id, label, score).
    metric : str, dict, Metric, or callable ``(y_true, y_pred)``
        A name of `limen.metrics.METRICS` ("f1", "mcc", ...), a dict such as
        ``{"name": "fbeta", "beta": 2}``, a metric object, or a function of decisions; see
        `limen.metrics.OfDecisions`.
    average : {"micro", "macro", "weighted", "samples"}
        "samples" is the mean over items, which metrics of whole items ("subset_accuracy", ...) always have.
    method : str or Solver
        A name of `limen.solvers.METHODS`, or a solver with its options, for example
        ``limen.solvers.SurrogateGradient(space="logit", start="shared")``.
    labels : sequence of n_labels str, optional
    sample_weight : array-like (n_items,), optional
        In the order of the items of ``y_score``; so are ``mask`` and ``groups``.
    mask : bool array-like (n_items, n_labels), optional
        True where the label of an item is known. A frame is joined as ``y_true`` is.
    constraints : sequence of constraints
        What the decisions must keep: objects of `limen.constraints`, such as ``[MinPrecision(0.9)]``. The exact
        method keeps them on the tuning data; "auto", "smoothed", "bagged", "shrunk" and "calibrated" with a
        reserve for new data, found by cross-fitting.
    infeasible : {"error", "never", "status"}
        Where a label cannot keep its constraints: raise `InfeasibleError`; never give such labels (constraints
        over all labels still raise); or return what is nearest, with the status "infeasible" and the reason.
    hold : float, optional
        How often the reserve shall make limits hold on plenty of new items, as the folds tell: 0.9 if left out. A
        limit over all labels after that share of tunings; one for each label for that share of the labels. For a
        promise with a stated confidence see `limen.guarantee`.
    zero_division : float in [0, 1]
        Value of a ratio that is 0/0, for example the F1 of a label with no positives that is never given.
    placement : {"midpoint", "score"}
        Put a threshold halfway between the lowest kept score and the one below it, or at the kept score.
    min_positive : float
        With the method "auto": labels with fewer positives lean on the pool of all labels alone.
    target_prevalence : float array-like (n_labels,) or mapping from label to float, optional
        Share of positives where the thresholds will be used, if it is known to differ; positives are
        taken to score as they do here, and negatives too. NaN, or a label left out: as here.
    groups : array-like (n_items,), optional
        Group of each item, such as its recording: cross-fitting does not divide groups.
    random_state : int from 0, None or numpy Generator
        Seed of whatever is drawn; None draws anew each time.
    progress : callable ``(step, steps, value)``, optional

    Returns
    -------
    Thresholds

    Raises
    ------
    InputError
        If the data or an argument break a rule; the message says which.
    UnsupportedError
        If the method cannot serve the objective or the kind of data.

    Warns
    -----
    LimenWarning
        Once, naming the labels without positives, if the exact method gives them "never".

    Examples
    --------
    >>> y_true = [[0, 1], [1, 0], [1, 1], [0, 0]]
    >>> y_score = [[0.2, 0.9], [0.6, 0.3], [0.8, 0.7], [0.4, 0.8]]
    >>> t = tune(y_true, y_score, labels=["dog", "cat"], method="exact")
    >>> t.values, t.status, round(t.value, 4)
    (array([0.5, 0.5]), 'optimal', 0.8889)
    """
    objective = objectives.objective(metric, average, zero_division)
    solver = solvers.choose(objective.metric, average, method)
    seed = as_seed(random_state)
    of_items = {"labels": labels, "sample_weight": sample_weight, "mask": mask, "groups": groups}
    if isinstance(y_true, Summary):
        y_true = y_true.curves()
    elif isinstance(y_true, Iterator) and y_score is None:
        y_true, labels = Summary.of(y_true, labels=labels).curves(), None
    if isinstance(y_true, Curves):
        if any(given is not None for given in (y_score, labels, sample_weight, mask)):
            raise InputError("curves hold scores, labels and weights already. Give them alone.")
        problem = Problem.of_curves(objective, y_true, as_groups(groups, y_true.n_items), seed, progress)
    elif (counted := engines.curves_of(y_true, y_score, **of_items)) is not None:
        problem = Problem.of_curves(objective, counted, random_state=seed, progress=progress)
    else:
        data = as_data(y_true, y_score, **of_items)
        problem = Problem.of(objective, data, seed, progress)
    problem = replace(problem, target_prevalence=_prevalence(target_prevalence, problem))
    objective.check_labels(len(problem.labels))
    if not min_positive >= 0:  # NaN as well
        raise InputError(f"min_positive is {min_positive}. It is a number of positives: 0 or more.")
    if isinstance(solver, solvers.Auto) and min_positive:
        solver = replace(solver, min_positive=min_positive)
    elif min_positive:
        raise InputError(f"min_positive goes with method='auto', not with {method!r}. Leave it out.")
    if constraints:
        problem = problem.constrained(bind(constraints, problem.labels, infeasible))
        solver = solvers.constrained(solver, hold)
    elif hold is not None:
        raise InputError("hold goes with constraints: how often they shall hold on new data. Leave it out.")
    solvers.check_fit(solver, problem)
    solution = solvers.between_bounds(problem, solver.solve(problem))
    name = method if isinstance(method, str) else str(method)
    return make_thresholds(problem, solution, name, placement)


def make_thresholds(problem: Problem, solution: Solution, method: str, placement: Placement) -> Thresholds:
    """Return the artefact of a solution, its value measured by counting on the tuning data."""
    values = thresholds_of(problem, solution, placement)
    # Before the curves are counted, if they were not: they take memory.
    expected, expected_gain, why_not = _expected(problem, solution)
    if solution.index is not None:
        curves, at = problem.curves, solution.index
        tp = curves.tp[at]
        counts = Counts(tp, tp + curves.fp[at], curves.n_positive, curves.n_known)
    else:
        counts = _decided(problem, values, solution.rule)
        if problem.target_prevalence is not None:
            counts = _reweighted(counts, problem.target_prevalence)
    value = (
        problem.objective(*sums_of(problem.objective, problem.sources, values, solution.rule, check=False))
        if problem.objective.needs_items
        else problem.objective(*counts)
    )
    half, gains = _over_half(problem, values, solution.rule, counts)
    lacking = unscored(problem.curves)
    thresholds = Thresholds(
        labels=problem.labels,
        values=values,
        metric=problem.objective.metric,
        average=problem.objective.average,
        zero_division=problem.objective.zero_division,
        method=method,
        status=solution.status,
        value=value,
        upper_bound=solution.upper_bound,
        counts=counts,
        n_items=problem.n_items,
        digest=problem.digest,
        created=now(),
        versions=versions(),
        rule=solution.rule,
        scale=problem.kind,
        reason=solution.reason,
        expected=expected,
        expected_gain=expected_gain,
        expected_reason=why_not,
        half=half,
        gains=gains,
        value_measured_on=TUNING_DATA if problem.target_prevalence is None else REWEIGHTED,
        ranges=None if solution.ranges is None else in_dtype(solution.ranges, problem.dtype),
        details=solution.details | ({"unscored": lacking} if lacking else {}),
        history=solution.history,
        constraints=_constraints(problem, solution, counts, values),
    )
    without = problem.curves.without_positives
    unlearned = set(without)
    silent = [name for name in thresholds.never if name in unlearned]
    if without and solution.leans:
        all_are = len(without) == len(problem.labels)
        how = "Nothing can be learned there" if all_are else "What the other labels have in common decides there"
        if "by_rule" in solution.details:
            how = f"Their thresholds are by rule: {solution.details['by_rule']['rule']}"
        warnings.warn(
            f"{count(len(without), 'label')} without a positive item: {examples(without)}. {how}. "
            "Add annotated items, or leave the labels out.",
            LimenWarning,
            stacklevel=3,
        )
    elif silent:
        warnings.warn(
            f"{count(len(silent), 'label')} without a positive item: {examples(silent)}. Never given: nothing "
            "can be learned about the threshold. Add annotated items, or leave the labels out.",
            LimenWarning,
            stacklevel=3,
        )
    return thresholds


def _decided(problem: Problem, values: NDArray[Any], rule: str) -> Counts:
    """Return the counts of decisions on the tuning data, which an engine may hold."""
    counted = problem.counted_alone
    if counted is None:
        return count_decisions(problem.given, values, rule, check=False)
    tags = counted.tags_at(values)
    return Counts(tags.tp, tags.tp + tags.fp, counted.n_positive, counted.n_known)


def thresholds_of(problem: Problem, solution: Solution, placement: Placement) -> NDArray[Any]:
    """Return the thresholds of a solution, in the dtype of the scores."""
    if solution.index is not None:
        values = problem.curves.thresholds(solution.index, placement)
        if problem.bound is None:
            return values
        return placed(values, problem.curves.thresholds(solution.index, "score"), problem.bound)
    assert solution.values is not None
    values = in_dtype(solution.values, problem.dtype)
    return values if problem.bound is None else in_range(values, problem.bound)


def _constraints(
    problem: Problem, solution: Solution, counts: Counts, values: NDArray[Any]
) -> tuple[dict[str, Any], ...]:
    """Return how each constraint fared on the tuning data, and what the solver knows of it besides."""
    if problem.bound is None:
        return ()
    excused = solution.details.get("never_by_constraint", [])
    known = solution.constraints or ({},) * len(problem.bound.constraints)
    return tuple(a | b for a, b in zip(outcomes(problem.bound, counts, values, excused), known, strict=True))


def _expected(problem: Problem, solution: Solution) -> Expectation:
    """Return what new data will give, or why nothing is said, where the solver cross-fitted."""
    counted = problem.counted_alone
    if not solution.cross_fit and solution.cross_counts is None:
        none = counted is not None and counted.folds is None
        return Expectation(reason="the curves hold no folds") if none else Expectation()
    if problem.target_prevalence is not None:
        return Expectation(reason="the items tuned on have other label frequencies than the target")
    if solution.cross_counts is not None:
        return expect_counts(*solution.cross_counts, problem.objective)
    parts = [
        Part(fit.source, fit.rows, in_dtype(fit.values, problem.dtype), fit.rule) for fit in solution.cross_fit
    ]
    return expect(parts, problem.objective, problem.n_items, problem.groups, problem.random_state)


def _over_half(
    problem: Problem, values: NDArray[Any], rule: str, counts: Counts
) -> tuple[float | None, NDArray[np.float64] | None]:
    """Return the objective at 0.5 on the tuning data, and by how much each label is above 0.5 (3, n_labels).

    None where the scores are not at hand, and no gains for shares of positives that the items do not have.
    """
    objective, counted = problem.objective, problem.counted_alone
    if counted is not None:
        return (
            _over_half_counted(counted, objective, counts) if problem.target_prevalence is None else (None, None)
        )
    if problem.target_prevalence is not None:
        half = np.full(len(problem.labels), HALF, problem.dtype)
        at_half = count_decisions(problem.given, half, check=False)
        return objective(*_reweighted(at_half, problem.target_prevalence)), None
    found = label_states(problem.given, values, objective, rule=rule, groups=problem.groups, counts=counts)
    gains = np.where(np.isfinite(found.gains).all(axis=0), found.gains, np.nan)
    if objective.needs_items:
        half = np.full(len(problem.labels), HALF, problem.dtype)
        return objective(*sums_of(objective, problem.sources, half, check=False)), gains
    return objective(*found.at_half), gains


def _over_half_counted(
    counted: Curves, objective: Objective, counts: Counts
) -> tuple[float | None, NDArray[np.float64] | None]:
    """Return what `_over_half` does from the counts at 0.5, where they are kept."""
    at_half, found = half_of_curves(counted), states_of_curves(counted, counts, objective)
    if at_half is None:
        return None, None
    gains = None if found is None else np.where(np.isfinite(found.gains).all(axis=0), found.gains, np.nan)
    return objective(*at_half), gains


@dataclass(frozen=True, eq=False)
class Frontier(Displayed):
    """The micro precision-recall frontier over all per-label threshold vectors, on the tuning data.

    Its points are the upper hull of the summed (pp, tp): no threshold vector lies above the lines
    between them. From each point to the next, one label's cut moves down, so recall rises; the
    decisions are nested.

    Attributes
    ----------
    tp, pp : int64 or float64 (n_points,)
        Correct tags, and tags given.
    precision, recall : float64 (n_points,)
        Precision of the first point, with no tag given, is 1 by convention.
    slope : float64 (n_points - 1,)
        True positives gained for each tag added on the way to the next point; falling.
    bound : Bound, optional
        The limits of each label that all points keep; the thresholds of a point say so (`said_constraints`). What
        one costs is told by `limen.tune`, which solves again without it; a point has no price.
    excused : tuple of str
        Labels that are never given, for they cannot keep theirs.
    """

    curves: Curves
    walk: Walk
    bound: Bound | None = None
    excused: tuple[str, ...] = ()

    @property
    def tp(self) -> NDArray[Any]:
        """Correct tags at each point."""
        return self.walk.tp

    @property
    def pp(self) -> NDArray[Any]:
        """Tags given at each point."""
        return self.walk.pp

    @property
    def slope(self) -> NDArray[np.float64]:
        """True positives gained for each tag added, from each point to the next."""
        return self.walk.slope

    @property
    def precision(self) -> NDArray[np.float64]:
        """Precision at each point, rising to the left."""
        return np.where(self.pp == 0, 1.0, self.tp / np.where(self.pp == 0, 1, self.pp))

    @property
    def recall(self) -> NDArray[np.float64]:
        """Recall at each point."""
        total = self.curves.n_positive.sum()
        return np.asarray(self.tp / total if total else np.zeros(len(self.tp)))

    def thresholds(
        self, point: int, *, metric: str | dict[str, Any] | Metric = "f1", placement: Placement = "midpoint"
    ) -> Thresholds:
        """Return the thresholds of a point, with the micro average of ``metric`` as their value."""
        if not -len(self) <= point < len(self):
            raise InputError(f"point {point} is not on the frontier, which has {len(self)} points.")
        point = range(len(self))[point]
        objective = objectives.objective(metric, "micro")
        if objective.needs_items:
            raise UnsupportedError(
                f"the frontier holds counts by label; {objective.noun} needs whole items. Use a metric of counts, "
                "and measure this one with limen.evaluate."
            )
        details = {"never_by_constraint": list(self.excused)} if self.excused else {}
        solution = Solution(index=self.walk.index(self.curves, point), details=details)
        problem = Problem(objective, (), self.curves)
        thresholds = make_thresholds(problem, solution, f"frontier point {point}", placement)
        if self.bound is None:
            return thresholds
        found = outcomes(self.bound, thresholds.counts, thresholds.values, self.excused)
        return replace(thresholds, constraints=tuple(found))

    def __len__(self) -> int:
        return len(self.walk.tp)

    def __repr__(self) -> str:
        return (
            f"Frontier({count(len(self), 'point')} from no tags to precision {percent(self.precision[-1])} at "
            f"recall {percent(self.recall[-1])}, on {count(self.curves.n_items, 'tuning item')})"
        )

    def columns(self) -> dict[str, list[str]]:
        """Return the display columns at the points next below each twentieth of recall, and at the last."""
        recall, precision = self.recall, self.precision
        point = np.unique(
            np.append(np.searchsorted(recall, np.arange(1, 20) / 20, side="right") - 1, len(self) - 1)
        )
        given = self.pp[point] / self.curves.n_items
        return {
            "point": [str(k) for k in point],
            "recall": [percent(value) for value in recall[point]],
            "precision": [percent(value) for value in precision[point]],
            "tags an item": [f"{value:.2f}" for value in given],
        }

    def shown(self) -> Shown:
        """Return the table that is shown."""
        columns = self.columns()
        return Shown(repr(self), list(columns), list(zip(*columns.values(), strict=True)))

    def _repr_html_(self) -> str:
        return svg_curve(self.recall, self.precision, "recall", "precision") + super()._repr_html_()


def frontier(
    y_true: Any,
    y_score: Any = None,
    *,
    labels: Sequence[str] | None = None,
    sample_weight: Any = None,
    mask: Any = None,
    constraints: Sequence[Any] = (),
) -> Frontier:
    """Return the micro precision-recall frontier over all vectors of per-label thresholds.

    It lies on or above the precision-recall curve of any one shared threshold. Parameters are
    those of `tune`; of ``constraints`` limits on the counts of each label are taken, and labels that cannot keep
    theirs are never given.

    Raises
    ------
    UnsupportedError
        If a constraint is not for each label by itself: over all labels, the frontier shows what each costs.

    Examples
    --------
    >>> f = frontier([[0, 1], [1, 0], [1, 1], [0, 0]], [[0.2, 0.9], [0.6, 0.3], [0.8, 0.7], [0.4, 0.8]])
    >>> f.recall, f.precision
    (array([0.  , 0.5 , 0.75, 1.  ]), array([1. , 1. , 1. , 0.8]))
    """
    of_items = {"labels": labels, "sample_weight": sample_weight, "mask": mask}
    if isinstance(y_true, Curves):
        curves = y_true
    elif (counted := engines.curves_of(y_true, y_score, **of_items)) is not None:
        curves = counted
    else:
        curves = Curves.from_source(as_data(y_true, y_score, **of_items).source)
    if constraints:
        limits = bind(constraints, curves.labels, "never")
        if limits.pooled or limits.linked or limits.ranged:
            raise UnsupportedError(
                "the frontier takes limits on the counts of each label; use tune for ranges, shared thresholds, "
                "hierarchies and limits over all labels."
            )
        curves = extended(curves, curves.sources, limits)
        kept = permitted(curves, limits)
        excused = tuple(curves.labels[k] for k in kept.unmet)
        curves = curves.at(kept_or_never(curves, limits, kept))
        return Frontier(curves, Walk.of(curves), limits, excused)
    return Frontier(curves, Walk.of(curves))


def _reweighted(counts: Counts, target: NDArray[np.float64]) -> Counts:
    up, down = prevalence_factors(counts.p, counts.n, target)
    tp = counts.tp * up
    return Counts(tp, tp + (counts.pp - counts.tp) * down, counts.p * up, counts.n.astype(np.float64))


def _prevalence(target: Any, problem: Problem) -> NDArray[np.float64] | None:
    """Return the target share of positives of each label (n_labels,), or None."""
    if target is None:
        return None
    if problem.counted is None:
        totals = problem.sources[0].totals()
        positive, known = totals.positive, totals.known
    else:
        positive, known = problem.counted.n_positive, problem.counted.n_known
    here = positive / np.maximum(known, 1e-300)
    if isinstance(target, Mapping):
        if unknown := beyond(target, problem.labels):
            raise InputError(f"target_prevalence names {examples(unknown)}, which are no labels of these data.")
        target = [target.get(name, np.nan) for name in problem.labels]
    share = np.asarray(target, np.float64)
    if share.shape != (len(problem.labels),):
        raise InputError(
            f"target_prevalence has shape {share.shape} for {count(len(problem.labels), 'label')}. Give one share "
            "for each label, or a mapping from label names."
        )
    share = np.where(np.isnan(share), here, share)
    bad = np.flatnonzero(~((share >= 0) & (share <= 1)))
    if len(bad):
        raise InputError(
            f"target_prevalence is {share[bad[0]]} for {problem.labels[bad[0]]!r}. Shares lie from 0 to 1."
        )
    return share
