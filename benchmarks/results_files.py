"""Results of the command line on every kind of file, in and out."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import h5py
import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp

from limen.cli import main
from results_arrays import made
from results_digests import Results
from results_leaves import page_of, tagger

ITEMS = 90
DATA = made(100, ITEMS, 4, dtype="float32")
TRUTH, SCORES, LABELS = DATA.y_true, DATA.y_score, list(DATA.labels)
IDS = [f"clip_{row:03d}" for row in range(ITEMS)]
MIXED = np.random.default_rng(101).permutation(ITEMS).tolist()
Rows = Iterable[Iterable[Any]]


def run(folder: Path, *arguments: Any) -> str:
    """Return what a command says, without times; raises `RuntimeError` with the exit code if it fails."""
    said, errors = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        mock.patch.object(sys, "argv", ["limen", *map(str, arguments)]),
        mock.patch.dict(os.environ, {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(errors),
    ):
        try:
            main()
        except SystemExit as stop:
            if stop.code:
                raise RuntimeError(f"exit {stop.code}: {errors.getvalue()}") from stop
    return without_times(said.getvalue())


def without_times(text: str) -> str:
    """Return a command's text without times, and without the runs of spaces that their widths decide."""
    text = re.sub(r"\b\d[\d.]*(e-\d+)? (ms|s)\b", "<time>", text)
    return re.sub("[ ─━]+", " ", text)


def read(path: Path) -> Any:
    """Return the content of a file as far as it does not depend on the time or on the writer's version."""
    ending = path.suffix
    if ending == ".json":
        return json.loads(path.read_text("utf-8"))
    if ending == ".npz":
        with np.load(path) as arrays:
            return {key: arrays[key] for key in sorted(arrays)}
    if ending == ".parquet":
        table = pq.read_table(path)
        return {
            "columns": table.column_names,
            "types": [str(kind) for kind in table.schema.types],
            "rows": table.to_pylist(),
        }
    if ending == ".h5":
        with h5py.File(path) as file:
            return {
                key: np.asarray(file[key].asstr() if file[key].dtype.kind == "O" else file[key])
                for key in sorted(file)
            }
    return page_of(path) if ending == ".html" else path.read_bytes()


def write_text(path: Path, header: list[str], rows: Rows) -> None:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t" if ".tsv" in path.name else ",")
        writer.writerows([header, *rows])


def write_parquet(path: Path, header: list[str], rows: Rows) -> None:
    columns = zip(*rows, strict=True)
    pq.write_table(pa.table({name: list(column) for name, column in zip(header, columns, strict=True)}), path)


def tables(values: Any, value: str, order: list[int]) -> dict[str, tuple[list[str], list[list[Any]]]]:
    """Return header and rows of each layout, in an order of items."""
    plain = values.tolist()
    found: dict[str, tuple[list[str], list[list[Any]]]] = {
        "wide": (["id", *LABELS], [[IDS[row], *plain[row]] for row in order]),
        "turned": (["id", *LABELS[::-1]], [[IDS[row], *plain[row][::-1]] for row in order]),
        "long": (
            ["id", "label", value],
            [[IDS[row], tag, plain[row][k]] for row in order for k, tag in enumerate(LABELS)],
        ),
    }
    if value == "value":
        tags = [[tag for k, tag in enumerate(LABELS) if plain[row][k] == 1] for row in order]
        found["tags"] = (["id", "tags"], [[IDS[row], ";".join(had)] for row, had in zip(order, tags, strict=True)])
        found["bars"] = (["id", "tags"], [[IDS[row], "|".join(had)] for row, had in zip(order, tags, strict=True)])
        found["pairs"] = (
            ["id", "label"],
            [[IDS[row], tag] for row, had in zip(order, tags, strict=True) for tag in had or [""]],
        )
    else:
        best = values.max(axis=1)
        likely = [
            [IDS[row], tag, plain[row][k]]
            for row in order
            for k, tag in enumerate(LABELS)
            if values[row, k] > 0.15 or values[row, k] == best[row]
        ]
        found["few"] = (found["long"][0], likely)
    return found


