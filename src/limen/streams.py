"""Data that can be read only once: a summary of bounded size, and a second reading that proves the optimum."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from limen import objectives
from limen.binned import Binned
from limen.binned_files import read, write
from limen.curves import Curves
from limen.errors import InputError, count
from limen.metrics import Metric
from limen.solvers.doubtful import doubtful
from limen.sources.blocks import Entries, Rows
from limen.sources.chunks import chunk_source

if TYPE_CHECKING:
    from limen._kernels.streams import Windows
    from limen.sources.dense import DenseSource
    from limen.sources.sparse import SparseSource

BINS = 256
READ_AGAIN = 1 << 14
"""Bins of one fineness where data are read again."""
FEW, MANY, ROWS = 1 << 20, 1 << 22, 2048
"""Fewer scores, or rows, are kept until there are more; more scores are counted in parts, of so many rows."""


class Summary:
    """What is kept of labelled scores that are read once: counts in bins, as many as there may be.

    Blocks may come in any order, and parts on any machine: ``a | b`` is the summary of the data of both, the same
    to the last bit (with weights, up to the rounding of their sums).

    Parameters
    ----------
    labels : sequence of n_labels str, optional
        Those of the first block, if left out.
    bins : int from 4
        Bins of one fineness, of the positives and of the negatives of each label. Twice as many halve the doubt,
        and take twice the memory.

    Notes
    -----
    The highest ``bins`` distinct scores of a label's negatives, and of its positives, are kept as they are; those
    below in bins of their bits without the lowest one, again so many at most; then without the lowest two, and so
    on. So the negatives of a bin are a share of about 1 / ``bins`` of those above it, whatever scale the scores
    have: of false positives about that share is in doubt. Of each bin the lowest and the highest score are known.
    At most 2 · 32 · ``bins`` bins of 16 bytes a label (float64: 2 · 36 of 24); usual is a third of that.

    Examples
    --------
    >>> import limen
    >>> summary = Summary(["dog", "cat"])
    >>> summary.add([[0, 1], [1, 0]], [[0.2, 0.9], [0.6, 0.3]])
    >>> summary.add([[1, 1], [0, 0]], [[0.8, 0.7], [0.4, 0.8]])
    >>> summary
    Summary(4 items, 2 labels, 8 bins, float64 scores)
    >>> t = limen.tune(summary.curves(), method="exact")
    >>> t.values, t.status, round(t.value, 4)
    (array([0.5, 0.5]), 'optimal', 0.8889)
    """

    def __init__(self, labels: Sequence[str] | None = None, *, bins: int = BINS) -> None:
        if isinstance(bins, bool) or not isinstance(bins, int) or bins < 4:
            raise InputError(f"bins={bins!r} is not usable. It must be a whole number from 4.")
        self._labels = labels if labels is None or isinstance(labels, str) else tuple(map(str, labels))
        self._most = bins
        self._binned: Binned | None = None
        self._waiting: list[Rows] = []

    @classmethod
    def of(cls, blocks: Iterable[Any], *, labels: Sequence[str] | None = None, bins: int = BINS) -> Summary:
        """Return the summary of blocks ``(y_true, y_score)`` or ``(y_true, y_score, sample_weight)``, read once.

        Raises
        ------
        InputError
            If there are no blocks, or one does not fit the others.
        """
        summary = cls(labels, bins=bins)
        for block in blocks:
            summary._take(chunk_source(block, summary._labels, summary.n_items))
        summary._state()
        return summary

    def add(self, y_true: Any, y_score: Any, sample_weight: Any = None) -> None:
        """Add a block of items; parameters are as in `limen.tune`. A block that is refused changes nothing.

        Raises
        ------
        InputError
            If the block is not as it should be, or not like those before.
        """
        block = (y_true, y_score) if sample_weight is None else (y_true, y_score, sample_weight)
        self._take(chunk_source(block, self._labels, self.n_items))

    @property
    def n_items(self) -> int:
        """Number of items."""
        return 0 if self._binned is None else self._binned.n_items

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self._state().labels

    @property
    def nbytes(self) -> int:
        """Bytes of the bins."""
        return sum(part.nbytes for part in self._state().bins)

    def curves(self) -> Curves:
        """Return the curves, with bounds of the false positives where a bin leaves them in doubt.

        `limen.tune` takes them: its value is certain, and no thresholds reach more than its ``upper_bound``.

        Raises
        ------
        InputError
            If there are no items, or all weigh 0.
        """
        state = self._state()
        if state.weighted and not state.totals.known.any():
            raise InputError("sample_weight is zero for every item. At least one weight must be positive.")
        return state.curves()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the summary to a file (.npz, no pickle), whole or not at all; `load` reads it.

        Raises
        ------
        FileError
            If the file cannot be written.
        """
        write(path, self._state())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Summary:
        """Return the summary that `save` wrote.

        Raises
        ------
        UnreadableError
            If the file is missing, damaged or cut short.
        InputError
            If it is no file of a summary, of a newer limen, or its bins contradict each other.
        """
        return cls._with(read(path))

    def __or__(self, other: Any) -> Summary:
        if not isinstance(other, Summary):
            return NotImplemented
        return self._with(self._state() | other._state())

    def __eq__(self, other: object) -> bool:
        """Return whether both are of the same items, as far as their bins tell."""
        if not isinstance(other, Summary):
            return NotImplemented
        a, b = self._state(), other._state()
        same = [(part.labels, part.dtype, part.weighted, part.most, part.n_items) for part in (a, b)]
        pairs = zip((*a.bins, *a.totals), (*b.bins, *b.totals), strict=True)
        return same[0] == same[1] and all(np.array_equal(*pair) for pair in pairs)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if self._binned is None:
            return "Summary(no items)"
        state = self._state()
        return (
            f"Summary({count(state.n_items, 'item')}, {count(len(state.labels), 'label')}, "
            f"{count(len(state.bins.low), 'bin')}, {state.dtype} scores)"
        )

    @classmethod
    def _with(cls, binned: Binned) -> Summary:
        summary = cls(binned.labels, bins=binned.most)
        summary._binned = binned
        return summary

    def _take(self, source: DenseSource | SparseSource) -> None:
        """Add the items of a source: now, if they are many, else together with others."""
        before = self._binned or Binned.empty(source.labels, source.dtype, source.weighted, self._most)
        if (source.dtype, source.weighted) != (before.dtype, before.weighted):
            raise InputError(
                f"a block has {source.dtype} scores{' and weights' if source.weighted else ''}; the blocks before "
                f"have {before.dtype} scores{' and weights' if before.weighted else ''}. All blocks need one "
                "dtype and the same parts."
            )
        n_items = before.n_items + source.n_items
        counted = replace(before, totals=source.totals(before.totals), n_items=n_items)
        few = source.n_items * len(source.labels) < self._enough(len(source.labels))
        waiting = []
        for block in source.blocks() if few else source.to_count():
            if few and isinstance(block, Rows):
                waiting.append(Rows(*map(np.copy, block)))
            else:
                counted = _counted(counted, block, source)
        self._binned, self._labels = counted, source.labels
        self._waiting += waiting
        if sum(block.scores.size for block in self._waiting) >= self._enough(len(source.labels)):
            self._state()

    @staticmethod
    def _enough(n_labels: int) -> int:
        """Return how many scores are worth going through all bins."""
        return max(FEW, min(ROWS * n_labels, MANY))

    def _state(self) -> Binned:
        """Return the bins of all blocks."""
        if self._binned is None:
            raise InputError("the summary has no items. At least one block of rows is needed.")
        if self._waiting:
            together = Rows(*map(np.concatenate, zip(*self._waiting, strict=True)))
            self._binned, self._waiting = _counted(self._binned, together, None), []
        return self._binned


