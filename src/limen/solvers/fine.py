"""Curves on a finer grid, in log odds: what the regularised methods work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves, halfway, prevalence_factors
from limen.scales import Kind, Logit
from limen.sources.blocks import Source, flatten
from limen.sources.candidates import Candidates

GRID = 64
MOST = 1024
SMALL = 1 << 20
MARGIN = 0.1
"""How far above a label's highest score "never" lies, in log odds, where cuts are averaged."""


class Points(NamedTuple):
    """Where the items of each label lie, on the scale of log odds; one element for each group of items.

    Groups are the positives, or the negatives, between two candidates; by label and falling.
    """

    x: NDArray[np.float64]
    label: NDArray[np.int64]
    positive: NDArray[np.float64]
    negative: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Places:
    """Where candidates and items lie, in log odds.

    Attributes
    ----------
    scale : Logit
    label : int64 (n_candidates,)
    at : float64 (n_candidates,)
        Each candidate; "never" is +inf.
    cut : float64 (n_candidates,)
        Halfway to the highest score below. "Never" lies just above the label's highest score, and a cut at its
        lowest just below, so that a mean of cuts is on the side of most of them.
    middle : float64 (n_candidates,)
        Where the negatives of the candidate's interval lie: halfway up to the highest score of it.
    top : float64 (n_candidates,)
        The highest score of the candidate's interval.
    fixed : bool (n_candidates,)
        Which candidates are there whatever the labels of the items.
    span : float64 (2, n_labels)
        Lowest and highest log odds of each label; 0 where a label has no item.
    """

    scale: Logit
    label: NDArray[np.int64]
    at: NDArray[np.float64]
    cut: NDArray[np.float64]
    middle: NDArray[np.float64]
    top: NDArray[np.float64]
    fixed: NDArray[np.bool_]
    span: tuple[NDArray[np.float64], NDArray[np.float64]]

    @classmethod
    def of(cls, curves: Curves, scale: Logit, few: NDArray[np.bool_]) -> Places:
        """Return the places of curves of all data; ``few`` tells the labels all of whose scores are candidates."""
        label, cuts, first = curves.label_of, curves.candidates.cuts, curves.offsets[:-1]
        never = ~np.isfinite(cuts)
        at = np.where(never, np.inf, scale.forward(np.where(never, 0.5, cuts), label))
        highest, lowest = curves.beneath[first], cuts[curves.offsets[1:] - 1]
        some = np.isfinite(highest) & np.isfinite(lowest)
        numbers = np.arange(curves.n_labels)
        low, high = (
            np.where(some, scale.forward(np.where(some, end, 0.5), numbers), 0.0) for end in (lowest, highest)
        )
        high = np.maximum(low, high)
        halved = halfway(cuts, curves.beneath, curves.dtype)
        cut = scale.forward(np.where(never, 0.5, halved), label)
        cut = np.where(never, high[label] + MARGIN, np.where(cut <= low[label], low[label] - MARGIN, cut))
        top = np.concatenate([[-np.inf], curves.beneath[:-1]])
        top = np.where(np.isfinite(top) & (top > cuts), top, cuts)
        upper = np.where(never, 0.0, scale.forward(np.where(never, 0.5, top), label))
        middle = np.where(never, 0.0, at) / 2 + upper / 2
        fixed = never | few[label] | (_increments(curves)[0] == 0)
        fixed[curves.offsets[1:] - 1] = True
        return cls(scale, label, at, cut, middle, upper, fixed, (low, high))

    def kept(self, keep: NDArray[np.bool_], positive: NDArray[Any], negative: NDArray[Any]) -> Places:
        """Return the places of some of the candidates, for some of the items.

        The negatives of an interval move to their mean, and "never" to just above the highest of the items.
        """
        # The place of the next candidate that is kept, at or below.
        joined: NDArray[np.int64] = np.cumsum(keep) - keep.astype(np.int64)
        size = int(keep.sum())
        total = np.bincount(joined, negative, size)
        mean = np.bincount(joined, negative * self.middle, size) / np.where(total > 0, total, 1)
        middle = np.where(total > 0, mean, self.middle[keep])
        low, high = self.span[0], self.span[0].copy()
        some = np.flatnonzero((positive > 0) | (negative > 0))
        np.maximum.at(high, self.label[some], self.top[some])
        cut = np.where(np.isfinite(self.at), self.cut, (high + MARGIN)[self.label])[keep]
        return replace(
            self,
            label=self.label[keep],
            at=self.at[keep],
            cut=cut,
            middle=middle,
            top=self.top[keep],
            fixed=self.fixed[keep],
            span=(low, high),
        )


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
        """Return the curves of all sources, and of each fold at the same candidates.

        Weights count in units of their mean size, so that twice all weights are the same.
        """
        candidates, scale, few = _fine_candidates(sources, kind)
        counted = [_counted(fold, candidates) for fold in folds]
        squares = [_squares(fold) for fold in folds]
        raw, square = sum(counted[1:], start=counted[0]), np.add.reduce(squares)
        if sources[0].weighted:
            unit = float(square.sum() / max(raw.n_known.sum(), 1e-300)) or 1.0
            raw, *counted = (
                replace(part, **{name: getattr(part, name) / unit for name in _COUNTS}, sources=())
                for part in (raw, *counted)
            )
            square, *squares = (part / unit**2 for part in (square, *squares))
        places = Places.of(raw, scale, few)
        return cls(raw, places, square), [
            cls(*part) for part in zip(counted, [places] * len(folds), squares, strict=True)
        ]

    def without(self, part: FineCurves) -> FineCurves:
        """Return the curves of all items but those of a part.

        Candidates that only the part's positives made go too: their places would tell something of its labels.
        """
        a, b = self.raw, part.raw
        left = {name: np.maximum(getattr(a, name) - getattr(b, name), 0) for name in _COUNTS}
        raw = replace(a, **left, n_items=a.n_items - b.n_items, sources=())
        positive, negative = _increments(raw)
        keep = self.places.fixed | (positive > 0)
        places = self.places.kept(keep, positive, negative)
        return replace(self, raw=raw.at(keep), places=places, squares=np.maximum(self.squares - part.squares, 0))

    def dealt(self, number: int, keys: NDArray[np.uint64]) -> list[FineCurves]:
        """Return random parts, dealt for each label by itself; counts must be of items, all of weight 1.

        Each label deals its items by their rank, so the order of items and labels changes nothing, and a score
        that moves a little changes little.
        """
        from limen import _sampling_kernels as kernels

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
        """Mean size of the weights of positives and of negatives, by weight, (2, n_labels); 1 without weights."""
        total = np.array([self.raw.n_positive, self.raw.n_known - self.raw.n_positive], np.float64)
        return np.where(total > 0, self.squares / np.where(total > 0, total, 1), 1.0)

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
        """Positives and negatives of each interval, (2, n_candidates): at or above a cut and below the next higher."""
        return np.array(_increments(self.raw), np.float64)

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
        from limen import _sampling_kernels as kernels

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


