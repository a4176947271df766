"""Settings and thresholds that hold on new recordings: counts smoothed, labels drawn together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.events.curves import EventCurves
from limen.events.problem import best_shared, counts_at
from limen.objectives import Objective
from limen.scales import logit, sigmoid

SMOOTHING = 0.5
"""Standard deviation of the kernel over cuts, in log odds."""
STEP, MOST_STEPS = 0.1, 400
NEVER = -1e30
ROUNDS = 12


class Strength(NamedTuple):
    """How strongly a label is drawn, in events: as so many of its own, to settings and to cuts that serve all."""

    setting: float
    cut: float

    def __str__(self) -> str:
        if np.isinf(self.cut):
            return "one setting and threshold, smoothed"
        setting = "one setting" if np.isinf(self.setting) else f"{self.setting:g} events to settings"
        return f"{setting}, {self.cut:g} events to thresholds"


STRENGTHS = tuple(
    Strength(*pair)
    for pair in ((0, 10), (30, 30), (100, 30), (100, 100), (300, 100), (300, 300), (np.inf, 30), (np.inf, np.inf))
)
USUAL = Strength(100, 30)
"""Taken unless another is better on recordings left out by more than the standard error of the difference."""


@dataclass(frozen=True, eq=False)
class Tables:
    """Counts on common cuts for all labels and settings, float32 (n_labels, n_settings, n_cuts), rising cuts.

    ``tp`` and ``pp`` are as counted, ``smooth`` is both smoothed over neighbouring cuts.
    """

    tp: NDArray[np.float32]
    pp: NDArray[np.float32]
    p: NDArray[np.float64]
    n: NDArray[np.float64]
    smooth: tuple[NDArray[np.float32], NDArray[np.float32]]

    def without(self, other: Tables) -> Tables:
        """Return the tables of the other recordings."""
        smooth = (self.smooth[0] - other.smooth[0], self.smooth[1] - other.smooth[1])
        return Tables(self.tp - other.tp, self.pp - other.pp, self.p - other.p, self.n - other.n, smooth)

    def counts(self, choice: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
        """Return tp, pp, p and n by label of a choice, int64 (2, n_labels) of settings and cuts."""
        k = np.arange(len(self.p))
        tp, pp = (table[k, choice[0], choice[1]].astype(np.float64) for table in (self.tp, self.pp))
        return tp, pp, self.p, self.n


@dataclass(frozen=True, eq=False)
class Grid:
    """Common cuts, rising and evenly spaced in log odds or in units of the scores.

    Attributes
    ----------
    cuts : float64 (n_cuts,)
        In units of the scores.
    width : float
        Standard deviation of the smoothing kernel, in steps.
    place : int64 (n_labels, n_settings, n_cuts)
        The candidate of the curves that each cut decides as.
    """

    cuts: NDArray[np.float64]
    width: float
    place: NDArray[np.int64]

    @classmethod
    def of(cls, curves: EventCurves) -> Grid:
        """Return the cuts that span those of the curves."""
        finite = curves.cuts[np.isfinite(curves.cuts)]
        inside = (finite > 0) & (finite < 1) if curves.kind == "probability" else np.ones(len(finite), bool)
        x = logit(finite[inside]) if curves.kind == "probability" else finite[inside]
        low, high = (float(np.quantile(x, 0.01)), float(x.max())) if len(x) else (0.0, 0.0)
        step = STEP if curves.kind != "real" else 0.0
        step = max(step, (high - low) / MOST_STEPS) or 1.0
        at = np.asarray(low + step * np.arange(int((high - low) / step) + 3), np.float64)
        width = SMOOTHING / step if curves.kind != "real" else MOST_STEPS / 20
        cuts = sigmoid(at) if curves.kind == "probability" else at
        shape = (curves.n_labels, len(curves.settings), len(at))
        place = np.empty((shape[0] * shape[1], shape[2]), np.int64)
        for i, (first, last) in enumerate(zip(curves.offsets[:-1], curves.offsets[1:], strict=True)):
            place[i] = first + np.searchsorted(-curves.cuts[first:last], -cuts, side="right") - 1
        return cls(cuts, width, place.reshape(shape))

    def tables(self, curves: EventCurves, part: Any = slice(None)) -> Tables:
        """Return the counts of some parts of the recordings."""
        tp, pp = (
            np.atleast_2d(c[part]).sum(axis=0).astype(np.float32)[self.place] for c in (curves.tp, curves.pp)
        )
        p, n = (np.atleast_2d(c[part]).sum(axis=0).astype(np.float64) for c in (curves.p, curves.n))
        if not curves.criterion.has_negatives:
            n = p + pp.max(axis=(1, 2))
        return Tables(tp, pp, p, n, (self.smoothed(tp), self.smoothed(pp)))

    def smoothed(self, table: NDArray[np.float32], part: float = 1.0) -> NDArray[np.float32]:
        """Return counts smoothed over neighbouring cuts, by a kernel of a part of the width."""
        width = max(self.width * part, 1e-3)
        reach = int(np.ceil(2.5 * width))
        weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
        padded = np.pad(table, ((0, 0), (0, 0), (reach, reach)), mode="edge")
        out = np.zeros_like(table)
        for i, w in enumerate((weight / weight.sum()).astype(np.float32)):
            out += w * padded[:, :, i : i + table.shape[2]]
        return out


def drawn(tables: Tables, objective: Objective, strength: Strength) -> NDArray[np.int64]:
    """Return the setting and the cut of each label, int64 (2, n_labels), by smoothed and drawn gains.

    Notes
    -----
    With ``u_k`` what an event of label ``k`` gains on average, and ``U`` that of all labels, at each setting ``s``
    and cut ``t``, label ``k`` takes the largest

        p_k u_k(s, t) + a max_t U_t(s) + b U(s, t)

    where ``max_t U_t(s)`` gives every label its own best cut. Of micro averages the gain is the linear part of the
    objective at the counts chosen so far, as in Dinkelbach's steps.
    """
    value = -np.inf
    best_choice = choice = _start(tables, objective)
    for _ in range(ROUNDS):
        own, own_weight = _gains(tables, objective, choice)
        choice = _chosen(own, own_weight, strength)
        k = np.arange(len(tables.p))
        tp, pp = (table[k, choice[0], choice[1]].astype(np.float64) for table in tables.smooth)
        new = objective(tp, pp, tables.p, tables.n)
        if new <= value + 1e-9:
            break
        value, best_choice = new, choice
        if objective.average != "micro":
            break
    return best_choice


def _start(tables: Tables, objective: Objective) -> NDArray[np.int64]:
    """Return the best common cut of the first setting, where gains are first taken."""
    tp, pp = (table[:, 0, :].astype(np.float64) for table in tables.smooth)
    values = [objective(tp[:, g], pp[:, g], tables.p, tables.n) for g in range(tp.shape[1])]
    return np.stack([np.zeros(len(tables.p), np.int64), np.full(len(tables.p), int(np.argmax(values)))])


def _gains(
    tables: Tables, objective: Objective, choice: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return what each label gains in all, in units of events, and the weight of each label among all."""
    tp, pp = tables.smooth
    p = tables.p
    if objective.average != "micro":
        values = objective.of_labels(
            tp.reshape(len(p), -1).T.astype(np.float64), pp.reshape(len(p), -1).T.astype(np.float64), p, tables.n
        )
        weight = objective.label_weights(p)
        return (values.T.reshape(tp.shape) * p[:, None, None]).astype(np.float32), weight / np.maximum(p, 1)
    k = np.arange(len(p))
    now = [table[k, choice[0], choice[1]].astype(np.float64) for table in (tp, pp)]
    by_tp, by_pp = objective.gradient(now[0], now[1], p, tables.n)
    total = max(p.sum(), 1.0)
    gains = by_tp[:, None, None] * tp + by_pp[:, None, None] * pp
    return (gains * total).astype(np.float32), np.full(len(p), 1 / total)


