"""Rows against time and peak memory: in memory, streamed from .npy files, by DuckDB, by Spark and by Dask.

``python benchmarks/scale.py --rows 100000 500000 2000000 --engines memory stream dask spark duckdb`` writes
simulated scores (float32) and labels (1.5 % of them positive) of 527 labels, tunes on them with each engine, each
in a process of its own, and prints a table. Files are made one size at a time and deleted after it; ``--folder``
says where.

* "read" is the time that only reading and summing the same files takes, block by block, with a warm cache, in the
  same process just before and just after (the mean); its share of limen's time is the speed against reading.
* "peak" is the most memory that the process and all its children hold at a time (without pages of mapped files,
  which are the system's to take back), beyond what they held when the work began; kernels are compiled before.
* DuckDB reads long Parquet files of the scores above a floor, the others all scores; Spark reads Parquet files of
  an array for each item. Thresholds are compared with those of the first engine on the same scores.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

MIB, BLOCK_BYTES = 1 << 20, 1 << 25
PREVALENCE = (0.0004, 0.08)  # from the rarest label to the commonest, 1.5 % on the average
FLOOR = 1.0  # a long table has what is above: about 4 % of the scores
ENGINES = ("memory", "stream", "dask", "spark", "duckdb")
WORKERS = 2


def blocks(n_rows: int, n_labels: int) -> Iterator[slice]:
    step = max(1, BLOCK_BYTES // (4 * n_labels))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def write_arrays(folder: Path, n_rows: int, n_labels: int) -> None:
    """Write scores.npy and labels.npy, in blocks."""
    draw = np.random.default_rng(n_rows)
    prevalence = np.geomspace(*PREVALENCE, n_labels).astype(np.float32)
    usual = np.log(prevalence / (1 - prevalence)).astype(np.float32)
    open_memmap = np.lib.format.open_memmap
    scores = open_memmap(folder / "scores.npy", "w+", np.float32, (n_rows, n_labels))
    labels = open_memmap(folder / "labels.npy", "w+", np.int8, (n_rows, n_labels))
    for rows in blocks(n_rows, n_labels):
        size = (rows.stop - rows.start, n_labels)
        positive = draw.random(size, np.float32) < prevalence
        labels[rows] = positive
        scores[rows] = draw.standard_normal(size, np.float32) + 3 * positive + usual / 2
    scores.flush()
    labels.flush()


def write_parquet(folder: Path, kind: str) -> None:
    """Write the same as Parquet files: of an array for each item, or long ones of what is above the floor."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    scores, labels = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("scores", "labels"))
    n_rows, n_labels = scores.shape
    names = pa.array([f"label {k}" for k in range(n_labels)])
    writers: dict[str, Any] = {}
    for rows in blocks(n_rows, n_labels):
        ids = np.arange(rows.start, rows.stop, dtype=np.int64)
        given = {"scores": np.array(scores[rows]), "labels": np.array(labels[rows])}
        if kind == "arrays":
            tables = {
                key: {"id": ids, key: pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), n_labels)}
                for key, values in given.items()
            }
            tables = {
                key: {**columns, key: columns[key].cast(pa.list_(columns[key].type.value_type))}
                for key, columns in tables.items()
            }
        else:
            kept = {"scores": np.nonzero(given["scores"] >= FLOOR), "labels": np.nonzero(given["labels"])}
            tables = {
                key: {
                    "id": ids[row],
                    "label": pa.DictionaryArray.from_arrays(pa.array(column.astype(np.int32)), names),
                }
                for key, (row, column) in kept.items()
            }
            tables["scores"]["score"] = given["scores"][kept["scores"]]
            tables["items"] = {"id": ids}
        for key, columns in tables.items():
            table = pa.table(columns)
            if key not in writers:
                writers[key] = pq.ParquetWriter(folder / f"{kind}_{key}.parquet", table.schema)
            writers[key].write_table(table)
    for writer in writers.values():
        writer.close()


