"""An independent reading of damaged files: what is in them, or which rule they break.

Nothing here uses limen. `BrokenError` means that a file must be refused; `UnsureError` that two readers may differ
about it.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import re
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import h5py
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
KEYS = {"scores": ("scores", "y_score"), "labels": ("labels", "y_true")}
TRUE, FALSE = {"true", "t", "yes", "y"}, {"false", "f", "no", "n"}


class BrokenError(Exception):
    """The content breaks a rule: it must be refused."""


class UnsureError(Exception):
    """Readers may differ about it: only a result that equals the whole file's is right."""


@dataclass
class Content:
    """A matrix with the names that the file gives; ``listed`` holds (id, label, value) where it is long."""

    values: Any
    ids: list[str] | None = None
    names: list[str] | None = None
    listed: list[tuple[str, str, Any]] | None = None
    tags: bool = False
    single: bool = False


def read(path: Path, kind: str) -> Content:
    """Return the scores or labels of a file."""
    name = path.name
    data = path.read_bytes()
    if name.endswith((".csv", ".tsv", ".gz")):
        return checked(from_cells(*text_cells(data, name), kind), kind)
    if name.endswith(".parquet"):
        content = checked(from_cells(*parquet_cells(data), kind), kind)
        content.single = kind == "scores" and is_single(data)
        return content
    if name.endswith(".npy"):
        return checked(Content(numeric(loaded(data))), kind)
    if name.endswith(".npz"):
        return checked(from_arrays(npz_arrays(data), kind), kind)
    return checked(from_arrays(hdf5_arrays(path), kind), kind)


def text_cells(data: bytes, name: str) -> tuple[list[str], list[list[Any]]]:
    """Return the header and the rows of a text file."""
    try:
        if name.endswith(".gz"):
            data = gzip.decompress(data)
        wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise BrokenError(f"bytes: {error}") from error
    found: dict[str, list[list[str]]] = {}
    wrong = "no lines"
    for delimiter in "\t" if ".tsv" in name else ",;\t":
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            found[delimiter] = [row for row in lines if row]
        except csv.Error as error:
            wrong = f"CSV: {error}"
    alike = [x for x, rows in found.items() if rows and len({len(row) for row in rows}) == 1]
    # One column is what every delimiter finds that is not there.
    chosen = next((x for x in alike if len(found[x][0]) > 1), next(iter(alike), next(iter(found), "")))
    rows = found.get(chosen, [])
    if not rows:
        raise BrokenError(wrong)
    if chosen != ",":
        decimal = re.compile(r"[+-]?\d*,\d+")
        rows = [rows[0], *([x.replace(",", ".") if decimal.fullmatch(x) else x for x in row] for row in rows[1:])]
    if any(len(row) != len(rows[0]) for row in rows):
        raise BrokenError("lines of different lengths")
    return rows[0], rows[1:]


def parquet_cells(data: bytes) -> tuple[list[str], list[list[Any]]]:
    """Return the column names and the rows of a Parquet file, by the first of three readers that reads it.

    Only pyarrow reads the schema that pyarrow adds for itself, and only duckdb overlooks damaged remarks.
    """

    def of_duckdb() -> pa.Table:
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file, duckdb.connect() as con:
            file.write(data)
            file.flush()
            return con.sql(f"SELECT * FROM read_parquet('{file.name}')").fetch_arrow_table()

    reasons = []
    for read_with in (
        lambda: pq.read_table(io.BytesIO(data)),
        lambda: pl.read_parquet(io.BytesIO(data), use_pyarrow=False).to_arrow(),
        of_duckdb,
    ):
        try:
            table = read_with()
            columns = [column.to_pylist() for column in table.columns]
            return list(table.column_names), [list(row) for row in zip(*columns, strict=True)]
        except (Exception, pl.exceptions.PanicException) as error:
            reasons.append(str(error).splitlines()[0] if str(error) else type(error).__name__)
    raise UnsureError(f"nobody reads it: {reasons}")


def is_single(data: bytes) -> bool:
    """Return whether the last column of a Parquet file is of 32-bit numbers."""
    try:
        schema = pq.ParquetFile(io.BytesIO(data)).schema
        return bool(schema.column(len(schema) - 1).physical_type == "FLOAT")
    except Exception:
        return False


