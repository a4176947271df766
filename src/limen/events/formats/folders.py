"""Folders of frame scores: matrices with a description beside them, or tables as sed_scores_eval writes them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, UnreadableError, count, examples
from limen.events.recordings import MICROSECONDS, FrameScores, microseconds
from limen.files.text import TextColumns
from limen.files.writing import write_atomically

DESCRIPTION = "scores.json"
SCHEMA, VERSION = "limen.frame-scores", 1
HEADER = 128
"""Bytes of the header of the .npy files: room for any number of frames, so that it can be written last."""


def read_scores(folder: str | os.PathLike[str]) -> FrameScores:
    """Return the frame scores in a folder, as `write_scores` or sed_scores_eval wrote them.

    Parameters
    ----------
    folder : path-like
        With ``scores.json`` and a .npy file for each recording, which are memory maps; or with a .tsv file for
        each recording: the columns onset, offset and one for each label.

    Raises
    ------
    InputError
        If files contradict each other, or frames are not of one length.
    UnreadableError
        If a file is missing or damaged.
    """
    path = Path(folder)
    if not path.is_dir():
        what = "is no folder" if path.exists() else "does not exist"
        raise UnreadableError(f"{path} {what}. Give the folder that limen score wrote.")
    if (path / DESCRIPTION).is_file():
        return _read_matrices(path)
    files = sorted(file for file in path.rglob("*.tsv") if not file.name.startswith("."))
    if not files:
        raise InputError(
            f"{path} has neither {DESCRIPTION} nor .tsv files. Give a folder that limen score wrote, or one of "
            "score tables (onset, offset, a column for each label)."
        )
    return _read_tables(path, files)


def write_scores(
    scores: FrameScores, folder: str | os.PathLike[str], format: Literal["npy", "tsv"] = "npy"
) -> None:
    """Write frame scores to a folder, which is made if it is missing.

    Parameters
    ----------
    scores : FrameScores
    folder : path-like
    format : {"npy", "tsv"}
        ``npy``: a matrix (n_frames, n_labels) for each recording, and ``scores.json``, which has the labels,
        the length of a frame, and how long the recordings are. ``tsv``: a table for each recording, which
        sed_scores_eval reads; scores are written with all their digits.

    Raises
    ------
    FileError
        If writing fails.
    """
    if format not in ("npy", "tsv"):
        raise InputError(f"format={format!r} is unknown. Frame scores are written as 'npy' or 'tsv'.")
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    for name, values in scores.recordings.items():
        path = root / f"{name}.{format}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as temporary, temporary.open("wb") as file:
            if format == "npy":
                file.write(matrix_header(values.dtype, len(values), scores.n_labels))
                file.write(np.ascontiguousarray(values).tobytes())
            else:
                write_table(file, values, scores.bounds(name), scores.labels)
    if format == "npy":
        described = {
            "labels": list(scores.labels),
            "frame_seconds": scores.frame_seconds,
            "recordings": {name: {"seconds": scores.seconds(name)} for name in scores.names},
        }
        write_description(root / DESCRIPTION, described)


def write_description(path: Path, content: Mapping[str, Any]) -> None:
    """Write the description of a folder of scores, with its schema first."""
    with write_atomically(path) as temporary:
        text = json.dumps({"schema": SCHEMA, "schema_version": VERSION, **content}, indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def matrix_header(dtype: np.dtype[Any], n_frames: int, n_labels: int) -> bytes:
    """Return the first `HEADER` bytes of a .npy file (n_frames, n_labels), whatever these numbers are."""
    said = f"{{'descr': {np.lib.format.dtype_to_descr(dtype)!r}, 'fortran_order': False, "
    said += f"'shape': ({n_frames}, {n_labels}), }}"
    start = b"\x93NUMPY\x01\x00" + (HEADER - 10).to_bytes(2, "little")
    return start + said.encode("latin1").ljust(HEADER - 11) + b"\n"


def write_table(file: IO[bytes], values: NDArray[Any], bounds: NDArray[np.int64], labels: tuple[str, ...]) -> None:
    """Write the scores of frames as a table with tabs; ``bounds`` are the beginnings, and the last end."""
    check_table_labels(labels)
    file.write(("\t".join(("onset", "offset", *labels)) + "\n").encode())
    write_table_rows(file, values, bounds)


def write_table_rows(file: IO[bytes], values: NDArray[Any], bounds: NDArray[np.int64]) -> None:
    """Write some rows of such a table."""
    times = (np.asarray(bounds) / MICROSECONDS).tolist()
    rows = np.asarray(values, np.float64).tolist()
    for k, row in enumerate(rows):
        file.write(("\t".join(map(repr, (times[k], times[k + 1], *row))) + "\n").encode())


def check_table_labels(labels: tuple[str, ...]) -> None:
    """Raise `InputError` if a label cannot be the name of a column."""
    bad = [name for name in labels if name in ("onset", "offset") or any(c in name for c in '\t\r\n"\\')]
    if bad:
        raise InputError(
            f"the labels {examples(bad)} cannot name the columns of a score table: no onset, offset, tabs, line "
            "breaks, quotes or backslashes. Use the format npy."
        )


def read_description(path: Path) -> dict[str, Any]:
    """Return the description of a folder of scores, checked."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableError(f"{path} cannot be read: {error}. Score the recordings again.") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise InputError(f"{path} is no description of frame scores. Give the folder that limen score wrote.")
    version = content.get("schema_version")
    if not isinstance(version, int) or version > VERSION:
        raise InputError(f"{path} has the schema version {version!r}; this limen knows {VERSION}. Upgrade limen.")
    labels, recordings = content.get("labels"), content.get("recordings")
    seconds = content.get("frame_seconds")
    whole = (
        isinstance(labels, list)
        and all(isinstance(name, str) for name in labels)
        and isinstance(seconds, int | float)
        and isinstance(recordings, dict)
        and all(
            isinstance(one, dict) and isinstance(one.get("seconds"), int | float) for one in recordings.values()
        )
    )
    if not whole:
        raise InputError(
            f"{path} lacks labels, frame_seconds or the seconds of a recording. Score the recordings again."
        )
    return content


