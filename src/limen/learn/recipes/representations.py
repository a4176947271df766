"""Networks on three representations that teach each other: spoken digits of speakers they did not hear."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from torch import nn

import limen
from limen.errors import MissingDependencyError
from limen.learn import MFCC, LogMel, LogSTFT, MultiRepresentationClassifier, SmallCNN
from limen.learn.backbones import n_parameters
from limen.learn.recipes import Check, Outcome, Progress, at_least, fsdd
from limen.learn.recipes.steps import once

WHAT = "networks on several representations of a sound that teach each other; one of them is used"
DATA = (fsdd.FILE,)
SEEDS = 2
FOLDS = 3
TAKES = 10
"""Recordings of each digit by each speaker to train on."""
EPOCHS = 16
SECONDS = 0.64
MIX_SECONDS = 2.4
N_MIXES = (600, 300, 600)
"""Mixtures to train on, to tune thresholds on and to measure."""
ARMS = ("independent", "ensemble", "mutual")
WEIGHTS = {"ensemble": (2.0, 2.0, 2.0), "mutual": (2.0, 2.0, 1.0)}
"""By fold: of 1 and 2, what was better on a training speaker held back (`benchmarks/learn_representations.py`)."""
HEADINGS = ("task", "arm", "stft", "logmel", "mfcc", "mean", "gain", "up", "together", "tuned", "s")


class Setting(NamedTuple):
    """How branches learn from each other."""

    arm: str
    temperature: float = 4.0
    weight: float = 1.0


class Run(NamedTuple):
    """What one training run came to on speakers that it did not hear.

    ``branches`` are accuracies or micro-averaged average precisions, ``together`` that of the mean of their
    logits. ``chosen`` is the best branch on items held back, ``parameters`` those of a branch. ``half`` and
    ``tuned`` are its micro-F1 with cuts at probability 0.5 and tuned, of labels only. Seconds are the
    processor's.
    """

    branches: dict[str, float]
    together: float
    chosen: str
    seconds: float
    parameters: int
    half: float = float("nan")
    tuned: float = float("nan")

    @property
    def mean(self) -> float:
        """The mean over branches."""
        return float(np.mean(list(self.branches.values())))


Pairs = dict[str, list[Run]]
"""Runs of each arm, in the same order of folds and seeds."""


def run(data: Path, output: Path, seed: int, progress: Progress) -> Outcome:
    """Return what branches gained from each other; write thresholds, a report and a model of one."""
    recordings = fsdd.load(data)
    n_bytes = (data / fsdd.FILE).stat().st_size
    plans = [(arm, fold, k) for fold in range(FOLDS) for k in range(SEEDS) for arm in ARMS]
    steps, step = len(plans) + len(ARMS) + 1, 0
    digits: Pairs = {arm: [] for arm in ARMS}
    for arm, fold, k in plans:
        progress(step, steps, f"digits, {arm}, fold {fold + 1}, seed {seed + k}")
        digits[arm].append(spoken(recordings, fold, seed + k, chosen(arm, fold), output, n_bytes))
        step += 1
    mixes: Pairs = {}
    for arm in ARMS:
        progress(step, steps, f"mixtures, {arm}")
        mixes[arm] = [mixed(recordings, 0, seed, chosen(arm, 0), output, n_bytes)]
        step += 1
    progress(step, steps, "report")
    files = write(recordings, output, seed, chosen("mutual", 0))
    notes = [
        f"Digits: accuracy; {TAKES} recordings of each digit by each of four speakers to train on, the other two "
        f"speakers to measure, {FOLDS} folds x {SEEDS} seeds. Up: runs in which the mean of the branches rose. "
        "Together: the mean of all branches' logits, at three times the cost.",
        "Mixtures: one to four digits, micro-averaged average precision; tuned: micro-F1 of the branch chosen on "
        f"mixtures held back, with thresholds tuned there (at 0.5: {mixes['mutual'][0].half:.3f} for mutual). One "
        "run of an arm: no comparison.",
    ]
    rows = [*table("digits", digits), *table("mixtures", mixes)]
    return Outcome(
        "Multi-representation distillation",
        HEADINGS,
        rows,
        checks(digits),
        files,
        notes,
    )


def chosen(arm: str, fold: int) -> Setting:
    """Return the setting of an arm, as chosen without the fold's test speakers."""
    return Setting(arm, weight=WEIGHTS[arm][fold]) if arm != "independent" else Setting(arm)


