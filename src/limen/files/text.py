"""Columns of .csv and .tsv files, read in blocks of lines; what is broken is said with its line."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, count
from limen.files.archives import damaged
from limen.sources.columns import Columns, check_names, id_columns, number_of
from limen.sources.layouts import roles_of
from limen.sources.tables import Kind

BLOCK_CELLS = 1 << 18
DELIMITERS = (",", ";", "\t")
ENCODINGS = {b"\xff\xfe\0\0": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
HARMLESS = re.compile(r"[+-][\w .-]*")
SPELLED = re.compile("'[=+@-]")


def spelled(cell: str) -> str:
    """Return a cell as it is written: with an apostrophe first where a spreadsheet would run it.

    Those are cells that begin with ``=``, ``+``, ``-`` or ``@``, but for numbers and names such as
    ``-1.5`` and ``-x_7``, which can call nothing. `TextColumns` takes the apostrophe away again.

    Examples
    --------
    >>> [spelled(cell) for cell in ("dog", "=1+1", "-x_7", "'@a")]
    ['dog', "'=1+1", '-x_7', "''@a"]
    """
    bare = cell.lstrip("'")
    return f"'{cell}" if bare[:1] in ("=", "@", "+", "-") and not HARMLESS.fullmatch(cell) else cell


def unspelled(cell: str) -> str:
    """Return the cell that `spelled` gave."""
    return cell[1:] if cell[:1] == "'" and cell.lstrip("'")[:1] in ("=", "@", "+", "-") else cell


def numbered_rows(path: Path, delimiter: str | None = None) -> Iterator[tuple[int, list[str]]]:
    """Give the lines of a text file of cells, each with its number, from 1; empty lines are left out.

    Without a delimiter it is found as `TextColumns` finds it. Cells are as written, in quotes or not; with a tab,
    quotes mean nothing, as where labels are typed by hand.

    Raises
    ------
    InputError
        If the text is not valid CSV, or its encoding is unknown.
    UnreadableError
        If the file is damaged.
    """
    encoding = ""
    try:
        encoding = _encoding(path)
        mark = _delimiter(path, encoding) if delimiter is None else delimiter
        quoting: Literal[0, 3] = csv.QUOTE_NONE if mark == "\t" else csv.QUOTE_MINIMAL
        with _open(path, encoding) as lines:
            reader, line = csv.reader(lines, delimiter=mark, quoting=quoting, strict=True), 0
            while True:
                try:
                    row = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    raise InputError(_not_csv(str(path), line + 1, str(error))) from error
                if row and any(cell.strip() for cell in row):
                    yield line + 1, row
                line = reader.line_num
    except UnicodeError as error:
        raise InputError(_not_text(path, encoding)) from error
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(str(path), "text", "the program that made it", error) from error


class TextColumns(Columns):
    """The columns of a .csv, .tsv, .csv.gz or .tsv.gz file: numbers as one matrix, text as lists.

    Commas, semicolons or tabs separate cells, whichever the first lines agree on; in .tsv files tabs do.
    Where it is not a comma, numbers may have a decimal comma. With ``every``, all columns are text.

    Raises
    ------
    InputError
        If the text is not valid CSV, or its encoding is unknown.
    UnreadableError
        If the file is damaged.
    """

    def __init__(self, path: Path, kind: Kind, *, every: bool = False) -> None:
        self._path = path
        try:
            self._encoding = _encoding(path)
            self._delimiter = _delimiter(path, self._encoding)
            with self._lines() as lines:
                names, _ = _header(lines, self._delimiter, str(path))
            if not names:
                raise InputError(f"{path} starts with an empty line. The first line must name the columns.")
            super().__init__(str(path), map(unspelled, names), kind)
            check_names(self.names, self.source)
            self._load(every)
        except UnicodeError as error:
            raise InputError(_not_text(path, self._encoding)) from error
        except (OSError, EOFError, zlib.error) as error:
            raise damaged(str(path), "text", "the program that made it", error) from error

    def __len__(self) -> int:
        return len(self._numbers)

    def cells(self, column: int) -> list[Any]:
        """Return a column as text, or as lists; an empty cell is None."""
        return self._cells[column]

    def array(self, column: int) -> NDArray[Any]:
        """Return a column of numbers (n_rows,), masked where a cell is empty."""
        return self.numbers([column])[:, 0]

    def numbers(self, columns: Any) -> NDArray[Any]:
        """Return columns of numbers (n_rows, n_columns), masked where a cell is empty."""
        place = [self._place[column] for column in columns]
        if place == list(range(self._numbers.shape[1])):
            return self._numbers
        chosen: NDArray[Any] = self._numbers[:, place]
        return chosen if np.ma.is_masked(chosen) else np.ma.getdata(chosen)

    def _lines(self) -> IO[str]:
        return _open(self._path, self._encoding)

    def _load(self, every: bool) -> None:
        """Read the rows, anew where a column of numbers turns out to hold text."""
        roles, named = roles_of(self.names, self.kind), id_columns(self.names)
        texts = {roles.item, roles.label} if roles else {0} if 0 in named else set(named[:1])
        texts = set(range(len(self.names))) if every else texts
        found: set[int] = set()
        limit = None
        while late := self._read(sorted(texts | found), limit):
            found |= late
            if len(found) > 3:  # in error for certain: the rows up to here will tell where
                limit = self._n_blocks
        self.texts = sorted(found)

    def _read(self, texts: list[int], limit: int | None) -> set[int]:
        """Read the rows with these columns as text; return others that hold text too, where reading stopped."""
        held = frozenset(texts)
        place = [column for column in range(len(self.names)) if column not in held]
        self._place = {column: k for k, column in enumerate(place)}
        self._cells: dict[int, list[str | None]] = {column: [] for column in texts}
        pool: dict[str, str] = {}
        values, masks = [np.empty((0, len(place)))], [np.empty((0, len(place)), np.bool_)]
        self._n_blocks = 0
        for rows in self._blocks(_fields(len(self.names), held)):
            self._n_blocks += 1
            if isinstance(rows, np.ndarray):
                parts = [rows[name] for name in rows.dtype.names or () if rows.dtype[name].subdtype]
                numbers = np.concatenate(parts, axis=1) if parts else np.empty((len(rows), 0))
                empty: NDArray[np.bool_] = np.broadcast_to(np.False_, numbers.shape)
                cells: dict[int, list[str]] = {column: rows[str(column)].tolist() for column in texts}
            else:
                columns = list(zip(*rows, strict=True))
                numbers, empty, late = self._parse([columns[column] for column in place], len(rows))
                if late:
                    return {place[k] for k in late}
                cells = {column: list(map(unspelled, columns[column])) for column in texts}
            values.append(numbers)
            masks.append(empty)
            for column, content in cells.items():
                if len(texts) > 1:  # names that stand in many rows are kept once
                    content = list(map(pool.setdefault, content, content))
                self._cells[column] += [cell or None for cell in content] if "" in content else content
            if self._n_blocks == limit:
                break
        self._numbers = np.concatenate(values)
        if any(mask.any() for mask in masks):
            self._numbers = np.ma.MaskedArray(self._numbers, np.concatenate(masks))
        return set()

    def _blocks(self, fields: np.dtype[Any]) -> Iterator[NDArray[Any] | list[list[str]]]:
        """Give the rows in blocks, as numpy reads them; those with gaps, errors or the like as lists of cells."""
        step = max(1, BLOCK_CELLS // len(self.names))
        with self._lines() as lines:
            _, line = _header(lines, self._delimiter, self.source)
            while block := list(islice(lines, step)):
                try:
                    yield self._read_plain(block, fields)
                    line += len(block)
                except ValueError:
                    rows, n_lines = self._read_cells(block, lines, line)
                    line += n_lines
                    if rows:
                        yield rows

    def _read_plain(self, block: list[str], fields: np.dtype[Any]) -> NDArray[Any]:
        """Return the rows in lines where quotes, if any, enclose whole cells; `ValueError` for others."""
        text = "\n" + "".join(block) + "\n"
        quotes = text.count('"')
        if quotes:
            beside = (self._delimiter, "\n", "\r")
            at_ends = sum(text.count(mark + '"') + text.count('"' + mark) for mark in beside)
            if quotes % 2 or at_ends != quotes:
                raise ValueError
        if SPELLED.search(text) or min(map(len, block)) < 3:  # perhaps an empty line
            raise ValueError
        quote = '"' if quotes else None
        return np.loadtxt(block, fields, delimiter=self._delimiter, quotechar=quote, comments=None, ndmin=1)

    def _read_cells(self, block: list[str], lines: Iterator[str], line: int) -> tuple[list[list[str]], int]:
        """Return the cells of the rows in a block of lines, and how many lines that were.

        Lines without a cell are left out where there are several columns; a quoted cell may go beyond the block.
        """
        reader = csv.reader(chain(block, lines), delimiter=self._delimiter, strict=True)
        rows, n_columns = [], len(self.names)
        while reader.line_num < len(block):
            first = line + reader.line_num + 1
            try:
                row = next(reader)
            except csv.Error as error:
                raise InputError(_not_csv(self.source, first, str(error))) from error
            row = row or [""] * (n_columns == 1)
            if row and len(row) != n_columns:
                raise InputError(
                    f"{self.source}: line {first} has {count(len(row), 'cell')}, and the header {n_columns}. "
                    "Every line needs one cell for each column: put cells that contain the separator in quotes."
                )
            if row:
                rows.append(row)
        return rows, reader.line_num

    def _parse(
        self, columns: list[tuple[str, ...]], n_rows: int
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], set[int]]:
        """Return columns of cells as numbers (n_rows, n_columns), which are empty, and which columns hold text."""
        numbers = np.empty((n_rows, len(columns)))
        empty, late = np.zeros(numbers.shape, np.bool_), set()
        for k, cells in enumerate(columns):
            every = "".join(cells)
            try:
                if "_" in every or not every.isascii():
                    raise ValueError
                numbers[:, k] = list(map(float, cells))
            except ValueError:
                found = {cell: number_of(cell, self.kind, self._delimiter != ",") for cell in set(cells)}
                numbers[:, k] = [found[cell] for cell in cells]  # None, for an empty cell, becomes NaN
                empty[:, k] = [not cell for cell in cells]
                if any(cell and number is None for cell, number in found.items()):
                    late.add(k)
        return numbers, empty, late


def _fields(n_columns: int, texts: frozenset[int]) -> np.dtype[Any]:
    """Return the fields of a row: text columns by their number, and runs of columns of numbers."""
    fields: list[tuple[Any, ...]] = []
    start = 0
    for column in (*sorted(texts), n_columns):
        if column > start:
            fields.append((f"from {start}", np.float64, (column - start,)))
        if column < n_columns:
            fields.append((str(column), object))
        start = column + 1
    return np.dtype(fields)


def _header(lines: Iterable[str], delimiter: str, source: str) -> tuple[list[str], int]:
    """Return the column names, and how many lines they take."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        return next(reader, []), reader.line_num
    except csv.Error as error:
        raise InputError(f"{source}: the header line is not valid CSV ({error}). Check its quotes.") from error


