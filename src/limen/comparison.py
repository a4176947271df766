"""Methods side by side: tuned on one part of the data, measured on another."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import objectives, solvers
from limen.decisions import Counts, count_decisions
from limen.display import html_table, rich_table
from limen.errors import InputError, LimenWarning, count
from limen.io.sources import DenseSource, SparseSource, as_source
from limen.metrics import Metric
from limen.objectives import Objective
from limen.solvers.base import Problem, Solver
from limen.tuning import make_thresholds

METHODS: tuple[str, ...] = ("fixed:0.5", "shared", "sgl", "exact")
HEADINGS = ("method", "held-out %", "fitted %", "time", "status")


@dataclass(frozen=True)
class Compared:
    """One method's result.

    Attributes
    ----------
    method : str
    held_out : float
        The objective of the counts summed over all measured parts: items not tuned on.
    fitted : float
        Mean objective over the parts tuned on.
    seconds : float
        Mean time of one tuning.
    status : str
        What every tuning proved, or "mixed".
    """

    method: str
    held_out: float
    fitted: float
    seconds: float
    status: str


@dataclass(frozen=True)
class Comparison:
    """Methods by falling held-out value, and how they were measured."""

    rows: tuple[Compared, ...]
    objective: Objective
    design: str

    def summary(self) -> str:
        """Return what is compared and on what."""
        return f"{self.objective}, {self.design}"

    def __getitem__(self, method: str) -> Compared:
        for row in self.rows:
            if row.method == method:
                return row
        raise KeyError(method)

    def cells(self) -> list[tuple[str, ...]]:
        """Return the table's cells as text."""
        return [
            (
                row.method,
                f"{100 * row.held_out:.2f}",
                f"{100 * row.fitted:.2f}",
                _duration(row.seconds),
                row.status,
            )
            for row in self.rows
        ]

    def __repr__(self) -> str:
        lines = [HEADINGS, *self.cells()]
        widths = [max(len(line[k]) for line in lines) for k in range(len(HEADINGS))]
        body = "\n".join(
            "  ".join(
                cell.ljust(width) if k in (0, len(HEADINGS) - 1) else cell.rjust(width)
                for k, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )
        return f"{self.summary()}\n{body}"

    def __rich__(self) -> Any:
        return rich_table(self.summary(), HEADINGS, self.cells(), text=("method", "status"))

    def _repr_html_(self) -> str:
        return html_table(self.summary(), HEADINGS, self.cells())


def compare(
    y_true: Any,
    y_score: Any,
    *,
    methods: Iterable[str | Solver] | Mapping[str, str | Solver] = METHODS,
    metric: str | dict[str, Any] | Metric = "f1",
    average: str = "micro",
    cv: int | Iterable[tuple[Any, Any]] = 5,
    labels: Sequence[str] | None = None,
    sample_weight: Any = None,
    mask: Any = None,
    zero_division: float = 0.0,
    random_state: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> Comparison:
    """Return methods side by side, each tuned on one part of the data and measured on another.

    Parameters
    ----------
    y_true, y_score, metric, average, labels, sample_weight, mask, zero_division
        As in `limen.tune`.
    methods : iterable of methods, or a mapping from a name to a method
        As `limen.tune` takes them.
    cv : int, or iterable of (tune, measure) pairs of row numbers
        A number of folds, drawn by ``random_state``: each fold is measured once, by thresholds tuned
        on the others.
    progress : callable ``(step, steps, method)``, optional

    Raises
    ------
    InputError
        If the data do not fit, or ``cv`` is no way to split them.
    """
    objective = objectives.objective(metric, average, zero_division)
    named = dict(methods) if isinstance(methods, Mapping) else {_name(method): method for method in methods}
    if not named:
        raise InputError("methods is empty. Name at least one.")
    chosen = {name: solvers.choose(objective.metric, average, method) for name, method in named.items()}
    source = as_source(y_true, y_score, labels=labels, sample_weight=sample_weight, mask=mask)
    objective.check_labels(len(source.labels))
    splits = _splits(cv, source.n_items, random_state)
    _ = Problem(objective, (source.take(np.arange(min(2, source.n_items))),)).curves
    results: dict[str, list[_Run]] = {name: [] for name in chosen}
    step = 0
    for tune_rows, measure_rows in splits:
        tuned_on, measured_on = source.take(tune_rows), source.take(measure_rows)
        for name, solver in chosen.items():
            if progress is not None:
                progress(step, len(splits) * len(chosen), name)
            results[name].append(_run(objective, solver, name, tuned_on, measured_on, random_state))
            step += 1
    rows = [_summarise(name, objective, runs) for name, runs in results.items()]
    rows.sort(key=lambda row: -row.held_out)
    return Comparison(tuple(rows), objective, _design(cv, splits, source.n_items))


@dataclass(frozen=True)
class _Run:
    counts: Counts
    fitted: float
    seconds: float
    status: str


def _run(
    objective: Objective,
    solver: Solver,
    name: str,
    tuned_on: DenseSource | SparseSource,
    measured_on: DenseSource | SparseSource,
    random_state: int,
) -> _Run:
    problem = Problem(objective, (tuned_on,), random_state=random_state)
    solvers.check_fit(solver, problem)
    start = time.perf_counter()
    solution = solver.solve(problem)
    seconds = time.perf_counter() - start
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LimenWarning)
        thresholds = make_thresholds(problem, solution, name, "midpoint")
    counts = count_decisions((measured_on,), thresholds.values, thresholds.rule)
    return _Run(counts, thresholds.value, seconds, thresholds.status)


def _summarise(name: str, objective: Objective, runs: list[_Run]) -> Compared:
    total = Counts(*np.add.reduce([np.asarray(run.counts) for run in runs]))
    statuses = {run.status for run in runs}
    return Compared(
        name,
        objective(*total),
        float(np.mean([run.fitted for run in runs])),
        float(np.mean([run.seconds for run in runs])),
        statuses.pop() if len(statuses) == 1 else "mixed",
    )


def _splits(cv: Any, n_items: int, random_state: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    if isinstance(cv, int):
        if not 2 <= cv <= n_items:
            raise InputError(f"cv={cv} folds of {count(n_items, 'item')}. Use 2 to {n_items} folds.")
        folds = np.array_split(np.random.default_rng(random_state).permutation(n_items), cv)
        everything = np.arange(n_items)
        return [(np.setdiff1d(everything, fold), np.sort(fold)) for fold in folds]
    pairs = [(_rows(tune, n_items), _rows(measure, n_items)) for tune, measure in cv]
    if not pairs:
        raise InputError("cv is empty. Give a number of folds, or pairs of row numbers.")
    for tune, measure in pairs:
        overlap = np.intersect1d(tune, measure)
        if len(overlap):
            raise InputError(
                f"cv tunes and measures on the same {count(len(overlap), 'row')} (first: {overlap[0]}). The parts "
                "must not overlap: the result would not be held out."
            )
    return pairs


def _rows(rows: Any, n_items: int) -> NDArray[np.int64]:
    rows = np.asarray(rows)
    rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64)
    if not len(rows) or rows.min() < 0 or rows.max() >= n_items:
        raise InputError(f"cv has a part that is empty or has row numbers outside 0 to {n_items - 1}.")
    return np.asarray(rows, np.int64)


def _design(cv: Any, splits: list[tuple[Any, Any]], n_items: int) -> str:
    if isinstance(cv, int):
        return f"{cv} folds of {count(n_items, 'item')}: each tuned on the others"
    tuned, measured = (int(np.mean([len(pair[k]) for pair in splits])) for k in (0, 1))
    times = "" if len(splits) == 1 else f"{len(splits)} splits, "
    return f"{times}tuned on {count(tuned, 'item')}, measured on {f'{measured:,}'.replace(',', ' ')} others"


def _duration(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.01 else f"{1000 * seconds:.2g} ms"


def _name(method: str | Solver) -> str:
    return method if isinstance(method, str) else method.name
