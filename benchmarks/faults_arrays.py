"""Arrays, Parquet files and models that are unusual or wrong."""

from __future__ import annotations

import io
from typing import Any

import h5py
import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp
from onnx import TensorProto, helper

from faults_files import IDS, ITEMS, LABELS, Draw, columns_of, matrix_file, values_of
from faults_texts import WORDS


def arrays_damaged(ending: str, kind: str, draw: Draw) -> tuple[bytes, str]:
    """Return a .npy, .npz or .h5 file whose arrays are unusual or wrong."""
    values: Any = values_of(kind).astype(np.float32)
    row, column = int(draw.integers(ITEMS)), int(draw.integers(len(LABELS)))
    one = values.copy()
    word = float(draw.choice([np.nan, np.inf, -np.inf, 2, 0.5, -1, 3e38, 1e-45]))
    one[row, column] = word
    order, turned = draw.permutation(ITEMS), draw.permutation(len(LABELS))
    plain = {kind: values, "names": np.array(LABELS), "ids": np.array(IDS)}
    ways: dict[str, dict[str, Any]] = {
        f"{word} in a cell": {kind: one},
        "doubles": {kind: values.astype(np.float64)},
        "halves": {kind: values.astype(np.float16)},
        "long doubles": {kind: values.astype(np.longdouble)},
        "1e300": {kind: values.astype(np.float64) * 1e300},
        "big-endian": {kind: values.astype(">f4")},
        "Fortran": {kind: np.asfortranarray(values)},
        "whole": {kind: values.astype(np.int64)},
        "bool": {kind: values > 0.5},
        "uint64": {kind: np.full(values.shape, 2**64 - 1, np.uint64)},
        "complex": {kind: values.astype(complex)},
        "text": {kind: values.astype(str)},
        "dates": {kind: values.astype(int).astype("datetime64[D]" if ending != "h5" else np.int64)},
        "records": {kind: np.zeros(values.shape, [("a", "f4"), ("b", "i4")])},
        "1-d": {kind: values[:, 0]},
        "3-d": {kind: values[:, :, None]},
        "0-d": {kind: values[0, 0]},
        "no rows": {kind: values[:0], "ids": np.array(IDS[:0], str)},
        "no columns": {kind: values[:, :0], "names": np.array(LABELS[:0], str)},
        "fewer rows": {kind: values[:-1], "ids": np.array(IDS[:-1])},
        "fewer columns": {kind: values[:, :-1], "names": np.array(LABELS[:-1])},
        "turned": {kind: values.T},
        "rows moved": {kind: values[order], "ids": np.array(IDS)[order]},
        "columns moved": {kind: values[:, turned], "names": np.array(LABELS)[turned]},
        "names short": {"names": np.array(LABELS[:-1])},
        "names twice": {"names": np.array([*LABELS[:-1], LABELS[0]])},
        "names empty": {"names": np.array([*LABELS[:-1], ""])},
        "names bytes": {"names": np.array([name.encode() for name in LABELS])},
        "names 2-d": {"names": np.array([LABELS])},
        "names floats": {"names": np.arange(4.0)},
        "names numbers": {"names": np.arange(4)},
        "ids twice": {"ids": np.array([*IDS[:-1], IDS[0]])},
        "ids short": {"ids": np.array(IDS[:-1])},
        "ids moved": {"ids": np.array(IDS)[order]},
        "ids empty": {"ids": np.array([*IDS[:-1], ""])},
        "another matrix": {"other": values},
        "other kind's key": {"labels" if kind == "scores" else "scores": values},
        "objects": {kind: values.astype(object) if ending != "h5" else values.astype("S")},
    }  # fmt: skip
    way = str(draw.choice(list(ways)))
    arrays = {**plain, **ways[way]}
    if draw.random() < 0.1:
        gone = str(draw.choice(list(arrays)))
        if ending != "npy" or gone != kind:
            del arrays[gone]
            way += f", without {gone}"
    return matrix_file(ending, kind, arrays), f"arrays: {way}"