def from_cells(header: list[str], rows: list[list[Any]], kind: str) -> Content:
    """Return what columns mean, by their names."""
    if not rows:
        raise BrokenError("no rows")
    if any(not name.strip() for name in header[1:]) or len(set(header)) < len(header):
        raise BrokenError("column names are missing or repeated")
    folded = [name.strip().casefold() or "id" for name in header]
    cells = [["" if cell is None else cell for cell in row] for row in rows]
    value = "score" if kind == "scores" else "value"
    if sorted(folded) == sorted(["id", "label", value]):
        at = [folded.index(name) for name in ("id", "label", value)]
        return long(
            [(str(row[at[0]]), str(row[at[1]]), number(row[at[2]], kind)) for row in cells], kind, tags=False
        )
    if kind == "labels" and sorted(folded) in (["id", "label"], ["id", "tags"]):
        item = folded.index("id")
        return long(
            list(tag_pairs([[row[item], row[1 - item]] for row in cells], lists="tags" in folded)), kind, tags=True
        )
    texts = [k for k in range(len(header)) if not all(is_number(row[k], kind) for row in cells)]
    item = folded.index("id") if "id" in folded else texts[0] if len(texts) == 1 else None
    if item is not None and kind == "labels" and len(header) == 2 and 1 - item in texts:
        raise UnsureError("perhaps a tag list")
    if [k for k in texts if k != item]:
        raise BrokenError("text where numbers belong")
    columns = [k for k in range(len(header)) if k != item]
    if not columns:
        raise BrokenError("no label")
    values = np.array([[number(row[k], kind) for k in columns] for row in cells], float)
    return Content(
        values, None if item is None else [str(row[item]) for row in cells], [header[k] for k in columns]
    )


def tag_pairs(cells: list[list[Any]], *, lists: bool) -> Any:
    """Give (id, label, 1) for every tag, and (id, "", 1) for an item without."""
    if lists and len({row[0] for row in cells}) < len(cells):
        raise BrokenError("an id is repeated")
    several = any(";" in str(row[1]) for row in cells)
    for row in cells:
        tags = re.split(";" if several else r"\|", str(row[1])) if lists else [str(row[1])]
        named = [tag.strip() if lists else tag for tag in tags if tag.strip()]
        for tag in named or [""]:
            yield str(row[0]), tag, 1.0


def long(entries: list[tuple[str, str, Any]], kind: str, *, tags: bool) -> Content:
    if any(name == "" for name, _, _ in entries):
        raise BrokenError("an id is missing")
    if any(label == "" and not np.isnan(value) for _, label, value in entries) and not tags:
        raise BrokenError("a label is missing")
    pairs = [(name, label) for name, label, _ in entries if label]
    if len(set(pairs)) < len(pairs):
        raise BrokenError("a pair is listed twice")
    ids = list(dict.fromkeys(name for name, _, _ in entries))
    names = list(dict.fromkeys(label for _, label in pairs))
    values = np.full((len(ids), len(names)), np.nan)
    for name, label, value in entries:
        if label:
            if kind == "scores" and np.isnan(value):
                raise BrokenError("a score is missing")
            values[ids.index(name), names.index(label)] = value
    return Content(values, ids, names, [entry for entry in entries if entry[1] or tags], tags)


def is_number(cell: Any, kind: str) -> bool:
    try:
        number(cell, kind)
    except BrokenError:
        return False
    return True


def number(cell: Any, kind: str) -> float:
    """Return the number in a cell; NaN if it is empty."""
    if isinstance(cell, bool) and kind == "scores":
        return float(cell)
    if not isinstance(cell, str):
        try:
            return float(cell)
        except (TypeError, ValueError) as error:
            raise BrokenError(f"a cell is {type(cell).__name__}") from error
    text = cell.strip(" \t")
    if cell == "":
        return math.nan
    if kind == "labels" and text.casefold() in TRUE | FALSE:
        return float(text.casefold() in TRUE)
    if NUMBER.fullmatch(text):
        return float(text)
    if text.casefold().lstrip("+-") in ("nan", "inf", "infinity"):
        return float(text)
    raise BrokenError(f"the cell {cell!r} is no number")


def loaded(data: bytes) -> Any:
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as error:
        raise BrokenError(f"numpy: {error}") from error


def npz_arrays(data: bytes) -> dict[str, Any]:
    arrays = loaded(data)
    try:
        return {key: arrays[key] for key in arrays.files}
    except Exception as error:
        raise UnsureError(f"numpy: {error}") from error


def hdf5_arrays(path: Path) -> dict[str, Any]:
    try:
        with h5py.File(path, "r") as file:
            sizes = {key: file[key].size or 0 for key in file}
            if max(sizes.values(), default=0) > 1 << 26:
                raise BrokenError("a dataset claims more than the file can hold")
            found = {key: file[key][()] for key in file}
            found.update({key: value for key, value in file.attrs.items() if key not in found})
            return found
    except BrokenError:
        raise
    except Exception as error:
        raise UnsureError(f"h5py: {error}") from error


