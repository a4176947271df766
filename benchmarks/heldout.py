"""Methods on items they were not tuned on: random samples of real and made data sets, of several sizes.

python benchmarks/heldout.py --data DIR [--repeats 20] [--sizes 50 200 1000 half] [--average micro macro]

Every method is tuned on a random sample of a set and measured on the rest of it. For each size the table gives the
mean over repeats in %; the mean over sets, less that of the best single method; and the worst regret, the largest
shortfall to the best single method of a set. A set takes part where at least 30 % of it is left to measure on.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from audioset import load as audioset
from limen import solvers
from limen.data import as_data
from limen.holdout import solved
from limen.objectives import objective
from limen.solvers import SurrogateGradient
from report import Checks, markdown

FILES = ("emotions", "birds", "cal500", "spoken_tags", "dcase2017", "dcase2019")
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
SINGLES = tuple(name for name in METHODS if name not in ("auto", "fixed:0.5"))
Set = tuple[np.ndarray, np.ndarray]


def from_file(folder: Path, name: str) -> Set:
    """Return labels and scores of a set; the two parts of the DCASE sets are pooled."""
    with np.load(folder / f"{name}.npz", allow_pickle=False) as data:
        if "labels" in data:
            return data["labels"], data["scores"]
        parts = [[data[f"{part}_{kind}"] for part in ("val", "eval")] for kind in ("labels", "scores")]
    return np.concatenate(parts[0]), np.concatenate(parts[1])


def of_audioset(folder: Path) -> Set:
    """Return 4 000 clips and 150 tags of the simulated scores on AudioSet's real labels."""
    data, draw = audioset(folder), np.random.default_rng(0)
    rows, columns = draw.permutation(len(data.y_true))[:4000], np.sort(draw.permutation(527)[:150])
    return data.y_true[rows][:, columns], data.y_score[rows][:, columns]


def of_delicious(folder: Path) -> Set:
    """Return out-of-fold scores of logistic regressions on the words of 3 000 bookmarks, for 50 tags."""
    with np.load(folder / "delicious.npz", allow_pickle=False) as data:
        n_items, n_features, n_labels = len(data["x_indptr"]) - 1, int(data["n_features"]), int(data["n_labels"])
        x, y = np.zeros((n_items, n_features), np.int8), np.zeros((n_items, n_labels), np.int8)
        x[np.repeat(np.arange(n_items), np.diff(data["x_indptr"])), data["x_indices"]] = 1
        y[np.repeat(np.arange(n_items), np.diff(data["y_indptr"])), data["y_indices"]] = 1
    rows = np.random.default_rng(0).permutation(n_items)[:3000]
    tags = np.argsort(-y[rows].mean(axis=0))[np.linspace(0, 700, 50).astype(int)]
    return y[rows][:, tags], out_of_fold(x[rows].astype(float), y[rows][:, tags])


def of_digits(_folder: Path) -> Set:
    """Return out-of-fold scores for the digits, and for groups of them, from every fourth pixel."""
    from sklearn.datasets import load_digits

    x, digit = load_digits(return_X_y=True)
    groups = [digit % 2 == 0, digit > 6, digit < 3, (digit == 3) | (digit == 8)]
    y = np.stack([*(digit == k for k in range(10)), *groups], axis=1).astype(np.int8)
    return y, out_of_fold(x[:, ::4] / 16, y)


def of_multilabel(_folder: Path) -> Set:
    """Return out-of-fold scores for scikit-learn's made multi-label data."""
    from sklearn.datasets import make_multilabel_classification

    x, y = make_multilabel_classification(2400, 60, n_classes=30, n_labels=2, length=60, random_state=0)
    return y, out_of_fold(x / 10, y)


