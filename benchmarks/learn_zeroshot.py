"""Audio-visual generalized zero-shot: 20 fixed pairs of unseen digits, two seeds; what was to be reached.

python benchmarks/learn_zeroshot.py --data DIR [--pairs 20] [--seeds 2] [--output build/zeroshot], where DIR has
fsdd_recordings.npz. Runs that are in the output folder are not done again. Exit code 1 if a bar was missed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from limen.learn.recipes.zeroshot import HEADINGS, INPUTS, MEASURED, METHODS, checks, measure, pairs, rows
from report import Checks, machine, markdown, say


def main() -> int:
    """Run the benchmark and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("build/zeroshot"))
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    print(machine(["limen", "numpy", "scikit-learn", "torch"]), end="\n\n")
    found = measure(
        asked.data,
        asked.output,
        pairs()[: asked.pairs],
        range(asked.seeds),
        lambda step, steps, note: say(f"{step} of {steps}: {note}"),
    )
    print(markdown(HEADINGS, rows(found)), end="\n\n")
    differences = []
    for what in ("plain", "unseen_map"):
        at = MEASURED.index(what)
        for given in INPUTS:
            for other in METHODS[1:]:
                apart = found[given, METHODS[0]][:, at] - found[given, other][:, at]
                spread = apart.std(ddof=1) if len(apart) > 1 else float("nan")
                up = f"{np.count_nonzero(apart > 0)} of {len(apart)}"
                differences.append([given, what, other, f"{apart.mean():+.3f}", f"{spread:.3f}", up])
    headings = ["input", "figure", "AVGZSLNet less", "mean", "sd over runs", "runs up"]
    print(markdown(headings, differences), end="\n\n")
    bars = Checks()
    for check in checks(found):
        bars.add(check.passed, f"{check.what}: required {check.required}, measured {check.measured}")
    print(bars)
    return bars.exit_code


if __name__ == "__main__":
    sys.exit(main())
