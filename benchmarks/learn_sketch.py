"""Sketched binary relevance: cost against theory, micro-F1 after thresholds, seconds against other fits.

python benchmarks/learn_sketch.py --data DIR [--seeds 5] [--repeats 5] [--labels 2] [--only theory,quality,speed],
where DIR has esc10.zip and delicious.npz. Set OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1: threads make short
times noise. Exit code 1 if a bar was missed.
"""

# ruff: noqa: N806 - X and Y are what the equations call them

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier

from limen.learn import SketchedBinaryRelevance
from limen.learn.recipes.sketch import (
    HEADINGS,
    SIZES,
    bookmarks_of,
    checks,
    fitted,
    frames_of,
)
from limen.learn.sketch import expected_cost_ratio
from report import Checks, brief, interleaved, machine, markdown, say, seconds

SKETCHES = ("gaussian", "hadamard", "count")


def theory(seeds: int, bars: Checks) -> None:
    """Measure normal features of full rank: the mean cost ratio is known exactly for the Gaussian sketch."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40_000, 99))
    Y = (X @ rng.standard_normal((99, 8)) + 10 * rng.standard_normal((40_000, 8)) > 10).astype(np.int8)
    rows = []
    for size in SIZES:
        expected, row = expected_cost_ratio(100, int(100 * size)), [f"{size:g}"]
        for sketch in SKETCHES:
            models = [
                SketchedBinaryRelevance(sketch, size, alpha=0, random_state=k).fit(X, Y) for k in range(seeds)
            ]
            delta = [model.suboptimality(X, Y) for model in models]
            ratio = float(np.mean(np.square(1 + np.array(delta))))
            row += [f"{ratio:.3f}"]
            name = f"normal features, {sketch} at {size:g}: cost ratio over theory's"
            if sketch == "hadamard":
                bars.at_most(name, ratio / expected, 1.02)
            else:
                bars.at_most(f"{name}, off by", abs(ratio / expected - 1), 0.05)
        rows.append([*row, f"{expected:.3f}"])
    print(markdown(["rows / columns", *SKETCHES, "theory"], rows), end="\n\n")


def quality(data: Path, seeds: int, bars: Checks) -> None:
    """Measure cost and micro-F1 of every sketch and size on the two real sets."""
    fits = []
    for problem in (bookmarks_of(data), frames_of(data)):
        plans = [("exact", 1.0), ("row sampling", 4.0)]
        if problem.name == "Delicious":
            plans += [(sketch, size) for sketch in SKETCHES for size in SIZES]
        else:
            plans += [("count", size) for size in (*SIZES, 32.0)] + [("hadamard", 8.0)]
        for sketch, size in plans:
            say(f"{problem.name}, {sketch} {size:g}")
            fits.append(fitted(problem, sketch, size, 0, seeds))
    print(markdown(HEADINGS[:-1], [fit.row()[:-1] for fit in fits]), end="\n\n")
    for check in checks(fits):
        bars.add(check.passed, f"{check.what}: required {check.required}, measured {check.measured}")


def speed(data: Path, repeats: int, n_labels: int, bars: Checks) -> None:
    """Time a fit on the frames, the exact fit written plainly, and solvers that go label by label."""
    problem = frames_of(data)
    X, Y = problem.train
    floats = Y.astype(np.float32)

    def plain() -> Any:
        gram = X.T @ X + 1e-6 * np.eye(X.shape[1], dtype=np.float32)
        return cho_solve(cho_factor(gram), X.T @ floats)

    def fit(sketch: str, size: float = 8.0) -> Any:
        return SketchedBinaryRelevance(sketch, size, random_state=0).fit(X, Y)

    quick = {
        "exact, plainly: X'X, Cholesky": plain,
        "exact: identity": lambda: fit("identity"),
        "count at 8": lambda: fit("count"),
        "count at 16": lambda: fit("count", 16.0),
    }
    timing = interleaved(quick, repeats)
    rows = [[name, brief(one.median), brief(one.best)] for name, one in timing.items()]
    for sketch in ("hadamard", "gaussian"):
        say(sketch)
        rows.append([f"{sketch} at 8, once", brief(seconds(lambda sketch=sketch: fit(sketch))), ""])
    solvers = {
        "Ridge(solver='lsqr')": Ridge(1e-6, solver="lsqr"),
        "SGDClassifier(max_iter=5)": SGDClassifier(max_iter=5, tol=None, random_state=0),
        "LogisticRegression(max_iter=50)": LogisticRegression(max_iter=50),
    }
    each = {}
    for name, solver in solvers.items():
        say(name)
        took = [seconds(lambda k=k, solver=solver: solver.fit(X, Y[:, k])) for k in range(n_labels)]
        each[name] = float(np.mean(took)) * Y.shape[1]
        rows.append([f"{name}, label by label ({n_labels} labels measured)", brief(each[name]), ""])
    print(f"{X.shape[0]} frames x {X.shape[1]} features and the intercept, {Y.shape[1]} labels, float32\n")
    print(markdown(["fit", "median, s", "best, s"], rows), end="\n\n")
    count = timing["count at 8"].median
    for name in list(quick)[:2]:
        bars.at_least(f"{name}, over count at 8", timing[name].median / count, 2.5)
    bars.at_least("Ridge(lsqr) label by label, over count at 8", each["Ridge(solver='lsqr')"] / count, 30)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--labels", type=int, default=2, help="labels that the iterative solvers are timed on")
    parser.add_argument("--only", default="theory,quality,speed")
    options = parser.parse_args()
    bars = Checks()
    print(machine(["limen", "numpy", "scipy", "scikit-learn"]))
    print(f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'not set')}\n")
    parts = options.only.split(",")
    if "theory" in parts:
        theory(options.seeds, bars)
    if "speed" in parts:
        speed(options.data, options.repeats, options.labels, bars)
    if "quality" in parts:
        quality(options.data, options.seeds, bars)
    print(bars)
    return bars.exit_code


if __name__ == "__main__":
    sys.exit(main())
