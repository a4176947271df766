"""Similarity-preserving distillation on mixtures of spoken digits: students of one teacher, paired by seed."""

from __future__ import annotations

import functools
import itertools
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from torch import nn

import limen
from limen.learn.backbones import SmallCNN, n_parameters
from limen.learn.distillation import DistilledTagger
from limen.learn.exporting import export
from limen.learn.features import LogMel
from limen.learn.networks import scores_of
from limen.learn.recipes import Check, Outcome, Progress, at_least, fsdd
from limen.learn.recipes.steps import once

WHAT = "small taggers that learn which frames, or clips, a larger one finds alike"
DATA = (fsdd.FILE,)
LABELS = [f"digit {digit}" for digit in range(10)]
HEADINGS = ("size", "learns from", "micro-AUPRC", "gain", "up", "F1, its cuts", "own cuts", "s")
NAMES = {None: "labels", "sp": "+ SP", "iusp": "+ IUSP", "kd": "+ logits", "kd+iusp": "+ logits and IUSP"}


class Plan(NamedTuple):
    """What is run.

    Attributes
    ----------
    clips : (int, int, int)
        Mixtures to train on, to choose and tune on, and to measure.
    teacher, students : int, tuple of int
        Channels of the first layer.
    judged : int
        The student whose weight is chosen, and on which most bars are set.
    arms : tuple of str or None
        Methods; joined by "+", of each the weight chosen.
    weights : tuple of float
        To choose from.
    trials : int
        Seeds that a weight is chosen by, on the part to tune on.
    """

    clips: tuple[int, int, int] = (1500, 400, 800)
    teacher: int = 24
    teacher_epochs: int = 20
    students: tuple[int, ...] = (9,)
    judged: int = 9
    arms: tuple[str | None, ...] = (None, "sp", "iusp")
    seeds: int = 5
    epochs: int = 15
    weights: tuple[float, ...] = (10.0, 100.0, 1000.0)
    trials: int = 2
    time_shift: float = 0.25


PLAN = Plan()
NOTES = (
    "Clips of new speakers; mean and standard deviation over seeds, which pair runs: same start, same batches, as "
    "many steps. Size: parameters. Gain: over the same student, labels only.",
    "F1: micro-F1 by thresholds of limen.tune from the teacher's scores (its cuts), and from the student's (own).",
    "Seconds (s) are of fits that ran one after another: read them with care.",
)


class Part(NamedTuple):
    """Mixtures: waves, their log spectra, and which digits are spoken."""

    waves: NDArray[np.float32]
    X: NDArray[np.float32]
    Y: NDArray[np.int8]


def front() -> LogMel:
    """Return what makes spectra of waves: 16 bands, 62 frames of 2.5 s."""
    return LogMel(fsdd.RATE, 16, 512, 320)