def _counted(source: Source, candidates: Candidates) -> Curves:
    """Return the curves at candidates that may not be the source's own: a better cut may lie between."""
    tallies, totals = source.counts(candidates), source.totals()
    return Curves(candidates, *tallies, totals.positive, totals.known, source.n_items)


_COUNTS = ("tp", "fp", "n_positive", "n_known")


def _increments(curves: Curves) -> tuple[NDArray[Any], NDArray[Any]]:
    first, parts = curves.offsets[:-1], []
    for cumulated in (curves.tp, curves.fp):
        change = np.diff(cumulated, prepend=cumulated[:1])
        change[first] = 0
        parts.append(change)
    return parts[0], parts[1]


def _cumulated(
    values: NDArray[np.float64], label: NDArray[np.int64], first: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return sums within each label, which begins at ``first`` with a value of 0."""
    total = np.cumsum(values)
    return np.asarray(total - total[first][label])


def _fine_candidates(sources: Sequence[Source], kind: Kind) -> tuple[Candidates, Logit, NDArray[np.bool_]]:
    """Return positive scores and a grid in log odds, or all scores where they are few; the scale; and where."""
    positive = sources[0].candidates()
    for source in sources[1:]:
        positive = positive | source.candidates()
    n_labels = len(positive.labels)
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
    some = np.isfinite(low)
    scale = Logit(kind != "probability", min(tiny / 2, 0.25), min((1 - nearly) / 2, 0.25))
    numbers = np.arange(n_labels)
    ends = [scale.forward(np.where(some, end, 0.5), numbers) for end in (low, high)]
    noise = np.minimum(np.where(some, ends[1] - ends[0], 0.0) * 2.0**-17, 2.0**-15)
    few = np.zeros(n_labels, bool)
    united = _thinned(positive, scale, noise, MOST)
    if sum(source.n_items for source in sources) * n_labels <= SMALL:
        scores = _thinned(_all_scores(sources), scale, noise)
        few = np.diff(scores.offsets) <= GRID + 1
        united = _of_labels(united, ~few) | _of_labels(scores, few)
    known = np.flatnonzero(some & ~few)
    # Most of the grid lies above the lowest positive, where cuts are, and does not move with the lowest score.
    last = positive.cuts[positive.offsets[1:] - 1]
    turn = np.where(np.isfinite(last), scale.forward(np.where(np.isfinite(last), last, 0.5), numbers), ends[0])
    below, above = (np.arange(steps)[:, np.newaxis] / steps for steps in (GRID // 4, GRID - GRID // 4))
    low_end, turn, high_end = (end[known] for end in (ends[0], turn, ends[1]))
    grid = np.concatenate([low_end + below[1:] * (turn - low_end), turn + above[1:] * (high_end - turn)])
    cuts = np.concatenate([low[known], scale.back(grid).ravel()])
    united = united | Candidates.distinct(united.labels, united.dtype, np.tile(known, GRID - 1), cuts)
    return _thinned(united, scale, noise, lower=False), scale, few


def _thinned(
    candidates: Candidates, scale: Logit, noise: NDArray[np.float64], most: int | None = None, lower: bool = True
) -> Candidates:
    """Return candidates further apart than ``noise`` (n_labels,): (just below) the lowest of those that are one.

    Of more than ``most`` of a label, so many, evenly by rank.
    """
    from limen import _sampling_kernels as kernels

    label = np.repeat(np.arange(len(candidates.labels)), np.diff(candidates.offsets))
    never = ~np.isfinite(candidates.cuts)
    x = np.where(never, np.inf, scale.forward(np.where(never, 0.5, candidates.cuts), label))
    keep = np.zeros(len(x), bool)
    kernels.lowest_of_ties(candidates.offsets, x, noise, most or len(keep), keep)
    label, cuts = label[keep], candidates.cuts[keep]
    if lower:
        moved = scale.back(x[keep] - noise[label]).astype(cuts.dtype)
        cuts = np.where(np.isfinite(moved), np.minimum(moved, cuts), cuts)
    return Candidates.distinct(candidates.labels, candidates.dtype, label, cuts)


def _of_labels(candidates: Candidates, chosen: NDArray[np.bool_]) -> Candidates:
    """Return the candidates of some of the labels."""
    label = np.repeat(np.arange(len(candidates.labels)), np.diff(candidates.offsets))
    keep = chosen[label] & np.isfinite(candidates.cuts)
    return Candidates.distinct(candidates.labels, candidates.dtype, label[keep], candidates.cuts[keep])


def _all_scores(sources: Sequence[Source]) -> Candidates:
    """Return all distinct scores of all labels."""
    blocks = [flatten(block) for source in sources for block in source.blocks(check=False)]
    label = np.concatenate([block.label for block in blocks])
    scores = np.concatenate([block.scores for block in blocks])
    return Candidates.distinct(sources[0].labels, sources[0].dtype, label, scores)


def _squares(source: Source) -> NDArray[np.float64]:
    """Return the squared weights summed over the positives and over the negatives of each label."""
    if not source.weighted:
        return np.asarray(source.totals(), np.float64)
    squares = np.zeros((2, len(source.labels)))
    for block in source.dense_blocks():
        for row, code in enumerate((1, 0)):
            squares[row] += block.weight**2 @ (block.truth == code)
    return squares
