"""What one check counts: tags given and right ones, by label and by unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.data import Data
from limen.decisions import decide
from limen.monitoring.betting import growth_of_counts, growth_of_units
from limen.monitoring.checks import POOLED, Family, bad_of, bad_of_metric
from limen.objectives import Objective
from limen.sources.arrays import CSR
from limen.sums import decided, item_counts
from limen.thresholds import Thresholds


@dataclass(frozen=True, eq=False)
class Tags:
    """Tags given to the items of a check.

    Attributes
    ----------
    given : int64 (n_units, n_labels)
        Of each unit; one row with the sums over all, where items are the units.
    size : int64 (n_units,)
        Items of each.
    """

    given: NDArray[np.int64]
    size: NDArray[np.int64]

    @classmethod
    def of(cls, thresholds: Thresholds, scores: Any, unit: NDArray[np.int64] | None, first_row: int = 0) -> Tags:
        """Return the tags that thresholds give for scores (n_items, n_labels); ``unit`` is of each item."""
        kept = decide(scores, thresholds.labels, thresholds.values, thresholds.rule, first_row=first_row)
        n_items, n_labels = scores.shape
        place = np.zeros(n_items, np.int64) if unit is None else unit
        size = np.bincount(place)
        if isinstance(kept, CSR):
            key = place[kept.row_of_entries()] * n_labels + kept.indices
            given = np.bincount(key, minlength=len(size) * n_labels).reshape(len(size), n_labels)
        elif unit is None:
            given = np.count_nonzero(kept, axis=0)[np.newaxis]
        else:
            given = np.zeros((len(size), n_labels), np.int64)
            np.add.at(given, place, kept)
        return cls(given, size)

    def pairs(self, family: Family) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return bad pairs and all, for each unit and check (n_units, n_checks)."""
        more = np.array([check.kind == "more" for check in family.checks])
        given = self.given[:, [check.column for check in family.checks]].astype(np.float64)
        size = np.broadcast_to(self.size[:, np.newaxis], given.shape).astype(np.float64)
        return np.where(more, given, size - given), size


@dataclass(frozen=True, eq=False)
class Answers:
    """Counts over known labels.

    Attributes
    ----------
    by_label : int64 (4, n_units, n_labels)
        tp, pp, p and n of each unit; one row with the sums over all, where items are the units.
    pooled : float64 (4, n_units)
        The same over all labels, of each unit.
    metric : float64 (2, n_units)
        What the metric of each unit lacks to 1, and what it is a share of.
    """

    by_label: NDArray[np.int64]
    pooled: NDArray[np.float64]
    metric: NDArray[np.float64]

    @classmethod
    def of(
        cls, thresholds: Thresholds, data: Data, unit: NDArray[np.int64] | None, objective: Objective | None
    ) -> Answers:
        """Return the counts of decisions on data; ``objective`` is the metric, if that is watched."""
        n_items, n_labels = data.n_items, len(data.labels)
        n_rows = 1 if unit is None else int(unit.max()) + 1
        by_label = np.zeros((4, n_rows, n_labels), np.int64)
        items, row = np.zeros((4, n_items)), 0
        for block in data.source.dense_blocks():
            given = decided(block, thresholds.values, thresholds.rule)
            known, true = block.truth >= 0, block.truth == 1
            span = slice(row, row + len(given))
            items[:, span], row = item_counts(block, given), span.stop
            for k, flag in enumerate((given & true, given & known, true, known)):
                if unit is None:
                    by_label[k, 0] += np.count_nonzero(flag, axis=0)
                else:
                    np.add.at(by_label[k], unit[span], flag)
        metric = np.zeros((2, n_items))
        if objective is not None:
            some = items[3] > 0  # nothing is known of the others
            metric[:, some] = bad_of_metric(objective, items[:, some])
        return cls(by_label, _by_unit(items, unit), _by_unit(metric, unit))

    def pairs(self, check: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return bad pairs and all of each unit (n_units,), for one check."""
        if check.kind == "metric":
            return self.metric[0], self.metric[1]
        counts = self.pooled if check.column == POOLED else self.by_label[:, :, check.column]
        bad, size = bad_of(check.kind, counts)
        return np.asarray(bad, np.float64), np.asarray(size, np.float64)


@dataclass(frozen=True, eq=False)
class Found:
    """What a check adds: growth of each stake (n_checks, n_stakes), bad pairs and all (n_checks,)."""

    growth: NDArray[np.float64]
    bad: NDArray[np.float64]
    size: NDArray[np.float64]


def found_in(counts: Tags | Answers, family: Family, *, grouped: bool) -> Found:
    """Return what counts say of the checks of a family."""
    limits, largest = family.limits, family.largest
    if isinstance(counts, Tags):
        bad, size = counts.pairs(family)
        totals = bad.sum(axis=0), size.sum(axis=0)
        growth = growth_of_units(bad, size, limits, largest) if grouped else growth_of_counts(*totals, limits)
        return Found(growth, *totals)
    parts = [counts.pairs(check) for check in family.checks]
    totals = (np.array([part.sum() for part, _ in parts]), np.array([part.sum() for _, part in parts]))
    growth = growth_of_counts(*totals, limits)
    for k, check in enumerate(family.checks):
        if grouped or check.column == POOLED:
            bad, size = (part[:, np.newaxis] for part in parts[k])
            growth[k] = growth_of_units(bad, size, limits[k : k + 1], largest[k : k + 1])[0]
    return Found(growth, *totals)


def _by_unit(items: NDArray[np.float64], unit: NDArray[np.int64] | None) -> NDArray[np.float64]:
    if unit is None:
        return items
    return np.array([np.bincount(unit, part, int(unit.max()) + 1) for part in items])
