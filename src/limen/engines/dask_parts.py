"""Parts of data that Dask holds: blocks of rows, and what a worker makes of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from operator import or_
from typing import Any, NamedTuple

import dask
import numpy as np

from limen.curves import Curves, merged
from limen.data import Data, as_data
from limen.errors import InputError, LimenError, count
from limen.folds import check_groups
from limen.shards import Cuts, count_shard
from limen.sources.arrays import as_weight
from limen.sources.blocks import Source, Tallies, Totals
from limen.sources.candidates import Candidates

FAN_IN = 8
"""So many summaries are merged at a time."""
Given = tuple[Any, Any, dict[str, Any]]
"""Labels, scores, and what belongs to the items: arguments of `limen.tune` by name."""


def as_given(y_true: Any, y_score: Any, of_items: dict[str, Any]) -> Given:
    """Return a part as it is."""
    return y_true, y_score, of_items


class Part(NamedTuple):
    """A block of rows: what is computed on a worker, and where it stands, for messages."""

    y_true: Any
    y_score: Any
    of_items: Mapping[str, Any]
    place: str = ""
    first_row: int = 0


@dataclass(frozen=True)
class Like:
    """What all parts have in common.

    Attributes
    ----------
    labels : tuple of n_labels str, or None
        None where the parts name them.
    prepare : callable
        What is done to labels, scores and what belongs to the items before they go through limen's door.
    """

    labels: tuple[str, ...] | None
    prepare: Callable[[Any, Any, dict[str, Any]], Given] = as_given


class Seen(NamedTuple):
    """What the first pass leaves of some parts."""

    cuts: Cuts
    n_items: int
    some_weight: bool


def is_frame(data: Any) -> bool:
    """Return whether data are a frame or a column that Dask holds."""
    return bool(dask.is_dask_collection(data)) and hasattr(type(data), "divisions")


def first_pass(parts: Sequence[Part], like: Like) -> Any:
    """Return where to count, as a collection that Dask computes."""
    see, unite, check = (dask.delayed(function, pure=False) for function in (_seen, _united, _cuts))
    shared = dask.delayed(like, traverse=False, pure=False)
    return check(_tree([see(*part[:3], shared, *part[3:]) for part in parts], unite))


def second_pass(parts: Sequence[Part], like: Like, cuts: Any) -> Any:
    """Return the curves, as a collection that Dask computes; ``cuts`` are computed already."""
    tally, add = (dask.delayed(function, pure=False) for function in (_counted, _added))
    shared = dask.delayed(like, traverse=False, pure=False)
    return _tree([tally(*part[:3], shared, *part[3:], cuts) for part in parts], add)


@dataclass(frozen=True)
class DaskSource:
    """Data that Dask holds, to be counted again: a `limen.sources.blocks.Countable`.

    Attributes
    ----------
    parts : tuple of Part
    like : Like
    labels : tuple of n_labels str
    dtype : dtype of the scores
    n_items : int
    weighted : bool
    """

    parts: tuple[Part, ...] = field(repr=False)
    like: Like = field(repr=False)
    labels: tuple[str, ...]
    dtype: np.dtype[Any]
    n_items: int
    weighted: bool

    def candidates(self) -> Candidates:
        """Return the distinct scores of the positive items of each label: one pass."""
        found: Candidates = self._pass(_positive, _any_of_both)
        return found

    def counts(self, candidates: Candidates) -> Tallies:
        """Return the counts at each candidate: one pass."""
        tallies: Tallies = self._pass(_tallies, _tallies_of_both, candidates)
        return tallies

    def totals(self, before: Totals | None = None) -> Totals:
        """Return the weight of the positive and of the negative items of each label, added to ``before``."""
        totals: Totals = self._pass(_totals, _totals_of_both)
        return totals if before is None else _totals_of_both([before, totals])

    def _pass(self, see: Any, unite: Any, *given: Any) -> Any:
        """Return what ``see`` makes of each part, united."""
        do, merge = dask.delayed(_of_part, pure=False), dask.delayed(_of_some, pure=False)
        shared, given = (dask.delayed(one, traverse=False, pure=False) for one in (self.like, given))
        parts = [do(*part[:3], shared, *part[3:], see, given) for part in self.parts]
        return _tree(parts, partial(merge, unite)).compute()


def _of_part(
    y_true: Any, y_score: Any, of_items: dict[str, Any], like: Like, place: str, first: int, see: Any, given: Any
) -> Any:
    with said_at(place):
        data = _data(*like.prepare(y_true, y_score, of_items), like.labels, first)
        return None if data is None else see(data.source, *given)


def _of_some(unite: Any, found: list[Any]) -> Any:
    some = [one for one in found if one is not None]
    return unite(some) if some else None


def _positive(source: Source) -> Candidates:
    return source.candidates()


def _any_of_both(found: list[Candidates]) -> Candidates:
    return reduce(or_, found)


def _tallies(source: Source, candidates: Candidates) -> Tallies:
    return source.counts(candidates)


def _tallies_of_both(found: list[Tallies]) -> Tallies:
    tp, fp, beneath = zip(*found, strict=True)
    return Tallies(np.add.reduce(tp), np.add.reduce(fp), np.maximum.reduce(beneath))


def _totals(source: Source) -> Totals:
    return source.totals()


def _totals_of_both(found: list[Totals]) -> Totals:
    return Totals(*(np.add.reduce(part) for part in zip(*found, strict=True)))


def _tree(found: list[Any], merge: Any) -> Any:
    """Return summaries merged by a tree that depends on nothing but their number."""
    while len(found) > 1:
        found = [merge(found[start : start + FAN_IN]) for start in range(0, len(found), FAN_IN)]
    return found[0]


def _seen(y_true: Any, y_score: Any, of_items: dict[str, Any], like: Like, place: str, first: int) -> Seen | None:
    with said_at(place):
        given = like.prepare(y_true, y_score, of_items)
        data, weight = _data(*given, like.labels, first), given[2].get("sample_weight")
        if data is None:
            return None
        return Seen(Cuts.of(data), data.n_items, weight is None or bool(np.any(weight)))


def _united(found: list[Seen | None]) -> Seen | None:
    some = [one for one in found if one is not None]
    if not some:
        return None
    cuts = reduce(or_, (one.cuts for one in some))
    return Seen(cuts, sum(one.n_items for one in some), any(one.some_weight for one in some))


def _cuts(found: Seen | None) -> Cuts:
    if found is None:
        raise InputError("y_score has no rows in any of its parts. At least one item and one label are needed.")
    if not found.some_weight:
        as_weight(np.zeros(found.n_items), found.n_items)  # says that weights of 0 alone will not do
    if found.cuts.grouped and found.cuts.units is not None:
        check_groups([str(key) for key in found.cuts.units], True)
    return found.cuts


def _counted(
    y_true: Any, y_score: Any, of_items: dict[str, Any], like: Like, place: str, first: int, cuts: Cuts
) -> Curves | None:
    with said_at(place):
        data = _data(*like.prepare(y_true, y_score, of_items), like.labels, first)
        # The data stay with Dask: what is merged must not hold on to them.
        return None if data is None else replace(count_shard(data, cuts), sources=())


def _added(found: list[Curves | None]) -> Curves | None:
    some = [one for one in found if one is not None]
    return merged(some) if some else None


def _data(
    y_true: Any, y_score: Any, of_items: dict[str, Any], labels: tuple[str, ...] | None, first_row: int
) -> Data | None:
    """Return a part as data, or None if it has no rows."""
    rows, labelled = _length(y_score), _length(y_true)
    if not rows or not labelled:
        if rows != labelled:
            raise InputError(
                f"y_score has {count(rows, 'row')} and y_true {count(labelled, 'row')}. Both need the same items."
            )
        return None
    return as_data(y_true, y_score, labels=labels, first_row=first_row, part=True, **of_items)


def _length(data: Any) -> int:
    return int(data.shape[0]) if hasattr(data, "shape") else len(data)


@contextmanager
def said_at(place: str) -> Iterator[None]:
    """Say where, in the messages of errors that are raised within."""
    try:
        yield
    except LimenError as error:
        if not place:
            raise
        raise type(error)(f"{place}: {error}") from error
