"""Very many labels: time and memory of limen on sparse scores, and xCOLUMNs beside it where both apply.

python benchmarks/extreme.py [--largest 1000000] [--xcolumns PYTHON] [--keep FOLDER]

Scores are simulated: labels as frequent as the cube of a uniform number makes them, five positives an item,
of which nine in ten have a score. Each figure is of a process of its own; PYTHON has xcolumns.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

POSITIVES = 5
SIZES = ((10_000, 5_000), (100_000, 50_000), (1_000_000, 500_000))
CASES = ("exact micro", "exact macro", "auto micro", "auto macro")


def made(n_items: int, n_labels: int, stored: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return sparse labels and scores as arrays, about ``stored`` scores an item."""
    rng = np.random.default_rng(seed)
    name = rng.permutation(n_labels)

    def drawn(number: int) -> np.ndarray:
        label = name[np.minimum((n_labels * rng.random(n_items * number) ** 3).astype(np.int64), n_labels - 1)]
        return np.repeat(np.arange(n_items), number) * n_labels + label

    true = np.unique(drawn(POSITIVES))
    every = np.unique(np.concatenate([true[rng.random(len(true)) < 0.9], drawn(stored - POSITIVES)]))
    z = rng.normal(np.where(np.isin(every, true, assume_unique=True), 0.5, -2.0), 1.5)
    found = {"shape": np.array([n_items, n_labels])}
    for part, key, data in (("true", true, np.ones(len(true), bool)), ("score", every, 1 / (1 + np.exp(-z)))):
        row, column = np.divmod(key, n_labels)
        found[f"{part}_indices"] = column.astype(np.int32)
        ends = np.cumsum(np.bincount(row, minlength=n_items))
        found[f"{part}_indptr"] = np.concatenate([[0], ends]).astype(np.int32)
        found[f"{part}_data"] = data if part == "true" else data.astype(np.float32)
    return found


def matrices(parts: dict[str, np.ndarray]) -> tuple[Any, Any]:
    """Return labels and scores as scipy's matrices."""
    from scipy import sparse

    found = []
    for part in ("true", "score"):
        arrays = tuple(parts[f"{part}_{name}"] for name in ("data", "indices", "indptr"))
        found.append(sparse.csr_array(arrays, parts["shape"]))
    return found[0], found[1]


def read(folder: Path) -> tuple[Any, Any]:
    return matrices({path.stem: np.load(path) for path in folder.glob("*.npy")})


def _resident(field: str) -> int:
    return 1024 * int(Path("/proc/self/status").read_text().split(f"{field}:")[1].split()[0])


def measure(folder: Path, case: str) -> dict[str, Any]:
    """Run one case in this process: seconds, and the peak memory beyond what an idle limen takes, in bytes."""
    import limen

    warnings.simplefilter("ignore")
    method, average = case.split()
    limen.tune(*matrices(made(200, 100, 20)), method=method, average=average)  # compiles
    idle = _resident("VmRSS")
    y_true, y_score = read(folder)
    size = sum(x.nbytes for y in (y_true, y_score) for x in (y.data, y.indices, y.indptr))
    start = time.perf_counter()
    t = limen.tune(y_true, y_score, method=method, average=average)
    seconds = time.perf_counter() - start
    peak = _resident("VmHWM") - idle
    expected = None if t.expected is None else list(t.expected)
    return {
        "seconds": seconds,
        "peak": peak / size,
        "input": size,
        "stored": int(y_score.nnz),
        "value": t.value,
        "expected": expected,
        "reason": t.expected_reason,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--largest", type=int, default=1_000_000)
    parser.add_argument("--stored", type=int, default=20)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--xcolumns")
    parser.add_argument("--one", nargs=2)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(Path(args.one[0]), args.one[1])))
        return
    for n_items, n_labels in SIZES:
        if n_items > args.largest:
            break
        with tempfile.TemporaryDirectory() as folder:
            for name, array in made(n_items, n_labels, args.stored).items():
                np.save(f"{folder}/{name}.npy", array)
            for case in args.cases.split(","):
                command = [sys.executable, __file__, "--one", folder, case]
                done = subprocess.run(command, capture_output=True, text=True)
                print(n_items, n_labels, case, done.stdout.strip() or done.stderr[-2000:], flush=True)


if __name__ == "__main__":
    main()
