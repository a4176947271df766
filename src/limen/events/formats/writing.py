"""Write events for other programs: CSV, JSON lines, Parquet, Audacity, Raven, DCASE."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Literal, get_args

import numpy as np

from limen.errors import InputError, examples
from limen.events.recordings import MICROSECONDS, Events
from limen.files.text import spelled
from limen.files.writing import write_atomically

Format = Literal["csv", "jsonl", "parquet", "audacity", "raven", "dcase"]
ENDINGS: dict[str, str] = {
    "csv": ".csv",
    "jsonl": ".jsonl",
    "parquet": ".parquet",
    "audacity": ".txt",
    "raven": ".txt",
    "dcase": ".tsv",
}
"""The ending of the files of a format."""
COLUMNS = ("recording", "onset", "offset", "label")


def write_events(
    events: Events,
    path: str | os.PathLike[str],
    format: Format | None = None,
    *,
    files: Mapping[str, str] | None = None,
    highest_hz: float = 0.0,
) -> None:
    """Write events to a file, so that `read_events` gives the same ones.

    Parameters
    ----------
    events : Events
    path : path-like
        An old file is replaced only when the new one is whole.
    format : {"csv", "jsonl", "parquet", "audacity", "raven", "dcase"}, optional
        By the ending, if left out: .csv, .jsonl, .parquet, .txt for Audacity, .tsv for DCASE.
    files : mapping from str to str, optional
        The file of each recording, for Raven and DCASE, which name files; the name and ``.wav`` if left out.
    highest_hz : float
        For Raven, whose selections have a highest frequency: half the sample rate of the recordings.

    Raises
    ------
    InputError
        If the format is unknown, cannot hold several recordings (Audacity), or a label has a tab or a line break.
    FileError
        If writing fails; an old file is then untouched.

    Notes
    -----
    Times are written in seconds with all of their microseconds. Recordings without events are a line with empty
    cells in CSV and DCASE. Raven's lines are one selection each, in view Spectrogram 1 and channel 1, with the
    label in the column Annotation.
    """
    path = Path(path)
    if format is None:
        by_ending = {ending: name for name, ending in reversed(ENDINGS.items())} | {".txt": "audacity"}
        if path.suffix.lower() not in by_ending:
            raise InputError(
                f"{path} has the ending {path.suffix!r}. Events are written as {examples(by_ending)}."
            )
        form = by_ending[path.suffix.lower()]
    else:
        form = format
    if form not in get_args(Format):
        raise InputError(f"format={form!r} is unknown. Events are written as {examples(get_args(Format))}.")
    check_labels(events.labels, form)
    if form == "audacity" and len(events.recordings) > 1:
        raise InputError(
            f"a file of Audacity holds one recording, and these events are of {len(events.recordings)}. Write a "
            "file for each: events.take([name])."
        )
    called = {name: (files or {}).get(name, f"{name}.wav") for name in events.recordings}
    with write_atomically(path) as temporary:
        if form == "parquet":
            _write_parquet(temporary, events)
            return
        with temporary.open("w", encoding="utf-8", newline="") as file:
            if form == "raven":
                _write_raven(file, events, called, highest_hz)
            else:
                _WRITERS[form](file, events, called)


def check_labels(labels: Sequence[str], form: str) -> None:
    """Raise `InputError` if a format of lines and tabs cannot hold a label."""
    bad = [name for name in labels if not name or name != name.strip() or any(c in name for c in "\t\r\n")]
    if bad and form in ("audacity", "raven", "dcase"):
        raise InputError(
            f"the labels {examples(bad)} cannot stand in {form} files: a label has no tabs, no line breaks and no "
            "blanks at its ends. Use csv, jsonl or parquet."
        )


def seconds(time: int) -> str:
    """Return whole microseconds as seconds, with no more digits than needed.

    Examples
    --------
    >>> seconds(1_500_000), seconds(40), seconds(2_000_000)
    ('1.5', '0.00004', '2.0')
    """
    whole, rest = divmod(time, MICROSECONDS)
    return f"{whole}.{f'{rest:06}'.rstrip('0') or '0'}"


def _rows(events: Events) -> list[tuple[str, str, str, str]]:
    """Return rows of recording, onset, offset and label, one with empty cells for a recording without events."""
    found: list[tuple[str, str, str, str]] = []
    edges = np.searchsorted(events.recording, np.arange(len(events.recordings) + 1)).tolist()
    for r, name in enumerate(events.recordings):
        if edges[r] == edges[r + 1]:
            found.append((name, "", "", ""))
        for k in range(edges[r], edges[r + 1]):
            onset, offset = seconds(int(events.onset[k])), seconds(int(events.offset[k]))
            found.append((name, onset, offset, events.labels[events.label[k]]))
    return found


def _write_csv(file: IO[str], events: Events, _: Mapping[str, str]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([spelled(cell) for cell in row] for row in _rows(events))


def _write_jsonl(file: IO[str], events: Events, _: Mapping[str, str]) -> None:
    for recording, onset, offset, label in _rows(events):
        if onset:
            row = dict(zip(COLUMNS, (recording, float(onset), float(offset), label), strict=True))
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_audacity(file: IO[str], events: Events, _: Mapping[str, str]) -> None:
    for _name, onset, offset, label in _rows(events):
        if onset:
            file.write(f"{float(onset):.6f}\t{float(offset):.6f}\t{label}\n")


def _write_dcase(file: IO[str], events: Events, files: Mapping[str, str]) -> None:
    file.write("filename\tonset\toffset\tevent_label\n")
    for recording, *cells in _rows(events):
        file.write("\t".join([files[recording], *cells]) + "\n")


def _write_raven(file: IO[str], events: Events, files: Mapping[str, str], highest_hz: float) -> None:
    names = ("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)")
    file.write("\t".join([*names, "Begin File", "File Offset (s)", "Annotation"]) + "\n")
    number = 0
    for recording, onset, offset, label in _rows(events):
        if onset:
            number += 1
            name = files[recording].rpartition("/")[2]
            cells = [str(number), "Spectrogram 1", "1", onset, offset, "0", f"{highest_hz:g}", name, onset, label]
            file.write("\t".join(cells) + "\n")


def _write_parquet(path: Path, events: Events) -> None:
    import duckdb

    from limen.files.stored import connect, first_line, quoted

    table = {
        "recording": np.array([events.recordings[k] for k in events.recording], object),
        "onset": events.onset / MICROSECONDS,
        "offset": events.offset / MICROSECONDS,
        "label": np.array([events.labels[k] for k in events.label], object),
    }
    with connect() as con:
        con.execute('CREATE TABLE events (recording VARCHAR, onset DOUBLE, "offset" DOUBLE, label VARCHAR)')
        if len(events):
            con.register("rows", table)
            con.execute("INSERT INTO events FROM rows")
        try:
            con.execute(f"COPY events TO {quoted(path, chr(39))} (FORMAT parquet)")
        except duckdb.Error as error:
            raise OSError(first_line(error)) from error


_WRITERS: dict[str, Callable[[IO[str], Events, Mapping[str, str]], None]] = {
    "csv": _write_csv,
    "jsonl": _write_jsonl,
    "audacity": _write_audacity,
    "dcase": _write_dcase,
}
