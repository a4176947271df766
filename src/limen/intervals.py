"""How far a measured value may be off: the bootstrap over items, or over groups of items."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.decisions import count_decisions, decide_rows
from limen.folds import unit_count
from limen.objectives import Objective
from limen.sources.blocks import Rows, Source

SAMPLES = 1000
LARGE = 1 << 21
MANY = 1 << 14
"""Beyond so many units, those that count alike are drawn together where that is possible."""


# The inverse of the distribution function of Poisson(1), in steps of 2^-16: drawing by it is quick.
_POISSON = np.searchsorted(
    np.cumsum([math.exp(-1) / math.factorial(k) for k in range(12)]), (np.arange(1 << 16) + 0.5) / (1 << 16)
).astype(np.float32)


class Interval(NamedTuple):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class Part(NamedTuple):
    """Items and the thresholds that decide them; ``rows`` are their numbers among all items."""

    source: Source
    rows: NDArray[np.int64]
    values: NDArray[Any]
    rule: str


@dataclass(frozen=True)
class Bootstrap:
    """Weights of items for resampling, the same for all that is compared.

    Attributes
    ----------
    weights : float32 (samples, n_units)
        Poisson(1) weight of each unit: an item, or a group of items that stay together.
    unit : int64 (n_items,)
        Unit of each item.
    """

    weights: NDArray[np.float32]
    unit: NDArray[np.int64]

    @classmethod
    def over(
        cls, n_items: int, groups: NDArray[np.int64] | None, random_state: int, samples: int = SAMPLES
    ) -> Bootstrap:
        """Return weights that resample items, or groups if they are given."""
        unit = np.arange(n_items) if groups is None else groups
        n_units = unit_count(n_items, groups)
        draw = np.random.default_rng([random_state, 1])
        uniform = draw.integers(0, len(_POISSON), (samples, n_units), dtype=np.uint16)
        weights = _POISSON[uniform]
        weights[weights.sum(axis=1) == 0] = 1
        return cls(weights, unit)

    def values(self, parts: Sequence[Part], objective: Objective) -> NDArray[np.float64]:
        """Return the objective of each resample, (samples,): counts of all parts are summed first.

        One pass over the data. Memory is that of a block and of the counts of the resamples.
        """
        counts = self._counts(parts, objective.pooled)
        return np.array([objective(*counts[:, sample]) for sample in range(counts.shape[1])])

    def values_by_label(self, parts: Sequence[Part], objective: Objective) -> NDArray[np.float64]:
        """Return the metric of each label alone in each resample, (samples, n_labels)."""
        counts = self._counts(parts, pooled=False)
        return np.array([objective.of_labels(*counts[:, sample]) for sample in range(counts.shape[1])])

    def _counts(self, parts: Sequence[Part], pooled: bool) -> NDArray[np.float64]:
        """Return tp, pp, p and n of each resample, (4, samples, n_labels); one column if pooled."""
        total: Any = 0.0
        for part in parts:
            row = 0
            for block in part.source.dense_blocks():
                stop = row + len(block.scores)
                weight: NDArray[Any] = self.weights[:, self.unit[part.rows[row:stop]]]
                if part.source.weighted:
                    weight = weight * block.weight
                flags = _flags(block, part)
                if pooled:
                    by_item = np.stack([flag.sum(axis=1, dtype=np.float32) for flag in flags], axis=1)
                    total = total + (weight @ by_item).T[:, :, np.newaxis].astype(np.float64)
                else:
                    total = total + np.stack([weight @ flag.astype(np.float32) for flag in flags]).astype(
                        np.float64
                    )
                row = stop
        return np.asarray(total)


def _flags(block: Rows, part: Part) -> tuple[NDArray[np.bool_], ...]:
    """Return whether each pair of a block counts for tp, pp, p and n."""
    kept = decide_rows(block.scores, part.values, part.rule) & (block.scores > -np.inf)
    known, true = block.truth >= 0, block.truth == 1
    return kept & true, kept & known, true, known


def measure(
    parts: Sequence[Part],
    objective: Objective,
    n_items: int,
    groups: NDArray[np.int64] | None,
    random_state: int,
) -> Interval | None:
    """Return the objective of the decisions of all parts, with its interval; None for a single unit."""
    n_units = unit_count(n_items, groups)
    if n_units < 2:
        return None
    total = [count_decisions((part.source,), part.values, part.rule, check=False) for part in parts]
    value = objective(*(np.add.reduce(counts) for counts in zip(*total, strict=True)))
    weighted = any(part.source.weighted for part in parts)  # no two units then count alike
    if n_units > MANY and not weighted and (objective.pooled or len(parts[0].source.labels) == 1):
        resampled = _resampled_alike(parts, objective, n_units, groups, random_state)
        return Interval(value, *map(float, percentiles(resampled, value)))
    # Counts by label of many items cost most of the time, and fewer resamples do for an interval.
    large = not objective.pooled and n_items * len(parts[0].source.labels) > LARGE
    samples = SAMPLES // 4 if large else SAMPLES
    resampled = Bootstrap.over(n_items, groups, random_state, samples).values(parts, objective)
    return Interval(value, *map(float, percentiles(resampled, value)))


def _resampled_alike(
    parts: Sequence[Part],
    objective: Objective,
    n_units: int,
    groups: NDArray[np.int64] | None,
    random_state: int,
) -> NDArray[np.float64]:
    """Return the objective of resamples (samples,), where only counts summed over labels matter.

    Many units then count alike, and the weights of m units that do, each Poisson(1), sum to Poisson(m): one
    draw for all of them, whatever their number.
    """
    of_unit = np.zeros((n_units, 4))
    for part in parts:
        row = 0
        for block in part.source.dense_blocks():
            rows = part.rows[row : row + len(block.scores)]
            counts = (
                np.stack([flag.sum(axis=1) for flag in _flags(block, part)], axis=1) * block.weight[:, np.newaxis]
            )
            np.add.at(of_unit, rows if groups is None else groups[rows], counts)
            row += len(rows)
    alike, times = np.unique(of_unit, axis=0, return_counts=True)
    drawn = np.random.default_rng([random_state, 1]).poisson(times, (SAMPLES, len(times)))
    drawn[drawn.sum(axis=1) == 0] = times
    return np.array([objective(*sums[:, np.newaxis]) for sums in drawn @ alike])


def percentiles(resampled: NDArray[np.float64], value: Any) -> tuple[Any, Any]:
    """Return the 95 % interval of a value from its resamples (samples, ...).

    The percentiles are moved so that the resamples' mean is the value: a macro average of rare labels
    falls when items are resampled, because some labels lose all their positives. They stay within
    what the resamples reach.
    """
    low, high = np.percentile(resampled - resampled.mean(axis=0) + value, [2.5, 97.5], axis=0)
    lowest, highest = np.minimum(resampled.min(axis=0), value), np.maximum(resampled.max(axis=0), value)
    return np.clip(low, lowest, value), np.clip(high, value, highest)
