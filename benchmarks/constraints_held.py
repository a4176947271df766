"""How often constraints hold on new data: methods with a reserve, beside the exact method.

python benchmarks/constraints_held.py [--draws 200] [--methods exact auto ...]. Simulated: ten labels on 3 to 30 %
of the items; each draw tunes on 400 of 30 000 items, and counts on 30 000 others. A limit over all labels: the
share of draws that keep it; one for each label: the share of labels, of those that are given. Prints a table.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np

import limen
from limen import constraints as limits
from report import markdown

CASES = {
    "precision 90 % over all": (limits.MinPrecision(0.9, per="all"), "recall"),
    "precision 80 % of each label": (limits.MinPrecision(0.8), "f1"),
    "recall 70 % over all": (limits.MinRecall(0.7, per="all"), "precision"),
    "at most one tag an item": (limits.MaxPredictions(rate=0.1, per="all"), "recall"),
    "false positive rate 2 % of each label": (limits.MaxFalsePositiveRate(0.02), "recall"),
}
SIZE, HALF, LABELS = 400, 30_000, 10


def simulated() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y_true = rng.random((2 * HALF, LABELS)) < np.geomspace(0.03, 0.3, LABELS)
    y_score = rng.normal(2.2 * y_true - 1 + 0.3 * rng.normal(size=LABELS))
    return y_true.astype(np.int8), 1 / (1 + np.exp(-y_score))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--methods", nargs="+", default=["exact", "auto"])
    options = parser.parse_args()
    warnings.simplefilter("ignore", limen.LimenWarning)
    y_true, y_score = simulated()
    rows = []
    for name, (limit, metric) in CASES.items():
        for method in options.methods:
            kept, recall, told = [], [], []
            for draw in range(options.draws):
                some = np.random.default_rng(1000 + draw).choice(HALF, SIZE, replace=False)
                t = limen.tune(
                    y_true[some],
                    y_score[some],
                    metric=metric,
                    method=method,
                    constraints=[limit],
                    infeasible="never",
                )
                given, truth = t.decide(y_score[HALF:]), y_true[HALF:] == 1
                counts = [part.sum(axis=0) for part in (given & truth, given, truth)]
                n = np.full(LABELS, HALF)
                if limit.pooled:
                    counts, n = [part.sum() for part in counts], n.sum()
                measured = np.atleast_1d(limit.measured(*counts, n))
                measured = measured[~np.isnan(measured)]
                right = measured >= limit.value if limit.at_least else measured <= limit.value
                kept.append(right.mean() if len(right) else 1.0)
                recall.append((given & truth).sum() / truth.sum())
                told.append(t.constraints[0].get("out_of_sample", {}).get("held"))
            some = [each for each in told if each is not None]
            said = f"{100 * np.mean(some):.0f} %" if some else ""
            rows.append([name, method, f"{100 * np.mean(kept):.0f} %", said, f"{100 * np.mean(recall):.1f} %"])
    print(markdown(["limit", "method", "kept on new data", "told: held", "recall"], rows))


if __name__ == "__main__":
    main()
