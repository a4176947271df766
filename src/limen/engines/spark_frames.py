"""What the columns of Spark frames mean, and the rows that the tasks read: one layout for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.sql import Column, DataFrame, functions, types

from limen.errors import InputError, count, examples
from limen.names import match, unique
from limen.sources.columns import id_columns
from limen.sources.layouts import LAYOUTS, roles_of
from limen.sources.tables import Kind, Layout, Table, join

_LIST = (types.ArrayType,)
_NUMBER = (types.NumericType, types.BooleanType)
_LAYOUT: dict[str, Layout] = {"array": "matrix", "columns": "wide", "long": "long", "tags": "tags"}


@dataclass(frozen=True)
class Side:
    """A frame of scores or of labels, and what its columns are.

    Attributes
    ----------
    frame : DataFrame
    name : str
        What messages call it.
    kind : {"scores", "labels"}
    layout : {"array", "columns", "long", "tags"}
        A row holds an item's values of all labels as an array, or in a column each; or one label with its value;
        or one positive label (in a frame of arrays of names, ``listed`` is True until they are taken apart).
    id : str
    columns : tuple of str
        The array; or one for each label; or label and value; or label.
    beside : tuple of (str, str)
        Columns of what belongs to the item, and what the tasks call them: weight, group.
    listed : bool
    """

    frame: DataFrame
    name: str
    kind: Kind
    layout: str
    id: str
    columns: tuple[str, ...]
    beside: tuple[tuple[str, str], ...] = ()
    listed: bool = False

    def column(self, number: int) -> Column:
        """Return a column of ``columns``."""
        return quoted(self.columns[number])


def quoted(name: str) -> Column:
    """Return the column of exactly this name, whatever it holds."""
    return functions.col("`" + name.replace("`", "``") + "`")


def side_of(frame: Any, name: str, kind: Kind, beside: dict[str, str]) -> Side:
    """Return what the columns of a frame are; those ``beside`` are of the items.

    Raises
    ------
    InputError
        If it is no Spark frame, or its columns cannot be understood.
    """
    if not isinstance(frame, DataFrame):
        of_pandas = ": frame.to_spark()" if hasattr(frame, "to_spark") else ""
        raise InputError(
            f"{name} is a {type(frame).__name__}. Scores and labels must both be DataFrames of Spark{of_pandas}."
        )
    unique(frame.columns, name, "Every column needs a name of its own.")
    dtypes: dict[str, Any] = {
        field.name: field.dataType for field in frame.schema.fields if field.name not in beside
    }
    names = tuple(dtypes)
    aside = tuple((column, what) for column, what in beside.items() if column in frame.columns)
    roles = roles_of(names, kind)
    if roles is not None and isinstance(dtypes[names[roles.label]], _LIST):
        roles = None
    if roles is not None and roles.layout == "lists":
        raise InputError(
            f"{name} has tags as text in the column {names[roles.label]!r}. Give arrays of names: "
            f"split({names[roles.label]}, ';')."
        )
    if roles is not None:
        columns = [names[roles.label]] + ([] if roles.value is None else [names[roles.value]])
        layout = "tags" if roles.value is None else "long"
        if roles.value is not None and not isinstance(dtypes[columns[1]], _NUMBER):
            raise _not_numbers(name, kind, [columns[1]])
        return Side(frame, name, kind, layout, names[roles.item], tuple(columns), aside)
    item = _id_of(dtypes, name, kind)
    rest = tuple(column for column in names if column != item)
    element = dtypes[rest[0]].elementType if len(rest) == 1 and isinstance(dtypes[rest[0]], _LIST) else None
    if kind == "labels" and isinstance(element, types.StringType):
        return Side(frame, name, kind, "tags", item, rest, aside, listed=True)
    if isinstance(element, _NUMBER):
        return Side(frame, name, kind, "array", item, rest, aside)
    if not rest or (wrong := [column for column in rest if not isinstance(dtypes[column], _NUMBER)]):
        raise _not_numbers(name, kind, wrong if rest else [item])
    return Side(frame, name, kind, "columns", item, rest, aside)


def _id_of(dtypes: dict[str, types.DataType], name: str, kind: Kind) -> str:
    """Return the column of ids: by its name, else the only one of text."""
    names = list(dtypes)
    named = [names[column] for column in id_columns(names)]
    found = named or [column for column in names if isinstance(dtypes[column], types.StringType)]
    if len(found) != 1:
        raise InputError(
            f"{name} has {count(len(found), 'column')} that could be the id ({examples(found or names)}). Rows of "
            f"Spark have no order, so they are joined by id: name one column id. {LAYOUTS[kind]}"
        )
    return found[0]


def _not_numbers(name: str, kind: Kind, columns: Sequence[str]) -> InputError:
    return InputError(
        f"{name} has columns that are not numbers: {examples(columns)}. {LAYOUTS[kind]} Or it has an id column "
        "and one of arrays of numbers."
    )


def label_names(side: Side, labels: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return the labels of a frame: of its columns, or that its rows name; of arrays those given, or None."""
    if side.layout == "array":
        return labels
    if side.layout == "columns":
        return side.columns
    found = side.frame.select(_names(side).alias("label")).where("label IS NOT NULL").distinct()
    return tuple(sorted(row.label for row in found.collect()))


