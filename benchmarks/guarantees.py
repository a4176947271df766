"""Do promises hold, and what do they cost? Simulated data whose truth is known.

    python benchmarks/guarantees.py                     # 2 000 repetitions of each setting, some minutes
    python benchmarks/guarantees.py --repetitions 200 --only few,ties
    python benchmarks/guarantees.py --mapie             # beside MAPIE, if it is installed
    python benchmarks/guarantees.py --checking          # detections chosen for checking, beside random ones

A promise is broken where any label (or all tags together) falls short of it in the population: a large sample
of the same law. Beside limen stand the point estimate, which promises what it saw, and the exact binomial bound at
each cut with the error divided among all labels and cuts (Bonferroni). The reserve is the recall that the best cut
of the population has beyond the one chosen.
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

Draw = Callable[[np.random.Generator, tuple[int, int], "Items"], tuple[NDArray, NDArray]]


@dataclass
class Items:
    """What belongs to items, and is the same for all labels: weights and groups, or None."""

    weight: NDArray | None = None
    group: NDArray | None = None


@dataclass
class Law:
    """One kind of label: scores and truth (n_items, n_labels) of labels that are drawn independently."""

    draw: Draw
    items: Callable[[np.random.Generator, int], Items] = lambda rng, n: Items()
    scores: NDArray = None
    positive: NDArray = None
    negative: NDArray = None

    def know(self, rng: np.random.Generator) -> Law:
        """Count the population: positives and negatives at or above each distinct score."""
        items = self.items(rng, POPULATION)
        n = POPULATION if items.weight is None else len(items.weight)
        n = n if items.group is None else len(items.group)
        score, truth = (drawn[:, 0] for drawn in self.draw(rng, (n, 1), items))
        weight = np.ones(n) if items.weight is None else items.weight
        order = np.argsort(-score)
        score, truth, weight = score[order], truth[order], weight[order]
        last = np.flatnonzero(np.append(np.diff(score) < 0, True))
        self.scores = score[last]
        self.positive, self.negative = np.cumsum(weight * truth)[last], np.cumsum(weight * ~truth)[last]
        return self

    def at(self, thresholds: NDArray) -> tuple[NDArray, NDArray]:
        """Return the shares of the population that are true and false positives at thresholds."""
        k = np.searchsorted(-self.scores, -thresholds, side="right") - 1
        n = self.positive[-1] + self.negative[-1]
        return np.where(k < 0, 0, self.positive[k]) / n, np.where(k < 0, 0, self.negative[k]) / n

    def best(self, precision: float) -> float:
        """Return the largest recall at which the population has a precision."""
        ok = self.positive >= precision * (self.positive + self.negative)
        return float(np.where(ok, self.positive / self.positive[-1], 0).max())


def gaussian(prevalence: float, distance: float, rounded: Callable[[NDArray], NDArray] = lambda s: s) -> Draw:
    def draw(rng, shape, items):
        truth = rng.random(shape) < prevalence
        return rounded(rng.normal(distance * truth)), truth

    return draw


def dipping(rng, shape, items):
    """Few top scores are mostly wrong, as when a model is sure of something else; and coarse ties."""
    score = np.ceil(rng.random(shape) * 40) / 40
    chance = np.where(score > 0.95, 0.6, np.clip(1.35 - 1.35 * (1 - score), 0.02, 0.99))
    return score, rng.random(shape) < chance


def recordings(rng, n):
    """Draw recordings of 1 to 9 clips."""
    size = rng.integers(1, 10, n // 5)
    return Items(group=np.repeat(np.arange(len(size)), size))


def alike(rng, shape, items):
    """Scores and errors that go together within a recording."""
    _, number = np.unique(items.group, return_inverse=True)
    effect, shared = (rng.normal(0, 1, (number.max() + 1, shape[1]))[number] for _ in range(2))
    score = rng.normal(0, 1.2, shape) + 0.8 * effect
    return score, 2.5 * score + 0.7 * shared + rng.logistic(0, 0.7, shape) > 1.5


def strata(rng, n):
    """Let half of the items stand for themselves, half for four like them."""
    return Items(weight=rng.choice([1.0, 4.0], n))


def by_stratum(rng, shape, items):
    """Items that stand for many are more often right at the same score."""
    heavy = (items.weight == 4)[:, np.newaxis]
    truth = rng.random(shape) < np.where(heavy, 0.3, 0.15)
    return rng.normal(2.6 * truth + 0.2 * heavy), truth


SOME = ((0.05, 3.2), (0.1, 2.8), (0.2, 2.5), (0.3, 2.2), (0.5, 2.0))
PRECISION, RECALL, RATE = {"precision": 0.9}, {"recall": 0.9}, {"false_positive_rate": 0.05}


@dataclass
class Setting:
    """What is drawn, how much of it, and what is promised."""

    laws: list[Law]
    n_labels: int
    n: int
    asked: dict[str, float]
    per: str = "label"

    @property
    def items(self):
        """Return what draws the items' weights and groups."""
        return self.laws[0].items

    def draw(self, rng, repetitions, items):
        """Return scores and truth of the labels of several repetitions, side by side."""
        n = self.n if items.weight is None else len(items.weight)
        n = n if items.group is None else len(items.group)
        score = np.empty((n, repetitions * self.n_labels))
        truth = np.empty(score.shape, bool)
        for k, law in enumerate(self.laws):
            own = slice(k, None, len(self.laws))
            score[:, own], truth[:, own] = law.draw(rng, score[:, own].shape, items)
        return score, truth


