"""Pictures of stretches of recordings: those where what was found differs most from what is true."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import require
from limen.events import Events, FrameScores
from limen.reporting.spectrograms import LOWEST_HZ, bands_of

STRETCH_US = 20_000_000
"""A recording is shown in stretches of this length; a shorter one whole."""
MOST_PICTURED = 400
"""Stretches; each picture takes 10 kB of the page."""


def differing(scores: FrameScores, references: Events, found: Events) -> list[tuple[int, int]]:
    """Return stretches with events as numbers of recording and of stretch, those first that differ for longest."""
    totals: dict[tuple[int, int], int] = {}
    for number, name in enumerate(scores.names):
        end = int(scores.bounds(name)[-1])
        cuts = np.arange(0, max(end, 1), STRETCH_US)
        for label in range(scores.n_labels):
            truth, given = (_spans(events, number, label) for events in (references, found))
            if len(truth) + len(given) == 0:
                continue
            for place, start in enumerate(cuts):
                length = _differ(truth, given, int(start), int(start) + STRETCH_US)
                if length is not None:
                    totals[number, place] = totals.get((number, place), 0) + length
    return sorted(totals, key=lambda key: (-totals[key], key))


def picturing(
    wanted: list[tuple[int, int]],
) -> Callable[[Mapping[int, Path], Callable[[float], None]], tuple[dict[str, Any], list[int]]]:
    """Return what draws the first `MOST_PICTURED` of these stretches, by ``"recording start"`` in microseconds."""

    def draw(files: Mapping[int, Path], progress: Callable[[float], None]) -> tuple[dict[str, Any], list[int]]:
        soundfile = require("soundfile", extra="audio", user="drawing spectrograms")
        there = [(number, place) for number, place in wanted if number in files][:MOST_PICTURED]
        pictures: dict[str, Any] = {}
        damaged: list[int] = []
        for done, (number, place) in enumerate(there, 1):
            start_us = place * STRETCH_US
            try:
                with soundfile.SoundFile(files[number]) as opened:
                    rate = opened.samplerate
                    opened.seek(start_us * rate // 1_000_000)
                    pcm = opened.read(STRETCH_US * rate // 1_000_000, dtype="float32", always_2d=True)
                bands = bands_of(pcm.mean(axis=1), rate)
            except (soundfile.SoundFileError, OSError, RuntimeError, ValueError):
                damaged.append(number)
            else:
                pictures[f"{number} {start_us}"] = {
                    "frames": bands.shape[1],
                    "pixels": base64.b64encode(bands.tobytes()).decode(),
                    "from": start_us,
                    "to": start_us + len(pcm) * 1_000_000 // rate,
                    "low": LOWEST_HZ,
                    "high": rate / 2,
                }
            progress(done / len(there))
        return pictures, list(dict.fromkeys(damaged))

    return draw


def _spans(events: Events, recording: int, label: int) -> NDArray[np.int64]:
    own = (events.recording == recording) & (events.label == label)
    return np.stack([events.onset[own], events.offset[own]], axis=1)


def _differ(truth: NDArray[np.int64], given: NDArray[np.int64], start: int, end: int) -> int | None:
    """Return for how long just one of both is there between two times, None if neither ever is."""
    cut = [np.clip(spans, start, end) for spans in (truth, given)]
    edges = np.unique(np.concatenate([spans.ravel() for spans in cut]))
    if len(edges) < 2:
        return None
    inside = [((spans[:, :1] <= edges[:-1]) & (edges[:-1] < spans[:, 1:])).any(axis=0) for spans in cut]
    return int(np.diff(edges)[inside[0] != inside[1]].sum())
