"""What thresholds will give on new data, from the decisions of cuts that were tuned without each item."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen import influence
from limen.decisions import HALF, THRESHOLD_RULE, Counts
from limen.errors import count
from limen.folds import unit_count
from limen.influence import counts_of
from limen.intervals import (
    FEWEST,
    LARGE,
    Bootstrap,
    Interval,
    Part,
    bootstrap_for,
    percentiles,
    values_of,
)
from limen.metrics import ratio
from limen.objectives import Objective
from limen.rare_labels import FEW_SAMPLES, absent_of_many, draw_absent, spread_of_few
from limen.sums import joined, sums_of

FEW = 3
"""With fewer positives, what a label will give is a guess."""
GUESSED = 0.25
"""Nothing is said of a mean over labels of which more are guessed,"""
AT_STAKE = 0.02
"""unless all guesses, each a standard deviation off to the same side, would not move it by this."""
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Student's t for 95 %, of 1, 2, ... degrees of freedom."""


class Expectation(NamedTuple):
    """What new data will give.

    Attributes
    ----------
    value : Interval or None
        The objective, in the mean over new data.
    gain : Interval or None
        That minus the objective at 0.5 on the same items; known where ``value`` is.
    reason : str
        Why nothing is known.
    """

    value: Interval | None = None
    gain: Interval | None = None
    reason: str = ""


def expect(
    parts: Sequence[Part],
    objective: Objective,
    n_items: int,
    groups: NDArray[np.int64] | None,
    random_state: int,
) -> Expectation:
    """Return the mean of the objective over new data and what it gains over 0.5, with 95 % intervals; or why not.

    Notes
    -----
    The value is that of the counts of all parts. In a mean over labels, one without a positive would count
    ``zero_division``, but will occur in new data: it counts as `draw_absent` draws it.

    The bootstrap holds the cuts fixed, but they have luck too, and those of the parts are not those tuned on all
    items. The variance is raised by 1 / (1 + positives), averaged over labels as the objective is, and twice that
    in a mean over labels: a rule found on nine data sets (``benchmarks/interval_coverage.py``), not derived. The
    variance of the gain, paired over the same resamples, is raised by as much: 0.5 has no luck.
    """
    if unit_count(n_items, groups) < 2:
        return Expectation(reason="one item" if groups is None else "one group")
    counts = counts_of(parts)
    if not counts.p.any():
        return Expectation(reason="no label has positives")
    bootstrap = bootstrap_for(parts, objective, n_items, groups, random_state, paired=True)
    if objective.needs_items:
        return _expect_items(parts, objective, bootstrap, counts)
    if influence.serves(objective, len(counts.p)):
        return _of_many(parts, objective, bootstrap, counts, random_state)
    seen, n_labels = bootstrap.seen(parts, objective.pooled), len(counts.p)
    size = bootstrap.typical_size(seen[3]) / (n_labels if objective.pooled else 1)  # of a unit, in items or weight
    positives = counts.p / np.where(size > 0, size, 1)
    if not objective.pooled and n_labels > 1:
        why_not = _not_estimable(objective, bootstrap, seen, parts, positives)
        if why_not:
            return Expectation(reason=why_not)
    value, resampled = _resampled(
        objective, bootstrap.with_unseen(seen, parts), counts, positives, size, random_state
    )
    at_half = _at_half(parts)
    seen = bootstrap.seen(at_half, objective.pooled)
    half, resampled_half = _resampled(
        objective, bootstrap.with_unseen(seen, at_half), counts_of(at_half), positives, size, random_state
    )
    times = 1 if objective.average == "micro" else 2
    luck = times * float(_weights(objective, counts.p) @ (1 / (1 + positives)))
    return _with_luck(objective, counts, (value, resampled), (half, resampled_half), luck)


