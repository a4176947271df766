"""Label frequencies estimated from unlabelled scores: what adapting to them gives, with and without a shift.

python benchmarks/shift.py --data DIR [--splits 20]

Tuned (auto, micro-F1 and macro-F1) as it is, and for the estimated shares: of every label ("all move"), of
those with 20 positives, and of those of them whose scores differ by a test (the default). Shifts: the parts of
the DCASE sets, either way; random halves of every set have none.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np

import limen
from labelled import SETS, load
from limen import shift
from report import markdown

WAYS = ("all move", "20 positives", "tested")


def estimated(way: str, y_true: np.ndarray, y_score: np.ndarray, new: np.ndarray) -> np.ndarray:
    shift.FEW_POSITIVES = 1 if way == "all move" else 20
    level = 0.05 if way == "tested" else 1.0
    return shift.estimate_prevalence(y_true, y_score, new, level=level)


def gains(y_true: np.ndarray, y_score: np.ndarray, new_true: np.ndarray, new_score: np.ndarray) -> dict:
    """Return the value as it is and what each way adds, in points, and how many labels moved."""
    found = {}
    shares = {way: estimated(way, y_true, y_score, new_score) for way in WAYS}
    for average in ("micro", "macro"):
        as_it_is = limen.tune(y_true, y_score, average=average)
        value = limen.evaluate(new_true, new_score, as_it_is).value
        found[average, "as it is"] = 100 * value
        for way, share in shares.items():
            t = limen.tune(y_true, y_score, average=average, target_prevalence=share)
            found[average, way] = 100 * (limen.evaluate(new_true, new_score, t).value - value)
    here = y_true.mean(axis=0)
    found["moved"] = float((np.abs(shares["tested"] - here) > 1e-12).mean())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the .npz files")
    parser.add_argument("--splits", type=int, default=20)
    options = parser.parse_args()
    warnings.simplefilter("ignore", limen.LimenWarning)
    rows = []
    for name in ("dcase2017", "dcase2019"):
        with np.load(options.data / f"{name}.npz", allow_pickle=False) as data:
            val, ev = ((data[f"{part}_labels"], data[f"{part}_scores"]) for part in ("val", "eval"))
        rows += [row(f"{name}, validation to evaluation", [gains(*val, *ev)])]
        rows += [row(f"{name}, evaluation to validation", [gains(*ev, *val)])]
    for name in SETS:
        y_true, y_score = load(options.data, name)
        found = []
        for split in range(options.splits):
            order = np.random.default_rng(split).permutation(len(y_true))
            one, other = order[: len(order) // 2], order[len(order) // 2 :]
            found.append(gains(y_true[one], y_score[one], y_true[other], y_score[other]))
        rows.append(row(f"{name}, random halves", found))
    heads = [f"{average}: {way}" for average in ("micro", "macro") for way in ("as it is", *WAYS)]
    print(markdown(["data", *heads, "labels moved by the test"], rows))


def row(name: str, found: list[dict]) -> list[str]:
    mean = {key: float(np.mean([one[key] for one in found])) for key in found[0]}
    cells = [
        f"{mean[average, way]:.2f}" if way == "as it is" else f"{mean[average, way]:+.2f}"
        for average in ("micro", "macro")
        for way in ("as it is", *WAYS)
    ]
    return [name, *cells, f"{mean['moved']:.0%}"]


if __name__ == "__main__":
    main()