def out_of_fold(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return scores of logistic regressions by label, each item's from the four folds without it."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import KFold

    scores = np.zeros(y.shape)
    for fit, rest in KFold(5, shuffle=True, random_state=0).split(x):
        for k in range(y.shape[1]):
            if y[fit, k].min() == y[fit, k].max():
                scores[rest, k] = y[fit[0], k]
                continue
            scores[rest, k] = LogisticRegression(max_iter=200).fit(x[fit], y[fit, k]).predict_proba(x[rest])[:, 1]
    return scores


def made(
    seed: int, n_items: int, prevalence: np.ndarray, distance: float, offset: float, stretch: float, noise: float
) -> Callable[[Path], Set]:
    """Return a set of binormal logits, calibrated but for an offset and a stretch by label, and noise."""

    def load(_folder: Path) -> Set:
        draw = np.random.default_rng(seed)
        y = (draw.random((n_items, len(prevalence))) < prevalence).astype(np.int8)
        apart = np.clip(draw.normal(distance, 0.5, len(prevalence)), 0.6, None)
        z = draw.normal(0, 1, y.shape) + y * apart
        logit = apart * z - apart**2 / 2 + np.log(prevalence / (1 - prevalence))
        logit = (logit - draw.normal(0, offset, len(apart))) / np.exp(draw.normal(0, stretch, len(apart)))
        return y, logit + draw.normal(0, noise, y.shape)

    return load


SETS: dict[str, Callable[[Path], Set]] = {
    **{name: (lambda folder, name=name: from_file(folder, name)) for name in FILES},
    "audioset*": of_audioset,
    "delicious": of_delicious,
    "digits": of_digits,
    "multilabel": of_multilabel,
    "made: rare": made(1, 1500, np.geomspace(0.25, 0.002, 45), 3.0, 0.3, 0.1, 0.0),
    "made: rare, off": made(2, 2000, np.geomspace(0.3, 0.005, 30), 2.0, 1.5, 0.4, 0.3),
    "made: common": made(3, 2400, np.geomspace(0.75, 0.02, 14), 1.3, 0.5, 0.2, 0.2),
}


def measure(y_true: np.ndarray, y_score: np.ndarray, average: str, n_tune: int, repeats: int) -> dict[str, float]:
    """Return the mean held-out value of each method in %."""
    goal = objective("f1", average)
    values: dict[str, list[float]] = {name: [] for name in METHODS}
    for repeat in range(repeats):
        order = np.random.default_rng([repeat, n_tune]).permutation(len(y_true))
        tune, rest = np.sort(order[:n_tune]), np.sort(order[n_tune:])
        problem = solvers.Problem.of(goal, as_data(y_true[tune], y_score[tune]))
        truth = y_true[rest] == 1
        for name, method in METHODS.items():
            if name == "fixed:0.5" and y_score.min() < 0:
                method = "fixed:0"
            thresholds, _ = solved(problem, solvers.choose(goal.metric, average, method))
            kept = y_score[rest] >= thresholds
            counts = ((kept & truth).sum(0), kept.sum(0), truth.sum(0), np.full(truth.shape[1], len(rest)))
            values[name].append(100 * goal(*counts))
    return {name: float(np.mean(found)) for name, found in values.items()}


def report(title: str, table: dict[str, dict[str, float]], checks: Checks) -> None:
    """Print the table of one average and size, and add the checks on auto."""
    sets = list(table)
    best = {s: max(table[s][name] for name in SINGLES) for s in sets}
    mean = {name: float(np.mean([table[s][name] for s in sets])) for name in METHODS}
    top = max(mean[name] for name in SINGLES)
    regret = {name: [best[s] - table[s][name] for s in sets] for name in METHODS}
    rows = [
        [name, *(f"{table[s][name]:.2f}" for s in sets), f"{mean[name] - top:+.2f}", f"{max(regret[name]):.2f}"]
        for name in METHODS
    ]
    print(f"\n{markdown([title, *sets, 'mean, to best', 'worst regret'], rows)}\n", flush=True)
    checks.at_least(f"{title}: mean of auto over that of the best single method", mean["auto"] - top, 0.0)
    checks.at_most(f"{title}: worst regret of auto", max(regret["auto"]), 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the .npz files")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--sizes", nargs="+", default=["50", "200", "1000", "half"])
    parser.add_argument("--average", nargs="+", default=["micro", "macro"], choices=["micro", "macro", "weighted"])
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS), metavar="NAME")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    checks = Checks()
    data = {name: SETS[name](options.data) for name in options.sets}
    for average in options.average:
        for size in options.sizes:
            table = {}
            for name, (y_true, y_score) in data.items():
                n_tune = len(y_true) // 2 if size == "half" else int(size)
                if n_tune <= 0.7 * len(y_true):
                    table[name] = measure(y_true, y_score, average, n_tune, options.repeats)
                    print(f"{average} {size} {name} done", file=sys.stderr, flush=True)
            report(f"{average}-F1, {size}", table, checks)
    print(checks)
    sys.exit(checks.exit_code)


if __name__ == "__main__":
    main()
