"""What becomes of the frame scores of a recording as they come: a file of scores, or events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from limen.events.formats.folders import (
    check_table_labels,
    matrix_header,
    write_table,
    write_table_rows,
)
from limen.events.formats.writing import ENDINGS, write_events
from limen.events.recordings import Events, microseconds
from limen.events.streaming import Decider, Found
from limen.files.writing import write_atomically

Blocks = Iterable[NDArray[Any]]
"""Frame scores (n_frames, n_labels) of a recording, in turn."""


def write_frame_scores(
    path: Path,
    blocks: Blocks,
    labels: Sequence[str],
    frame_seconds: float,
    duration: Callable[[], float],
    format: Literal["npy", "tsv"] = "npy",
) -> dict[str, Any]:
    """Write the frame scores of a recording as they come; return what the manifest says of it.

    ``duration`` is asked when the scores have ended; nothing but a block of them is held.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = tuple(labels)
    if format == "tsv":
        check_table_labels(labels)
    n_frames, dtype = 0, np.dtype(np.float32)
    with write_atomically(path) as temporary, temporary.open("wb") as file:
        last = np.empty((0, len(labels)), dtype)
        if format == "npy":
            file.write(matrix_header(dtype, 0, len(labels)))
        else:
            write_table(file, last, np.empty(0, np.int64), labels)
        for block in blocks:
            dtype = block.dtype
            if format == "npy":
                file.write(np.ascontiguousarray(block).tobytes())
                n_frames += len(block)
                continue
            rows = np.concatenate([last, block]) if len(last) else block
            rows, last = rows[:-1], rows[-1:]  # where the last one ends is known at the end
            edges = microseconds(np.arange(n_frames, n_frames + len(rows) + 1) * frame_seconds)
            write_table_rows(file, rows, edges)
            n_frames += len(rows)
        seconds = round(duration(), 6)  # as events are
        if format == "npy":
            file.seek(0)
            file.write(matrix_header(dtype, n_frames, len(labels)))
        elif len(last):
            write_table_rows(file, last, microseconds([n_frames * frame_seconds, seconds]))
            n_frames += 1
    return {"frames": n_frames, "seconds": seconds}


def found_events(
    blocks: Blocks, decider: Decider, duration: Callable[[], float], *, least: int = 64
) -> list[Found]:
    """Return the events in frame scores that are decided as they come, ``least`` frames at once."""
    found: list[Found] = []
    for block in _gathered(blocks, least):
        found += decider.push(block)
    return found + decider.close(duration())


def _gathered(blocks: Blocks, least: int) -> Iterator[NDArray[Any]]:
    held: list[NDArray[Any]] = []
    for block in blocks:
        held.append(block)
        if sum(map(len, held)) >= least:
            yield np.concatenate(held)
            held = []
    if held:
        yield np.concatenate(held)


def clip_events(given: NDArray[Any], duration: float) -> list[Found]:
    """Return the labels that a recording is given, bool (n_labels,), as events that last from end to end."""
    end = max(int(microseconds(duration)), 1)
    return [Found(int(k), 0, end) for k in np.flatnonzero(given)]


def write_found(
    path: Path,
    found: Sequence[Found],
    name: str,
    labels: Sequence[str],
    format: str,
    *,
    file: str,
    highest_hz: float,
) -> None:
    """Write the events found in a recording."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = np.array(found, np.int64).reshape(-1, 3).T
    events = Events((name,), tuple(labels), np.zeros(len(found), np.int64), *columns)
    write_events(events, path, format, files={name: file}, highest_hz=highest_hz)  # type: ignore[arg-type]


def output_of(folder: Path, ending: str) -> Callable[[str], Path]:
    """Return what gives the output of a recording's name."""
    return lambda name: folder / f"{name}{ENDINGS.get(ending, f'.{ending}')}"


def scores_settings(about: Mapping[str, Any], labels: Sequence[str], frame_seconds: float) -> dict[str, Any]:
    """Return what a folder of scores says of itself."""
    from limen.events.formats.folders import SCHEMA, VERSION

    head = {"schema": SCHEMA, "schema_version": VERSION}
    return {**head, "labels": list(labels), "frame_seconds": frame_seconds, "model": dict(about)}
