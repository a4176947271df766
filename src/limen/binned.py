"""Counts in bins of the scores' bits: a summary of data that are read once, and the curves that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.errors import InputError, MergeError, count
from limen.sources.arrays import working_dtype
from limen.sources.blocks import Entries, Rows, Totals, flatten
from limen.sources.candidates import Candidates

if TYPE_CHECKING:
    from limen._kernels.streams import Bins, Items, Windows

SHIFTS = {4: np.arange(32), 8: np.array([0, *range(29, 64)])}
"""How many of the lowest bits of a score are dropped, from the finest bins to the coarsest, by bytes a score."""
BETWEEN = 64


@dataclass(frozen=True, eq=False)
class Binned:
    """Positive and negative items of each label in bins, the finest for the highest scores.

    Attributes
    ----------
    labels : tuple of n_labels str
    dtype : dtype of the scores
    bins : limen._kernels.streams.Bins
        Those of the negatives, and of the positives, of each label.
    totals : Totals
        Items of each label, with those whose scores are not stored.
    n_items : int
    most : int
        Bins of one fineness, at most, of the positives and of the negatives of each label.
    """

    labels: tuple[str, ...]
    dtype: np.dtype[Any]
    bins: Bins
    totals: Totals
    n_items: int
    most: int

    @classmethod
    def empty(cls, labels: tuple[str, ...], dtype: np.dtype[Any], weighted: bool, most: int) -> Binned:
        """Return the bins of no items."""
        from limen._kernels import streams as kernels

        key = np.uint32 if working_dtype(dtype).itemsize == 4 else np.uint64
        bins = kernels.no_bins(2 * len(labels), key, np.float64 if weighted else np.int64)
        return cls(labels, dtype, bins, Totals.none(len(labels), weighted), 0, most)

    @property
    def weighted(self) -> bool:
        """Whether bins sum weights, and do not count items."""
        return self.bins.n.dtype != np.int64

    @property
    def shifts(self) -> NDArray[np.int64]:
        """How many bits each fineness drops."""
        return SHIFTS[self.bins.low.itemsize]

    def absorbed(self, block: Rows | Entries, windows: Windows | None = None) -> Binned | None:
        """Return the bins with those of a block besides, in windows only; None if a score is not finite."""
        from limen._kernels import streams as kernels

        if isinstance(block, Rows):
            items = kernels.collect(block, self.weighted, windows)
        else:
            items = _of_entries(block, len(self.labels), self.weighted, windows)
        if items is None:
            return None
        return replace(self, bins=kernels.absorb(items, self.bins, self.shifts, self.most))

    def __or__(self, other: Any) -> Binned:
        if not isinstance(other, Binned):
            return NotImplemented
        from limen._kernels import streams as kernels

        mine, theirs = ((part.labels, part.dtype, part.weighted, part.most) for part in (self, other))
        if mine != theirs:
            raise MergeError(
                f"these summaries are of different problems: {_said(self)} against {_said(other)}. Labels, their "
                "order, the dtype, the bins and whether there are weights must agree."
            )
        return replace(
            self,
            bins=kernels.unite(self.bins, other.bins, self.shifts, self.most),
            totals=Totals(*(a + b for a, b in zip(self.totals, other.totals, strict=True))),
            n_items=self.n_items + other.n_items,
        )

    def of_positives(self) -> tuple[NDArray[np.int64], slice | NDArray[np.int64]]:
        """Return the label of each bin of positives, and where these lie among all bins."""
        label, positive = np.divmod(np.repeat(np.arange(2 * len(self.labels)), np.diff(self.bins.offsets)), 2)
        at = np.flatnonzero(positive)
        return label[at], at

    def curves(self) -> Curves:
        """Return the counts at the lowest positive of each bin, and at some negatives between.

        True positives are exact. Negatives of a bin that a cut divides may lie on either side. No cut between two
        candidates gives more than one of them with the fewest false positives.
        """
        from limen._kernels import stream_bounds as kernels

        candidates, cuts = self._candidates()
        found = kernels.bound(self.bins, cuts, 0 if self.weighted else 1)
        first = candidates.offsets[:-1]
        label = np.repeat(np.arange(len(self.labels)), np.diff(candidates.offsets))
        positive, negative = (total[label] for total in self.totals)
        tp, least, most = (
            np.minimum(part, total) for part, total in zip(found[:3], (positive, negative, negative), strict=True)
        )
        beneath = np.where(found.beneath > 0, scores_of(found.beneath), -np.inf).astype(candidates.cuts.dtype)
        just_below = np.nextafter(candidates.cuts, -np.inf, dtype=candidates.cuts.dtype)
        beneath = np.where(found.unsure, just_below, beneath)
        for part in (tp, least, most):
            part[first] = 0
        at = self.of_positives()[1]
        complete = bool((self.bins.low[at] == self.bins.high[at]).all())
        known = complete and bool((least == most).all())
        return Curves(
            candidates,
            tp,
            most,
            beneath,
            *(self.totals.positive, self.totals.known, self.n_items),
            complete=complete,
            fp_least=None if known else least,
            covered=True,
        )

    def _candidates(self) -> tuple[Candidates, Any]:
        """Return the cuts, and their keys with the highest of the positives that each stands for."""
        from limen._kernels import stream_bounds as kernels

        label, at = self.of_positives()
        low, high = self.bins.low[at], self.bins.high[at]
        grid_label, grid = self._between()
        # "Never" lies above all keys of scores.
        every = np.arange(len(self.labels))
        top = np.full(len(every), np.iinfo(low.dtype).max, low.dtype)
        label = np.concatenate([every, label, grid_label])
        low, high = np.concatenate([top, low, grid]), np.concatenate([top, high, grid])
        order = np.lexsort((~low, label))
        label, low, high = label[order], low[order], high[order]
        offsets = np.searchsorted(label, np.arange(len(every) + 1))
        scores = scores_of(low)
        scores[offsets[:-1]] = np.inf
        return Candidates(self.labels, self.dtype, offsets, scores), kernels.Cuts(offsets, low, high)

    def _between(self) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return label and key of some negatives of each label, evenly by bin: cuts for the regularised methods.

        None lies inside a bin of positives.
        """
        bins, labels, keys = self.bins, [], []
        for k in range(len(self.labels)):
            first, start, end = bins.offsets[2 * k : 2 * k + 3]
            some = np.unique(np.linspace(first, start - 1, min(BETWEEN, start - first)).astype(np.int64))
            found, low = bins.low[some], bins.low[start:end][::-1]
            place = np.searchsorted(low, found, side="right") - 1
            if len(low):
                found = found[(place < 0) | (found > bins.high[start:end][::-1][place])]
            labels.append(np.full(len(found), k))
            keys.append(found)
        return np.concatenate(labels), np.concatenate(keys)

    def keys_at(self, curves: Curves, at: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return the keys of some finite cuts, falling by label, and where each label's begin."""
        starts = np.searchsorted(curves.label_of[at], np.arange(len(self.labels) + 1))
        return starts, keys_of(curves.candidates.cuts[at])

    def replaced(self, windows: Windows, fine: Binned) -> Binned:
        """Return the bins with finer ones in windows.

        Raises
        ------
        InputError
            If there are not as many items in the windows as before: these are other data.
        """
        bins = self.bins
        column = np.repeat(np.arange(2 * len(self.labels)), np.diff(bins.offsets))
        inside = _inside(windows, column // 2, bins.low)
        own = np.repeat(np.arange(2 * len(self.labels)), np.diff(fine.bins.offsets))
        before, now = (
            np.bincount(where, part, 2 * len(self.labels))
            for where, part in ((column[inside], bins.n[inside]), (own, fine.bins.n))
        )
        if not np.allclose(before, now, rtol=1e-9, atol=0.0 if not self.weighted else 1e-60):
            k = int(np.flatnonzero(~np.isclose(before, now, rtol=1e-9, atol=0))[0])
            raise InputError(
                f"the chunks are not the data of the summary: {self.labels[k // 2]!r} has {now[k]:g} "
                f"{('negatives', 'positives')[k % 2]} where there were {before[k]:g}. Give the same blocks again."
            )
        label = np.concatenate([column[~inside], own])
        low, high, n = (
            np.concatenate([old[~inside], new]) for old, new in zip(bins[1:], fine.bins[1:], strict=True)
        )
        order = np.lexsort((~low, label))
        offsets = np.searchsorted(label[order], np.arange(2 * len(self.labels) + 1))
        return replace(self, bins=type(bins)(offsets, low[order], high[order], n[order]))


def scores_of(keys: NDArray[Any]) -> NDArray[Any]:
    """Return the scores of keys, float32 or float64."""
    sign: Any = keys.dtype.type(1 << 8 * keys.itemsize - 1)
    bits: NDArray[Any] = np.where(keys & sign, keys ^ sign, np.invert(keys))
    return bits.view(np.float32 if keys.itemsize == 4 else np.float64)


def keys_of(scores: NDArray[Any]) -> NDArray[Any]:
    """Return whole numbers without sign that rise with the scores, which are float32 or float64."""
    bits = np.ascontiguousarray(scores).view(np.uint32 if scores.itemsize == 4 else np.uint64)
    sign: Any = bits.dtype.type(1 << 8 * bits.itemsize - 1)
    bits = np.where(bits == sign, bits.dtype.type(0), bits)
    return np.asarray(np.where(bits & sign, np.invert(bits), bits | sign))


def _of_entries(block: Entries, n_labels: int, weighted: bool, windows: Windows | None) -> Items | None:
    """Return the known items of a sparse block by column, in windows only; None if a score is not finite."""
    from limen._kernels import streams as kernels

    if not np.isfinite(block.scores).all():
        return None
    block = flatten(block)
    column = 2 * block.label + block.truth
    order = np.argsort(column, kind="stable")
    column, keys = column[order], keys_of(block.scores[order])
    if windows is not None:
        inside = _inside(windows, column // 2, keys)
        order, column, keys = order[inside], column[inside], keys[inside]
    ends = np.cumsum(np.bincount(column, minlength=2 * n_labels))
    starts = np.concatenate([[0], ends[:-1]])
    weight = np.asarray(block.weight[order], np.float64) if weighted else np.empty(0)
    return kernels.Items(starts, ends, keys, weight)


def _inside(windows: Windows, label: NDArray[np.int64], low: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which bins lie in windows, which no bin crosses."""
    found = np.zeros(len(low), bool)
    edges = np.searchsorted(label, np.arange(len(windows.offsets)))
    for k in range(len(windows.offsets) - 1):
        own = slice(windows.offsets[k], windows.offsets[k + 1])
        bottom, top = windows.low[own][::-1], windows.high[own][::-1]
        bins = low[edges[k] : edges[k + 1]]
        place = np.searchsorted(bottom, bins, side="right") - 1
        if len(bottom):
            found[edges[k] : edges[k + 1]] = (place >= 0) & (bins <= top[place])
    return found


def _said(binned: Binned) -> str:
    weights = " with weights" if binned.weighted else ""
    return (
        f"{count(len(binned.labels), 'label')} of {binned.dtype} scores{weights} in {binned.most} bins a fineness"
    )
