"""The best choice for a metric of summed counts, under constraints on these sums."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.constraints import MinPredictions
from limen.metrics import GMean
from limen.solvers.constrained.nearby import nearby
from limen.solvers.constrained.target import Pooled, improved

FUZZ = 1e-7
TIGHT = 1e-12
"""Values closer than this, in shares of 1, are the same but for rounding."""


class Found(NamedTuple):
    """The best choice (n_units,) or None, its value, and what no choice passes (NaN: not known)."""

    choice: NDArray[np.int64] | None
    value: float
    bound: float


class _Point(NamedTuple):
    choice: NDArray[np.int64]
    tp: Any
    pp: Any


@dataclass(frozen=True, eq=False)
class _Span:
    """The frontier between two points that are on it, and the slopes of lines through these that it stays under.

    ``edge``: it is the straight line between them, lowered by ``lowered`` tp.
    """

    left: _Point
    right: _Point
    steepest: float
    flattest: float
    edge: bool = False
    lowered: float = 0.0

    def line(self) -> NDArray[np.float64]:
        """Return points (tp and pp, 2 or 3) of a line that nothing reachable lies above."""
        (_, tp, pp), (_, far_tp, far_pp) = self.left, self.right
        if self.edge:
            ends = np.array([[tp, far_tp], [pp, far_pp]], np.float64)
            ends[0] -= self.lowered
            return ends
        wide, high = far_pp - pp, far_tp - tp
        apart = self.steepest - self.flattest
        at = (high - self.flattest * wide) / apart if apart > 0 else wide
        at = min(max(at, 0.0), wide)
        return np.array([[tp, tp + self.steepest * at, far_tp], [pp, pp + at, far_pp]], np.float64)


def best_pooled(target: Pooled) -> Found:
    """Return the best choice of a metric of summed counts that keeps the constraints, and a bound.

    Notes
    -----
    At equal tags given, more right ones serve the metric and every constraint, so what counts is the upper
    frontier of the summed (pp, tp). Its points come from a price: tp - price * pp, which units, groups and trees
    make largest by themselves. Spans of it are cut where a quasi-convex metric, on the lines it stays under and
    within the constraints, may be largest; the last span is an edge, which a constraint crosses. The metric there
    is a bound (that of the linear programme), and `nearby` closes the gap to it.
    """
    best, spans = _explore(target)
    for span in sorted(spans, key=lambda span: -_bound(target, span))[:2]:
        for point in (span.left, span.right):
            if not np.isfinite(best[1]) or not target.enough(_bound(target, span) - best[1]):
                best = _better(target, best, improved(target, point.choice))
    if target.metric.structure == "other" and not isinstance(target.metric, GMean):
        best = best if best[0] is None else _better(target, best, improved(target, best[0]))
        return Found(*best, math.nan if spans or best[0] is not None else -np.inf)
    if target.units.links:
        return _found(target, best, spans)
    queue = [(span, 4.0) for span in spans]
    for _ in range(ROUNDS):
        queue.sort(key=lambda pair: _bound(target, pair[0]))
        bound = _bound(target, queue[-1][0]) if queue else -np.inf
        if not _above(bound, best[1]) or target.enough(bound - best[1]):
            break
        span, share = queue.pop()
        best, span, closed = _closer(target, best, span, share)
        queue.append((span, 1.0 if closed else share / 32))
        if share < 0.1:
            break
    return _found(target, best, [span for span, _ in queue])


ROUNDS = 12
"""How often a gap is looked into."""


def _found(target: Pooled, best: tuple[NDArray[np.int64] | None, float], spans: list[_Span]) -> Found:
    bound = max([_bound(target, span) for span in spans], default=-np.inf)
    return Found(*best, max(best[1], bound) if _above(bound, best[1]) else best[1])


def _explore(target: Pooled) -> tuple[tuple[NDArray[np.int64] | None, float], list[_Span]]:
    """Return the best choice on the frontier, and the edges between its points where more may be."""
    units, (tp, pp) = target.units, target.adds
    least = any(isinstance(row.constraint, MinPredictions) for row in target.rows)
    ends = [units.best(values) for values in (-pp, pp if least else tp)]
    if ends[0] is None or ends[1] is None:
        return (None, -np.inf), []
    left, right = (_Point(choice, *target.of(choice).tolist()) for choice in ends if choice is not None)
    best: tuple[NDArray[np.int64] | None, float] = (None, -np.inf)
    # At no tags, and at all, a metric may be 0/0, and more than at its neighbours.
    for choice in (left.choice, right.choice, units.best(pp)):
        best = best if choice is None else _better(target, best, choice)
    number, edges = count(), []
    first = _Span(left, right, *_slopes(target, left, right))
    heap = [(-_bound(target, first), next(number), first)]
    while heap:
        bound, _, span = heapq.heappop(heap)
        if not _above(-bound, best[1]):
            break
        if span.edge:
            edges.append(span)
            continue
        for part in _split(target, span):
            best = _better(target, best, part.left.choice)
            heapq.heappush(heap, (-_bound(target, part), next(number), part))
    return best, [edge for edge in edges if _above(_bound(target, edge), best[1])]


def _slopes(target: Pooled, left: _Point, right: _Point) -> tuple[float, float]:
    """Return the steepest and the flattest slope that the frontier has between its ends.

    Of items, which enter one by one, they are at most 1 and at least 0. Events may grow into one as the cut falls:
    tp then falls, and rises by more than pp. Where labels depend on each other only items are counted.
    """
    if target.units.links:
        return 1.0, 0.0
    (tp, pp), unit = target.adds, target.units.unit_of

    def from_end(choice: NDArray[np.int64], side: int) -> NDArray[np.float64]:
        gained, added = tp - tp[choice][unit], pp - pp[choice][unit]
        some = side * added > 0
        return np.asarray(gained[some] / added[some], np.float64)

    steepest, flattest = from_end(left.choice, 1), from_end(right.choice, -1)
    return float(steepest.max(initial=1.0)), float(flattest.min(initial=0.0))


def _split(target: Pooled, span: _Span) -> list[_Span]:
    """Return the two parts of a span at the point furthest above its chord, or its edge if there is none."""
    left, right = span.left, span.right
    wide, high = right.pp - left.pp, right.tp - left.tp
    if wide <= 0:
        return []
    if isinstance(wide, int):
        divisor = math.gcd(wide, high) or 1
        wide, high = wide // divisor, high // divisor
    tp, pp = target.adds
    choice = target.units.best(wide * tp - high * pp)
    assert choice is not None
    new = _Point(choice, *target.of(choice).tolist())
    above = wide * (new.tp - left.tp) - high * (new.pp - left.pp)
    if above <= (0 if isinstance(above, int) else TIGHT * wide * max(1.0, abs(new.tp))):
        return [replace(span, edge=True)]
    slope = high / wide
    parts = [_Span(left, new, span.steepest, slope), _Span(new, right, slope, span.flattest)]
    return [part for part in parts if part.right.pp > part.left.pp]


def _bound(target: Pooled, span: _Span) -> float:
    """Return the largest value on the span's line within the constraints; -inf if nothing of it is."""
    line = span.line()
    at = np.array([[0.0, 1.0]] * (line.shape[1] - 1))
    if target.rows:
        slack = np.asarray(target.slack(line), np.float64)
        for left, right in zip(slack[:, :-1], slack[:, 1:], strict=True):
            rise = right - left
            cross = np.clip(-left / np.where(rise == 0, 1, rise), 0, 1)
            at[:, 0] = np.where(left >= 0, at[:, 0], np.where(right >= 0, np.maximum(at[:, 0], cross), 2.0))
            at[:, 1] = np.where(right >= 0, at[:, 1], np.where(left >= 0, np.minimum(at[:, 1], cross), -1.0))
    values, whole = [-np.inf], target.adds.dtype.kind == "i"
    for k, (low, high) in enumerate(at):
        if low > high:
            continue
        step = line[:, k + 1] - line[:, k]
        if whole and step[1] > 0:  # numbers of tags are whole
            first, last = line[1, k] + low * step[1], line[1, k] + high * step[1]
            low, high = ((end - line[1, k]) / step[1] for end in (np.ceil(first - FUZZ), np.floor(last + FUZZ)))
            if low > high:
                continue
        ends = line[:, k, np.newaxis] + np.array([low, high]) * step[:, np.newaxis]
        if isinstance(target.metric, GMean):
            on_edge = target.metric.on_edges(ends[0], ends[1], target.p, target.n, target.zero_division)
            values.append(max(on_edge, float(target.values(ends).max())))
        else:
            values.append(float(target.values(ends).max()))
        if target.metric.structure == "quasiconvex":  # so it is only where it is not negative
            values.append(0.0)
    return max(values)


