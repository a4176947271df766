"""What is to be thought of each label: one state of five, and how sure it is that 0.5 did better."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen import metrics
from limen.decisions import HALF, THRESHOLD_RULE, Counts, count_decisions
from limen.folds import unit_count
from limen.intervals import HELD, Part, blocks_of, flags_of
from limen.metrics import Cost, Metric, ratio
from limen.objectives import Objective
from limen.sources.blocks import Source

FEW_POSITIVES = 20
"""With fewer, a threshold is poorly known, and people are told so."""
BAR = 0.5
"""Below this F1 a label is weak, unless the reader says otherwise."""
STEP = 1e-4
"""Derivatives are differences over this share of a count."""
NOTHING = 1e-12
"""A smaller share of a label's items is rounding."""
Z = 1.96
NONE_DRAWN = -math.log(0.025)
"""So many items, or fewer, are missing from more than 2.5 % of resamples."""


class State(NamedTuple):
    """What a state is called, and when it holds."""

    words: str
    rule: str


STATES: dict[str, State] = {
    "no_tags": State("no tags given", "no decision is positive on these data"),
    "few": State("too few positives", f"fewer than {FEW_POSITIVES} positives"),
    "worse": State(
        "clearly worse than 0.5",
        "its {metric} is worse than at 0.5, and the 95 % interval of the paired difference excludes 0",
    ),
    "weak": State("weak", "F1 below {bar}"),
    "none": State("no warning", "none of these"),
}
"""Every label is in the first state whose rule holds; `rules` fills in the metric and the bar."""


def rules(metric: Metric, bar: float = BAR) -> dict[str, str]:
    """Return the rule of each state in words.

    Examples
    --------
    >>> rules(metrics.get("mcc"))["worse"]
    'its MCC is worse than at 0.5, and the 95 % interval of the paired difference excludes 0'
    >>> rules(metrics.get("f1"), bar=0.8)["weak"]
    'F1 below 80 %'
    """
    called = "cost" if isinstance(metric, Cost) else str(metric)
    return {key: state.rule.format(metric=called, bar=f"{100 * bar:g} %") for key, state in STATES.items()}


def warnings_of(keys: Iterable[str]) -> list[str]:
    """Return the words of states as tables show them: nothing where there is no warning."""
    return ["" if key == "none" else STATES[key].words for key in keys]


class LabelStates(NamedTuple):
    """The state of each label, and what it follows from.

    Attributes
    ----------
    keys : tuple of n_labels str
        Of `STATES`.
    gains : float64 (3, n_labels)
        The metric of each label minus that at 0.5, and the lower and upper end of the 95 % interval of this paired
        difference; infinite ends where all of a label's known items are one unit.
    spread : float64 (n_labels,)
        How many times larger weights and groups make the variance of the difference than counts alone say; 1
        without them. Of a label that decides nothing otherwise than 0.5, that of the metric itself.
    at_half : Counts
        Counts at 0.5.
    positives : float64 (n_labels,)
        Positives, with weights in items of mean weight: what `FEW_POSITIVES` is compared with.
    """

    keys: tuple[str, ...]
    gains: NDArray[np.float64]
    spread: NDArray[np.float64]
    at_half: Counts
    positives: NDArray[np.float64]


