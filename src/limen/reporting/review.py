"""The review: which pairs of item and label to look at or listen to first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.reporting.encoding import packed
from limen.sources.blocks import Rows

if TYPE_CHECKING:
    from limen.reporting.items import Axis

IN_ALL = 5000
MOST_BY_LABEL = 24
SURE = 1.0
"""Standard deviations on the wrong side from which a mistake is a sure one, also among the nearest items."""
ANY = 1e30
"""A threshold below minus this gives its label always."""
KINDS = ("near", "missed", "wrong")
"""Near the cut; surely missed (the label says yes); surely given wrongly (the label says no)."""


@dataclass(eq=False)
class Review:
    """Gathers, block by block, the items nearest to each cut and the surest mistakes.

    How far a score is from its cut counts in standard deviations of the label's scores, on the axis. A label
    that is never given has no cut on the axis: its distances count from the high end, so that the highest
    scores come first; one that is always given, from the low end.

    Attributes
    ----------
    values : ndarray (n_labels,)
        The thresholds that decide.
    axis : Axis
    """

    values: NDArray[Any]
    axis: Axis
    row: int = 0
    near: _Least = field(init=False)
    mistakes: _Least = field(init=False)

    def __post_init__(self) -> None:
        most = int(np.clip(IN_ALL // 2 // len(self.values), 1, MOST_BY_LABEL))
        self.near, self.mistakes = _Least(most), _Least(most)
        place = self.axis.place(self.values)
        self.cut = np.clip(place, self.axis.low, self.axis.high).astype(np.float64)
        lowest = np.finfo(self.values.dtype).min
        inside = np.isfinite(self.values) & (self.values > lowest) & (self.values.astype(np.float64) > -ANY)
        self.cut[inside] = place[inside]

    def add(self, block: Rows, x: NDArray[Any]) -> None:
        """Take in a block of rows, whose scores lie at ``x`` on the axis."""
        stored = block.scores > -np.inf
        # What is not stored is below every score.
        x = np.where(stored, x, self.axis.low - self.axis.spread)
        distance = (x - self.cut) / self.axis.spread
        weight = np.asarray(block.weight, np.float64)[:, None]
        given = block.scores >= self.values
        wrong = np.where(given, block.truth == 0, block.truth == 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            close = np.where(stored & (weight > 0), np.abs(distance) / weight, np.inf)
            sure = np.where(wrong & (weight > 0), -np.abs(distance) * weight, np.inf)
        self.near.add(close, self.row, block, distance)
        self.mistakes.add(sure, self.row, block, distance)
        self.row += len(x)

    def content(self, ids: Sequence[str] | None) -> dict[str, Any]:
        """Return the queue, packed: in turn the item nearest to its cut and the surest mistake, no pair twice.

        ``ids`` are the names of the items in the queue, in its order; ``item`` numbers them. ``truth`` is 0
        where it is unknown, 1 for no and 2 for yes; ``kind`` numbers `KINDS`.
        """
        n_labels = len(self.values)
        near, mistakes = self.near.found(), self.mistakes.found()
        code = [part.item * n_labels + part.label for part in (near, mistakes)]
        both = np.isin(code[0], code[1])
        near = near.at(~(both & self._sure(near)))
        mistakes = mistakes.at(~(np.isin(code[1], code[0]) & ~self._sure(mistakes)))
        turn = np.concatenate([2 * np.arange(len(near.key)), 2 * np.arange(len(mistakes.key)) + 1])
        order = np.argsort(turn, kind="stable")
        pairs: Any = zip(near, mistakes, strict=True)
        _, item, label, score, truth, distance = (np.concatenate(pair)[order] for pair in pairs)
        kind = np.concatenate([np.zeros(len(near.key), np.int64), np.where(mistakes.truth == 1, 1, 2)])[order]
        rows, first, number = np.unique(item, return_index=True, return_inverse=True)
        by_use = np.argsort(first)
        place = np.argsort(by_use)
        names = rows[by_use].tolist()
        return {
            "ids": [f"row {row}" if ids is None else str(ids[row]) for row in names],
            "item": packed(place[number]),
            "label": packed(label),
            "score": packed(score),
            "truth": packed(truth.astype(np.int64) + 1),
            "kind": packed(kind),
            "distance": packed(np.abs(distance).astype(np.float32)),
        }

    @staticmethod
    def _sure(found: _Found) -> NDArray[np.bool_]:
        return np.asarray(np.abs(found.distance) >= SURE)


class _Found(NamedTuple):
    """Pairs of item and label by rising key, (n_found,) each."""

    key: NDArray[np.float64]
    item: NDArray[np.int64]
    label: NDArray[np.int64]
    score: NDArray[Any]
    truth: NDArray[np.int8]
    distance: NDArray[np.float64]

    def at(self, chosen: NDArray[Any]) -> _Found:
        return _Found(*(part[chosen] for part in self))


@dataclass(eq=False)
class _Least:
    """Keeps the pairs with the least keys: ``most`` of each label."""

    most: int
    kept: _Found | None = None

    def add(self, key: NDArray[np.float64], row: int, block: Rows, distance: NDArray[np.float64]) -> None:
        """Take in keys (n_rows, n_labels); an infinite one leaves its pair out."""
        n_rows, n_labels = key.shape
        few = min(self.most, n_rows)
        at = np.broadcast_to(np.arange(n_rows)[:, None], key.shape)
        if few < n_rows:
            at = np.argpartition(key, few - 1, axis=0)[:few]
        label = np.broadcast_to(np.arange(n_labels), at.shape)
        scores, truth = block.scores[at, label], block.truth[at, label]
        found = _Found(key[at, label], row + at, label, scores, truth, distance[at, label])
        found = found.at(np.isfinite(found.key))  # in one dimension from here
        if self.kept is not None:
            pairs: Any = zip(self.kept, found, strict=True)
            found = _Found(*map(np.concatenate, pairs))
        found = found.at(np.lexsort((found.item, found.key, found.label)))
        first = np.searchsorted(found.label, found.label)
        self.kept = found.at(np.arange(len(first)) - first < self.most)

    def found(self) -> _Found:
        """Return what was kept, by rising key."""
        assert self.kept is not None
        return self.kept.at(np.lexsort((self.kept.label, self.kept.item, self.kept.key)))
