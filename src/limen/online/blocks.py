"""What an accumulator holds: rows with their labels, weights and times, and the file of them."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, UnreadableError, count, examples
from limen.files.archives import damaged, reading
from limen.files.writing import write_atomically

SCHEMA, VERSION = "https://limen.dev/schema/accumulator", 1


class Block(NamedTuple):
    """Rows of scores (rows, n_labels), labels coded 1, 0 and -1 (unknown), and weight and time of each row."""

    scores: NDArray[Any]
    codes: NDArray[np.int8]
    weight: NDArray[np.float64] | None
    time: NDArray[np.float64] | None

    def take(self, rows: Any) -> Block:
        """Return some rows, copied."""
        return Block(*(None if part is None else part[rows].copy() for part in self))  # type: ignore[arg-type]

    def from_row(self, start: int) -> Block:
        """Return the rows from a number on, not copied."""
        return Block(*(None if part is None else part[start:] for part in self))  # type: ignore[arg-type]

    def chunk(self, weight: NDArray[np.float64] | None) -> tuple[Any, ...]:
        """Return labels, scores and any weights, as `Curves.from_chunks` takes them."""
        unknown = self.codes < 0
        truth = np.where(unknown, np.float32(np.nan), self.codes) if unknown.any() else self.codes
        return (truth, self.scores) if weight is None else (truth, self.scores, weight)


class Header(NamedTuple):
    """What the parts of one stream must have in common."""

    labels: tuple[str, ...]
    dtype: str
    weighted: bool
    timed: bool


def times_of(given: Any, n_items: int) -> NDArray[np.float64]:
    """Return the time of each item (n_items,), dates as seconds, or raise `InputError`."""
    times = np.asarray(given)
    if times.dtype.kind == "M":
        times = np.where(np.isnat(times), np.nan, times.astype("datetime64[us]").astype(np.int64) / 1e6)
    try:
        times = np.broadcast_to(times.astype(np.float64), n_items) if times.ndim == 0 else times.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"time has dtype {times.dtype}. It must be numbers, or datetime64.") from error
    if times.shape != (n_items,) or not np.isfinite(times).all():
        raise InputError(
            f"time has shape {times.shape} for {count(n_items, 'item')}, or is not finite. Give one number for "
            "each."
        )
    return times


def _possible(block: Block, header: Header) -> bool:
    """Return whether arrays of a file are those of a block with this header."""
    shape, n = (len(block.scores), len(header.labels)), len(block.scores)
    return (
        bool(n)
        and block.scores.shape == block.codes.shape == shape
        and str(block.scores.dtype) == header.dtype
        and block.codes.dtype == np.int8
        and bool(np.isfinite(block.scores).all() and (np.abs(block.codes) <= 1).all())
        and (block.weight is not None) == header.weighted
        and (block.time is not None) == header.timed
        and all(part is None or (part.shape == (n,) and np.isfinite(part).all()) for part in block[2:])
    )


def said(header: Header) -> str:
    """Return a header in words."""
    extras = f"{'' if header.weighted else 'no '}weights, {'' if header.timed else 'no '}times"
    return f"{header.dtype} scores, labels {examples(header.labels, most=3)}, {extras}"


def joined(blocks: Sequence[Block]) -> Block:
    """Return the rows of several blocks as one."""
    parts = zip(*blocks, strict=True)
    return Block(*(None if part[0] is None else np.concatenate(part) for part in parts))  # type: ignore[arg-type]


def write(path: str | os.PathLike[str], block: Block, about: dict[str, Any]) -> None:
    """Write rows, and what is said about them, to a file (.npz, no pickle), whole or not at all."""
    about = {"schema": SCHEMA, "version": VERSION, **about}
    text = np.frombuffer(json.dumps(about, ensure_ascii=False, allow_nan=False).encode(), np.uint8)
    arrays: dict[str, Any] = {name: part for name, part in block._asdict().items() if part is not None}
    with write_atomically(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, header=text, **arrays)


def read(path: str | os.PathLike[str]) -> tuple[Block, Header, dict[str, Any]]:
    """Return what `write` wrote: the rows, their header, and what else was said.

    Raises
    ------
    UnreadableError
        If the file is missing, damaged or cut short, or of another form.
    """
    name, what, writer = os.fspath(path), "a file of an accumulator", "Accumulator.save"
    try:
        with Path(path).open("rb") as file, reading(name, what, writer), zipfile.ZipFile(file) as archive:
            arrays = {}
            for info in archive.infolist():
                with archive.open(info) as member:
                    arrays[info.filename.removesuffix(".npy")] = np.lib.format.read_array(
                        member, allow_pickle=False
                    )
                    if member.read(1):
                        raise ValueError(f"{info.filename} is longer than it says")
    except OSError as error:
        raise UnreadableError(f"cannot read {name}: {error.strerror}. Check the path.") from error
    try:
        about = json.loads(arrays.pop("header").tobytes().decode())
        if about.pop("schema") != SCHEMA or about.pop("version") != VERSION:
            raise ValueError("another schema or version")
        header = Header(tuple(about.pop("labels")), *(about.pop(key) for key in Header._fields[1:]))
        block = Block(*(arrays.pop(key, None) for key in Block._fields))  # type: ignore[arg-type]
        if arrays or not _possible(block, header):
            raise ValueError("arrays of other shapes or types")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged(name, what, writer, error) from error
    return block, header, about