def spectra(waves: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return log spectra (n, 1, 16, 62) of mixtures."""
    made = front()
    with torch.no_grad():
        found = [made(torch.as_tensor(waves[start : start + 100])).numpy() for start in range(0, len(waves), 100)]
    return np.concatenate(found)


def parts_of(data: Path, plan: Plan, seed: int) -> tuple[Part, Part, Part]:
    """Return the parts to train on, to tune on (other takes of its four speakers), and to measure (two others)."""
    spoken = fsdd.load(data)
    first, last = spoken.of(spoken.speakers[:4]), spoken.of(spoken.speakers[4:])
    n_takes = int(first.take.max()) + 1
    late = first.take >= n_takes - max(1, n_takes // 5)
    made = []
    for number, (own, n) in enumerate(zip((first.where(~late), first.where(late), last), plan.clips, strict=True)):
        waves, tags = fsdd.mixtures(own, n, seed=3 * seed + number)
        made.append(Part(waves, spectra(waves), tags))
    return made[0], made[1], made[2]


def network(n_outputs: int, channels: int) -> nn.Module:
    """Return a new network; its memory format takes a processor two thirds of the time, for the same results."""
    made = SmallCNN(n_outputs, channels)
    return made.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


class Arm(NamedTuple):
    """Runs of one student, one way, over seeds."""

    channels: int
    arm: str | None
    runs: list[dict[str, Any]]

    def mean(self, name: str) -> float:
        """Return the mean of a figure over seeds."""
        return float(np.mean([run[name] for run in self.runs]))

    def less(self, other: Arm) -> NDArray[np.float64]:
        """Return micro-AUPRC less another arm's, by seed."""
        return np.array(
            [ours["test"] - theirs["test"] for ours, theirs in zip(self.runs, other.runs, strict=True)]
        )

    def row(self, plain: Arm) -> list[str]:
        """Return the row of the table."""
        values, less = [run["test"] for run in self.runs], self.less(plain)
        same = self.arm is None
        return [
            f"{self.runs[0]['parameters']:,}".replace(",", " "),
            NAMES[self.arm],
            f"{np.mean(values):.3f} ± {_spread(values):.3f}",
            "" if same else f"{less.mean():+.3f} ± {_spread(less):.3f}",
            "" if same else f"{(less > 0).sum()} of {len(less)}",
            f"{self.mean('teachers_cuts'):.3f}",
            f"{self.mean('own_cuts'):.3f}",
            f"{self.mean('seconds'):.0f}",
        ]


class Study:
    """Students and their teacher: each is trained when it is asked for, unless an earlier run left its figures."""

    def __init__(self, data: Path, output: Path, seed: int, plan: Plan) -> None:
        self.data, self.output, self.seed, self.plan = data, output, seed, plan
        names = ("clips", "teacher", "teacher_epochs", "epochs", "time_shift")
        self.shared = {"seed": seed, "bytes": (data / fsdd.FILE).stat().st_size}
        self.shared |= {name: getattr(plan, name) for name in names}

    @functools.cached_property
    def parts(self) -> tuple[Part, Part, Part]:
        """The parts to train on, to tune on, and to measure."""
        return parts_of(self.data, self.plan, self.seed)

    @functools.cached_property
    def taught(self) -> dict[str, Any]:
        """How good the teacher is."""
        path = self.output / "teacher.pt"

        def make() -> dict[str, Any]:
            tagger, seconds = self._fit(self.plan.teacher, None, [], self.seed, self.plan.teacher_epochs)
            whole = path.with_name(f".{os.getpid()}-{path.name}")
            torch.save(tagger.network_.state_dict(), whole)
            whole.replace(path)
            return self._measured(tagger.network_, seconds, {})

        return self._once("teacher", self.shared, [path], make)

    @functools.cached_property
    def teacher(self) -> nn.Module:
        """The teacher, trained."""
        made = network(len(LABELS), self.plan.teacher)
        assert self.taught
        made.load_state_dict(torch.load(self.output / "teacher.pt", weights_only=True))
        return made.eval()

    @functools.cached_property
    def cuts(self) -> limen.Thresholds:
        """Thresholds of the teacher."""
        tune = self.parts[1]
        return limen.tune(tune.Y, scores_of(self.teacher, tune.X), random_state=self.seed)

    def student(self, channels: int, arm: str | None, weights: Sequence[float], seed: int) -> dict[str, Any]:
        """Return how good one student is."""

        def make() -> dict[str, Any]:
            tagger, seconds = self._fit(channels, arm, weights, seed, self.plan.epochs)
            return self._measured(tagger.network_, seconds, {"teachers_cuts": self.cuts})

        name = "-".join(
            ["student", str(channels), arm or "labels", *(f"{weight:g}" for weight in weights), str(seed)]
        )
        settings = {"channels": channels, "arm": arm, "weights": list(weights), "student": seed}
        return self._once(name, self.shared | settings, [], make)

    def write(self, channels: int, weight: float) -> list[Path]:
        """Return the files of one student, written if they are not there: thresholds, report, ONNX."""
        files = [self.output / name for name in ("thresholds.json", "report.html", "student.onnx")]

        def make() -> dict[str, Any]:
            tagger, _ = self._fit(channels, "iusp", [weight], self.seed, self.plan.epochs)
            _, tune, test = self.parts
            tuned = limen.tune(tune.Y, tagger.decision_function(tune.X), labels=LABELS, random_state=self.seed)
            tuned.save(files[0])
            title = "Spoken digits in mixtures, similarity-preserving distillation"
            scores = tagger.decision_function(test.X)
            limen.report(test.Y, scores, tuned, files[1], title=title, random_state=self.seed)
            whole = nn.Sequential(front(), tagger.network_)
            export(whole, files[2], test.waves.shape[1:], rate=fsdd.RATE, labels=LABELS)
            return {}

        self._once("written", self.shared | {"channels": channels, "weight": weight}, files, make)
        return files

    def _fit(
        self, channels: int, arm: str | None, weights: Sequence[float], seed: int, epochs: int
    ) -> tuple[DistilledTagger, float]:
        """Return a tagger fitted, and the seconds it took."""
        train, teacher = self.parts[0], None if arm is None else self.teacher
        start = time.perf_counter()
        tagger = DistilledTagger(
            functools.partial(network, channels=channels),
            teacher,
            method=arm and arm.split("+"),
            weight=list(weights),
            time_shift=self.plan.time_shift,
            epochs=epochs,
            validation_fraction=0,
            random_state=seed,
        ).fit(train.X, train.Y)
        return tagger, time.perf_counter() - start

    def _measured(self, fitted: nn.Module, seconds: float, cuts: dict[str, limen.Thresholds]) -> dict[str, Any]:
        """Return micro-AUPRC of both parts, and micro-F1 of the last by thresholds given and own."""
        _, tune, test = self.parts
        scored = [scores_of(fitted, part.X) for part in (tune, test)]
        cuts = cuts | {"own_cuts": limen.tune(tune.Y, scored[0], random_state=self.seed)}
        found = {name: float(limen.evaluate(test.Y, scored[1], cut).value) for name, cut in cuts.items()}
        for name, part, scores in zip(("tune", "test"), (tune, test), scored, strict=True):
            found[name] = float(average_precision_score(part.Y, scores, average="micro"))
        return found | {"parameters": n_parameters(fitted), "seconds": seconds}

    def _once(
        self, name: str, settings: dict[str, Any], files: Sequence[Path], make: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        if not all(path.is_file() for path in files):
            (self.output / f"{name}.json").unlink(missing_ok=True)
        return once(self.output, name, json.loads(json.dumps(settings)), make)


def run(data: Path, output: Path, seed: int, progress: Progress) -> Outcome:
    """Return what students of one size came to; write one's thresholds, report and ONNX model."""
    return study(data, output, seed, progress, PLAN)


def study(data: Path, output: Path, seed: int, progress: Progress, plan: Plan) -> Outcome:
    """Return what a plan came to."""
    whole = Study(data, output, seed, plan)
    methods = list(dict.fromkeys(method for arm in plan.arms if arm for method in arm.split("+")))
    steps = len(methods) * len(plan.weights) * plan.trials + len(plan.students) * len(plan.arms) * plan.seeds + 2
    done = itertools.count()

    def tell(note: str) -> None:
        progress(next(done), steps, note)

    tell("teacher")
    taught = whole.taught
    weights: dict[str, float] = {}
    notes = [*NOTES]
    for method in methods:
        values = []
        for weight in plan.weights:
            found = []
            for trial in range(plan.trials):
                tell(f"choosing a weight, {method} {weight:g}")
                found.append(whole.student(plan.judged, method, [weight], 100 * seed + trial)["tune"])
            values.append(float(np.mean(found)))
        weights[method] = plan.weights[int(np.argmax(values))]
        tried = ", ".join(f"{weight:g} {value:.3f}" for weight, value in zip(plan.weights, values, strict=True))
        notes.append(f"Weight of {method}: {weights[method]:g}, by micro-AUPRC of the part to tune on ({tried}).")
    arms = []
    for channels in plan.students:
        for arm in plan.arms:
            chosen = [weights[method] for method in (arm.split("+") if arm else ())]
            runs = []
            for k in range(plan.seeds):
                tell(f"student {channels}, {NAMES[arm]}, seed {k}")
                runs.append(whole.student(channels, arm, chosen, 100 * seed + k))
            arms.append(Arm(channels, arm, runs))
    tell("report")
    files = whole.write(plan.judged, weights["iusp"])
    size, own = f"{taught['parameters']:,}".replace(",", " "), f"{taught['own_cuts']:.3f}"
    seconds = f"{taught['seconds']:.0f}"
    rows = [[size, "teacher", f"{taught['test']:.3f}", "", "", own, own, seconds]]
    plain = {arm.channels: arm for arm in arms if arm.arm is None}
    rows += [arm.row(plain[arm.channels]) for arm in arms]
    title = "Similarity-preserving distillation"
    return Outcome(title, HEADINGS, rows, checks(taught, arms, plan.judged), files, notes)


def checks(taught: dict[str, Any], arms: Sequence[Arm], judged: int) -> list[Check]:
    """Return what students were to reach, and did or did not."""
    found = {(arm.channels, arm.arm): arm for arm in arms}
    plain, sp, iusp = (found[judged, arm] for arm in (None, "sp", "iusp"))
    gain, n = iusp.less(plain), iusp.runs[0]["parameters"]
    made = [
        at_least(f"{n} parameters: micro-AUPRC, IUSP less labels only", float(gain.mean()), 0.02),
        at_least(
            f"{n} parameters: runs of {len(gain)} that IUSP betters", int((gain > 0).sum()), 0.8 * len(gain), 0
        ),
        at_least(f"{n} parameters: micro-AUPRC, IUSP less SP", float(iusp.less(sp).mean()), -0.01),
        at_least(f"{n} parameters: micro-AUPRC, teacher less IUSP", taught["test"] - iusp.mean("test"), 0.05),
    ]
    for (channels, arm), one in found.items():
        if arm == "iusp" and channels != judged:
            what = f"{one.runs[0]['parameters']} parameters: micro-AUPRC, IUSP less labels only"
            made.append(at_least(what, float(one.less(found[channels, None]).mean()), 0))
    cuts = np.mean([arm.mean("own_cuts") - arm.mean("teachers_cuts") for arm in arms])
    made.append(at_least("all students: micro-F1, own thresholds less the teacher's", float(cuts), 0))
    return made


def _spread(values: Any) -> float:
    """Return the standard deviation of runs."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
