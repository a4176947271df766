"""How often the interval of what `tune` expects holds what thresholds then give, and how far off its value is.

python benchmarks/interval_coverage.py --data DIR [--repeats 20] [--average micro macro] [--sets SET ...]

`auto` is tuned on 50, 200, 1000 items and on half of each set, drawn anew each time, and measured on all others.
What it gives there has an error of its own, so an interval "holds" it if it does when widened by that: each half
width becomes the root of the summed squares of itself and of 1.96 standard errors on the others. "On as many new
items" is `expected_on` of their number, which must hold the value found as it is.

The bias is freed from the luck of the draw, by regression of the difference of expected and found on that of fixed
cuts on the two parts, linearised. Two sets with rare labels are made from Delicious: logistic
regression on 6 000 rows scores the others.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np

import limen
from labelled import SETS, load
from limen.decisions import decide_rows
from limen.objectives import Objective, objective
from report import Checks, markdown

SIZES = (50, 200, 1000, 0)


def delicious(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return labels and scores of labels at even steps of the logarithm of their rank, and of 45 rare ones."""
    from scipy.sparse import csr_array
    from sklearn.linear_model import LogisticRegression

    with np.load(folder / "delicious.npz", allow_pickle=False) as data:
        x, y = (
            csr_array((np.ones(len(data[f"{k}_indices"])), data[f"{k}_indices"], data[f"{k}_indptr"]))
            for k in "xy"
        )
    y_true, order = y.toarray() == 1, np.random.default_rng(0).permutation(y.shape[0])
    fit, rest = order[:6000], order[6000:]
    share = y_true.mean(axis=0)
    usable = np.flatnonzero(y_true[fit].sum(axis=0) > 1)
    by_rank = usable[np.argsort(-share[usable])]
    rare = np.random.default_rng(1).choice(usable[share[usable] < 0.025], 45, replace=False)
    long_tail = by_rank[np.unique(np.geomspace(3, len(by_rank) - 1, 100).astype(int))]
    made = {}
    for name, labels in (("delicious, long tail", long_tail), ("delicious, rare", rare)):
        models = (LogisticRegression(C=0.3, max_iter=200).fit(x[fit], y_true[fit, k]) for k in labels)
        scores = [model.predict_proba(x[rest])[:, 1] for model in models]
        made[name] = y_true[rest][:, labels], np.array(scores, np.float32).T
    return made


def counts_of(y_true: np.ndarray, kept: np.ndarray) -> list[np.ndarray]:
    return [part.sum(axis=0) for part in (kept & y_true, kept, y_true, np.ones_like(y_true))]


def influence(y_true: np.ndarray, kept: np.ndarray, average: str) -> np.ndarray:
    """Return by how much each item moves the F1 of all, times their number, (n_items,)."""
    right, both = 2.0 * (kept & y_true), kept + 1.0 * y_true
    if average == "micro":
        right, both = right.sum(axis=1, keepdims=True), both.sum(axis=1, keepdims=True)
    total = np.maximum(both.sum(axis=0), 1e-9)
    return len(y_true) * ((right - right.sum(axis=0) / total * both) / total).mean(axis=1)


def one(y_true: np.ndarray, y_score: np.ndarray, size: int, goal: Objective, cuts: np.ndarray, seed: int) -> dict:
    """Return what was expected and found in one draw."""
    order = np.random.default_rng(seed).permutation(len(y_true))
    tune, rest = order[:size], order[size:]
    t = limen.tune(y_true[tune], y_score[tune], average=goal.average, random_state=seed)
    kept = decide_rows(y_score[rest], t.values)
    found = goal(*counts_of(y_true[rest], kept))
    error = 1.96 * influence(y_true[rest], kept, goal.average).std() / np.sqrt(len(rest))
    psi = influence(y_true, decide_rows(y_score, cuts), goal.average)
    answer = {"absent": int((y_true[tune].sum(axis=0) == 0).sum()), "luck": psi[tune].mean() - psi[rest].mean()}
    if t.expected is None:
        return answer
    value, low, high = t.expected
    on_rest = t.expected_on(len(rest))
    return answer | {
        "off": value - found,
        "held": value - np.hypot(value - low, error) <= found <= value + np.hypot(high - value, error),
        "held_on_rest": on_rest.low <= found <= on_rest.high,
        "width": high - low,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the .npz files")
    parser.add_argument("--repeats", type=int, default=20, help="twice as many of 200 items, and thrice of 50")
    parser.add_argument("--average", nargs="+", default=["micro", "macro"], choices=["micro", "macro"])
    parser.add_argument("--sets", nargs="+", help="only these")
    options = parser.parse_args()
    warnings.simplefilter("ignore", limen.LimenWarning)
    sets = {name: load(options.data, name) for name in SETS}
    if not options.sets or not set(options.sets) <= set(sets):
        sets |= delicious(options.data)
    rows, checks = [], Checks()
    for average in options.average:
        goal = objective("f1", average)
        for name in options.sets or sets:
            y_true, y_score = sets[name][0] == 1, sets[name][1]
            cuts = limen.tune(y_true, y_score, average=average, method="shrunk").values
            for size in SIZES:
                n_items = size or min(len(y_true) // 2, 2500)
                if size and n_items >= len(y_true) // 2:
                    continue
                repeats = options.repeats * {50: 3, 200: 2}.get(size, 1)
                found = [one(y_true, y_score, n_items, goal, cuts, seed) for seed in range(repeats)]
                rows.append(summary(f"{average}, {name}", n_items, y_true.shape[1], found, checks, name in SETS))
                print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    heads = ["data", "items", "labels without positives", "not estimable", "bias", "held", "on as many new items"]
    print(markdown([*heads, "width"], rows))
    print(checks)
    sys.exit(checks.exit_code)


def summary(name: str, n_items: int, n_labels: int, found: list[dict], checks: Checks, count: bool) -> list[str]:
    """Return a row of the table; and add the checks, if this set counts and most draws gave an estimate."""
    said = [answer for answer in found if "off" in answer]
    cells = [name, str(n_items), f"{np.mean([x['absent'] for x in found]):.1f} of {n_labels}"]
    cells.append(f"{1 - len(said) / len(found):.0%}")
    if not said:
        return [*cells, "", "", "", ""]
    mean = {key: float(np.mean([answer[key] for answer in said])) for key in said[0]}
    off, luck = (np.array([answer[key] for answer in said]) for key in ("off", "luck"))
    off = off - luck * (np.cov(off, luck)[0, 1] / luck.var(ddof=1) if len(said) > 2 else 0)
    bias, error = 100 * off.mean(), 100 * off.std() / np.sqrt(len(said))
    if count and 2 * len(said) > len(found):
        checks.at_most(f"{name}, {n_items}: bias", abs(bias), 1.0)
        checks.at_least(f"{name}, {n_items}: held", mean["held"], 0.90)
    return [
        *cells,
        f"{bias:+.2f} ± {error:.2f}",
        f"{mean['held']:.2f}",
        f"{mean['held_on_rest']:.2f}",
        f"{100 * mean['width']:.1f}",
    ]


if __name__ == "__main__":
    main()
