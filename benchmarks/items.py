"""Averages over items: the time of coordinate ascent, and what methods give on items they were not tuned on.

python benchmarks/items.py --data DIR [--quick], where DIR has the files of heldout.py and
audioset_eval_labels.npz. Prints markdown tables and a line for the required figure; exit code 1 if it is not met.

Ascent is timed against the exact micro solver, both from arrays to thresholds, in turn in one run. Held-out
samples F1 is that of 5 folds; micro-exact tunes micro F1, and is measured by samples F1.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import audioset
import limen
from heldout import from_file
from limen.data import as_data
from limen.folds import splits
from limen.holdout import hold_out, pooled_value
from limen.objectives import objective
from limen.solvers import choose
from limen.sums import sums_of
from report import Checks, brief, interleaved, machine, markdown, say

MOST_TIMES = 60
FILES = ("emotions", "birds", "cal500", "spoken_tags", "dcase2017", "dcase2019")
METHODS = ("fixed:0.5", "shared", "micro-exact", "ascent", "sgl", "auto", "mcut", "top-k", "expected-f")
SAMPLES, MICRO = objective("f1", "samples"), objective("f1", "micro")


def timed(folder: Path, quick: bool, checks: Checks) -> str:
    """Return a table of times at AudioSet's size, and check the one that is required."""
    data = audioset.load(folder)

    def tuning(method: str, average: str = "samples", metric: str = "f1") -> Callable[[], object]:
        return lambda: limen.tune(data.y_true, data.y_score, metric=metric, average=average, method=method)

    found = interleaved(
        {
            "limen exact, micro F1 (the unit)": tuning("exact", "micro"),
            "**ascent, samples F1**, all starts": tuning("ascent"),
            "ascent, subset accuracy": tuning("ascent", metric="subset_accuracy"),
            "expected-f, with its calibration and what to expect": tuning("expected-f"),
        },
        1 if quick else 3,
    )
    unit, ascent = (list(found.values())[k].best for k in (0, 1))
    checks.at_most("samples F1 by ascent, in times of the exact micro solver", ascent / unit, MOST_TIMES)
    rows = [[what, brief(t.best), brief(t.median), brief(t.best / unit)] for what, t in found.items()]
    return markdown(["what", "best s", "median s", "units"], rows)


def held_out(name: str, folder: Path) -> list[str]:
    """Return a row of held-out samples F1 in %, by method."""
    y_true, y_score = from_file(folder, name)
    data = as_data(y_true, y_score)
    say(name)
    pairs, cells = splits(5, data.source, None, 0), [name, str(len(y_true)), str(y_true.shape[1])]
    for method in METHODS:
        micro = method == "micro-exact"
        goal = MICRO if micro else SAMPLES
        solver = choose("f1", goal.average, "exact" if micro else method)
        parts = [hold_out(goal, data, pair, solver).part for pair in pairs]
        sums = [sums_of(SAMPLES, (part.source,), part.values, part.rule) for part in parts]
        cells.append(f"{100 * pooled_value(sums, SAMPLES):.1f}")
    best = max(map(float, cells[3:]))
    return [f"**{cell}**" if k > 2 and float(cell) == best else cell for k, cell in enumerate(cells)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="two sets, and each time once")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", limen.LimenWarning)
    checks, names = Checks(), FILES[:2] if arguments.quick else FILES
    rows = [held_out(name, arguments.data) for name in names]
    table = markdown(["set", "items", "labels", *METHODS], rows)
    print(f"### Held-out samples F1, in %\n\n{table}", flush=True)
    print(f"\n### Time at AudioSet's size\n\n{timed(arguments.data, arguments.quick, checks)}")
    print(f"\n{checks}\n\n{machine(['limen', 'numpy', 'numba'])}")
    return checks.exit_code


if __name__ == "__main__":
    sys.exit(main())
