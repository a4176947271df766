"""Summaries of parts, cut into blocks of labels, so that no machine of a cluster merges all labels of all."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import reduce
from operator import or_
from typing import Any

import numpy as np

from limen.curves import Curves, merged
from limen.shards import Cuts
from limen.solvers.grid import SMALL
from limen.sources.candidates import Candidates

BLOCK = 64
"""So many labels are merged together."""
MOST_EXAMPLES = 5
OF_ITEMS = ("n_items", "units")
"""Fields of summaries that have nothing to do with labels."""


@dataclass(frozen=True)
class Notes:
    """What parts of the data hold beside their counts: how many items and pairs, and what breaks a rule.

    Attributes
    ----------
    n_items, n_listed, n_ones : int
        Items; labels of a long table that have a value, and that are 1.
    weight : float
        The largest weight.
    wrong : dict from rule to (int, tuple of str)
        How often each rule is broken, and the first names, in the order of names.
    """

    n_items: int = 0
    n_listed: int = 0
    n_ones: int = 0
    weight: float = 0.0
    wrong: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)

    def __or__(self, other: Notes) -> Notes:
        wrong = dict(self.wrong)
        for rule, (number, names) in other.wrong.items():
            before, first = wrong.get(rule, (0, ()))
            wrong[rule] = before + number, tuple(sorted(first + names)[:MOST_EXAMPLES])
        return Notes(
            self.n_items + other.n_items,
            self.n_listed + other.n_listed,
            self.n_ones + other.n_ones,
            max(self.weight, other.weight),
            wrong,
        )


Summary = Cuts | Curves | Notes


def block_count(n_labels: int) -> int:
    """Return how many blocks the labels make."""
    return -(-n_labels // BLOCK)


def blocks_of(summary: Cuts | Curves) -> Iterator[tuple[int, Cuts | Curves]]:
    """Return the number and the summary of each block of labels, to be put together by `joined`."""
    candidates = summary.positive if isinstance(summary, Cuts) else summary.candidates
    n_labels = len(candidates.labels)
    for number in range(block_count(n_labels)):
        labels = slice(number * BLOCK, min((number + 1) * BLOCK, n_labels))
        yield number, _cut(summary, labels, candidates)


def joined(blocks: Sequence[Any]) -> Any:
    """Return the blocks of one summary, in the order of their numbers, as one."""
    none = Candidates((), np.dtype(np.float32), np.zeros(1, np.int64), np.zeros(0))
    summary = _joined(blocks, [none] * len(blocks))
    if isinstance(summary, Cuts) and summary.n_items * len(summary.positive.labels) > SMALL:
        return replace(summary, every=None)  # a block of few labels keeps them for more items
    return summary


def _cut(value: Any, labels: slice, of: Candidates) -> Any:
    """Return what a part of a summary holds of some labels.

    The last axis of its arrays is that of the labels, or of the candidates nearest to it; other arrays are whole.
    """
    cuts = slice(of.offsets[labels.start], of.offsets[labels.stop])
    if isinstance(value, np.ndarray):
        n = value.shape[-1]
        return value[..., cuts] if n == len(of.cuts) else value[..., labels] if n == len(of.labels) else value
    if isinstance(value, Candidates):
        own = value.offsets[labels.start : labels.stop + 1]
        return Candidates(value.labels[labels], value.dtype, own - own[0], value.cuts[own[0] : own[-1]])
    parts = _parts(value)
    of = _candidates(parts, of)
    return _replaced(value, {name: _cut(part, labels, of) for name, part in parts.items()})


def _joined(values: Sequence[Any], of: Sequence[Candidates]) -> Any:
    """Return what `_cut` has taken apart."""
    first = values[0]
    if any(value is None for value in values):
        return None
    if isinstance(first, np.ndarray):
        sizes = [value.shape[-1] for value in values]
        of_labels = sizes in ([len(one.cuts) for one in of], [len(one.labels) for one in of])
        return np.concatenate(values, axis=-1) if of_labels else first
    if isinstance(first, Candidates):
        offsets = np.cumsum([0, *np.concatenate([np.diff(one.offsets) for one in values])])
        labels = tuple(name for one in values for name in one.labels)
        cuts = np.concatenate([one.cuts for one in values])
        return Candidates(labels, first.dtype, offsets, cuts)
    parts = [_parts(value) for value in values]
    of = [_candidates(own, one) for own, one in zip(parts, of, strict=True)]
    return _replaced(first, {name: _joined([own[name] for own in parts], of) for name in parts[0]})


def _parts(value: Any) -> dict[str, Any]:
    """Return the fields of a summary that may differ from label to label; what is of items is whole."""
    names = value._fields if hasattr(value, "_fields") else ()
    if is_dataclass(value):
        names = [one.name for one in fields(value)]
    return {name: getattr(value, name) for name in names if name not in OF_ITEMS}


def _candidates(parts: dict[str, Any], of: Candidates) -> Candidates:
    return next((part for part in parts.values() if isinstance(part, Candidates)), of)


def _replaced(value: Any, parts: dict[str, Any]) -> Any:
    if not parts:
        return value
    return value._replace(**parts) if hasattr(value, "_replace") else replace(value, **parts)


def merge(parts: Sequence[bytes]) -> bytes:
    """Return packed summaries of parts as one; sums of weights are made in the order of the parts."""
    summaries = [unpacked(part) for part in parts]
    if isinstance(summaries[0], Curves):
        return packed(merged([part for part in summaries if isinstance(part, Curves)]))
    return packed(reduce(or_, summaries))


def packed(summary: Summary) -> bytes:
    """Return a summary as bytes, for `unpacked` on a machine of the same cluster."""
    return pickle.dumps(summary, protocol=pickle.HIGHEST_PROTOCOL)


def unpacked(content: bytes) -> Summary:
    """Return the summary that `packed` made."""
    summary: Summary = pickle.loads(content)
    return summary
