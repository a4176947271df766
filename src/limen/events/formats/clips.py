"""Tables of clip scores, a row for each recording, and the file beside them that says how they were made."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError
from limen.events.pooling import Activation, Clips, clip_scores
from limen.events.recordings import FrameScores
from limen.files.stored import connect, first_line, quoted
from limen.files.tags import check_labels
from limen.files.text import spelled
from limen.files.writing import write_atomically
from limen.scales import kind_in

SCHEMA, VERSION = "limen.clip-scores", 1
ENDINGS = (".csv", ".tsv", ".parquet")
_BLOCK = 1 << 14


def write_clip_scores(
    scores: FrameScores,
    path: str | os.PathLike[str],
    clips: Clips = "max",
    *,
    model: Mapping[str, Any] | None = None,
) -> None:
    """Write one score for each recording and label, pooled over its frames, for `limen.tune` and `limen tune`.

    Parameters
    ----------
    scores : FrameScores
    path : path-like
        A .csv, .tsv or .parquet file, with the columns id and one for each label. What ends with ``.json`` beside
        it says how the scores were pooled: `limen tune` keeps it with the thresholds, for `limen tag`.
    clips : {"max", "mean", "noisy-or"}
        The greatest score of the frames, their mean (on the scale of the scores), or 1 minus the product of 1 - p.
    model : mapping, optional
        What made the frame scores, as `limen.events.formats.model_of` gives it; its ``activation`` says what they
        are. Their range does, if it is left out.

    Raises
    ------
    InputError
        If a recording has no frames, noisy-or is asked for of scores that are no probabilities and no logits, or
        a label cannot name a column.
    FileError
        If writing fails.
    """
    path = Path(path)
    check_clip_table(path, scores.labels)
    model = dict(model or {})
    activation = model.get("activation") or _activation(scores, clips)
    rows = []
    for name, values in scores.recordings.items():
        try:
            blocks = (values[k : k + _BLOCK] for k in range(0, len(values), _BLOCK))
            rows.append(clip_scores(blocks, clips, activation))
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
    about = {name: {"seconds": scores.seconds(name)} for name in scores.names}
    write_clip_table(path, scores.names, scores.labels, np.array(rows))
    settings = clip_settings(clips, scores.labels, model)
    with write_atomically(beside(path)) as temporary:
        text = json.dumps({**settings, "recordings": about}, indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def _activation(scores: FrameScores, clips: Clips) -> Activation:
    kinds = {kind_in(np.asarray(values)) for values in scores.recordings.values() if values.size}
    if clips == "noisy-or" and "real" in kinds:
        raise InputError("noisy-or is of probabilities or logits, and these scores are neither. Use max or mean.")
    return "logit" if "logit" in kinds else "probability"


def beside(path: Path) -> Path:
    """Return the file that says how the clip scores in ``path`` were made."""
    return path.with_name(f"{path.name}.json")


def clip_settings(clips: Clips, labels: Sequence[str], model: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of clip scores, but for the recordings."""
    head = {"schema": SCHEMA, "schema_version": VERSION, "labels": list(labels)}
    return {**head, "clips": clips, "model": dict(model)}


def clips_of(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return what is said of the clip scores in a file: ``clips``, ``model``, ``labels``; None if nothing is."""
    try:
        content = json.loads(beside(Path(path)).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        return None
    version = content.get("schema_version")
    if not isinstance(version, int) or version > VERSION:
        raise InputError(
            f"{beside(Path(path))} has the schema version {version!r}; this limen knows {VERSION}. Upgrade limen."
        )
    return {key: content.get(key) for key in ("clips", "model", "labels")}


def check_clip_table(path: Path, labels: Sequence[str]) -> None:
    """Raise `InputError` unless clip scores of these labels can stand in a file of this ending."""
    if path.suffix.lower() not in ENDINGS:
        raise InputError(
            f"{path} has the ending {path.suffix!r}. Clip scores are written as {', '.join(ENDINGS)}."
        )
    check_labels(labels, "wide", path.suffix.lower())


def write_clip_table(path: Path, names: Sequence[str], labels: Sequence[str], scores: NDArray[Any]) -> None:
    """Write scores (n_recordings, n_labels) with all their digits: the columns id and one for each label."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as temporary:
        if path.suffix.lower() == ".parquet":
            _write_parquet(temporary, names, labels, scores)
            return
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
            writer.writerow([spelled(cell) for cell in ("id", *labels)])
            rows = zip(names, scores.astype(np.float64).tolist(), strict=True)
            writer.writerows([spelled(name), *map(repr, row)] for name, row in rows)


def _write_parquet(path: Path, names: Sequence[str], labels: Sequence[str], scores: NDArray[Any]) -> None:
    import duckdb

    with connect() as con:
        con.register("rows", dict(zip(("id", *labels), (np.array(names, object), *scores.T), strict=True)))
        try:
            con.execute(f"COPY (FROM rows) TO {quoted(path, chr(39))} (FORMAT parquet)")
        except duckdb.Error as error:
            raise OSError(first_line(error)) from error