def label_states(
    sources: Sequence[Source],
    values: NDArray[Any],
    objective: Objective,
    *,
    rule: str = THRESHOLD_RULE,
    groups: NDArray[np.int64] | None = None,
    counts: Counts | None = None,
    at_half: Counts | None = None,
    bar: float = BAR,
) -> LabelStates:
    """Return the state of each label at thresholds, on data.

    Parameters
    ----------
    sources : sequence of Source
        The data, checked; each source holds other items.
    values : float (n_labels,)
        The thresholds.
    objective : Objective
        Its metric, by label, is compared with that at 0.5.
    rule : str
        How the thresholds decide.
    groups : int64 (n_items,), optional
        Group of each item; of one source.
    counts, at_half : Counts, optional
        Counts of the decisions, and of those at 0.5, where they are known already.
    bar : float
        F1 below which a label is weak.

    Notes
    -----
    The interval is that of a paired bootstrap of items (or groups) to first order, in closed form. An item is in
    one of eight cells: positive or negative, given by both, by the thresholds alone, by 0.5 alone, by neither.
    Two cuts of one label are nested, so that counts at each give the cells; rules by item are counted. An item's
    influence is the derivative of the difference by the number of items in its cell: tp, pp, p and n all move.
    The variance is ``spread`` times the sum over cells of count times squared influence, less the squared sum of
    count times influence over n; the ends are 1.96 of its roots away. Where at most three items (or groups) have
    a decision that is right at 0.5 alone, the upper end is no lower than 0: over 2.5 % of resamples have none of
    them, and there 0.5 is not better by any metric.
    """
    n_labels = len(sources[0].labels)
    half = np.full(n_labels, HALF, sources[0].dtype)
    counts = count_decisions(sources, values, rule, check=False) if counts is None else counts
    at_half = count_decisions(sources, half, check=False) if at_half is None else at_half
    pairs = [
        (Part(source, rows, values, rule), Part(source, rows, half, THRESHOLD_RULE))
        for source, rows in _numbered(sources)
    ]
    both = _given_by_both(pairs) if rule != THRESHOLD_RULE else None
    weighted = any(source.weighted for source in sources)
    n_items = sum(source.n_items for source in sources)
    cells = cells_of(counts, at_half, both)
    influence, own = influences(objective, counts, at_half)
    if not weighted and groups is None:
        spread, for_half = np.where(counts.n < 2, np.inf, 1.0), cells[2] + cells[5]
    else:
        spread, for_half = _spread(pairs, cells, influence, own, unit_count(n_items, groups), groups)
    return _states(objective, (counts, at_half), (variance(cells, influence), spread, for_half), n_items, bar)


def states_of_counts(
    counts: Counts, at_half: Counts, objective: Objective, n_items: int, bar: float = BAR
) -> LabelStates:
    """Return the state of each label from counts alone: of items without weights or groups, and cuts."""
    cells = cells_of(counts, at_half)
    influence, _ = influences(objective, counts, at_half)
    spread = np.where(counts.n < 2, np.inf, 1.0)
    told = variance(cells, influence), spread, cells[2] + cells[5]
    return _states(objective, (counts, at_half), told, n_items, bar)


def _states(
    objective: Objective,
    both: tuple[Counts, Counts],
    told: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    n_items: int,
    bar: float,
) -> LabelStates:
    """Return the states from both counts, and the variance, its spread, and the units 0.5 has right."""
    (counts, at_half), (by_counts, spread, for_half) = both, told
    value = objective.of_labels(*counts) - objective.of_labels(*at_half)
    with np.errstate(invalid="ignore"):
        width = Z * np.sqrt(by_counts * spread)
    width = np.where(np.isinf(spread), np.inf, width)
    least = np.where(for_half <= NONE_DRAWN, 0.0, -np.inf)
    gains = np.array([value, value - width, np.maximum(value + width, least)])
    positives = in_items(counts.p, counts.n, n_items)
    return LabelStates(state_keys(counts, n_items, gains, bar), gains, spread, at_half, positives)


def state_keys(
    counts: Counts, n_items: int, gains: NDArray[np.float64] | None, bar: float = BAR
) -> tuple[str, ...]:
    """Return the key of `STATES` of each label; without ``gains`` (3, n_labels), or where NaN, none is worse."""
    tp, pp, p, n = counts
    f1 = metrics.get("f1")(tp, pp, p, n)
    high = np.full(len(p), np.inf) if gains is None else gains[2]
    holds = (pp == 0, in_items(p, n, n_items) < FEW_POSITIVES * (1 - 1e-9), high < 0, f1 < bar)
    names = np.array(list(STATES))
    return tuple(names[np.select(holds, range(len(holds)), len(holds))].tolist())


def in_items(p: NDArray[Any], n: NDArray[Any], n_items: int) -> NDArray[np.float64]:
    """Return positives (n_labels,) in items: of weights only the ratios matter, and their mean counts as 1."""
    if p.dtype.kind != "f":
        return p.astype(np.float64)
    return np.asarray(p * ratio(n_items, n.max(), 1.0))


def cells_of(counts: Counts, at_half: Counts, both: tuple[Any, Any] | None = None) -> NDArray[np.float64]:
    """Return how many items are in each cell, float64 (8, n_labels).

    Positives given by both, by the thresholds alone, by 0.5 alone, by neither; then negatives likewise. ``both``
    are the right and the wrong tags that both give; the fewer of each, if the decisions are nested.
    """
    (tp, pp, p, n), (tp0, pp0, _, _) = (
        [np.asarray(part, np.float64) for part in some] for some in (counts, at_half)
    )
    right, wrong = both or (np.minimum(tp, tp0), np.minimum(pp - tp, pp0 - tp0))
    cells = []
    for one, other, together, total in ((tp, tp0, right, p), (pp - tp, pp0 - tp0, wrong, n - p)):
        cells += [together, one - together, other - together, total - one - other + together]
    found = np.array(cells)
    return np.where(found > NOTHING * n, found, 0.0)


