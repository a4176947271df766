"""The columns of a file, a query or a frame, and the table that they mean: wide, long, pairs or tag lists."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, count, examples
from limen.names import repeated
from limen.sources.layouts import ID_NAMES, LAYOUTS, Roles, look_like_data, roles_of
from limen.sources.listed import as_labels, table_of_entries
from limen.sources.matrix import Matrix
from limen.sources.tables import Kind, NoItemsError, Table

TRUTHS = {"true": 1.0, "t": 1.0, "yes": 1.0, "y": 1.0, "false": 0.0, "f": 0.0, "no": 0.0, "n": 0.0}


class Columns(ABC):
    """Named columns of cells, read once and not yet understood.

    Attributes
    ----------
    source : str
        What messages call them.
    names : tuple of n_columns str
        As written.
    kind : {"scores", "labels"}
    texts : list of int
        The columns with a cell that is neither empty nor a number.
    first_row : int
        The number of the first row, for messages.
    """

    first_row = 1

    def __init__(self, source: str, names: Iterable[str], kind: Kind) -> None:
        self.source, self.names, self.kind = source, tuple(names), kind
        self.texts: list[int] = []

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

    @abstractmethod
    def cells(self, column: int) -> list[Any]:
        """Return a column as text, or as lists; an empty cell is None."""

    @abstractmethod
    def array(self, column: int) -> NDArray[Any]:
        """Return a column of numbers (n_rows,), masked where a cell is empty."""

    def numbers(self, columns: Sequence[int]) -> NDArray[Any] | Matrix:
        """Return columns of numbers as one array (n_rows, n_columns) of their common dtype.

        It is masked, and NaN there, where a cell is empty. Or a matrix that is read when it is used, and checks
        its cells then; labels in it are bool, or float32 with NaN.
        """
        arrays = [self.array(column) for column in columns]
        if not arrays:
            return np.empty((len(self), 0))
        dtype = np.result_type(*dict.fromkeys(array.dtype for array in arrays))
        empty = [k for k, array in enumerate(arrays) if np.ma.is_masked(array)]
        if empty:
            dtype = np.result_type(dtype, np.float32)
        values = np.empty((len(self), len(arrays)), dtype)
        for k, array in enumerate(arrays):
            values[:, k] = np.ma.getdata(array)
        if not empty:
            return values
        mask = np.zeros(values.shape, np.bool_)
        for k in empty:
            mask[:, k] = np.ma.getmaskarray(arrays[k])
        values[mask] = np.nan
        return np.ma.MaskedArray(values, mask)

    def item_column(self) -> int | None:
        """Return the id column of a wide table: by its name, else the only column of text, else None."""
        named = id_columns(self.names)
        if 0 in named:
            return 0
        if len(named) > 1:
            raise InputError(
                f"{self.source} has {count(len(named), 'column')} that could be the id: "
                f"{examples(self.names[column] for column in named)}. Put the id column first."
            )
        texts = named or self.texts
        return texts[0] if len(texts) == 1 else None

    def roles(self) -> Roles | None:
        """Return what the columns mean if they are named as in a long table or a tag list; None for wide."""
        return roles_of(self.names, self.kind)

    def place(self, row: int, item: int | None) -> str:
        """Return where a row is, for a message."""
        name = None if item is None else self.cells(item)[row]
        return f"row {row + self.first_row}" + ("" if name is None else f", id {name!r}")


def id_columns(names: Sequence[str]) -> list[int]:
    """Return the columns whose names are usual ones for ids."""
    return [column for column, name in enumerate(names) if name.strip().casefold() in ID_NAMES]


def check_names(names: Sequence[str], source: str) -> None:
    """Raise `InputError` if a column of a file or query has no name, or shares it with another."""
    nameless = [column for column, name in enumerate(names) if not name.strip() and column > 0]
    if nameless:
        raise InputError(
            f"{source}: column {nameless[0] + 1} of {len(names)} has no name. Name it in the first line, or "
            "remove the separator at the end of the lines."
        )
    if twice := repeated(names):
        raise InputError(
            f"{source} repeats the column {examples(twice)}. Every label needs one column, named in the first "
            "line."
        )


def number_of(cell: str, kind: Kind, decimal_comma: bool = False) -> float | None:
    """Return the number that a cell is (for labels, also true and false), or None.

    Other than for Python, ``1_0`` is no number, nor are digits beyond ASCII.
    """
    if cell.isascii() and "_" not in cell:
        try:
            return float(cell)
        except ValueError:
            pass
    if decimal_comma and "." not in cell and cell.count(",") == 1:
        return number_of(cell.replace(",", "."), kind)
    return TRUTHS.get(cell.casefold()) if kind == "labels" else None


def table_of(columns: Columns) -> Table:
    """Return the table that columns mean.

    Raises
    ------
    InputError
        If they cannot be understood, or a cell breaks a rule.
    """
    if not len(columns):
        raise NoItemsError(f"{columns.source} has a header and no rows. At least one item is needed.")
    roles = columns.roles()
    return _wide(columns) if roles is None else _listed(columns, roles)


def _wide(columns: Columns) -> Table:
    source, names, kind, item = columns.source, columns.names, columns.kind, columns.item_column()
    rest = [column for column in range(len(names)) if column != item]
    wrong = [column for column in rest if column in columns.texts]
    if kind == "labels" and len(rest) == 1 and rest == wrong and item is not None:
        return _listed(columns, Roles("lists", item, rest[0]))
    if wrong:
        raise InputError(_text_found(columns, wrong, item))
    labels = tuple(names[column] for column in rest)
    if not labels:
        raise InputError(
            f"{source} has one column, {examples(names)}, and no label. {LAYOUTS[kind]} Commas, semicolons or "
            "tabs separate the columns of a text file."
        )
    if columns.first_row and look_like_data(labels):
        raise InputError(
            f"{source} has numbers for column names: {examples(labels)}. The first line must name the columns."
        )
    ids = None if item is None else tuple(_names(columns, item))
    if ids is not None:
        _check_ids(ids, columns, "Every item needs one row and an id of its own.")
    values = columns.numbers(rest)
    if isinstance(values, Matrix):
        return Table(values, source, "wide", ids, labels)
    if isinstance(values, np.ma.MaskedArray):
        if kind == "scores":
            empty = np.ma.getmaskarray(values)
            column = int(empty.any(axis=0).argmax())
            place = columns.place(int(empty[:, column].argmax()), item)
            raise without_score(source, int(empty.sum()), labels[column], place)
        values = values.data
    return Table(values if kind == "scores" else as_labels(values), source, "wide", ids, labels)


def without_score(source: str, n_cells: int, label: str, place: str) -> InputError:
    """Return the error for a wide table with empty cells among the scores."""
    return InputError(
        f"{source} has no score in {count(n_cells, 'cell')} (first: label {label!r}, {place}). Every item needs a "
        "score for every label: fill the cell or drop the row."
    )


def _listed(columns: Columns, roles: Roles) -> Table:
    """Return the table of a long file, of pairs of id and label, or of tag lists: one entry a row or tag."""
    source, kind, item = columns.source, columns.kind, _names(columns, roles.item)
    lists = roles.layout == "lists"
    label: list[Any] = columns.cells(roles.label) if lists else _names(columns, roles.label)
    if roles.value is not None and roles.value in columns.texts:
        raise InputError(_text_found(columns, [roles.value], roles.item))
    if None in item:
        raise InputError(_no_id(columns, item))
    if lists:
        one_each = "A tag list has one line for each item; for one line a tag, call the second column label."
        _check_ids(item, columns, one_each)
        separator = ";" if any(isinstance(cell, str) and ";" in cell for cell in label) else "|"
        tags = [_tags(cell, separator) for cell in label]
        item = [one for one, several in zip(item, tags, strict=True) for _ in several]
        label = [tag for several in tags for tag in several]
    listed = np.fromiter((one is not None for one in label), np.bool_, len(label))
    value = None
    if roles.value is not None:
        values = np.ma.asanyarray(columns.numbers([roles.value]))[:, 0]
        filled = ~np.ma.getmaskarray(values)
        _check_values(columns, item, label, listed, filled)
        value = np.ma.getdata(values)[listed]
    ids, item_code = _coded(item)
    labels, label_code = _coded(label if listed.all() else [one for one in label if one is not None])
    if kind == "scores" and not labels:
        raise InputError(f"{source} lists no score. Write one line for each id and label.")
    return table_of_entries(ids, labels, item_code[listed], label_code, value, kind, source)


def _check_values(
    columns: Columns,
    item: Sequence[str],
    label: Sequence[str | None],
    listed: NDArray[np.bool_],
    filled: NDArray[np.bool_],
) -> None:
    """Raise `InputError` where a value stands without a label, or a label of scores without a value."""

    def found(where: NDArray[np.bool_]) -> str:
        row = int(where.argmax())
        of_label = "" if label[row] is None else f", label {label[row]!r}"
        return (
            f"in {count(int(where.sum()), 'row')} (first: row {row + columns.first_row}, "
            f"id {item[row]!r}{of_label})"
        )

    nameless, empty = filled & ~listed, listed & ~filled
    if nameless.any():
        raise InputError(
            f"{columns.source} has a value and no label {found(nameless)}. Name the label; leave both cells "
            "empty only for an item that has nothing to list."
        )
    if empty.any() and columns.kind == "scores":
        raise InputError(
            f"{columns.source} has no score {found(empty)}. Give a score or drop the row: a pair that is not "
            "listed is below every cut."
        )


def _tags(cell: Any, separator: str) -> list[str | None]:
    """Return the tags of a cell, [None] if there are none."""
    several = cell.split(separator) if isinstance(cell, str) else [] if cell is None else map(str, cell)
    return [tag.strip() for tag in several if tag.strip()] or [None]


def _coded(names: list[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the distinct names by first appearance, and the number of each name."""
    number = {name: k for k, name in enumerate(dict.fromkeys(names))}
    return tuple(number), np.fromiter(map(number.__getitem__, names), np.int64, len(names))


