"""Counts by fold at fine cuts: what lets curves whose data are gone be tuned, and judged, as the data would be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.sources.blocks import Rows, Source
from limen.sources.candidates import Candidates
from limen.sources.extent import Extent
from limen.sources.taken import count_together

HALF = 0.5
ADDED = ("tp", "fp", "n_positive", "n_known", "squares", "n_items", "half")


@dataclass(frozen=True, eq=False)
class FoldCounts:
    """Counts of folds of the items, each at the same cuts; those of two parts of the data are ``a + b``.

    Attributes
    ----------
    candidates : Candidates
        Finer than the positive scores: also between them; but of very many only some.
    extent : Extent
        Where all scores lie.
    few : bool (n_labels,)
        Of which labels all scores are candidates.
    tp, fp : int64 or float64 (n_folds, n_candidates)
        Positive and negative items at or above each cut.
    beneath : float32 or float64 (n_candidates,)
        The highest known score strictly below each cut.
    n_positive, n_known : int64 or float64 (n_folds, n_labels)
    squares : float64 (n_folds, 2, n_labels)
        Squared weights summed over the positives, and over the negatives.
    n_items : int64 (n_folds,)
    half : int64 or float64 (2, n_labels)
        Correct tags, and tags given, at 0.5.
    grouped : bool
        Whether the folds are of groups, which they keep whole.
    """

    candidates: Candidates
    extent: Extent
    few: NDArray[np.bool_]
    tp: NDArray[Any]
    fp: NDArray[Any]
    beneath: NDArray[Any]
    n_positive: NDArray[Any]
    n_known: NDArray[Any]
    squares: NDArray[np.float64]
    n_items: NDArray[np.int64]
    half: NDArray[Any]
    grouped: bool = False

    @classmethod
    def of(
        cls,
        folds: Sequence[Source],
        candidates: Candidates,
        extent: Extent,
        few: NDArray[np.bool_],
        *,
        grouped: bool = False,
    ) -> FoldCounts:
        """Return the counts of folds: one pass where they are rows of one source."""
        labels, dtype = candidates.labels, candidates.dtype
        halves = Candidates.shared(labels, dtype, np.array([HALF]))
        both = candidates | halves
        counted, totals = count_together(folds, both), [source.totals() for source in folds]
        own, at_half = both.lowest_at_or_above(candidates), both.lowest_at_or_above(halves)[1::2]
        tp, fp = np.array([part.tp for part in counted]), np.array([part.fp for part in counted])
        return cls(
            candidates,
            extent,
            few,
            tp[:, own],
            fp[:, own],
            np.maximum.reduce([part.beneath for part in counted])[own],
            np.array([total.positive for total in totals]),
            np.array([total.known for total in totals]),
            np.array([_squares(source) for source in folds]),
            np.array([source.n_items for source in folds], np.int64),
            np.array([tp[:, at_half].sum(axis=0), (tp + fp)[:, at_half].sum(axis=0)]),
            grouped,
        )

    def goes_with(self, other: FoldCounts) -> bool:
        """Return whether counts of other items can be added: cuts and kind of fold are the same."""
        return (
            self.candidates == other.candidates
            and self.grouped == other.grouped
            and len(self.n_items) == len(other.n_items)
            and np.array_equal(self.few, other.few)
            and self.extent.same(other.extent)
        )

    def sets(self, number: int) -> list[list[int]]:
        """Return the numbers of the folds in each of ``number`` sets, every so many; none is without items."""
        sets = [list(range(first, len(self.n_items), number)) for first in range(number)]
        return [own for own in sets if self.n_items[own].any()]

    def joined(self, number: int) -> FoldCounts:
        """Return ``number`` folds, or fewer, each of a set of these together; none is empty."""
        sets = self.sets(number)
        parts: dict[str, Any] = {
            name: np.array([getattr(self, name)[own].sum(axis=0) for own in sets])
            for name in ADDED
            if name != "half"
        }
        return replace(self, **parts)


def added(parts: Sequence[FoldCounts | None]) -> FoldCounts | None:
    """Return the counts of parts of the data together; None if some lack them, or were counted at other cuts."""
    first = parts[0]
    if first is None or any(part is None or not first.goes_with(part) for part in parts):
        return None
    total: dict[str, Any] = {name: np.add.reduce([getattr(part, name) for part in parts]) for name in ADDED}
    beneath = np.maximum.reduce([part.beneath for part in parts if part is not None])
    return FoldCounts(first.candidates, first.extent, first.few, beneath=beneath, grouped=first.grouped, **total)


def _squares(source: Source) -> NDArray[np.float64]:
    """Return the squared weights summed over the positives and over the negatives of each label."""
    if not source.weighted:
        return np.asarray(source.totals(), np.float64)
    squares = np.zeros((2, len(source.labels)))
    for _, block, weight in source.pairs():
        if isinstance(block, Rows):
            for row, code in enumerate((1, 0)):
                squares[row] += weight**2 @ (block.truth == code)
            continue
        by_truth = [
            np.bincount(block.label, block.weight**2 * chosen, squares.shape[1])
            for chosen in (block.truth == 1, block.truth != 0)
        ]
        squares += [by_truth[0], (weight**2).sum() - by_truth[1]]
    return squares
