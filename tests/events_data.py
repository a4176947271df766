"""Data that tests of events share: random ones with ties, and the soundscapes of `tests/data/events.npz`."""

from functools import cache
from pathlib import Path

import numpy as np

from limen.events import Collar, Events, FrameScores, Intersection, Segments, event_curves
from limen.events.curves import durations_of
from oracle import events as oracle

FIXTURE = Path(__file__).parent / "data" / "events.npz"
CRITERIA = {"collar": Collar(), "intersection": Intersection(), "segment": Segments()}


@cache
def fixture():
    with np.load(FIXTURE, allow_pickle=False) as data:
        return {key: data[key] for key in data.files}


@cache
def shipped(name):
    """Return the scores and events of "desed20", "esc10" or "fsdd"."""
    data = {key.split("/", 1)[1]: value for key, value in fixture().items() if key.startswith(f"{name}/")}
    names, ends = data["names"].tolist(), np.concatenate([[0], np.cumsum(data["sizes"])])
    recordings = {n: data["scores"][a:b] for n, a, b in zip(names, ends[:-1], ends[1:], strict=True)}
    durations = dict(zip(names, data["seconds"].tolist(), strict=True))
    labels = tuple(data["labels"].tolist())
    scores = FrameScores(labels, recordings, float(data["frame_seconds"]), durations)
    return scores, Events(tuple(names), labels, *data["events"])


def random_events(seed, *, kind="logit", n_recordings=3, n_labels=2, n_frames=24, frame_seconds=0.1):
    """Return random scores, few of them distinct, and events; some recordings are short or empty."""
    rng = np.random.default_rng(seed)
    names = tuple(f"r{i}" for i in range(n_recordings))
    labels = tuple("abcd"[:n_labels])
    recordings, rows = {}, []
    for i, name in enumerate(names):
        size = int(rng.integers(0, n_frames)) if i else n_frames
        walk = np.cumsum(rng.normal(0, 1, (size, n_labels)), axis=0)
        values = np.round(walk * (2 if seed % 2 else 0.5)) / (2 if seed % 2 else 0.5)
        if kind == "probability":
            values = 1 / (1 + np.exp(-values))
        recordings[name] = values.astype("f4" if seed % 3 else "f8")
        for label in labels:
            at = 0.0
            while rng.random() < 0.8:
                onset = at + round(rng.random() * 0.8, 2)
                at = onset + 0.05 + round(rng.random() * 0.8, 2)
                if at <= size * frame_seconds:
                    rows.append((name, onset, at, label))
    return FrameScores(labels, recordings, frame_seconds), Events.from_rows(rows, recordings=names, labels=labels)


def naive_counts(scores, events, setting, criterion, k, low, high):
    """Return tp and pp of a label by the oracle."""
    width = setting.frames(scores.frame_seconds)
    gap, shortest = round(setting.gap * 1e6), round(setting.shortest * 1e6)
    tp = pp = 0
    for r, name in enumerate(scores.names):
        values = scores.recordings[name][:, k].astype(float).tolist()
        found = oracle.detected(values, scores.bounds(name).tolist(), width, low, high, gap, shortest)
        own = (events.label == k) & (events.recording == r)
        known = list(zip(events.onset[own].tolist(), events.offset[own].tolist(), strict=True))
        more = (int(durations_of(scores)[r]),) if criterion == "segment" else ()
        right, given = getattr(oracle, criterion)(found, known, *more)
        tp, pp = tp + right, pp + given
    return tp, pp


def check_against_peers(name, criterion, settings, keys):
    """Counts at every change point are those of sed_scores_eval, and nowhere else do they change."""
    scores, events = shipped(name)
    for setting, key in zip(settings, keys, strict=True):
        curves = event_curves(scores, events, setting, CRITERIA[criterion])
        for k in range(scores.n_labels):
            cuts = fixture()[f"{name}/{key}/{criterion}/{k}/cuts"].astype(np.float64)
            tp, fp = fixture()[f"{name}/{key}/{criterion}/{k}/counts"]
            own = curves.where(k, 0)
            at = own.start + np.searchsorted(-curves.cuts[own], -cuts, side="right") - 1
            assert np.array_equal(curves.tp[0, at], tp)
            assert np.array_equal(curves.pp[0, at] - curves.tp[0, at], fp)
            assert set(curves.cuts[own][1:]) <= set(cuts)