def header_damaged(kind: str, draw: Draw) -> tuple[bytes, str]:
    """Return a .npy file whose header says something else than its data."""
    values = values_of(kind).astype(np.float32)
    shape, descr = repr(values.shape), "<f4"
    told = str(
        draw.choice(
            [f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {other}, }}" for other in (
                "(36, 5)", "(36, 3)", "(-1, 4)", "(10000000000, 4)", "(36,)", "(36, 4, 1)", "()",
                "(0, 4)", "(36.0, 4)",
                "'a'",                 "(True, 144)", "(1, 144)", "(99999999999999999999, 4)",
                "(4611686018427387904, 4)", "(36, 4")]
            + [f"{{'descr': '{other}', 'fortran_order': False, 'shape': {shape}, }}" for other in (
                "<f8", "<i4", ">f4", "|O", "<c8", "<U1", "|V4", "<f3", "x", "|S4", "<M8[s]", "|b1", "<f2")]
            + ["{", "", "{'descr': '<f4'}", "[1, 2]", "{'descr': '<f4', 'fortran_order': 1, 'shape': (36, 4), }",
               "{'descr': '<f4', 'fortran_order': True, 'shape': (36, 4), }", "(" * 500, "9" * 5000,
               "{'descr': '<f4', 'fortran_order': False, 'shape': (36, 4), 'more': 1}",
               "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (36, 4), }"]
        )
    )  # fmt: skip
    head = told.encode() + b" " * int(draw.integers(64)) + b"\n" * int(draw.integers(2))
    version = bytes(draw.choice([[1, 0], [1, 0], [1, 0], [2, 0], [3, 0], [9, 9]]).tolist())
    width = 2 if version == b"\1\0" else 4
    size = len(head) + int(draw.choice([0, 0, 0, 0, 5, 60000])) if draw.random() < 0.3 else len(head)
    return b"\x93NUMPY" + version + size.to_bytes(
        width, "little"
    ) + head + values.tobytes(), f"header: {told[:70]}"


def sparse_damaged(kind: str, draw: Draw) -> tuple[bytes, str]:
    """Return an .npz file of a sparse matrix whose parts are unusual or do not fit."""
    matrix = sp.csr_matrix(values_of(kind).astype(np.float32))
    parts = {
        "data": matrix.data,
        "indices": matrix.indices,
        "indptr": matrix.indptr,
        "shape": np.array(matrix.shape),
        "format": np.array(b"csr"),
    }
    moved, at = {key: np.array(value) for key, value in parts.items()}, int(draw.integers(len(matrix.data)))
    moved["data"][at] = draw.choice([np.nan, np.inf, 2, 0.5])
    moved["indices"][at] = draw.choice([-1, 0, 4, 2**31 - 1])
    moved["indptr"][int(draw.integers(ITEMS))] = draw.choice([-1, 0, 7, 10**6])
    ways: dict[str, Any] = {
        "a value": {"data": moved["data"]},
        "an index": {"indices": moved["indices"]},
        "an end": {"indptr": moved["indptr"]},
        "reversed": {"data": matrix.data[::-1], "indices": matrix.indices[::-1]},
        "shape": {"shape": np.array(draw.choice([[36, 5], [36, 3], [37, 4], [0, 4], [-36, 4], [10**12, 4]]))},
        "shape 1-d": {"shape": np.array([36])},
        "shape text": {"shape": np.array(["a", "b"])},
        "shape floats": {"shape": np.array([36.5, 4.0])},
        "format": {"format": np.array(str(draw.choice(["coo", "csc", "bsr", "", "csr"])))},
        "formats": {"format": np.array(["csr", "csr"])},
        "short data": {"data": matrix.data[:-1]},
        "float indices": {"indices": matrix.indices.astype(float)},
        "2-d data": {"data": matrix.data[:, None]},
        "no parts": {"data": matrix.data[:0], "indices": matrix.indices[:0], "indptr": np.zeros(37, int)},
        "empty ends": {"indptr": matrix.indptr[:0]},
        "text data": {"data": matrix.data.astype(str)},
        "doubles": {"data": matrix.data.astype(float), "indices": matrix.indices.astype(np.int64)},
    }  # fmt: skip
    way = str(draw.choice(list(ways)))
    out = io.BytesIO()
    np.savez(out, **{**parts, **ways[way]})
    return out.getvalue(), f"sparse: {way}"


