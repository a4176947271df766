"""Frame scores of recordings, events tuned on them, what each step of the tuning gives, and tags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import limen.audio
from limen.events import Events, EventThresholds, FrameScores, Setting, evaluate, settings_grid, tune
from limen.events.formats import read_events, write_events, write_scores
from recordings import Part

MEDIAN_9 = Setting(median=9 * 0.04)
GRID = settings_grid(median=(0, 0.12, 0.2, 0.36, 0.52, 1.0), hysteresis=(0, 1, 2), gap=(0, 0.2))
"""A third of limen's own, and as much less to wait for."""
CRITERIA = ("collar", "intersection", "segment")


@dataclass(frozen=True)
class Scored:
    """The frame scores of recordings, their true events, and the group of each."""

    scores: FrameScores
    events: Events
    groups: list[int]


def score_part(part: Part, tagger: Path) -> Scored:
    """Return the scores of a part's recordings; they are kept beside it, as `limen score` writes them."""
    scorer = limen.audio.OnnxScorer(tagger)
    found = {name: limen.audio.score(part.folder / f"{name}.flac", scorer) for name in part.groups}
    scores = FrameScores(scorer.labels, found, scorer.frame_seconds)
    write_scores(scores, part.folder.with_name(f"scores_{part.folder.name}"))
    return Scored(scores, read_events(part.events, scores=scores), list(part.groups.values()))


def tuned(scored: Scored, metric: str) -> EventThresholds:
    """Return the thresholds and settings that `auto` finds; a group shares no sound with another."""
    return tune(scored.scores, scored.events, criterion=metric, settings=GRID, groups=scored.groups)


def tag_part(scored: Scored, thresholds: EventThresholds, folder: Path) -> None:
    """Write what the thresholds find as Audacity labels, a file for each recording."""
    folder.mkdir(parents=True, exist_ok=True)
    found = thresholds.decide(scored.scores)
    for name in found.recordings:
        write_events(found.take([name]), folder / f"{name}.txt", format="audacity")


def compared(tuning: Scored, testing: Scored) -> str:
    """Return a table: micro-F1 on recordings held out, by criterion, of each step from 0.5 to all together."""
    at_half = np.zeros(tuning.scores.n_labels)  # in logits

    def one_cut(metric: str) -> EventThresholds:
        return tune(tuning.scores, tuning.events, criterion=metric, settings=MEDIAN_9, method="shared")

    methods: dict[str, Callable[[str], EventThresholds]] = {
        "0.5, median 9": lambda metric: replace(one_cut(metric), thresholds=at_half, low=at_half),
        "shared cut, median 9": one_cut,
        "cut by label, median 9": lambda metric: tune(
            tuning.scores, tuning.events, criterion=metric, settings=MEDIAN_9, method="exact"
        ),
        "shared setting and cut": lambda metric: tune(
            tuning.scores, tuning.events, criterion=metric, settings=GRID, method="shared"
        ),
        "exact": lambda metric: tune(
            tuning.scores, tuning.events, criterion=metric, settings=GRID, method="exact"
        ),
        "auto": lambda metric: tuned(tuning, metric),
    }
    lines = [f"{'held-out micro-F1, %':26}" + "".join(f"{metric:>14}" for metric in CRITERIA)]
    for name, make in methods.items():
        values = [100 * _value(make(metric), testing, metric) for metric in CRITERIA]
        lines.append(f"{name:26}" + "".join(f"{value:14.1f}" for value in values))
    return "\n".join(lines)


def _value(thresholds: EventThresholds, testing: Scored, metric: str) -> float:
    return evaluate(testing.events, thresholds.decide(testing.scores), metric, durations=testing.scores).value