def write_all(folder: Path) -> tuple[list[str], list[str], list[str]]:
    """Write scores, labels, and pairs of both without ids, in every kind of file; return their names."""
    names: dict[str, list[str]] = {"scores": [], "labels": []}
    base = duckdb.connect(str(folder / "base.db"))
    for kind, values, value, order in (
        ("scores", SCORES, "score", list(range(ITEMS))),
        ("labels", TRUTH, "value", MIXED),
    ):
        for layout, (header, rows) in tables(values, value, order).items():
            for ending in (
                ("csv", "tsv", "csv.gz", "tsv.gz", "parquet") if layout in ("wide", "long") else ("csv", "parquet")
            ):
                names[kind].append(f"{kind}_{layout}.{ending}")
                write = write_parquet if ending == "parquet" else write_text
                write(folder / names[kind][-1], header, rows)
            base.execute(f"CREATE TABLE {kind}_{layout} AS FROM '{folder}/{kind}_{layout}.parquet'")
            names[kind].append(f"duckdb:base.db?query=SELECT * FROM {kind}_{layout}")
        names[kind].append(f"duckdb:base.db?table={kind}_wide")
        ids = np.array([IDS[row] for row in order])
        np.savez(folder / f"{kind}.npz", **{kind: values[order], "names": LABELS, "ids": ids})
        with h5py.File(folder / f"{kind}.h5", "w") as file:
            file[kind], file["names"], file["ids"] = values[order], LABELS, ids.tolist()
        names[kind] += [f"{kind}.npz", f"{kind}.npz:{kind}", f"{kind}.h5", f"{kind}.h5:{kind}"]
        np.save(folder / f"{kind}.npy", values)
        sp.save_npz(folder / f"{kind}_sparse.npz", sp.csr_matrix(values * (values > 0.2)))
        np.savez(folder / f"{kind}_double.npz", **{kind: values.astype(np.float64)})
        write_text(folder / f"{kind}_bare.csv", LABELS, values.tolist())
    base.close()
    np.savez(folder / "both.npz", y_score=SCORES, y_true=TRUTH, label_names=LABELS)
    with h5py.File(folder / "panns.h5", "w") as file:
        file["clipwise_output"], file["target"], file["audio_name"] = SCORES, TRUTH, IDS
    bare = ["{}.npy", "{}_sparse.npz", "{}_double.npz", "{}_bare.csv", "both.npz", "panns.h5"]
    return names["scores"], names["labels"], bare


def commands(results: Results) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scores, labels, bare = write_all(folder)
        write_text(folder / "groups.csv", ["id", "group"], [[item, item[:-1]] for item in IDS])
        write_text(
            folder / "shares.csv", ["label", "share"], [[tag, 0.1 + 0.1 * k] for k, tag in enumerate(LABELS)]
        )
        number = 0

        def made_by(*arguments: Any, ending: str = "json") -> dict[str, Any]:
            nonlocal number
            number += 1
            text = run(folder, *arguments, "-o", f"out{number}.{ending}").replace(f"out{number}.", "out.")
            return {"value": text.replace(str(folder), "."), "file": read(folder / f"out{number}.{ending}")}

        def said(*arguments: Any) -> dict[str, Any]:
            return {"value": run(folder, *arguments).replace(str(folder), ".")}

        for key in ("exact", "auto"):
            run(folder, "tune", "scores_wide.csv", "labels_wide.csv", "--method", key, "-o", f"{key}.json")
        pairs = [(one, "labels_wide.csv") for one in scores] + [("scores_wide.csv", one) for one in labels]
        pairs += [(form.format("scores"), form.format("labels")) for form in bare]
        pairs += [
            ("scores_few.csv", "labels_tags.csv"),
            ("scores_long.parquet", "labels_pairs.csv"),
            ("scores.h5", "labels.npz"),
        ]
        for one, other in dict.fromkeys(pairs):
            key = f"{one} {other}"
            results.keep(f"file/tune/exact/{key}", made_by, "tune", one, other, "--method", "exact")
            if "wide.csv " in key or ".npz" in key:
                results.keep(f"file/tune/auto/{key}", made_by, "tune", one, other)
            known = ["scores_sparse.npz", "scores.npy", "panns.h5"]
            given = "0.4" if one in known else "exact.json"
            results.keep(f"file/evaluate/{key}", made_by, "evaluate", one, other, given, ending="csv")
            results.keep(
                f"file/compare/{key}", said, "compare", one, other, "--methods", "fixed:0.5,exact", "--cv", 3
            )
        for one in (*scores, *(form.format("scores") for form in bare)):
            for key in ("exact", "auto"):
                results.keep(f"file/apply/{key}/{one}", made_by, "apply", one, f"{key}.json", ending="csv")
        for ending in ("csv", "tsv", "parquet", "npy", "npz", "h5"):
            for layout in ("tags", "wide", "long"):
                for one in ("scores_turned.csv", "scores_few.csv", "scores.npy"):
                    key = f"file/apply/{layout}/{ending}/{one}"
                    results.keep(key, made_by, "apply", one, "exact.json", "--layout", layout, ending=ending)
        files = ("scores_turned.csv", "labels_tags.csv")
        for options in (
            "--metric mcc --average macro --method exact",
            "--metric fbeta --beta 0.5 --average weighted --placement score --method exact",
            "--metric cost --costs 1,5 --method sgl --zero-division 1",
            "--groups groups.csv --min-positive 20 --seed 4",
            "--target-prevalence shares.csv --method exact",
            "--target-prevalence shares.csv",
            "--adapt-to scores_turned.parquet",
        ):
            results.keep(f"file/options/tune {options}", made_by, "tune", *files, *options.split())
        for options in (
            "exact.json --baseline 0.5 --groups groups.csv",
            "auto.json --metric mcc --average macro --baseline exact.json",
            "0.3 --learning-curve --metric cost --costs 1,2",
        ):
            results.keep(
                f"file/options/evaluate {options}", made_by, "evaluate", *files, *options.split(), ending="csv"
            )
        for options in (
            "compare --groups groups.csv --repeats 2 --methods exact,top-k",
            "compare --average macro --metric kappa --jobs 2 --seed 3",
            "learning-curve --method exact --groups groups.csv",
            "learning-curve --average weighted --method shared --cv 3",
            "curve --label tag_b",
        ):
            command, *rest = (part.replace("tag_b", "tag b") for part in options.split())
            results.keep(f"file/options/{options}", said, command, *files, *rest)
        for options in (
            "--no-compare",
            "exact.json --methods exact,shared --cv 3 --groups groups.csv --title T",
            "0.4 --no-compare",
        ):
            results.keep(
                f"file/options/report {options}", made_by, "report", *files, *options.split(), ending="html"
            )
        exports(results, folder, made_by, said)
        results.keep(
            "file/process",
            lambda: (
                subprocess.run(
                    [sys.executable, "-m", "limen", "show", "exact.json"],
                    cwd=folder,
                    capture_output=True,
                    text=True,
                    check=True,
                    env={**os.environ, "COLUMNS": "200"},
                ).stdout
            ),
        )