def parquet_damaged(kind: str, layout: str, draw: Draw) -> tuple[bytes, str]:
    """Return a Parquet file of other types or content."""
    header, rows = columns_of(kind, layout)
    columns = [list(column) for column in zip(*rows, strict=True)]
    last, row = columns[-1], int(draw.integers(len(rows)))
    sort = str(
        draw.choice(
            [
                "null",
                "nan",
                "word",
                "decimal",
                "list",
                "dates",
                "bool",
                "dictionary",
                "floats",
                "twice",
                "none",
                "chunks",
                "big",
            ]
        )
    )
    arrays = [pa.array(column) for column in columns]
    if sort in ("null", "nan"):
        gap = None if sort == "null" else "nan" if isinstance(last[0], str) else float("nan")
        arrays[-1] = pa.array([*last[:row], gap, *last[row + 1 :]])
    elif sort == "word":
        arrays[-1] = pa.array([*map(str, last[:row]), str(draw.choice(WORDS)), *map(str, last[row + 1 :])])
    elif sort == "decimal" and not isinstance(last[0], str):
        arrays[-1] = pa.array(last, pa.float64()).cast(pa.decimal128(20, 3))
    elif sort == "list":
        arrays[-1] = pa.array([[x] for x in last])
    elif sort == "dates":
        arrays[-1] = pa.array(range(len(last)), pa.timestamp("s"))
    elif sort == "bool":
        arrays[-1] = pa.array([bool(x) for x in last])
    elif sort == "dictionary":
        arrays = [array.dictionary_encode() for array in arrays]
    elif sort == "floats" and not isinstance(last[0], str):
        arrays[-1] = pa.array(last, pa.float32())
    elif sort == "twice":
        header = [*header[:-1], header[0]]
    elif sort == "none":
        arrays = [array[:0] for array in arrays]
    elif sort == "big":
        arrays[0] = pa.array(columns[0], pa.large_string())
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, names=header), out, row_group_size=7 if sort == "chunks" else None)
    return out.getvalue(), f"parquet: {sort}"


def hdf5_claims(kind: str, draw: Draw) -> tuple[bytes, str]:
    """Return an .h5 file whose dataset claims a size that is not there, or is stored unusually."""
    out, values = io.BytesIO(), values_of(kind).astype(np.float32)
    sort = str(
        draw.choice(
            [
                "40 GB",
                "10 TB",
                "unlimited",
                "compressed",
                "group",
                "attribute names",
                "link",
                "empty",
                "scalar",
                "reference",
            ]
        )
    )
    with h5py.File(out, "w") as file:
        if sort in ("40 GB", "10 TB"):
            file.create_dataset(kind, (10**10 if sort == "40 GB" else 2 * 10**12, 4), "f4", chunks=(1000, 4))
        elif sort in ("unlimited", "compressed"):
            more = {"maxshape": (None, 4)} if sort == "unlimited" else {"compression": "gzip"}
            file.create_dataset(kind, data=values, chunks=(8, 4), **more)
            file["names"], file["ids"] = LABELS, IDS
        elif sort == "group":
            file.create_group(kind)
        elif sort == "attribute names":
            file[kind], file["ids"] = values, IDS
            file.attrs["names"] = LABELS
        elif sort == "link":
            file[kind] = (
                h5py.ExternalLink("elsewhere.h5", "/scores") if draw.random() < 0.5 else h5py.SoftLink("/gone")
            )
        elif sort == "empty":
            file[kind] = h5py.Empty("f4")
        elif sort == "scalar":
            file[kind] = 0.5
        else:
            file["x"] = values
            file.create_dataset(kind, data=[file["x"].ref], dtype=h5py.ref_dtype)
    return out.getvalue(), f"h5: {sort}"


def model_changed(model: Any, draw: Draw) -> tuple[bytes, str]:
    """Return an ONNX model that is valid, or nearly, and unusual."""
    graph = model.graph
    sort = str(
        draw.choice(
            [
                "NaN weights",
                "opset",
                "double",
                "no output",
                "two outputs",
                "dims",
                "external",
                "ir",
                "loop",
                "no nodes",
                "named tags",
                "whole type",
                "symbolic",
            ]
        )
    )
    if sort == "NaN weights":
        graph.initializer[1].CopyFrom(
            onnx.numpy_helper.from_array(np.array([np.nan, 0, 0, np.inf], np.float32), "b")
        )
    elif sort == "opset":
        model.opset_import[0].version = int(draw.choice([0, -1, 1, 6, 99]))
    elif sort in ("double", "whole type"):
        graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE if sort == "double" else TensorProto.INT64
    elif sort == "no output":
        del graph.output[:]
    elif sort == "two outputs":
        graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["clips", len(LABELS)]))
    elif sort == "dims":
        graph.output[0].type.tensor_type.shape.dim[1].dim_value = int(draw.choice([0, 3, 5, -1]))
    elif sort == "external":
        weight = graph.initializer[0]
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        place = str(draw.choice(["gone.bin", "../gone.bin", "/etc/passwd", ""]))
        weight.external_data.append(onnx.StringStringEntryProto(key="location", value=place))
    elif sort == "ir":
        model.ir_version = int(draw.choice([0, 1, 99]))
    elif sort == "loop":
        graph.node[0].input[0] = "y"
    elif sort == "no nodes":
        del graph.node[:]
    elif sort == "named tags":
        graph.output[0].name = graph.node[1].output[0] = "tags"
    elif sort == "symbolic":
        for dim in graph.output[0].type.tensor_type.shape.dim:
            dim.Clear()
    return bytes(model.SerializeToString()), f"model: {sort}"
