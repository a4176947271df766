"""Items by the candidates that give them a label, and what each item is worth: what ascent works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.decisions import in_dtype
from limen.metrics import LinearRatio, SegmentErrorRate, SubsetAccuracy, ratio
from limen.objectives import Objective
from limen.solvers.places import increments
from limen.sources.blocks import Rows, Source
from limen.sources.candidates import Candidates
from limen.sums import sums_of

MOST_SWEEPS = 1000


@dataclass(frozen=True, eq=False)
class ItemTable:
    """Which items each candidate adds, and what items are worth by how many labels they are given.

    Attributes
    ----------
    flips, worth
        As the kernels take them; see `limen._kernels.items`.
    weight : float64 (n_items,)
    below : float64 (n_items,)
        What each item adds below the line of the average, without its weight.
    positives : int64 (n_labels,)
        Items that each label's lowest candidate gives it rightly.
    """

    objective: Objective
    flips: Any
    worth: Any
    weight: NDArray[np.float64]
    below: NDArray[np.float64]
    positives: NDArray[np.int64]

    @classmethod
    def of(
        cls, objective: Objective, sources: Sequence[Source], candidates: Candidates, curves: Curves | None = None
    ) -> ItemTable:
        """Return the table of all sources; ``curves`` of the candidates save a pass, where nothing has weights."""
        from limen._kernels import items as kernels

        offsets, cuts = candidates.offsets, candidates.cuts
        grid, nothing = (offsets, cuts), np.empty(0, np.int32)
        size, counted = np.zeros(2 * len(cuts), np.int64), False
        if curves is not None and curves.tp.dtype == np.int64:
            size, counted = np.stack(increments(curves), axis=1).ravel(), True
        totals, weights = [], []
        for block in _blocks(sources):
            if not counted:
                kernels.scatter(_plain(block, cuts.dtype, 0), grid, size, nothing)
            known = block.truth >= 0
            totals.append([np.count_nonzero(block.truth == 1, axis=1), np.count_nonzero(known, axis=1)])
            weights.append(np.asarray(block.weight, np.float64))
        starts = np.concatenate([[0], np.cumsum(size)])
        items, place, row = np.empty(starts[-1], np.int32), starts[:-1].copy(), 0
        for block in _blocks(sources):
            kernels.scatter(_plain(block, cuts.dtype, row), grid, place, items)
            row += len(block.scores)
        p, n = np.concatenate(totals, axis=1)
        worth, below = _worth(objective, p, n)
        positives = np.add.reduceat(size[::2], offsets[:-1])
        return cls(
            objective, kernels.Flips(offsets, starts, items), worth, np.concatenate(weights), below, positives
        )

    def weighing(self, weight: NDArray[np.float64]) -> ItemTable:
        """Return the table with other weights of the items."""
        return replace(self, weight=weight)

    def ascend(self, starts: Sequence[NDArray[np.int64]], order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Return, for each start, candidates (n_labels,) that no change of a single label improves.

        Labels take turns in this ``order``.
        """
        from limen._kernels import items as kernels
        from limen._kernels.threads import share

        least = 1e-12 * max(float(self.weight.sum()), 1e-300)
        found = [start.copy() for start in starts]
        tasks = [(self.flips, self.worth, self.weight, order, index, least, MOST_SWEEPS) for index in found]
        share(kernels.ascend, tasks)
        return found

    def value(self, index: NDArray[np.int64]) -> float:
        """Return the objective where labels are cut at these candidates."""
        from limen._kernels import items as kernels

        tp, pp = np.zeros((2, len(self.weight)), np.int32)
        kernels.give(self.flips, index, tp, pp)
        above = kernels.worth_of(self.worth, self.weight, tp, pp, np.empty(len(tp)))
        return float(self._divided(np.array(above)))

    def along(self) -> NDArray[np.float64]:
        """Return the objective where all labels are cut at their first, second, ... candidate."""
        from limen._kernels import items as kernels

        totals = np.empty(int(np.diff(self.flips.offsets)[0]))
        kernels.along(self.flips, self.worth, self.weight, totals)
        return self._divided(totals)

    def _divided(self, above: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(ratio(above, float(self.weight @ self.below), self.objective.zero_division))


def along_path(
    objective: Objective, sources: Sequence[Source], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the objective (n_steps,) at thresholds (n_steps, n_labels) that fall from step to step."""
    source = sources[0]
    if not objective.additive:
        return np.array(
            [objective(*sums_of(objective, sources, in_dtype(one, source.dtype))) for one in thresholds]
        )
    n_steps, n_labels = thresholds.shape
    working = np.float64 if source.dtype == np.float64 else np.float32
    cuts = np.ascontiguousarray(thresholds.T, working).ravel()
    candidates = Candidates(source.labels, source.dtype, np.arange(n_labels + 1) * n_steps, cuts)
    return ItemTable.of(objective, sources, candidates).along()


def _worth(objective: Objective, p: NDArray[np.int64], n: NDArray[np.int64]) -> tuple[Any, NDArray[np.float64]]:
    """Return what items with these positives and known labels are worth, and what each adds below the line."""
    from limen._kernels import items as kernels

    metric, zero = objective.metric, objective.zero_division
    pairs, class_of = np.unique(np.stack([p, n], axis=1), axis=0, return_inverse=True)
    p, n = pairs.T
    coefficients = np.zeros((len(pairs), 7))
    if isinstance(metric, LinearRatio):
        form = kernels.RATIO
        for first, terms in zip((0, 3), metric.terms(p, n, zero), strict=True):
            for k, part in enumerate(terms):
                coefficients[:, first + k] = part
        coefficients[:, 6] = zero
    else:
        assert isinstance(metric, SubsetAccuracy | SegmentErrorRate)
        form = kernels.SUBSET if isinstance(metric, SubsetAccuracy) else kernels.SEGMENT
        coefficients[:, 2] = p
    numbers: NDArray[np.int32] = class_of.reshape(-1).astype(np.int32)
    below = objective.of_items(0 * p, 0 * p, p, n)[1]
    return kernels.Worth(form, coefficients, numbers), np.asarray(below[numbers])


def _blocks(sources: Sequence[Source]) -> Any:
    for source in sources:
        yield from source.dense_blocks()


def _plain(block: Rows, dtype: Any, row: int) -> tuple[Any, ...]:
    return np.ascontiguousarray(block.scores, dtype), np.ascontiguousarray(block.truth), row