def expect_counts(own: NDArray[np.float64], half: NDArray[np.float64], objective: Objective) -> Expectation:
    """Return what `expect` does from counts of parts of the items alone, (n_parts, 4, n_labels) each.

    Notes
    -----
    The interval is that of the jackknife, which leaves one part out at a time, with Student's t: parts are dealt
    at random. The variance is raised for the luck of the cuts as in `expect`. A mean over labels is not told if
    more than a quarter of them, by weight, are guesses.
    """
    n_parts, counts = len(own), Counts(*own.sum(axis=0))
    if n_parts < 2:
        return Expectation(reason="the items are of one fold")
    if not counts.p.any():
        return Expectation(reason="no label has positives")
    few, weight = counts.p < FEW, _weights(objective, counts.p)
    if not objective.pooled and len(few) > 1 and weight[few].sum() > GUESSED:
        return Expectation(reason=f"{few.sum()} of {count(len(few), 'label')} have fewer than {FEW} positives")
    luck = (1 if objective.average == "micro" else 2) * float(weight @ (1 / (1 + counts.p)))
    without = [left_out(objective, some) for some in (own, half)]
    value, at_half = objective(*counts), objective(*half.sum(axis=0))
    width = jackknife_width(without[0])
    wider = width * math.sqrt(1 + luck)
    gained = math.hypot(jackknife_width(without[0] - without[1]), math.sqrt(luck) * width)
    gain = value - at_half
    return Expectation(
        within_range(objective, counts, Interval(value, value - wider, value + wider)),
        Interval(gain, gain - gained, gain + gained),
    )


