"""The offset between two groups of labels where each item gets the label that is farthest above its threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError
from limen.solvers.along import Changes, near_best, values_along
from limen.solvers.base import Problem
from limen.solvers.label_groups import Group, harmonic_mean
from limen.sources.blocks import Rows


def best_offset(problem: Problem, first: Group, second: Group) -> float:
    """Return the offset of the first group's labels, taken from their scores, that is best if the top label wins.

    Raises
    ------
    InputError
        If scores are sparse.
    """
    margins, early, labels, right, known, weights = _margins(problem, first, second)
    order = np.lexsort((~early, margins))  # at an offset equal to the gap, the first column wins
    margins, weights = margins[order], weights[order]
    sides = []
    for side, group in enumerate((first, second)):
        place = np.full(len(problem.labels), len(group.labelled))
        place[group.labelled] = np.arange(len(group.labelled))
        label = place[labels[side][order]]
        counted = label < len(group.labelled)
        label, hit = np.where(counted, label, 0), weights * (right[side][order] & counted)
        given = weights * (known[side][order] & counted)
        own, (p, n) = group.of(problem.objective), group.totals(problem)
        tp, pp = (np.bincount(label, part, len(p)).astype(weights.dtype) for part in (hit, given))
        sign = -1 if side == 0 else 1
        start = (tp, pp) if side == 0 else (0 * tp, 0 * pp)
        changes = Changes(label, sign * hit, sign * given)
        sides.append((own, start, p, n, changes, values_along(own, (*start, p, n), changes)))
    offsets = _candidates(margins, problem.dtype)
    low, high = (np.searchsorted(margins, offsets, side) for side in ("left", "right"))
    passed = np.append(0, np.cumsum(early[order]))
    at = low + passed[high] - passed[low]
    along = harmonic_mean(np.stack([values[at] for *_, values in sides]))

    def exactly(k: int) -> float:
        found = [own(*changes.counts(start, at[k]), p, n) for own, start, p, n, changes, _ in sides]
        return float(harmonic_mean(np.array(found)))

    return float(offsets[near_best(along, exactly)]) if along.max() > 0 else 0.0


def _margins(problem: Problem, first: Group, second: Group) -> tuple[Any, ...]:
    """Return by how much each item's best score in the first group is above that in the second, and of what.

    The margin (n_items,); whether the second wins at an offset equal to it; (2, n_items) the columns of both,
    whether they are right, and whether that is known; the weight (n_items,).
    """
    parts = []
    for block in problem.blocks():
        if not isinstance(block, Rows):
            raise InputError(
                "argmax looks at all scores of an item; sparse scores leave some out. Give dense ones."
            )
        every = np.arange(len(block.scores))
        at = np.stack([g.columns[block.scores[:, g.columns].argmax(axis=1)] for g in (first, second)])
        best, truth = block.scores[every, at].astype(np.float64), block.truth[every, at]
        with np.errstate(over="ignore"):
            margin = best[0] - best[1]
        parts.append((margin, at[1] < at[0], at, truth == 1, truth >= 0, block.weight))
    return tuple(np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))


def _candidates(margins: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[np.float64]:
    """Return numbers of ``dtype``: one in each gap between margins that has any, falling, then those at margins.

    They make all decisions that can be made. Between two margins lies a number of ``dtype`` only if the one
    nearest to their middle does.
    """
    limits = np.finfo(dtype)
    inside = np.clip(np.unique(margins), float(limits.min), float(limits.max))
    at = np.unique(inside.astype(dtype))
    middle = (inside[:-1] / 2 + inside[1:] / 2).astype(dtype)
    with np.errstate(over="ignore"):
        ends = np.nextafter(at[[0, -1]], np.array([-np.inf, np.inf], dtype))
    between = np.setdiff1d(np.concatenate([middle, ends[np.isfinite(ends)]]), at)
    return np.concatenate([between[::-1], at[::-1]]).astype(np.float64)