def influences(
    objective: Objective, counts: Counts, at_half: Counts
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return by how much one more item in each cell moves the difference, and the metric, (8, n_labels) each."""
    by_one, by_half = _derivatives(objective, counts), _derivatives(objective, at_half)
    given, missed, wrong, rejected = by_one
    given0, missed0, wrong0, rejected0 = by_half
    own = np.array([given, given, missed, missed, wrong, wrong, rejected, rejected])
    of_half = np.array([given0, missed0, given0, missed0, wrong0, rejected0, wrong0, rejected0])
    return own - of_half, own


def variance(cells: NDArray[np.float64], influence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the variance of what has these influences, (n_labels,): of the cells' counts as drawn by item."""
    n = cells.sum(axis=0)
    sum_, squares = (cells * influence).sum(axis=0), (cells * influence**2).sum(axis=0)
    return np.asarray(np.maximum(squares - ratio(sum_**2, n, 0.0), 0.0))


def _derivatives(objective: Objective, counts: Counts) -> NDArray[np.float64]:
    """Return the derivatives of the metric by tp, fn, fp and tn, all else of these fixed, (4, n_labels).

    By differences within what counts can be: 0 for a cell without items, which has nothing that could vary.
    """
    tp, pp, p, n = (np.asarray(part, np.float64) for part in counts)
    cells = np.array([tp, p - tp, pp - tp, n - pp - p + tp])
    found = np.zeros_like(cells)
    for k, moved in enumerate(((1, 1, 1), (0, 0, 1), (0, 1, 0), (0, 0, 0))):
        step = STEP * np.where(cells[k] > NOTHING * n, cells[k], 0.0)
        more, less = (
            objective.of_labels(tp + moved[0] * end, pp + moved[1] * end, p + moved[2] * end, n + end)
            for end in (step, -step)
        )
        found[k] = ratio(more - less, 2 * step, 0.0)
    return found


def _numbered(sources: Sequence[Source]) -> Iterator[tuple[Source, NDArray[np.int64]]]:
    start = 0
    for source in sources:
        yield source, np.arange(start, start + source.n_items)
        start += source.n_items


def _given_by_both(pairs: Sequence[tuple[Part, Part]]) -> tuple[Any, Any]:
    """Return the right and the wrong tags that both decisions give, (n_labels,) each."""
    right: Any = 0.0
    wrong: Any = 0.0
    for one, half in pairs:
        for _, _, block in blocks_of([one]):
            (tp, pp, _, _), (tp0, pp0, _, _) = flags_of(block, one), flags_of(block, half)
            right = right + block.weight @ (tp & tp0)
            wrong = wrong + block.weight @ (pp & ~tp & pp0)
    return right, wrong


def _spread(
    pairs: Sequence[tuple[Part, Part]],
    cells: NDArray[np.float64],
    influence: NDArray[np.float64],
    own: NDArray[np.float64],
    n_units: int,
    groups: NDArray[np.int64] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the variance of influences summed by unit over that by counts, and how many units speak for 0.5.

    (n_labels,) each. The first is infinite for a single unit. Where the difference does not vary it is that of the
    metric, or else of the share of positives.
    """
    n = cells.sum(axis=0)
    share = ratio(cells[:4].sum(axis=0), n, 0.0)
    of_share = np.repeat(np.array([1 - share, -share]), 4, axis=0)
    chosen, by_counts = influence, variance(cells, influence)
    for other in (own, of_share):
        still = by_counts <= 0
        chosen, by_counts = np.where(still, other, chosen), np.where(still, variance(cells, other), by_counts)
    n_labels = len(n)
    step = n_labels if groups is None else max(1, HELD // n_units)
    spread, for_half = np.ones(n_labels), np.zeros(n_labels)
    for start in range(0, n_labels, step):
        some = slice(start, start + step)
        by_unit = _ByUnit.of(pairs, chosen[:, some], some, n_units, groups)
        grouped = np.maximum(by_unit.squares - ratio(by_unit.total**2, by_unit.known, 0.0), 0.0)
        spread[some] = np.where(by_unit.known < 2, np.inf, ratio(grouped, by_counts[some], 1.0))
        for_half[some] = by_unit.for_half
    return spread, for_half


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
