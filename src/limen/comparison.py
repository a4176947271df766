"""Methods side by side: tuned on one part of the data, measured on another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import objectives, solvers
from limen.data import as_data
from limen.decisions import Counts, count_decisions
from limen.display import Displayed, Shown
from limen.draws import as_seed
from limen.errors import InputError, count
from limen.folds import fold_rows, refuse_overlap, unit_count
from limen.intervals import Bootstrap, Interval, Part, averaged, percentiles
from limen.metrics import Metric
from limen.objectives import Objective
from limen.solvers.base import Problem, Solver
from limen.sources.blocks import Source
from limen.tuning import solved

METHODS: tuple[str, ...] = ("fixed:0.5", "shared", "sgl", "exact", "auto")
HEADINGS = ("method", "held-out", "95 %", "to the best", "rank", "fitted", "time")


@dataclass(frozen=True)
class Compared:
    """One method's result.

    Attributes
    ----------
    method : str
    held_out : float
        The objective of the counts summed over folds, each item decided by thresholds tuned without it;
        the mean over repeats.
    low, high : float
        95 % interval of ``held_out``, by the bootstrap over items or groups.
    difference : Interval
        To the method with the highest held-out value, paired over the same resamples.
    rank : float
        Mean rank over the measured folds, 1 being the best.
    fitted : float
        Mean objective over the parts tuned on.
    seconds : float
        Mean time of one tuning.
    status : str
        What every tuning proved, or "mixed".
    """

    method: str
    held_out: float
    low: float
    high: float
    difference: Interval
    rank: float
    fitted: float
    seconds: float
    status: str


@dataclass(frozen=True)
class Comparison(Displayed):
    """Methods by falling held-out value, and how they were measured."""

    rows: tuple[Compared, ...]
    objective: Objective
    design: str

    def summary(self) -> str:
        """Return what is compared and on what."""
        return f"{self.objective} in %, {self.design}"

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
                f"{100 * row.low:.1f}-{100 * row.high:.1f}",
                "" if k == 0 else f"{100 * row.difference.low:+.1f} to {100 * row.difference.high:+.1f}",
                f"{row.rank:.1f}",
                f"{100 * row.fitted:.2f}",
                _duration(row.seconds),
            )
            for k, row in enumerate(self.rows)
        ]

    def __repr__(self) -> str:
        lines = [HEADINGS, *self.cells()]
        widths = [max(len(line[k]) for line in lines) for k in range(len(HEADINGS))]
        body = "\n".join(
            "  ".join(
                cell.rjust(width) if k else cell.ljust(width)
                for k, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )
        return f"{self.summary()}\n{body}"

    def shown(self) -> Shown:
        """Return the table that is shown."""
        return Shown(
            self.summary(), HEADINGS, self.cells(), ("method",), ("time", "rank", "fitted", "to the best")
        )


def compare(
    y_true: Any,
    y_score: Any = None,
    *,
    methods: Iterable[str | Solver] | Mapping[str, str | Solver] = METHODS,
    metric: str | dict[str, Any] | Metric = "f1",
    average: str = "micro",
    cv: int | Iterable[tuple[Any, Any]] = 5,
    repeats: int = 1,
    groups: Any = None,
    labels: Sequence[str] | None = None,
    sample_weight: Any = None,
    mask: Any = None,
    zero_division: float = 0.0,
    random_state: Any = 0,
    n_jobs: int = 1,
    progress: Callable[[int, int, str], None] | None = None,
) -> Comparison:
    """Return methods side by side, each tuned on one part of the data and measured on another.

    Parameters
    ----------
    y_true, y_score, metric, average, labels, sample_weight, mask, zero_division
        As in `limen.tune`.
    methods : iterable of methods, or a mapping from a name to a method
        As `limen.tune` takes them. What a method chooses by itself it chooses on the tuning part.
    cv : int, or iterable of (tune, measure) pairs of row numbers
        A number of random folds: each is measured once, by thresholds tuned on the others.
    repeats : int
        How often the folds are drawn anew.
    groups : array-like (n_items,), optional
        Group of each item, such as its recording: neither folds nor resamples divide groups.
    n_jobs : int
        Tunings at a time, in threads; times are then less comparable.
    progress : callable ``(step, steps, method)``, optional

    Raises
    ------
    InputError
        If the data do not fit, or ``cv`` is no way to split them.
    """
    objective = objectives.objective(metric, average, zero_division)
    named = dict(methods) if isinstance(methods, Mapping) else _named(methods)
    if not named:
        raise InputError("methods is empty. Name at least one.")
    chosen = {name: solvers.choose(objective.metric, average, method) for name, method in named.items()}
    data = as_data(y_true, y_score, labels=labels, sample_weight=sample_weight, mask=mask, groups=groups)
    source, member, seed = data.source, data.groups, as_seed(random_state)
    objective.check_labels(len(source.labels))
    rounds = _rounds(cv, repeats, source.n_items, member, seed)
    _ = Problem(objective, (source.take(np.arange(min(2, source.n_items))),)).curves
    tasks = [(r, pair, name) for r, pairs in enumerate(rounds) for pair in pairs for name in chosen]

    def run(task: tuple[int, tuple[Any, Any], str]) -> _Run:
        _, (tune_rows, measure_rows), name = task
        problem = Problem.of(objective, data.take(tune_rows), seed)
        return _run(problem, chosen[name], name, source.take(measure_rows), measure_rows)

    results: dict[str, list[list[_Run]]] = {name: [[] for _ in rounds] for name in chosen}
    with ThreadPoolExecutor(max(1, n_jobs)) as pool:
        done = pool.map(run, tasks) if n_jobs > 1 else map(run, tasks)
        for step, (task, result) in enumerate(zip(tasks, done, strict=True)):
            results[task[2]][task[0]].append(result)
            if progress is not None:
                progress(step + 1, len(tasks), task[2])
    bootstrap = Bootstrap.over(source.n_items, member, seed)
    rows = _summarise(results, objective, bootstrap)
    return Comparison(tuple(rows), objective, _design(cv, repeats, rounds[0], source.n_items))


@dataclass(frozen=True)
class _Run:
    part: Part
    counts: Counts
    fitted: float
    seconds: float
    status: str


def _run(problem: Problem, solver: Solver, name: str, measured_on: Source, rows: NDArray[np.int64]) -> _Run:
    start = time.perf_counter()
    values, solution = solved(problem, solver)
    seconds = time.perf_counter() - start
    fitted = problem.objective(*count_decisions(problem.sources, values, solution.rule, check=False))
    counts = count_decisions((measured_on,), values, solution.rule)
    return _Run(Part(measured_on, rows, values, solution.rule), counts, fitted, seconds, solution.status)


def _summarise(results: dict[str, list[list[_Run]]], objective: Objective, bootstrap: Bootstrap) -> list[Compared]:
    """Return one row a method, by falling held-out value."""
    held_out, resampled, by_fold = {}, {}, {}
    for name, rounds in results.items():
        held_out[name] = float(
            np.mean([objective(*np.add.reduce([np.asarray(run.counts) for run in runs])) for runs in rounds])
        )
        resampled[name] = np.mean(
            [bootstrap.values([run.part for run in runs], objective) for runs in rounds], axis=0
        )
        by_fold[name] = [objective(*run.counts) for runs in rounds for run in runs]
    values = np.array(list(by_fold.values()))
    above = (values[:, np.newaxis] < values).sum(axis=1)
    ties = (values[:, np.newaxis] == values).sum(axis=1)
    ranks = dict(zip(results, (1 + above + (ties - 1) / 2).mean(axis=1).tolist(), strict=True))
    order = sorted(results, key=lambda name: -held_out[name])
    best = order[0]
    rows = []
    for name in order:
        runs = [run for part in results[name] for run in part]
        statuses = {run.status for run in runs}
        centre = averaged(objective, [runs[0].part])
        low, high = percentiles(resampled[name], held_out[name], centre)
        gap = held_out[name] - held_out[best]
        gaps = percentiles(resampled[name] - resampled[best], gap, centre)
        rows.append(
            Compared(
                method=name,
                held_out=held_out[name],
                low=float(low),
                high=float(high),
                difference=Interval(gap, *map(float, gaps)),
                rank=ranks[name],
                fitted=float(np.mean([run.fitted for run in runs])),
                seconds=float(np.mean([run.seconds for run in runs])),
                status=statuses.pop() if len(statuses) == 1 else "mixed",
            )
        )
    return rows


def _rounds(
    cv: Any, repeats: int, n_items: int, groups: NDArray[np.int64] | None, random_state: int
) -> list[list[tuple[NDArray[np.int64], NDArray[np.int64]]]]:
    """Return, for each repeat, the (tune, measure) pairs of row numbers."""
    if repeats < 1:
        raise InputError(f"repeats={repeats} is not usable. It must be at least 1.")
    if not isinstance(cv, int):
        if not isinstance(cv, Iterable):
            raise InputError(f"cv={cv!r} is no way to split. Give a number of folds, or pairs of row numbers.")
        if repeats > 1:
            raise InputError("repeats draws folds anew, and cv gives the splits. Use one of them.")
        return [_given(cv, n_items, groups)]
    n_units = unit_count(n_items, groups)
    if not 2 <= cv <= n_units:
        raise InputError(
            f"cv={cv} folds of {count(n_units, 'item' if groups is None else 'group')}. Use 2 to {n_units} folds."
        )
    everything = np.arange(n_items)
    return [
        [(np.setdiff1d(everything, fold), fold) for fold in fold_rows(n_items, cv, groups, random_state + r)]
        for r in range(repeats)
    ]


def _given(
    cv: Iterable[tuple[Any, Any]], n_items: int, groups: NDArray[np.int64] | None
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    pairs = [(_rows(tune, n_items), _rows(measure, n_items)) for tune, measure in cv]
    if not pairs:
        raise InputError("cv is empty. Give a number of folds, or pairs of row numbers.")
    refuse_overlap(pairs, "tunes and measures on", "result")
    for tune, measure in pairs:
        if groups is not None and len(np.intersect1d(groups[tune], groups[measure])):
            raise InputError("cv tunes and measures on items of the same group. Keep groups whole.")
    return pairs


def _rows(rows: Any, n_items: int) -> NDArray[np.int64]:
    rows = np.asarray(rows)
    if rows.dtype == np.bool_:
        if rows.shape != (n_items,):
            raise InputError(f"cv has a mask of shape {rows.shape}. A mask must be ({n_items},).")
        rows = np.flatnonzero(rows)
    rows = rows.astype(np.int64)
    if not len(rows) or rows.min() < 0 or rows.max() >= n_items:
        raise InputError(f"cv has a part that is empty or has row numbers outside 0 to {n_items - 1}.")
    if len(np.unique(rows)) < len(rows):
        raise InputError("cv has a part that names a row twice. Each row can be in a part once.")
    return np.asarray(rows)


def _design(cv: Any, repeats: int, splits: list[tuple[Any, Any]], n_items: int) -> str:
    if isinstance(cv, int):
        times = "" if repeats == 1 else f", drawn {repeats} times"
        return f"{cv} folds of {count(n_items, 'item')}{times}: each tuned on the others"
    tuned, measured = (int(np.mean([len(pair[k]) for pair in splits])) for k in (0, 1))
    times = "" if len(splits) == 1 else f"{len(splits)} splits, "
    others = count(measured, "other")
    return f"{times}tuned on {count(tuned, 'item')}, measured on {others}"


def _duration(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.01 else f"{1000 * seconds:.2g} ms"


def _named(methods: Iterable[str | Solver]) -> dict[str, str | Solver]:
    """Return methods by name; solvers of one kind are told apart by their options."""
    methods = list(methods)
    names = [method if isinstance(method, str) else method.name for method in methods]
    return {
        name if names.count(name) == 1 else str(method): method
        for name, method in zip(names, methods, strict=True)
    }
