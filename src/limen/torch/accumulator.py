"""Exact curves from a training loop: batch by batch, on any device, in any number of processes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch.distributed as dist
from numpy.typing import NDArray

from limen.curves import Curves
from limen.errors import InputError, MergeError, count, examples
from limen.sources.candidates import Candidates
from limen.sources.chunks import ChunkSource
from limen.sources.door import as_batch
from limen.torch.exact import on_processor

Gather = Literal["curves", "scores", "nothing"]
BLOCK_ELEMENTS = 1 << 20


class Block(NamedTuple):
    """Rows of scores (rows, n_labels), with their labels in bits; made once and never changed."""

    scores: NDArray[Any]
    positive: NDArray[np.uint8]
    unknown: NDArray[np.uint8] | None
    weight: NDArray[np.float64] | None
    item: NDArray[Any] | None

    @classmethod
    def of(
        cls,
        scores: NDArray[Any],
        codes: NDArray[np.int8],
        weight: NDArray[np.float64] | None,
        item: NDArray[Any] | None,
    ) -> Block:
        """Return the block of scores and of labels coded 1, 0 and -1 (unknown)."""
        unknown = np.packbits(codes < 0) if (codes < 0).any() else None
        return cls(scores, np.packbits(codes == 1), unknown, weight, item)

    @classmethod
    def joined(cls, blocks: Sequence[Block]) -> Block:
        """Return the rows of several blocks as one."""
        if len(blocks) == 1:
            return blocks[0]
        scores, codes = (
            np.concatenate(part) for part in zip(*((b.scores, b.codes()) for b in blocks), strict=True)
        )
        weight, item = _present([b.weight for b in blocks]), _present([b.item for b in blocks])
        return cls.of(
            scores, codes, np.concatenate(weight) if weight else None, _joined_exactly(item) if item else None
        )

    def codes(self) -> NDArray[np.int8]:
        """Return the labels (rows, n_labels) coded 1, 0 and -1 (unknown)."""
        codes = self._bits(self.positive)
        return codes if self.unknown is None else codes - self._bits(self.unknown)

    def chunk(self) -> tuple[Any, ...]:
        """Return labels, scores and any weights, as `Curves.from_chunks` takes them."""
        codes = self.codes()
        truth = codes.view(np.bool_) if self.unknown is None else np.where(codes < 0, np.float32(np.nan), codes)
        return (truth, self.scores) if self.weight is None else (truth, self.scores, self.weight)

    def take(self, rows: NDArray[np.bool_]) -> Block:
        """Return the chosen rows."""
        if rows.all():
            return self
        weight, item = (None if part is None else part[rows] for part in (self.weight, self.item))
        return self.of(self.scores[rows], self.codes()[rows], weight, item)

    @property
    def weighs(self) -> bool:
        """Whether any item has a weight above 0."""
        return self.weight is None or bool(self.weight.any())

    def _bits(self, packed: NDArray[np.uint8]) -> NDArray[np.int8]:
        return np.unpackbits(packed, count=self.scores.size).reshape(self.scores.shape).view(np.int8)


class Header(NamedTuple):
    """What the parts of one data set must have in common."""

    labels: tuple[str, ...]
    dtype: str
    weighted: bool
    item: str

    def __str__(self) -> str:
        parts = [f"{self.dtype} scores", f"labels {examples(self.labels, most=3)}"]
        parts.append(f"{'' if self.weighted else 'no '}weights")
        parts.append(f"{self.item or 'no'} indices")
        return ", ".join(parts)


class CurveAccumulator:
    """Scores and labels of a validation epoch, batch by batch; at its end, the exact curves of all of them.

    Parameters
    ----------
    labels : sequence of n_labels str, optional
        Names; "0", "1", ... if left out (or the column names of frames).

    Notes
    -----
    The curves equal `Curves.from_arrays` of all items at once, bit for bit, however they came in batches;
    over several processes too (sums of fractional weights: to rounding).

    Exact curves need every score, so memory grows by the bytes of a score and a bit for each pair of item and
    label (two bits where labels are unknown): 43 MB for 20 371 items and 527 labels in float32, on the
    processor's side. float16 stays float16; bfloat16 is held as float32.

    Examples
    --------
    >>> import limen, torch
    >>> accumulator = CurveAccumulator(labels=["dog", "cat"])
    >>> accumulator.update(torch.tensor([[1, 0]]), torch.tensor([[0.9, 0.2]]))
    >>> accumulator.update(torch.tensor([[0, 1]]), torch.tensor([[0.4, 0.6]]))
    >>> limen.tune(accumulator.compute(), method="exact").values
    array([0.65, 0.4 ], dtype=float32)
    """

    def __init__(self, labels: Sequence[str] | None = None) -> None:
        if isinstance(labels, str):
            raise InputError(f"labels is the text {labels!r}. Give a sequence of label names.")
        self._labels = None if labels is None else tuple(map(str, labels))
        self._header: Header | None = None
        self._blocks: list[Block] = []
        self._recent: list[Block] = []

    @property
    def n_items(self) -> int:
        """Number of items held, repeated ones included."""
        return sum(len(block.scores) for block in (*self._blocks, *self._recent))

    def update(
        self,
        y_true: Any,
        y_score: Any,
        *,
        sample_weight: Any = None,
        mask: Any = None,
        index: Any = None,
    ) -> None:
        """Add a batch; a copy is kept on the processor's side, so a GPU is waited for.

        Parameters
        ----------
        y_true : Tensor or array-like (n_items, n_labels) of 0/1, bool, or float with NaN for unknown
        y_score : Tensor or array-like (n_items, n_labels)
            Finite, of any floating dtype, on any device. All batches have the dtype of the first.
        sample_weight : Tensor or array-like (n_items,), optional
        mask : bool Tensor or array-like (n_items, n_labels), optional
            True where the label of an item is known.
        index : int or str array-like (n_items,), optional
            Which item of the data set each is. An item seen twice then counts once: samplers for
            distributed training repeat some, to give every process as many.

        Raises
        ------
        InputError
            If the batch is not usable, or unlike those before; nothing is added then.
        """
        parts = (on_processor(part) for part in (y_true, y_score, sample_weight, mask, index))
        y_true, y_score, sample_weight, mask, index = parts
        batch = as_batch(
            y_true,
            y_score,
            labels=self._header.labels if self._header else self._labels,
            sample_weight=sample_weight,
            mask=mask,
            first_row=self.n_items,
        )
        if batch is None:
            return
        source, codes = batch
        index = _checked_index(index, source.n_items)
        header = Header(source.labels, str(source.dtype), source.weighted, _kind(index))
        if self._header is not None and header != self._header:
            raise InputError(f"this batch has {header}; those before have {self._header}. {_ALIKE}")
        scores = np.array(source.scores, dtype=source.dtype)
        weight = None if source.weight is None else source.weight.copy()
        self._header = header
        self._recent.append(Block.of(scores, codes, weight, index))
        if sum(block.scores.size for block in self._recent) >= BLOCK_ELEMENTS:
            self._pack()

    def merge(self, other: CurveAccumulator) -> None:
        """Add all batches of another accumulator, after those held here.

        Raises
        ------
        MergeError
            If labels, dtype, weights or indices do not agree.
        """
        if other._header is None:
            return
        if self._header is not None and other._header != self._header:
            raise MergeError(f"one part has {self._header}, another {other._header}. {_ALIKE}")
        if self._header is None and self._labels not in (None, other._header.labels):
            raise MergeError(
                f"this accumulator is for the labels {examples(self._labels or ())}, the other for "
                f"{examples(other._header.labels)}. {_ALIKE}"
            )
        self._pack()
        other._pack()
        self._header = other._header
        self._blocks += other._blocks

    def reset(self) -> None:
        """Forget all batches; curves computed before stay valid."""
        self._header, self._blocks, self._recent = None, [], []

    def compute(self, *, gather: Gather = "curves", group: Any = None) -> Curves:
        """Return the curves of all items, of all processes if `torch.distributed` is running.

        Parameters
        ----------
        gather : {"curves", "scores", "nothing"}
            What processes exchange: the positives' scores and the counts at them, which is little and enough
            for ``limen.tune(curves, method="exact")``; every score, for the other methods too ("auto" among
            them); or nothing, for the curves of this process alone.
        group : process group, optional

        Returns
        -------
        Curves
            The same in every process. They hold the scores, for every method of `limen.tune`, unless
            ``gather="curves"`` united several processes.

        Raises
        ------
        InputError
            If nothing was added in any process, or this process is not in the group.
        MergeError
            If processes differ in labels, dtype, weights or indices; raised in all of them.

        Notes
        -----
        With several processes, each must call this: it waits for all. Some may have seen no items. With
        NCCL, each process must have chosen its GPU (``torch.cuda.set_device``) before.
        """
        if gather not in get_args(Gather):
            raise InputError(f"gather={gather!r} is unknown. Use 'curves', 'scores' or 'nothing'.")
        self._pack()
        rank, everyone = (0, _nobody_else) if gather == "nothing" else _processes(group)
        header = _common(everyone(self._header))
        blocks = self._blocks
        if gather == "scores":
            blocks = [block for part in everyone(blocks) for block in part]
            rank, everyone = 0, _nobody_else
        if header.item:
            items = everyone([block.item for block in blocks])
            blocks = _seen_first(blocks, [item for part in items[:rank] for item in part])
        if header.weighted and not any(everyone(any(block.weighs for block in blocks))):
            raise InputError("sample_weight is zero for every item. At least one weight must be positive.")
        source = _source(header, tuple(blocks))
        if everyone is _nobody_else:
            return Curves.from_source(source)
        candidates = everyone(source.candidates() if blocks else None)
        united: Candidates = reduce(operator.or_, _present(candidates))
        curves = everyone(Curves.from_source(source, united) if blocks else None)
        whole: Curves = reduce(operator.add, _present(curves))
        return whole

    def __repr__(self) -> str:
        labels = self._header.labels if self._header else self._labels
        of_labels = "" if labels is None else f", {count(len(labels), 'label')}"
        return f"CurveAccumulator({count(self.n_items, 'item')}{of_labels})"

    def _pack(self) -> None:
        """Join the recent batches into one block, so that passes over the data are few and long."""
        if self._recent:
            self._blocks.append(Block.joined(self._recent))
            self._recent = []


_ALIKE = "All parts need the same labels, dtype and kind of index, and weights all or none."


def _checked_index(index: Any, n_items: int) -> NDArray[Any] | None:
    if index is None:
        return None
    found: NDArray[Any] = np.array(index)
    if found.dtype.kind in "OT" and all(isinstance(name, str) for name in found.flat):
        found = found.astype(np.str_)  # a Series of names comes as objects
    if found.shape != (n_items,) or found.dtype.kind not in "iuU":
        raise InputError(
            f"index has dtype {found.dtype} and shape {found.shape}. It must be {count(n_items, 'integer')} or "
            "names: which item of the data set each is."
        )
    return found


def _kind(index: NDArray[Any] | None) -> str:
    return "" if index is None else "text" if index.dtype.kind == "U" else "integer"


def _nobody_else(mine: Any) -> list[Any]:
    return [mine]


def _processes(group: Any) -> tuple[int, Callable[[Any], list[Any]]]:
    """Return this process's number, and how to get an object of every process, in their order."""
    if not (dist.is_available() and dist.is_initialized()):
        return 0, _nobody_else
    rank, size = dist.get_rank(group), dist.get_world_size(group)
    if rank < 0:
        raise InputError("this process is not in the group. Call compute() in the group's processes only.")
    if size == 1:
        return 0, _nobody_else

    def everyone(mine: Any) -> list[Any]:
        found: list[Any] = [None] * size
        dist.all_gather_object(found, mine, group=group)
        return found

    return rank, everyone


