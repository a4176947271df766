"""Do promises hold, and what do they cost? Simulated data whose truth is known.

    python benchmarks/guarantees.py                     # 2 000 repetitions of each setting, some minutes
    python benchmarks/guarantees.py --repetitions 200 --only few,ties
    python benchmarks/guarantees.py --mapie             # beside MAPIE, if it is installed

A promise is broken where any label (or all tags together) falls short of it in the population: a large sample of the
same law. Beside limen stand the point estimate, which promises what it saw, and the exact binomial bound at each
cut with the error divided among all labels and cuts (Bonferroni). The reserve is the recall that the best cut of the
population has beyond the one chosen.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import limen
from limen.guarantees.binomial import tails

CONFIDENCE = 0.95
POPULATION = 1_000_000

Draw = Callable[[np.random.Generator, int], tuple[NDArray, ...]]


@dataclass
class Law:
    """One kind of label: a sample of ``n`` gives scores, truth, and weights and groups or None."""

    draw: Draw
    scores: NDArray = None
    positive: NDArray = None
    negative: NDArray = None

    def know(self, rng: np.random.Generator) -> Law:
        """Count the population: positives and negatives at or above each distinct score."""
        score, truth, weight, _ = self.draw(rng, POPULATION)
        weight = np.ones(len(score)) if weight is None else weight
        order = np.argsort(-score)
        score, truth, weight = score[order], truth[order], weight[order]
        last = np.flatnonzero(np.append(np.diff(score) < 0, True))
        self.scores = score[last]
        self.positive, self.negative = np.cumsum(weight * truth)[last], np.cumsum(weight * ~truth)[last]
        return self

    def at(self, threshold: float) -> tuple[float, float, float]:
        """Return precision, recall and false-positive rate of a threshold; precision of nothing is 1."""
        k = np.searchsorted(-self.scores, -threshold, side="right") - 1
        if k < 0:
            return 1.0, 0.0, 0.0
        tp, fp = self.positive[k], self.negative[k]
        return tp / (tp + fp), tp / self.positive[-1], fp / self.negative[-1]

    def best(self, precision: float) -> float:
        """Return the largest recall at which the population has a precision."""
        ok = self.positive >= precision * (self.positive + self.negative)
        return float(np.where(ok, self.positive / self.positive[-1], 0).max())


def gaussian(prevalence: float, distance: float, rounded: Callable[[NDArray], NDArray] = lambda s: s) -> Draw:
    def draw(rng, n):
        truth = rng.random(n) < prevalence
        return rounded(rng.normal(distance * truth)), truth, None, None

    return draw


def dipping(rng, n):
    """Few top scores are mostly wrong, as when a model is sure of something else; and coarse ties."""
    score = np.ceil(rng.random(n) * 40) / 40
    chance = np.where(score > 0.95, 0.6, np.clip(1.35 - 1.35 * (1 - score), 0.02, 0.99))
    return score, rng.random(n) < chance, None, None


def grouped(rng, n):
    """Recordings of 1 to 9 clips whose scores and errors go together."""
    size = rng.integers(1, 10, n // 5 + 1)
    group = np.repeat(np.arange(len(size)), size)
    effect, n = rng.normal(0, 1, len(size))[group], len(group)
    score = rng.normal(0, 1.2, n) + 0.8 * effect
    shared = rng.normal(0, 1, len(size))[group]
    truth = 2.5 * score + 0.7 * shared + rng.logistic(0, 0.7, n) > 1.5
    return score, truth, None, group


def weighted(rng, n):
    """High scores were checked more often than low ones: each counts by one over its chance."""
    kept = np.empty(0, bool)
    truth = rng.random(4 * n) < 0.2
    score = rng.normal(2.6 * truth)
    chance = np.clip(0.05 + 0.4 * (score > 0.5) + 0.5 * (score > 1.8), 0, 1)
    kept = rng.random(4 * n) < chance
    return score[kept], truth[kept], 1 / chance[kept], None


SOME = ((0.05, 3.2), (0.1, 2.8), (0.2, 2.5), (0.3, 2.2), (0.5, 2.0))
PRECISION, RECALL, RATE = {"precision": 0.9}, {"recall": 0.9}, {"false_positive_rate": 0.05}


@dataclass
class Setting:
    draws: list[Draw]
    n_labels: int
    n: int
    asked: dict[str, float]
    per: str = "label"


def laws(some=SOME, rounded=lambda s: s):
    return [gaussian(prevalence, distance, rounded) for prevalence, distance in some]


SETTINGS = {
    "few": Setting(laws(), 5, 300, PRECISION),
    "many": Setting(laws(), 5, 4000, PRECISION),
    "ties": Setting(laws(rounded=lambda s: np.round(s, 1)), 5, 1500, PRECISION),
    "coarse": Setting(laws(rounded=lambda s: np.clip(np.round(2 * s), -3, 7)), 5, 1500, PRECISION),
    "dip": Setting([dipping], 1, 600, {"precision": 0.8}),
    "one label": Setting(laws(SOME[2:3]), 1, 1500, PRECISION),
    "100 labels": Setting(laws(), 100, 3000, PRECISION),
    "500 labels": Setting(laws(), 500, 1500, PRECISION),
    "groups": Setting([grouped], 5, 6000, PRECISION),
    "weights": Setting([weighted], 5, 1200, PRECISION),
    "recall": Setting(laws(), 5, 800, RECALL),
    "false positives": Setting(laws(), 5, 800, RATE),
    "pooled": Setting(laws(), 5, 1500, PRECISION, per="all"),
}


def sample(setting: Setting, rng: np.random.Generator):
    """Return scores, truth, weights and groups of all labels; labels are drawn independently."""
    drawn = [setting.draws[k % len(setting.draws)](rng, setting.n) for k in range(setting.n_labels)]
    if drawn[0][2] is None and drawn[0][3] is None:
        return np.stack([d[0] for d in drawn], 1), np.stack([d[1] for d in drawn], 1), None, None
    # Weights and groups belong to items: each label is a block of items of its own, unknown to the others.
    n = sum(len(d[0]) for d in drawn)
    score, truth = np.zeros((n, len(drawn))), np.full((n, len(drawn)), np.nan)
    at, weight, group = 0, [], []
    for k, (s, y, w, g) in enumerate(drawn):
        score[at : at + len(s), k], truth[at : at + len(s), k] = s, y
        weight.append(w)
        group.append(None if g is None else g + at)
        at += len(s)
    return (
        score,
        truth,
        None if weight[0] is None else np.concatenate(weight),
        None if group[0] is None else np.concatenate(group),
    )


def bonferroni(score, truth, precision, n_labels, exact=True):
    """Return a label's lowest cut whose binomial bound holds, of all cuts of all labels; or whose estimate does."""
    order = np.argsort(-score)
    tp, pp = np.cumsum(truth[order]), np.arange(1, len(score) + 1)
    last = np.flatnonzero(np.append(np.diff(score[order]) < 0, True))
    tp, pp, cuts = tp[last], pp[last], score[order][last]
    if exact:
        passes = tails(tp, pp, precision) <= (1 - CONFIDENCE) / n_labels / len(cuts)
    else:
        passes = tp >= precision * pp
    return cuts[np.flatnonzero(passes)[-1]] if passes.any() else np.inf


