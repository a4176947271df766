"""A long table counted by DuckDB in bounded memory, against reading it into memory: time and peak memory.

``python benchmarks/long_tables.py --rows 5000000 50000000 --in-memory 5000000``
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb

LABELS, AN_ITEM = 1000, 50

COUNT = """
import json, resource, sys, time
import limen._kernels
from limen.curves import Curves
how, folder, memory_mb = sys.argv[1], sys.argv[2], int(sys.argv[3])
labels, scores = f"{folder}/tags.parquet", f"{folder}/scores.parquet"
Curves.from_arrays([[0], [1]], [[0.1], [0.2]])
start = time.perf_counter()
if how == "duckdb":
    from limen.engines.duckdb import opened
    with opened(labels, scores, memory_mb=memory_mb, temp_directory=folder) as data:
        read = time.perf_counter() - start
        curves = Curves.from_source(data.source)
else:
    from limen.data import as_data
    from limen.files.reading import join, read_table
    joined = join(read_table(scores, kind="scores"), read_table(labels, kind="labels"))
    data = as_data(joined.y_true, joined.y_score, labels=joined.labels)
    read = time.perf_counter() - start
    curves = Curves.from_source(data.source)
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "read_s": read, "count_s": time.perf_counter() - start - read, "processor_s": used.ru_utime + used.ru_stime,
    "peak_mb": used.ru_maxrss // 1024, "digest": curves.digest(), "candidates": len(curves.tp),
}))
"""


def make(folder: Path, n_rows: int) -> int:
    """Write a table of scores and one of tags; return the bytes of the scores."""
    con = duckdb.connect(config={"threads": 2, "memory_limit": "2GB"})
    con.execute("SELECT setseed(0.5)")
    con.execute(
        f"""COPY (
            SELECT 'clip' || lpad((i // {AN_ITEM})::VARCHAR, 8, '0') AS id,
                'label ' || ((i % {AN_ITEM}) * {LABELS // AN_ITEM} + hash(i) % {LABELS // AN_ITEM})::INT AS label,
                (0.05 + 0.95 * pow(random(), 4))::FLOAT AS score
            FROM range({n_rows}) t(i)
        ) TO '{folder}/scores.parquet'"""
    )
    con.execute(
        f"""COPY (
            SELECT id, label FROM '{folder}/scores.parquet' WHERE hash(id, label) % 1000 < 100 * score
            UNION ALL
            SELECT DISTINCT id, NULL FROM '{folder}/scores.parquet'
        ) TO '{folder}/tags.parquet'"""
    )
    return (folder / "scores.parquet").stat().st_size


def measured(how: str, folder: Path, memory_mb: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", COUNT, how, str(folder), str(memory_mb)], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000_000])
    parser.add_argument("--in-memory", type=int, default=5_000_000, help="up to this size, read into memory too")
    parser.add_argument("--memory-mb", type=int, default=500)
    options = parser.parse_args()
    print("| rows | Parquet | way | read, s | counted, s | processor, s | peak memory, MB |")
    print("|---|---|---|---|---|---|---|")
    for n_rows in options.rows:
        with tempfile.TemporaryDirectory() as place:
            size = make(Path(place), n_rows)
            found = {"duckdb": measured("duckdb", Path(place), options.memory_mb)}
            if n_rows <= options.in_memory:
                found["memory"] = measured("memory", Path(place), options.memory_mb)
                assert found["memory"]["digest"] == found["duckdb"]["digest"]
            for how, row in found.items():
                print(
                    f"| {n_rows:,} | {size / 1e6:.0f} MB | {how} | {row['read_s']:.1f} | {row['count_s']:.1f} | "
                    f"{row['processor_s']:.0f} | {row['peak_mb']:,.0f} |".replace(",", " "),
                    flush=True,
                )


if __name__ == "__main__":
    main()
