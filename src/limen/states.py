"""What is to be thought of each label: one state of five, and how sure it is that 0.5 did better."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen import metrics
from limen.curves import Curves
from limen.decisions import HALF, THRESHOLD_RULE, Counts, count_decisions
from limen.folds import unit_count
from limen.influence import NOTHING, Z, derivatives, of_labels, variance
from limen.intervals import Part, flags_of
from limen.metrics import Cost, Metric, ratio
from limen.objectives import Objective
from limen.sources.blocks import Rows, Source
from limen.spread_by_unit import parts_of, spread_of, turned

FEW_POSITIVES = 20
"""With fewer, a threshold is poorly known, and people are told so."""
BAR = 0.5
"""Below this F1 a label is weak, unless the reader says otherwise."""
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
    pairs = turned(pairs) if weighted or groups is not None else pairs
    n_units, alike = unit_count(n_items, groups), not weighted and groups is None
    told = np.empty((3, n_labels))
    for some in parts_of(pairs, n_labels, n_units, groups is not None):
        own, half_own = (Counts(*(part[some] for part in whole)) for whole in (counts, at_half))
        every = some.stop - some.start == n_labels
        theirs = objective if every else of_labels(objective, np.arange(some.start, some.stop))
        cells = cells_of(own, half_own, None if both is None else (both[0][some], both[1][some]))
        moves = influences(theirs, own, half_own)
        told[0, some] = variance(cells, moves[0])
        told[1:, some] = (
            (np.where(own.n < 2, np.inf, 1.0), cells[2] + cells[5])
            if alike
            else spread_of(pairs, cells, moves, some, n_units, groups)
        )
    return _states(objective, (counts, at_half), tuple(told), n_items, bar)


def half_of_curves(curves: Curves) -> Counts | None:
    """Return the counts at 0.5 that curves hold beside their folds; None if they hold none."""
    folds = curves.folds
    return None if folds is None else Counts(folds.half[0], folds.half[1], curves.n_positive, curves.n_known)


def states_of_curves(curves: Curves, counts: Counts, objective: Objective, bar: float = BAR) -> LabelStates | None:
    """Return the state of each label from counts alone; None where these do not tell how much they vary.

    That is with weights or groups, and without counts at 0.5. Each label is decided by a cut.
    """
    at_half = half_of_curves(curves)
    if at_half is None or curves.folds is None or curves.folds.grouped or curves.n_known.dtype != np.int64:
        return None
    cells = cells_of(counts, at_half)
    influence, _ = influences(objective, counts, at_half)
    spread = np.where(counts.n < 2, np.inf, 1.0)
    told = variance(cells, influence), spread, cells[2] + cells[5]
    return _states(objective, (counts, at_half), told, curves.n_items, bar)


def _states(
    objective: Objective,
    both: tuple[Counts, Counts],
    told: tuple[NDArray[np.float64], ...],
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
    by_one, by_half = derivatives(objective, counts), derivatives(objective, at_half)
    given, missed, wrong, rejected = by_one
    given0, missed0, wrong0, rejected0 = by_half
    own = np.array([given, given, missed, missed, wrong, wrong, rejected, rejected])
    of_half = np.array([given0, missed0, given0, missed0, wrong0, rejected0, wrong0, rejected0])
    return own - of_half, own


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
        for _, block, _ in one.source.pairs():
            (tp, pp, _, _), (tp0, pp0, _, _) = flags_of(block, one), flags_of(block, half)
            for_both = tp & tp0, pp & ~tp & pp0
            if isinstance(block, Rows):
                more = [block.weight @ flag for flag in for_both]
            else:
                n_labels = len(one.values)
                more = [np.bincount(block.label, block.weight * flag, n_labels) for flag in for_both]
            right, wrong = right + more[0], wrong + more[1]
    return right, wrong
