"""Candidates of the regularised methods: positive scores, and a grid in log odds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.scales import Kind, Logit
from limen.sources.blocks import Source, flatten
from limen.sources.candidates import Candidates

GRID = 64
MOST = 1024
SMALL = 1 << 20


class Extent(NamedTuple):
    """Where scores lie: what a grid between them needs. That of parts together is ``a | b``.

    Attributes
    ----------
    low, high : float64 (n_labels,)
        Lowest and highest score of each label; inf and -inf where there is none.
    tiny, nearly : float
        The lowest score above 0, and the highest below 1.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    tiny: float = np.inf
    nearly: float = -np.inf

    @classmethod
    def of(cls, sources: Sequence[Source]) -> Extent:
        """Return the extent of all scores: one pass."""
        n_labels = len(sources[0].labels)
        low, high = np.full(n_labels, np.inf), np.full(n_labels, -np.inf)
        tiny, nearly = np.inf, -np.inf
        for source in sources:
            for block in source.blocks(check=False):
                if block.scores.ndim == 2:
                    np.minimum(low, block.scores.min(axis=0), out=low)
                    np.maximum(high, block.scores.max(axis=0), out=high)
                else:
                    entries = flatten(block)
                    np.minimum.at(low, entries.label, entries.scores)
                    np.maximum.at(high, entries.label, entries.scores)
                own = inner_ends(block.scores)
                tiny, nearly = min(tiny, own[0]), max(nearly, own[1])
        return cls(low, high, tiny, nearly)

    def __or__(self, other: Any) -> Extent:
        if not isinstance(other, Extent):
            return NotImplemented
        return Extent(
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            min(self.tiny, other.tiny),
            max(self.nearly, other.nearly),
        )

    def scale(self, kind: Kind) -> Logit:
        """Return the scale of log odds on which 0 and 1 lie beyond the scores next to them."""
        return Logit(kind != "probability", min(self.tiny / 2, 0.25), min((1 - self.nearly) / 2, 0.25))

    def ends(self, scale: Logit) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lowest and highest score of each label on the scale; equal where there is none."""
        some, number = np.isfinite(self.low), np.arange(len(self.low))
        low, high = (scale.forward(np.where(some, end, 0.5), number) for end in (self.low, self.high))
        return low, high


def fine_candidates(sources: Sequence[Source], kind: Kind) -> tuple[Candidates, Logit, NDArray[np.bool_]]:
    """Return positive scores and a grid in log odds, or all scores where they are few; the scale; and where."""
    positive = sources[0].candidates()
    for source in sources[1:]:
        positive = positive | source.candidates()
    n_labels, extent = len(positive.labels), Extent.of(sources)
    scale = extent.scale(kind)
    noise = noise_of(*extent.ends(scale))
    few = np.zeros(n_labels, bool)
    united = _thinned(positive, scale, noise, MOST)
    if sum(source.n_items for source in sources) * n_labels <= SMALL:
        scores = _thinned(_all_scores(sources), scale, noise)
        few = np.diff(scores.offsets) <= GRID + 1
        united = _of_labels(united, ~few) | _of_labels(scores, few)
    united = united | between(positive, extent, scale, ~few)
    return _thinned(united, scale, noise, lower=False), scale, few


def between(positive: Candidates, extent: Extent, scale: Logit, chosen: NDArray[np.bool_]) -> Candidates:
    """Return a grid for the chosen labels (n_labels,) that have scores, even in log odds.

    Most of it lies above the lowest positive, where cuts are, and does not move with the lowest score.
    """
    known = np.flatnonzero(np.isfinite(extent.low) & chosen)
    ends = extent.ends(scale)
    last = positive.cuts[positive.offsets[1:] - 1]
    some, numbers = np.isfinite(last), np.arange(len(last))
    turn = np.where(some, scale.forward(np.where(some, last, 0.5), numbers), ends[0])
    below, above = (np.arange(steps)[:, np.newaxis] / steps for steps in (GRID // 4, GRID - GRID // 4))
    low_end, turn, high_end = (end[known] for end in (ends[0], turn, ends[1]))
    grid = np.concatenate([low_end + below[1:] * (turn - low_end), turn + above[1:] * (high_end - turn)])
    cuts = np.concatenate([extent.low[known], scale.back(grid).ravel()])
    return Candidates.distinct(positive.labels, positive.dtype, np.tile(known, GRID - 1), cuts)


def inner_ends(scores: NDArray[Any]) -> tuple[float, float]:
    """Return the lowest score above 0, and the highest below 1; inf and -inf if there is none."""
    return (
        float(scores.min(initial=np.inf, where=scores > 0)),
        float(scores.max(initial=-np.inf, where=scores < 1)),
    )


def noise_of(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how close, in log odds, scores are one: of labels whose scores lie from low to high (n_labels,)."""
    return np.minimum((high - low) * 2.0**-17, 2.0**-15)


def placed_at(candidates: Candidates, scale: Logit) -> NDArray[np.float64]:
    """Return the place of each candidate, in log odds; "never" is +inf."""
    label = np.repeat(np.arange(len(candidates.labels)), np.diff(candidates.offsets))
    never = ~np.isfinite(candidates.cuts)
    return np.where(never, np.inf, scale.forward(np.where(never, 0.5, candidates.cuts), label))


def apart(
    offsets: NDArray[np.int64], x: NDArray[np.float64], noise: NDArray[np.float64], most: int | None = None
) -> NDArray[np.bool_]:
    """Return which candidates at places ``x`` are the lowest of those within ``noise``, "never" left out.

    Of more than ``most`` of a label, so many, evenly by rank.
    """
    from limen._kernels import sampling as kernels

    keep = np.zeros(len(x), bool)
    kernels.lowest_of_ties(offsets, x, noise, most or len(keep), keep)
    return keep


def _thinned(
    candidates: Candidates, scale: Logit, noise: NDArray[np.float64], most: int | None = None, lower: bool = True
) -> Candidates:
    """Return candidates that are `apart`: (just below) the lowest of those that are one."""
    x = placed_at(candidates, scale)
    keep = apart(candidates.offsets, x, noise, most)
    label = np.repeat(np.arange(len(candidates.labels)), np.diff(candidates.offsets))
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
