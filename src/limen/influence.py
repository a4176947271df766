"""Influence: by how much one item more in a cell of a label moves a metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.decisions import Counts, counted, decide_entries, decided_in
from limen.metrics import ratio
from limen.objectives import Objective
from limen.sources.blocks import Entries, Rows, Source
from limen.sources.by_label import MANY_LABELS
from limen.sources.taken import pairs_together, together
from limen.sums import decided

Part = tuple[Source, NDArray[np.int64], NDArray[Any], str]
"""As `limen.intervals.Part`: items, their numbers, the thresholds that decide them, and how."""
STEP = 1e-4
"""Derivatives are differences over this share of a count."""
NOTHING = 1e-12
"""A smaller share of a label's items is rounding."""
Z = 1.96


def variance(cells: NDArray[np.float64], influence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the variance of what has these influences, (n_labels,): of the cells' counts as drawn by item."""
    n = cells.sum(axis=0)
    sum_, squares = (cells * influence).sum(axis=0), (cells * influence**2).sum(axis=0)
    return np.asarray(np.maximum(squares - ratio(sum_**2, n, 0.0), 0.0))


def derivatives(objective: Objective, counts: Counts) -> NDArray[np.float64]:
    """Return the derivatives of the metric by tp, fn, fp and tn, all else of these fixed, (4, n_labels).

    By differences within what counts can be: 0 for a cell without items, which has nothing that could vary.
    """
    tp, pp, p, n = (np.asarray(part, np.float64) for part in counts)
    found = np.empty((4, len(tp)))
    for k, moved in enumerate(((1, 1, 1), (0, 0, 1), (0, 1, 0), (0, 0, 0))):
        cell = (tp, p - tp, pp - tp, n - pp - p + tp)[k]
        step = STEP * np.where(cell > NOTHING * n, cell, 0.0)
        more, less = (
            objective.of_labels(tp + moved[0] * end, pp + moved[1] * end, p + moved[2] * end, n + end)
            for end in (step, -step)
        )
        found[k] = ratio(more - less, 2 * step, 0.0)
    return found


def serves(objective: Objective, n_labels: int) -> bool:
    """Return whether resamples are made by influences: those of a mean over very many labels."""
    return n_labels > MANY_LABELS and objective.average in ("macro", "weighted")


def counts_of(parts: Sequence[Part]) -> Counts:
    """Return the counts of the decisions of all parts: one pass where they are rows of one source."""
    sources = [source for source, _, _, _ in parts]
    tags = (decided_in(block, *parts[number][2:]) for number, _, block in together(sources))
    return counted(tags, sources)


def of_units(
    parts: Sequence[Part],
    objective: Objective,
    units_of: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    n_units: int,
) -> tuple[float, NDArray[np.float64]]:
    """Return a mean over labels, and by how much each unit moves it (n_units,); ``units_of`` is of rows."""
    counts, found = counts_of(parts), np.zeros(n_units)
    moves = _on_average(objective, counts)
    for number, rows, block, weight in pairs_together([source for source, _, _, _ in parts]):
        _, numbers, values, rule = parts[number]
        np.add.at(found, units_of(numbers[rows]), _of_items(block, values, rule, moves, len(rows)) * weight)
    return objective(*counts), found


def interval_of_labels(
    objective: Objective, counts: Counts, spread: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of the 95 % interval of each label's metric, to first order, (n_labels,) each.

    ``spread`` (n_labels,) is how many times larger weights and groups make the variance.
    """
    tp, pp, p, n = (np.asarray(part, np.float64) for part in counts)
    value, cells = objective.of_labels(*counts), np.array([tp, p - tp, pp - tp, n - pp - p + tp])
    with np.errstate(invalid="ignore"):
        width = Z * np.sqrt(variance(np.maximum(cells, 0), derivatives(objective, counts)) * spread)
    width = np.where(np.isinf(spread), np.inf, width)
    return value - width, np.minimum(value + width, np.maximum(value, 1.0))


def typical_unit(parts: Sequence[Part], unit: NDArray[np.int64] | None, n_units: int) -> float:
    """Return the mean weight of a unit, an item if None, by weight; 1 for items without weights."""
    weights = np.zeros(n_units)
    for number, rows, _, weight in pairs_together([source for source, _, _, _ in parts]):
        numbers = parts[number][1][rows]
        np.add.at(weights, numbers if unit is None else unit[numbers], weight)
    return float(ratio((weights**2).sum(), weights.sum(), 0.0))


def of_labels(objective: Objective, labels: NDArray[np.int64]) -> Objective:
    """Return the objective for some of the labels: parameters that differ by label are theirs."""
    return replace(objective, metric=objective.metric.with_labels(itemgetter(labels)))


def _on_average(objective: Objective, counts: Counts) -> NDArray[np.float64]:
    """Return by how much an item more in tp, fn, fp or tn of a label moves a mean over labels, (4, n_labels)."""
    p = np.asarray(counts.p, np.float64)
    moves = derivatives(objective, counts) * objective.label_weights(p)
    if objective.average == "weighted" and p.any():
        moves[:2] += (objective.of_labels(*counts) - objective(*counts)) / p.sum()
    return moves


def _of_items(
    block: Rows | Entries, values: NDArray[Any], rule: str, moves: NDArray[np.float64], n_rows: int
) -> NDArray[np.float64]:
    """Return the sum of the influences ``moves`` (4, n_labels) over the labels of each item (n_rows,)."""
    true = block.truth == 1
    if isinstance(block, Rows):
        cell = 2 * ~true + ~decided(block, values, rule)
        return np.asarray(np.where(block.truth >= 0, moves[cell, np.arange(moves.shape[1])], 0.0).sum(axis=1))
    given = decide_entries(block, values, rule) & (block.scores > -np.inf)
    own = np.where(block.truth >= 0, moves[2 * ~true + ~given, block.label], 0.0) - moves[3, block.label]
    return np.asarray(np.bincount(block.row, own, n_rows) + moves[3].sum())