def model_of(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a folder of scores says of the model that made them; empty if it says nothing."""
    path = Path(folder) / DESCRIPTION
    model = read_description(path).get("model") if path.is_file() else None
    return dict(model) if isinstance(model, dict) else {}


def _read_matrices(folder: Path) -> FrameScores:
    content = read_description(folder / DESCRIPTION)
    if not content["recordings"]:
        raise InputError(
            f"{folder / DESCRIPTION} lists no recordings: scoring was interrupted. Run limen score again."
        )
    found: dict[str, NDArray[Any]] = {}
    for name in content["recordings"]:
        file = folder / f"{name}.npy"
        try:
            found[name] = np.load(file, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError as error:
            raise UnreadableError(
                f"{file} is missing, and {DESCRIPTION} lists it. Run limen score again."
            ) from error
        except (OSError, ValueError, EOFError) as error:
            if file.is_file() and file.stat().st_size == HEADER:  # a map of nothing cannot be made
                found[name] = np.load(file, allow_pickle=False)
                continue
            raise UnreadableError(f"{file} is damaged ({error}). Delete it, and run limen score again.") from error
    durations = {name: float(one["seconds"]) for name, one in content["recordings"].items()}
    return FrameScores(tuple(content["labels"]), found, content["frame_seconds"], durations)


def _read_tables(folder: Path, files: list[Path]) -> FrameScores:
    found: dict[str, NDArray[np.float64]] = {}
    onsets: dict[str, NDArray[np.float64]] = {}
    durations: dict[str, float] = {}
    labels: tuple[str, ...] = ()
    first: Path | None = None
    for file in files:
        name = file.relative_to(folder).as_posix().removesuffix(".tsv")
        if not file.stat().st_size:
            raise InputError(f"{file} is empty (0 bytes). Write the scores again.")
        columns = TextColumns(file, "scores")
        names = tuple(columns.names)
        if names[:2] != ("onset", "offset") or len(names) < 3:
            raise InputError(
                f"{file} has the columns {examples(names)}. A score table has onset, offset and one for "
                "each label."
            )
        if columns.texts:
            raise InputError(
                f"{file} has text in the column {columns.names[columns.texts[0]]!r}, where scores belong."
            )
        if first is None:
            first, labels = file, names[2:]
        elif names[2:] != labels:
            raise InputError(
                f"{first} and {file} have different labels, or in another order. All recordings need the same "
                "columns."
            )
        values = columns.numbers(range(len(names)))
        if isinstance(values, np.ma.MaskedArray):
            raise InputError(f"{file} has empty cells. Every frame needs a score for each label.")
        if not len(values):
            raise InputError(f"{file} has no frames. Leave the recording out.")
        onsets[name], durations[name], found[name] = values[:, 0], float(values[-1, 1]), values[:, 2:]
        if (values[1:, 0] != values[:-1, 1]).any() or (values[:, 1] <= values[:, 0]).any():
            raise InputError(
                f"{file} has frames that do not follow each other. A frame begins where the last ends."
            )
    seconds = _frame_seconds(onsets, durations)
    for file, begin in zip(files, onsets.values(), strict=True):
        wrong = np.flatnonzero(microseconds(begin) != microseconds(np.arange(len(begin)) * seconds))
        if len(wrong):
            raise InputError(
                f"{file}, line {wrong[0] + 2}: the frame begins at {begin[wrong[0]]:.10g} s, not at "
                f"{wrong[0] * seconds:.10g} s. Frames must be of one length ({seconds:g} s), from 0 on."
            )
    short = all((scores == scores.astype(np.float32)).all() for scores in found.values())
    given = {name: scores.astype(np.float32) for name, scores in found.items()} if short else found
    return FrameScores(labels, given, seconds, durations)


def _frame_seconds(onsets: Mapping[str, NDArray[np.float64]], durations: Mapping[str, float]) -> float:
    """Return the length of a frame: that of the longest recording, with as few digits as fit."""
    name = max(onsets, key=lambda one: len(onsets[one]))
    begin, n_frames = onsets[name], len(onsets[name])
    mean = durations[name] if n_frames == 1 else float(begin[-1]) / (n_frames - 1)
    for digits in range(2, 13):
        rounded = round(mean, digits)
        if rounded > 0 and (microseconds(np.arange(n_frames) * rounded) == microseconds(begin)).all():
            return rounded
    if not mean > 0:
        raise InputError(
            f"the frames of {name!r} have no length. {count(n_frames, 'frame')} must begin one after another."
        )
    return mean
