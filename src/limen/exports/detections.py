"""The files of detections that BirdNET writes, with the lines that pass as they stand."""

from __future__ import annotations

import csv
import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from limen.errors import InputError, UnreadableError, count, examples
from limen.exports.species import Species, both_names
from limen.names import unique

Passes = Callable[[Species, float], bool]
"""Whether a detection of this species and confidence is kept."""

_PARQUET = b"PAR1"
_BOM = "\ufeff"
# BirdNET-Analyzer writes this row, of confidence 1, into a table without detections.
_NO_DETECTION = "nocall"
_FORMS = "Confidence or TOP1DIST, and Scientific name, Common name, TOP1MATCH or species_name"


class _Columns(NamedTuple):
    """Where a table has its confidences and species; None where there is no such column."""

    confidence: int
    scientific: int | None = None
    common: int | None = None
    both: int | None = None

    def species(self, cells: Sequence[Any]) -> Species:
        """Return the scientific and the common name in a row."""
        if self.both is not None:
            # Older Audacity labels have a comma for the underscore.
            name = _text(cells[self.both])
            return both_names(name if "_" in name else name.replace(", ", "_", 1))
        scientific, common = (None if at is None else _text(cells[at]) for at in (self.scientific, self.common))
        return scientific, common


AUDACITY = _Columns(confidence=3, both=2)
"""Audacity labels have no header: start, end, species, confidence."""


def copy_passing(source: Path, target: Path, passes: Passes) -> None:
    """Copy a file of detections without those that do not pass.

    Lines that are no detection are kept: the header, empty lines, and "nocall".

    Raises
    ------
    UnreadableError
        If it cannot be read.
    InputError
        If it has no column of species or confidence, a line has too few cells or no number, a quotation mark
        is never closed, or it is no UTF-8 text.
    """
    try:
        with source.open("rb") as file:
            parquet = file.read(len(_PARQUET)) == _PARQUET
    except OSError as error:
        raise UnreadableError(f"cannot read {source}: {error.strerror}. Check the path.") from error
    if parquet:
        _copy_rows(source, target, passes)
        return
    try:
        with (
            source.open(encoding="utf-8", newline="") as file,
            target.open("w", encoding="utf-8", newline="") as kept,
        ):
            kept.writelines(_passing_lines(file, source, passes))
    except UnicodeDecodeError as error:
        raise InputError(f"{source} is no table of detections: it is not UTF-8 text.") from error
    except csv.Error as error:
        raise InputError(f"{source} is no table of detections: {error}. Mend it.") from error


def _passing_lines(file: IO[str], source: Path, passes: Passes) -> Iterator[str]:
    first = file.readline()
    if not first and source.suffix == ".txt":
        return  # Audacity labels of a recording without detections
    columns, n_cells = _columns_of_line(first, source)
    header = columns is not AUDACITY
    for text, cells, line in _lines(itertools.chain([first], file), source, _delimiter(first)):
        keep = not cells or (header and line == 1)
        if not keep:
            where = f"line {line} of {source}"
            # More is usual: commas in a path that is not quoted. With fewer, a confidence may be cut short.
            if len(cells) < n_cells:
                raise InputError(f"{where} has {count(len(cells), 'cell')}, fewer than the first line. Mend it.")
            species, written = columns.species(cells), cells[columns.confidence].strip()
            keep = _NO_DETECTION in species or passes(species, _confidence(written, where))
        if keep:
            yield text


def _lines(raw: Iterator[str], source: Path, delimiter: str) -> Iterator[tuple[str, list[str], int]]:
    """Give the text of each record as it stands, its cells, and the number of its last line."""
    text: list[str] = []
    ended = False

    def remembered() -> Iterator[str]:
        nonlocal ended
        for line in raw:
            text.append(line)
            yield line.removeprefix(_BOM)
        ended = True

    # A selection table has no quoting; a path in it may have a quotation mark.
    if delimiter == "\t":
        reader, start = csv.reader(remembered(), delimiter=delimiter, quoting=csv.QUOTE_NONE), 1
    else:
        reader, start = csv.reader(remembered(), strict=True), 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if not ended:
                raise
            raise InputError(
                f"line {start} of {source} opens a quotation mark that is never closed: all lines after it would "
                "be one. Mend it."
            ) from error
        yield "".join(text), cells, reader.line_num
        text.clear()
        start = reader.line_num + 1