def _common(headers: Sequence[Header | None]) -> Header:
    some: list[Header] = _present(headers)
    if not some:
        raise InputError("no items were added. Call update(y_true, y_score) with each batch before compute().")
    other = next((header for header in some if header != some[0]), None)
    if other is not None:
        raise MergeError(f"one process has {some[0]}, another {other}. {_ALIKE}")
    return some[0]


def _seen_first(blocks: Sequence[Block], before: Sequence[NDArray[Any]]) -> list[Block]:
    """Return the blocks without the items that are in ``before``, or earlier in the blocks."""
    if not blocks:
        return []
    parts = [*before, *(block.item for block in blocks if block.item is not None)]
    whole = _joined_exactly(parts)
    first = np.zeros(len(whole), bool)
    first[np.unique(whole, return_index=True)[1]] = True
    chosen = np.split(first, np.cumsum([len(part) for part in parts[:-1]]))[len(before) :]
    return [block.take(rows) for block, rows in zip(blocks, chosen, strict=True) if rows.any()]


def _source(header: Header, blocks: tuple[Block, ...]) -> ChunkSource:
    n_items = sum(len(block.scores) for block in blocks)
    return ChunkSource(
        lambda: (block.chunk() for block in blocks),
        header.labels,
        np.dtype(header.dtype),
        header.weighted,
        n_items,
    )


def _present(parts: Sequence[Any]) -> list[Any]:
    return [part for part in parts if part is not None]


def _joined_exactly(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return indices as one array; int64 and uint64 together, which numpy would round to float64, as integers."""
    if np.result_type(*parts).kind == "f":
        negative = any(part.dtype.kind == "i" and (part < 0).any() for part in parts)
        parts = [part.astype(object if negative else np.uint64) for part in parts]
    return np.concatenate(parts)
