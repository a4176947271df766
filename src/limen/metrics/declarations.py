"""What a user's own metric declares, checked by numbers before anything relies on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, UnsupportedError
from limen.metrics.base import LinearRatio, Metric

STRUCTURES = ("linear", "quasiconvex", "other")
TABLES = 400
SLACK = 1e-9
_checked: set[tuple[type[Metric], str, float]] = set()


def check(metric: Metric, zero_division: float = 0.0) -> None:
    """Raise if what a metric declares is not so, at the first use of each class and its parameters.

    Parameters
    ----------
    metric : Metric
    zero_division : float
        What it is to be where it is 0/0: with this too it must not fall when a false positive is dropped, unless
        that was the last negative item not given.

    Raises
    ------
    InputError
        If its values are not finite numbers up to 1, or not those that its terms or its gradient say.
    UnsupportedError
        If its structure is unknown, or is not the one declared; if it falls when a false positive is dropped.

    Notes
    -----
    A check of some hundred tables of counts, no proof. limen's own metrics are proven by its tests.
    """
    kind = type(metric)
    if (
        kind.__module__ in ("limen.metrics.formulas", "limen.metrics.items")
        or (key := (kind, repr(metric), zero_division)) in _checked
    ):
        return
    with np.errstate(all="ignore"):
        labels = np.arange(TABLES)
        for problem in _problems(
            metric.with_labels(lambda parameter: parameter[labels % len(parameter)]), zero_division
        ):
            raise problem
    _checked.add(key)


def _problems(metric: Metric, zero_division: float) -> Iterator[InputError | UnsupportedError]:
    """Yield what is wrong; each check may rely on those before it."""
    name = type(metric).__name__
    if metric.structure not in STRUCTURES or (metric.structure == "linear") != isinstance(metric, LinearRatio):
        yield UnsupportedError(
            f"the metric {name} has structure={metric.structure!r}. It must be 'linear' for a subclass of "
            "LinearRatio, and 'quasiconvex' or 'other' for any other."
        )
    rng = np.random.default_rng(0)
    for whole in (True, False):
        tables = _tables(rng, whole)
        shown = _Shown(metric, tables)
        values = _values(metric, tables)
        if values is None:
            yield InputError(
                f"the metric {name} does not give one number for each element of arrays of counts. Write it with "
                "operators and numpy functions, and limen.metrics.ratio where 0/0 can be."
            )
            return
        yield from shown(~np.isfinite(values), values, InputError, "Use limen.metrics.ratio where 0/0 can be.")
        yield from shown(
            values > 1 + SLACK, values, InputError, "A metric is at most 1: divide it by its largest."
        )
        tp, pp, p, n = tables
        fewer = np.maximum(pp - 1, tp) if whole else tp + 0.5 * (pp - tp)
        for zero in {0.0, zero_division}:
            here, there = (np.asarray(metric(tp, given, p, n, zero)) for given in (pp, fewer))
            yield from shown(
                (there < here - SLACK * (1 + np.abs(here))) & ((pp < n) | (zero == 0)),
                here,
                UnsupportedError,
                "It is less with a false positive dropped; limen needs a metric that never is. Turn it round, or "
                "take that part out.",
            )
    yield from _structure(metric, rng)
    yield from _gradient(metric, rng)


def _structure(metric: Metric, rng: np.random.Generator) -> Iterator[InputError | UnsupportedError]:
    """Yield where the metric is not what its structure promises."""
    tp, pp, p, n = tables = _tables(rng, whole=True)
    values = _values(metric, tables)
    assert values is not None
    shown = _Shown(metric, tables)
    if isinstance(metric, LinearRatio):
        above, below = (np.broadcast_to(part(tp, pp), tp.shape) for part in metric.terms(p, n))
        other = np.where(below == 0, values, above / below)
        wrong = (below < 0) | (np.abs(values - np.minimum(other, 1)) > SLACK * (1 + np.abs(values)))
        yield from shown(
            wrong, values, InputError, "It is not the ratio of its terms, or their denominator is negative."
        )
    if metric.structure == "quasiconvex":
        *_, p, n = _tables(rng, whole=False)
        some = [_within(rng, p, n, whole=False) for _ in range(2)]
        share = rng.uniform(0.1, 0.9, TABLES)
        between = [share * a + (1 - share) * b for a, b in zip(*some, strict=True)]
        ends = np.maximum(*(metric(tp, pp, p, n) for tp, pp in some))
        values = np.asarray(metric(between[0], between[1], p, n))
        wrong = values > np.maximum(ends, 0) + SLACK
        yield from _Shown(metric, (*between, p, n))(
            wrong,
            values,
            UnsupportedError,
            "It is more there than at both ends of a line through it, so it is not quasi-convex. Declare "
            "structure='other'.",
        )


def _gradient(metric: Metric, rng: np.random.Generator) -> Iterator[InputError | UnsupportedError]:
    """Yield if the user's own gradient is not the limit of differences at most tables."""
    if type(metric).gradient in (Metric.gradient, LinearRatio.gradient):
        return
    tables = _tables(rng, whole=False)
    own, differences = metric.gradient(*tables), Metric.gradient(metric, *tables)
    wrong = np.zeros(TABLES, bool)
    for mine, other in zip(own, differences, strict=True):
        wrong |= ~(np.abs(mine - other) <= 1e-2 * (np.abs(other) + np.max(np.abs(other)) / 100))
    if wrong.mean() > 0.1:  # Some may lie at a kink.
        yield from _Shown(metric, tables)(
            wrong, own[0], InputError, "Its gradient there is not that of its values."
        )


