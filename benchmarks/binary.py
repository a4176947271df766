"""One threshold for a binary classifier: limen.sklearn.ThresholdTuner beside scikit-learn's own tuner.

TunedThresholdClassifierCV tries 100 thresholds between the lowest and the highest score, interpolates each
fold's metric at them, and takes the best mean over folds. ThresholdTuner tunes on the pooled scores. Both get
the same estimator and the same folds; "as it comes" is ThresholdTuner with nothing set but the metric, so with
the method "auto" and the held-out results of each fold. "Optimum" is the metric of the chosen threshold on the
scores that it was tuned on: with a fitted estimator those of the data given, with five folds the pooled
out-of-fold scores. "Test" is the metric of predictions on the other half of the data.

    python benchmarks/binary.py            # about five minutes
    python benchmarks/binary.py --quick    # fewer repeats, no set of 100 000 items
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score, make_scorer, matthews_corrcoef
from sklearn.model_selection import TunedThresholdClassifierCV, cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from limen.sklearn import ThresholdTuner
from report import Checks, Timing, brief, interleaved, machine, markdown, say

PACKAGES = ("limen", "numpy", "numba", "scikit-learn")
METRICS: dict[str, Callable[[Any, Any], float]] = {
    "f1": f1_score,
    "balanced_accuracy": balanced_accuracy_score,
    "mcc": matthews_corrcoef,
}
HEADER = (
    "data: items, positive",
    "metric",
    "scikit-learn s",
    "exact s",
    "times faster",
    "as it comes s",
    "scikit-learn optimum",
    "exact optimum",
    "scikit-learn test",
    "exact test",
    "as it comes test",
)


@dataclass(frozen=True)
class Halves:
    """A data set: one half to fit or to tune on, one to test on."""

    name: str
    items: NDArray[np.float64]
    target: NDArray[np.int64]
    test_items: NDArray[np.float64]
    test_target: NDArray[np.int64]

    @classmethod
    def of(cls, name: str, items: NDArray[Any], target: NDArray[Any]) -> Halves:
        """Return a random half of the data, and the other."""
        items, others, target, other_target = train_test_split(
            items, target, test_size=0.5, stratify=target, random_state=0
        )
        return cls(f"{name}: {len(target)}, {target.mean():.0%}", items, target, others, other_target)


@dataclass
class Run:
    """What is compared, and what came out."""

    data: list[Halves]
    repeats: int
    tables: list[str] = field(default_factory=list)
    checks: Checks = field(default_factory=Checks)


def data_sets(quick: bool) -> list[Halves]:
    cancer = load_breast_cancer()
    digits = load_digits()
    sets = [
        Halves.of("breast cancer, malignant", cancer.data, 1 - cancer.target),
        Halves.of("digits, 8 against the rest", digits.data, (digits.target == 8).astype(np.int64)),
    ]
    for n_items in (20_000,) if quick else (20_000, 100_000):
        items, target = make_classification(
            2 * n_items, n_informative=5, weights=[0.9], flip_y=0.05, random_state=0
        )
        sets.append(Halves.of("made", items, target))
    return sets


def fitted(run: Run) -> None:
    """Compare the tuning alone: the estimator is fitted on the test half, and tuned on the other."""
    rows = []
    for data in run.data:
        estimator = _estimator().fit(data.test_items, data.test_target)
        scores = estimator.predict_proba(data.items)[:, 1]
        for metric in METRICS:
            rows.append(_row(run, data, metric, _tuners(estimator, metric, cv="prefit", refit=False), scores))
    _table(run, "The tuning alone, on a fitted estimator", [row[:8] for row in rows])


def crossed(run: Run) -> None:
    """Compare five folds and the fit on everything, as users call it."""
    rows = []
    for data in run.data:
        scores = cross_val_predict(_estimator(), data.items, data.target, method="predict_proba", cv=5)[:, 1]
        for metric in METRICS:
            rows.append(_row(run, data, metric, _tuners(_estimator(), metric, cv=5), scores))
    _table(run, "Five folds, six fits of the estimator included", rows)


def _estimator() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression())


def _tuners(estimator: Any, metric: str, **options: Any) -> dict[str, Any]:
    scoring = make_scorer(METRICS[metric])
    return {
        "scikit-learn": TunedThresholdClassifierCV(estimator, scoring=scoring, **options),
        "exact": ThresholdTuner(estimator, metric=metric, method="exact", store_cv_results=False, **options),
        "as it comes": ThresholdTuner(estimator, metric=metric, **options),
    }


def _row(run: Run, data: Halves, metric: str, tuners: dict[str, Any], scores: NDArray[Any]) -> list[Any]:
    say(f"{data.name}, {metric}")
    fits = {name: lambda tuner=tuner: tuner.fit(data.items, data.target) for name, tuner in tuners.items()}
    times = interleaved(fits, run.repeats if len(data.target) < 50_000 else 2)
    of = METRICS[metric]
    optimum = {name: of(data.target, scores >= _threshold(tuner)) for name, tuner in tuners.items()}
    test = [of(data.test_target, tuner.predict(data.test_items)) for tuner in tuners.values()]
    return [
        data.name,
        metric,
        times["scikit-learn"].best,
        times["exact"].best,
        _times_faster(times["scikit-learn"], times["exact"]),
        times["as it comes"].best,
        optimum["scikit-learn"],
        optimum["exact"],
        *test,
    ]


def _threshold(tuner: Any) -> float:
    return tuner.best_threshold_ if hasattr(tuner, "best_threshold_") else tuner.thresholds_.values[0]


def _times_faster(slow: Timing, fast: Timing) -> float:
    """Return the smaller of the ratios of the best and of the median runs."""
    return min(slow.best / fast.best, slow.median / fast.median)


def _table(run: Run, title: str, rows: list[list[Any]]) -> None:
    cells = [
        [cell if isinstance(cell, str) else brief(cell) if k == 4 else f"{cell:.4f}" for k, cell in enumerate(row)]
        for row in rows
    ]
    run.tables.append(f"### {title}\n\n{markdown(HEADER[: len(rows[0])], cells)}")
    run.checks.at_least(
        f"{title}: exact optimum less scikit-learn's, least", min(row[7] - row[6] for row in rows), 0
    )
    run.checks.at_least(f"{title}: times faster, least", min(row[4] for row in rows), 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repeats, no set of 100 000 items")
    arguments = parser.parse_args()
    run = Run(data_sets(arguments.quick), 3 if arguments.quick else 5)
    fitted(run)
    crossed(run)
    print(machine(PACKAGES), f"Load {os.getloadavg()[0]:.1f}.", sep="\n")
    print("", *run.tables, str(run.checks), sep="\n\n")
    return run.checks.exit_code


if __name__ == "__main__":
    sys.exit(main())
