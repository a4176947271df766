"""Scores under the closure of a hierarchy: a parent's is the highest of its own and its descendants'."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import UnsupportedError
from limen.sources.blocks import Entries, OfBase, Rows, Source, Totals


@dataclass(frozen=True)
class Raised(OfBase):
    """A source whose scores of parents are raised to their children's; edges are (parent, child) numbers."""

    base: Source
    edges: tuple[tuple[int, int], ...]

    def blocks(self, *, check: bool = True) -> Iterator[Rows]:
        """Return the blocks, in item order."""
        return map(self._raised, self.base.blocks(check=check))

    def dense_blocks(self) -> Iterator[Rows]:
        """Return the blocks as rows, in item order."""
        return map(self._raised, self.base.dense_blocks())

    def _raised(self, block: Rows | Entries) -> Rows:
        if not isinstance(block, Rows):
            raise UnsupportedError(
                "a closed hierarchy looks at the scores of parents and children together; sparse scores leave "
                "some out. Give dense scores."
            )
        return block._replace(scores=raised(block.scores, self.edges))

    def totals(self, before: Totals | None = None) -> Totals:
        """Return the weight of the positive and of the negative items of each label, added to ``before``."""
        return self.base.totals(before)

    def take(self, rows: NDArray[np.int64]) -> Raised:
        """Return a source of the rows of these ascending numbers only."""
        return replace(self, base=self.base.take(rows))

    def select(self, labels: tuple[str, ...]) -> Source:
        """Refuse: a part of the labels leaves the hierarchy."""
        raise UnsupportedError("a closed hierarchy needs all of its labels.")


def raised(scores: NDArray[Any], edges: Sequence[tuple[int, int]]) -> NDArray[Any]:
    """Return scores (n_items, n_labels) with parents' raised to descendants'; edges are (parent, child)."""
    scores = scores.copy()
    for parent, child in children_first(edges):
        np.maximum(scores[:, parent], scores[:, child], out=scores[:, parent])
    return scores


def children_first(edges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return (parent, child) pairs in an order in which a label's own children come before its parents.

    Examples
    --------
    >>> children_first([(0, 1), (1, 2)])
    [(1, 2), (0, 1)]
    """
    ordered, open_ = [], list(edges)
    while open_:
        parents = {parent for parent, _ in open_}
        ready = [edge for edge in open_ if edge[1] not in parents]
        if not ready:
            raise ValueError("the pairs run in a circle")
        ordered += ready
        open_ = [edge for edge in open_ if edge[1] in parents]
    return ordered
