"""Files of summaries: the bins of both kinds at one list of lowest scores, checked on the way in."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import curve_files
from limen.binned import SHIFTS, Binned, keys_of, scores_of
from limen.sources.blocks import Totals
from limen.sources.candidates import Candidates

SUMMARY = curve_files.Form("https://limen.dev/schema/summary", "a summary of data read once", "Summary.save")
_KINDS = ("negative", "positive")
_STORED = dict.fromkeys(_KINDS, "cn") | {f"highest_{kind}": "cs" for kind in _KINDS}
_STORED |= {f"n_{kind}": "ln" for kind in _KINDS}


def write(path: str | os.PathLike[str], binned: Binned) -> None:
    """Write bins to a file, whole or not at all."""
    bins = binned.bins
    label, truth = np.divmod(np.repeat(np.arange(2 * len(binned.labels)), np.diff(bins.offsets)), 2)
    lowest, highest = scores_of(bins.low), scores_of(bins.high)
    cuts = Candidates.distinct(binned.labels, binned.dtype, label, lowest)
    place = _place(cuts, label, lowest)
    arrays: dict[str, NDArray[Any]] = {"n_negative": binned.totals.negative, "n_positive": binned.totals.positive}
    for code, kind in enumerate(_KINDS):
        own = truth == code
        number, high = np.zeros(len(cuts.cuts), bins.n.dtype), np.full(len(cuts.cuts), -np.inf, cuts.cuts.dtype)
        number[place[own]], high[place[own]] = bins.n[own], highest[own]
        arrays |= {kind: number, f"highest_{kind}": high}
    header = {"n_items": binned.n_items, "bins": binned.most}
    curve_files.write(path, SUMMARY, curve_files.Stored(cuts, header, arrays))


def read(path: str | os.PathLike[str]) -> Binned:
    """Return the bins of a file.

    Raises
    ------
    UnreadableError
        If the file is missing, damaged or cut short.
    InputError
        If it is no file of a summary, of a newer limen, or contradicts itself.
    """
    stored = curve_files.read(path, SUMMARY, {"n_items": int, "bins": int}, _STORED)
    cuts, n_labels = stored.candidates, len(stored.candidates.labels)
    label = np.repeat(np.arange(n_labels), np.diff(cuts.offsets))
    parts = []
    for code, kind in enumerate(_KINDS):
        highest, number = stored.arrays[f"highest_{kind}"], stored.arrays[kind]
        at = np.flatnonzero(highest != -np.inf)
        parts.append((2 * label[at] + code, cuts.cuts[at], highest[at], number[at]))
        if number[highest == -np.inf].any():
            raise curve_files.altered(path, SUMMARY, "there are items in no bin")
    column, low, high, number = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(column, kind="stable")
    totals = Totals(stored.arrays["n_positive"], stored.arrays["n_negative"])
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise curve_files.altered(path, SUMMARY, "scores are not finite")
    empty = Binned.empty(cuts.labels, cuts.dtype, number.dtype != np.int64, stored.header["bins"])
    offsets = np.searchsorted(column[order], np.arange(2 * n_labels + 1))
    bins = type(empty.bins)(offsets, keys_of(low[order]), keys_of(high[order]), number[order])
    binned = replace(empty, bins=bins, totals=totals, n_items=stored.header["n_items"])
    if problem := _contradiction(binned):
        raise curve_files.altered(path, SUMMARY, problem)
    return binned


def _place(cuts: Candidates, label: NDArray[np.int64], scores: NDArray[Any]) -> NDArray[np.int64]:
    """Return which of the cuts each score of a label is; labels ascend."""
    found = np.empty(len(scores), np.int64)
    edges = np.searchsorted(label, np.arange(len(cuts.labels) + 1))
    for k in range(len(cuts.labels)):
        rising = cuts.cuts[cuts.offsets[k] : cuts.offsets[k + 1]][::-1]
        own = slice(edges[k], edges[k + 1])
        found[own] = cuts.offsets[k + 1] - 1 - np.searchsorted(rising, scores[own])
    return found


def _contradiction(binned: Binned) -> str:
    """Return what in bins contradicts what a summary is; nothing if they agree."""
    offsets, low, high, number = binned.bins
    size = np.diff(offsets)
    if binned.most < 4 or (size > binned.most * len(SHIFTS[low.itemsize])).any():
        return f"it has more bins than {binned.most} of each fineness"
    if (
        not np.isfinite(number).all()
        or (number < 0).any()
        or (binned.bins.n.dtype == np.int64 and (number == 0).any())
    ):
        return "bins do not count items"
    column = np.repeat(np.arange(len(size)), size)
    rank = np.arange(len(low)) - offsets[column]
    level = rank // binned.most
    shift = binned.shifts[level].astype(low.dtype)
    if (high < low).any() or (low >> shift != high >> shift).any():
        return "scores of a bin are not of one bin"
    follows = np.flatnonzero(rank > 0)
    finer = follows[level[follows] == level[follows - 1]]
    if (high[follows] >= low[follows - 1]).any() or (
        low[finer] >> shift[finer] == low[finer - 1] >> shift[finer]
    ).any():
        return "bins overlap"
    totals = np.stack([binned.totals.negative, binned.totals.positive], axis=1).ravel()
    slack = 0 if number.dtype == np.int64 else 1e-9 * np.maximum(1.0, np.abs(totals))
    if not np.isfinite(totals).all() or (np.bincount(column, number, len(size)) > totals + slack).any():
        return "bins hold more items than their label has"
    if binned.n_items < 1 or (not binned.weighted and (binned.totals.known > binned.n_items).any()):
        return f"it says {binned.n_items} items, fewer than are counted"
    return ""
