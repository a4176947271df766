"""Open CSV, TSV and Parquet files as one duckdb view of plain cells; say in our words what is broken."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from limen.errors import InputError, UnreadableError, count, examples
from limen.names import repeated
from limen.sources.tables import Kind

if TYPE_CHECKING:
    import duckdb

# duckdb's default of 2 MB is less than a header line of some thousand long label names.
LONGEST_LINE = 1 << 26


@dataclass(frozen=True)
class Cells:
    """An open file: the view ``cells``, whose columns are called c0, c1, ... in the order of the file.

    Attributes
    ----------
    names : tuple of n_columns str
        The column names as written.
    types : tuple of n_columns str
        The duckdb types; all VARCHAR for a text file.
    """

    con: duckdb.DuckDBPyConnection
    names: tuple[str, ...]
    types: tuple[str, ...]
    source: str
    kind: Kind

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return self.con.execute(query).fetchall()

    def text(self, column: int) -> str:
        """Return SQL for a cell as text; an empty one is NULL."""
        return f"nullif(CAST(c{column} AS VARCHAR), '')"

    def number(self, column: int) -> str:
        """Return SQL for a cell as a number; NULL if it is empty or no number."""
        form = self.types[column]
        if form == "VARCHAR":
            number = f"TRY_CAST(c{column} AS DOUBLE)"
            truth = f"TRY_CAST(TRY_CAST(c{column} AS BOOLEAN) AS DOUBLE)"
            return number if self.kind == "scores" else f"coalesce({number}, {truth})"
        if form in ("FLOAT", "DOUBLE") or (form == "BOOLEAN" and self.kind == "labels"):
            return f"c{column}"
        if form == "BOOLEAN" or re.fullmatch(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL.*", form):
            return f"CAST(c{column} AS DOUBLE)"
        return "CAST(NULL AS DOUBLE)"

    def place(self, condition: str, item: int | None) -> str:
        """Return where the first row with ``condition`` is, for a message."""
        of_item = "NULL" if item is None else self.text(item)
        row, name = self.rows(
            f"SELECT row, item FROM (SELECT {of_item} AS item, ({condition}) AS hit, "
            "row_number() OVER () AS row FROM cells) WHERE hit ORDER BY row LIMIT 1"
        )[0]
        return f"row {row}" if name is None else f"row {row}, id {name!r}"


@contextmanager
def open_cells(path: Path, *, kind: Kind) -> Iterator[Cells]:
    """Open a .csv, .tsv, .csv.gz, .tsv.gz or .parquet file for reading.

    Raises
    ------
    InputError
        If the text is not valid UTF-8 CSV, or column names are missing or repeated.
    UnreadableError
        If the file is damaged.
    """
    import duckdb

    source = str(path)
    form = "Parquet" if path.suffix.lower() == ".parquet" else "text"
    with duckdb.connect(":memory:") as con:
        try:
            names, view = _open_parquet(con, path) if form == "Parquet" else _open_text(path)
            check_names(names, source)
            con.execute(f"CREATE TEMP VIEW cells AS {view}")
            types = [row[1] for row in con.execute("DESCRIBE cells").fetchall()]
            if form == "text":
                _check_quotes(con, path, len(names))
            yield Cells(con, tuple(names), tuple(types), source, kind)
        except duckdb.Error as error:
            raise _explain(str(error), source, form) from error
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableError(_damaged(source, form, str(error))) from error


def _open_text(path: Path) -> tuple[list[str], str]:
    """Return the column names of a text file and SQL that reads its rows.

    duckdb's own handling of the header line is not used: it renames repeated columns, skips a first line
    that differs from the rest, and after a byte-order mark loses its place at a quoted line break.
    """
    last = ""

    def keep(line: str) -> str:
        nonlocal last
        last = line
        return line

    with _open_lines(path) as lines:
        try:
            names = next(csv.reader(map(keep, lines), delimiter=_delimiter(path), strict=True), [])
        except csv.Error as error:
            raise InputError(f"{path}: the header line is not valid CSV ({error}). Check its quotes.") from error
    if re.search("[\ud800-\udfff]", "".join(names)):
        raise InputError(_not_utf8(str(path), 1))
    if not names:
        raise InputError(f"{path} starts with an empty line. The first line must name the columns.")
    line_end = last[len(last.rstrip("\r\n")) :].replace("\r", "\\r").replace("\n", "\\n") or "\\n"
    return names, text_query(path, len(names), delimiter=_delimiter(path), line_end=line_end)


def _open_lines(path: Path) -> IO[str]:
    """Open a text file; bytes that are not UTF-8 are kept, so that they can be found where they are."""
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="")
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _delimiter(path: Path) -> str:
    return "\t" if path.name.lower().endswith((".tsv", ".tsv.gz")) else ","


def _check_quotes(con: duckdb.DuckDBPyConnection, path: Path, n_columns: int) -> None:
    """Raise if a quote is left open below the header.

    In one thread duckdb drops what follows such a quote without a word, so the rows of a file with quotes
    are counted a second time. Like duckdb, the count skips empty lines where there are several columns.
    """
    with _open_lines(path) as lines:
        records = csv.reader(lines, delimiter=_delimiter(path))
        next(records)
        if not any('"' in line for line in lines):
            return
    n_rows = con.execute("SELECT count(*) FROM cells").fetchall()[0][0]
    with _open_lines(path) as lines:
        records = csv.reader(lines, delimiter=_delimiter(path))
        next(records)
        n_found, line = 0, records.line_num
        try:
            for record in records:
                n_found += bool(record) or n_columns == 1
                if n_found > n_rows:
                    break
                line = records.line_num
        except csv.Error:
            n_found = n_rows + 1
    if n_found != n_rows:
        raise InputError(_open_quote(str(path), line + 1))


def text_query(path: Path, n_columns: int, *, delimiter: str = ",", line_end: str = "\\n") -> str:
    """Return SQL for the rows below the header of a text file, as text in columns c0, c1, ...

    Reading in one thread, with the line end given, keeps rows with quoted line breaks whole. The OFFSET
    keeps casts from being moved into the parser, where TRY_CAST fails like CAST (duckdb 2.0).
    """
    columns = ", ".join(f"'c{column}': 'VARCHAR'" for column in range(n_columns))
    compression = "gzip" if path.suffix.lower() == ".gz" else "none"
    return (
        f"SELECT * FROM read_csv({_file_literal(path)}, auto_detect=false, header=false, parallel=false, "
        f"delim='{delimiter}', quote='\"', escape='\"', comment='', new_line='{line_end}', "
        f"compression='{compression}', max_line_size={LONGEST_LINE}, hive_partitioning=false, "
        f"columns={{{columns}}}) OFFSET 1"
    )


def _open_parquet(con: duckdb.DuckDBPyConnection, path: Path) -> tuple[list[str], str]:
    """Return the column names of a Parquet file, as written, and SQL that reads its rows."""
    file = _file_literal(path)
    tree = con.execute(f"SELECT name, coalesce(num_children, 0) FROM parquet_schema({file})").fetchall()
    names, depth = [], 0
    for name, n_children in tree[1:]:
        if depth == 0:
            names.append(str(name))
            depth = 1
        depth += n_children - 1
    columns = ", ".join(f"c{column}" for column in range(len(names)))
    return names, f"SELECT * FROM read_parquet({file}, hive_partitioning=false) AS t({columns})"


def _file_literal(path: Path) -> str:
    """Return a path as SQL text that duckdb reads as one file, not as a pattern."""
    plain = re.sub(r"([*?\[])", r"[\1]", str(path.absolute()))
    return "'" + plain.replace("'", "''") + "'"


def check_names(names: list[str], source: str) -> None:
    """Raise `InputError` if a column has no name, or shares it with another."""
    nameless = [column for column, name in enumerate(names) if not name.strip() and column > 0]
    if nameless:
        raise InputError(
            f"{source}: column {nameless[0] + 1} of {len(names)} has no name. Name it in the first line, or "
            "remove the separator at the end of the lines."
        )
    if twice := repeated(names):
        raise InputError(
            f"{source} repeats the column {examples(twice)}. Every label needs one column, named in the "
            "first line."
        )


def _not_utf8(source: str, line: int | str) -> str:
    return f"{source} is not UTF-8 text (line {line}). Save it as UTF-8: iconv -f latin1 -t utf-8."


def _open_quote(source: str, line: int | str) -> str:
    return f"{source}: line {line} has a quote that is not closed. Close it, and double a quote inside a cell."


def _damaged(source: str, form: str, problem: str) -> str:
    return (
        f"{source} cannot be read as {form} ({problem}). It is damaged, cut short or of another format: "
        "write it again."
    )


def _explain(problem: str, source: str, form: str) -> InputError | UnreadableError:
    """Return duckdb's complaint in the words of this package."""
    line = match[1] if (match := re.search(r"CSV Error on Line: (\d+)", problem)) else "?"
    if match := re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", problem):
        return InputError(
            f"{source}: line {line} has {count(int(match[2]), 'cell')}, and the header {match[1]}. Every "
            "line needs one cell for each column: put cells that contain the separator in quotes."
        )
    if "Invalid unicode" in problem:
        return InputError(_not_utf8(source, line))
    if "unterminated quote" in problem:
        return InputError(
            f"{source}: line {line} has a quote that is not closed. Close it, and double a quote inside a cell."
        )
    if "state machine reached an invalid state" in problem:
        return InputError(
            f"{source} mixes line ends, or has text after a closing quote. End all lines alike, with \\n "
            "or with \\r\\n."
        )
    return UnreadableError(_damaged(source, form, problem.splitlines()[0]))
