"""The front door: from scores and labels to thresholds."""

from __future__ import annotations

import importlib.metadata
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import objectives, solvers
from limen.curves import Curves, Placement
from limen.decisions import THRESHOLD_RULE, Counts, check_rule, count_decisions
from limen.errors import InputError, LimenWarning, UnsupportedError, count, examples
from limen.io.sources import Source, as_source
from limen.metrics import Metric
from limen.solvers.base import Problem, Progress, Solution, Solver
from limen.solvers.frontier import Walk
from limen.thresholds import Thresholds, now


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
    zero_division: float = 0.0,
    placement: Placement = "midpoint",
    random_state: int = 0,
    progress: Progress | None = None,
) -> Thresholds:
    """Return the thresholds that make a metric large on labelled scores.

    Parameters
    ----------
    y_true : array-like (n_items, n_labels) of 0/1, bool, or float with NaN for unknown; scipy sparse;
        masked array; or n_items lists of label names. Or `Curves`, and no ``y_score``.
    y_score : array-like (n_items, n_labels) of finite numbers: dense, memory map, scipy sparse,
        tensor, or frame
        Probabilities, logits or any other real scores; only their order within a label matters to
        the exact methods.
    metric : str, dict or Metric
        A name of `limen.metrics.METRICS` ("f1", "mcc", ...), a dict such as
        ``{"name": "fbeta", "beta": 2}``, or a metric object.
    average : {"micro", "macro", "weighted"}
    method : str or Solver
        A name of `limen.solvers.METHODS`, or a solver with its options, for example
        ``limen.solvers.SurrogateGradient(space="logit", start="shared")``.
    labels : sequence of n_labels str, optional
    sample_weight : array-like (n_items,), optional
    mask : bool array-like (n_items, n_labels), optional
        True where the label of an item is known.
    constraints : sequence
        Must be empty: this version has no constraints.
    zero_division : float in [0, 1]
        Value of a ratio that is 0/0, for example the F1 of a label with no positives that is never given.
    placement : {"midpoint", "score"}
        Put a threshold halfway between the lowest kept score and the one below it, or at the kept score.
    random_state : int
        Seed of the methods that draw.
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
    >>> t = tune(y_true, y_score, labels=["dog", "cat"])
    >>> t.values, t.status, round(t.value, 4)
    (array([0.5, 0.5]), 'optimal', 0.8889)
    """
    if len(constraints):
        raise UnsupportedError("constraints are not part of this version. Leave constraints empty.")
    objective = objectives.objective(metric, average, zero_division)
    solver = solvers.choose(objective.metric, average, method)
    sources, counted = _data(y_true, y_score, labels=labels, sample_weight=sample_weight, mask=mask)
    problem = Problem(objective, sources, counted, random_state, progress)
    objective.check_labels(len(problem.labels))
    solvers.check_fit(solver, problem)
    solution = solver.solve(problem)
    name = method if isinstance(method, str) else str(method)
    return make_thresholds(problem, solution, name, placement)


def make_thresholds(problem: Problem, solution: Solution, method: str, placement: Placement) -> Thresholds:
    """Return the artefact of a solution, its value measured by counting on the tuning data."""
    curves = problem.curves
    if solution.index is not None:
        at = solution.index
        values = curves.thresholds(at, placement)
        counts = Counts(curves.tp[at], curves.pp[at], curves.n_positive, curves.n_known)
    else:
        assert solution.values is not None
        values = _in_dtype(solution.values, problem.dtype)
        counts = count_decisions(problem.sources, values, solution.rule, check=False)
    thresholds = Thresholds(
        labels=problem.labels,
        values=values,
        metric=problem.objective.metric,
        average=problem.objective.average,
        zero_division=problem.objective.zero_division,
        method=method,
        status=solution.status,
        value=problem.objective(*counts),
        upper_bound=solution.upper_bound,
        counts=counts,
        n_items=problem.n_items,
        digest=curves.digest(),
        created=now(),
        versions=versions(),
        rule=solution.rule,
        history=solution.history,
    )
    without = set(curves.without_positives)
    silent = [name for name in thresholds.never if name in without]
    if silent:
        warnings.warn(
            f"{count(len(silent), 'label')} without a positive item: {examples(silent)}. Never given: nothing "
            "can be learned about the threshold. Add annotated items, or leave the labels out.",
            LimenWarning,
            stacklevel=3,
        )
    return thresholds


