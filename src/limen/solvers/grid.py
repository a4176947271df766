"""Candidates of the regularised methods: positive scores, and a grid in log odds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from limen.scales import Kind, Logit
from limen.sources.blocks import Source, flatten
from limen.sources.candidates import Candidates

GRID = 64
MOST = 1024
SMALL = 1 << 20


def fine_candidates(sources: Sequence[Source], kind: Kind) -> tuple[Candidates, Logit, NDArray[np.bool_]]:
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
    from limen._kernels import sampling as kernels

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