def _delimiter(line: str) -> str:
    return "\t" if "\t" in line else ","


def _columns_of_line(line: str, source: Path) -> tuple[_Columns, int]:
    """Return the columns of a text file by its first line, and how many cells that has."""
    heading = next(csv.reader([line.removeprefix(_BOM)], delimiter=_delimiter(line)), [])
    numbers = [_is_number(cell) for cell in heading]
    return AUDACITY if numbers == [True, True, False, True] else _columns_of(heading, source), len(heading)


def _columns_of(heading: Sequence[str], source: Path) -> _Columns:
    named = [name for name in heading if name.strip()]
    unique(named, str(source), "A column that is named twice could be either: rename or drop one.")
    at = {name.strip().lower().replace(" ", "_"): k for k, name in enumerate(heading)}
    confidence, common = (
        at.get(name, at.get(other)) for name, other in (("confidence", "top1dist"), ("common_name", "top1match"))
    )
    scientific, both = at.get("scientific_name"), at.get("species_name")
    if confidence is None or (scientific is common is both is None):
        raise InputError(
            f"{source} has the columns {examples(heading) or 'none'}. Detections of BirdNET have {_FORMS}."
        )
    return _Columns(confidence, scientific, common, both)


def _copy_rows(source: Path, target: Path, passes: Passes) -> None:
    """Copy the rows of a Parquet file that pass, with its metadata."""
    import duckdb

    def quoted(text: str, mark: str = "'") -> str:
        return mark + text.replace(mark, mark * 2) + mark

    # In brackets, characters of a pattern are themselves.
    plain = quoted(re.sub(r"([*?\[])", r"[\1]", str(source.absolute())))
    file = f"read_parquet({plain}, hive_partitioning=false, file_row_number=true)"
    try:
        with duckdb.connect() as con:
            heading = [
                row[0]
                for row in con.execute(f"DESCRIBE SELECT * EXCLUDE (file_row_number) FROM {file}").fetchall()
            ]
            columns = _columns_of(heading, source)
            wanted = ("NULL" if k is None else quoted(heading[k], '"') for k in columns)
            con.execute(f"SELECT {', '.join(wanted)} FROM {file} ORDER BY file_row_number")
            places = _Columns(*(None if k is None else place for place, k in enumerate(columns)))  # type: ignore[arg-type]
            kept, number = [], 0
            while rows := con.fetchmany(10_000):
                for row in rows:
                    where, species = f"row {number + 1} of {source}", places.species(row)
                    if _NO_DETECTION in species or passes(species, _confidence(row[places.confidence], where)):
                        kept.append(number)
                    number += 1
            metadata = con.execute(
                f"SELECT decode(key), decode(value) FROM parquet_kv_metadata({plain})"
            ).fetchall()
            # The schema of Arrow says how columns were held in memory, and not by DuckDB, which writes the copy.
            pairs = [f"{quoted(key)}: {quoted(text)}" for key, text in metadata if key != "ARROW:schema"]
            options = "FORMAT parquet, USE_TMP_FILE false"
            if pairs:
                options += ", KV_METADATA {" + ", ".join(pairs) + "}"
            con.execute("CREATE TABLE kept AS SELECT unnest(?::BIGINT[]) AS place", [kept])
            con.execute(
                f"COPY (SELECT * EXCLUDE (file_row_number) FROM {file} "
                f"SEMI JOIN kept ON file_row_number = place ORDER BY file_row_number) "
                f"TO {quoted(str(target))} ({options})"
            )
    except duckdb.IOException as error:
        raise OSError(str(error)) from error
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise UnreadableError(f"{source} is damaged or cut short: {reason}. Write it again.") from error


def _text(cell: object) -> str:
    return "" if cell is None else str(cell).strip()


def _is_number(cell: str) -> bool:
    return not math.isnan(_number(cell))


def _number(written: Any) -> float:
    """Return a cell as a number, NaN if it is none; ``1_0`` and digits beyond ASCII are none."""
    if isinstance(written, str) and ("_" in written or not written.isascii()):
        return math.nan
    try:
        return float(written)
    except (ValueError, TypeError):
        return math.nan


def _confidence(written: Any, where: str) -> float:
    confidence = _number(written)
    if not math.isfinite(confidence):
        raise InputError(f"{where} has the confidence {written!r}. It must be a number; mend the file.")
    return confidence