def left_out(objective: Objective, parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the objective without each of the parts (n_parts,), from their counts (n_parts, 4, n_labels)."""
    return np.array([objective(*(parts.sum(axis=0) - part)) for part in parts])


def jackknife_width(values: NDArray[np.float64]) -> float:
    """Return how far the ends of the 95 % interval are away, from values (n_parts,) each without one part."""
    n_parts = len(values)
    variance = (n_parts - 1) / n_parts * float(((values - values.mean()) ** 2).sum())
    return STUDENT[min(n_parts - 2, len(STUDENT) - 1)] * math.sqrt(variance)


def _expect_items(
    parts: Sequence[Part], objective: Objective, bootstrap: Bootstrap, counts: Counts
) -> Expectation:
    """Return what `expect` does for an average over items: luck is that of a micro average."""
    found = []
    for some in (parts, _at_half(parts)):
        sums = [sums_of(objective, (part.source,), part.values, part.rule, check=False) for part in some]
        found.append((objective(*joined(objective, sums)), bootstrap.values(some, objective)))
    # In items or groups of mean weight, as if none of these held more than one positive.
    positives = counts.p * (bootstrap.n_units / max(float(counts.n.max()), 1e-300))
    luck = float(ratio(counts.p, counts.p.sum(), 0.0) @ (1 / (1 + positives)))
    return _with_luck(objective, counts, found[0], found[1], luck)


def _of_many(
    parts: Sequence[Part], objective: Objective, bootstrap: Bootstrap, counts: Counts, random_state: int
) -> Expectation:
    """Return what `expect` does for a mean over very many labels: to first order, labels by label."""
    size = influence.typical_unit(parts, bootstrap.unit, bootstrap.n_own)
    positives, found = counts.p / (size or 1.0), []
    few, weight = positives < FEW, _weights(objective, positives)
    if weight[few].sum() > GUESSED:
        at_stake = float(weight[few] @ spread_of_few(objective, counts, np.flatnonzero(few), size, random_state))
        if at_stake > AT_STAKE * max(1.0, abs(objective(*counts))):
            return Expectation(reason=_too_few(positives))
    for some in (parts, _at_half(parts)):
        own, resampled = counts_of(some), bootstrap.linear(some, objective)
        value = objective(*own)
        if objective.average == "macro" and (own.p == 0).any():
            moved = absent_of_many(objective, own, positives, size, random_state, bootstrap.samples)
            resampled += moved - moved.mean()
            value += float(moved.mean())
        found.append((value, resampled + (value - resampled.mean())))
    luck = 2 * float(_weights(objective, counts.p) @ (1 / (1 + positives)))
    return _with_luck(objective, counts, found[0], found[1], luck)


def _at_half(parts: Sequence[Part]) -> list[Part]:
    """Return the parts, decided at 0.5."""
    return [part._replace(values=np.full_like(part.values, HALF), rule=THRESHOLD_RULE) for part in parts]


def _with_luck(
    objective: Objective,
    counts: Counts,
    found: tuple[float, NDArray[np.float64]],
    at_half: tuple[float, NDArray[np.float64]],
    luck: float,
) -> Expectation:
    """Return the interval of a value with its resamples, and of what it is above that at 0.5."""
    (value, resampled), (half, resampled_half) = found, at_half
    ends = np.array(percentiles(resampled, value))
    wider = Interval(value, *map(float, value + math.sqrt(1 + luck) * (ends - value)))
    gain = value - half
    gained = np.array(percentiles(resampled - resampled_half, gain)) - gain
    low, high = np.sqrt(gained**2 + luck * (ends - value) ** 2)
    return Expectation(
        within_range(objective, counts, wider), Interval(gain, gain - float(low), gain + float(high))
    )


def _resampled(
    objective: Objective,
    drawn: NDArray[np.float64],
    counts: Counts,
    positives: NDArray[np.float64],
    size: NDArray[np.float64],
    random_state: int,
) -> tuple[float, NDArray[np.float64]]:
    """Return the mean over new data, and its resamples (samples,) around it, from resampled counts."""
    value, n_labels = objective(*counts), len(counts.p)
    if objective.pooled or n_labels == 1:
        return value, values_of(objective, drawn)
    absent = counts.p == 0
    if objective.average == "macro" and absent.any():
        drawn[:, :, absent] = draw_absent(drawn[:, :, absent], counts, positives, size[absent], random_state)
        of_absent = objective.of_labels(*drawn).mean(axis=0)
        value = float(np.where(absent, of_absent, objective.of_labels(*counts)).mean())
    resampled = values_of(objective, drawn)
    resampled += value - resampled.mean()
    return value, resampled


def within_range(objective: Objective, counts: Counts, interval: Interval) -> Interval:
    """Return the interval, cut to what wrong decisions alone, and right ones alone, would give."""
    worst, best = _ends(objective, counts)
    value, low, high = interval
    return Interval(value, min(value, max(low, worst)), max(value, min(high, best)))


def _ends(objective: Objective, counts: Counts) -> tuple[float, float]:
    """Return what wrong decisions alone, and right ones alone, would give."""
    _, _, p, n = counts
    if not objective.needs_items:
        return objective(np.zeros_like(p), n - p, p, n), objective(p, p, p, n)
    if not objective.additive:
        return -math.inf, 1.0
    # An item with one positive and one negative label, decided wrongly, and rightly.
    worst, best = (float(objective.metric(tp, 1, 1, 2)) for tp in (0, 1))
    return worst if worst == 0 else -math.inf, best


def on_new_items(objective: Objective, counts: Counts, expected: Interval, share: float) -> Interval:
    """Return the interval for new items that are this ``share`` of the items tuned on.

    What is measured on m items varies n / m as much as on n, and adds to what is not known of the mean. Of a mean
    over labels the value falls as it does where Poisson numbers of items are drawn from the counts.
    """
    wider, (value, low, high) = math.sqrt(1 + 1 / share), expected
    if objective.average not in ("micro", "samples") and len(counts.p) > 1:
        tp, pp, p, n = (np.asarray(count, np.float64) for count in counts)
        draw = np.random.default_rng([0, 5])
        cells = (np.maximum(cell, 0) * share for cell in (tp, pp - tp, p - tp, n - pp - p + tp))
        right, wrong, missed, rejected = (draw.poisson(cell, (FEWEST, len(tp))) for cell in cells)
        few = np.array([right, right + wrong, right + missed, right + wrong + missed + rejected], np.float64)
        fall = float(values_of(objective, few).mean()) - objective(*counts)
        value, low, high = value + fall, low + fall, high + fall
    return within_range(
        objective, counts, Interval(value, value - wider * (value - low), value + wider * (high - value))
    )


def _weights(objective: Objective, p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(ratio(p, p.sum(), 0.0)) if objective.average == "micro" else objective.label_weights(p)


def _not_estimable(
    objective: Objective,
    bootstrap: Bootstrap,
    seen: NDArray[np.float64],
    parts: Sequence[Part],
    positives: NDArray[np.float64],
) -> str:
    """Return why a mean over labels can't be known; nothing if it can."""
    few, weight = positives < FEW, _weights(objective, positives)
    if weight[few].sum() <= GUESSED:
        return ""
    samples = max(FEW_SAMPLES, LARGE // len(few))
    alone = bootstrap.with_unseen(seen[:, :samples], parts, alone=True)
    values = objective.of_labels(*alone)
    if weight[few] @ values.std(axis=0)[few] <= AT_STAKE * max(1.0, abs(float(weight @ values.mean(axis=0)))):
        return ""
    return _too_few(positives)


def _too_few(positives: NDArray[np.float64]) -> str:
    few, none = positives < FEW, int((positives == 0).sum())
    others = f" ({none} have none)" if none else ""
    return f"{few.sum()} of {count(len(few), 'label')} have fewer than {FEW} positives{others}"
