"""How constraints fared on items that were left out: by how many standard errors they were kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.constraints import Bound
from limen.constraints.bound import Row
from limen.curves import at_or_above
from limen.decisions import in_dtype
from limen.folds import unit_count
from limen.solvers.base import Problem
from limen.solvers.fine import FineCurves
from limen.sources.blocks import Source

MOST = 1e4
"""A design effect larger than this is rounding."""


@dataclass(frozen=True, eq=False)
class Cuts:
    """Cuts in log odds (n_labels,), and what could not be kept.

    Attributes
    ----------
    excused, short : tuple of label numbers
        Never given, for they cannot keep their constraints; and those that do not with all of the reserve.
    stuck : bool
        Whether a limit over all labels could not be kept.
    broken : tuple of str
        The limits that the items tuned on do not keep, as counted and not as smoothed; filled by `_Tuning.mended`.
    """

    cuts: NDArray[np.float64]
    reason: str
    excused: tuple[int, ...]
    short: tuple[int, ...]
    stuck: bool
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Held:
    """How a reserve fared.

    Attributes
    ----------
    reserve : float
        In standard errors.
    cuts : list of float64 (n_labels,)
        Of each fold, tuned without it.
    counts : float64 (folds, 4, n_labels)
        tp, pp, p and n of each fold.
    least : float
        The lowest rate at which a constraint holds.
    enough, stuck : bool
        Whether that is as often as asked; whether in some fold a limit over all labels could not be kept.
    fared : list of dict
        What is told of each constraint.
    """

    reserve: float
    cuts: list[NDArray[np.float64]]
    counts: NDArray[np.float64]
    least: float
    enough: bool
    stuck: bool
    fared: list[dict[str, Any]]

    @classmethod
    def of(
        cls,
        reserve: float,
        found: Sequence[Cuts],
        parts: Sequence[FineCurves],
        bound: Bound,
        effects: NDArray[np.float64],
        hold: float,
    ) -> Held:
        """Return how cuts of each fold, tuned without it, do on it."""
        counts = np.array(
            [
                [*part.counts(one.cuts[np.newaxis])[:, 0], part.curves.n_positive, part.curves.n_known]
                for part, one in zip(parts, found, strict=True)
            ],
            np.float64,
        )
        return cls.counted(reserve, found, counts, bound, effects, hold)

    @classmethod
    def counted(
        cls,
        reserve: float,
        found: Sequence[Cuts],
        counts: NDArray[np.float64],
        bound: Bound,
        effects: NDArray[np.float64],
        hold: float,
    ) -> Held:
        """Return how cuts of each fold, tuned without it, did by their counts (folds, 4, n_labels) on it."""
        cuts = [one.cuts for one in found]
        never = np.all([np.isinf(cut) for cut in cuts], axis=0)
        short = np.zeros(len(never), bool)
        for one in found:
            short[list(one.short)] = True
        # The cuts of all items are others than those that were counted, and err by themselves.
        more = 1 + 1 / max(len(counts) - 1, 1)
        rates, fared = [], []
        for row, effect in zip((*bound.rows, *bound.pooled), effects.tolist(), strict=True):
            rate, entry = _fared(row, counts, (never, short), effect * more, bound.share)
            rates.append(rate)
            fared.append({"out_of_sample": entry, "reserve": reserve})
        least = min(rates)
        # Nothing given breaks no precision over all labels, and is no answer either.
        nothing = (
            any(row.constraint.of_given for row in bound.pooled) and counts[:, 2].any() and not counts[:, 1].any()
        )
        stuck = nothing or any(one.stuck for one in found)
        return cls(reserve, cuts, counts, -1.0 if nothing else least, least >= hold and not nothing, stuck, fared)


def _fared(
    row: Row,
    counts: NDArray[np.float64],
    left_out: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    effect: float,
    share: float,
) -> tuple[float, dict[str, Any]]:
    """Return the rate at which a row holds on counts (folds, 4, n_labels), and what is told of it.

    Labels that are never given, and those that do not have all of the reserve, do not count for the rate: with so
    few items the counts say little of how often they keep it. What was counted of the latter is told.
    """
    of_fold = Row.of(row.constraint, row.limit, 0.0, share / len(counts))
    total = counts.sum(axis=0)
    if row.constraint.pooled:
        summed = total.sum(axis=1)
        rate = float(_chance(row.slack(*summed), row.error(*summed[1:]), effect)[0])
        in_folds = float(np.mean([(of_fold.slack(*fold.sum(axis=1)) >= 0).all() for fold in counts]))
        measured = float(row.measured(*summed))
        entry: dict[str, Any] = {"measured": None if np.isnan(measured) else measured}
        holds = bool((row.slack(*summed) >= 0).all())
        told = {"held": rate, "held_in_folds": in_folds, "folds": len(counts), "holds": holds}
        return rate, {**entry, **told}
    never, short = left_out
    some = row.applies & ~never
    slack = row.slack(*total)
    chance = _chance(slack, row.error(*total[1:]), effect)
    in_folds = np.mean([of_fold.slack(*fold) >= 0 for fold in counts], axis=0)
    full = some & ~short

    def mean(values: NDArray[Any], which: NDArray[np.bool_]) -> float:
        return float(values[which].mean()) if which.any() else 1.0

    return mean(chance, full), {
        "held": mean(chance, full) if full.any() else None,
        "held_in_folds": mean(in_folds, some),
        "held_for_labels": mean(slack >= 0, some),
        "labels": int(some.sum()),
        "short_of_reserve": int((some & short).sum()),
        "folds": len(counts),
        "holds": mean(slack >= 0, some) >= 0.5,
    }


def _chance(slack: NDArray[np.float64], error: NDArray[np.float64], effect: float) -> NDArray[np.float64]:
    """Return how likely a limit is kept on plenty of new items, by how far it was kept on those left out."""
    error = error * math.sqrt(effect)
    far = np.where(error > 0, slack / np.where(error > 0, error, 1), np.where(slack >= 0, np.inf, -np.inf))
    return np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in np.ravel(far)])


def design_effects(
    problem: Problem,
    rows: Sequence[Row],
    folds: Sequence[tuple[NDArray[np.int64], Source]],
    values: Sequence[NDArray[np.float64]],
    unit: float,
) -> NDArray[np.float64]:
    """Return, for each row, how much more what it limits varies than with independent items and labels.

    Items of a group vary together, and so do the labels of an item. ``values`` are thresholds of each fold, tuned
    without it; ``unit`` is the weight that counts as one.
    """
    if problem.groups is None and not problem.weighted and not any(row.constraint.pooled for row in rows):
        return np.ones(len(rows))
    n_units = unit_count(problem.n_items, problem.groups)
    n_labels = len(problem.labels)
    totals, pooled = np.zeros((4, n_labels)), [row.constraint.pooled for row in rows]
    sums = [np.zeros((n_units, 1 if one else n_labels)) for one in pooled]
    for (numbers, source), value in zip(folds, values, strict=True):
        own, start = in_dtype(value, source.dtype), 0
        for block in source.dense_blocks():
            size = len(block.truth)
            items = numbers[start : start + size]
            start += size
            units = items if problem.groups is None else problem.groups[items]
            weight = np.asarray(block.weight, np.float64)[:, np.newaxis] / unit
            known, given = block.truth >= 0, at_or_above(block.scores, own)
            cells = [
                weight * part for part in ((block.truth == 1) & given, known & given, block.truth == 1, known)
            ]
            totals += [cell.sum(axis=0) for cell in cells]
            for row, one, into in zip(rows, pooled, sums, strict=True):
                of = row.terms
                found = of.of_tp * cells[0] + of.of_pp * cells[1] + of.of_p * cells[2] + of.of_n * cells[3]
                np.add.at(
                    into, units, found.sum(axis=1, keepdims=True) if one else np.where(row.applies, found, 0)
                )
    effects = [
        effect_of(row, into, totals.sum(axis=1) if one else totals)
        for row, one, into in zip(rows, pooled, sums, strict=True)
    ]
    return np.array(effects)


def effect_of(row: Row, of_unit: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    """Return how much more a row's slack varies over units (n_units, ...) than with independent items."""
    variance = float(((of_unit - of_unit.mean(axis=0)) ** 2).sum())
    expected = float((row.error(*counts[1:]) ** 2).sum())
    effect = variance / expected if expected > 0 else 1.0
    return max(effect, 0.1) if 0 < effect < MOST else 1.0