def laws(some=SOME, rounded=lambda s: s):
    return [Law(gaussian(prevalence, distance, rounded)) for prevalence, distance in some]


SETTINGS = {
    "few": Setting(laws(), 5, 300, PRECISION),
    "many": Setting(laws(), 5, 4000, PRECISION),
    "ties": Setting(laws(rounded=lambda s: np.round(s, 1)), 5, 1500, PRECISION),
    "coarse": Setting(laws(rounded=lambda s: np.clip(np.round(2 * s), -3, 7)), 5, 1500, PRECISION),
    "dip": Setting([Law(dipping)], 1, 600, {"precision": 0.8}),
    "one label": Setting(laws(SOME[2:3]), 1, 1500, PRECISION),
    "100 labels": Setting(laws(), 100, 3000, PRECISION),
    "500 labels": Setting(laws(), 500, 1000, PRECISION),
    "groups": Setting([Law(alike, recordings)], 5, 6000, PRECISION),
    "weights": Setting([Law(by_stratum, strata)], 5, 2000, PRECISION),
    "recall": Setting(laws(), 5, 800, RECALL),
    "false positives": Setting(laws(), 5, 800, RATE),
    "pooled": Setting(laws(), 5, 1500, PRECISION, per="all"),
}
AT_ONCE = 6_000_000
"""So many scores are drawn at a time."""
COMPARED = 20_000
"""So many labels are also cut by the point estimate and by Bonferroni."""


def lowest(score: NDArray, truth: NDArray, share: float, level: float | None) -> NDArray:
    """Return each label's lowest cut whose binomial bound holds, the level divided among its distinct cuts.

    Without a level, the lowest whose estimate does.
    """
    chosen = np.full(score.shape[1], np.inf)
    for k in range(score.shape[1]):
        order = np.argsort(-score[:, k])
        own, tp, pp = score[order, k], np.cumsum(truth[order, k]), np.arange(1, len(order) + 1)
        last = np.flatnonzero(np.append(np.diff(own) < 0, True))
        passes = tp[last] >= share * pp[last]
        if level is not None:
            some = last[passes]
            passes[passes] = tails(tp[some], pp[some], share) <= level / len(last)
        if passes.any():
            chosen[k] = own[last[np.flatnonzero(passes)[-1]]]
    return chosen


