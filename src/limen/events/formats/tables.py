"""Lines of annotation files: which column is what, and what a format adds to that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from limen.errors import InputError, UnreadableError, examples
from limen.events.formats.named import recording_name
from limen.files.text import numbered_rows, unspelled
from limen.sources.columns import number_of

RECORDING = ("filename", "file", "recording", "audiofilename", "audiofile", "beginfile", "beginpath", "path", "id")
ONSET = ("onset", "start", "begin", "begintime", "starttime")
OFFSET = ("offset", "end", "stop", "endtime", "stoptime")
LABEL = (
    "eventlabel",
    "label",
    "annotation",
    "event",
    "class",
    "species",
    "commonname",
    "tag",
    "scientificname",
    "speciescode",
)
"""What columns are called, lower case and without blanks, underscores and units; the first found is taken."""
RAVEN = "Begin Time (s)"
NOTHING = "nocall"
"""The label of a selection table of BirdNET that has nothing to list."""
FORMS = {
    "csv": "The first line names the columns: filename, onset, offset, event_label.",
    "dcase": "The columns are filename, onset, offset and event_label, with tabs.",
    "audacity": "A line of Audacity has onset, offset and label, with tabs.",
    "raven": f"A selection table has {RAVEN}, End Time (s) and Annotation (or Species) in its first line.",
}


class Entry(NamedTuple):
    """A line: cells as text, empty ones for a recording without events; ``length`` is its begin and end."""

    place: str
    recording: str
    onset: str
    offset: str
    label: str
    length: tuple[str, str] | None = None


def entries_of(file: Path, form: str | None, name: str) -> Iterator[Entry]:
    """Give the lines of a file, whose own recording, if lines do not name one, is called ``name``.

    Raises
    ------
    InputError
        If the columns cannot be understood, or a line has too few cells.
    UnreadableError
        If the file is damaged.
    """
    try:
        empty = not file.stat().st_size
    except OSError as error:
        raise UnreadableError(f"{file} cannot be opened: {error.strerror}. Check its permissions.") from error
    rows = [] if empty else numbered_rows(file, _delimiter(file))
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        if form == "audacity" or (form is None and file.suffix.lower() == ".txt"):
            yield Entry(str(file), name, "", "", "")  # nothing was heard
            return
        raise InputError(f"{file} is empty. {FORMS[form or 'csv']}")
    cells = first[1]
    columns = _columns(cells)
    form = form or _form_of(cells, columns, file)
    if form == "audacity":
        yield from _audacity(file, name, chain([first], rows))
    elif form == "dcase" and "onset" not in columns:
        yield from _unnamed(file, chain([first], rows))
    else:
        _check_columns(columns, cells, file, form)
        yield from _named(file, name, columns, len(cells), rows, raven=form == "raven")


def _delimiter(file: Path) -> str | None:
    """Return a tab if the first line has one, whatever else it has."""
    first = next(numbered_rows(file, "\t"), None)
    return "\t" if first is not None and len(first[1]) > 1 else None


def _columns(cells: Sequence[str]) -> dict[str, int]:
    """Return where the columns stand: ``recording``, ``onset``, ``offset``, ``label``, others by name."""
    names = [
        "".join(cell.lower().replace("(s)", "").replace("_", "").replace("-", "").split()).strip('"')
        for cell in cells
    ]
    found = {f"={name}": k for k, name in enumerate(names)}
    for role, aliases in (("recording", RECORDING), ("onset", ONSET), ("offset", OFFSET), ("label", LABEL)):
        at = next((names.index(alias) for alias in aliases if alias in names), None)
        if at is not None:
            found[role] = at
    return found


def _form_of(cells: Sequence[str], columns: dict[str, int], file: Path) -> str:
    if RAVEN in [cell.strip() for cell in cells]:
        return "raven"
    if {"onset", "offset"} <= set(columns):
        return "csv"
    numeric = [_is_number(cell) for cell in cells]
    if len(cells) >= 2 and numeric[0] and numeric[1]:
        return "audacity"
    if len(cells) >= 4 and numeric[1] and numeric[2]:
        return "dcase"
    raise InputError(
        f"{file}, line 1: {examples(cells)} are no columns of annotations. {FORMS['csv']} Or it is a label track "
        "of Audacity (onset, offset, label, with tabs) or a selection table of Raven."
    )


def _is_number(cell: str) -> bool:
    return number_of(cell.strip(), "scores", decimal_comma=True) is not None


def _check_columns(columns: dict[str, int], cells: Sequence[str], file: Path, form: str) -> None:
    missing = [role for role in ("onset", "offset", "label") if role not in columns]
    if missing:
        raise InputError(
            f"{file}, line 1: there is no column of {' and '.join(missing)} among {examples(cells, most=12)}. "
            f"{FORMS[form]}"
        )


def _named(
    file: Path,
    name: str,
    columns: dict[str, int],
    width: int,
    rows: Iterator[tuple[int, list[str]]],
    *,
    raven: bool,
) -> Iterator[Entry]:
    """Give the lines of a table with a first line of names."""
    least = max(columns[role] for role in ("onset", "offset", "label")) + 1
    # Begin Time counts from the first file of a sequence, File Offset from the beginning of the file it names.
    within = columns.get("=fileoffset") if raven and "recording" in columns else None
    view, number = columns.get("=view"), columns.get("=selection")
    seen: set[str] = set()
    any_line = False
    for line, row in rows:
        any_line = True
        if len(row) < width:  # empty cells at the end may be left out
            row = row + [""] * (width - len(row)) if len(row) >= min(least, width) or len(row) == 1 else row
        if len(row) < width:
            raise InputError(
                f"{file}, line {line} has {len(row)} cells, and the first line {width}. Every line needs one cell "
                "for each column."
            )
        cells = {role: unspelled(row[at].strip()) for role, at in columns.items() if not role.startswith("=")}
        if raven and view is not None and number is not None:
            if row[number] in seen:  # the same selection in another view
                continue
            seen.add(row[number])
        recording = cells.get("recording") or (name if "recording" not in columns else "")
        if not recording:
            raise InputError(f"{file}, line {line} names no recording. Every line needs one.")
        if name.endswith(f"/{recording_name(recording)}"):  # the file of events says in which folder
            recording = name
        place = f"{file}, line {line}"
        if raven and cells["label"].lower() == NOTHING:
            yield Entry(place, recording, "", "", "")
        elif within is not None and row[within].strip():
            length = (cells["onset"], cells["offset"])
            yield Entry(place, recording, row[within].strip(), cells["offset"], cells["label"], length)
        else:
            yield Entry(place, recording, cells["onset"], cells["offset"], cells["label"])
    if not any_line and (raven or "recording" not in columns):
        yield Entry(str(file), name, "", "", "")


def _audacity(file: Path, name: str, rows: Iterator[tuple[int, list[str]]]) -> Iterator[Entry]:
    for line, row in rows:
        if row[0].strip() == "\\":  # frequencies of the label above
            continue
        if len(row) < 3:
            raise InputError(f"{file}, line {line} has {len(row)} cells. {FORMS['audacity']}")
        yield Entry(f"{file}, line {line}", name, row[0].strip(), row[1].strip(), row[2].strip())


def _unnamed(file: Path, rows: Iterator[tuple[int, list[str]]]) -> Iterator[Entry]:
    for line, row in rows:
        if len(row) not in (1, 4):
            raise InputError(f"{file}, line {line} has {len(row)} cells. {FORMS['dcase']}")
        cells = [cell.strip() for cell in row] + [""] * (4 - len(row))
        yield Entry(f"{file}, line {line}", cells[0], cells[1], cells[2], cells[3])