def _names(columns: Columns, column: int) -> list[Any]:
    """Return a column of names; an empty cell is None."""
    cells = columns.cells(column)
    if any(isinstance(cell, list) for cell in cells):
        raise InputError(
            f"{columns.source} has lists in the column {columns.names[column]!r}, where names belong. Unnest "
            "them, or give tags by item: the columns id, tags."
        )
    return cells


def _check_ids(ids: Sequence[str | None], columns: Columns, rule: str) -> None:
    if None in ids:
        raise InputError(_no_id(columns, ids))
    if twice := repeated(name for name in ids if name is not None):
        raise InputError(f"{columns.source} repeats {count(len(twice), 'id')}: {examples(twice)}. {rule}")


def _no_id(columns: Columns, ids: Sequence[str | None]) -> str:
    n_rows, row = ids.count(None), ids.index(None) + columns.first_row
    return f"{columns.source} has no id in {count(n_rows, 'row')} (first: row {row}). Every row needs an id."


def _text_found(columns: Columns, wrong: Sequence[int], item: int | None) -> str:
    cells = [None if cell is None else str(cell) for cell in columns.cells(wrong[0])]
    filled = [row for row, cell in enumerate(cells) if cell is not None]
    row = next((row for row in filled if number_of(cells[row] or "", columns.kind) is None), filled[0])
    cell = cells[row] or ""
    shown = cell if len(cell) <= 40 else cell[:40] + "…"
    names = examples(columns.names[column] for column in wrong)
    return (
        f"{columns.source} has text where numbers belong, in {count(len(wrong), 'column')} ({names}; first: "
        f"{shown!r} in {columns.place(row, item)}). "
        f"{LAYOUTS[columns.kind]} Correct the cell or the names of the columns."
    )
