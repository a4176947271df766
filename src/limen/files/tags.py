"""Write decisions, in every format that `read_table` reads."""

from __future__ import annotations

import csv
import os
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, count, examples, require
from limen.files.stored import connect, first_line, quoted
from limen.files.text import spelled
from limen.files.writing import write_atomically
from limen.names import repeated, unique
from limen.sources.layouts import look_like_data, roles_of

BLOCK_CELLS = 1 << 20
GROUP_CELLS = 1 << 26
"""Cells of a row group of Parquet, which is held in memory while it is written."""
MATRIX_ENDINGS = (".npy", ".npz", ".h5", ".hdf5")


class Decisions(Protocol):
    """Decisions (n_items, n_labels) that are computed or read in blocks of rows; a bool array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_items, n_labels)``."""
        ...

    def __getitem__(self, rows: slice, /) -> NDArray[Any]:
        """Return a block of rows, bool (n_rows, n_labels)."""
        ...


def write_tags(
    path: str | os.PathLike[str],
    ids: Sequence[str] | None,
    labels: Sequence[str],
    decisions: Decisions,
    *,
    layout: Literal["tags", "wide", "long"] = "tags",
) -> None:
    """Write the tags of each item, so that ``read_table(path, kind="labels")`` gives the same decisions.

    Parameters
    ----------
    path : path-like
        A .csv, .tsv, .parquet, .npy, .npz or .h5 file; an old file is replaced only when the new one is whole.
    ids : sequence of n_items str, or None
        None writes the row numbers "0", "1", ... (and no ids to .npz and .h5).
    labels : sequence of n_labels str
    decisions : bool (n_items, n_labels)
        An array, or anything with a shape that gives blocks of rows for slices.
    layout : {"tags", "wide", "long"}
        ``tags``: columns id, tags, the tags joined by ``;``. ``wide``: a column of 0/1 for each label.
        ``long``: columns id, label, one line a tag, and a line with an empty label for an item without
        tags. The matrix formats .npy (decisions only), .npz and .h5 (labels, names, ids) have one layout.

    Raises
    ------
    InputError
        If shapes or the ending do not fit, or the layout cannot hold the label names.
    FileError
        If writing fails; an old file is then untouched.
    """
    path, labels, ids = Path(path), list(labels), None if ids is None else list(ids)
    n_items, n_labels = decisions.shape
    if n_labels != len(labels) or (ids is not None and n_items != len(ids)):
        raise InputError(
            f"decisions has shape {tuple(decisions.shape)} for {count(len(labels), 'label')}"
            + ("" if ids is None else f" and {count(len(ids), 'id')}")
            + ". It must be (n_items, n_labels)."
        )
    ending = path.suffix.lower()
    if ending not in (".csv", ".tsv", ".parquet", *MATRIX_ENDINGS):
        raise InputError(
            f"{path} has the ending {ending!r}. Tags are written as .csv, .tsv, .parquet, .npy, .npz or .h5."
        )
    if layout not in ("tags", "wide", "long"):
        raise InputError(f'layout is {layout!r}. It must be "tags", "wide" or "long".')
    check_labels(labels, layout, ending)
    if ids is not None and "" in ids:
        raise InputError(f"ids has an empty id (row {ids.index('')}). Every item needs an id.")
    with write_atomically(path) as temporary:
        if ending == ".npy":
            with temporary.open("wb") as file:
                _write_matrix(file, decisions)
        elif ending == ".npz":
            _write_npz(temporary, ids, labels, decisions)
        elif ending in (".h5", ".hdf5"):
            _write_hdf5(temporary, ids, labels, decisions)
        elif ending == ".parquet":
            _write_parquet(temporary, ids, labels, decisions, layout)
        else:
            _write_text(temporary, ids, labels, decisions, layout, "\t" if ending == ".tsv" else ",")


def check_labels(labels: Sequence[str], layout: str, ending: str) -> None:
    """Raise `InputError` if a file of this ending and layout cannot hold these labels."""
    unique(labels, "labels")
    if "" in labels:
        raise InputError("labels has an empty name. Every label needs a name.")
    if ending in MATRIX_ENDINGS:
        return
    if layout == "tags":
        bad = [name for name in labels if ";" in name or "|" in name or name != name.strip()]
        if bad:
            raise InputError(
                f"{count(len(bad), 'label')} cannot stand in a tag list, where ';' or '|' separates tags and "
                f'spaces around them are dropped: {examples(bad)}. Use layout="long" or "wide".'
            )
    if layout == "wide":
        folded = ["id", *(name.lower() for name in labels)]
        # Parquet readers, duckdb among them, take column names that differ only in case as the same.
        alike = repeated(folded if ending == ".parquet" else ["id", *labels])
        blank = [name for name in labels if not name.strip()]
        if alike or blank or look_like_data(labels) or roles_of(["id", *labels], "labels") is not None:
            raise InputError(
                f"the labels {examples(alike or blank or labels)} cannot be the column names of a wide file: "
                'they would be taken for each other, for data or for another layout. Use layout="long".'
            )


