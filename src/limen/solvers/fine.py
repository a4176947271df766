"""Curves on a finer grid, in log odds: what the regularised methods work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import or_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves, merged, prevalence_factors
from limen.errors import UnsupportedError
from limen.fold_counts import FoldCounts
from limen.scales import Kind
from limen.solvers.grid import MOST, all_scores, apart, ends_on, fine_candidates, log_odds_of, noise_of, placed_at
from limen.solvers.places import Places, Points, increments
from limen.sources.blocks import Source
from limen.sources.extent import Extent, inner_ends


@dataclass(frozen=True, eq=False)
class FineCurves:
    """Curves whose candidates are the positive scores and a grid, and the scale of log odds.

    Attributes
    ----------
    raw : Curves
        As counted.
    places : Places
    squares : float64 (2, n_labels)
        Squared weights summed over the positives, and over the negatives, of each label.
    target : float64 (n_labels,), optional
        Share of positives that the curves are reweighted to.

    Notes
    -----
    Scores closer than 2^-15 in log odds (or 2^-17 of the label's range) are one, so that noise moves nothing. Of
    more than ``MOST`` positive scores of a label, so many are candidates, evenly by rank: cuts differ by more
    from sample to sample.
    """

    raw: Curves
    places: Places
    squares: NDArray[np.float64]
    target: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, sources: Sequence[Source], kind: Kind) -> FineCurves:
        """Return the curves of all sources together, whose scores are of a kind."""
        return cls.of_folds(sources, sources, kind)[0]

    @classmethod
    def of_folds(
        cls, sources: Sequence[Source], folds: Sequence[Source], kind: Kind
    ) -> tuple[FineCurves, list[FineCurves]]:
        """Return the curves of all sources, and of each fold at the same candidates."""
        positive = reduce(or_, (source.candidates() for source in sources))
        extent = Extent.of(sources)
        fine = fine_candidates(positive, extent, all_scores(sources), kind)
        return cls.of_counts(FoldCounts.of(folds, fine.candidates, extent, fine.few), kind)

    @classmethod
    def of_counts(cls, counts: FoldCounts, kind: Kind) -> tuple[FineCurves, list[FineCurves]]:
        """Return the curves of all items, and of each fold, from their counts.

        Weights count in units of their mean size, so that twice all weights are the same.
        """
        columns = zip(counts.tp, counts.fp, counts.n_positive, counts.n_known, counts.n_items, strict=True)
        counted = [
            Curves(counts.candidates, tp, fp, counts.beneath, positive, known, int(n_items))
            for tp, fp, positive, known, n_items in columns
        ]
        squares = list(counts.squares)
        raw, square = merged(counted), np.add.reduce(squares)
        if counts.tp.dtype != np.int64:
            unit = float(square.sum() / max(raw.n_known.sum(), 1e-300)) or 1.0
            raw, *counted = (
                replace(part, **{name: getattr(part, name) / unit for name in _COUNTS}, sources=())
                for part in (raw, *counted)
            )
            square, *squares = (part / unit**2 for part in (square, *squares))
        places = Places.of(raw, log_odds_of(counts.extent, kind), counts.few)
        return cls(raw, places, square), [
            cls(*part) for part in zip(counted, [places] * len(counted), squares, strict=True)
        ]

    @classmethod
    def of_curves(cls, curves: Curves, kind: Kind) -> FineCurves:
        """Return the curves of counts whose data are gone, at some of their own candidates.

        Negatives between two candidates lie where `Places` puts them. False positives that are known between
        bounds only are taken halfway.

        Raises
        ------
        UnsupportedError
            If the counts are sums of weights: how much they vary is not known then.
        """
        if curves.n_known.dtype != np.int64:
            raise UnsupportedError(
                "these curves count weights and have no data, so that how much weighted counts vary is not known. "
                "Use method='exact', or give the scores, labels and weights."
            )
        extent = _extent(curves)
        scale = log_odds_of(extent, kind)
        noise = noise_of(*ends_on(extent, scale))
        keep = apart(curves.offsets, placed_at(curves.candidates, scale), noise, MOST)
        keep[curves.offsets[:-1]] = True
        fp = (curves.fp + curves.optimistic.fp) / 2
        raw = replace(curves, fp=fp, fp_least=None).at(keep)
        places = Places.of(raw, scale, np.zeros(raw.n_labels, bool))
        return cls(raw, places, np.array([raw.n_positive, raw.n_known - raw.n_positive], np.float64))

    def without(self, part: FineCurves) -> FineCurves:
        """Return the curves of all items but those of a part.

        Candidates that only the part's positives made go too: their places would tell something of its labels.
        """
        a, b = self.raw, part.raw
        left = {name: np.maximum(getattr(a, name) - getattr(b, name), 0) for name in _COUNTS}
        raw = replace(a, **left, n_items=a.n_items - b.n_items, sources=())
        positive, negative = increments(raw)
        keep = self.places.fixed | (positive > 0)
        places = self.places.kept(keep, positive, negative)
        return replace(self, raw=raw.at(keep), places=places, squares=np.maximum(self.squares - part.squares, 0))

    def dealt(self, number: int, keys: NDArray[np.uint64]) -> list[FineCurves]:
        """Return random parts, dealt for each label by itself; counts must be of items, all of weight 1.

        Each label deals its items by their rank, so the order of items and labels changes nothing, and a score
        that moves a little changes little.
        """
        from limen._kernels import sampling as kernels

        curves = self.raw
        parts = np.zeros((number, 2, len(curves.tp)))
        kernels.deal(curves.offsets, np.rint(self.increments).astype(np.int64), keys, parts)
        label, first = curves.label_of, curves.offsets[:-1]
        below = np.stack(self.below) / number
        dealt = []
        for part in parts:
            tp, fp = (_cumulated(increments, label, first) for increments in part)
            last = curves.offsets[1:] - 1
            positive, negative = tp[last] + below[0], fp[last] + below[1]
            raw = replace(curves, tp=tp, fp=fp, n_positive=positive, n_known=positive + negative, sources=())
            dealt.append(replace(self, raw=raw, squares=np.stack([positive, negative])))
        return dealt

    def reweighted(self, target_prevalence: NDArray[np.float64] | None) -> FineCurves:
        """Return the curves as if each label had the given share of positives."""
        return replace(self, target=target_prevalence)

    @cached_property
    def curves(self) -> Curves:
        """The curves, reweighted if there is a target."""
        return self.raw if self.target is None else self.raw.reweighted(self.target)

    @property
    def units(self) -> NDArray[np.float64]:
        """Mean size of the weights of positives and of negatives, by weight, (2, n_labels); 1 without weights.

        What rounding leaves of the weights once a part is taken away may have no squares: it has size 1 too.
        """
        total = np.array([self.raw.n_positive, self.raw.n_known - self.raw.n_positive], np.float64)
        some = (total > 0) & (self.squares > 0)
        return np.where(some, self.squares / np.where(some, total, 1), 1.0)

    @property
    def positives(self) -> NDArray[np.float64]:
        """Number of positives of each label; with weights, of as many alike as would say as much."""
        return np.asarray(self.raw.n_positive / self.units[0], np.float64)

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return self.raw.n_labels

    @property
    def span(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest log odds of each label; 0 where a label has no item."""
        return self.places.span

    @cached_property
    def increments(self) -> NDArray[np.float64]:
        """Positives and negatives of each interval, (2, n_candidates); see `increments`."""
        return np.array(increments(self.raw), np.float64)

    @property
    def below(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Positives and negatives below all candidates: those whose score is not stored."""
        curves, last = self.raw, self.raw.offsets[1:] - 1
        positive = np.maximum(curves.n_positive - curves.tp[last], 0)
        return positive, np.maximum(curves.n_known - curves.n_positive - curves.fp[last], 0)

    @cached_property
    def points(self) -> Points:
        """Groups of items; negatives stand halfway between their interval's cut and highest score."""
        places, (positive, negative) = self.places, self.increments
        if self.target is not None:
            up, down = prevalence_factors(self.raw.n_positive, self.raw.n_known, self.target)
            positive, negative = positive * up[places.label], negative * down[places.label]
        none = np.zeros(len(positive))
        x, first, second = (
            np.stack(pair, axis=1).ravel()
            for pair in ((places.middle, places.at), (none, positive), (negative, none))
        )
        some = np.flatnonzero((first > 0) | (second > 0))
        return Points(x[some], np.repeat(places.label, 2)[some], first[some], second[some])

    def sums(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return sums of a weight of each point, by label."""
        return np.bincount(self.points.label, weight, self.n_labels).astype(np.float64)

    def back(self, cuts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return cuts in log odds as thresholds on the scale of the scores."""
        return self.places.scale.back(cuts)

    def counts(self, cuts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return tp and pp (2, cuts, n_labels) at cuts in log odds (cuts, n_labels).

        Between two candidates negatives are taken to lie evenly.
        """
        from limen._kernels import sampling as kernels

        curves, at = self.curves, self.places.at
        index = np.empty(cuts.shape, np.int64)
        kernels.lowest_at_or_above(curves.offsets, at, np.ascontiguousarray(cuts), index)
        last = curves.offsets[1:] - 1
        below = np.minimum(index + 1, last)
        high, low = np.minimum(at[index], self.span[1]), at[below]
        apart = (below > index) & (high > low)
        share = np.clip(np.where(apart, high - cuts, 0.0) / np.where(apart, high - low, 1.0), 0, 1)
        fp = curves.fp[index] + share * (curves.fp[below] - curves.fp[index])
        return np.stack([curves.tp[index] * 1.0, curves.tp[index] + fp])


def _extent(curves: Curves) -> Extent:
    """Return where the scores lie, as far as counts tell: of a label from its lowest candidate."""
    high, low = curves.beneath[curves.offsets[:-1]], curves.candidates.cuts[curves.offsets[1:] - 1]
    some = np.isfinite(high) & np.isfinite(low)
    low, high = np.where(some, low, np.inf), np.where(some, np.maximum(low, high), -np.inf)
    return Extent(low, high, *inner_ends(curves.scores_seen))


_COUNTS = ("tp", "fp", "n_positive", "n_known")


def _cumulated(
    values: NDArray[np.float64], label: NDArray[np.int64], first: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return sums within each label, which begins at ``first`` with a value of 0."""
    total = np.cumsum(values)
    return np.asarray(total - total[first][label])