def speakers_of(recordings: fsdd.Recordings, fold: int) -> tuple[list[str], list[str]]:
    """Return the speakers to train on and those to measure on."""
    test = recordings.speakers[2 * fold : 2 * fold + 2]
    return [name for name in recordings.speakers if name not in test], test


def fronts(window: int = 256, hop: int = 160) -> dict[str, nn.Module]:
    """Return the three representations, of 32 bands or coefficients."""
    return {
        "stft": LogSTFT(fsdd.RATE, 32, window, hop),
        "logmel": LogMel(fsdd.RATE, 32, window, hop),
        "mfcc": MFCC(fsdd.RATE, 32, 40, window, hop, lifter=32.0),
    }


def model(setting: Setting, seed: int, **other: Any) -> MultiRepresentationClassifier:
    """Return the classifier of an arm; only the weight and the teacher differ."""
    return MultiRepresentationClassifier(
        other.pop("representations", None) or fronts(),
        teacher="mutual" if setting.arm == "mutual" else "ensemble",
        temperature=setting.temperature,
        distill_weight=0.0 if setting.arm == "independent" else setting.weight,
        epochs=EPOCHS,
        batch_size=16,
        learning_rate=1e-2,
        validation_fraction=0,
        random_state=seed,
        **other,
    )


def spoken(
    recordings: fsdd.Recordings,
    fold: int,
    seed: int,
    setting: Setting,
    output: Path,
    n_bytes: int,
    held: int | None = None,
) -> Run:
    """Return a run on single digits, from an earlier one if it was stored.

    Parameters
    ----------
    recordings : Recordings
    fold, seed : int
    setting : Setting
    output : Path
    n_bytes : int
        Of the file of recordings.
    held : int, optional
        A training speaker who is not trained on: he is measured on, and the test speakers are not touched.
    """

    def make() -> dict[str, Any]:
        train, test = speakers_of(recordings, fold)
        if held is not None:
            test = [train.pop(held)]
        near = recordings.of(train, 2 * TAKES)
        parts = [near.where(near.take < TAKES), near.where(near.take >= TAKES), recordings.of(test)]
        return _measured(
            model(setting, seed),
            [(part.padded(SECONDS), part.digit) for part in parts],
            lambda scores, digit: float((scores.argmax(axis=1) == digit).mean()),
        )._asdict()

    name = f"digits-{setting.arm}-{fold}-{seed}" + ("" if held is None else f"-held{held}")
    name += f"-{setting.temperature:g}-{setting.weight:g}"
    stored = {
        "setting": list(setting),
        "fold": fold,
        "seed": seed,
        "held": held,
        "bytes": n_bytes,
        "epochs": EPOCHS,
    }
    return Run(**once(output, name, stored, make))


def mixed(recordings: fsdd.Recordings, fold: int, seed: int, setting: Setting, output: Path, n_bytes: int) -> Run:
    """Return a run on mixtures, from an earlier one if it was stored; a speaker held back tunes thresholds."""

    def make() -> dict[str, Any]:
        parts = mixes_of(recordings, fold, seed)
        found = model(setting, seed, representations=fronts(512, 400))
        done = _measured(
            found, parts, lambda scores, tags: float(average_precision_score(tags.ravel(), scores.ravel()))
        )
        _, (to_tune, tuned_tags), (to_measure, tags) = parts
        scores = found.decision_function(to_measure, done.chosen)
        t = limen.tune(tuned_tags, found.decision_function(to_tune, done.chosen), random_state=seed)
        half, tuned = (float(limen.evaluate(tags, scores, cut).value) for cut in (0.0, t))
        return done._replace(half=half, tuned=tuned)._asdict()

    name = f"mixtures-{setting.arm}-{fold}-{seed}-{setting.temperature:g}-{setting.weight:g}"
    stored = {
        "setting": list(setting),
        "fold": fold,
        "seed": seed,
        "bytes": n_bytes,
        "epochs": EPOCHS,
        "n": list(N_MIXES),
    }
    return Run(**once(output, name, stored, make))


def mixes_of(
    recordings: fsdd.Recordings, fold: int, seed: int
) -> list[tuple[NDArray[np.float32], NDArray[np.int8]]]:
    """Return mixtures by three speakers to train on, by a fourth to tune on, and by the other two to measure."""
    train, test = speakers_of(recordings, fold)
    return [
        fsdd.mixtures(recordings.of(names), n, MIX_SECONDS, seed=3 * seed + k)
        for k, (names, n) in enumerate(zip((train[:3], train[3:], test), N_MIXES, strict=True))
    ]


