"""How much more results vary where items have weights or stay together in groups than their counts alone say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.decisions import THRESHOLD_RULE
from limen.influence import variance
from limen.intervals import HELD, Part, blocks_of, flags_of
from limen.metrics import ratio
from limen.sources.by_label import MANY_LABELS, ByLabel
from limen.sources.dense import weights_of

Pairs = Sequence[tuple[Part, Part]]
"""Parts decided by thresholds, and the same by 0.5."""


def parts_of(pairs: Pairs, n_labels: int, n_units: int, grouped: bool) -> Iterator[slice]:
    """Return which labels to look at in turn, so that memory is bounded."""
    step = MANY_LABELS if not grouped or _is_turned(pairs) else max(1, HELD // n_units)
    for start in range(0, n_labels, step):
        yield slice(start, min(start + step, n_labels))


def turned(pairs: Pairs) -> list[tuple[Part, Part]]:
    """Return sparse parts with their pairs label by label; others, and those of rules by item, as they are."""
    if any(part.rule != THRESHOLD_RULE for pair in pairs for part in pair):
        return list(pairs)
    sources = [one.source.by_label() for one, _ in pairs]
    return [
        (one._replace(source=source), half._replace(source=source))
        for source, (one, half) in zip(sources, pairs, strict=True)
    ]


def _is_turned(pairs: Pairs) -> bool:
    return all(isinstance(one.source, ByLabel) for one, _ in pairs)


def spread_of(
    pairs: Pairs,
    cells: NDArray[np.float64],
    influences: tuple[NDArray[np.float64], NDArray[np.float64]],
    some: slice,
    n_units: int,
    groups: NDArray[np.int64] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the variance of influences summed by unit over that by counts, and how many units speak for 0.5.

    Of some labels, (labels,) each. The first is infinite for a single unit. Where the difference does not vary it
    is that of the metric, or else of the share of positives.
    """
    influence, own = influences
    n = cells.sum(axis=0)
    share = ratio(cells[:4].sum(axis=0), n, 0.0)
    of_share = np.repeat(np.array([1 - share, -share]), 4, axis=0)
    chosen, by_counts = influence, variance(cells, influence)
    for other in (own, of_share):
        still = by_counts <= 0
        chosen, by_counts = np.where(still, other, chosen), np.where(still, variance(cells, other), by_counts)
    of = _ByUnit.of_entries if _is_turned(pairs) else _ByUnit.of
    by_unit = of(pairs, chosen, some, n_units, groups)
    grouped = np.maximum(by_unit.squares - ratio(by_unit.total**2, by_unit.known, 0.0), 0.0)
    return np.where(by_unit.known < 2, np.inf, ratio(grouped, by_counts, 1.0)), by_unit.for_half


class _ByUnit(NamedTuple):
    """Sums over units, items or groups, of some labels (labels,).

    Attributes
    ----------
    total, squares : float64
        Of the weighted influences in a unit.
    known, for_half : float64
        Numbers of units with an item whose label is known, and with one that 0.5 alone decides rightly.
    """

    total: NDArray[np.float64]
    squares: NDArray[np.float64]
    known: NDArray[np.float64]
    for_half: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        pairs: Sequence[tuple[Part, Part]],
        influence: NDArray[np.float64],
        some: slice,
        n_units: int,
        groups: NDArray[np.int64] | None,
    ) -> _ByUnit:
        """Return the sums, in one pass over the data."""
        column = np.arange(influence.shape[1])
        moved = np.zeros((n_units if groups is not None else 0, len(column)))
        marks = np.zeros((2, *moved.shape), bool)
        sums = [np.zeros(len(column)) for _ in range(4)]
        for one, half in pairs:
            for _, rows, block in blocks_of([one]):
                (_, given, true, known), (_, given0, _, _) = (
                    [flag[:, some] for flag in flags_of(block, part)] for part in (one, half)
                )
                known &= (block.weight > 0)[:, np.newaxis]
                cell = 4 * ~true + 2 * ~given + ~given0
                moves = influence[cell, column] * known * block.weight[:, np.newaxis]
                marked = np.array([known, known & (given != given0) & (given0 == true)])
                if groups is None:
                    for sum_, part in zip(sums, (moves, moves**2, *marked), strict=True):
                        sum_ += part.sum(axis=0)
                    continue
                order = np.argsort(groups[rows], kind="stable")
                first = np.flatnonzero(np.diff(groups[rows][order], prepend=-1))
                at = groups[rows][order][first]
                moved[at] += np.add.reduceat(moves[order], first, axis=0)
                marks[:, at] |= np.logical_or.reduceat(marked[:, order], first, axis=1)
        return cls(*sums) if groups is None else cls(moved.sum(axis=0), (moved**2).sum(axis=0), *marks.sum(axis=1))

    @classmethod
    def of_entries(
        cls,
        pairs: Sequence[tuple[Part, Part]],
        influence: NDArray[np.float64],
        some: slice,
        n_units: int,
        groups: NDArray[np.int64] | None,
    ) -> _ByUnit:
        """Return the sums for sparse parts: a pair that is not there is a negative that nothing gives."""
        weight_of, items_of = np.zeros(n_units), np.zeros(n_units, np.int64)
        label, unit, moves, weighs, known, for_half = ([] for _ in range(6))
        for one, half in pairs:
            assert isinstance(one.source, ByLabel)
            weight = weights_of(one.source.weight, slice(0, one.source.n_items))
            own = one.rows if groups is None else groups[one.rows]
            weight_of += np.bincount(own, weight, n_units)
            items_of += np.bincount(own, weight > 0, n_units).astype(np.int64)
            block = one.source.between(some.start, min(some.stop, len(one.values)))
            (_, given, true, is_known), (_, given0, _, _) = (flags_of(block, part) for part in (one, half))
            at = block.label - some.start
            cell = 4 * ~true + 2 * ~given + ~given0
            move = np.where(is_known, influence[cell, at], 0.0) - influence[7, at]
            label.append(at)
            unit.append(own[block.row])
            moves.append(move * block.weight)
            weighs.append(block.weight > 0)
            known.append(is_known)
            for_half.append(is_known & (given != given0) & (given0 == true) & (block.weight > 0))
        n_labels = influence.shape[1]
        key = np.concatenate(label) * n_units + np.concatenate(unit)
        cells, place = np.unique(key, return_inverse=True)
        unknown = np.concatenate(weighs) & ~np.concatenate(known)
        moved, hidden, speak = (
            np.bincount(place, part, len(cells)) for part in map(np.concatenate, (moves, [unknown], for_half))
        )
        of, at_unit = np.divmod(cells, n_units)
        base = influence[7]

        def by_label(values: NDArray[Any]) -> NDArray[np.float64]:
            return np.bincount(of, values, n_labels).astype(np.float64)

        changed = 2 * base[of] * weight_of[at_unit] * moved + moved**2
        gone = (items_of[at_unit] > 0) & (hidden == items_of[at_unit])
        return cls(
            base * weight_of.sum() + by_label(moved),
            base**2 * (weight_of**2).sum() + by_label(changed),
            (items_of > 0).sum() - by_label(gone),
            by_label(speak > 0),
        )
