"""How far a measured value may be off: the bootstrap over items, or over groups of items."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen import influence
from limen.decisions import decide_entries, decide_rows
from limen.folds import unit_count
from limen.metrics import ratio
from limen.objectives import Objective
from limen.sources.blocks import Entries, Rows, Source
from limen.sources.taken import together
from limen.sums import ItemCounts, counted_items, joined, sums_of

SAMPLES = 1000
FEWEST = 250
"""Resamples where more would take long: enough for the ends of an interval."""
LARGE = 1 << 21
"""Beyond so many decisions, counts by label are resampled fewer times."""
DRAWS = 1 << 27
"""About so many weights are drawn at most."""
HELD = 1 << 24
"""So many weights are kept; more are drawn anew in each pass."""
MOST_UNITS = 1 << 16
"""More units are dealt into ``BUCKETS``, which are drawn in their place: from so many it is known well how much a
ratio varies, and neither time nor memory grows with the data."""
BUCKETS = 1 << 15
UNITS = 1 << 10
"""Units whose weights are drawn together, from a stream that their number alone decides."""

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
    """The bootstrap over units, each an item or a group that stays together.

    Every unit weighs a Poisson(1) number, the same for all that is compared. What units not seen yet may do is
    added (`with_unseen`), so that nothing measured on few units is certain.

    Attributes
    ----------
    n_units : int
        Units that are drawn; of more than ``MOST_UNITS``, buckets that many are dealt into.
    unit : int64 (n_items,), optional
        Group of each item; None if every item is a unit.
    n_own : int
        How many units there are.
    paired : bool
        Whether several decisions on the same items are resampled, to look at their differences.
    """

    n_units: int
    unit: NDArray[np.int64] | None
    random_state: int
    samples: int = SAMPLES
    paired: bool = False
    n_own: int = 0

    @classmethod
    def over(
        cls,
        n_items: int,
        groups: NDArray[np.int64] | None,
        random_state: int,
        samples: int = SAMPLES,
        *,
        paired: bool = False,
    ) -> Bootstrap:
        """Return the bootstrap of items, or of groups if they are given."""
        n_own = unit_count(n_items, groups)
        n_units = n_own if n_own <= MOST_UNITS else BUCKETS
        return cls(n_units, groups, random_state, min(samples, max(FEWEST, DRAWS // n_units)), paired, n_own)

    def units_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the unit that is drawn of each of these rows: neighbours fall into different buckets."""
        own = rows if self.unit is None else self.unit[rows]
        return own if self.n_units == self.n_own else own % self.n_units

    def typical_size(self, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what a unit that adds to a sum adds, (columns,), from resamples of the sum (samples, columns).

        The variance of a sum with Poisson(1) weights is the sum of the squares. In a bucket of several, these also
        meet the mean of the others.
        """
        mean = drawn.mean(axis=0)
        size = ratio(drawn.var(axis=0), mean, 0.0)
        others = mean * (1 / self.n_units - 1 / self.n_own)
        return np.asarray(np.where(size > 0, np.maximum(size - others, 0.01 * size), 0.0))

    def weights(self, units: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the weights of units, (len(units), samples): the same whichever units they are asked with."""
        if self.n_units * self.samples <= HELD:
            return np.asarray(self._all[units])
        found = np.empty((len(units), self.samples), np.float32)
        block = units // UNITS
        order = np.argsort(block, kind="stable")
        ends = np.flatnonzero(np.diff(block[order], append=-1)) + 1
        for members in np.split(order, ends[:-1]):
            found[members] = self._block(int(block[members[0]]))[units[members] % UNITS]
        return found

    @cached_property
    def _all(self) -> NDArray[np.float32]:
        return np.concatenate([self._block(k) for k in range(-(-self.n_units // UNITS))])

    def _block(self, number: int) -> NDArray[np.float32]:
        draw = np.random.Generator(np.random.Philox(key=[self._key, number]))
        size = min(UNITS, self.n_units - number * UNITS)
        return np.take(_POISSON, draw.integers(0, len(_POISSON), (size, self.samples), dtype=np.uint16))

    @cached_property
    def _key(self) -> int:
        return int(np.random.SeedSequence([self.random_state, 1]).generate_state(1, np.uint64)[0])

    def values(self, parts: Sequence[Part], objective: Objective) -> NDArray[np.float64]:
        """Return the objective of each resample, (samples,): counts of all parts are summed first."""
        if not objective.additive:
            return self._of_decisions(parts, objective)
        if objective.needs_items:
            return self._of_items(parts, objective)
        if influence.serves(objective, len(parts[0].values)):
            return self.linear(parts, objective)
        return values_of(objective, self.with_unseen(self.seen(parts, objective.pooled), parts))

    def values_by_label(self, parts: Sequence[Part], objective: Objective) -> NDArray[np.float64]:
        """Return the metric of each label alone in each resample, (samples, n_labels)."""
        return objective.of_labels(*self.with_unseen(self.seen(parts, pooled=False), parts, alone=True))

    def seen(self, parts: Sequence[Part], pooled: bool) -> NDArray[np.float64]:
        """Return tp, pp, p and n of each resample, (4, samples, n_labels); one column if pooled."""
        if pooled or len(parts[0].source.labels) == 1:
            return self._summed(parts)
        total: Any = 0.0
        step = max(1, HELD // self.samples)
        for part, rows, block in blocks_of(parts):
            flags = flags_of(block, part)
            for some in (slice(start, start + step) for start in range(0, len(rows), step)):
                weight: NDArray[Any] = self.weights(self.units_of(rows[some]))
                if part.source.weighted:
                    weight = weight * block.weight[some, np.newaxis]
                total = total + np.stack([weight.T @ flag[some].astype(np.float32) for flag in flags])
        return np.asarray(total, np.float64)

    def _summed(self, parts: Sequence[Part]) -> NDArray[np.float64]:
        """Return the sums over labels in each resample, (4, samples, 1).

        The weights of m units that count alike sum to Poisson(m): where there are few kinds of units, that is
        drawn for each kind; not where differences are paired, for other decisions make other kinds.
        """
        of_unit = self._by_unit(
            (parts[part].rows[rows], [number * weight for number in counts])
            for part, rows, counts, weight in counted_items([(p.source, p.values, p.rule) for p in parts])
        )
        alike = _kinds(of_unit)
        if alike is not None and not self.paired and 20 * len(alike[1]) < self.n_units:
            kinds, times = alike
            drawn = np.random.default_rng([self.random_state, 2]).poisson(times, (self.samples, len(times)))
            return np.asarray((drawn @ kinds).T[:, :, np.newaxis])
        # Sums of whole numbers that are not large are exact in the dtype of the weights, which is quick.
        return self._weighed(of_unit, np.float64 if alike is None else np.float32)[:, :, np.newaxis]

    def _by_unit(self, blocks: Iterable[tuple[NDArray[np.int64], Sequence[NDArray[Any]]]]) -> NDArray[np.float64]:
        """Return four sums of each unit (n_units, 4), from the numbers of rows and what each of these adds."""
        of_unit = np.zeros((self.n_units, 4))
        for rows, added in blocks:
            if self.unit is None and self.n_units == self.n_own:
                of_unit[rows] = np.stack(added, axis=1)
            else:
                units = self.units_of(rows)
                of_unit += np.stack([np.bincount(units, c, self.n_units) for c in added], axis=1)
        return of_unit

    def _weighed(self, of_unit: NDArray[np.float64], dtype: Any) -> NDArray[np.float64]:
        """Return the sums over units in each resample, (4, samples)."""
        total = np.zeros((4, self.samples))
        for start in range(0, self.n_units, UNITS):
            units: NDArray[Any] = of_unit[start : start + UNITS].astype(dtype)
            total += units.T @ self.weights(np.arange(start, start + len(units)))
        return total

    def _of_items(self, parts: Sequence[Part], objective: Objective) -> NDArray[np.float64]:
        """Return an average over items in each resample.

        One unit more that is right, and one that is wrong, are added as `with_unseen` does: each an exponential
        number of times a typical unit, with the most that its labels can give, or as many wrong tags as it has
        labels.
        """

        def added(block: ItemCounts) -> list[NDArray[np.float64]]:
            tp, pp, p, n = block.counts
            above, below = objective.of_items(tp, pp, p, n)
            right, wrong = objective.of_items(p, p, p, n)[0], objective.of_items(0 * p, p, p, n)[0]
            return [one * block.weight for one in (above, below, right, wrong)]

        of_unit = self._by_unit(
            (parts[block.part].rows[block.rows], added(block))
            for block in counted_items([(part.source, part.values, part.rule) for part in parts])
        )
        above, below, right, wrong = self._weighed(of_unit, np.float64)
        draw = self._for_unseen(parts)
        size = self.typical_size(below)
        more = size * draw.standard_exponential((2, self.samples))
        at_right, at_wrong = (ratio(part.mean(), below.mean(), 0.0) for part in (right, wrong))
        value = ratio(above + more[0] * at_right + more[1] * at_wrong, below + more.sum(axis=0), np.nan)
        return np.where(np.isnan(value), objective.zero_division, np.minimum(value, 1.0))

    def linear(self, parts: Sequence[Part], objective: Objective) -> NDArray[np.float64]:
        """Return a mean over very many labels in each resample, to first order: its counts would fill memory."""
        value, moves = influence.of_units(parts, objective, self.units_of, self.n_units)
        moved = self._weighed(np.stack([moves] * 4, axis=1), np.float64)[0] - moves.sum()
        return np.asarray(np.minimum(value + moved, 1.0))

    def _of_decisions(self, parts: Sequence[Part], objective: Objective) -> NDArray[np.float64]:
        """Return a function of decisions in each resample, in which an item stands as often as it weighs."""
        sums = joined(objective, [sums_of(objective, (part.source,), part.values, part.rule) for part in parts])
        rows = np.concatenate([part.rows for part in parts])
        unit = self.units_of(rows)
        found = np.full(self.samples, objective(*sums))
        weights = self.weights(unit).astype(np.int64)
        for sample, times in enumerate(weights.T):
            if times.any():
                found[sample] = objective(*(np.repeat(part, times, axis=0) for part in sums))
        return found

    def _for_unseen(self, parts: Sequence[Part]) -> np.random.Generator:
        """Return what draws the unseen: other numbers for other thresholds."""
        cuts = b"".join(sorted({part.values.tobytes() + part.rule.encode() for part in parts}))
        return np.random.default_rng([self.random_state, 3, zlib.crc32(cuts)])

    def with_unseen(
        self, counts: NDArray[np.float64], parts: Sequence[Part], *, alone: bool = False
    ) -> NDArray[np.float64]:
        """Return the counts of `seen`, with what one unit of right and one of wrong decisions more would add.

        To tp and tn an exponential number is added, to fp and fn half of one, times the decisions of a typical
        unit: in a label drawn anew for each resample or, to look at each ``alone``, in all of them. So no share is
        known to be 0 or 1: after n units without an error up to 3.7 of n + 1 may have one (the rule of three, for
        97.5 %). Other thresholds may decide otherwise what was not seen: they draw other numbers.
        """
        draw = self._for_unseen(parts)
        _, samples, columns = counts.shape
        at: Any = slice(None) if alone else (np.arange(samples), draw.integers(columns, size=samples))
        tp, pp, p, n = counts
        size = self.typical_size(pp + p - tp)
        size = np.where(size > 0, size, self.typical_size(n))
        size = size if alone else size[at[1]]
        halves = size * draw.standard_normal((6, *tp[at].shape), np.float32) ** 2 / 2  # chi-square of one degree
        right, rejected, wrong, missed = halves[0] + halves[1], halves[2] + halves[3], halves[4], halves[5]
        more = counts.copy()
        for count, added in zip(
            more, (right, right + wrong, right + missed, right + wrong + missed + rejected), strict=True
        ):
            count[at] += added
        return more


def values_of(objective: Objective, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the objective (samples,) of counts (4, samples, columns): of each label, or summed over them."""
    if objective.average == "micro":
        if objective.pooled:
            tp, pp, p, n = counts[:, :, 0]
            return np.asarray(objective.metric(tp, pp, p, n, objective.zero_division))
        return np.array([objective(*counts[:, sample]) for sample in range(counts.shape[1])])
    by_label = objective.of_labels(*counts)
    if objective.average == "macro":
        return np.asarray(np.minimum(by_label.mean(axis=1), 1.0))
    p = counts[2]
    weight = ratio(p, p.sum(axis=1, keepdims=True), 0.0)
    return np.asarray(np.minimum((by_label * weight).sum(axis=1), 1.0))


def blocks_of(parts: Sequence[Part]) -> Iterator[tuple[Part, NDArray[np.int64], Rows]]:
    """Return the dense blocks of all parts, each with its part and the numbers of its rows among all items.

    Parts of one source are read in one pass.
    """
    for number, rows, block in together([part.source for part in parts], dense=True):
        yield parts[number], parts[number].rows[rows], block


def flags_of(block: Rows | Entries, part: Part) -> tuple[NDArray[np.bool_], ...]:
    """Return whether each pair of a block counts for tp, pp, p and n."""
    if isinstance(block, Rows):
        kept = decide_rows(block.scores, part.values, part.rule) & (block.scores > -np.inf)
    else:
        kept = decide_entries(block, part.values, part.rule) & (block.scores > -np.inf)
    known, true = block.truth >= 0, block.truth == 1
    return kept & true, kept & known, true, known


def _kinds(of_unit: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """Return the distinct rows and how often each occurs; None if they are not whole numbers, or large ones."""
    most = float(of_unit.max(initial=0))
    if most > 1 << 12 or (of_unit != np.floor(of_unit)).any():
        return None
    base = int(most) + 1
    key = of_unit @ np.power(float(base), [3, 2, 1, 0])
    _, first, times = np.unique(key, return_index=True, return_counts=True)
    return of_unit[first], times


def measure(
    parts: Sequence[Part],
    objective: Objective,
    n_items: int,
    groups: NDArray[np.int64] | None,
    random_state: int,
) -> Interval | None:
    """Return the objective of the decisions of all parts, with its interval; None for a single unit."""
    if unit_count(n_items, groups) < 2:
        return None
    total = [sums_of(objective, (part.source,), part.values, part.rule, check=False) for part in parts]
    value = objective(*joined(objective, total))
    resampled = bootstrap_for(parts, objective, n_items, groups, random_state).values(parts, objective)
    return Interval(value, *map(float, percentiles(resampled, value, averaged(objective, parts))))


def bootstrap_for(
    parts: Sequence[Part],
    objective: Objective,
    n_items: int,
    groups: NDArray[np.int64] | None,
    random_state: int,
    *,
    paired: bool = False,
) -> Bootstrap:
    """Return the bootstrap, with fewer resamples where counts by label of many items take most of the time.

    And for a function of decisions, which is called for each.
    """
    n_labels = len(parts[0].source.labels)
    by_label = not objective.pooled and not objective.needs_items
    large = not objective.additive or (by_label and max(n_items, SAMPLES // 2) * n_labels > LARGE)
    return Bootstrap.over(n_items, groups, random_state, FEWEST if large else SAMPLES, paired=paired)


def averaged(objective: Objective, parts: Sequence[Part]) -> bool:
    """Return whether metrics of several labels are averaged: the resamples are then moved (see `percentiles`)."""
    return not objective.pooled and not objective.needs_items and len(parts[0].source.labels) > 1


def percentiles(resampled: NDArray[np.float64], value: Any, centre: bool = False) -> tuple[Any, Any]:
    """Return the 95 % interval of a value from its resamples (samples, ...); the value lies within.

    If ``centre``, the percentiles are moved so that the resamples' mean is the value: a macro average of rare
    labels falls when items are resampled, because some labels lose all their positives. They stay within what
    the resamples reach.
    """
    moved = resampled - resampled.mean(axis=0) + value if centre else resampled
    low, high = np.percentile(moved, [2.5, 97.5], axis=0)
    lowest, highest = np.minimum(resampled.min(axis=0), value), np.maximum(resampled.max(axis=0), value)
    return np.clip(low, lowest, value), np.clip(high, value, highest)
