"""Small problems with many ties, and how limen's results are put to the oracle."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import limen
import limen.solvers
from oracle import naive

AVERAGES = ("micro", "macro", "weighted")
METRICS = tuple(naive.METRICS)
SCORE_DTYPES = (np.float16, np.float32, np.float64)
PATIENT = settings(deadline=None)
"""The first call compiles, so no test has a deadline."""


class Data(NamedTuple):
    """Read-only arrays, so that every test also shows that limen does not write to its inputs."""

    y_true: NDArray[Any]
    y_score: NDArray[Any]
    sample_weight: NDArray[np.float64] | None = None

    def column(self, k: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64] | None]:
        return self.y_true[:, k], self.y_score[:, k], self.sample_weight

    def taken(self, rows: Any) -> Data:
        return data(*(None if part is None else part[rows] for part in self))


def data(y_true: Any, y_score: Any, sample_weight: Any = None) -> Data:
    parts = [None if part is None else np.array(part) for part in (y_true, y_score, sample_weight)]
    for part in parts:
        if part is not None:
            part.setflags(write=False)
    return Data(*parts)


def grid(dtype: Any) -> list[Any]:
    """Scores that are ties, neighbours, signed zeros, and the ends of the range."""
    dtype = np.dtype(dtype).type
    half, limits = dtype(0.5), np.finfo(dtype)
    ordinary = [-0.0, 0.0, 0.25, 0.5, np.nextafter(half, dtype(0)), np.nextafter(half, dtype(1)), 1.0, -3.0, 40.0]
    extreme = [limits.smallest_subnormal, -limits.smallest_subnormal, limits.max, limits.min]
    return [dtype(score) for score in ordinary + extreme]


@st.composite
def problems(
    draw: Any,
    *,
    dtypes: Iterable[Any] = SCORE_DTYPES,
    most_items: int = 12,
    most_labels: int = 3,
    unknown: bool = True,
    weighted: bool = True,
) -> Data:
    """Problems from one item and one label up; columns may be all 0, all 1 or all unknown."""
    dtype = draw(st.sampled_from(list(dtypes)))
    shape = draw(st.integers(1, most_items)), draw(st.integers(1, most_labels))
    scores = draw(st.lists(st.sampled_from(grid(dtype)), min_size=1, max_size=6))
    columns = []
    for _ in range(shape[1]):
        truths = draw(
            st.sampled_from([[0.0], [1.0], [0.0, 1.0], [0.0, 1.0, np.nan], [np.nan]][: 5 if unknown else 3])
        )
        columns.append(draw(st.lists(st.sampled_from(truths), min_size=shape[0], max_size=shape[0])))
    flat = draw(st.lists(st.sampled_from(scores), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    weight = None
    if weighted and draw(st.booleans()):
        quarters = draw(st.lists(st.integers(0, 9), min_size=shape[0], max_size=shape[0]).filter(any))
        weight = np.array(quarters) / 4
    return data(np.array(columns).T, np.array(flat, dtype).reshape(shape), weight)


def random_data(
    seed: int,
    *,
    most_items: int = 8,
    most_labels: int = 3,
    n_items: int | None = None,
    n_labels: int | None = None,
    unknown: bool | None = None,
    weighted: bool | None = None,
    dtype: Any = None,
) -> Data:
    """The same kind of problem from a seed, where hypothesis would be slow; what is None is drawn."""
    rng = np.random.default_rng(seed)
    n_items = n_items or int(rng.integers(1, most_items + 1))
    n_labels = n_labels or int(rng.integers(1, most_labels + 1))
    dtype = np.dtype(dtype or rng.choice(["f2", "f4", "f8"]))
    scores = rng.permutation(np.array(grid(dtype)[:9], dtype))[: rng.integers(1, 6)]
    y_score = rng.choice(scores, (n_items, n_labels))
    rates = rng.choice([0.0, 0.3, 0.5, 0.5, 1.0], n_labels)
    y_true = (rng.random((n_items, n_labels)) < rates).astype(float)
    if rng.random() < 0.3 if unknown is None else unknown:
        y_true[rng.random(y_true.shape) < 0.25] = np.nan
    weight = None
    if rng.random() < 0.3 if weighted is None else weighted:
        weight = rng.integers(0, 9, n_items) / 4
        weight[rng.integers(n_items)] = 0.25
    return data(y_true, y_score, weight)


def smooth_data(seed: int, n_items: int = 60, n_labels: int = 3, dtype: Any = np.float64) -> Data:
    """Distinct scores in 0 to 1 that say something about the labels: for the iterative solvers."""
    rng = np.random.default_rng(seed)
    y_true = (rng.random((n_items, n_labels)) < 0.4).astype(float)
    y_score = 1 / (1 + np.exp(-rng.normal(1.5 * y_true - 0.8)))
    return data(y_true, y_score.astype(dtype))


def tuned(problem: Data | limen.Curves, **options: Any) -> limen.Thresholds:
    """Tune, by the exact method if no other is named.

    Without the warning about labels that have no positives, which has tests of its own.
    """
    options.setdefault("method", "exact")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", limen.LimenWarning)
        if isinstance(problem, Data):
            y_true, y_score, sample_weight = problem
            return limen.tune(y_true, y_score, sample_weight=sample_weight, **options)
        return limen.tune(problem, **options)


def curves_of(problem: Data, **options: Any) -> limen.Curves:
    return limen.Curves.from_arrays(*problem[:2], sample_weight=problem.sample_weight, **options)


def thresholds_at(values: Any, labels: Any = ("dog",), dtype: Any = float) -> limen.Thresholds:
    """Thresholds of these values, and whatever else an artefact needs."""
    problem = random_data(3, n_items=6, n_labels=len(labels), weighted=False, dtype=dtype)
    return replace(tuned(problem, labels=labels), values=np.array(values, dtype))


class Spy:
    """A solver that remembers which of `numbered` items it was tuned on, and their groups; it gives 0.5."""

    name, needs, serves = "spy", "scores", ("separable", "linear-ratio", "quasi-convex", "counts")

    def __init__(self) -> None:
        self.seen: list[NDArray[Any]] = []
        self.groups: list[Any] = []

    def solve(self, problem: Any) -> limen.solvers.Solution:
        scores = np.concatenate([block.scores[:, 0] for block in problem.blocks()])
        self.seen.append(scores.astype(int))
        self.groups.append(problem.groups)
        return limen.solvers.Solution(values=np.full(len(problem.labels), 0.5))


def numbered(n_items: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Labels, and scores that are the numbers of the items."""
    y_score = np.column_stack([np.arange(n_items, dtype=float), np.zeros(n_items)])
    return np.tile([[1, 0], [0, 1]], (n_items, 1))[:n_items], y_score


def exactly(counts: Iterable[NDArray[Any]]) -> list[tuple[Fraction, ...]]:
    """limen's counts by label as the oracle writes them: (tp, pp, p, n) in fractions."""
    return [tuple(map(Fraction, label)) for label in zip(*(part.tolist() for part in counts), strict=True)]


def recounted(problem: Data, thresholds: Any) -> list[tuple[Any, ...]]:
    """The oracle's counts of each label at thresholds."""
    return naive.counts(problem.y_true, problem.y_score, thresholds, problem.sample_weight)


def best_value(metric: Any, average: str, problem: Data, zero_division: Any = 0) -> Any:
    """The oracle's highest value over all threshold vectors, as `naive.best` gives it."""
    return naive.best(metric, average, *problem, zero_division=zero_division)[0]