def exports(results: Results, folder: Path, made_by: Callable[..., Any], said: Callable[..., Any]) -> None:
    for key in ("exact", "auto"):
        file = f"{key}.json"
        results.keep(f"file/show/{key}", said, "show", file)
        results.keep(f"file/show/{key}/sorted", said, "show", file, "--sort", "f1", "--most", 2)
        for options in ("sql", "sql --layout long --table t --every-row", "duckdb --name mine"):
            command, *rest = options.split()
            results.keep(f"file/export/{options}/{key}", said, "export", command, file, *rest)
        results.keep(f"file/export/birdnet/{key}", made_by, "export", "birdnet", file, ending="txt")
        onnx.save(tagger("float32", len(LABELS), "Sigmoid"), folder / "tagger.onnx")

        def in_model(file: str = file) -> dict[str, Any]:
            target = f"{file}.onnx"
            try:
                text = run(folder, "export", "onnx", "tagger.onnx", file, "-o", target)
            except RuntimeError:  # before the reorganisation
                text = run(folder, "onnx", "tagger.onnx", file, "-o", target)
            return {"value": text, "nodes": [node.op_type for node in onnx.load(folder / target).graph.node]}

        def in_config(file: str = file) -> dict[str, Any]:
            config = folder / "config.json"
            config.write_text(json.dumps({"id2label": dict(enumerate(LABELS))}))
            text = run(folder, "export", "huggingface", file, config)
            return {"value": text.replace(str(folder), "."), "config": read(config)}

        results.keep(f"file/export/onnx/{key}", in_model)
        results.keep(f"file/export/huggingface/{key}", in_config)
        lines = [
            [3 * row, 3 * row + 3, tag, tag, f"{SCORES[row, k]:.4f}"]
            for row in range(30)
            for k, tag in enumerate(LABELS)
        ]
        header = ["Start (s)", "End (s)", "Scientific name", "Common name", "Confidence"]
        write_text(folder / "detections.csv", header, lines)
        results.keep(f"file/birdnet-filter/{key}", made_by, "birdnet-filter", "detections.csv", file, ending="csv")


PARTS = (commands,)
