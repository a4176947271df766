"""Methods side by side: tuned on one part of the data, measured on another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import objectives, solvers
from limen.constraints import Bound, bind
from limen.data import as_data
from limen.display import Displayed, Shown
from limen.draws import as_seed
from limen.errors import InputError, UnsupportedError, count, examples
from limen.folds import Split, splits
from limen.holdout import hold_out, pooled_value
from limen.intervals import FEWEST, SAMPLES, Bootstrap, Interval, Part, averaged, percentiles
from limen.metrics import FBeta, Metric
from limen.objectives import Objective
from limen.solvers.base import Problem, Solver
from limen.sources.blocks import Source
from limen.sums import Sums

METHODS: tuple[str, ...] = ("fixed:0.5", "shared", "sgl", "exact", "auto")
METHODS_OF_ITEMS: tuple[str, ...] = ("fixed:0.5", "shared", "auto")
"""For whatever needs the items; for averages over items with "ascent" and, of F-beta, "expected-f"."""
WORTH_THREADS = 1 << 16
"""Pairs of item and label from which a tuning is long enough for threads to pay."""
MOST_AT_ONCE = 1 << 28
"""Pairs in all tunings of a moment: each holds a copy of its part."""
BESIDE = "fixed:0.5"
"""The method that all are set beside, where it is among them."""


@dataclass(frozen=True)
class Compared:
    """One method's result.

    Attributes
    ----------
    method : str
    held_out : float
        The objective of all folds together, each item decided by thresholds tuned without it;
        the mean over repeats.
    low, high : float
        95 % interval of ``held_out``, by the bootstrap over items or groups.
    difference : Interval
        To the method with the highest held-out value, paired over the same resamples.
    gain : Interval or None
        Over the method "fixed:0.5", paired likewise; None if that is not compared.
    rank : float
        Mean rank over the measured folds, 1 being the best.
    fitted : float
        Mean objective over the parts tuned on.
    seconds : float
        Mean time of one tuning.
    status : str
        What every tuning proved, or "mixed".
    kept : float or None
        How often the constraints held on the items measured: the share of all limits, over folds, and over
        labels where a limit is for each; labels that are never given keep a precision. None without limits.
    """

    method: str
    held_out: float
    low: float
    high: float
    difference: Interval
    gain: Interval | None
    rank: float
    fitted: float
    seconds: float
    status: str
    kept: float | None = None


@dataclass(frozen=True)
class Comparison(Displayed):
    """Methods by falling held-out value, and how they were measured."""

    rows: tuple[Compared, ...]
    objective: Objective
    design: str

    def summary(self) -> str:
        """Return what is compared and on what."""
        return f"{self.objective.noun}, {self.design}"

    def __getitem__(self, method: str) -> Compared:
        for row in self.rows:
            if row.method == method:
                return row
        raise KeyError(method)

    def columns(self) -> dict[str, list[str]]:
        """Return the display columns; what is gained over 0.5 only if that was compared."""
        metric, rows = self.objective.metric, self.rows

        def ends(interval: Interval) -> str:
            return _ends(metric.said_span(interval.low, interval.high, signed=True))

        columns = {
            "method": [row.method for row in rows],
            "held-out": [metric.said(row.held_out) for row in rows],
            "95 %": [_ends(metric.said_span(row.low, row.high)) for row in rows],
            "over 0.5": ["" if row.gain is None or row.method == BESIDE else ends(row.gain) for row in rows],
            "to the best": ["" if k == 0 else ends(row.difference) for k, row in enumerate(rows)],
            "kept": ["" if row.kept is None else f"{100 * row.kept:.0f} %" for row in rows],
            "rank": [f"{row.rank:.1f}" for row in rows],
            "fitted": [metric.said(row.fitted) for row in rows],
            "time": [_duration(row.seconds) for row in rows],
        }
        for heading in ("over 0.5", "kept"):
            if not any(columns[heading]):
                del columns[heading]
        return columns

    def __repr__(self) -> str:
        columns = [[heading, *cells] for heading, cells in self.columns().items()]
        widths = [max(map(len, column)) for column in columns]
        body = "\n".join(
            "  ".join(
                cell.rjust(width) if k else cell.ljust(width)
                for k, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in zip(*columns, strict=True)
        )
        return f"{self.summary()}\n{body}"

    def shown(self) -> Shown:
        """Return the table that is shown."""
        columns = self.columns()
        optional = ("time", "rank", "fitted", "to the best", "over 0.5")
        rows = list(zip(*columns.values(), strict=True))
        return Shown(self.summary(), list(columns), rows, (), optional, ("method",))


def compare(
    y_true: Any,
    y_score: Any = None,
    *,
    methods: Iterable[str | Solver] | Mapping[str, str | Solver] | None = None,
    metric: str | dict[str, Any] | Metric = "f1",
    average: str = "micro",
    cv: int | float | Iterable[tuple[Any, Any]] = 5,
    repeats: int = 1,
    groups: Any = None,
    labels: Sequence[str] | None = None,
    sample_weight: Any = None,
    mask: Any = None,
    constraints: Sequence[Any] = (),
    hold: float | None = None,
    zero_division: float = 0.0,
    random_state: Any = 0,
    n_jobs: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Comparison:
    """Return methods side by side, each tuned on one part of the data and measured on another.

    Parameters
    ----------
    y_true, y_score, metric, average, labels, sample_weight, mask, zero_division
        As in `limen.tune`.
    methods : iterable of methods, or a mapping from a name to a method, optional
        `METHODS` if left out; for averages over items `METHODS_OF_ITEMS`, "ascent" and, of F-beta, "expected-f".
        As `limen.tune` takes them. What a method chooses by itself it chooses on the tuning part.
    cv : int, float, or iterable of (tune, measure) pairs of row numbers
        A number of folds, each measured once, by thresholds tuned on the others; or the share of items to
        measure, once. Both are drawn so that every label is shared out evenly.
    repeats : int
        How often the folds are drawn anew.
    constraints : sequence of constraints
        As in `limen.tune`; the methods that take them (exact and the regularised ones) are tuned under them,
        with ``infeasible="never"``, and the others are not bound by them. See ``kept`` of the rows.
    hold : float, optional
        As in `limen.tune`, for the methods that keep a reserve.
    groups : array-like (n_items,), optional
        Group of each item, such as its recording: neither folds nor resamples divide groups.
    n_jobs : int, optional
        Tunings at a time, in threads, which change nothing but the times: these are then less comparable. If
        left out, one for each core where the data are large enough for it to pay.
    progress : callable ``(step, steps, method)``, optional

    Raises
    ------
    InputError
        If the data do not fit, or ``cv`` is no way to split them.
    """
    objective = objectives.objective(metric, average, zero_division)
    if methods is None:
        methods = _methods_for(objective)
    named = dict(methods) if isinstance(methods, Mapping) else _named(methods)
    if not named:
        raise InputError("methods is empty. Name at least one.")
    chosen = {name: solvers.choose(objective.metric, average, method) for name, method in named.items()}
    taking = (
        {name for name, solver in chosen.items() if solvers.takes_constraints(solver)} if constraints else set()
    )
    if constraints and not taking:
        raise UnsupportedError(
            f"none of the methods {examples(chosen)} takes constraints. Add 'exact', 'auto' or 'smoothed'."
        )
    under = _under_constraints(chosen, taking, hold)
    data = as_data(y_true, y_score, labels=labels, sample_weight=sample_weight, mask=mask, groups=groups)
    source, member, seed = data.source, data.groups, as_seed(random_state)
    objective.check_labels(len(source.labels))
    bound = bind(constraints, source.labels, "never") if constraints else None
    rounds = _rounds(cv, repeats, source, member, seed)
    _ = Problem(objective, (source.take(np.arange(min(2, source.n_items))),)).curves
    tasks = [(r, pair, name) for r, pairs in enumerate(rounds) for pair in pairs for name in chosen]

    def run(task: tuple[int, Split, str]) -> _Run:
        _, pair, name = task
        if name in taking:
            held_out = hold_out(objective, data, pair, under[name], seed, bound)
        else:
            held_out = hold_out(objective, data, pair, chosen[name], seed)
        return _Run(held_out.part, held_out.sums, held_out.fitted, held_out.seconds, held_out.status)

    results: dict[str, list[list[_Run]]] = {name: [[] for _ in rounds] for name in chosen}
    if n_jobs is None:
        size = source.n_items * len(source.labels)
        n_jobs = min(os.cpu_count() or 1, MOST_AT_ONCE // size) if size >= WORTH_THREADS else 1
    with ThreadPoolExecutor(max(1, n_jobs)) as pool:
        done = pool.map(run, tasks) if n_jobs > 1 else map(run, tasks)
        for step, (task, result) in enumerate(zip(tasks, done, strict=True)):
            results[task[2]][task[0]].append(result)
            if progress is not None:
                progress(step + 1, len(tasks), task[2])
    samples = SAMPLES if objective.additive else FEWEST
    bootstrap = Bootstrap.over(source.n_items, member, seed, samples, paired=True)
    rows = _summarise(results, objective, bootstrap)
    if bound is not None:
        rows = [replace(row, kept=_kept(results[row.method], bound, data.n_items)) for row in rows]
    return Comparison(tuple(rows), objective, _design(cv, repeats, rounds[0], source.n_items))


def _under_constraints(
    chosen: Mapping[str, Solver], taking: Iterable[str], hold: float | None
) -> dict[str, Solver]:
    """Return the solvers that keep constraints, those with a reserve with ``hold``."""
    under = {name: solvers.constrained(chosen[name]) for name in taking}
    reserved = [name for name, solver in under.items() if isinstance(solver, solvers.Reserved)]
    if hold is not None and not reserved:
        raise InputError(
            "hold goes with constraints and a method with a reserve, such as 'auto': how often limits shall hold "
            "on new data. Leave it out, or add these."
        )
    return under | {name: solvers.constrained(under[name], hold) for name in reserved}


@dataclass(frozen=True)
class _Run:
    part: Part
    sums: Sums
    fitted: float
    seconds: float
    status: str


def _summarise(results: dict[str, list[list[_Run]]], objective: Objective, bootstrap: Bootstrap) -> list[Compared]:
    """Return one row a method, by falling held-out value."""
    held_out, resampled, by_fold = {}, {}, {}
    for name, rounds in results.items():
        held_out[name] = float(np.mean([pooled_value([run.sums for run in runs], objective) for runs in rounds]))
        resampled[name] = np.mean(
            [bootstrap.values([run.part for run in runs], objective) for runs in rounds], axis=0
        )
        by_fold[name] = [objective(*run.sums) for runs in rounds for run in runs]
    values = np.array(list(by_fold.values()))
    above = (values[:, np.newaxis] < values).sum(axis=1)
    ties = (values[:, np.newaxis] == values).sum(axis=1)
    ranks = dict(zip(results, (1 + above + (ties - 1) / 2).mean(axis=1).tolist(), strict=True))

    def to(name: str, other: str, centre: bool) -> Interval:
        gap = held_out[name] - held_out[other]
        return Interval(gap, *map(float, percentiles(resampled[name] - resampled[other], gap, centre)))

    order = sorted(results, key=lambda name: -held_out[name])
    best = order[0]
    rows = []
    for name in order:
        runs = [run for part in results[name] for run in part]
        statuses = {run.status for run in runs}
        centre = averaged(objective, [runs[0].part])
        low, high = percentiles(resampled[name], held_out[name], centre)
        rows.append(
            Compared(
                method=name,
                held_out=held_out[name],
                low=float(low),
                high=float(high),
                difference=to(name, best, centre),
                gain=to(name, BESIDE, centre) if BESIDE in results else None,
                rank=ranks[name],
                fitted=float(np.mean([run.fitted for run in runs])),
                seconds=float(np.mean([run.seconds for run in runs])),
                status=statuses.pop() if len(statuses) == 1 else "mixed",
            )
        )
    return rows


def _kept(rounds: list[list[_Run]], bound: Bound, n_items: int) -> float | None:
    """Return how often the limits on counts held on the items measured."""
    held: list[Any] = []
    for run in (run for runs in rounds for run in runs):
        here = bound.scaled(len(run.part.rows) / n_items)
        held += [row.slack(*run.sums)[row.applies] >= 0 for row in here.rows]
        held += [row.slack(*(part.sum() for part in run.sums)) >= 0 for row in here.pooled]
    return float(np.concatenate(held).mean()) if held else None


def _rounds(
    cv: Any, repeats: int, source: Source, groups: NDArray[np.int64] | None, random_state: int
) -> list[list[Split]]:
    """Return, for each repeat, the (tune, measure) pairs of row numbers."""
    if repeats < 1:
        raise InputError(f"repeats={repeats} is not usable. It must be at least 1.")
    if repeats > 1 and not isinstance(cv, int | float):
        raise InputError("repeats draws folds anew, and cv gives the splits. Use one of them.")
    return [splits(cv, source, groups, random_state + r) for r in range(repeats)]


def _design(cv: Any, repeats: int, pairs: list[Split], n_items: int) -> str:
    drawn = "" if repeats == 1 else f", drawn {repeats} times"
    if isinstance(cv, int):
        return f"{cv} folds of {count(n_items, 'item')}{drawn}: each tuned on the others"
    tuned, measured = (int(np.mean([len(pair[k]) for pair in pairs])) for k in (0, 1))
    times = "" if len(pairs) == 1 else f"{len(pairs)} splits, "
    return f"{times}tuned on {count(tuned, 'item')}, measured on {count(measured, 'other')}{drawn}"


def _ends(spread: str) -> str:
    """Return an interval without its level, which stands above the column."""
    return spread.removeprefix("95 % ")


def _duration(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.01 else f"{1000 * seconds:.2g} ms"


def _methods_for(objective: Objective) -> tuple[str, ...]:
    """Return the methods to compare where none are named."""
    if not objective.needs_items:
        return METHODS
    by_item = ("expected-f",) if isinstance(objective.metric, FBeta) else ()
    return METHODS_OF_ITEMS + (("ascent", *by_item) if objective.average == "samples" else ())


def _named(methods: Iterable[str | Solver]) -> dict[str, str | Solver]:
    """Return methods by name; solvers of one kind are told apart by their options."""
    methods = list(methods)
    names = [method if isinstance(method, str) else method.name for method in methods]
    return {
        name if names.count(name) == 1 else str(method): method
        for name, method in zip(names, methods, strict=True)
    }
