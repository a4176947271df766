"""Read the files of detections that BirdNET writes, and keep each line as it stands."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from limen.errors import InputError, UnreadableError, count, examples
from limen.exports.species import both_names

# BirdNET-Analyzer writes this row, of confidence 1, into a table without detections.
_NO_DETECTION = "nocall"


class Detection(NamedTuple):
    """A line as it stands, and what it says; no species if it is no detection.

    Attributes
    ----------
    text : str
        With its line end.
    species : (str or None, str or None) or None
        The scientific and the common name, None where there is no such column.
    confidence : float
    """

    text: str
    species: tuple[str | None, str | None] | None = None
    confidence: float = 0.0

    @property
    def called(self) -> str:
        """What the file calls the species."""
        scientific, common = self.species or (None, None)
        names = [name for name in (scientific, common) if name is not None]
        return "_".join(dict.fromkeys(names))


class Detections:
    """A file of detections, read line by line.

    Attributes
    ----------
    header : str
        The first line as it stands.
    """

    def __init__(self, file: IO[str], source: Path) -> None:
        self._file, self._source, self._text, self._ended = file, source, "", False
        self.header = file.readline()
        delimiter = "\t" if "\t" in self.header else ","
        # A selection table has no quoting; a path in it may have a quotation mark.
        self._cells = (
            csv.reader(self._raw_lines(), delimiter=delimiter, quoting=csv.QUOTE_NONE)
            if delimiter == "\t"
            else csv.reader(self._raw_lines())
        )
        heading = next(csv.reader([self.header.removeprefix("\ufeff")], delimiter=delimiter), [])
        at = {name.strip().lower().replace(" ", "_"): k for k, name in enumerate(heading)}
        self._scientific, self._common, self._confidence, self._both = (
            at.get(name) for name in ("scientific_name", "common_name", "confidence", "species_name")
        )
        if self._confidence is None or (self._scientific is self._common is self._both is None):
            raise InputError(
                f"{source} has the columns {examples(heading) or 'none'}. Detections of BirdNET have Confidence, "
                "and Scientific name, Common name or species_name."
            )

    def _raw_lines(self) -> Iterator[str]:
        for line in self._file:
            self._text += line
            yield line
        self._ended = True

    def lines(self) -> Iterator[Detection]:
        """Give every line after the header.

        Raises
        ------
        InputError
            If a line has too few cells, its confidence is no number, or a quotation mark is never closed.
        """
        first = 2
        for cells in self._cells:
            if self._ended:
                raise InputError(
                    f"line {first} of {self._source} opens a quotation mark that is never closed: all lines after "
                    "it would be one. Mend it."
                )
            text, self._text = self._text, ""
            first = self._cells.line_num + 2
            where = f"line {self._cells.line_num + 1} of {self._source}"
            yield self._line(text, cells, where) if cells else Detection(text)

    def _line(self, text: str, cells: list[str], where: str) -> Detection:
        def cell(column: int | None) -> str | None:
            return None if column is None else cells[column].strip()

        try:
            if self._both is not None:
                species: tuple[str | None, str | None] = both_names(cells[self._both].strip())
            else:
                species = cell(self._scientific), cell(self._common)
            written = cell(self._confidence) or ""
        except IndexError:
            raise InputError(f"{where} has {count(len(cells), 'cell')}, fewer than the header. Mend it.") from None
        if _NO_DETECTION in species:
            return Detection(text)
        try:
            confidence = float(written)
        except ValueError:
            confidence = math.nan
        if not math.isfinite(confidence):
            raise InputError(f"{where} has the confidence {written!r}. It must be a number; mend the line.")
        return Detection(text, species, confidence)


@contextmanager
def open_detections(source: Path) -> Iterator[Detections]:
    """Open a file of detections.

    Raises
    ------
    UnreadableError
        If it cannot be read.
    InputError
        If it has no column of species or confidence, or is no UTF-8 text.
    """
    try:
        with source.open(encoding="utf-8", newline="") as file:
            yield Detections(file, source)
    except OSError as error:
        raise UnreadableError(f"cannot read {source}: {error.strerror}. Check the path.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{source} is no table of detections: it is not UTF-8 text.") from error
    except csv.Error as error:
        raise InputError(f"{source} is no table of detections: {error}. Mend it.") from error
