"""From frame scores to events: the median, the two thresholds, gaps closed, short events dropped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from limen._kernels import events as kernels
from limen.events.recordings import Events, FrameScores, microseconds
from limen.events.settings import Setting
from limen.scales import Kind, logit, sigmoid


def shifted(values: NDArray[np.float64], by: float, kind: Kind) -> NDArray[np.float64]:
    """Return scores moved by ``by``: in log odds where they are probabilities, else in their own unit.

    What lies beyond 0 and 1 is taken for 0 and 1.
    """
    if kind != "probability" or not by:
        return values + by
    return sigmoid(logit(np.clip(values, 0.0, 1.0)) + by)


def frames_of(scores: FrameScores) -> kernels.Frames:
    """Return the frames of all recordings as the kernels take them."""
    known: dict[tuple[int, float], NDArray[np.int64]] = {}
    edges, sizes = [], [0]
    for name, own in scores.recordings.items():
        shape = len(own), scores.seconds(name)
        if shape not in known:
            known[shape] = scores.bounds(name)
        edges.append(known[shape])
        sizes.append(len(own))
    return kernels.Frames(np.cumsum(sizes, dtype=np.int64), np.concatenate(edges))


def column(scores: FrameScores, label: int) -> NDArray[np.float64]:
    """Return the scores of a label in all recordings, end to end, float64 (n_frames,)."""
    return np.concatenate([own[:, label] for own in scores.recordings.values()]).astype(np.float64)


def ranked_scores(scores: FrameScores, label: int) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return the distinct scores of a label, rising, and the rank of each frame among them."""
    values = np.concatenate([own[:, label] for own in scores.recordings.values()])
    ranks, first = kernels.ranked(kernels.keys_of(values))
    return values[first].astype(np.float64) + 0.0, ranks


def ways_of(settings: Sequence[Setting]) -> NDArray[np.int64]:
    """Return the longest gap closed and the shortest event kept of settings, microseconds (n_settings, 2)."""
    return np.array([microseconds([s.gap, s.shortest]) for s in settings], np.int64).reshape(-1, 2)


def detect(
    scores: FrameScores,
    settings: Sequence[Setting],
    thresholds: NDArray[np.float64],
    low: NDArray[np.float64],
) -> Events:
    """Return the events that a setting and a threshold for each label give.

    Parameters
    ----------
    scores : FrameScores
    settings : sequence of n_labels Setting
    thresholds, low : float64 (n_labels,)
        An event is a stretch of frames at or above the low threshold that reaches the threshold; +inf is never.
    """
    frames = frames_of(scores)
    found, labels = [], []
    for k, setting in enumerate(settings):
        if thresholds[k] == np.inf or not scores.n_frames:
            continue
        values = column(scores, k)
        width = setting.frames(scores.frame_seconds)
        if width > 1:
            distinct, ranks = ranked_scores(scores, k)
            filtered = kernels.median_scores(frames, ranks, width)
            # Rank -1, outside of the recording, is below every threshold.
            values = np.append(distinct, -np.inf)[filtered]
        way = ways_of([setting])[0]
        found.append(kernels.detect(frames, values, (float(low[k]), float(thresholds[k])), way))
        labels.append(np.full(len(found[-1]), k))
    rows = np.concatenate(found) if found else np.empty((0, 3), np.int64)
    label = np.concatenate(labels) if labels else np.empty(0, np.int64)
    return Events(scores.names, scores.labels, rows[:, 0], label, rows[:, 1], rows[:, 2])
