"""Multi-representation distillation on spoken digits: independent, ensemble and mutual branches, in pairs.

python benchmarks/learn_representations.py --data DIR [--output DIR] [--seeds 5] [--mix-seeds 1]
[--only digits,mixtures], where DIR has fsdd_recordings.npz. Runs that lie in the output folder are not done again.
Set OMP_NUM_THREADS=1. Exit code 1 if a bar was missed.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from pathlib import Path

import numpy as np

from limen.learn.recipes import fsdd
from limen.learn.recipes.representations import (
    ARMS,
    FOLDS,
    HEADINGS,
    Pairs,
    Run,
    Setting,
    checks,
    chosen,
    gains,
    mixed,
    spoken,
    table,
)
from report import Checks, machine, markdown, say

GRID = ((4.0, 1.0), (4.0, 2.0))
"""Temperatures and weights that are chosen from, the first where they are alike."""


class Bench:
    """Runs of one file of recordings, stored in one folder."""

    def __init__(self, data: Path, output: Path) -> None:
        self.recordings, self.output = fsdd.load(data), output
        self.n_bytes = (data / fsdd.FILE).stat().st_size

    def chosen(self, fold: int) -> tuple[dict[str, Setting], list[list[str]]]:
        """Return the settings that did best on a training speaker held back, and what all did there."""
        settings = {"independent": Setting("independent")}
        rows = [self.row(fold, settings["independent"], self.held(fold, settings["independent"]))]
        for arm in ARMS[1:]:
            tried = {setting: self.held(fold, setting) for setting in (Setting(arm, *one) for one in GRID)}
            settings[arm] = max(tried, key=lambda setting, tried=tried: tried[setting].mean)
            rows += [self.row(fold, setting, run) for setting, run in tried.items()]
        return settings, rows

    def held(self, fold: int, setting: Setting) -> Run:
        """Return a run that was measured on the first training speaker, who was held back."""
        say(f"choosing, fold {fold + 1}: {setting.arm}, T {setting.temperature:g}, weight {setting.weight:g}")
        return spoken(self.recordings, fold, 0, setting, self.output, self.n_bytes, held=0)

    @staticmethod
    def row(fold: int, setting: Setting, run: Run) -> list[str]:
        """Return the row of a run on a speaker held back."""
        settings = (
            ["", ""] if setting.arm == "independent" else [f"{setting.temperature:g}", f"{setting.weight:g}"]
        )
        values = [*run.branches.values(), run.mean]
        return [str(fold + 1), setting.arm, *settings, *(f"{100 * value:.1f}" for value in values)]


def spread(pairs: Pairs) -> list[list[str]]:
    """Return the spread over runs of what each arm reached, and of what it gained."""
    rows = []
    for arm, runs in pairs.items():
        values, gain = [100 * run.mean for run in runs], gains(pairs, arm)
        row = [arm, f"{np.mean(values):.2f}", f"{np.std(values, ddof=1):.2f}"]
        alone = arm == "independent"
        row += (
            ["", "", ""]
            if alone
            else [f"{gain.mean():+.2f}", f"{np.std(gain, ddof=1):.2f}", f"{(gain > 0).sum()} of {len(gain)}"]
        )
        rows.append(row)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("build/learn_representations"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--mix-seeds", type=int, default=1)
    parser.add_argument("--only", default="digits,mixtures")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    bench, bars = Bench(options.data, options.output), Checks()
    print(machine(["limen", "numpy", "torch", "scikit-learn"]))
    print(f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'not set')}\n")
    found = [bench.chosen(fold) for fold in range(FOLDS)]
    tried = [row for _, rows in found for row in rows]
    print(markdown(["fold", "arm", "T", "weight", "stft", "logmel", "mfcc", "mean"], tried), end="\n\n")
    same = all(settings[arm] == chosen(arm, fold) for fold, (settings, _) in enumerate(found) for arm in ARMS)
    bars.add(same, "the settings chosen here are those of the recipe")
    common = (bench.output, bench.n_bytes)
    for task, seeds, measure in (("digits", options.seeds, spoken), ("mixtures", options.mix_seeds, mixed)):
        if task not in options.only.split(","):
            continue
        pairs: Pairs = {arm: [] for arm in ARMS}
        for (fold, (settings, _)), seed in itertools.product(enumerate(found), range(seeds)):
            for arm in ARMS:
                say(f"{task}, {arm}, fold {fold + 1}, seed {seed}")
                pairs[arm].append(measure(bench.recordings, fold, seed, settings[arm], *common))
        print(markdown(HEADINGS, table(task, pairs)), end="\n\n")
        print(markdown(["arm", "mean", "spread", "gain", "its spread", "runs up"], spread(pairs)), end="\n\n")
        if task == "digits":
            for check in checks(pairs):
                bars.add(check.passed, f"{check.what}: required {check.required}, measured {check.measured}")
        else:
            half, tuned = (
                [np.mean([getattr(run, name) for run in pairs[arm]]) for arm in ARMS] for name in ("half", "tuned")
            )
            rows = [[arm, f"{a:.3f}", f"{b:.3f}"] for arm, a, b in zip(ARMS, half, tuned, strict=True)]
            print(markdown(["arm", "micro-F1 at 0.5", "tuned"], rows), end="\n\n")
    print(bars)
    return bars.exit_code


if __name__ == "__main__":
    sys.exit(main())
