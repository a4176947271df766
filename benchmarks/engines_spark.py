"""Spark on this machine: time against rows and against cores, in memory beside it.

Each run has a session of its own, ``local[1]`` or ``local[2]``; frames are read from Parquet. Thresholds are
compared with those of memory in every run. Usage: ``python benchmarks/engines_spark.py [--items 50000 100000]``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import limen


def problem(n_items: int, n_labels: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    share = np.geomspace(0.001, 0.2, n_labels)
    y_true = rng.random((n_items, n_labels)) < share
    noise = rng.normal(np.where(y_true, 1.5, 0) + np.log(share), 1)
    return y_true, (1 / (1 + np.exp(-noise))).round(4).astype(np.float32)


def write(folder: Path, n_items: int, n_labels: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    y_true, y_score = problem(n_items, n_labels)
    ids = pa.array([f"item {k:09}" for k in range(n_items)])
    for name, values in (("scores", y_score), ("truth", y_true)):
        cells = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), n_labels).cast(
            pa.list_(pa.from_numpy_dtype(values.dtype))
        )
        pq.write_table(pa.table({"id": ids, name: cells}), folder / f"{name}.parquet", row_group_size=10_000)


def run(folder: Path, cores: int, n_labels: int) -> None:
    """Print the seconds of two runs, the first with starting Python and loading limen, and the thresholds."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(f"local[{cores}]").config("spark.driver.memory", "2g")
    for key, value in (("ui.enabled", "false"), ("ui.showConsoleProgress", "false"), ("driver.host", "127.0.0.1")):
        builder = builder.config(f"spark.{key}", value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    labels = [str(k) for k in range(n_labels)]
    for _ in range(2):
        start = time.perf_counter()
        frames = [spark.read.parquet(str(folder / f"{name}.parquet")) for name in ("truth", "scores")]
        t = limen.tune(*frames, labels=labels, method="exact")
        print(f"RUN {time.perf_counter() - start:.2f} {t.values.tobytes().hex()}")
    spark.stop()


def measured(folder: Path, cores: int, n_labels: int) -> tuple[list[float], str]:
    """Return the seconds and the thresholds of `run` in a process of its own."""
    command = [sys.executable, __file__, "--run", str(folder), str(cores), str(n_labels)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("RUN ")]
    return [float(line[1]) for line in lines], lines[-1][2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=[50_000, 100_000, 200_000])
    parser.add_argument("--labels", type=int, default=50)
    parser.add_argument("--run", nargs=3)
    given = parser.parse_args()
    if given.run:
        run(Path(given.run[0]), int(given.run[1]), int(given.run[2]))
        return
    print("| items x labels | memory, s | Spark, 1 core, s | Spark, 2 cores, s | same thresholds |")
    print("|---|---|---|---|---|")
    for n_items in given.items:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write(folder, n_items, given.labels)
            y_true, y_score = problem(n_items, given.labels)
            limen.tune(y_true, y_score, method="exact")  # compiles, once
            start = time.perf_counter()
            expected = limen.tune(y_true, y_score, method="exact").values.tobytes().hex()
            memory = time.perf_counter() - start
            one, two = (measured(folder, cores, given.labels) for cores in (1, 2))
        same = "yes" if {one[1], two[1]} == {expected} else "NO"
        print(
            f"| {n_items} x {given.labels} | {memory:.2f} | {one[0][-1]:.1f} | {two[0][-1]:.1f} | {same} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
