"""Similarity-preserving distillation: students of three sizes, paired by seed, on mixtures of spoken digits.

python benchmarks/learn_similarity.py --data DIR -o DIR [--seeds 5], where the first has fsdd_recordings.npz. A run
that was stopped goes on where it was. Set OMP_NUM_THREADS=1: threads make short times noise. Exit code 1 if a bar
was missed.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from limen.learn.recipes.similarity import PLAN, study
from report import Checks, machine, markdown, say

SIZES = (9, 6, 19)
"""Channels of the first layer: 8 229, 3 870 and 34 459 parameters."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True, help="where finished runs are kept")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    bars = Checks()
    print(machine(["limen", "numpy", "scikit-learn", "torch"]))
    print(f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'not set')}\n")
    plan = PLAN._replace(students=SIZES, seeds=options.seeds)
    logits = PLAN._replace(arms=(*PLAN.arms, "kd", "kd+iusp"), seeds=options.seeds)
    for number, part in enumerate((plan, logits)):
        outcome = study(
            options.data, options.output, 0, lambda step, steps, note: say(f"{step} of {steps}, {note}"), part
        )
        print(markdown(outcome.headings, outcome.rows), *outcome.notes, sep="\n", end="\n\n")
        for check in () if number else outcome.checks:
            bars.add(check.passed, f"{check.what}: required {check.required}, measured {check.measured}")
    print(bars)
    return bars.exit_code


if __name__ == "__main__":
    sys.exit(main())
