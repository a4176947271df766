"""Data that come in row blocks and are read anew on every pass."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError
from limen.sources.arrays import CSR, as_weight
from limen.sources.blocks import Blocks, Entries, Pairs, Rows, Source, Totals
from limen.sources.by_label import ByLabel
from limen.sources.dense import DenseSource
from limen.sources.door import as_source
from limen.sources.sparse import SparseSource

MARKED = 64
"""So many rows of the first chunk tell whether it is the same in every pass."""


@dataclass(frozen=True)
class ChunkSource(Blocks):
    """Row blocks from an iterable that is read anew on every pass."""

    read: Callable[[], Iterator[tuple[Any, ...]]]
    labels: tuple[str, ...]
    dtype: np.dtype[Any]
    weighted: bool
    n_items: int = field(default=0)
    rows: NDArray[np.int64] | None = None
    read_as: tuple[str, ...] | None = None
    start: int | None = None

    def blocks(self, *, check: bool = True) -> Iterator[Rows | Entries]:
        """Return the blocks, in item order."""
        for source in self.sources():
            yield from source.blocks(check=check)

    def to_count(self) -> Iterator[Rows | Entries]:
        """Return the blocks for counting, as large as they are without a copy; scores are not checked."""
        for source in self.sources():
            yield from source.to_count()

    def totals(self, before: Totals | None = None) -> Totals:
        """Return the weight of the positive and of the negative items of each label, added to ``before``."""
        totals = before or Totals.none(len(self.labels), self.weighted)
        for source in self.sources():
            totals = source.totals(totals)
        return totals

    def sources(self) -> Iterator[Any]:
        """Return one source a chunk; every chunk has the labels and the dtype of the first."""
        row = 0
        for number, chunk in enumerate(self.read()):
            source = chunk_source(chunk, self.read_as or self.labels, row)
            if number == 0 and self.start not in (None, _mark(source)):
                raise InputError(
                    "the chunks are not those of the pass before: the first has other scores. Give the same "
                    "chunks in the same order each time; a loader must not shuffle."
                )
            if source.dtype != self.dtype or source.weighted != self.weighted:
                raise InputError(
                    f"chunk {number} has {source.dtype} scores"
                    f"{' and weights' if source.weighted else ''}; the first chunk has {self.dtype} scores"
                    f"{' and weights' if self.weighted else ''}. All chunks need one dtype and the same parts."
                )
            first, row = row, row + source.n_items
            source = source if self.read_as is None else source.select(self.labels)
            if self.rows is None:
                yield source
                continue
            wanted = self.rows[np.searchsorted(self.rows, first) : np.searchsorted(self.rows, row)] - first
            if len(wanted):
                yield source.copied(wanted) if isinstance(source, SparseSource) else source.take(wanted)

    def dense_blocks(self) -> Iterator[Rows]:
        """Return the blocks as rows, in item order; a score that is not stored is -inf."""
        for source in self.sources():
            yield from source.dense_blocks()

    def pairs(self) -> Iterator[Pairs]:
        """Return all pairs that have a score or a label, in item order; scores are not checked."""
        start = 0
        for source in self.sources():
            for part in source.pairs():
                yield part._replace(rows=slice(start + part.rows.start, start + part.rows.stop))
            start += source.n_items

    def by_label(self) -> Source:
        """Return a source of the same data from which a few of very many labels are selected quickly."""
        return ByLabel.of(self) if isinstance(next(self.sources()), SparseSource) else self

    def select(self, labels: tuple[str, ...]) -> ChunkSource:
        """Return a source of the columns of these labels, in this order."""
        return replace(self, labels=labels, read_as=self.read_as or self.labels)

    def take(self, rows: NDArray[np.int64]) -> ChunkSource:
        """Return a source of the rows of these ascending numbers only; it still reads every chunk."""
        rows = rows if self.rows is None else self.rows[rows]
        return replace(self, rows=rows, n_items=len(rows))


def as_chunk_source(chunks: Any, labels: Sequence[str] | None = None) -> ChunkSource:
    """Return a source over an iterable (or a function that returns one) of row blocks.

    Each chunk is ``(y_true, y_score)`` or ``(y_true, y_score, sample_weight)``.

    Raises
    ------
    InputError
        If the iterable can be read only once or is empty, or a chunk does not fit the first.
    """
    if not callable(chunks) and not isinstance(chunks, Iterable):
        raise InputError(
            f"chunks is a {type(chunks).__name__}. Give a list of chunks, or a function returning them."
        )
    again = chunks() if callable(chunks) else chunks
    if isinstance(again, Iterator) and (not callable(chunks) or chunks() is again):
        raise InputError(
            f"chunks is a {type(again).__name__}, which can be read only once. Exact counting reads twice: "
            "give a list, or a function that returns a fresh iterator; or take limen.streams.Summary, which reads "
            "once and gives bounds."
        )

    def read() -> Iterator[tuple[Any, ...]]:
        return iter(chunks() if callable(chunks) else chunks)

    first = next(read(), None)
    if first is None:
        raise InputError("chunks is empty. At least one block of rows is needed.")
    source = chunk_source(first, labels, 0)
    whole = ChunkSource(read, source.labels, source.dtype, source.weighted)
    n_items, some = 0, not source.weighted
    for piece in whole.sources():
        n_items += piece.n_items
        some = some or (piece.weight is not None and bool(piece.weight.any()))
    if not some:
        as_weight(np.zeros(n_items), n_items)
    return replace(whole, n_items=n_items, start=_mark(source))


def _mark(source: DenseSource | SparseSource) -> int:
    """Return a number that tells chunks of different scores apart, by their first rows."""
    scores = source.scores.data[:MARKED] if isinstance(source.scores, CSR) else source.scores[:MARKED]
    return zlib.crc32(np.ascontiguousarray(scores).tobytes(), source.n_items)


def chunk_source(chunk: Any, labels: Sequence[str] | None, row: int) -> DenseSource | SparseSource:
    """Return the source of one chunk, whose first row has the number ``row``."""
    if not isinstance(chunk, (tuple, list)) or len(chunk) not in (2, 3):
        raise InputError(
            f"a chunk is a {type(chunk).__name__}. Each chunk must be (y_true, y_score) or "
            "(y_true, y_score, sample_weight); for data that are not in chunks give y_score too."
        )
    if isinstance(chunk[0], (int, float, np.generic, str)):  # a row of labels
        raise InputError("y_score is missing. Give labels and scores.")
    weight = chunk[2] if len(chunk) == 3 else None
    return as_source(chunk[0], chunk[1], labels=labels, sample_weight=weight, first_row=row, part=True)