def broken(measured: tuple[float, float, float], asked: dict[str, float], threshold: float) -> bool:
    precision, recall, rate = measured
    if threshold == np.inf:
        return False
    return (
        precision < asked.get("precision", 0)
        or recall < asked.get("recall", 0)
        or rate > asked.get("false_positive_rate", 1)
    )


def run(name: str, repetitions: int, seed: int = 0) -> dict[str, float]:
    """Return how often promises were broken, and the mean reserve of recall by label."""
    setting, rng = SETTINGS[name], np.random.default_rng([seed, len(name), sum(map(ord, name))])
    known = [Law(draw).know(rng) for draw in setting.draws]
    of = [known[k % len(known)] for k in range(setting.n_labels)]
    plain = setting.asked.keys() == {"precision"} and setting.per == "label"
    names = ["limen", *(["estimate", "bonferroni"] if plain and name not in ("groups", "weights") else [])]
    broke, reserve, promised = ({key: [] for key in names} for _ in range(3))
    best = np.array([law.best(setting.asked.get("precision", 0)) for law in of])
    start = time.perf_counter()
    for _ in range(repetitions):
        score, truth, weight, group = sample(setting, rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", limen.LimenWarning)
            made = limen.guarantee(
                truth, score, sample_weight=weight, groups=group, per=setting.per, confidence=CONFIDENCE,
                random_state=int(rng.integers(1 << 30)), **setting.asked,
            )  # fmt: skip
        values = {"limen": made.values}
        if "bonferroni" in names:
            for key in ("estimate", "bonferroni"):
                values[key] = np.array(
                    [
                        bonferroni(score[:, k], truth[:, k], setting.asked["precision"], setting.n_labels, key != "estimate")
                        for k in range(setting.n_labels)
                    ]
                )  # fmt: skip
        for key, cuts in values.items():
            measured = [law.at(cut) for law, cut in zip(of, cuts, strict=True)]
            if setting.per == "all":
                right = sum(recall * law.positive[-1] for (_, recall, _), law in zip(measured, of, strict=True))
                wrong = sum(rate * law.negative[-1] for (_, _, rate), law in zip(measured, of, strict=True))
                broke[key].append(bool(right) and right < setting.asked["precision"] * (right + wrong))
            else:
                broke[key].append(any(broken(m, setting.asked, c) for m, c in zip(measured, cuts, strict=True)))
            reserve[key].append(np.mean(best - [recall for _, recall, _ in measured]))
            promised[key].append(np.mean(cuts < np.inf))
    row = {"seconds": time.perf_counter() - start}
    for key in names:
        row[f"{key} broken"] = float(np.mean(broke[key]))
        row[f"{key} reserve"] = float(np.mean(reserve[key]))
        row[f"{key} promised"] = float(np.mean(promised[key]))
    return row


def band(repetitions: int) -> float:
    """Return the share of broken promises that 99 of 100 honest simulations stay at or below."""
    wrong = np.arange(repetitions + 1)
    return int(wrong[tails(wrong, np.full(len(wrong), repetitions), 1 - CONFIDENCE) <= 0.01][0] - 1) / repetitions


def beside_mapie(repetitions: int) -> None:
    """Print recall of one label beside MAPIE's controller of precision, at the same confidence."""
    from mapie.risk_control import BinaryClassificationController

    for prevalence, distance, n in ((0.2, 2.5, 1500), (0.05, 3.2, 1500), (0.3, 2.2, 400)):
        rng = np.random.default_rng(1)
        law = Law(gaussian(prevalence, distance, lambda s: 1 / (1 + np.exp(2.0 - 1.5 * s)))).know(rng)
        found = {"limen": [], "mapie": []}
        for _ in range(repetitions):
            score, truth, _, _ = law.draw(rng, n)
            controller = BinaryClassificationController(
                predict_function=lambda x: np.column_stack([1 - x[:, 0], x[:, 0]]),
                risk="precision", target_level=0.9, confidence_level=CONFIDENCE, best_predict_param_choice="recall",
            )  # fmt: skip
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                controller.calibrate(score[:, None], truth.astype(int))
                made = limen.guarantee(truth[:, None], score[:, None], precision=0.9, confidence=CONFIDENCE)
            chosen = controller.best_predict_param
            found["mapie"].append(law.at(np.inf if chosen is None else np.nextafter(chosen, -1)))
            found["limen"].append(law.at(made.values[0]))
        said = ", ".join(
            f"{key}: recall {np.mean([m[1] for m in some]):.3f}, broken {np.mean([m[0] < 0.9 for m in some]):.3f}"
            for key, some in found.items()
        )
        print(f"prevalence {prevalence}, {n} items, best {law.best(0.9):.3f}; {said}")


def main() -> None:
    """Run the settings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--only", default=",".join(SETTINGS))
    parser.add_argument("--mapie", action="store_true")
    options = parser.parse_args()
    if options.mapie:
        beside_mapie(options.repetitions)
        return
    print(
        f"a promise may be broken in {band(options.repetitions):.4f} of {options.repetitions} repetitions (99 %)"
    )
    for name in options.only.split(","):
        print(name, {key: round(value, 4) for key, value in run(name, options.repetitions).items()}, flush=True)


if __name__ == "__main__":
    main()
