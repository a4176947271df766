"""Reading files of several shapes: limen against Polars and pandas, and its memory.

python benchmarks/reading.py [--shapes 3x2000,1000x6000] prints a markdown table; nothing but free disk is needed.
Each reading is a process of its own: CPU seconds without the import, best of three, and the most memory in MB.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

READERS = {
    "limen": "import duckdb, limen.files.reading as files\ndef read(p): files.read_table(p, kind='scores')",
    "polars": "import polars\ndef read(p): getattr(polars, 'read_' + p.split('.')[-1])(p)",
    "pandas": "import pandas, pyarrow.parquet\ndef read(p): getattr(pandas, 'read_' + p.split('.')[-1])(p)",
}
MEASURE = """
import sys, time
start = time.process_time()
read(sys.argv[1])
seconds = time.process_time() - start
most = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(seconds, int(most) // 1024)
"""


def write(folder: Path, n_items: int, n_labels: int) -> list[Path]:
    """Write scores with an id column, as .csv and .parquet, and return the paths."""
    scores = np.random.default_rng(0).random((n_items, n_labels)).round(6)
    ids = [f"clip{row}" for row in range(n_items)]
    frame = pl.DataFrame({"id": ids, **{f"label {k}": scores[:, k] for k in range(n_labels)}})
    paths = [folder / f"{n_items}x{n_labels}.csv", folder / f"{n_items}x{n_labels}.parquet"]
    frame.write_csv(paths[0])
    frame.write_parquet(paths[1])
    return paths


def measure(reader: str, path: Path) -> tuple[float, float]:
    """Return the CPU seconds and MB of one reader."""
    command = [sys.executable, "-c", READERS[reader] + MEASURE, str(path)]
    done = [subprocess.run(command, check=True, capture_output=True, text=True) for _ in range(3)]
    runs = [run.stdout.split()[-2:] for run in done]
    return min(float(run[0]) for run in runs), min(float(run[1]) for run in runs)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", default="3x2000,3x20000,1000x6000,10000x600,1000000x20")
    print("| file | limen: s | MB | Polars: s | MB | pandas: s | MB | limen / Polars | limen / pandas |")
    print("|---|---|---|---|---|---|---|---|---|")
    for shape in parser.parse_args().shapes.split(","):
        n_items, n_labels = map(int, shape.split("x"))
        with tempfile.TemporaryDirectory() as folder:
            for path in write(Path(folder), n_items, n_labels):
                found = [measure(reader, path) for reader in READERS]
                cells = " | ".join(f"{seconds:.3g} | {memory:.0f}" for seconds, memory in found)
                ratios = " | ".join(f"{found[0][0] / seconds:.1f}" for seconds, _ in found[1:])
                print(f"| {path.name} | {cells} | {ratios} |", flush=True)


if __name__ == "__main__":
    main()
