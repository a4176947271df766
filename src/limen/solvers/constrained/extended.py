"""The cuts that constraints need beyond the scores of positives, and how thresholds are placed then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.constraints import Bound, MinPredictions
from limen.constraints.bound import Row
from limen.curves import Curves
from limen.decisions import in_dtype
from limen.errors import UnsupportedError
from limen.sources.blocks import Countable, Entries, Source, flatten
from limen.sources.candidates import Candidates


def needs_more(bound: Bound) -> bool:
    """Return whether constraints need cuts that are not at the score of a positive item."""
    least = _least(bound.rows) or _least(bound.pooled)
    return bound.linked or bool(np.isfinite(bound.high).any()) or bool(least)


def extended(
    curves: Curves | None, sources: Sequence[Countable], bound: Bound, every: NDArray[np.bool_] | None = None
) -> Curves:
    """Return the curves at every cut that may be the best one under constraints.

    Parameters
    ----------
    curves : Curves, optional
    sources : sequence of Countable
    bound : Bound
    every : bool (n_labels,), optional
        Labels of which giving every item may be best; without their scores nothing is proven then.

    Raises
    ------
    UnsupportedError
        If cuts beyond those of the curves are needed, and the scores are not at hand.

    Notes
    -----
    A constraint that only asks for fewer false positives keeps the best cut at the score of a positive. Else a cut
    rises to a positive as far as it may: up to the end of its range, to the lowest threshold of a label below
    it in a hierarchy, to the highest cut that still gives as many tags as asked for, or, in a group, to a positive
    of any of its labels. A least number of tags over all labels makes every score a candidate.
    """
    readable = [source for source in sources if isinstance(source, Source)]
    if not needs_more(bound):
        curves = curves if curves is not None else _counted(sources, None)
        if every is None or not every.any():
            return curves
        if not readable or len(readable) < len(sources):
            lower = np.isfinite(curves.beneath[curves.offsets[1:] - 1])
            sure = not (lower & every).any()
            return replace(curves, complete=curves.complete and sure, covered=curves.covered and sure)
    if not readable or len(readable) < len(sources):
        raise UnsupportedError(
            "these constraints need cuts between the positives, and these curves hold only counts at the positive "
            "items. Give the scores and labels."
        )
    own = readable[0].candidates()
    for source in readable[1:]:
        own = own | source.candidates()
    labels, dtype = own.labels, own.dtype
    if _least(bound.pooled):
        entries = _entries(readable, np.ones(len(labels), bool))
        own = own | Candidates.distinct(labels, dtype, entries.label, entries.scores)
    cuts: list[list[NDArray[Any]]] = [[own.cuts[own.offsets[k] : own.offsets[k + 1]]] for k in range(len(labels))]
    high = in_dtype_below(bound.high, dtype)
    for k in np.flatnonzero(np.isfinite(high)).tolist():
        cuts[k].append(high[k : k + 1])
    if every is not None and every.any():
        for k, score in _lowest(readable, every).items():
            cuts[k].append(np.array([score]))
    for row in _least(bound.rows):
        for k, score in _fewest(readable, row).items():
            cuts[k].append(np.array([score]))
    for members in _in_order(bound, len(labels)):
        together = [cut for k in members for cut in cuts[k]]
        below = {child for parent, child in bound.edges if parent in members and child not in members}
        together += [cut for child in below for cut in cuts[child]]
        for k in members:
            cuts[k] = [np.concatenate(together)] if len(together) > 1 else together
    label = np.repeat(np.arange(len(labels)), [sum(map(len, each)) for each in cuts])
    united = Candidates.distinct(labels, dtype, label, np.concatenate([cut for each in cuts for cut in each]))
    return _counted(readable, united)


def placed(values: NDArray[Any], cuts: NDArray[Any], bound: Bound) -> NDArray[Any]:
    """Return thresholds (n_labels,) between scores, moved up to where the constraints hold, at most to their cuts.

    Cuts keep every constraint, and a threshold between a cut and the score below it decides as the cut does.
    """
    values = np.maximum(values, in_dtype_above(bound.low, values.dtype))
    for members in reversed(_in_order(bound, len(values))):
        above = [parent for parent, child in bound.edges if child in members]
        values[list(members)] = values[[*members, *above]].max()
    return np.asarray(np.minimum(values, cuts))


def in_range(values: NDArray[Any], bound: Bound) -> NDArray[Any]:
    """Return thresholds (n_labels,) that rounding took out of their ranges put back; "never" stays."""
    low, high = in_dtype_above(bound.low, values.dtype), in_dtype_below(bound.high, values.dtype)
    return np.where(np.isfinite(values), np.clip(values, low, high), values)


def in_dtype_below(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the highest numbers of ``dtype`` not above the values."""
    with np.errstate(over="ignore"):
        near = values.astype(dtype)
    return np.where(near.astype(np.float64) > values, np.nextafter(near, near.dtype.type(-np.inf)), near)