def from_arrays(arrays: dict[str, Any], kind: str) -> Content:
    """Return the matrix of named arrays, with names and ids."""
    if {"data", "indices", "indptr", "shape", "format"} <= set(arrays):
        return from_sparse(arrays)
    keys = [key for key in KEYS[kind] if key in arrays]
    if len(keys) != 1:
        others = KEYS["labels" if kind == "scores" else "scores"]
        keys = [key for key, value in arrays.items() if np.ndim(value) == 2 and key not in others]
    if len(keys) != 1:
        raise BrokenError("no array, or several")
    values = numeric(arrays[keys[0]])
    return Content(
        values, texts(arrays, ("ids", "item_ids"), 0, values), texts(arrays, ("names", "label_names"), 1, values)
    )


def from_sparse(arrays: dict[str, Any]) -> Content:
    if arrays["format"].item() not in ("csr", b"csr"):
        raise BrokenError("not CSR")
    try:
        n_items, n_labels = (int(size) for size in arrays["shape"])
        ends, columns, data = arrays["indptr"], arrays["indices"], numeric(arrays["data"], ndim=1)
        good = (
            len(ends) == n_items + 1
            and ends[0] == 0
            and (np.diff(ends) >= 0).all()
            and ends[-1] == len(data) == len(columns)
            and (not len(columns) or 0 <= columns.min() <= columns.max() < n_labels)
        )
    except (TypeError, ValueError, IndexError) as error:
        raise BrokenError(f"sparse: {error}") from error
    if not good or n_items < 1 or n_labels < 1:
        raise BrokenError("parts of the sparse matrix do not fit")
    rows = np.repeat(np.arange(n_items), np.diff(ends))
    if len(set(zip(rows.tolist(), columns.tolist(), strict=True))) < len(data):
        raise BrokenError("a cell is stored twice")
    order = np.lexsort((columns, rows))
    listed = list(zip(rows[order].tolist(), columns[order].tolist(), data[order].tolist(), strict=True))
    return Content(np.zeros((n_items, n_labels), data.dtype), listed=listed)


def numeric(values: Any, ndim: int = 2) -> Any:
    values = np.asarray(values)
    if values.dtype.kind not in "biuf" or values.ndim != ndim or (ndim == 2 and 0 in values.shape):
        raise BrokenError(f"{values.dtype} of shape {values.shape}")
    return values


def texts(arrays: dict[str, Any], keys: tuple[str, ...], axis: int, values: Any) -> list[str] | None:
    key = next((key for key in keys if key in arrays), None)
    if key is None:
        return None
    found = np.asarray(arrays[key])
    if found.ndim != 1 or found.dtype.kind not in "OSUiu" or len(found) != values.shape[axis]:
        raise BrokenError(f"{key}: {found.dtype} of shape {found.shape}")
    try:
        return [name.decode() if isinstance(name, bytes) else str(name) for name in found.tolist()]
    except UnicodeDecodeError as error:
        raise BrokenError(f"{key} is not UTF-8") from error


def checked(content: Content, kind: str) -> Content:
    """Raise `BrokenError` for content that no file may have."""
    for names in (content.ids, content.names):
        if names is not None and len(set(names)) < len(names):
            raise BrokenError("an id or a label is repeated")
        if names is not None and "" in names:
            raise BrokenError("an id or a label has no name")
    values = content.values
    if content.listed is not None:
        values = np.array([value for _, _, value in content.listed], float)
    if kind == "scores" and not np.isfinite(np.asarray(values, np.longdouble)).all():
        raise BrokenError("a score is not finite")
    if kind == "labels" and not (np.isnan(as_float(values)) | (values == 0) | (values == 1)).all():
        raise BrokenError("a label is neither 0, 1 nor unknown")
    return content


def as_float(values: Any) -> Any:
    return np.asarray(values).astype(float)


def fits(content: Content, ids: list[str] | None, names: list[str], kind: str) -> None:
    """Raise `BrokenError` if content cannot be joined with a file of these ids and names (or their number)."""
    if (content.ids is None) != (ids is None) or (ids is not None and set(content.ids or ()) != set(ids)):
        raise BrokenError("other ids")
    if content.names is None:
        if content.values.shape[1] != len(names):
            raise BrokenError("another number of labels")
    elif not (set(content.names) <= set(names) if content.tags else set(content.names) == set(names)):
        raise BrokenError("other labels")


