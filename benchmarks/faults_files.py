"""Small whole files of every kind."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import h5py
import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp
from onnx import TensorProto, helper

ITEMS = 36
LABELS = ["Turdus merula_Blackbird", "Parus major_Great Tit", "Rain, heavy", "wind"]
IDS = [f"clip {row:02d}" for row in range(ITEMS)]
_draw = np.random.default_rng(5)
TRUTH = (_draw.random((ITEMS, len(LABELS))) < [0.5, 0.3, 0.2, 0.4]).astype(np.int8)
SCORES = np.clip(0.35 * TRUTH + 0.6 * _draw.random(TRUTH.shape), 0, 1).round(3).astype(np.float32)
FORMS = {
    "scores": "wide.csv long.csv few.csv wide.tsv wide.csv.gz wide.parquet long.parquet .npy .npz sparse.npz "
    ".h5 .db",
    "labels": "wide.csv long.csv tags.csv pairs.csv wide.tsv tags.csv.gz wide.parquet tags.parquet .npy .npz "
    "sparse.npz .h5 .db",
}
UNNAMED = (".npy", "sparse.npz")
Draw = np.random.Generator


def values_of(kind: str) -> Any:
    return SCORES if kind == "scores" else TRUTH


def columns_of(kind: str, layout: str) -> tuple[list[str], list[list[Any]]]:
    """Return the header and the rows of a table, numbers as Python's."""
    values = [[round(float(x), 3) for x in row] if kind == "scores" else row.tolist() for row in values_of(kind)]
    named = list(zip(IDS, values, strict=True))
    if layout == "wide":
        return ["id", *LABELS], [[name, *row] for name, row in named]
    if layout in ("long", "few"):
        pairs = [(name, tag, x) for name, row in named for tag, x in zip(LABELS, row, strict=True)]
        kept = [list(pair) for pair in pairs if layout == "long" or pair[2] > 0.3 or pair[1] == "wind"]
        return ["id", "label", "score" if kind == "scores" else "value"], kept
    tags = [[tag for tag, x in zip(LABELS, row, strict=True) if x] for _, row in named]
    if layout == "tags":
        return ["id", "tags"], [[name, ";".join(had)] for name, had in zip(IDS, tags, strict=True)]
    return ["id", "label"], [[name, tag] for name, had in zip(IDS, tags, strict=True) for tag in had or [""]]


def text_of(header: list[str], rows: list[list[Any]], delimiter: str = ",", **options: Any) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, **{"lineterminator": "\n", **options}).writerows([header, *rows])
    return out.getvalue().encode()


def write_base(folder: Path, run: Callable[..., Any]) -> None:
    """Write a whole file of each kind; ``run`` runs a command of limen in the folder."""
    for kind in ("scores", "labels"):
        values = values_of(kind)
        database = duckdb.connect(str(folder / f"{kind}.db"))
        for form in FORMS[kind].split():
            layout, _, ending = form.partition(".")
            path = folder / (f"{kind}_{form}" if layout else f"{kind}{form}")
            if ending in ("csv", "tsv", "csv.gz"):
                data = text_of(*columns_of(kind, layout), "\t" if ending == "tsv" else ",")
                path.write_bytes(gzip.compress(data, mtime=0) if ending == "csv.gz" else data)
            elif ending == "parquet":
                header, rows = columns_of(kind, layout)
                pq.write_table(pa.table(dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))), path)
            elif form == "sparse.npz":
                sp.save_npz(path, sp.csr_matrix(values))
            elif ending != "db":
                path.write_bytes(matrix_file(ending, kind, {kind: values, "names": LABELS, "ids": IDS}))
        database.execute(f"CREATE TABLE wide AS FROM '{folder}/{kind}_wide.parquet'")
        database.close()
    (folder / "groups.csv").write_bytes(text_of(["id", "group"], [[name, name[:-1]] for name in IDS]))
    shares = [[tag, 0.1 + 0.1 * k] for k, tag in enumerate(LABELS)]
    (folder / "shares.csv").write_bytes(text_of(["label", "share"], shares))
    (folder / "species.txt").write_text("\n".join(LABELS) + "\nStrix aluco_Tawny Owl\n")
    (folder / "detections.csv").write_bytes(text_of(*detections()))
    (folder / "detections.txt").write_bytes(text_of(*detections(raven=True), "\t"))
    (folder / "config.json").write_text(json.dumps({"id2label": dict(enumerate(LABELS)), "model_type": "x"}))
    onnx.save(tagger(), folder / "model.onnx")
    np.savez(folder / "inputs.npz", x=np.random.default_rng(1).normal(size=(5, 6)).astype(np.float32))
    whole = ("tune", "scores.npz", "labels.npz")
    run(folder, *whole, "-o", "thresholds.json")
    for name, rows in (("one", slice(0, 20)), ("two", slice(20, None))):
        for kind in ("scores", "labels"):
            part = {kind: values_of(kind)[rows], "names": LABELS, "ids": IDS[rows]}
            (folder / f"{kind}_{name}.npz").write_bytes(matrix_file("npz", kind, part))
        for command in ("candidates", "curves"):
            run(folder, command, f"scores_{name}.npz", f"labels_{name}.npz", "-o", f"{name}.{command}")
    run(folder, *whole, "-o", "exact.json", "--method", "exact", "--average", "macro")


def detections(*, raven: bool = False) -> tuple[list[str], list[list[Any]]]:
    rows: list[list[Any]] = []
    for row in range(ITEMS):
        for k, tag in enumerate(LABELS[:2]):
            names = tag.split("_")
            start, sure = 3 * row, f"{SCORES[row, k]:.4f}"
            selection = [
                len(rows) + 1,
                "Spectrogram 1",
                1,
                start,
                start + 3,
                0,
                15000,
                names[1],
                tag,
                sure,
                "a b.wav",
            ]
            rows.append(selection if raven else [start, start + 3, *names, sure, "a b.wav"])
    if raven:
        times = ["Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)"]
        last = ["Common Name", "Species Code", "Confidence", "Begin Path"]
        return ["Selection", "View", "Channel", *times, *last], rows
    return ["Start (s)", "End (s)", "Scientific name", "Common name", "Confidence", "File"], rows


def tagger() -> Any:
    """Return a model of one layer with weights inside."""
    weight = np.random.default_rng(2).normal(size=(6, len(LABELS))).astype(np.float32)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["clips", 6])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["clips", len(LABELS)])
    initial = [onnx.numpy_helper.from_array(weight, "w"), onnx.numpy_helper.from_array(weight[0], "b")]
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["z"]), helper.make_node("Sigmoid", ["z"], ["y"])]
    graph = helper.make_graph(nodes, "tagger", [x], [y], initial)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def matrix_file(ending: str, kind: str, arrays: dict[str, Any]) -> bytes:
    """Return a .npy, .npz or .h5 file of arrays."""
    out = io.BytesIO()
    if ending == "npy":
        np.save(out, arrays[kind], allow_pickle=True)
    elif ending == "npz":
        np.savez(out, **{key: np.asarray(value) for key, value in arrays.items()}, allow_pickle=True)
    else:
        with h5py.File(out, "w") as file:
            for key, value in arrays.items():
                plain = np.asarray(value)
                file[key] = plain.tolist() if plain.dtype.kind in "UO" else plain
    return out.getvalue()