def _open(path: Path, encoding: str, errors: str = "strict") -> IO[str]:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding=encoding, errors=errors, newline="")
    return path.open(encoding=encoding, errors=errors, newline="")


def _encoding(path: Path) -> str:
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        start = file.read(4)
    for mark, encoding in ENCODINGS.items():
        if start.startswith(mark):
            return encoding
    if b"\0" in start:
        raise InputError(
            f"{path} looks like UTF-16 text without its mark, or is no text. Save it as UTF-8: iconv -f utf-16le "
            "-t utf-8."
        )
    return "utf-8-sig"


def _delimiter(path: Path, encoding: str) -> str:
    """Return the delimiter that comes first in the header and that the line below agrees with."""
    if path.name.lower().endswith((".tsv", ".tsv.gz")):
        return "\t"
    with _open(path, encoding) as lines:
        first = re.sub('"[^"]*("|$)', "", next(lines, ""))
    found = sorted((mark for mark in DELIMITERS if mark in first), key=first.index)
    for mark in found if len(found) > 1 else ():
        with _open(path, encoding) as lines, suppress(csv.Error):
            rows = list(islice(csv.reader(lines, delimiter=mark), 2))
            if len(rows) == 2 and len(rows[0]) == len(rows[1]):
                return mark
    return found[0] if found else ","


def _not_text(path: Path, encoding: str) -> str:
    if encoding != "utf-8-sig":
        return f"{path} starts as {encoding.upper()} text and does not go on as such. Save it as UTF-8."
    with _open(path, encoding, "surrogateescape") as lines:
        line = next(number for number, text in enumerate(lines, 1) if re.search("[\ud800-\udfff]", text))
    return f"{path} is not UTF-8 text (line {line}). Save it as UTF-8: iconv -f latin1 -t utf-8."


def _not_csv(source: str, line: int, problem: str) -> str:
    if "expected after" in problem:
        return f"{source}: line {line} has text after a closing quote. Put the whole cell in quotes."
    return f"{source}: line {line} has a quote that is not closed. Close it, and double a quote inside a cell."
