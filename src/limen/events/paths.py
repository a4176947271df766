"""What a promise of events tests: a setting and a list of cuts for each label, or of vectors for all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.events.curves import EventCurves, durations_of, low_thresholds
from limen.events.detecting import detect
from limen.events.matching import Criterion, count_right
from limen.events.recordings import Events, FrameScores
from limen.events.regularised import Grid, automatic
from limen.events.settings import Setting
from limen.guarantees.pooled import Family
from limen.objectives import objective
from limen.scales import Kind
from limen.solvers.frontier import Walk
from limen.sources.candidates import Candidates

MEMBERS = 48
"""So many cuts of a label, or vectors for all, are tested at most, evenly by the logarithm of what is given."""
SMOOTHING = 0.4
"""Width of the kernel by which the fitted part looks for them, as a part of the usual one."""


@dataclass(frozen=True, eq=False)
class Paths:
    """Settings and cuts, strict to lenient.

    Attributes
    ----------
    settings : tuple of n_labels Setting
    thresholds : float64 (n_labels, n_members)
        Those beyond ``size`` are "never".
    size : int64 (n_labels,), or (1,)
        How many there are of each label; of all labels together.
    pooled : bool
        Whether a column is one vector for all labels.
    """

    settings: tuple[Setting, ...]
    thresholds: NDArray[np.float64]
    size: NDArray[np.int64]
    pooled: bool


def paths_of(curves: EventCurves, pooled: bool) -> Paths:
    """Return what the curves of the fitted recordings advise to test.

    Settings are those that `tune` would choose for micro-F1 by its method "auto"; the cuts are those of the
    smoothed counts that give more right events than any stricter one does, or points of the frontier of these.
    """
    n_labels = curves.n_labels
    if not curves.p.sum():
        settings, nothing = (curves.settings[0],) * n_labels, np.full((n_labels, 1), np.inf)
        return Paths(settings, nothing, np.zeros(1 if pooled else n_labels, np.int64), pooled)
    grid = Grid.of(curves)
    tables = grid.tables(curves)
    chosen = automatic(curves, objective("f1", "micro"))[0].settings
    smooth = [grid.smoothed(table, SMOOTHING) for table in (tables.tp, tables.pp)]
    places, counts = [], []
    for k, s in enumerate(chosen.tolist()):
        tp, pp = (np.asarray(table[k, s], np.float64) for table in smooth)
        falling = np.argsort(pp, kind="stable")
        falling = falling[pp[falling] > 1e-6]
        before = np.maximum.accumulate(np.append(0.0, tp[falling]))[:-1]
        own = falling[tp[falling] > before]
        places.append(own)
        counts.append((tp[own], pp[own]))
    settings = tuple(curves.settings[s] for s in chosen)
    if not pooled:
        picked = [grid.cuts[own[evenly(pp)]] for own, (_, pp) in zip(places, counts, strict=True)]
        return Paths(settings, _padded(picked), np.array([len(own) for own in picked]), pooled)
    vectors = _frontier(curves.labels, [grid.cuts[own] for own in places], counts)
    return Paths(settings, vectors, np.array([vectors.shape[1]]), pooled)


def evenly(pp: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the numbers of some of rising counts, evenly by their logarithm."""
    if len(pp) <= MEMBERS:
        return np.arange(len(pp))
    wanted = np.geomspace(max(pp[0], 1.0), max(pp[-1], 1.0), MEMBERS)
    return np.unique(np.minimum(np.searchsorted(pp, wanted), len(pp) - 1))


def _padded(cuts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    found = np.full((len(cuts), max(1, *(len(own) for own in cuts))), np.inf)
    for k, own in enumerate(cuts):
        found[k, : len(own)] = own
    return found


def _frontier(
    labels: tuple[str, ...],
    cuts: list[NDArray[np.float64]],
    counts: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> NDArray[np.float64]:
    """Return points of the frontier of summed counts, (n_labels, n_members)."""
    values = np.concatenate([np.append(np.inf, own) for own in cuts])
    tp, pp = (np.concatenate([np.append(0.0, own[i]) for own in counts]) for i in range(2))
    offsets = np.concatenate([[0], np.cumsum([len(own) + 1 for own in cuts])])
    candidates = Candidates(labels, np.dtype(np.float64), offsets, np.where(pp > 0, -pp, np.inf))
    p = np.maximum.reduceat(tp, offsets[:-1])
    curves = Curves(candidates, tp, pp - tp, np.full(len(tp), -np.inf), p, p + pp.max(), 1)
    walk = Walk.of(curves)
    points = 1 + evenly(np.asarray(walk.pp[1:], np.float64))
    if not len(walk.label):
        return np.full((len(labels), 1), np.inf)
    return np.stack([values[walk.index(curves, int(point))] for point in points], axis=1)


@dataclass(frozen=True, eq=False)
class Counted:
    """What each unit gives on the paths.

    Attributes
    ----------
    tp, pp : int32 (n_labels, n_members, n_units)
    p : int64 (n_labels, n_units)
        Events that there are.
    n : int64 (n_labels,)
        All that could be given, 0 where only events are counted.
    hours : float64 (n_units,)
    fitted : bool (n_units,)
        Which units chose the paths.
    """

    tp: NDArray[np.int32]
    pp: NDArray[np.int32]
    p: NDArray[np.int64]
    n: NDArray[np.int64]
    hours: NDArray[np.float64]
    fitted: NDArray[np.bool_]

    @cached_property
    def together(self) -> Counted:
        """The same with all labels as one."""
        summed = {key: getattr(self, key).sum(axis=0, keepdims=True) for key in ("tp", "pp", "p", "n")}
        return replace(self, **summed)

    def families(self, row: int, size: int) -> tuple[Family, Family]:
        """Return the first members of a label as bets take them: of the fitted units, and of the others."""
        found = []
        for units in (self.fitted, ~self.fitted):
            tp, pp = (part[row, :size][:, units].astype(np.float64) for part in (self.tp, self.pp))
            totals = np.stack([self.p[row, units].astype(np.float64), self.hours[units]])
            given = np.ascontiguousarray(np.stack([tp, pp - tp], axis=1))
            found.append(Family(np.arange(size, dtype=np.float64), given, totals))
        return found[0], found[1]


def counted_on(
    scores: FrameScores,
    references: Events,
    paths: Paths,
    criterion: Criterion,
    kind: Kind,
    units: tuple[NDArray[np.int64], NDArray[np.bool_]],
) -> Counted:
    """Return what each unit gives at every member of the paths: events are detected at each.

    ``units`` are the unit of each recording, int64 (n_recordings,), and which units chose the paths (n_units,).
    """
    unit, fitted = units
    n_labels, n_members = paths.thresholds.shape
    durations, shape = durations_of(scores), (n_labels, n_members, len(fitted))
    tp, pp = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    p, n = np.zeros((n_labels, len(fitted)), np.int64), np.zeros(n_labels, np.int64)
    for j in range(n_members):
        high = paths.thresholds[:, j]
        found = detect(scores, paths.settings, high, low_thresholds(high, paths.settings, kind))
        counts = count_right(found, references, criterion, durations)
        for total, each in ((tp, counts[0]), (pp, counts[1])):
            np.add.at(total[:, j].T, unit, each)
        if not j:
            np.add.at(p.T, unit, counts[2])
            n = counts[3].sum(axis=0)
    hours = np.asarray(np.bincount(unit, durations / 3.6e9, len(fitted)), np.float64)
    return Counted(tp, pp, p, n, hours, fitted)