def write(content: Content, folder: Path, kind: str) -> str:
    """Write content plainly, and return the name of the file."""
    if content.listed is None or content.names is None:
        name = f"{kind}_twin.npz"
        named = {"names": content.names, "ids": content.ids}
        arrays = {key: np.array(value) for key, value in named.items() if value is not None}
        if content.listed is None:
            np.savez(folder / name, **{kind: content.values}, **arrays)
            return name
        rows, columns, values = (np.array([entry[k] for entry in content.listed]) for k in range(3))
        ends = (
            np.searchsorted(rows, np.arange(len(content.values) + 1))
            if len(rows)
            else np.zeros(len(content.values) + 1, int)
        )
        parts = {"data": values.astype(content.values.dtype), "indices": columns.astype(int), "indptr": ends}
        np.savez(folder / name, **parts, shape=np.array(content.values.shape), format="csr", **arrays)
        return name
    if content.single:
        columns = dict(zip(("id", "label", "score"), map(list, zip(*content.listed, strict=True)), strict=True))
        table = pa.table(columns).cast(pa.schema([("id", "string"), ("label", "string"), ("score", pa.float32())]))
        pq.write_table(table, folder / f"{kind}_twin.parquet")
        return f"{kind}_twin.parquet"
    name = f"{kind}_twin.csv"
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        header = ["id", "label"] if content.tags else ["id", "label", "score" if kind == "scores" else "value"]
        writer.writerow(header)
        for entry in content.listed:
            value = "" if math.isnan(entry[2]) else repr(float(entry[2]))
            writer.writerow(entry[:2] if content.tags else (*entry[:2], value))
    return name


def pairs(path: Path, known: list[str]) -> dict[str, str]:
    """Return a file of two columns as a dict."""
    cells = (
        parquet_cells(path.read_bytes()) if path.suffix == ".parquet" else text_cells(path.read_bytes(), path.name)
    )
    header, rows = cells
    if len(header) != 2 or not header[1].strip() or header[0] == header[1]:
        raise BrokenError("not two named columns")
    found = {str(row[0]): str(row[1]) for row in rows}
    if len(found) < len(rows) or any(row[k] in ("", None) for row in rows for k in (0, 1)):
        raise BrokenError("a name is repeated, or a cell is empty")
    if set(found) - set(known):
        raise BrokenError("unknown names")
    return found


def strict_json(data: bytes, *, constants: bool = False) -> Any:
    """Return JSON content; a key that stands twice is broken, and so is NaN, unless ``constants`` are allowed."""

    def once(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(items)) < len(items):
            raise BrokenError("a key stands twice")
        return dict(items)

    def no_constant(name: str) -> float:
        raise BrokenError(name)

    try:
        return json.loads(
            data.decode(), object_pairs_hook=once, parse_constant=float if constants else no_constant
        )
    except (ValueError, RecursionError) as error:
        raise BrokenError(f"JSON: {error}") from error


def check_thresholds(content: Any) -> None:
    """Raise `BrokenError` unless a thresholds file of an F1 could say this."""

    def need(holds: Any, what: str) -> None:
        if not holds:
            raise BrokenError(what)

    try:
        need(content["schema_version"] in (1, 2, 3), "version")
        for key in ("value", "upper_bound"):
            need(content[key] is None or 0 <= content[key] <= 1, f"{key} beyond 0 to 1")
        need(
            content["upper_bound"] is None or content["upper_bound"] >= content["value"] - 1e-9,
            "bound below value",
        )
        need(0 <= content["zero_division"] <= 1, "zero_division")
        need(content["status"] in ("optimal", "bounded", "local", "infeasible"), "status")
        need(content["n_items"] >= 1 and content["labels"], "empty")
        if content["expected"] is not None:
            value, low, high = (content["expected"][key] for key in ("value", "low", "high"))
            need(0 <= low <= high <= 1 and 0 <= value <= 1, "expected")
        names = [label["name"] for label in content["labels"]]
        need(len(set(names)) == len(names) and all(isinstance(name, str) and name for name in names), "names")
        for label in content["labels"]:
            ends = [math.inf if end is None else end for end in label["range"] or (0, 0)]
            need(len(ends) == 2 and ends[0] <= ends[1], "range")
            tp, pp, p, n = (label[key] for key in ("tp", "pp", "p", "n"))
            need(0 <= tp <= min(pp, p) and max(pp, p) <= n <= content["n_items"], "counts")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BrokenError(f"{type(error).__name__}: {error}") from error