def matched(scores: Side, truth: Side, labels: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the labels of both frames, in the order wanted; or of columns and arrays; or else of names.

    Raises
    ------
    InputError
        If a label stands on one side only, or position would have to be trusted where it means nothing.
    """
    tables = []
    for side in (scores, truth):
        names = label_names(side, labels)
        n_labels = _array_size(side) if names is None else len(names)
        tables.append(Table(np.zeros((0, n_labels)), side.name, _LAYOUT[side.layout], (), names))
    names = join(*tables).labels
    if names is None:
        names = tuple(map(str, range(tables[0].shape[1])))
    if labels is not None:
        match(labels, names, between=("labels", "the frames"))
        return labels
    return names


def _array_size(side: Side) -> int:
    first = side.frame.select(functions.size(side.column(0)).alias("n")).where("n > 0").first()
    if first is None:
        raise InputError(f"{side.name} is empty. At least one item and one label are needed.")
    return int(first.n)


def rows_of(side: Side, labels: tuple[str, ...]) -> DataFrame:
    """Return the rows of a frame as the tasks read them.

    They hold ``id`` (text) and ``of_scores``; ``scores`` or ``truth``, an array in the order of the labels; or
    ``label``, its number, and ``score`` or ``value``; and weight and group if they have them.
    """
    of_scores = side.kind == "scores"
    common = [quoted(side.id).cast("string").alias("id"), functions.lit(of_scores).alias("of_scores")]
    for column, what in side.beside:
        common.append(quoted(column).cast("double" if what == "weight" else "string").alias(what))
    if side.layout in ("array", "columns"):
        return side.frame.select(*common, _array_of(side, labels).alias("scores" if of_scores else "truth"))
    name = _names(side).alias("name")
    if side.layout == "tags":  # a row without a tag names an item that has none
        listed = side.frame.select(*common, name)
        listed = listed.withColumn("value", functions.when(functions.col("name").isNotNull(), functions.lit(True)))
    else:
        number = _number([side.frame.schema[side.columns[1]].dataType], side.kind)
        listed = side.frame.select(
            *common, name, side.column(1).cast(number).alias("score" if of_scores else "value")
        )
    numbers = listed.sparkSession.createDataFrame(
        list(zip(labels, range(len(labels)), strict=True)), "name string, label int"
    )
    return listed.join(functions.broadcast(numbers), "name", "left").drop("name")


def _names(side: Side) -> Column:
    """Return the label that each row names, null if none; a list of tags makes one row a tag."""
    if side.listed:
        return functions.explode_outer(side.column(0).cast("array<string>"))
    return side.column(0).cast("string")


def _array_of(side: Side, labels: tuple[str, ...]) -> Column:
    """Return the values of all labels as one array."""
    dtypes: dict[str, Any] = {name: side.frame.schema[name].dataType for name in side.columns}
    if side.layout == "array":
        return side.column(0).cast(f"array<{_number([dtypes[side.columns[0]].elementType], side.kind)}>")
    number = _number(list(dtypes.values()), side.kind)
    return functions.array(*(quoted(name).cast(number) for name in labels))


def _number(dtypes: Sequence[types.DataType], kind: Kind) -> str:
    """Return the type for columns of numbers: their own if they share one that numpy has; of scores, floats."""
    kept = types.FloatType | types.DoubleType if kind == "scores" else types.IntegralType | types.BooleanType
    alike = len({dtype.simpleString() for dtype in dtypes}) == 1
    return dtypes[0].simpleString() if alike and isinstance(dtypes[0], kept) else "double"