def _chosen(own: NDArray[np.float32], weight: NDArray[np.float64], strength: Strength) -> NDArray[np.int64]:
    n_labels, n_settings, n_cuts = own.shape
    pooled = np.tensordot(weight, own, axes=1)
    if np.isinf(strength.cut):
        at = int(pooled.argmax())
        return np.full((2, n_labels), [[at // n_cuts], [at % n_cuts]])
    served = weight @ own.max(axis=2)
    drawn_to = strength.cut * pooled
    if np.isinf(strength.setting):
        drawn_to = drawn_to + np.where(np.arange(n_settings) == served.argmax(), 0.0, NEVER)[:, None]
    else:
        drawn_to = drawn_to + strength.setting * served[:, None]
    at = (own + drawn_to[None]).reshape(n_labels, -1).argmax(axis=1)
    return np.stack([at // n_cuts, at % n_cuts])


class Chosen(NamedTuple):
    """A setting and a threshold for each label (n_labels,)."""

    settings: NDArray[np.int64]
    thresholds: NDArray[np.float64]


def at_candidates(curves: EventCurves, index: NDArray[np.int64], shared: float | None = None) -> Chosen:
    """Return the settings and thresholds of candidates; a threshold that all share stays as it is."""
    thresholds = curves.thresholds[index] if shared is None else np.full(curves.n_labels, shared)
    return Chosen(curves.setting_of[index], thresholds)


def at_cuts(curves: EventCurves, grid: Grid, choice: NDArray[np.int64]) -> Chosen:
    """Return the settings and thresholds of a choice on the grid; beyond every score it is never."""
    place = grid.place[np.arange(curves.n_labels), choice[0], choice[1]]
    never = np.isinf(curves.cuts[place])
    return Chosen(choice[0], np.where(never, np.inf, grid.cuts[choice[1]]))


def automatic(curves: EventCurves, objective: Objective) -> tuple[Chosen, list[Chosen], dict[str, Any]]:
    """Return the settings and thresholds of the strength that does best across the parts of the curves.

    Returns
    -------
    chosen : Chosen
    held_out : list of n_parts Chosen
        What the other parts choose with this strength, for each part; empty if there is one part.
    details : dict
        What was tried, and how it did on parts left out.
    """
    grid = Grid.of(curves)
    whole = grid.tables(curves)
    if curves.n_parts < 2:
        choice = drawn(whole, objective, USUAL)
        return at_cuts(curves, grid, choice), [], {"strength": str(USUAL)}
    held: list[list[Chosen]] = [[] for _ in range(len(STRENGTHS) + 1)]
    left_out = np.zeros((curves.n_parts, len(STRENGTHS) + 1, 4, curves.n_labels))
    for part, others in _parts(curves):
        own = grid.tables(curves, part)
        rest = whole.without(own)
        for i, strength in enumerate(STRENGTHS):
            choice = drawn(rest, objective, strength)
            held[i].append(at_cuts(curves, grid, choice))
            left_out[part, i] = own.counts(choice)
        shared = best_shared(others, objective)
        held[-1].append(at_candidates(others, shared.index, shared.solution.details["shared"]))
        left_out[part, -1] = counts_at(curves.of_parts(part), shared.index)
    chosen, values = _best_left_out(left_out, objective)
    names = [*map(str, STRENGTHS), "shared"]
    details = {"strength": names[chosen], "left_out": dict(zip(names, values, strict=True))}
    if chosen < len(STRENGTHS):
        return at_cuts(curves, grid, drawn(whole, objective, STRENGTHS[chosen])), held[chosen], details
    found = best_shared(curves.of_parts(slice(None)), objective)
    return at_candidates(curves, found.index, found.solution.details["shared"]), held[-1], details


def _best_left_out(left_out: NDArray[np.float64], objective: Objective) -> tuple[int, list[float]]:
    """Return which way to take, and the value of each on all that was left out (n_parts, n_ways, 4, n_labels)."""
    left_out[:, :, 3] = left_out[:, :, 3].max(axis=1, keepdims=True)
    values = [objective(*way) for way in left_out.sum(axis=0)]
    by_part = np.array([[objective(*way) for way in part] for part in left_out])
    usual, top = STRENGTHS.index(USUAL), int(np.argmax(values))
    gain = by_part[:, top] - by_part[:, usual]
    error = gain.std(ddof=1) / np.sqrt(len(gain))
    return (top if gain.mean() > error else usual), list(map(float, values))


def _parts(curves: EventCurves) -> Iterator[tuple[int, EventCurves]]:
    for part in range(curves.n_parts):
        yield part, curves.of_parts(np.arange(curves.n_parts) != part)