def grid_of(whole: FineCurves, bound: Bound, size: int) -> tuple[NDArray[np.float64], Bound]:
    """Return cuts in log odds (size, n_labels), the same for labels that depend on each other and within ranges.

    And the constraints for them: of the ranges is left that a finite upper end rules out "never".
    """
    low, high = (end.copy() for end in whole.span)
    for own in _components(bound, whole.n_labels):
        low[own], high[own] = low[own].min(), high[own].max()
    at = high - (high - low) * np.linspace(0, 1, size)[:, np.newaxis]
    numbers = np.arange(whole.n_labels)
    ends = []
    for end in (bound.low, bound.high):
        finite = np.isfinite(end)
        ends.append(np.where(finite, whole.places.scale.forward(np.where(finite, end, 0.5), numbers), end))
    highest = np.where(np.isfinite(bound.high), np.finfo(np.float64).max, np.inf)
    if bound.ranged and bound.linked:
        extra = [np.broadcast_to(end[np.isfinite(end)], (whole.n_labels, np.isfinite(end).sum())) for end in ends]
        at = -np.sort(-np.concatenate([at, *(part.T for part in extra)]), axis=0)
        return at, replace(bound, low=ends[0], high=np.minimum(ends[1], highest))
    at = np.clip(at, *ends)
    return at, replace(bound, low=np.full(whole.n_labels, -np.inf), high=highest)


def _components(bound: Bound, n_labels: int) -> list[NDArray[np.int64]]:
    """Return the labels that depend on each other by groups and edges."""
    root = np.arange(n_labels)
    pairs = [(group[0], other) for group in bound.groups for other in group[1:]] + list(bound.edges)
    for a, b in pairs:
        root[root == root[b]] = root[a]
    names, size = np.unique(root, return_counts=True)
    return [np.flatnonzero(root == name) for name in names[size > 1]]


def on_scale(whole: FineCurves, cuts: NDArray[np.float64], bound: Bound) -> NDArray[np.float64]:
    """Return cuts in log odds on the scale of the scores, within their ranges."""
    finite = np.isfinite(cuts)
    values = np.where(finite, whole.back(np.where(finite, cuts, 0.0)), cuts)
    return np.where(finite, np.clip(values, bound.low, bound.high), values)