def in_dtype_above(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the lowest numbers of ``dtype`` not below the values; its lowest for -inf."""
    near = in_dtype(values, dtype)
    return np.where(near.astype(np.float64) < values, np.nextafter(near, near.dtype.type(np.inf)), near)


def _least(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if isinstance(row.constraint, MinPredictions)]


def _in_order(bound: Bound, n_labels: int) -> list[tuple[int, ...]]:
    """Return groups of labels that share a threshold, and single ones of a hierarchy, children before parents."""
    group_of = {k: group for group in bound.groups for k in group}
    nodes = dict.fromkeys(group_of.values())
    nodes |= dict.fromkeys(group_of.get(k, (k,)) for edge in bound.edges for k in edge)
    children: dict[tuple[int, ...], set[tuple[int, ...]]] = {node: set() for node in nodes}
    for parent, child in bound.edges:
        a, b = group_of.get(parent, (parent,)), group_of.get(child, (child,))
        if a != b:
            children[a].add(b)
    done: dict[tuple[int, ...], None] = {}
    open_ = list(nodes)
    while open_:
        node = open_[-1]
        waiting = [child for child in children[node] if child not in done]
        if waiting and node not in done:
            open_ += waiting
        else:
            done[open_.pop()] = None
    return list(done)


def _fewest(sources: Sequence[Source], row: Row) -> dict[int, Any]:
    """Return, by label, the highest score at which as many tags are given as a row asks for."""
    entries = _entries(sources, row.applies)
    order = np.lexsort((-entries.scores.astype(np.float64), entries.label))
    label, scores, weight = entries.label[order], entries.scores[order], entries.weight[order]
    first = np.searchsorted(label, label)
    total = np.concatenate([[0], np.cumsum(weight)])
    given = total[1:] - total[first]
    totals = [source.totals() for source in sources]
    p, n = (np.add.reduce(part) for part in ([t.positive for t in totals], [t.known for t in totals]))
    enough = np.flatnonzero(row.slack(0 * given, given, p, n, label) >= 0)
    labels, at = np.unique(label[enough], return_index=True)
    return dict(zip(labels.tolist(), scores[enough[at]], strict=True))


def _lowest(sources: Sequence[Source], wanted: NDArray[np.bool_]) -> dict[int, Any]:
    """Return, by label, the lowest score."""
    entries = _entries(sources, wanted)
    order = np.lexsort((entries.scores, entries.label))
    labels, at = np.unique(entries.label[order], return_index=True)
    return dict(zip(labels.tolist(), entries.scores[order][at], strict=True))


def _entries(sources: Sequence[Source], wanted: NDArray[np.bool_]) -> Entries:
    """Return the scores of known pairs of the wanted labels."""
    parts = []
    for source in sources:
        for block in source.blocks(check=False):
            entries = flatten(block)
            some = wanted[entries.label]
            parts.append(tuple(part[some] for part in entries))
    return Entries(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _counted(sources: Sequence[Countable], candidates: Candidates | None) -> Curves:
    parts = [Curves.from_source(source, candidates) for source in sources]
    return sum(parts[1:], start=parts[0])