def limens(setting: Setting, score, truth, items, seed) -> NDArray:
    """Return limen's thresholds (repetitions * n_labels,).

    With the error of one of K labels for each label alone, the labels of all repetitions are tuned in one call.
    """
    given = {"sample_weight": items.weight, "groups": items.group, "random_state": seed, **setting.asked}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", limen.LimenWarning)
        if setting.per == "label":
            confidence = 1 - (1 - CONFIDENCE) / setting.n_labels
            return limen.guarantee(truth, score, confidence=confidence, correction="none", **given).values
        return np.concatenate(
            [
                limen.guarantee(truth[:, k : k + setting.n_labels], score[:, k : k + setting.n_labels], per="all",
                                confidence=CONFIDENCE, **given).values
                for k in range(0, score.shape[1], setting.n_labels)
            ]
        )  # fmt: skip


def run(name: str, repetitions: int) -> dict[str, float]:
    """Return how often promises were broken, and the mean reserve of recall by label."""
    setting, rng = SETTINGS[name], np.random.default_rng(sum(map(ord, name)))
    for law in setting.laws:
        law.know(rng)
    share = setting.asked.get("precision")
    plain = share is not None and setting.per == "label" and name not in ("groups", "weights")
    found = {key: [] for key in ["limen", *(["estimate", "bonferroni"] if plain else [])]}
    start, done, step = time.perf_counter(), 0, max(1, AT_ONCE // setting.n // setting.n_labels)
    step = min(step, 20) if not plain else step  # so that weights and groups are drawn anew
    while done < repetitions:
        some = min(step, repetitions - done)
        items = setting.items(rng, setting.n)
        score, truth = setting.draw(rng, some, items)
        found["limen"].append(limens(setting, score, truth, items, done))
        if plain and done * setting.n_labels < COMPARED:
            found["estimate"].append(lowest(score, truth, share, None))
            found["bonferroni"].append(lowest(score, truth, share, (1 - CONFIDENCE) / setting.n_labels))
        done += some
    row = {"seconds": time.perf_counter() - start}
    best = np.array([law.best(share) if share else 1.0 for law in setting.laws])
    for key, parts in found.items():
        cuts = np.concatenate(parts).reshape(-1, setting.n_labels // len(setting.laws), len(setting.laws))
        tp, fp = np.empty((2, *cuts.shape))
        for k, law in enumerate(setting.laws):
            tp[..., k], fp[..., k] = law.at(cuts[..., k])
        positive = np.array([law.positive[-1] / (law.positive[-1] + law.negative[-1]) for law in setting.laws])
        row[f"{key} broken"] = float(broken(setting, tp, fp, positive, cuts).mean())
        row[f"{key} reserve"] = float((best - tp / positive).mean())
        row[f"{key} promised"] = float((cuts < np.inf).mean())
    return row


def broken(setting: Setting, tp, fp, positive, cuts) -> NDArray:
    """Return, for each repetition, whether a promise was broken for any label."""
    ((kind, share),) = setting.asked.items()
    if setting.per == "all":
        tp, fp = tp.sum(axis=(1, 2)), fp.sum(axis=(1, 2))
        return tp < share * (tp + fp)
    if kind == "precision":
        wrong = tp < share * (tp + fp)
    else:
        wrong = tp < share * positive if kind == "recall" else fp > share * (1 - positive)
    return (wrong & (cuts < np.inf)).any(axis=(1, 2))


def band(repetitions: int) -> float:
    """Return the share of broken promises that 99 of 100 honest simulations stay at or below."""
    wrong = np.arange(repetitions + 1)
    return (
        np.flatnonzero(tails(wrong, np.full(len(wrong), repetitions), 1 - CONFIDENCE) <= 0.01)[0] - 1
    ) / repetitions


def beside_mapie(repetitions: int) -> None:
    """Print recall of one label beside MAPIE's controller of precision, at the same confidence."""
    from mapie.risk_control import BinaryClassificationController

    for prevalence, distance, n in ((0.2, 2.5, 1500), (0.05, 3.2, 1500), (0.3, 2.2, 400)):
        rng = np.random.default_rng(1)
        law = Law(gaussian(prevalence, distance, lambda s: 1 / (1 + np.exp(2.0 - 1.5 * s)))).know(rng)
        found = {"limen": [], "mapie, Holm": [], "mapie, fixed sequence": []}
        for _ in range(repetitions):
            score, truth = (drawn[:, 0] for drawn in law.draw(rng, (n, 1), Items()))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for key, method in (
                    ("mapie, Holm", "bonferroni_holm"),
                    ("mapie, fixed sequence", "fixed_sequence"),
                ):
                    controller = BinaryClassificationController(
                        predict_function=lambda x: np.column_stack([1 - x[:, 0], x[:, 0]]),
                        risk="precision",
                        target_level=0.9,
                        confidence_level=CONFIDENCE,
                        best_predict_param_choice="recall",
                        list_predict_params=np.linspace(0.99, 0, 100),
                        fwer_method=method,
                    )
                    controller.calibrate(score[:, None], truth.astype(int))
                    chosen = controller.best_predict_param
                    found[key].append(np.inf if chosen is None else chosen)
                made = limen.guarantee(truth[:, None], score[:, None], precision=0.9, confidence=CONFIDENCE)
            found["limen"].append(made.values[0])
        said = []
        for key, cuts in found.items():
            tp, fp = law.at(np.array(cuts))
            said.append(f"{key}: recall {tp.mean() / prevalence:.3f}, broken {np.mean(tp < 0.9 * (tp + fp)):.3f}")
        print(f"prevalence {prevalence}, {n} items, best {law.best(0.9):.3f}; {'; '.join(said)}")


def checking(repetitions: int) -> None:
    """Print how many labels get a promise by detections chosen with `to_check`, and by checking at random."""
    from limen.guarantees import answers, to_check

    n, laws_of = 20_000, [(q, d) for q in (0.2, 0.05, 0.01, 0.003) for d in (3.0, 3.6, 4.2)]
    for number in (500, 1000, 2000, 4000, 8000, 16000):
        found = {"chosen": [], "random": [], "random, score 0.5 or more": []}
        wrong = 0
        for seed in range(repetitions):
            rng = np.random.default_rng(seed)
            truth = np.stack([rng.random(n) < q for q, _ in laws_of], 1)
            raw = np.stack([rng.normal(d * truth[:, k]) for k, (_, d) in enumerate(laws_of)], 1)
            odds = np.array([np.log(q / (1 - q)) - d * d / 2 for q, d in laws_of])
            score = 1 / (1 + np.exp(-(odds + np.array([d for _, d in laws_of]) * raw)))
            labels = [str(k) for k in range(len(laws_of))]
            plan = to_check(score, number, labels=labels, random_state=seed)
            at = {"chosen": (plan.row, plan.label, plan.drawn)}
            for key, pool in (("random", score >= 0), ("random, score 0.5 or more", score >= 0.5)):
                row, label = np.nonzero(pool)
                some = rng.choice(len(row), min(number, len(row)), replace=False)
                at[key] = (row[some], label[some], ["above"] * len(some))
            for key, (row, label, drawn) in at.items():
                data = answers([labels[k] for k in label], score[row, label], truth[row, label], drawn=drawn,
                               only="above", labels=labels)  # fmt: skip
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", limen.LimenWarning)
                    made = limen.guarantee(data, precision=0.9)
                found[key].append(len(made.promise.labels))
                if key == "chosen":
                    given = score >= made.values
                    wrong += bool(((given & truth).sum(0) < 0.9 * given.sum(0)).any())
        said = ", ".join(f"{key}: {np.mean(some):.2f}" for key, some in found.items())
        print(
            f"{number} checks, labels of {len(laws_of)} with a promise; {said}; broken {wrong}/{repetitions}",
            flush=True,
        )


def main() -> None:
    """Run the settings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--only", default=",".join(SETTINGS))
    parser.add_argument("--mapie", action="store_true")
    parser.add_argument("--checking", action="store_true")
    options = parser.parse_args()
    if options.checking:
        checking(options.repetitions)
        return
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
