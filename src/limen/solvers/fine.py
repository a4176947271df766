"""Curves on a finer grid, in log odds: what the regularised methods work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves, prevalence_factors
from limen.scales import Logit
from limen.sources.blocks import Source, flatten
from limen.sources.candidates import Candidates

GRID = 64
SMALL = 1 << 20


class Points(NamedTuple):
    """Where the items of each label lie, on the scale of log odds; one element for each group of items.

    Groups are the positives at one candidate, or the negatives between two candidates.
    """

    x: NDArray[np.float64]
    label: NDArray[np.int64]
    positive: NDArray[np.float64]
    negative: NDArray[np.float64]


@dataclass(frozen=True)
class FineCurves:
    """Curves whose candidates are the positive scores and a grid, and the scale of log odds.

    Attributes
    ----------
    raw : Curves
        As counted.
    scale : Logit
    on_grid : bool (n_candidates,)
        Which candidates are there whatever the labels of the items.
    squares : float64 (2, n_labels)
        Squared weights summed over the positives, and over the negatives, of each label.
    target : float64 (n_labels,), optional
        Share of positives that the curves are reweighted to.
    """

    raw: Curves
    scale: Logit
    on_grid: NDArray[np.bool_]
    squares: NDArray[np.float64]
    target: NDArray[np.float64] | None = None

    @classmethod
    def of_folds(cls, sources: Sequence[Source], folds: Sequence[Source]) -> list[FineCurves]:
        """Return the curves of each fold at the candidates of all ``sources``, so that they add up."""
        candidates, scale, on_grid = _fine_candidates(sources)
        return [cls(Curves.from_source(fold, candidates), scale, on_grid, _squares(fold)) for fold in folds]

    def __add__(self, other: FineCurves) -> FineCurves:
        """Return the curves of both parts together."""
        return replace(self, raw=self.raw + other.raw, squares=self.squares + other.squares)

    def without_foreign(self) -> FineCurves:
        """Return the curves without the candidates that only other folds' positives made.

        Where those lie would tell something of the other folds' labels.
        """
        keep = self.on_grid | (self.increments[0] > 0)
        keep[self.raw.offsets[:-1]] = True
        return replace(self, raw=self.raw.at(keep), on_grid=self.on_grid[keep])

    def reweighted(self, target_prevalence: NDArray[np.float64]) -> FineCurves:
        """Return the curves as if each label had the given share of positives."""
        return replace(self, target=target_prevalence)

    @cached_property
    def curves(self) -> Curves:
        """The curves, reweighted if there is a target."""
        return self.raw if self.target is None else self.raw.reweighted(self.target)

    @property
    def units(self) -> NDArray[np.float64]:
        """Mean size of the weights of positives and of negatives, by weight, (2, n_labels); 1 without weights."""
        total = np.array([self.raw.n_positive, self.raw.n_known - self.raw.n_positive], np.float64)
        return np.where(total > 0, self.squares / np.where(total > 0, total, 1), 1.0)

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return self.raw.n_labels

    @cached_property
    def increments(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Positives and negatives of each interval, as counted: at or above a cut and below the next higher."""
        first = self.raw.offsets[:-1]
        parts = []
        for cumulated in (self.raw.tp, self.raw.fp):
            change = np.diff(cumulated, prepend=cumulated[:1])
            change[first] = 0
            parts.append(change)
        return parts[0], parts[1]

    @cached_property
    def points(self) -> Points:
        """Groups of items; negatives stand halfway between their interval's cut and highest score."""
        curves, label = self.raw, self.raw.label_of
        positive, negative = self.increments
        if self.target is not None:
            up, down = prevalence_factors(curves.n_positive, curves.n_known, self.target)
            positive, negative = positive * up[label], negative * down[label]
        highest = np.concatenate([[-np.inf], curves.beneath[:-1]])
        at_cut, with_some = np.flatnonzero(positive > 0), np.flatnonzero(negative > 0)
        cut = self.scale.forward(curves.candidates.cuts[at_cut], label[at_cut])
        low = self.scale.forward(curves.candidates.cuts[with_some], label[with_some])
        high = self.scale.forward(highest[with_some], label[with_some])
        none = np.zeros(len(at_cut)), np.zeros(len(with_some))
        return Points(
            np.concatenate([cut, low / 2 + high / 2]),
            np.concatenate([label[at_cut], label[with_some]]),
            np.concatenate([positive[at_cut].astype(np.float64), none[1]]),
            np.concatenate([none[0], negative[with_some].astype(np.float64)]),
        )

    @cached_property
    def span(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest log odds of each label; 0 where a label has no item."""
        first, last = self.curves.offsets[:-1], self.curves.offsets[1:] - 1
        highest, lowest = self.curves.beneath[first], self.curves.candidates.cuts[last]
        some = np.isfinite(highest) & np.isfinite(lowest)
        ends = (self.scale.forward(np.where(some, end, 0.5), first) for end in (lowest, highest))
        low, high = (np.where(some, end, 0.0) for end in ends)
        return low, np.maximum(low, high)

    def sums(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return sums of a weight of each point, by label."""
        return np.bincount(self.points.label, weight, self.n_labels).astype(np.float64)

    def log_odds(self, thresholds: NDArray[Any]) -> NDArray[np.float64]:
        """Return thresholds (n_labels,) as log odds.

        "Never" lies just above the label's highest score, and a cut at its lowest just below, so that a
        mean of cuts is on the side of most of them.
        """
        finite = np.isfinite(thresholds)
        low, high = self.span
        x = self.scale.forward(np.where(finite, thresholds, 0.5), np.arange(self.n_labels))
        return np.where(finite, np.where(x <= low, low - MARGIN, x), high + MARGIN)

    def back(self, cuts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return cuts in log odds as thresholds on the scale of the scores."""
        return self.scale.back(cuts)

    def index(self, cuts: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return, for cuts in log odds, each label's lowest candidate at or above."""
        curves, thresholds = self.curves, self.back(cuts)
        above = curves.candidates.cuts >= thresholds[curves.label_of]
        counted = np.add.reduceat(above.astype(np.int64), curves.offsets[:-1])
        return curves.offsets[:-1] + np.maximum(counted, 1) - 1


MARGIN = 0.1
"""How far above a label's highest score "never" lies, in log odds, where cuts are averaged."""


def _fine_candidates(sources: Sequence[Source]) -> tuple[Candidates, Logit, NDArray[np.bool_]]:
    """Return positive scores and a grid even in log odds, the scale, and which candidates are of the grid."""
    candidates = sources[0].candidates()
    for source in sources[1:]:
        candidates = candidates | source.candidates()
    n_labels = len(candidates.labels)
    low, high = np.full(n_labels, np.inf), np.full(n_labels, -np.inf)
    tiny, nearly = np.inf, -np.inf
    for source in sources:
        for block in source.blocks(check=False):
            if block.scores.ndim == 2:
                low, high = np.minimum(low, block.scores.min(axis=0)), np.maximum(high, block.scores.max(axis=0))
            else:
                entries = flatten(block)
                np.minimum.at(low, entries.label, entries.scores)
                np.maximum.at(high, entries.label, entries.scores)
            tiny = min(tiny, float(block.scores.min(initial=np.inf, where=block.scores > 0)))
            nearly = max(nearly, float(block.scores.max(initial=-np.inf, where=block.scores < 1)))
    known = np.flatnonzero(np.isfinite(low))
    from_logits = bool(len(known)) and bool(low[known].min() < 0 or high[known].max() > 1)
    scale = Logit(from_logits, min(tiny / 2, 0.25), min((1 - nearly) / 2, 0.25))
    ends = scale.forward(low[known], known), scale.forward(high[known], known)
    share = np.linspace(0, 1, GRID)[1:, np.newaxis]
    grid = ends[0] * (1 - share) + ends[1] * share
    cuts = np.concatenate([low[known], scale.back(grid).ravel()])
    added = Candidates.distinct(candidates.labels, candidates.dtype, np.tile(known, GRID), cuts)
    if sum(source.n_items for source in sources) * n_labels <= SMALL:
        added = added | _few_distinct(sources)
    united = candidates | added
    return united, scale, _among(united, added)


def _squares(source: Source) -> NDArray[np.float64]:
    """Return the squared weights summed over the positives and over the negatives of each label."""
    if not source.weighted:
        return np.asarray(source.totals(), np.float64)
    squares = np.zeros((2, len(source.labels)))
    for block in source.dense_blocks():
        for row, code in enumerate((1, 0)):
            squares[row] += block.weight**2 @ (block.truth == code)
    return squares


def _few_distinct(sources: Sequence[Source]) -> Candidates:
    """Return all scores of the labels that have no more distinct ones than the grid has cuts."""
    blocks = [flatten(block) for source in sources for block in source.blocks(check=False)]
    label = np.concatenate([block.label for block in blocks])
    scores = np.concatenate([block.scores for block in blocks])
    labels, dtype = sources[0].labels, sources[0].dtype
    distinct = Candidates.distinct(labels, dtype, label, scores)
    few = np.diff(distinct.offsets) <= GRID
    return Candidates.distinct(labels, dtype, label[few[label]], scores[few[label]])


def _among(united: Candidates, part: Candidates) -> NDArray[np.bool_]:
    """Return which candidates of a union are in one of its parts."""
    cuts = np.concatenate([united.cuts, part.cuts])
    label = np.concatenate([np.repeat(np.arange(len(c.labels)), np.diff(c.offsets)) for c in (united, part)])
    order = np.lexsort((np.arange(len(cuts)), -cuts, label))
    same = (label[order][1:] == label[order][:-1]) & (cuts[order][1:] == cuts[order][:-1])
    among = np.zeros(len(united.cuts), bool)
    among[order[:-1][same]] = True
    return among
