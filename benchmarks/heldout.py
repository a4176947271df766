"""Methods on items they were not tuned on: random half splits of six data sets and simulated AudioSet.

python benchmarks/heldout.py --data DIR [--splits 30] [--audioset-splits 5] [--average micro macro]

Every method is tuned on one half and measured on the other. The table gives the mean over splits in %, and
the last column the largest shortfall of a method to the best single method of a set ("regret").
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np

import limen
from audioset import SAYS
from audioset import load as audioset
from limen.decisions import count_decisions
from limen.solvers import SurrogateGradient
from limen.sources.door import as_source
from report import Checks, markdown

SETS = ("emotions", "birds", "cal500", "spoken_tags", "dcase2017", "dcase2019")
METHODS = {
    "fixed:0.5": "fixed:0.5",
    "shared": "shared",
    "exact": "exact",
    "sgl": SurrogateGradient(start="shared"),
    "bagged": "bagged",
    "smoothed": "smoothed",
    "shrunk": "shrunk",
    "calibrated": "calibrated",
    "auto": "auto",
}


def load(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and scores of a set; the two parts of the DCASE sets are pooled."""
    with np.load(folder / f"{name}.npz", allow_pickle=False) as data:
        if "labels" in data:
            return data["labels"], data["scores"]
        parts = [[data[f"{part}_{kind}"] for part in ("val", "eval")] for kind in ("labels", "scores")]
    return np.concatenate(parts[0]), np.concatenate(parts[1])


def measure(y_true: np.ndarray, y_score: np.ndarray, average: str, splits: int) -> tuple[dict, dict]:
    """Return the mean held-out value in % and the median seconds of each method."""
    values: dict[str, list[float]] = {name: [] for name in METHODS}
    seconds: dict[str, list[float]] = {name: [] for name in METHODS}
    for split in range(splits):
        order = np.random.default_rng(split).permutation(len(y_true))
        tune, rest = np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])
        held_out = as_source(y_true[rest], y_score[rest])
        for name, method in METHODS.items():
            start = time.perf_counter()
            thresholds = limen.tune(y_true[tune], y_score[tune], average=average, method=method)
            seconds[name].append(time.perf_counter() - start)
            counts = count_decisions((held_out,), thresholds.values)
            values[name].append(100 * thresholds.objective(*counts))
    return (
        {name: float(np.mean(found)) for name, found in values.items()},
        {name: float(np.median(found)) for name, found in seconds.items()},
    )


def report(average: str, table: dict[str, dict[str, float]], checks: Checks) -> None:
    """Print the table of one average, and add the checks on auto."""
    sets = list(table)
    singles = [name for name in METHODS if name != "auto"]
    best = {s: max(table[s][name] for name in singles) for s in sets}
    mean = {name: float(np.mean([table[s][name] for s in sets])) for name in METHODS}
    regret = {name: max(best[s] - table[s][name] for s in sets) for name in METHODS}
    rows = [
        [name, *(f"{table[s][name]:.2f}" for s in sets), f"{mean[name]:.2f}", f"{regret[name]:.2f}"]
        for name in METHODS
    ]
    print(f"\n{markdown([f'{average}-F1', *sets, 'mean', 'worst regret'], rows)}\n")
    checks.at_least(
        f"{average}: mean of auto, over that of every single method", mean["auto"], max(mean[x] for x in singles)
    )
    checks.at_most(f"{average}: worst regret of auto (aim 0.3)", regret["auto"], 0.5)
    checks.at_least(f"{average}: mean of auto over that of SGL (aim 0.4)", mean["auto"] - mean["sgl"], 0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the .npz files")
    parser.add_argument("--splits", type=int, default=30)
    parser.add_argument("--audioset-splits", type=int, default=5)
    parser.add_argument("--average", nargs="+", default=["micro", "macro"], choices=["micro", "macro", "weighted"])
    options = parser.parse_args()
    warnings.simplefilter("ignore", limen.LimenWarning)
    checks = Checks()
    for average in options.average:
        table: dict[str, dict[str, float]] = {}
        for name in SETS:
            table[name], _ = measure(*load(options.data, name), average, options.splits)
            print(f"{average} {name} done", file=sys.stderr, flush=True)
        if options.audioset_splits:
            values, seconds = measure(*audioset(options.data), average, options.audioset_splits)
            table["AudioSet*"] = values
            print(f"* {SAYS}")
            print(
                f"\n{average}, seconds to tune on half of AudioSet: ", {k: round(v, 3) for k, v in seconds.items()}
            )
        report(average, table, checks)
    print(checks)
    sys.exit(checks.exit_code)


if __name__ == "__main__":
    main()
