"""Rules that learn one number or none: baselines, and what people use without tuning."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from limen import metrics
from limen.curves import Curves, halfway
from limen.decisions import check_rule
from limen.errors import InputError
from limen.objectives import Objective
from limen.solvers.base import EVERYTHING, Problem
from limen.solvers.exact import Enumeration, first_best
from limen.solvers.item_table import along_path
from limen.solvers.solution import Solution
from limen.sources.blocks import Countable, Totals, flatten
from limen.sources.candidates import Candidates
from limen.sources.pooled import Pooled
from limen.sums import sums_of

_STRIDE = 256


@dataclass(frozen=True)
class Fixed:
    """The same given threshold for every label."""

    name: ClassVar[str] = "fixed"
    needs: ClassVar[Literal["curves", "scores"]] = "scores"
    serves: ClassVar[tuple[str, ...]] = EVERYTHING
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not math.isfinite(self.threshold):
            raise InputError(f"fixed:{self.threshold} is not a threshold. Give a finite number.")

    def solve(self, problem: Problem) -> Solution:
        """Return the threshold, once for each label."""
        return Solution(values=np.full(len(problem.labels), self.threshold))


@dataclass(frozen=True)
class Shared:
    """The best single threshold for all labels, chosen among the positive scores of all labels.

    Notes
    -----
    For averages over items ``few`` distinct positive scores are tried, evenly by rank.

    For micro averages all distinct positive scores are tried, by counting where a bound does not rule
    them out. For macro and weighted ones at most
    ``most`` of them, evenly by rank, since each needs the counts of every label.
    """

    name: ClassVar[str] = "shared"
    needs: ClassVar[Literal["curves", "scores"]] = "scores"
    serves: ClassVar[tuple[str, ...]] = EVERYTHING
    most: int = 1024
    few: int = 256

    def solve(self, problem: Problem) -> Solution:
        """Return the threshold, once for each label."""
        objective, n_labels = problem.objective, len(problem.labels)
        if objective.needs_items:
            return Solution(values=np.full(n_labels, best_shared(problem, self.few)))
        if objective.pooled:
            pooled = _promising(Pooled(problem.sources), replace(objective, average="macro"))
            index = Enumeration().solve(Problem(replace(objective, average="macro"), (), pooled)).index
            assert index is not None
            return Solution(values=np.repeat(pooled.thresholds(index).astype(np.float64), n_labels))
        own = [source.candidates().cuts for source in problem.sources]
        cuts = np.unique(np.concatenate(own))
        cuts = cuts[np.unique(np.linspace(0, len(cuts) - 1, min(len(cuts), self.most)).astype(np.int64))]
        grid = Candidates.shared(problem.labels, problem.dtype, cuts[np.isfinite(cuts)])
        parts = [Curves.from_source(source, grid) for source in problem.sources]
        curves = sum(parts[1:], start=parts[0])
        tp, pp, beneath = (x.reshape(n_labels, -1) for x in (curves.tp, curves.pp, curves.beneath))
        values = [objective(*counts, curves.n_positive, curves.n_known) for counts in zip(tp.T, pp.T, strict=True)]
        best = int(np.argmax(values))
        threshold = halfway(grid.cuts[best], beneath[:, best].max(), problem.dtype)
        return Solution(values=np.full(n_labels, threshold, np.float64))


@dataclass(frozen=True)
class PCut:
    """Each label is given to as many items as have it (Yang 2001): predicted prevalence = prevalence.

    Notes
    -----
    The cut is the candidate whose number of items is nearest to the number of positives; of two
    as near, the higher.
    """

    name: ClassVar[str] = "pcut"
    needs: ClassVar[Literal["curves", "scores"]] = "curves"
    serves: ClassVar[tuple[str, ...]] = EVERYTHING

    def solve(self, problem: Problem) -> Solution:
        """Return the cuts."""
        curves = problem.curves
        distance = np.abs(curves.pp - curves.n_positive[curves.label_of])
        return Solution(index=first_best(curves, -distance))


@dataclass(frozen=True)
class TopK:
    """Each item gets its ``k`` labels with the highest scores (RCut, Yang 2001).

    Parameters
    ----------
    k : int, optional
        None tries every number and takes the best on the tuning data.
    """

    name: ClassVar[str] = "top-k"
    needs: ClassVar[Literal["curves", "scores"]] = "scores"
    serves: ClassVar[tuple[str, ...]] = EVERYTHING
    k: int | None = None

    def solve(self, problem: Problem) -> Solution:
        """Return the rule; its per-label thresholds let everything pass."""
        n_labels = len(problem.labels)
        choices = range(1, n_labels + 1) if self.k is None else [self.k]
        for k in choices:
            check_rule(f"top-k:{k}", n_labels)
        k = self.k or self._best(problem)
        return Solution(values=_everything(problem), rule=f"top-k:{k}")

    def _best(self, problem: Problem) -> int:
        """Return the k with the largest objective: the ranks of all scores, counted once."""
        objective, n_labels = problem.objective, len(problem.labels)
        if objective.needs_items:
            return self._best_of_items(problem)
        tp, pp = np.zeros((2, n_labels, n_labels))
        totals = [source.totals() for source in problem.sources]
        for block in problem.blocks():
            entries = flatten(block, known_only=False)
            order = np.lexsort((entries.label, -entries.scores, entries.row))
            row = entries.row[order]
            rank = np.arange(len(row)) - np.searchsorted(row, row)
            known = entries.truth[order] >= 0
            cell = (rank * n_labels + entries.label[order])[known]
            weight = entries.weight[order][known]
            size = n_labels * n_labels
            pp += np.bincount(cell, weight, size).reshape(n_labels, n_labels)
            right = weight * (entries.truth[order][known] == 1)
            tp += np.bincount(cell, right, size).reshape(n_labels, n_labels)
        p, n = (np.add.reduce(part) for part in ([t.positive for t in totals], [t.known for t in totals]))
        tp, pp = tp.cumsum(axis=0), pp.cumsum(axis=0)
        return 1 + int(np.argmax([objective(tp[k], pp[k], p, n) for k in range(n_labels)]))

    def _best_of_items(self, problem: Problem) -> int:
        """Return the k with the largest average over items: the ranks of all scores, counted once."""
        objective, n_labels = problem.objective, len(problem.labels)
        if not objective.additive:
            values, numbers = _everything(problem), range(1, n_labels + 1)
            found = [objective(*sums_of(objective, problem.sources, values, f"top-k:{k}")) for k in numbers]
            return 1 + int(np.argmax(found))
        above, below = np.zeros((2, n_labels))
        for source in problem.sources:
            for block in source.dense_blocks():
                order = np.argsort(-block.scores, axis=1, kind="stable")
                truth = np.take_along_axis(block.truth, order, axis=1)
                stored = np.take_along_axis(block.scores, order, axis=1) > -np.inf
                tp, pp = (np.cumsum(some & stored, axis=1) for some in (truth == 1, truth >= 0))
                p, n = (np.count_nonzero(some, axis=1)[:, np.newaxis] for some in (truth == 1, truth >= 0))
                parts = objective.of_items(tp, pp, p, n)
                above, below = (
                    sums + block.weight @ part for sums, part in zip((above, below), parts, strict=True)
                )
        return 1 + int(np.argmax(metrics.ratio(above, below, objective.zero_division)))


@dataclass(frozen=True)
class MCut:
    """Each item gets the labels above the largest gap between its sorted scores (Largeron 2012)."""

    name: ClassVar[str] = "mcut"
    needs: ClassVar[Literal["curves", "scores"]] = "scores"
    serves: ClassVar[tuple[str, ...]] = EVERYTHING

    def solve(self, problem: Problem) -> Solution:
        """Return the rule; its per-label thresholds let everything pass."""
        if len(problem.labels) < 2:
            raise InputError("mcut looks for gaps between the labels of an item; there is one label.")
        return Solution(values=_everything(problem), rule="mcut")


def best_shared(problem: Problem, most: int) -> float:
    """Return the best cut that all labels share for an average over items, between two scores; +inf for none."""
    objective, sources = problem.objective, problem.sources
    scores = np.unique(np.concatenate([source.candidates().cuts for source in sources]))
    scores = scores[np.isfinite(scores)]
    some = scores[np.unique(np.linspace(0, len(scores) - 1, min(len(scores), most)).astype(np.int64))]
    cuts = np.concatenate([[np.inf], some[::-1]]).astype(np.float64)
    values = along_path(objective, sources, np.repeat(cuts[:, np.newaxis], len(problem.labels), axis=1))
    best = cuts[int(np.argmax(values))]
    below = [block.scores[block.scores < best].max(initial=-np.inf) for s in sources for block in s.dense_blocks()]
    return float(halfway(best, max(below), problem.dtype))


def _promising(source: Countable, objective: Objective) -> Curves:
    """Return the curves at those positive scores that can be the best cut, and at some more.

    With weights at all of them: sums in another order would differ in their last bits.

    Between two cuts a cut has at most the tp of the lower one and at least the fp of the higher one, and
    metrics rise with tp and fall with fp; so most scores need no counting where few do better than that.
    """
    if source.weighted:
        return Curves.from_source(source)
    every, totals = source.candidates(), source.totals()
    some = np.unique(np.append(np.arange(0, len(every.cuts), _STRIDE), len(every.cuts) - 1))
    coarse = _at(source, every, totals, some)
    values = objective.of_labels(coarse.tp, coarse.pp, coarse.n_positive, coarse.n_known, coarse.label_of)
    tp, fp, label = coarse.tp[1:], coarse.fp[:-1], coarse.label_of[1:]
    bounds = objective.of_labels(tp, tp + fp, coarse.n_positive, coarse.n_known, label)
    # Rounding must not hide the best.
    open_ = np.flatnonzero(bounds >= values.max() - 1e-9 * max(1.0, abs(values.max())))
    within = (some[open_, np.newaxis] + np.arange(1, _STRIDE)).ravel()
    return _at(source, every, totals, np.unique(np.append(some, within[within < len(every.cuts)])))


def _at(source: Countable, every: Candidates, totals: Totals, some: NDArray[np.int64]) -> Curves:
    candidates = replace(every, offsets=np.array([0, len(some)]), cuts=every.cuts[some])
    return Curves(candidates, *source.counts(candidates), totals.positive, totals.known, source.n_items)


def _everything(problem: Problem) -> NDArray[np.float64]:
    return np.full(len(problem.labels), float(np.finfo(problem.dtype).min))
