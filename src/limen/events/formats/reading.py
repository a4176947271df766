"""Read annotations of Audacity, Raven, DCASE and of tables; what is wrong is said with its line."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from limen.errors import InputError, LimenWarning, UnreadableError, count, examples
from limen.events.formats.named import Recordings, annotated_by, recording_name
from limen.events.formats.tables import Entry, entries_of
from limen.events.recordings import LONGEST_SECONDS, Events, FrameScores

Format = Literal["csv", "dcase", "audacity", "raven"]
ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")
ROUNDED = 0.5
"""Seconds that an event may go on after the end of its recording: annotations are rounded."""


class _Row(NamedTuple):
    place: str
    recording: str
    onset: float
    offset: float
    label: str


def read_events(
    path: str | os.PathLike[str],
    format: Format | None = None,
    *,
    scores: FrameScores | None = None,
    extra: Literal["refuse", "ignore"] = "refuse",
    unlisted: Literal["refuse", "empty", "ignore"] = "refuse",
) -> Events:
    """Return the events in an annotation file, or in a folder of them.

    Parameters
    ----------
    path : path-like
        A .csv, .tsv or .txt file, or a folder of such files. Files of one recording (Audacity labels, Raven
        selection tables) are called after it: ``dawn.txt``, ``dawn.Table.1.selections.txt``.
    format : {"csv", "dcase", "audacity", "raven"}, optional
        Found by the first line, if left out.
    scores : FrameScores, optional
        Whose events they are: then the events have its recordings and labels, in its order, and must lie
        within the recordings. Recordings are joined by name, without the endings of audio files; a folder
        before the name may be missing on either side.
    extra : {"refuse", "ignore"}
        What becomes of recordings and labels that the scores do not have.
    unlisted : {"refuse", "empty", "ignore"}
        What becomes of recordings of the scores that no annotation lists: an error; taken for recordings
        without events; or left out. A recording without events is listed by a line with empty cells, or by
        an empty file of its own.

    Returns
    -------
    Events
        Overlapping events of one label are merged.

    Raises
    ------
    InputError
        If a line breaks a rule; the message names the file and the line.
    UnreadableError
        If a file is missing or damaged.

    Warns
    -----
    LimenWarning
        If events were merged; the warning counts them.

    Notes
    -----
    ``csv``: commas, semicolons or tabs, and a first line that names the columns; filename (file, recording),
    onset (start, begin), offset (end) and event_label (label, species), in any order, others are ignored.
    ``dcase``: the same with tabs; without names, the columns are filename, onset, offset, event_label.
    ``audacity``: onset, offset and label with tabs; lines with frequencies, which begin with a backslash, are
    ignored. ``raven``: the columns of Raven's selection tables. The label is in Annotation, Species, Common Name
    or Label; a selection seen in several views counts once. Where File Offset (s) and Begin File (or Begin Path)
    are there, they say where an event begins, because Begin Time (s) counts from the first file of a sequence.
    """
    if format is not None and format not in get_args(Format):
        raise InputError(f"format={format!r} is unknown. Annotations are {examples(get_args(Format))}.")
    listed: dict[str, str] = {}  # what annotations call a recording: where first
    spelled: dict[str, str] = {}
    rows: list[_Row] = []
    for file, name in _files(Path(path)):
        found = entries_of(file, format, name)
        for entry in found:
            called = recording_name(entry.recording)
            if spelled.setdefault(called, entry.recording) != entry.recording:
                _check_one(called, spelled[called], entry)
            listed.setdefault(called, entry.place)
            row = _row_of(entry, called)
            if row is not None:
                rows.append(row)
    if not listed:
        raise InputError(f"{path} has no annotations. A recording without events is a line with empty cells.")
    _check_times(rows)
    if scores is None:
        return _merged(rows, listed, sorted(listed), sorted({row.label for row in rows}), str(path))
    return _of_scores(rows, listed, scores, extra, unlisted, str(path))


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    """Give the files of annotations, and the name of the recording that each is called after."""
    if path.is_dir():
        named: dict[str, Path] = {}
        files = [file for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith(".")]
        files = [file for file in files if file.name.lower().endswith(ENDINGS)]
        if not files:
            raise InputError(f"{path} has no file of annotations. They end with {', '.join(ENDINGS)}.")
        for file in files:
            name = annotated_by(file.relative_to(path).as_posix())
            if name in named:
                raise InputError(
                    f"{named[name]} and {file} are both called after the recording {name!r}. Every recording "
                    "needs one file: remove one, or move it elsewhere."
                )
            named[name] = file
            yield file, name
        return
    if not path.is_file():
        what = "is no regular file" if path.exists() else "does not exist"
        raise UnreadableError(f"{path} {what}. Check the path, and the folder you are in.")
    yield path, annotated_by(path.name)


def _check_one(called: str, first: str, entry: Entry) -> None:
    """Raise `InputError` if a recording has the files ``dawn.wav`` and ``dawn.flac``."""
    kinds = [Path(name).suffix.lower() for name in (first, entry.recording) if recording_name(name) != name]
    if len(set(kinds)) > 1:
        raise InputError(
            f"{entry.place}: {entry.recording!r} and {first!r} both are the recording {called!r}. Every recording "
            "needs a name of its own."
        )


def _row_of(entry: Entry, recording: str) -> _Row | None:
    """Return the event in a line, with its times as numbers; None if the line has no event."""
    if not (entry.label or entry.onset or entry.offset):
        return None
    if not entry.label:
        raise InputError(
            f"{entry.place}: an event without a label. Name it; a recording without events has no times either."
        )
    times = []
    for what, cell in (("onset", entry.onset), ("offset", entry.offset)):
        number = _seconds(cell)
        if number is None:
            shown = f"is {cell[:40]!r}" if cell else "is empty"
            raise InputError(
                f"{entry.place}: the {what} of {entry.label!r} {shown}. It must be a number of seconds."
            )
        times.append(number)
    if entry.length is not None:  # Raven: the onset is that within the file, the offset counts from the first one
        begin, end = (_seconds(cell) for cell in entry.length)
        if begin is None or end is None:
            raise InputError(f"{entry.place}: begin and end are {entry.length}. They must be numbers of seconds.")
        times[1] = round(times[0] + end - begin, 9)
    return _Row(entry.place, recording, times[0], times[1], entry.label)


def _seconds(cell: str) -> float | None:
    from limen.sources.columns import number_of

    number = number_of(cell.strip(), "scores", decimal_comma=True)
    return None if number is None or not math.isfinite(number) else number


def _check_times(rows: Sequence[_Row]) -> None:
    _refuse(
        [row for row in rows if row.offset <= row.onset],
        lambda row: f"{row.label!r} begins at {row.onset:.10g} s and ends at {row.offset:.10g} s",
        "An event ends after it begins: correct the line, or drop it.",
    )
    _refuse(
        [row for row in rows if row.onset < 0 or row.offset > LONGEST_SECONDS],
        lambda row: f"{row.label!r} lasts from {row.onset:.10g} to {row.offset:.10g} s",
        "Times are seconds from the beginning of the recording.",
    )


def _refuse(bad: Sequence[_Row], what: Callable[[_Row], str], rule: str) -> None:
    """Raise `InputError` for the first of these rows, if there are any."""
    if bad:
        others = "" if len(bad) == 1 else f" (the first of {count(len(bad), 'such event')})"
        raise InputError(f"{bad[0].place}: {what(bad[0])}{others}. {rule}")


def _of_scores(
    rows: Sequence[_Row],
    listed: dict[str, str],
    scores: FrameScores,
    extra: str,
    unlisted: str,
    source: str,
) -> Events:
    """Return the events as those of recordings with scores."""
    known = Recordings(scores.names)
    meant: dict[str, str] = {}
    unknown = []
    for called, place in listed.items():
        found = known.find(called)
        if len(found) > 1:
            raise InputError(
                f"{place}: {called!r} can be {examples(found)}. Write the folder before the name, to tell them "
                "apart."
            )
        if found:
            meant[called] = found[0]
        else:
            unknown.append(called)
    if unknown and extra == "refuse":
        raise InputError(
            f"{listed[unknown[0]]}: there are no scores of the recording {unknown[0]!r}"
            f"{'' if len(unknown) == 1 else f' (the first of {len(unknown)} such recordings)'}. Score it, or "
            "leave such recordings out: --extra ignore (extra='ignore')."
        )
    by_name: dict[str, str] = {}
    for called, name in meant.items():
        if name in by_name:
            raise InputError(
                f"{listed[called]}: {called!r} and {by_name[name]!r} both are the recording {name!r}. Every "
                "recording needs a name of its own."
            )
        by_name[name] = called
    if not by_name:
        raise InputError(f"{source} lists none of the recordings that have scores ({examples(scores.names)}).")
    rows = [row._replace(recording=meant[row.recording]) for row in rows if row.recording in meant]
    strange = [row for row in rows if row.label not in scores.labels]
    if extra == "refuse":
        _refuse(
            strange,
            lambda row: (
                f"{row.label!r} is none of the {count(scores.n_labels, 'label')} scored "
                f"({examples(scores.labels)})"
            ),
            "Rename it, or leave such events out: --extra ignore (extra='ignore').",
        )
    rows = [row for row in rows if row.label in scores.labels]
    ends = {name: scores.seconds(name) for name in by_name}
    _refuse(
        [row for row in rows if row.onset >= ends[row.recording] or row.offset > ends[row.recording] + ROUNDED],
        lambda row: (
            f"{row.label!r} lasts from {row.onset:.10g} to {row.offset:.10g} s, and "
            f"{row.recording!r} only {ends[row.recording]:.10g} s"
        ),
        f"An event lies within its recording, but for {ROUNDED} s of rounding: correct the line, or drop it.",
    )
    missing = [name for name in scores.names if name not in by_name]
    if missing and unlisted == "refuse":
        raise InputError(
            f"{source} does not list {count(len(missing), 'recording')} with scores ({examples(missing)}). If "
            "nothing is to be heard there, say --unlisted empty (unlisted='empty'); if nobody listened, "
            "--unlisted ignore (unlisted='ignore')."
        )
    names = [name for name in scores.names if name in by_name or unlisted == "empty"]
    places = {meant[called]: place for called, place in listed.items() if called in meant}
    return _merged(rows, places, names, scores.labels, source)


def _merged(
    rows: Sequence[_Row], listed: dict[str, str], names: Sequence[str], labels: Sequence[str], source: str
) -> Events:
    """Return the events of rows, overlapping ones of one label merged."""
    if not labels:
        raise InputError(f"{source} has no event in {count(len(listed), 'recording')}. At least one is needed.")
    found, n_merged = Events.from_rows((row[1:] for row in rows), recordings=names, labels=labels).merged()
    if n_merged:
        warnings.warn(
            f"{source}: {count(n_merged, 'event')} overlapped another of the same label and "
            f"{'was' if n_merged == 1 else 'were'} merged with it.",
            LimenWarning,
            stacklevel=3,
        )
    return found
