"""Table 2 of SGL-Thresh (Pellegrini & Masquelier, ICASSP 2021) from the authors' own scores.

python benchmarks/paper_table.py --data DIR, where DIR has dcase2017.npz and dcase2019.npz.
Prints the table and a line for each check; exit code 1 if a check fails.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import limen
from limen.solvers import Numerical, RandomSearch, Solver, SurrogateGradient
from report import Checks, machine, markdown

START = {"dcase2017": 0.3, "dcase2019": 0.5}
"""The authors' default threshold of each data set, from which the iterative methods start."""

PUBLISHED: dict[str, dict[str, tuple[float, float] | None]] = {
    "dcase2017": {
        "default": (59.0, 53.8),
        "heuristic": (61.4, 58.1),
        "numerical": (60.3, 58.7),
        "SGL": (62.0, 61.8),
        "exact": None,
    },
    "dcase2019": {
        "default": (71.3, 70.1),
        "heuristic": (71.4, 71.7),
        "numerical": (72.2, 71.4),
        "SGL": (73.0, 72.9),
        "exact": None,
    },
}
"""Micro-F1 in %: on the evaluation part, and on the validation part the thresholds come from."""

EXACT_ON_VALIDATION = {"dcase2017": 65.0, "dcase2019": 73.7}
SEEDS = range(10)


class Result(NamedTuple):
    """Micro-F1 in % on both parts, and seconds from scores to thresholds."""

    evaluation: float
    validation: float
    seconds: float


Parts = dict[str, NDArray[np.generic]]


def method_of(row: str, start: float) -> str | Solver:
    methods: dict[str, str | Solver] = {
        "default": f"fixed:{start}",
        "heuristic": RandomSearch(start=start),
        "numerical": Numerical(start=start),
        "SGL": SurrogateGradient(start=start),
        "exact": "exact",
    }
    return methods[row]


def run(parts: Parts, method: str | Solver, seed: int = 0) -> Result:
    begin = time.perf_counter()
    thresholds = limen.tune(parts["val_labels"], parts["val_scores"], method=method, random_state=seed)
    spent = time.perf_counter() - begin
    found = limen.evaluate(parts["eval_labels"], parts["eval_scores"], thresholds)
    return Result(100 * float(found.value), 100 * thresholds.value, spent)


def run_all(parts: Parts, name: str) -> dict[str, Result]:
    run(parts, "exact")
    return {row: run(parts, method_of(row, START[name])) for row in PUBLISHED[name]}


def rows_of(name: str, results: dict[str, Result]) -> list[list[str]]:
    rows = []
    for row, result in results.items():
        paper = PUBLISHED[name][row]
        label = f"{row} ({START[name]})" if row == "default" else row
        published = f"{paper[0]:.1f} ({paper[1]:.1f})" if paper else "-"
        ours = f"{result.evaluation:.1f} ({result.validation:.1f})"
        rows.append([name.upper(), label, published, ours, f"{result.seconds:.4f}"])
    return rows


def check(checks: Checks, name: str, results: dict[str, Result]) -> None:
    for row in ("SGL", "numerical"):
        paper = PUBLISHED[name][row]
        assert paper is not None
        checks.close(f"{name} {row}, eval", results[row].evaluation, paper[0], 0.3)
        checks.close(f"{name} {row}, validation", results[row].validation, paper[1], 0.3)
    exact = results["exact"].validation
    checks.close(f"{name} exact, validation", exact, EXACT_ON_VALIDATION[name], 0.05)
    best = max(results.items(), key=lambda item: item[1].validation)
    text = f"{name}: required that no row exceeds exact on validation ({exact:.3f})"
    checks.add(best[1].validation <= exact, f"{text}, measured {best[1].validation:.3f} ({best[0]})")


def heuristic_note(parts: Parts, name: str) -> str:
    """Say how our random search compares with the published one, over seeds."""
    paper = PUBLISHED[name]["heuristic"]
    assert paper is not None
    runs = [run(parts, method_of("heuristic", START[name]), seed) for seed in SEEDS]
    lines = [f"* {name.upper()} heuristic, seeds 0-{len(runs) - 1}:"]
    for part, published in zip(("evaluation", "validation"), paper, strict=True):
        found = sorted(getattr(one, part) for one in runs)
        middle = statistics.median(found)
        lines.append(f"  {part} {found[0]:.1f} to {found[-1]:.1f}, median {middle:.1f}, published {published}")
    return "\n".join(lines)


def notes(data: dict[str, Parts]) -> list[str]:
    return [
        "Figures are micro-F1 in %: evaluation (validation). Thresholds are tuned on validation only.",
        "",
        "* The published default is 0.3 for DCASE2017 and 0.5 for DCASE2019; SGL, numerical and the heuristic",
        "  start there, as the authors' did.",
        "* The heuristic is a random search, so its figure is a draw, and it does not reproduce the published",
        "  one: ours fits the validation part better. The table shows seed 0.",
        *(heuristic_note(parts, name) for name, parts in data.items()),
        "* Exact is the optimum on validation. On DCASE2019, whose evaluation part has other prevalences, it is",
        "  below SGL on evaluation: a better fit is not always a better forecast.",
        "* Seconds are of one run on these small sets, without warm-up of the methods themselves.",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with dcase2017.npz and dcase2019.npz")
    folder: Path = parser.parse_args().data
    data = {name: dict(np.load(folder / f"{name}.npz", allow_pickle=False)) for name in START}
    checks, rows = Checks(), []
    for name, parts in data.items():
        results = run_all(parts, name)
        rows += rows_of(name, results)
        check(checks, name, results)
    print(machine(["limen", "numpy", "numba"]), end="\n\n")
    print(markdown(["data", "method", "published", "limen", "seconds"], rows), end="\n\n")
    print("\n".join(notes(data)), end="\n\n")
    print(checks)
    return checks.exit_code


if __name__ == "__main__":
    sys.exit(main())