def _measured(
    found: MultiRepresentationClassifier,
    parts: Sequence[tuple[NDArray[Any], NDArray[Any]]],
    value_of: Callable[[NDArray[Any], NDArray[Any]], float],
) -> Run:
    """Fit a classifier, and return what its branches reach on the test part; the held part chooses one."""
    train, held, test = parts
    start = time.process_time()
    found.fit(*train)
    seconds = time.process_time() - start
    scores = {name: found.decision_function(test[0], name) for name in found.representations}
    on_held = {name: value_of(found.decision_function(held[0], name), held[1]) for name in scores}
    return Run(
        {name: value_of(own, test[1]) for name, own in scores.items()},
        value_of(np.mean(list(scores.values()), axis=0), test[1]),
        max(on_held, key=on_held.__getitem__),
        seconds,
        max(n_parameters(found.branch(name)) for name in scores),
    )


def table(task: str, pairs: Mapping[str, Sequence[Run]]) -> list[list[str]]:
    """Return the rows of the arms: means over runs, in per cent, and what was gained on the independent runs."""
    rows = []
    for arm, runs in pairs.items():
        gain = gains(pairs, arm)
        own = [100 * np.mean([one.branches[name] for one in runs]) for name in runs[0].branches]
        mean, together = (100 * np.mean([getattr(one, what) for one in runs]) for what in ("mean", "together"))
        tuned = np.mean([one.tuned for one in runs])
        rows.append(
            [
                task,
                arm,
                *(f"{value:.1f}" for value in (*own, mean)),
                "" if arm == "independent" else f"{gain.mean():+.2f}",
                "" if arm == "independent" else f"{(gain > 0).sum()} of {len(gain)}",
                f"{together:.1f}",
                "" if np.isnan(tuned) else f"{tuned:.3f}",
                f"{np.mean([one.seconds for one in runs]):.0f}",
            ]
        )
    return rows


def gains(pairs: Mapping[str, Sequence[Run]], arm: str) -> NDArray[np.float64]:
    """Return by how many points the mean of the branches rose, run by run."""
    both = zip(pairs[arm], pairs["independent"], strict=True)
    return np.array([100 * (one.mean - alone.mean) for one, alone in both])


def checks(digits: Mapping[str, Sequence[Run]]) -> list[Check]:
    """Return what the runs on digits were to reach, and did or did not."""
    made, together = [], float(np.mean([one.together for one in digits["independent"]]))
    for arm in ARMS[1:]:
        gain = gains(digits, arm)
        made.append(at_least(f"digits: {arm}, mean gain of the branches, points", float(gain.mean()), 1.0, 2))
        needed = int(np.ceil(0.8 * len(gain)))
        made.append(at_least(f"digits: {arm}, runs up of {len(gain)}", int((gain > 0).sum()), needed, 0))
        best = float(np.mean([one.branches[one.chosen] for one in digits[arm]]))
        what = f"digits: {arm}, chosen branch less the independent branches together, points"
        made.append(at_least(what, 100 * (best - together), -7.0, 1))
    plain = n_parameters(nn.Sequential(fronts()["logmel"], SmallCNN(10)))
    most = max(one.parameters for runs in digits.values() for one in runs)
    made.append(Check("parameters of a branch, of a plain backbone", str(plain), str(most), plain == most))
    return made


def write(recordings: fsdd.Recordings, output: Path, seed: int, setting: Setting) -> list[Path]:
    """Write the thresholds, the report and, where onnx is installed, the model of a branch for mixtures."""
    train, held, (waves, tags) = mixes_of(recordings, 0, seed)
    labels = [f"digit {k}" for k in range(10)]
    found = model(setting, seed, representations=fronts(512, 400)).fit(*train, validation=held)
    t = limen.tune(held[1], found.decision_function(held[0]), labels=labels, random_state=seed)
    files = [output / name for name in ("thresholds.json", "report.html", "branch.onnx")]
    t.save(files[0])
    title = f"Mixtures of spoken digits, {found.best_branch_}, multi-representation distillation"
    limen.report(tags, found.decision_function(waves), t, files[1], title=title, random_state=seed)
    try:
        found.to_onnx(files[2], rate=fsdd.RATE, labels=labels)
    except MissingDependencyError:
        return files[:2]
    return files
