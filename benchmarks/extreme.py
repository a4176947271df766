"""Very many labels: time and memory of limen on sparse scores, and xCOLUMNs beside it where both apply.

python benchmarks/extreme.py [--largest ITEMS] [--stored SCORES] [--cases CASES] [--xcolumns PYTHON] prints tables.

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

from limen.errors import count, percent
from report import brief, markdown

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


def save(folder: str, parts: dict[str, np.ndarray]) -> None:
    for name, array in parts.items():
        np.save(f"{folder}/{name}.npy", array)


def output_of(*command: str) -> dict[str, Any]:
    """Return what a command prints as JSON."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout))


def rows_of(shape: tuple[int, int], stored: int, cases: list[str]) -> list[list[str]]:
    """Measure each case in a process of its own, and return the rows of the table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        save(folder, made(*shape, stored))
        for case in cases:
            found = output_of(sys.executable, __file__, "--one", folder, case)
            expected = found["reason"] if found["expected"] is None else percent(found["expected"][0])
            scores = f"{found['stored'] / 1e6:.1f} million scores"
            size = f"{count(shape[0], 'item')}, {count(shape[1], 'label')}, {scores}"
            figures = [brief(found["seconds"]), f"{found['peak']:.1f}", percent(found["value"]), expected or ""]
            rows.append([size, case, *figures])
            print(*rows[-1], file=sys.stderr, flush=True)
    return rows


def beside_xcolumns(python: str, stored: int) -> list[list[str]]:
    """Return what limen and xCOLUMNs give on items tuned on and on new ones."""
    import limen

    warnings.simplefilter("ignore")
    rows, (n_items, n_labels) = [], SIZES[0]
    y_true, y_score = matrices(made(2 * n_items, n_labels, stored))
    halves = [(y_true[some], y_score[some]) for some in (slice(n_items), slice(n_items, 2 * n_items))]
    with tempfile.TemporaryDirectory() as train, tempfile.TemporaryDirectory() as test:
        for folder, half in zip((train, test), halves, strict=True):
            parts = {
                f"{part}_{name}": getattr(matrix, name)
                for part, matrix in zip(("true", "score"), half, strict=True)
                for name in ("data", "indices", "indptr")
            }
            save(folder, {**parts, "shape": np.array([n_items, n_labels])})
        for average in ("macro", "micro"):
            for method in ("fixed:0.5", "exact", "auto"):
                start = time.perf_counter()
                t = limen.tune(*halves[0], average=average, method=method)
                seconds = time.perf_counter() - start
                values = percent(t.value), percent(limen.evaluate(*halves[1], t).value)
                rows.append([average, f"limen {method}", *values, brief(seconds)])
            for method in ("frank-wolfe", "coordinate") if average == "macro" else ("frank-wolfe",):
                rival = str(Path(__file__).with_name("extreme_rival.py"))
                found = output_of(python, rival, train, test, average, method)
                values = percent(found["train"]), percent(found["test"])
                rows.append([average, f"xCOLUMNs {method}", *values, brief(found["seconds"])])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--largest", type=int, default=1_000_000)
    parser.add_argument("--stored", type=int, default=20)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--xcolumns", metavar="PYTHON")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(Path(args.one[0]), args.one[1])))
        return
    shapes = [shape for shape in SIZES if shape[0] <= args.largest]
    rows = [row for shape in shapes for row in rows_of(shape, args.stored, args.cases.split(","))]
    print(markdown(["data", "", "seconds", "peak / input", "value", "expected on new data"], rows))
    if args.xcolumns:
        print(
            "\n"
            + markdown(
                ["average", "", "tuned on", "new items", "seconds"], beside_xcolumns(args.xcolumns, args.stored)
            )
        )


if __name__ == "__main__":
    main()
