"""Candidates of the regularised methods: positive scores, and a grid in log odds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.scales import Kind, Logit
from limen.sources.blocks import Source, flatten
from limen.sources.candidates import Candidates
from limen.sources.extent import Extent

GRID = 64
MOST = 1024
SMALL = 1 << 20


def log_odds_of(extent: Extent, kind: Kind) -> Logit:
    """Return the scale of log odds on which 0 and 1 lie beyond the scores next to them."""
    return Logit(kind != "probability", min(extent.tiny / 2, 0.25), min((1 - extent.nearly) / 2, 0.25))


def ends_on(extent: Extent, scale: Logit) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and highest score of each label on the scale; equal where there is none."""
    some, number = np.isfinite(extent.low), np.arange(len(extent.low))
    low, high = (scale.forward(np.where(some, end, 0.5), number) for end in (extent.low, extent.high))
    return low, high


class Fine(NamedTuple):
    """Where to count for the regularised methods; and of which labels (n_labels,) that is at all scores."""

    candidates: Candidates
    few: NDArray[np.bool_]


def fine_candidates(positive: Candidates, extent: Extent, every: Candidates | None, kind: Kind) -> Fine:
    """Return positive scores and a grid in log odds; or all scores, if they are given, of labels that have few."""
    scale = log_odds_of(extent, kind)
    noise = noise_of(*ends_on(extent, scale))
    few = np.zeros(len(positive.labels), bool)
    united = _thinned(positive, scale, noise, MOST)
    if every is not None:
        scores = _thinned(every, scale, noise)
        few = np.diff(scores.offsets) <= GRID + 1
        united = _of_labels(united, ~few) | _of_labels(scores, few)
    united = united | between(positive, extent, scale, ~few)
    return Fine(_thinned(united, scale, noise, lower=False), few)


def between(positive: Candidates, extent: Extent, scale: Logit, chosen: NDArray[np.bool_]) -> Candidates:
    """Return a grid for the chosen labels (n_labels,) that have scores, even in log odds.

    Most of it lies above the lowest positive, where cuts are, and does not move with the lowest score.
    """
    known = np.flatnonzero(np.isfinite(extent.low) & chosen)
    ends = ends_on(extent, scale)
    last = positive.cuts[positive.offsets[1:] - 1]
    some, numbers = np.isfinite(last), np.arange(len(last))
    turn = np.where(some, scale.forward(np.where(some, last, 0.5), numbers), ends[0])
    below, above = (np.arange(steps)[:, np.newaxis] / steps for steps in (GRID // 4, GRID - GRID // 4))
    low_end, turn, high_end = (end[known] for end in (ends[0], turn, ends[1]))
    grid = np.concatenate([low_end + below[1:] * (turn - low_end), turn + above[1:] * (high_end - turn)])
    cuts = np.concatenate([extent.low[known], scale.back(grid).ravel()])
    return Candidates.distinct(positive.labels, positive.dtype, np.tile(known, GRID - 1), cuts)


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


def all_scores(sources: Sequence[Source]) -> Candidates | None:
    """Return all distinct scores of all labels; None if there are more than ``SMALL``."""
    labels, dtype = sources[0].labels, sources[0].dtype
    if sum(source.n_scores for source in sources) > SMALL:
        return None
    blocks = [flatten(block) for source in sources for block in source.blocks(check=False)]
    label = np.concatenate([block.label for block in blocks])
    scores = np.concatenate([block.scores for block in blocks])
    return Candidates.distinct(labels, dtype, label, scores)
