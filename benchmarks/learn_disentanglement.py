"""Emotion without the person (EmoDB), digits without the speaker (FSDD): the full table, and the bars.

python benchmarks/learn_disentanglement.py --data DIR [--seeds 3] [--output FOLDER], where DIR has
emodb_recordings.npz and fsdd_recordings.npz. It takes some minutes, and goes on in FOLDER where it was stopped.
Set OMP_NUM_THREADS=1. Exit code 1 if a bar was missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from limen.learn.recipes.disentanglement import HEADINGS, Arm, measured
from report import Checks, machine, markdown, say


def differences(found: dict[str, list[Arm]]) -> list[list[str]]:
    """Return, for each method, how its runs differ from multitask's and from single task's, run by run."""
    rows = []
    for data, arms in found.items():
        single, multi = arms[:2]
        for arm in arms[2:]:
            row = [data, arm.name]
            for base in (multi, single):
                gains = [100 * (own.accuracy - old.accuracy) for own, old in zip(arm.fits, base.fits, strict=True)]
                told = [
                    100 * (1 - max(own.logistic, own.mlp) / max(old.logistic, old.mlp))
                    for own, old in zip(arm.fits, base.fits, strict=True)
                ]
                row += [
                    f"{np.mean(gains):+.1f} ({np.std(gains):.1f})",
                    f"{np.mean(told):.0f} ({np.std(told):.0f})",
                ]
                row += [f"{sum(drop > 0 for drop in told)}/{len(told)}"]
            rows.append(row)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="folder that keeps the steps; a passing one without it")
    options = parser.parse_args()
    bars = Checks()
    print(machine(["limen", "torch", "numpy", "scikit-learn"]))
    print(f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'not set')}\n")
    with tempfile.TemporaryDirectory() as passing:
        output = options.output or Path(passing)
        output.mkdir(parents=True, exist_ok=True)
        outcome, found = measured(options.data, output, 0, options.seeds, lambda *told: say(told[2]))
    print(markdown(HEADINGS, outcome.rows), end="\n\n")
    heads = ("accuracy, points", "probe, % down", "runs down")
    head = ["data", "method", *(f"{what}, from {base}" for base in ("multitask", "single") for what in heads)]
    print(markdown(head, differences(found)), end="\n\n")
    print("\n".join(outcome.notes), end="\n\n")
    for check in outcome.checks:
        bars.add(check.passed, f"{check.what}: required {check.required}, measured {check.measured}")
    print(bars)
    return bars.exit_code


if __name__ == "__main__":
    sys.exit(main())