class _Shown:
    """What is wrong, with the counts where it is."""

    def __init__(self, metric: Metric, tables: tuple[Any, ...]) -> None:
        self.metric, self.tables = metric, tables

    def __call__(
        self, wrong: Any, values: Any, kind: type[InputError | UnsupportedError], rule: str
    ) -> Iterator[InputError | UnsupportedError]:
        if np.any(wrong):
            at = int(np.flatnonzero(wrong)[0])
            tp, pp, p, n = (float(part[at]) for part in self.tables)
            value = float(np.broadcast_to(values, np.shape(wrong))[at])
            yield kind(
                f"the metric {type(self.metric).__name__} gives {value:.6g} at tp={tp:g}, pp={pp:g}, p={p:g}, "
                f"n={n:g}. {rule}"
            )


def _values(metric: Metric, tables: tuple[Any, ...]) -> NDArray[np.float64] | None:
    """Return the values of tables, or None unless they are one number for each, alone too."""
    try:
        values = np.asarray(metric(*tables), np.float64)
        alone = [] if metric.by_label else [float(metric(*(part[at] for part in tables))) for at in range(3)]
    except (TypeError, ValueError):
        return None
    same = values.shape == tables[0].shape and np.array_equal(values[: len(alone)], alone, equal_nan=True)
    return values if same else None


def _tables(rng: np.random.Generator, whole: bool) -> tuple[Any, ...]:
    """Return counts tp, pp, p, n (`TABLES`,): small and whole, edges among them; or larger, and inside."""
    n: Any = rng.integers(1, 7, TABLES) if whole else rng.uniform(10, 1000, TABLES)
    p: Any = rng.integers(0, n + 1) if whole else n * rng.uniform(0.02, 0.9, TABLES)
    return *_within(rng, p, n, whole), p, n


def _within(rng: np.random.Generator, p: Any, n: Any, whole: bool) -> tuple[Any, Any]:
    """Return tp and pp that can be, (`TABLES`,)."""
    tp, fp = (
        rng.integers(0, most + 1, TABLES) if whole else most * rng.uniform(0.05, 0.95, TABLES)
        for most in (p, n - p)
    )
    return tp, tp + fp
