"""Curves of a stream: of its last items, or of all with ever less weight, so that thresholds follow it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.data import Data
from limen.errors import InputError, MergeError, count
from limen.files.archives import damaged
from limen.online.blocks import Block, Header, joined, read, said, times_of, write
from limen.sources.chunks import ChunkSource
from limen.sources.door import as_batch

SETTINGS = ("window", "span", "half_life")
"""Of which one says what counts."""
FORGET = 1e-4
"""Items that have no more than this part of all weight, together, are forgotten."""
_ALIKE = "All parts need the same labels, dtype and settings, and weights and times all or none."


class Accumulator:
    """Scores and labels of a stream, batch by batch, and at any time the curves of what still counts.

    Parameters
    ----------
    labels : sequence of n_labels str, optional
        Names; "0", "1", ... if left out (or the column names of frames).
    window : int, optional
        The last so many items count.
    span : float, optional
        Or the items of the last ``span`` of time, in the unit of the times: later than the last time less it.
    half_life : float, optional
        Or all count, and an item half as much as one that is so many items later; or so much time, if `update` is
        given times.

    Notes
    -----
    The curves are those that counting the items from scratch would give, bit for bit: `Curves.from_arrays` of the
    items that still count, in order of time and weighted where there is a half-life. They hold the scores, for
    every method of `limen.tune`.

    Exact curves need the scores of all that may be counted at a new candidate, so memory is that of the items that
    count: of each pair its score and a byte. It is bounded by ``window``; by how many items come in ``span``; with
    a half-life by 13.3 half-lives of items: what is older has 1/10 000 of all weight, and is left out. Up to an
    eighth more, and one batch, are held before items are dropped.

    Examples
    --------
    >>> import limen
    >>> stream = Accumulator(labels=["dog"], window=4)
    >>> stream.update([[1], [0], [1]], [[0.2], [0.1], [0.3]])
    >>> stream.update([[0], [1], [0]], [[0.7], [0.9], [0.8]])
    >>> stream.n_items, limen.tune(stream.curves(), method="exact").values
    (4, array([0.85]))
    """

    def __init__(
        self,
        labels: Sequence[str] | None = None,
        *,
        window: int | None = None,
        span: float | None = None,
        half_life: float | None = None,
    ) -> None:
        if isinstance(labels, str):
            raise InputError(f"labels is the text {labels!r}. Give a sequence of label names.")
        given = {"window": window, "span": span, "half_life": half_life}
        chosen = {name: value for name, value in given.items() if value is not None}
        if len(chosen) != 1:
            raise InputError(
                f"{', '.join(chosen) or 'nothing'} says what counts. Give one of window, span and half_life; for "
                "all items use Curves.from_chunks."
            )
        ((name, value),) = chosen.items()
        if not value > 0 or not math.isfinite(value) or (name == "window" and value != int(value)):
            kind = "a whole number from 1" if name == "window" else "a number above 0"
            raise InputError(f"{name}={value} is not usable. It must be {kind}.")
        self.window, self.span, self.half_life = window, span, half_life
        self._labels = None if labels is None else tuple(map(str, labels))
        self._header: Header | None = None
        self._blocks: list[Block] = []
        self.n_seen = 0
        """Items that ever came."""

    @property
    def n_items(self) -> int:
        """Number of items that count."""
        return sum(len(block.scores) for block in self._kept())

    def update(
        self, y_true: Any, y_score: Any, *, sample_weight: Any = None, mask: Any = None, time: Any = None
    ) -> None:
        """Add a batch; it is copied.

        Parameters
        ----------
        y_true : array-like (n_items, n_labels) of 0/1, bool, or float with NaN for unknown
        y_score : array-like (n_items, n_labels)
            Finite; all batches have the dtype of the first.
        sample_weight : array-like (n_items,), optional
        mask : bool array-like (n_items, n_labels), optional
            True where the label of an item is known.
        time : number, or array-like (n_items,) of numbers or datetime64 (then seconds), optional
            In any order; needed for ``span``. Items of one time keep the order in which they came.

        Raises
        ------
        InputError
            If the batch is not usable, or unlike those before; nothing is added then.
        """
        batch = as_batch(
            y_true,
            y_score,
            labels=self._header.labels if self._header else self._labels,
            sample_weight=sample_weight,
            mask=mask,
            first_row=self.n_seen,
        )
        if batch is None:
            return
        source, codes = batch
        times = None if time is None else times_of(time, source.n_items)
        if times is None and self.span is not None:
            raise InputError("span needs the time of each item. Give time=, or use window.")
        header = Header(source.labels, str(source.dtype), source.weighted, times is not None)
        if self._header is not None and header != self._header:
            raise InputError(f"this batch has {said(header)}; those before have {said(self._header)}. {_ALIKE}")
        scores = np.array(source.scores, dtype=source.dtype)
        weight = None if source.weight is None else source.weight.astype(np.float64)
        self._header = header
        self.n_seen += source.n_items
        self._add(Block(scores, codes.astype(np.int8), weight, times))

    def curves(self) -> Curves:
        """Return the curves of what counts now.

        Raises
        ------
        InputError
            If nothing was added, or all weights are 0.
        """
        return Curves.from_source(self._source())

    def data(self) -> Data:
        """Return what counts now as data, for `limen.evaluate` and others; see `curves`."""
        return Data(self._source())

    def merge(self, other: Accumulator) -> None:
        """Add what another accumulator holds: by time, or without times after what is held here.

        Raises
        ------
        MergeError
            If labels, dtype, settings, weights or times do not agree.
        """
        mine, its = ((a.window, a.span, a.half_life, a._header or a._labels) for a in (self, other))
        if other._header is None:
            return
        if mine[:3] != its[:3] or (self._header or other._header) != other._header:
            raise MergeError(f"one part has {_said_all(self)}, another {_said_all(other)}. {_ALIKE}")
        if self._header is None and self._labels not in (None, other._header.labels):
            raise MergeError(f"one part has {_said_all(self)}, another {_said_all(other)}. {_ALIKE}")
        self._header = other._header
        self.n_seen += other.n_seen
        for block in tuple(other._blocks):
            self._add(block)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that counts to a file (.npz, no pickle), whole or not at all; `load` reads it.

        Raises
        ------
        InputError
            If nothing was added.
        """
        settings = {name: getattr(self, name) for name in (*SETTINGS, "n_seen")}
        write(path, joined(self._kept()), {**self._known_header()._asdict(), **settings})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Accumulator:
        """Return the accumulator that `save` wrote.

        Raises
        ------
        UnreadableError
            If the file is missing, damaged or cut short, or of another form.
        """
        block, header, about = read(path)
        try:
            found = cls(**{key: about.pop(key) for key in SETTINGS})
            found.n_seen = int(about.pop("n_seen"))
            if about:
                raise ValueError(f"it says {', '.join(about)} besides")
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(os.fspath(path), "a file of an accumulator", "Accumulator.save", error) from error
        found._header, found._blocks = header, [block]
        return found

    def __repr__(self) -> str:
        return f"Accumulator({_said_all(self)}; {count(self.n_items, 'item')} of {self.n_seen})"

    def _add(self, block: Block) -> None:
        """Keep a block in order of time, and forget what counts no more."""
        if block.time is not None:
            block = block.take(np.argsort(block.time, kind="stable"))
            assert block.time is not None
            last = self._blocks[-1].time if self._blocks else None
            if last is not None and block.time[0] < last[-1]:  # late: everything into order
                whole = joined([*self._blocks, block])
                assert whole.time is not None
                self._blocks, block = [], whole.take(np.argsort(whole.time, kind="stable"))
        self._blocks.append(block)
        held, kept = sum(len(one.scores) for one in self._blocks), self._kept()
        if held > 1.125 * sum(len(one.scores) for one in kept):
            first = kept[0]
            self._blocks = [first.take(slice(None)), *kept[1:]]  # the rest of the first block is let go
        if len(self._blocks) > 64:
            self._blocks = [joined(self._blocks)]

    def _kept(self) -> list[Block]:
        """Return the rows that count, oldest first, without copying."""
        if not self._blocks:
            return []
        ends = np.cumsum([len(block.scores) for block in self._blocks])
        last = self._blocks[-1].time
        if self.window is not None or last is None:
            most = (
                self.window if self.window is not None else math.ceil((self.half_life or 0) * -math.log2(FORGET))
            )
            drop = max(0, int(ends[-1]) - int(most))
        else:
            ago = self.span if self.span is not None else (self.half_life or 0) * -math.log2(FORGET)
            times = np.concatenate([block.time for block in self._blocks if block.time is not None])
            drop = int(np.searchsorted(times, times[-1] - ago, side="right"))
        kept = []
        for block, end in zip(self._blocks, ends.tolist(), strict=True):
            start = max(0, drop - (end - len(block.scores)))
            if start < len(block.scores):
                kept.append(block.from_row(start))
        return kept

    def _source(self) -> ChunkSource:
        header, blocks = self._known_header(), self._kept()
        weighted = header.weighted or self.half_life is not None
        weights = self._weights(blocks)
        if weighted and not any(weight is not None and weight.any() for weight in weights):
            raise InputError("sample_weight is zero for every item that counts. At least one must be positive.")
        chunks = [block.chunk(weight if weighted else None) for block, weight in zip(blocks, weights, strict=True)]
        n_items = sum(len(block.scores) for block in blocks)
        return ChunkSource(lambda: iter(chunks), header.labels, np.dtype(header.dtype), weighted, n_items)

    def _weights(self, blocks: list[Block]) -> list[NDArray[np.float64] | None]:
        """Return the weight of each row: its own, times what its age leaves of it."""
        if self.half_life is None:
            return [block.weight for block in blocks]
        found: list[NDArray[np.float64] | None] = []
        after = sum(len(block.scores) for block in blocks)
        for block in blocks:
            n = len(block.scores)
            age = np.arange(after - 1, after - 1 - n, -1.0)
            if block.time is not None and blocks[-1].time is not None:
                age = blocks[-1].time[-1] - block.time
            weight = 0.5 ** (age / self.half_life)
            found.append(weight if block.weight is None else weight * block.weight)
            after -= n
        return found

    def _known_header(self) -> Header:
        if self._header is None:
            raise InputError("no items were added. Call update(y_true, y_score) with each batch before.")
        return self._header


def _said_all(one: Accumulator) -> str:
    settings = {"window": one.window, "span": one.span, "half_life": one.half_life}
    words = ", ".join(f"{name}={value}" for name, value in settings.items() if value is not None)
    return words if one._header is None else f"{words}, {said(one._header)}"