def _better(
    target: Pooled, best: tuple[NDArray[np.int64] | None, float], choice: NDArray[np.int64]
) -> tuple[NDArray[np.int64] | None, float]:
    value = target.value(choice)
    return (choice, value) if value > best[1] else best


def _above(bound: float, value: float) -> bool:
    return bound > value + TIGHT * max(1.0, abs(value)) if np.isfinite(value) else bound > value


def _closer(
    target: Pooled, best: tuple[NDArray[np.int64] | None, float], span: _Span, share: float
) -> tuple[tuple[NDArray[np.int64] | None, float], _Span, bool]:
    """Return the best choice and the span after a search near its line, and whether there was budget for it.

    The search goes as deep as it takes to prove the best choice so far, or a ``share`` of that.
    """
    wide, high = span.right.pp - span.left.pp, span.right.tp - span.left.tp
    deep = span.right.tp - 0.0
    if np.isfinite(best[1]):
        low = span.lowered
        for _ in range(40):
            middle = (low + deep) / 2
            passed = _above(_bound(target, replace(span, lowered=middle)), best[1])
            low, deep = (middle, deep) if passed else (low, middle)
    depth = (span.lowered + min(share, 1.0) * (deep - span.lowered)) * wide
    tp, pp = target.adds
    falling = 0 if any(isinstance(row.constraint, MinPredictions) for row in target.rows) else -1
    found = nearby(target.units, target.adds, wide * tp - high * pp, depth, (1, falling))
    if found is None:
        return best, span, False
    kept = np.flatnonzero((target.slack(found.sums) >= 0).all(axis=0))
    if len(kept):
        values = target.values(found.sums[:, kept])
        at = int(values.argmax())
        if values[at] > best[1]:
            best = found.choice(int(kept[at])), float(values[at])
    return best, replace(span, lowered=depth / wide), True
