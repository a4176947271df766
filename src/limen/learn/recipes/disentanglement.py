"""Emotion without the person on EmoDB, and digits without the speaker where FSDD is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import limen
from limen.learn.recipes import Check, Outcome, Progress, at_least, emodb, fsdd
from limen.learn.recipes.persons import EPOCHS, Fit, Problem, digits, emotions, fitted
from limen.learn.recipes.pictures import scatter
from limen.learn.recipes.steps import once

WHAT = "a classifier of emotions whose embedding says little of who speaks; two-stream, by sound alone"
DATA = (emodb.FILE,)
SEEDS = 3
WEIGHTS = {"grl": (0.1,), "alternate": (0.03, 0.1), "confusion": (0.03, 0.1)}
BASELINES: dict[str, float] = {"single task": 0.0, "multitask": 1.0}
BELOW_MULTITASK, BELOW_SINGLE = 0.02, 0.01
"""Accuracy that a method may cost."""
HEADINGS = ("data", "method", "weights", "accuracy", "probe: linear", "mlp", "up", "sd", "probe sd", "UAR", "s")


class Choice(NamedTuple):
    """What validation rows chose on one split: the weight of each method, and the best of the methods."""

    weights: dict[str, float]
    best: str


class Arm(NamedTuple):
    """Runs of one method, over splits and seeds."""

    name: str
    weights: list[float]
    fits: list[Fit]

    def mean(self, what: str) -> float:
        """Return the mean over runs."""
        return float(np.mean([getattr(fit, what) for fit in self.fits]))

    @property
    def probe(self) -> float:
        """Mean accuracy of the probe that is stronger on average."""
        return max(self.mean("logistic"), self.mean("mlp"))


class Runs:
    """The fits of one set of data: those that choose, and those that are reported. Each is made once.

    Parameters
    ----------
    load : callable
        Returns the problem; called when the first fit has to be made.
    output : Path
    settings : dict
        All that the fits depend on.
    seed, seeds : int
        The first, and how many.
    progress : callable ``(step, steps, note)``
    """

    def __init__(
        self,
        name: str,
        load: Callable[[], Problem],
        output: Path,
        settings: dict[str, Any],
        seed: int,
        seeds: int,
        progress: Callable[[str], None],
    ) -> None:
        self.name, self.load, self.output, self.settings = name, load, output, settings
        self.seed, self.seeds, self.progress = seed, seeds, progress
        self._problem: Problem | None = None

    @property
    def problem(self) -> Problem:
        """The problem, loaded when it is needed."""
        if self._problem is None:
            self._problem = self.load()
        return self._problem

    def of(self, k: int, method: str, weight: float, part: str) -> list[Fit]:
        """Return fits on split k: of its folds, one seed ("choose"), or of its test rows, all seeds ("test")."""
        self.progress(f"{self.name}, split {k + 1}, {part}: {method} {weight:g}")

        def make() -> dict[str, Any]:
            split, kind = self.problem.splits[k], None if method == "single task" else method
            plans = (
                [(rows, held, self.seed) for rows, held in split.folds]
                if part == "choose"
                else [(split.train, split.test, self.seed + n) for n in range(self.seeds)]
            )
            return {"fits": [fitted(self.problem, rows, held, kind, weight, n) for rows, held, n in plans]}

        name = f"{self.name}-{k + 1}-{part}-{method}-{weight:g}".lower().replace(" ", "-")
        settings = {**self.settings, "seed": self.seed, **({"seeds": self.seeds} if part == "test" else {})}
        return [Fit(*fit) for fit in once(self.output, name, settings, make)["fits"]]

    def choice(self, k: int) -> Choice:
        """Return what the folds of split k choose.

        Of each method the weight, and of the methods the one, whose stronger probe is worst among those that cost
        no more accuracy than allowed; of none such, the most accurate.
        """
        base = {name: Arm(name, [], self.of(k, name, weight, "choose")) for name, weight in BASELINES.items()}
        least = max(
            base["multitask"].mean("accuracy") - BELOW_MULTITASK,
            base["single task"].mean("accuracy") - BELOW_SINGLE,
        )

        def cost(arm: Arm) -> tuple[bool, float]:
            short = arm.mean("accuracy") < least
            return short, -arm.mean("accuracy") if short else arm.probe

        arms = {m: [Arm(m, [w], self.of(k, m, w, "choose")) for w in weights] for m, weights in WEIGHTS.items()}
        best = {method: min(own, key=cost) for method, own in arms.items()}
        return Choice({m: arm.weights[0] for m, arm in best.items()}, min(best.values(), key=cost).name)

    def arms(self, n_splits: int) -> tuple[list[Arm], list[Choice]]:
        """Return the arms on test rows, the last of which is the best of three, and what was chosen."""
        choices = [self.choice(k) for k in range(n_splits)]
        found = []
        for method in (*BASELINES, *WEIGHTS):
            weights = [BASELINES.get(method, choice.weights.get(method, 0.0)) for choice in choices]
            fits = [fit for k, weight in enumerate(weights) for fit in self.of(k, method, weight, "test")]
            found.append(Arm(method, weights, fits))
        best = [
            fit for k, one in enumerate(choices) for fit in self.of(k, one.best, one.weights[one.best], "test")
        ]
        return [*found, Arm("best of three", [one.weights[one.best] for one in choices], best)], choices


def run(data: Path, output: Path, seed: int, progress: Progress) -> Outcome:
    """Return what the methods came to; write thresholds, the report and the picture of one."""
    return measured(data, output, seed, SEEDS, progress)[0]


def measured(
    data: Path, output: Path, seed: int, seeds: int, progress: Progress
) -> tuple[Outcome, dict[str, list[Arm]]]:
    """Return the outcome, and the arms by data, over ``seeds`` seeds from ``seed`` on."""
    there = [("EmoDB", emodb.FILE, 3)] + [("FSDD", fsdd.FILE, 1)] * (data / fsdd.FILE).is_file()
    n_fits = len(BASELINES) + sum(map(len, WEIGHTS.values())) + len(BASELINES) + len(WEIGHTS) + 1
    steps, at = sum(n_splits for *_, n_splits in there) * n_fits + 1, 0

    def tell(note: str) -> None:
        nonlocal at
        progress(min(at, steps - 1), steps, note)
        at += 1

    found: dict[str, list[Arm]] = {}
    notes = []
    for name, file, n_splits in there:
        settings = {"bytes": (data / file).stat().st_size, "epochs": EPOCHS[name]}
        load = (lambda: emotions(data, seed)) if name == "EmoDB" else (lambda: digits(data))
        runs = Runs(name, load, output, settings, seed, seeds, tell)
        found[name], choices = runs.arms(n_splits)
        notes.append(f"{name}: validation rows chose {', '.join(one.best for one in choices)}.")
        if name == "EmoDB":
            of_emotion = runs
            chosen = choices
    progress(steps - 1, steps, "report")
    files, spread = _write(of_emotion, chosen[0], found, output, seed)
    notes += [
        "Accuracy: of emotions on texts, or of digits on takes, that training did not see; up: runs in which it "
        "is no less than multitask's. Probes of the person: fresh, fitted on the embeddings of the training rows, "
        "tested on the test rows, where the persons are the same. Two streams of sound; nothing is seen.",
        spread,
    ]
    rows = [_row(name, arm, arms[1]) for name, arms in found.items() for arm in arms]
    title = "Emotion without the person, two-stream"
    return Outcome(title, HEADINGS, rows, checks(found), files, notes), found


def checks(found: dict[str, list[Arm]]) -> list[Check]:
    """Return what the arms were to reach, and did or did not."""
    made = []
    for name, arms in found.items():
        single, multi, own = arms[0], arms[1], arms[-1]
        if name == "EmoDB":
            made += [
                at_least("EmoDB: best of three, probe's drop from multitask", 1 - own.probe / multi.probe, 0.13),
                at_least(
                    "EmoDB: best of three, probe's drop from single task", 1 - own.probe / single.probe, 0.10
                ),
                at_least("EmoDB: emotion less multitask's", own.mean("accuracy") - multi.mean("accuracy"), -0.02),
                at_least(
                    "EmoDB: emotion less single task's", own.mean("accuracy") - single.mean("accuracy"), -0.01
                ),
            ]
        else:
            own = next(arm for arm in arms if arm.name == "confusion")
            made += [
                at_least("FSDD: confusion, probe's drop from multitask", 1 - own.probe / multi.probe, 0.20),
                at_least("FSDD: digit less multitask's", own.mean("accuracy") - multi.mean("accuracy"), -0.015),
            ]
    return made


def spread_of(scores: NDArray[Any], y: NDArray[Any], person: NDArray[Any], least: int = 4) -> float:
    """Return how far the best thresholds of persons lie apart: a standard deviation, mean over the classes.

    Parameters
    ----------
    scores : float ndarray (n_items, n_classes)
        One unit is the standard deviation of a class's scores.
    y, person : ndarray (n_items,)
    least : int
        Items of a class that a person has to count; of a class fewer than two persons tell nothing.
    """
    scaled = scores / scores.std(axis=0)
    found = []
    for k, name in enumerate(np.unique(y)):
        cuts = []
        for one in np.unique(person):
            rows = person == one
            if np.count_nonzero(y[rows] == name) >= least:
                tuned = limen.tune((y[rows] == name)[:, None], scaled[rows, k : k + 1], method="exact")
                cuts.append(float(tuned.values[0]))
        if len(cuts) >= 2:
            found.append(np.std(cuts))
    return float(np.mean(found))


def _row(data: str, arm: Arm, multitask: Arm) -> list[str]:
    accuracy, probe = ([getattr(fit, what) for fit in arm.fits] for what in ("accuracy", "logistic"))
    up = sum(own.accuracy >= other.accuracy for own, other in zip(arm.fits, multitask.fits, strict=True))
    return [
        data,
        arm.name,
        ", ".join(f"{weight:g}" for weight in arm.weights) if arm.name != "single task" else "",
        f"{arm.mean('accuracy'):.3f}",
        f"{arm.mean('logistic'):.3f}",
        f"{arm.mean('mlp'):.3f}",
        "" if arm.name == "multitask" else f"{up}/{len(accuracy)}",
        f"{np.std(accuracy):.3f}",
        f"{np.std(probe):.3f}",
        f"{arm.mean('uar'):.3f}",
        f"{arm.mean('seconds'):.1f}",
    ]


def _write(
    runs: Runs, choice: Choice, found: dict[str, list[Arm]], output: Path, seed: int
) -> tuple[list[Path], str]:
    """Write thresholds of the best of three on the first split, its report, and the picture; tell of persons."""
    files = [output / "thresholds.json", output / "report.html", output / "probe-and-accuracy.svg"]
    problem, split = runs.problem, runs.problem.splits[0]
    classes = np.unique(problem.y)
    truth = (problem.y[:, None] == classes).astype(np.int8)
    best, weight = choice.best, choice.weights[choice.best]
    held = np.concatenate([rows for _, rows in split.folds])
    scores = np.concatenate([fit.scores for fit in runs.of(0, best, weight, "choose")])
    tuned = limen.tune(truth[held], scores, average="macro", labels=classes.tolist(), random_state=seed)
    tuned.save(files[0])
    to_test = np.array(runs.of(0, best, weight, "test")[0].scores)
    title = f"EmoDB, emotion without the person ({best}, {weight:g})"
    limen.report(truth[split.test], to_test, tuned, files[1], title=title, random_state=seed)
    points = {arm.name: (arm.mean("accuracy"), arm.probe) for arm in found["EmoDB"]}
    chance = float(
        np.mean([np.bincount(np.unique(problem.person, return_inverse=True)[1]).max() / len(problem.y)])
    )
    scatter(files[2], points, ("accuracy of emotion", "accuracy of the person's stronger probe"), chance)
    half, at_tuned = (
        limen.evaluate(truth[split.test], to_test, cuts, metric="f1", average="macro").value
        for cuts in (0.0, tuned)
    )
    apart = {}
    rows = np.concatenate([one.test for one in problem.splits])
    for arm in found["EmoDB"]:
        per_split = len(arm.fits) // len(problem.splits)
        first = np.concatenate([arm.fits[k * per_split].scores for k in range(len(problem.splits))])
        apart[arm.name] = spread_of(first, problem.y[rows], problem.person[rows])
    told = ", ".join(f"{name} {apart[name]:.2f}" for name in ("multitask", "single task", "best of three"))
    return files, (
        f"Decisions: macro-F1 on the first split's test texts {half:.3f} at a logit of 0, {at_tuned:.3f} tuned on "
        f"its training texts, left out in turn. Best thresholds of the ten speakers lie apart by {told} (standard "
        "deviation, in those of the scores; a report, no bar)."
    )