@dataclass(frozen=True, eq=False)
class Frontier:
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
    """

    curves: Curves
    walk: Walk

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
        problem = Problem(objectives.objective(metric, "micro"), self.curves.sources, self.curves)
        solution = Solution(index=self.walk.index(self.curves, point))
        return make_thresholds(problem, solution, f"frontier point {point}", placement)

    def __len__(self) -> int:
        return len(self.walk.tp)

    def __repr__(self) -> str:
        return (
            f"Frontier({len(self)} points from no tags to precision {self.precision[-1]:.3f} at recall "
            f"{self.recall[-1]:.3f}, on {count(self.curves.n_items, 'tuning item')})"
        )


def frontier(
    y_true: Any,
    y_score: Any = None,
    *,
    labels: Sequence[str] | None = None,
    sample_weight: Any = None,
    mask: Any = None,
) -> Frontier:
    """Return the micro precision-recall frontier over all vectors of per-label thresholds.

    It lies on or above the precision-recall curve of any one shared threshold. Parameters are
    those of `tune`.

    Examples
    --------
    >>> f = frontier([[0, 1], [1, 0], [1, 1], [0, 0]], [[0.2, 0.9], [0.6, 0.3], [0.8, 0.7], [0.4, 0.8]])
    >>> f.recall, f.precision
    (array([0.  , 0.5 , 0.75, 1.  ]), array([1. , 1. , 1. , 0.8]))
    """
    sources, counted = _data(y_true, y_score, labels=labels, sample_weight=sample_weight, mask=mask)
    curves = counted if counted is not None else Curves.from_source(sources[0])
    return Frontier(curves, Walk.of(curves))


def apply_thresholds(values: Any, labels: Sequence[str], dtype: Any, rule: str = THRESHOLD_RULE) -> NDArray[Any]:
    """Return one threshold for each label, in ``dtype``, from a number or one for each label."""
    check_rule(rule, len(labels))
    values = np.asarray(values, np.float64)
    if values.ndim > 1 or (values.ndim and len(values) != len(labels)) or np.isnan(values).any():
        raise InputError(
            f"thresholds have shape {values.shape} for {count(len(labels), 'label')}. Give one number, or one for "
            "each label (+inf: never)."
        )
    return _in_dtype(np.broadcast_to(values, len(labels)), dtype)


def versions() -> dict[str, str]:
    """Return the versions that made a result."""
    return {"limen": importlib.metadata.version("limen"), "numpy": np.__version__}


def _data(
    y_true: Any, y_score: Any, *, labels: Sequence[str] | None, sample_weight: Any, mask: Any
) -> tuple[tuple[Source, ...], Curves | None]:
    if isinstance(y_true, Curves):
        if y_score is not None or labels is not None or sample_weight is not None or mask is not None:
            raise InputError("curves hold scores, labels and weights already. Give them alone.")
        return y_true.sources, y_true
    if y_score is None:
        raise InputError("y_score is missing. Give labels and scores, or curves alone.")
    return (as_source(y_true, y_score, labels=labels, sample_weight=sample_weight, mask=mask),), None


def _in_dtype(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return thresholds in the dtype of the scores; beyond its range is "never" or its lowest number."""
    limits = np.finfo(dtype)
    inside = np.where(values > limits.max, np.inf, np.maximum(values, float(limits.min)))
    return inside.astype(dtype)