def certified(
    summary: Summary,
    blocks: Iterable[Any] | Callable[[], Iterable[Any]],
    *,
    metric: str | dict[str, Any] | Metric = "f1",
    average: str = "micro",
    zero_division: float = 0.0,
    readings: int = 5,
) -> Curves:
    """Return the curves of a summary, exact wherever the best thresholds may lie.

    The data are read again, and of each label only those scores counted exactly that lie in bins which may still
    hold the best cut. `limen.tune` with the method "exact" then gives the status "optimal".

    Parameters
    ----------
    summary : Summary
    blocks : iterable, or a function that returns a fresh one
        The items of the summary again, in any order. What can be read only once is read once.
    metric, average, zero_division
        What is optimised, as in `limen.tune`.
    readings : int
        How often to read, at most. One is nearly always enough.

    Raises
    ------
    InputError
        If the blocks do not have the summary's items.

    Examples
    --------
    >>> import limen
    >>> from limen.datasets import spoken_tags
    >>> y_true, y_score, labels = spoken_tags()
    >>> blocks = [(y_true[i : i + 500], y_score[i : i + 500]) for i in range(0, 4000, 500)]
    >>> summary = Summary.of(blocks, labels=labels, bins=16)
    >>> limen.tune(summary.curves(), method="exact").status
    'bounded'
    >>> t = limen.tune(certified(summary, blocks), method="exact")
    >>> t.status, t.value == limen.tune(y_true, y_score, method="exact").value
    ('optimal', True)
    """
    from limen._kernels import stream_bounds as kernels

    objective = objectives.objective(metric, average, zero_division)
    state = summary._state()
    once = isinstance(blocks, Iterator)
    curves = summary.curves()
    for _ in range(1 if once else readings):
        at = doubtful(curves, objective)
        if not at.any():
            break
        starts, cuts = state.keys_at(curves, at)
        windows = kernels.spans(state.bins, starts, cuts)
        again = blocks() if callable(blocks) else blocks
        state = state.replaced(windows, _read_again(state, again, windows))
        curves = state.curves()
    return curves


