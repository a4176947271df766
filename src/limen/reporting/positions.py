"""The cuts that the page can show, each with counts that are exactly known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import metrics
from limen.constraints import Bound
from limen.curves import Curves
from limen.decisions import Counts
from limen.objectives import Objective
from limen.reporting.encoding import packed, rising
from limen.solvers.constrained import in_range
from limen.solvers.frontier import Walk

MOST_IN_ALL = 200_000
MOST_BY_LABEL = 2_000
FEWEST_BY_LABEL = 8


@dataclass(frozen=True, eq=False)
class Positions:
    """Thresholds by label, falling, "never" (+inf) first, with the counts of their decisions.

    Attributes
    ----------
    offsets : int64 (n_labels + 1,)
        The positions of label ``k`` lie at ``offsets[k]:offsets[k + 1]``.
    values : float32 or float64 (n_positions,)
        Thresholds, exactly as they would be saved.
    tp, fp : int64 or float64 (n_positions,)
    known : dict from name to int64 (n_labels,)
        Where each vector of given thresholds lies, counted from the label's first position.
    step_label, step_position : int64 (n_steps,)
        The frontier: each step moves one label to a lower position, and with it those that share its threshold.
    all_cuts : int64 (n_labels,)
        Number of distinct cuts before thinning.
    """

    offsets: NDArray[np.int64]
    values: NDArray[Any]
    tp: NDArray[Any]
    fp: NDArray[Any]
    known: dict[str, NDArray[np.int64]]
    step_label: NDArray[np.int64]
    step_position: NDArray[np.int64]
    all_cuts: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        curves: Curves,
        objective: Objective,
        given: dict[str, tuple[NDArray[Any], Counts]],
        most: int = MOST_IN_ALL,
        bound: Bound | None = None,
    ) -> Positions:
        """Return the candidates of the curves and the given thresholds, thinned to about ``most``.

        Kept in any case: the given thresholds, "never", all vertices of the frontier, and each label's
        best cut by the objective's metric and by F1. The rest of a label is thinned evenly by rank. Labels that
        share a threshold have the same cuts.

        Parameters
        ----------
        given : dict from name to (thresholds (n_labels,), their Counts)
        bound : Bound, optional
            Constraints that the curves were extended for.
        """
        groups = bound.groups if bound is not None else ()
        walk = _walk(curves, groups)
        size = np.diff(curves.offsets)
        keep = _evenly(size, _cap(size, most))
        keep[curves.offsets[:-1]] = True
        keep[walk.candidate] = True
        label_of, p, n = curves.label_of, curves.n_positive, curves.n_known
        zero = objective.zero_division
        for values in (
            objective.of_labels(curves.tp, curves.pp, p, n, label_of),
            np.asarray(metrics.get("f1")(curves.tp, curves.pp, p[label_of], n[label_of], zero)),
        ):
            keep[_best(values, curves.offsets)] = True
        for group in groups:
            of_all = [slice(curves.offsets[k], curves.offsets[k + 1]) for k in group]
            together = np.logical_or.reduce([keep[own] for own in of_all])
            for own in of_all:
                keep[own] = together
        kept = np.flatnonzero(keep)
        n_labels = len(size)
        parts = [(label_of[kept], _thresholds(curves, kept, bound), curves.tp[kept], curves.fp[kept])]
        parts += [(np.arange(n_labels), cuts, counts.tp, counts.pp - counts.tp) for cuts, counts in given.values()]
        label, cuts, tp, fp = (np.concatenate(column) for column in zip(*parts, strict=True))
        cuts = cuts + np.zeros((), np.float32)
        order = np.lexsort((-cuts, label))
        new = np.ones(len(order), bool)
        new[1:] = (label[order][1:] != label[order][:-1]) | (cuts[order][1:] != cuts[order][:-1])
        place = np.empty(len(order), np.int64)
        place[order] = np.cumsum(new) - 1
        first = order[new]
        offsets = np.concatenate([[0], np.cumsum(np.bincount(label[first], minlength=n_labels))])
        within = place - offsets[label]
        of_candidate = np.full(len(keep), -1, np.int64)
        of_candidate[kept] = within[: len(kept)]
        starts = len(kept) + n_labels * np.arange(len(given))
        return cls(
            offsets,
            cuts[first],
            tp[first],
            fp[first],
            {name: within[start : start + n_labels] for name, start in zip(given, starts, strict=True)},
            walk.label,
            of_candidate[walk.candidate],
            size,
        )

    def content(self) -> dict[str, Any]:
        """Return what the page takes, packed; ``all_cuts`` only if some cut is left out."""
        thinned = bool((np.diff(self.offsets) < self.all_cuts).any())
        return {
            "size": packed(np.diff(self.offsets)),
            "values": packed(self.values),
            "tp": rising(self.tp, self.offsets),
            "fp": rising(self.fp, self.offsets),
            **{name: packed(at) for name, at in self.known.items()},
            "all_cuts": packed(self.all_cuts) if thinned else None,
        }


def _walk(curves: Curves, groups: Sequence[tuple[int, ...]]) -> Walk:
    """Return the frontier; labels that share a threshold, whose candidates are the same, move as their first."""
    if not groups:
        return Walk.of(curves)
    tp, fp, size = curves.tp.copy(), curves.fp.copy(), np.diff(curves.offsets)
    alone = np.ones(len(tp), bool)
    for first, *others in groups:
        own = slice(curves.offsets[first], curves.offsets[first + 1])
        for k in others:
            of_other = slice(curves.offsets[k], curves.offsets[k + 1])
            tp[own] += tp[of_other]
            fp[own] += fp[of_other]
            alone[of_other.start + 1 : of_other.stop] = False
            tp[of_other.start], fp[of_other.start], size[k] = 0, 0, 1
    candidates = replace(curves.candidates, offsets=np.concatenate([[0], np.cumsum(size)]))
    walk = Walk.of(replace(curves, candidates=candidates, tp=tp[alone], fp=fp[alone], sources=()))
    return replace(walk, candidate=np.flatnonzero(alone)[walk.candidate])


def _thresholds(curves: Curves, kept: NDArray[np.int64], bound: Bound | None) -> NDArray[Any]:
    """Return thresholds at candidates: halfway to the score below, or where constraints want them.

    Within a range where it can be; at the cut itself for labels that share a threshold.
    """
    values = curves.thresholds(kept)
    if bound is None:
        return values
    label, cuts = curves.label_of[kept], curves.thresholds(kept, "score")
    own = replace(bound, low=bound.low[label], high=np.full(len(kept), np.inf))
    together = np.isin(label, [k for group in bound.groups for k in group])
    return np.where(together, cuts, np.minimum(in_range(values, own), cuts))


def _cap(size: NDArray[np.int64], most: int) -> int:
    """Return how many cuts of a label to keep, so that all labels together have at most ``most``."""
    low, high = FEWEST_BY_LABEL, MOST_BY_LABEL
    while low < high:
        middle = (low + high + 1) // 2
        if np.minimum(size, middle).sum() <= most:
            low = middle
        else:
            high = middle - 1
    return low


def _evenly(size: NDArray[np.int64], cap: int) -> NDArray[np.bool_]:
    """Return which cuts to keep: ``cap`` of each label, evenly by rank, first and last among them."""
    rank = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
    of = np.repeat(size, size)
    # Rank r is kept if a whole number of steps lies in (r - 1, r], the steps being (of - 1) / (cap - 1) long.
    steps = np.maximum(of - 1, 1)
    here, before = rank * (cap - 1) // steps, (rank - 1) * (cap - 1) // steps
    return np.asarray((of <= cap) | (here != before))


def _best(values: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first of the largest elements of each label."""
    size = np.diff(offsets)
    top = np.maximum.reduceat(values, offsets[:-1])
    at = np.flatnonzero(values == np.repeat(top, size))
    _, first = np.unique(np.repeat(np.arange(len(size)), size)[at], return_index=True)
    return at[first]
