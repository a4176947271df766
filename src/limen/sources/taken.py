"""Some rows of a source, read with it: folds of data that lie on a disk are not copied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.sources.blocks import Entries, OfBase, Rows, Source, Tallies, Totals
from limen.sources.candidates import Candidates

SPAN = 1 << 24
"""So many scores of a block are looked at together."""


@dataclass(frozen=True, eq=False)
class Taken(OfBase):
    """The rows of ascending numbers ``rows`` of another source, which is read whole on each pass."""

    base: Source
    rows: NDArray[np.int64]

    @property
    def n_items(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def blocks(self, *, check: bool = True) -> Iterator[Rows | Entries]:
        """Return the blocks, in item order; the rows left out are checked too."""
        for block, first, last in _numbered(self.base.blocks(check=check)):
            yield from _some(block, first, self._within(first, last))

    def dense_blocks(self) -> Iterator[Rows]:
        """Return the blocks as rows, in item order."""
        for block, first, last in _numbered(self.base.dense_blocks()):
            yield from _some(block, first, self._within(first, last))

    def totals(self, before: Totals | None = None) -> Totals:
        """Return the weight of the positive and of the negative items of each label, added to ``before``."""
        if before is None and self.summed is not None:
            return self.summed
        rows = ((block.truth, block.weight) for block in self.blocks(check=False))
        totals = totals_of(rows, len(self.labels), self.weighted, before)
        if before is None:
            vars(self)["summed"] = totals  # sources are frozen
        return totals

    def take(self, rows: NDArray[np.int64]) -> Taken:
        """Return a source of the rows of these ascending numbers only."""
        return replace(self, rows=self.rows[rows])

    def select(self, labels: tuple[str, ...]) -> Taken:
        """Return a source of the columns of these labels, in this order."""
        return replace(self, base=self.base.select(labels))

    def _within(self, first: int, last: int) -> NDArray[np.int64]:
        low, high = np.searchsorted(self.rows, (first, last))
        return self.rows[low:high]


def together(sources: Sequence[Source], *, dense: bool = False) -> Iterator[tuple[int, NDArray[np.int64], Any]]:
    """Return the blocks of several sources, each with the number of its source and of its rows in it.

    Where all are rows of one source, that is read once.
    """
    bases = {id(source.base) for source in sources if isinstance(source, Taken)}
    if len(bases) == 1 and all(isinstance(source, Taken) for source in sources):
        base = sources[0].base  # type: ignore[attr-defined]
        for block, first, last in _numbered(base.dense_blocks() if dense else base.to_count()):
            for number, source in enumerate(sources):
                low, high = np.searchsorted(source.rows, (first, last))  # type: ignore[attr-defined]
                rows = source.rows[low:high]  # type: ignore[attr-defined]
                for some in _some(block, first, rows):
                    yield number, np.arange(low, high), some
        return
    for number, source in enumerate(sources):
        for block, first, last in _numbered(source.dense_blocks() if dense else source.to_count()):
            yield number, np.arange(first, last), block


def pairs_together(
    sources: Sequence[Source],
) -> Iterator[tuple[int, NDArray[np.int64], Rows | Entries, NDArray[Any]]]:
    """Return all pairs of several sources, as `together` does blocks, and the weight of each row."""
    if all(isinstance(source, Taken) for source in sources):
        for number, rows, block in together(sources, dense=True):
            yield number, rows, block, block.weight
        return
    for number, source in enumerate(sources):
        for part in source.pairs():
            yield number, np.arange(part.rows.start, part.rows.stop), part.block, part.weight


def count_together(sources: Sequence[Source], candidates: Candidates) -> list[Tallies]:
    """Return the counts of each source at each candidate, in one pass where they are rows of one source.

    These are summed in the same pass.
    """
    from limen import _kernels

    exact = np.float64 if sources[0].weighted else np.int64
    size = len(candidates.cuts)
    found = [
        Tallies(np.zeros(size, exact), np.zeros(size, exact), np.full(size, -np.inf, candidates.cuts.dtype))
        for _ in sources
    ]
    grid = _kernels.Grid(candidates.offsets, candidates.cuts)
    totals = [Totals.none(len(candidates.labels), sources[0].weighted) for _ in sources]
    for number, _, block in together(sources):
        _kernels.count_block(block, grid, found[number])
        if isinstance(sources[number], Taken):
            codes = ((block.truth, block.weight),)
            totals[number] = totals_of(codes, len(candidates.labels), sources[0].weighted, totals[number])
    for source, total in zip(sources, totals, strict=True):
        if isinstance(source, Taken):
            vars(source)["summed"] = total
    for tallies in found:
        _kernels.complete(candidates.offsets, tallies)
    return found


def totals_of(
    rows: Iterable[tuple[NDArray[np.int8], NDArray[Any]]],
    n_labels: int,
    weighted: bool,
    before: Totals | None = None,
) -> Totals:
    """Return the weight of the positive and of the negative items of each label, from codes and weights."""
    from limen import _kernels

    positive, negative = map(np.copy, before or Totals.none(n_labels, weighted))
    for truth, weight in rows:
        if weighted:
            _add_by_label(truth == 1, weight, positive)
            _add_by_label(truth == 0, weight, negative)
            continue
        known, ones = _kernels.known_and_positive(truth)
        positive += ones
        negative += known - ones
    return Totals(positive, negative)


def _add_by_label(chosen: NDArray[np.bool_], weight: NDArray[Any], total: NDArray[Any]) -> None:
    """Add the weight of the chosen pairs of a block to the total of their label, in the order of items.

    The order makes sums of weights the same, however the items are cut into blocks.
    """
    row, label = np.divmod(np.flatnonzero(chosen), chosen.shape[1])
    np.add.at(total, label, weight[row])


def _numbered(blocks: Iterator[Any]) -> Iterator[tuple[Any, int, int]]:
    """Return blocks of rows, no larger than ``SPAN``, with the numbers of their first row and of the next block's.

    Entries are given as they are: rows of sparse scores are copied, so that their numbers are not asked for.
    """
    first = 0
    for block in blocks:
        if not isinstance(block, Rows):
            yield block, first, first
            continue
        n_rows, n_labels = block.scores.shape
        step = max(1, SPAN // max(1, n_labels))
        for start in range(0, n_rows, step):
            stop = min(start + step, n_rows)
            yield Rows(*(part[start:stop] for part in block)), first + start, first + stop
        first += n_rows


def _some(block: Rows, first: int, rows: NDArray[np.int64]) -> Iterator[Rows]:
    """Return the rows of these numbers of a block that begins with the row ``first``; nothing if there is none."""
    if len(rows) == len(block.scores):
        yield block
    elif len(rows):
        at = rows - first
        yield Rows(block.scores[at], block.truth[at], block.weight[at])
