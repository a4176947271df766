"""Dask: time against rows and against workers, each kept to one core, and what the workers and the driver hold.

python benchmarks/engines_dask.py [--rows 200000,400000,800000] [--labels 100] prints a markdown table. Scores lie
in .npy files of one block each, written first; every figure is the best of three runs, after one to warm up.
"""

from __future__ import annotations

import argparse
import os
import pickle
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster

from limen.curves import Curves, merged
from limen.data import as_data
from limen.engines.dask import curves_of
from limen.shards import Cuts, count_shard

BLOCK, RUNS = 40_000, 3


def write(folder: Path, n_items: int, n_labels: int) -> None:
    """Write scores and labels, a pair of files for each block."""
    prevalence = np.geomspace(0.0005, 0.05, n_labels)
    for block in range(n_items // BLOCK):
        rng = np.random.default_rng(block)
        y_true = rng.random((BLOCK, n_labels)) < prevalence
        np.save(folder / f"labels{block}.npy", y_true)
        scores = rng.normal(np.where(y_true, 1.5, 0) + np.log(prevalence), 1)
        np.save(folder / f"scores{block}.npy", scores.astype(np.float32))


def read(name: str, folder: str, block_info: Any = None) -> np.ndarray:
    """Return a block of a file."""
    return np.load(Path(folder) / f"{name}{block_info[None]['chunk-location'][0]}.npy")


def held(name: str, folder: str, n_items: int, n_labels: int) -> da.Array:
    """Return scores or labels as a Dask array whose blocks are files."""
    chunks = ((BLOCK,) * (n_items // BLOCK), (n_labels,))
    dtype = np.float32 if name == "scores" else np.bool_
    return da.map_blocks(read, name, folder, chunks=chunks, dtype=dtype, meta=np.empty((0, 0), dtype))


def peak_mb() -> float:
    """Return the most memory that this process has held, in MB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def forget_peak() -> None:
    """Let the most memory held be counted anew."""
    Path("/proc/self/clear_refs").write_text("5")


def keep_to(core: int) -> None:
    """Keep a process, with all threads that it has, to one core."""
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # a thread that has ended meanwhile
            os.sched_setaffinity(int(thread.name), {core})


def two_passes(folder: str, n_items: int) -> None:
    """Count the same files one by one."""

    def parts() -> Any:
        for block in range(n_items // BLOCK):
            pair = (np.load(Path(folder) / f"{name}{block}.npy") for name in ("labels", "scores"))
            yield as_data(*pair)

    cuts = reduce(or_, map(Cuts.of, parts()))
    curves = None
    for part in parts():
        own = replace(count_shard(part, cuts), sources=())
        curves = own if curves is None else merged([curves, own])


def alone(folder: str, n_items: int) -> tuple[float, float]:
    """Return the seconds, and the CPU seconds, that one process on one core needs for the same."""
    before, runs = os.sched_getaffinity(0), []
    keep_to(min(before))
    two_passes(folder, BLOCK)
    for _ in range(RUNS):
        start, cpu = time.perf_counter(), time.process_time()
        two_passes(folder, n_items)
        runs.append((time.perf_counter() - start, time.process_time() - cpu))
    os.sched_setaffinity(0, before)
    return min(seconds for seconds, _ in runs), min(cpu for _, cpu in runs)


def on_cluster(client: Client, y_true: da.Array, y_score: da.Array) -> tuple[Curves, float, float, float]:
    """Return the curves, the seconds, the CPU seconds of the busiest worker, and the MB of the largest."""
    curves_of(y_true[:BLOCK], y_score[:BLOCK])
    client.run(forget_peak)
    runs = []
    for _ in range(RUNS):
        before, start = client.run(time.process_time), time.perf_counter()
        curves = curves_of(y_true, y_score)
        seconds, after = time.perf_counter() - start, client.run(time.process_time)
        runs.append((seconds, max(after[worker] - before[worker] for worker in after)))
    largest = max(client.run(peak_mb).values())
    return curves, min(seconds for seconds, _ in runs), min(cpu for _, cpu in runs), largest


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="200000,400000,800000")
    parser.add_argument("--labels", type=int, default=100)
    asked = parser.parse_args()
    sizes, cores = [int(size) for size in asked.rows.split(",")], sorted(os.sched_getaffinity(0))
    print("| rows | workers | seconds | CPU s of the busiest worker | MB of a worker | MB of the curves |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), max(sizes), asked.labels)
        for n_items in sizes:
            seconds, cpu = alone(folder, n_items)
            print(f"| {n_items:,} | one process without Dask | {seconds:.2f} | {cpu:.2f} | | |".replace(",", " "))
            y_true, y_score = (held(name, folder, n_items, asked.labels) for name in ("labels", "scores"))
            found = []
            for workers in (1, 2):
                with (
                    LocalCluster(
                        n_workers=workers, threads_per_worker=1, memory_limit="2GB", dashboard_address=":0"
                    ) as cluster,
                    Client(cluster) as client,
                ):
                    for worker, core in zip(client.scheduler_info()["workers"], cores, strict=False):
                        client.run(keep_to, core, workers=[worker])
                    curves, seconds, cpu, largest = on_cluster(client, y_true, y_score)
                found.append(curves)
                size = len(pickle.dumps(curves)) / 1e6
                row = f"| {n_items:,} | {workers} | {seconds:.2f} | {cpu:.2f} | {largest:.0f} | {size:.1f} |"
                print(row.replace(",", " "), flush=True)
            if found[0] != found[1]:
                raise SystemExit("the curves differ")


if __name__ == "__main__":
    main()