def read_and_sum(*arrays: Any) -> float:
    """Return how long it takes to read arrays and add all their numbers, block by block."""
    begun = time.perf_counter()
    for array in arrays:
        for rows in blocks(*array.shape):
            np.sum(array[rows], dtype=np.float32 if array.dtype == np.float32 else np.int64)
    return time.perf_counter() - begun


def in_memory(folder: Path) -> tuple[Any, Any]:
    return np.load(folder / "labels.npy"), np.load(folder / "scores.npy")


def streamed(folder: Path) -> tuple[Any, Any]:
    return np.load(folder / "labels.npy", mmap_mode="r"), np.load(folder / "scores.npy", mmap_mode="r")


def of_dask(folder: Path) -> tuple[Any, Any]:
    import dask
    import dask.array as da
    from dask.distributed import Client, LocalCluster

    # Workers that are alive are kept until the process ends; a chunk is read by the worker that counts it.
    dask.config.set({"distributed.worker.memory.terminate": False})
    Client(LocalCluster(n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=":0"))
    shape = np.load(folder / "scores.npy", mmap_mode="r").shape
    rows = max(1, 4 * BLOCK_BYTES // (4 * shape[1]))

    def chunked(name: str) -> Any:
        dtype = np.load(folder / name, mmap_mode="r").dtype
        parts = [
            da.from_delayed(
                dask.delayed(_rows_of)(str(folder / name), start, min(start + rows, shape[0])),
                (min(start + rows, shape[0]) - start, shape[1]),
                dtype,
            )
            for start in range(0, shape[0], rows)
        ]
        return da.concatenate(parts)

    return chunked("labels.npy"), chunked("scores.npy")


def _rows_of(path: str, start: int, stop: int) -> Any:
    return np.array(np.load(path, mmap_mode="r")[start:stop])


def of_spark(folder: Path) -> tuple[Any, Any]:
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(f"local[{WORKERS}]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.driver.memory", "3g").config("spark.local.dir", str(folder / "spark"))
    spark = builder.config("spark.driver.maxResultSize", "2g").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    read = [spark.read.parquet(str(folder / f"arrays_{name}.parquet")) for name in ("labels", "scores")]
    return read[0], read[1]


def of_duckdb(folder: Path) -> tuple[Any, Any]:
    return str(folder / "long_labels.parquet"), str(folder / "long_scores.parquet")


def tuned(engine: str, y_true: Any, y_score: Any, n_labels: int, folder: Path, method: str) -> tuple[Any, float]:
    """Return the thresholds, and the seconds that their making takes."""
    import limen

    begun = time.perf_counter()
    names = [f"label {k}" for k in range(n_labels)]
    if engine == "duckdb":
        from limen.engines import duckdb

        items = str(folder / "long_items.parquet")
        curves = duckdb.curves(y_true, y_score, labels=names, items=items, temp_directory=folder)
        found = limen.tune(curves, method=method)
    else:
        found = limen.tune(y_true, y_score, labels=names, method=method)
    return found, time.perf_counter() - begun


OPEN: dict[str, Callable[[Path], tuple[Any, Any]]] = {
    "memory": in_memory,
    "stream": streamed,
    "dask": of_dask,
    "spark": of_spark,
    "duckdb": of_duckdb,
}


def child(engine: str, folder: Path, method: str) -> None:
    """Do one measurement, and print it; a line "ready" comes before the work begins."""
    import warnings

    import limen

    warnings.simplefilter("ignore")
    mapped = streamed(folder)
    first = [array[:400] for array in mapped]
    for small in (first, [np.array(array) for array in first]):
        limen.tune(*small, method=method)
    y_true, y_score = OPEN[engine](folder)
    arrays = (y_true, y_score) if engine == "memory" else mapped
    before = [read_and_sum(*arrays), read_and_sum(*arrays)][1]  # the first one warms the cache
    print("ready", flush=True)
    time.sleep(0.3)
    found, seconds = tuned(engine, y_true, y_score, mapped[1].shape[1], folder, method)
    print("done", flush=True)
    time.sleep(0.3)
    result = {
        "seconds": seconds,
        "read": (before + read_and_sum(*arrays)) / 2,
        "value": found.value,
        "status": found.status,
        "thresholds": hashlib.sha256(np.ascontiguousarray(found.values).tobytes()).hexdigest()[:12],
    }
    print(json.dumps(result), flush=True)
    os._exit(0)  # clusters take long to close, and tell of it


def held(root: int) -> float:
    """Return the MiB that a process and its children hold of their own."""
    parents, own = {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = dict(
                line.split(":", 1) for line in (entry / "status").read_text().splitlines() if ":" in line
            )
        except OSError:  # it has just ended
            continue
        parents[int(entry.name)] = int(fields["PPid"])
        own[int(entry.name)] = sum(int(fields[key].split()[0]) for key in ("RssAnon", "RssShmem") if key in fields)
    family, more = {root}, {root}
    while more:
        more = {number for number, parent in parents.items() if parent in more} - family
        family |= more
    return sum(own.get(number, 0) for number in family) / 1024


def measured(engine: str, folder: Path, method: str, limit: float) -> dict[str, Any]:
    """Return what a child measured, and the memory that it took."""
    command = [sys.executable, __file__, "--child", engine, "--folder", str(folder), "--method", method]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )
        timer = threading.Timer(limit, process.kill)
        timer.start()
        working, stop = threading.Event(), threading.Event()
        seen: list[float] = []

        def watch() -> None:
            while not stop.wait(0.05):
                if working.is_set():
                    seen.append(held(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        result: dict[str, Any] = {}
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("ready"):
                result["base"] = held(process.pid)
                working.set()
            elif line.startswith("done"):
                working.clear()
            elif line.startswith("{"):
                result.update(json.loads(line))
        process.wait()
        timer.cancel()
        stop.set()
        watcher.join()
        shutil.rmtree(folder / "spark", ignore_errors=True)
        if "seconds" not in result:
            errors.seek(0)
            last = errors.read().strip().splitlines()[-1:] or [f"exit status {process.returncode}"]
            return {"failed": last[0][:120]}
    return {**result, "peak": max(seen, default=0.0) - result["base"]}


def line_of(cells: list[Any]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 500_000, 2_000_000])
    parser.add_argument("--labels", type=int, default=527)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--methods", nargs="+", default=["exact", "auto"])
    parser.add_argument(
        "--folder", type=Path, help="where files are made and deleted; the system's folder for such"
    )
    parser.add_argument("--limit", type=float, default=1800.0, help="seconds after which an engine is given up")
    parser.add_argument("--child", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--method", default="exact", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.folder, given.method)
    header = ["rows", "GB", "engine", "method", "s", "read: s", "speed against reading", "peak MiB", "thresholds"]
    print(line_of(header) + "\n" + "|---" * len(header) + "|", flush=True)
    for n_rows in given.rows:
        with tempfile.TemporaryDirectory(prefix="scale-", dir=given.folder) as name:
            folder = Path(name)
            write_arrays(folder, n_rows, given.labels)
            for engine, kind in (("spark", "arrays"), ("duckdb", "long")):
                if engine in given.engines:
                    write_parquet(folder, kind)
            for method in given.methods:
                first: dict[str, str] = {}
                for engine in given.engines:
                    found = measured(engine, folder, method, given.limit)
                    size = f"{n_rows * given.labels * 4 / 1e9:.2f}"
                    if "failed" in found:
                        print(line_of([n_rows, size, engine, method, found["failed"], "", "", "", ""]), flush=True)
                        continue
                    table = "long" if engine == "duckdb" else "dense"
                    same = first.setdefault(table, found["thresholds"]) == found["thresholds"]
                    numbers = [f"{found['seconds']:.2f}", f"{found['read']:.2f}"]
                    share = f"{found['read'] / found['seconds']:.0%}" if table == "dense" else "-"
                    verdict = f"{found['status']}, {'the same' if same else 'OTHERS'}"
                    cells = [n_rows, size, engine, method, *numbers, share, f"{found['peak']:.0f}", verdict]
                    print(line_of(cells), flush=True)


if __name__ == "__main__":
    main()