def _write_text(
    file: Path,
    ids: Sequence[str] | None,
    labels: Sequence[str],
    decisions: Decisions,
    layout: str,
    delimiter: str,
) -> None:
    # Python's csv leaves a lone carriage return bare, which readers take for the end of a line.
    returns = any("\r" in name for names in (labels, () if ids is None else ids) for name in names)
    with file.open("w", encoding="utf-8", newline="") as text:
        quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
        writer = csv.writer(text, delimiter=delimiter, lineterminator="\n", quoting=quoting)
        writer.writerow(_spelled(_header(labels, layout)))
        for names, block in _named_blocks(ids, decisions):
            writer.writerows(_spelled(row) for row in _lines(names, labels, block, layout))


def _spelled(row: Sequence[str | int]) -> list[str | int]:
    return [spelled(cell) if isinstance(cell, str) else cell for cell in row]


def _named_blocks(
    ids: Sequence[str] | None, decisions: Decisions
) -> Iterator[tuple[Sequence[str], NDArray[np.bool_]]]:
    for start, block in _blocks(decisions):
        rows = range(start, start + len(block))
        yield [str(row) for row in rows] if ids is None else ids[rows.start : rows.stop], block


def _header(labels: Sequence[str], layout: str) -> list[str]:
    if layout == "wide":
        return ["id", *labels]
    return ["id", "tags" if layout == "tags" else "label"]


def _lines(
    ids: Sequence[str], labels: Sequence[str], block: NDArray[np.bool_], layout: str
) -> Iterator[Sequence[str | int]]:
    if layout == "wide":
        for name, row in zip(ids, block.view(np.uint8).tolist(), strict=True):
            yield [name, *row]
        return
    rows, columns = np.nonzero(block)
    given = [labels[column] for column in columns.tolist()]
    bounds = np.searchsorted(rows, np.arange(len(block) + 1)).tolist()
    for row in range(len(block)):
        tags = given[bounds[row] : bounds[row + 1]]
        if layout == "tags":
            yield [ids[row], ";".join(tags)]
        else:
            yield from ([ids[row], tag] for tag in tags or [""])


def _write_parquet(
    file: Path,
    ids: Sequence[str] | None,
    labels: Sequence[str],
    decisions: Decisions,
    layout: str,
) -> None:
    import duckdb

    with tempfile.TemporaryDirectory(prefix="limen-") as folder, connect() as con:
        con.execute(f"SET memory_limit = '512MB'; SET temp_directory = {quoted(folder, chr(39))}")
        made, header = False, _header(labels, layout)
        for names, block in _named_blocks(ids, decisions):
            if layout == "wide":
                columns = [np.array(names, object), *block.T]
            else:
                lines = list(_lines(names, labels, block, layout))
                columns = [np.array(column, object) for column in zip(*lines, strict=True)]
            con.register("block", dict(zip(header, columns, strict=True)))
            con.execute("INSERT INTO tags FROM block" if made else "CREATE TABLE tags AS FROM block")
            con.unregister("block")
            made = True
        try:
            rows = min(max(GROUP_CELLS // len(header), 2048), 122880)
            con.execute(f"COPY tags TO {quoted(file, chr(39))} (FORMAT parquet, ROW_GROUP_SIZE {rows})")
        except duckdb.Error as error:
            raise OSError(first_line(error)) from error


def _write_npz(file: Path, ids: Sequence[str] | None, labels: Sequence[str], decisions: Decisions) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("labels.npy", "w", force_zip64=True) as member:
            _write_matrix(member, decisions)
        for key, names in (("names", labels), ("ids", ids)):
            if names is not None:
                with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.array(names, dtype=str))


def _write_hdf5(file: Path, ids: Sequence[str] | None, labels: Sequence[str], decisions: Decisions) -> None:
    """Write the file in memory, compressed, and then as a whole: HDF5 may crash on a disk that is full."""
    h5py = require("h5py", extra="hdf5", user="writing HDF5")
    with h5py.File(file, "w", driver="core", backing_store=False) as archive:
        matrix = archive.create_dataset(
            "labels", tuple(decisions.shape), bool, compression="gzip", compression_opts=1
        )
        for start, block in _blocks(decisions):
            matrix[start : start + len(block)] = block
        for key, names in (("names", labels), ("ids", ids)):
            if names is not None:
                archive[key] = list(names)
        archive.flush()
        file.write_bytes(archive.id.get_file_image())


def _write_matrix(file: IO[bytes], decisions: Decisions) -> None:
    header = {"descr": "|b1", "fortran_order": False, "shape": tuple(decisions.shape)}
    np.lib.format.write_array_header_1_0(file, header)
    for _, block in _blocks(decisions):
        file.write(block.tobytes())


def _blocks(decisions: Decisions) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    n_items, n_labels = decisions.shape
    step = max(1, BLOCK_CELLS // max(n_labels, 1))
    for start in range(0, n_items, step):
        block = np.ascontiguousarray(decisions[start : start + step], dtype=np.bool_)
        if block.shape != (min(step, n_items - start), n_labels):
            raise InputError(
                f"rows {start} to {start + step} of decisions have shape {block.shape}. Every block must have "
                f"{count(n_labels, 'column')}."
            )
        yield start, block
