"""Do promises of events hold, and what do they cost? Made recordings whose truth is known, and real ones.

python benchmarks/events_promises.py [--repetitions 1000] [--only precision]
python benchmarks/events_promises.py --data DIR

Made: recordings of 3 s with few events of two labels. Six in a hundred are long, with many sounds that look like
events, so that what is wrong comes in heaps. A promise is broken where any label (or all together) falls
short of it on 6 000 other recordings. Beside limen stands the same walk with each event taken for independent.
`--data`: `sound_events.npz`, promised on one part and
measured on the other, both ways; and the 20 clips of `desed20.npz`, of which little can be promised.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np

import limen
from events_peers import desed, soundscapes
from limen.events import Events, FrameScores, Setting, evaluate, guarantee, paths
from limen.events.curves import durations_of
from limen.events.detecting import detect
from limen.events.matching import as_criterion, count_right
from limen.guarantees.pooled import Family
from report import markdown

LABELS, FRAME = ("call", "song"), 0.1
SETTINGS = (Setting(), Setting(median=0.3))
WAYS = ("limen", "events taken for independent")
ASKED = {
    "precision": ({"precision": 0.6}, "label"),
    "precision, all": ({"precision": 0.6}, "all"),
    "false events": ({"false_per_hour": 250.0}, "label"),
    "false events, all": ({"false_per_hour": 500.0}, "all"),
    "recall": ({"recall": 0.7}, "label"),
    "precision and recall": ({"precision": 0.7, "recall": 0.5}, "label"),
}


def made(rng: np.random.Generator, n: int, prefix: str = "r") -> tuple[FrameScores, Events]:
    """Return recordings in which what is wrong goes together, and their events."""
    recordings, rows = {}, []
    for i in range(n):
        bad = rng.random() < 0.06
        size = 160 if bad else 30
        own = rng.normal(-3, 0.6, (size, 2))
        for k, label in enumerate(LABELS):
            at = 0
            while at < size - 9:
                at += int(rng.integers(1, 12))
                real = rng.random() < (0.1 if bad else 0.97)
                if at + 7 > size or rng.random() < (0.1 if bad else 0.4):
                    at += 3
                    continue
                own[at : at + 6, k] += rng.normal(6.0 if real else 3.8, 1.2)
                if real:
                    rows.append((f"{prefix}{i}", at * FRAME, (at + 6) * FRAME, label))
                at += 8
        recordings[f"{prefix}{i}"] = own
    return FrameScores(LABELS, recordings, FRAME), Events.from_rows(
        rows, recordings=tuple(recordings), labels=LABELS
    )


def shares(asked: dict[str, float], counts, hours: float) -> list[np.ndarray]:
    """Return by how much each number asked for is missed, (n_rows,); above 0: it is."""
    tp, pp, p = counts
    found = {
        "precision": lambda share: share * pp - tp,
        "recall": lambda share: share * p - tp,
        "false_per_hour": lambda share: (pp - tp) - share * hours,
    }
    return [found[kind](share) for kind, share in asked.items()]


def independent(self: paths.Counted, row: int, size: int) -> tuple[Family, Family]:
    """Return what `Counted.families` does, with every event a unit of its own: what must not be done."""
    found = []
    for units in (self.fitted, ~self.fitted):
        tp, pp = (part[row, :size][:, units].sum(axis=1) for part in (self.tp, self.pp))
        p, hours = self.p[row, units].sum(), self.hours[units].sum()
        n = int(max(pp.max(), p))
        number = np.arange(n)
        right = (number < tp[:, None]).astype(float)
        given = np.stack([right, (number < pp[:, None]) - right], axis=1)
        found.append(
            Family(np.arange(size, dtype=float), given, np.stack([number < p, np.full(n, hours / n)]) * 1.0)
        )
    return found[0], found[1]


def run(asked: dict[str, float], per: str, repetitions: int, n: int, world, ways) -> dict[str, tuple]:
    """Return how often the promise was broken and how much was found, in each way."""
    broken = dict.fromkeys(ways, 0)
    recall = dict.fromkeys(broken, 0.0)
    promised = dict.fromkeys(broken, 0)
    scores, events = world
    hours, whole = scores.hours, paths.Counted.families
    for repetition in range(repetitions):
        here = made(np.random.default_rng([7, repetition]), n)
        for way in broken:
            paths.Counted.families = whole if way == "limen" else independent
            tuned = guarantee(*here, settings=SETTINGS, per=per, random_state=repetition, **asked)
            paths.Counted.families = whole
            cuts = tuned.thresholds
            found = detect(scores, tuned.settings, cuts, tuned.low)
            counts = count_right(found, events, tuned.criterion, durations_of(scores)).sum(axis=1)[:3]
            recall[way] += counts[0].sum() / counts[2].sum() / repetitions
            rows = counts.sum(axis=1, keepdims=True) if per == "all" else counts
            made_of = np.array([bool(tuned.promise.labels)]) if per == "all" else np.isfinite(cuts)
            promised[way] += made_of.mean() / repetitions
            missed = [(short > 0) & made_of for short in shares(asked, rows, hours)]
            broken[way] += bool(np.any(missed))
    return {way: (broken[way] / repetitions, promised[way], recall[way]) for way in broken}


def on_real(data: Path) -> None:
    """Print what can be promised of real recordings, and what came of it."""
    rows = []
    for name in ("esc10", "fsdd"):
        parts = [soundscapes(data, name, part) for part in ("tune", "test")]
        for asked, per, criterion in (
            ({"precision": 0.5}, "label", "intersection"),
            ({"precision": 0.7}, "all", "intersection"),
            ({"false_per_hour": 60.0}, "label", "collar"),
            ({"false_per_hour": 500.0}, "all", "collar"),
            ({"recall": 0.3}, "label", "intersection"),
        ):
            for i in range(2):
                tuned = guarantee(*parts[i], per=per, criterion=criterion, settings=SETTINGS, **asked)
                scores, events = parts[1 - i]
                found = evaluate(events, tuned.decide(scores), criterion, durations=scores)
                measured = tuned.promised(found.counts, scores.hours)
                below = sum(one.below for one in measured)
                recall = found.counts.tp.sum() / found.counts.p.sum()
                what = ", ".join(f"{key} {value:g}" for key, value in asked.items())
                labels = f"{len(tuned.promise.labels)} of {scores.n_labels}"
                beyond = f"{below} of {len(measured)}"
                part = f"{name} {('tune', 'test')[i]}"
                rows.append([part, f"{what}, {per}, {criterion}", labels, beyond, f"{100 * recall:.1f}"])
                print(rows[-1], flush=True)
    scores, events = desed(data)
    for asked in ({"precision": 0.5}, {"false_per_hour": 30.0}):
        tuned = guarantee(scores, events, per="all", criterion=as_criterion("intersection"), **asked)
        print("desed20:", tuned.promise.said(), tuned.details.get("not_promised"))
    print(
        markdown(
            ["promised on", "what", "labels promised", "beyond it on the other part", "recall there, %"], rows
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--recordings", type=int, default=200)
    parser.add_argument("--only", nargs="+", default=list(ASKED))
    parser.add_argument("--ways", nargs="+", default=list(WAYS))
    parser.add_argument("--data", type=Path, help="folder with sound_events.npz and desed20.npz")
    options = parser.parse_args()
    warnings.simplefilter("ignore", limen.LimenWarning)
    if options.data is not None:
        on_real(options.data)
        return
    rows, world = [], made(np.random.default_rng(1), 6000, "w")
    for name in options.only:
        found = run(*ASKED[name], options.repetitions, options.recordings, world, options.ways)
        for way, (broken, promised, recall) in found.items():
            rows.append([name, way, f"{100 * broken:.1f} %", f"{100 * promised:.0f} %", f"{recall:.3f}"])
            print(rows[-1], flush=True)
    print(markdown(["promise", "way", "broken", "labels promised", "recall"], rows))


if __name__ == "__main__":
    main()