def _read_again(state: Binned, blocks: Iterable[Any], windows: Windows) -> Binned:
    """Return the bins of the items in windows, finer than before."""
    most = max(state.most, READ_AGAIN)
    fine = Binned.empty(state.labels, state.dtype, state.weighted, most)
    for block in blocks:
        source = chunk_source(block, state.labels, fine.n_items)
        if (source.dtype, source.weighted) != (state.dtype, state.weighted):
            raise InputError(
                f"a block has {source.dtype} scores, the summary {state.dtype}, or only one of them has weights. "
                "Give the blocks of the summary again."
            )
        for part in source.to_count():
            fine = _counted(fine, part, source, windows)
        fine = replace(fine, n_items=fine.n_items + source.n_items)
    if fine.n_items != state.n_items:
        raise InputError(
            f"the blocks have {count(fine.n_items, 'item')}, the summary {count(state.n_items, 'item')}. Give the "
            "blocks of the summary again."
        )
    return fine


def _counted(
    binned: Binned,
    block: Rows | Entries,
    source: DenseSource | SparseSource | None,
    windows: Windows | None = None,
) -> Binned:
    """Return the bins with a block's besides; a block without a source was checked."""
    step = max(ROWS, MANY // len(binned.labels)) if isinstance(block, Rows) else len(block.scores)
    for start in range(0, len(block.scores), max(1, step)):
        values: Any = [part[start : start + step] for part in block]
        part = Rows(*values) if isinstance(block, Rows) else Entries(*values)
        added = binned.absorbed(part, windows)
        if added is None:
            for _ in source.blocks(check=True) if source else ():
                pass  # says which score is not finite
            raise AssertionError("the scores change while they are read")
        binned = added
    return binned
