"""Scores on the scale a learner works on, binned: what iterative solvers look at in each step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.scales import Scale
from limen.solvers.base import Problem
from limen.sources.blocks import Entries, Rows, Source, flatten


@dataclass(frozen=True)
class Bins:
    """Scores of each label, end to end: the items themselves, or the non-empty halves of bins.

    Attributes
    ----------
    offsets : int64 (n_labels + 1,)
    x : float64 (n_entries,)
        A score; or the mean score of a bin's positives, or of its negatives.
    positive, weight : float64 (n_entries,)
        Weight of the positives, and of all items, behind an entry.
    totals : float64 (2, n_labels)
        Weight of the positives and of all known items of each label, those without a score among them.
    """

    offsets: NDArray[np.int64]
    x: NDArray[np.float64]
    positive: NDArray[np.float64]
    weight: NDArray[np.float64]
    totals: NDArray[np.float64]

    @classmethod
    def of(cls, problem: Problem, scale: Scale, bins: int) -> Bins:
        """Return the table of a problem; no label has more than two entries a bin.

        With at most ``bins`` items every item is an entry and nothing is lost. Otherwise bins are of
        equal width between a label's lowest and highest score, and positives and negatives of a
        bin stand at their own means, so sums of a smooth function are off by O(width^2).
        """
        blocks = (flatten(block) for block in problem.blocks(check=False))
        if problem.n_items <= bins:
            return cls.of_items(blocks, scale, _totals(problem.sources))
        return cls._binned(problem, scale, bins)

    @classmethod
    def of_items(cls, blocks: Iterable[Entries], scale: Scale, totals: NDArray[np.float64]) -> Bins:
        """Return the table with one entry for each known pair."""
        n_labels = totals.shape[1]
        parts = [(scale.forward(b.scores, b.label), b.label, b.truth == 1, b.weight) for b in blocks]
        x, label, positive, weight = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.argsort(label, kind="stable")
        offsets = np.searchsorted(label[order], np.arange(n_labels + 1))
        return cls(offsets, x[order], (positive * weight)[order] * 1.0, weight[order] * 1.0, totals)

    @classmethod
    def _binned(cls, problem: Problem, scale: Scale, bins: int) -> Bins:
        from limen import _kernels

        n_labels = len(problem.labels)
        low, high = _range_of_labels(problem, scale)
        width = high - low
        # Scores closer than this are one score: the number of bins a unit would overflow.
        per_unit = bins / np.where(width > 1e-300, width, 1.0)
        sums = np.zeros((n_labels, bins, 2, 2))
        for block in problem.blocks(check=False):
            _kernels.bin_block(_scaled(block, scale), (low, per_unit), sums)
        cells = sums.reshape(-1, 2)
        full = np.flatnonzero(cells[:, 0])
        weight, moment = np.ascontiguousarray(cells[full].T)
        offsets = np.searchsorted(full, np.arange(n_labels + 1) * 2 * bins)
        return cls(offsets, moment / weight, weight * (full % 2), weight, _totals(problem.sources))

    def spread(self, by_label: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return, for each entry, the value of its label."""
        return np.repeat(by_label, np.diff(self.offsets))

    @cached_property
    def label(self) -> NDArray[np.int64]:
        """Label number of each entry."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def sums(self, factor: NDArray[Any]) -> NDArray[np.float64]:
        """Return the sums by label of ``factor`` over positives and over all items, shape (2, n_labels)."""
        sums = np.zeros((2, len(self.offsets) - 1))
        some = np.flatnonzero(np.diff(self.offsets))
        for row, weight in zip(sums, (self.positive, self.weight), strict=True):
            row[some] = np.add.reduceat(factor * weight, self.offsets[some]) if len(some) else 0
        return sums

    def counts(self, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return tp and pp at thresholds on the table's scale, shape (2, n_labels)."""
        from limen import _kernels

        offsets, ascending, tp, pp = self._cumulated
        out = np.empty((2, len(offsets) - 1))
        _kernels.counts_at(_kernels.Points(offsets, tp, pp), ascending, thresholds, out)
        return out

    @cached_property
    def _cumulated(self) -> tuple[NDArray[Any], ...]:
        order = np.lexsort((self.x, self.label))
        at_or_above = []
        for weight in (self.positive[order], self.weight[order]):
            total = np.cumsum(weight[::-1])[::-1]
            beyond = np.append(total, 0.0)[self.offsets[1:]]
            at_or_above.append(total - beyond[self.label])
        return self.offsets, self.x[order], at_or_above[0], at_or_above[1]


def _range_of_labels(problem: Problem, scale: Scale) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and the highest known score of each label, on a scale; equal where none is known."""
    n_labels = len(problem.labels)
    low, high = np.full(n_labels, np.inf), np.full(n_labels, -np.inf)
    for block in problem.blocks(check=False):
        if isinstance(block, Rows) and block.truth.min(initial=0) >= 0:
            np.minimum(low, block.scores.min(axis=0), out=low)
            np.maximum(high, block.scores.max(axis=0), out=high)
        else:
            entries = flatten(block)
            np.minimum.at(low, entries.label, entries.scores)
            np.maximum.at(high, entries.label, entries.scores)
    label = np.arange(n_labels)
    some = low <= high
    return scale.forward(np.where(some, low, 0.5), label), scale.forward(np.where(some, high, 0.5), label)


def _scaled(block: Rows | Entries, scale: Scale) -> Rows | Entries:
    """Return a block with its scores on a scale."""
    label = np.arange(block.scores.shape[1]) if isinstance(block, Rows) else block.label
    return block._replace(scores=scale.forward(block.scores, label))


def _totals(sources: Iterable[Source]) -> NDArray[np.float64]:
    """Return the weight of the positives and of all known items of each label, (2, n_labels)."""
    totals = [source.totals() for source in sources]
    return np.asarray(np.add.reduce([(t.positive * 1.0, t.known * 1.0) for t in totals]))
