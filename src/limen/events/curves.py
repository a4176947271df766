"""Counts at every setting and every threshold of every label."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen._kernels import events as kernels
from limen.errors import InputError, LimenWarning, count, examples
from limen.events.detecting import frames_of, ranked_scores, shifted, ways_of
from limen.events.matching import COLLAR, Criterion, as_criterion, references_of
from limen.events.recordings import Events, FrameScores, microseconds
from limen.events.settings import Setting, as_settings
from limen.scales import Kind, kind_in

CLOSEST = 1e-12
"""With hysteresis, cuts closer than this (relative) are one: rounding could not tell them apart."""
LOWER = 1e-9
"""So much (relative) below its cut lies the last threshold of a setting with hysteresis."""


@dataclass(frozen=True, eq=False)
class EventCurves:
    """Counts at each candidate: a setting and a threshold of a label.

    Arrays by candidate are stored end to end, by label, then by setting, then by falling cut, "never" (+inf)
    first: those of label ``k`` and setting ``s`` lie between two neighbours of ``offsets``, at ``k *
    n_settings + s``.
    Every threshold above the next cut, and up to a candidate's own, gives the candidate's counts. The counts need
    not rise as the cut falls.

    Attributes
    ----------
    labels : tuple of n_labels str
    settings : tuple of n_settings Setting
    criterion : Collar, Intersection, Segments or Clips
    kind : {"probability", "logit", "real"}
        What the scores are.
    offsets : int64 (n_labels * n_settings + 1,)
    cuts : float64 (n_candidates,)
    tp, pp : int32 (n_parts, n_candidates)
        What is right, and what is given; of each part of the recordings.
    p, n : int64 (n_parts, n_labels)
        References; and segments or recordings in all, 0 where nothing but events is counted.
    n_recordings : int
    hours : float
    dtype : str
        Of the scores.
    n_changes : int
        Places where a threshold changes the events of a recording, before those that change no count were dropped.
    """

    labels: tuple[str, ...]
    settings: tuple[Setting, ...]
    criterion: Criterion
    kind: Kind
    offsets: NDArray[np.int64]
    cuts: NDArray[np.float64]
    tp: NDArray[np.int32]
    pp: NDArray[np.int32]
    p: NDArray[np.int64]
    n: NDArray[np.int64]
    n_recordings: int
    hours: float
    dtype: str

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return len(self.labels)

    @property
    def n_parts(self) -> int:
        """Number of parts that are counted apart."""
        return len(self.p)

    @property
    def size(self) -> NDArray[np.int64]:
        """Number of candidates of each label and setting (n_labels, n_settings)."""
        return np.diff(self.offsets).reshape(self.n_labels, -1)

    @cached_property
    def label_of(self) -> NDArray[np.int64]:
        """Label number of each candidate."""
        return np.repeat(np.arange(self.n_labels), self.size.sum(axis=1))

    @cached_property
    def setting_of(self) -> NDArray[np.int64]:
        """Setting number of each candidate."""
        return np.repeat(np.tile(np.arange(len(self.settings)), self.n_labels), self.size.ravel())

    def where(self, label: int, setting: int) -> slice:
        """Return where the candidates of a label and a setting lie."""
        at = label * len(self.settings) + setting
        return slice(int(self.offsets[at]), int(self.offsets[at + 1]))

    @cached_property
    def thresholds(self) -> NDArray[np.float64]:
        """The threshold of each candidate: halfway to the next cut; the cut itself if it is the last or too near.

        With hysteresis the last one is a little lower: its cut may be a moved score, which rounding puts anywhere.
        """
        below = np.append(self.cuts[1:], np.inf)
        inside = np.isfinite(self.cuts) & np.isfinite(below)
        middle = np.where(inside, self.cuts, 0) / 2 + np.where(inside, below, 0) / 2
        found = np.where(inside & (middle > below) & (middle <= self.cuts), middle, self.cuts)
        moved = np.array([setting.hysteresis > 0 for setting in self.settings])[self.setting_of]
        last = moved & np.isfinite(self.cuts) & ~np.isfinite(below)
        return np.where(last, found - LOWER * size_of(found, self.kind), found)

    def low(self, thresholds: NDArray[np.float64], settings: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the low thresholds that go with thresholds under these settings."""
        return low_thresholds(thresholds, [self.settings[s] for s in settings], self.kind)

    def at(self, label: int, setting: int, threshold: float) -> int:
        """Return the candidate that decides as a threshold does."""
        own = self.where(label, setting)
        return int(own.start + np.searchsorted(-self.cuts[own], -threshold, side="right") - 1)

    def of_parts(self, parts: Any) -> EventCurves:
        """Return the curves of some of the parts together, as one."""
        chosen = np.atleast_1d(np.arange(self.n_parts)[parts])
        counts = {key: getattr(self, key)[chosen].sum(axis=0, keepdims=True) for key in ("tp", "pp", "p", "n")}
        return replace(
            self, **{key: part.astype(getattr(self, key).dtype, copy=False) for key, part in counts.items()}
        )

    def digest(self) -> str:
        """Return a digest of all counts and cuts."""
        state = hashlib.sha256(repr((self.labels, self.settings, self.criterion, self.dtype)).encode())
        for array in (self.offsets, self.cuts, self.tp.sum(axis=0), self.pp.sum(axis=0), self.p.sum(axis=0)):
            state.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
        return "sha256:" + state.hexdigest()[:32]

    def __repr__(self) -> str:
        return (
            f"EventCurves({count(self.n_labels, 'label')}, {count(len(self.settings), 'setting')}, "
            f"{count(len(self.cuts), 'candidate')}, by {self.criterion})"
        )


Progress = Callable[[int, int], None]


def event_curves(
    scores: FrameScores,
    events: Events,
    settings: Setting | Sequence[Setting] | None = None,
    criterion: Criterion | str = COLLAR,
    *,
    parts: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
) -> EventCurves:
    """Return the counts at every setting and threshold of every label, exactly.

    Parameters
    ----------
    scores : FrameScores
    events : Events
        The references. Those of one label that overlap become one; you are warned.
    settings : Setting or sequence of Setting, optional
        `settings_grid` if left out.
    criterion : Collar, Intersection, Segments, Clips, or a name
    parts : int64 (n_recordings,), optional
        Numbers from 0 of the parts of the recordings that are counted apart.
    progress : callable ``(step, steps)``, optional
        Called after each median of each label.

    Raises
    ------
    InputError
        If recordings or labels do not agree.

    Warns
    -----
    LimenWarning
        If references of one label overlap, or end more than a frame after their recording.

    Notes
    -----
    A setting is a chain of filters that commute with thresholds; after it, events are stretches of frames at or
    above the threshold. Each label is sorted once. Then work is O(frames) for a setting, but for what comes
    near a reference. See docs/theory/events.md.

    Examples
    --------
    >>> scores = FrameScores(("dog",), {"garden": np.array([[0.1], [0.9], [0.8], [0.2]])}, 0.5)
    >>> events = Events.from_rows([("garden", 0.5, 1.5, "dog")])
    >>> curves = event_curves(scores, events, Setting())
    >>> curves.cuts, curves.tp[0], curves.pp[0]
    (array([inf, 0.9, 0.8, 0.2]), array([0, 0, 1, 0], dtype=int32), array([0, 1, 1, 1], dtype=int32))
    """
    settings, criterion = as_settings(settings), as_criterion(criterion)
    references = checked_references(scores, events)
    recordings = len(scores.recordings)
    part_of = np.zeros(recordings, np.int64) if parts is None else np.asarray(parts, np.int64)
    if part_of.shape != (recordings,) or part_of.min() < 0:
        raise InputError(f"parts has the shape {part_of.shape}. Give a number from 0 for each recording.")
    frames, n_parts = frames_of(scores), int(part_of.max()) + 1
    by_label, p, n = references_of(references, criterion, durations_of(scores))
    kind = kind_in(np.array(scores.extremes))
    hystereses = sorted({setting.hysteresis for setting in settings} - {0.0})
    plan = _plan(settings, hystereses, scores.frame_seconds)
    steps = len(scores.labels) * len(plan)
    found: list[tuple[NDArray[Any], ...]] = []
    for k in range(len(scores.labels)):
        distinct, ranks = ranked_scores(scores, k)
        cuts, tables = _tables(distinct, hystereses, kind)
        of_label: list[tuple[NDArray[Any], ...]] = [()] * len(settings)
        for width, (numbers, ways) in plan.items():
            filtered = kernels.median_scores(frames, ranks, width) if width > 1 else ranks
            sizes, codes, counts = kernels.curves_of(
                frames, filtered, ways, tables, (by_label[k], criterion.rule()), (part_of, n_parts)
            )
            ends = np.cumsum(sizes).tolist()
            for s, row, begin, end in zip(numbers, ways[:, 0].tolist(), [0, *ends], ends, strict=False):
                of_label[s] = cuts[row][codes[begin:end]], counts[0, :, begin:end], counts[1, :, begin:end]
            if progress is not None:
                progress(len(found) // len(settings) * len(plan) + 1, steps)
        found += of_label
    sums = [np.zeros((n_parts, len(scores.labels)), np.int64) for _ in range(2)]
    for total, each in zip(sums, (p, n), strict=True):
        np.add.at(total, part_of, each)
    return EventCurves(
        scores.labels,
        settings,
        criterion,
        kind,
        np.concatenate([[0], np.cumsum([len(own[0]) for own in found])]),
        np.concatenate([own[0] for own in found]),
        np.concatenate([own[1] for own in found], axis=1),
        np.concatenate([own[2] for own in found], axis=1),
        sums[0],
        sums[1],
        n_recordings=recordings,
        hours=scores.hours,
        dtype=str(scores.dtype),
    )


def checked_references(scores: FrameScores, events: Events, *, warn: bool = True) -> Events:
    """Return the references in the order of the scores, those of one label that overlap made one.

    Warns
    -----
    LimenWarning
        If some overlap, or end more than a frame after their recording.
    """
    references, overlapping = events.aligned(scores.names, scores.labels).merged()
    if overlapping and warn:
        warnings.warn(
            f"{count(overlapping, 'event')} overlapped another of the same label and were merged with it. If they "
            "are two sources, no frame scores tell them apart.",
            LimenWarning,
            stacklevel=3,
        )
    frame = int(microseconds(scores.frame_seconds))
    late = references.offset > durations_of(scores)[references.recording] + frame
    if late.any() and warn:
        first = int(np.flatnonzero(late)[0])
        where = f"{scores.labels[references.label[first]]!r} in {scores.names[references.recording[first]]!r}"
        warnings.warn(
            f"{count(int(late.sum()), 'event')} end after the recording (first: {where}, at "
            f"{references.offset[first] / 1e6:g} s). They are kept as they are: check that annotations and "
            "recordings belong together.",
            LimenWarning,
            stacklevel=3,
        )
    return references


def durations_of(scores: FrameScores) -> NDArray[np.int64]:
    """Return how long each recording is, microseconds (n_recordings,)."""
    frames = frames_of(scores)
    return np.asarray(frames.edges[frames.offsets[1:] + np.arange(len(scores.recordings))])


def size_of(cuts: NDArray[np.float64], kind: Kind) -> NDArray[np.float64]:
    """Return what rounding of moved scores is relative to."""
    least = np.finfo(np.float64).tiny if kind == "probability" else 1.0
    return np.where(np.isfinite(cuts), np.maximum(np.abs(cuts), least), 0.0)


def low_thresholds(
    thresholds: NDArray[np.float64], settings: Sequence[Setting], kind: Kind
) -> NDArray[np.float64]:
    """Return the low threshold of each label."""
    found = np.array(thresholds, np.float64)
    for k, setting in enumerate(settings):
        if setting.hysteresis and np.isfinite(found[k]):
            found[k] = shifted(found[k : k + 1], -setting.hysteresis, kind)[0]
    return found


def _plan(
    settings: Sequence[Setting], hystereses: Sequence[float], frame_seconds: float
) -> dict[int, tuple[list[int], NDArray[np.int64]]]:
    """Return, by width of the median, the numbers of settings and what the kernels need of them.

    Rows are the place of the hysteresis among all (-1: none), the longest gap closed and the shortest event kept.
    """
    plan: dict[int, list[int]] = {}
    for s, setting in enumerate(settings):
        plan.setdefault(setting.frames(frame_seconds), []).append(s)
    rows = np.array([hystereses.index(s.hysteresis) if s.hysteresis else -1 for s in settings], np.int64)
    ways = np.column_stack([rows, ways_of(settings)])
    own = {width: sorted(numbers, key=lambda s: tuple(ways[s])) for width, numbers in plan.items()}
    return {width: (numbers, ways[numbers]) for width, numbers in own.items()}


def _tables(
    distinct: NDArray[np.float64], hystereses: Sequence[float], kind: Kind
) -> tuple[list[NDArray[np.float64]], NDArray[np.int32]]:
    """Return the rising cuts of each hysteresis, last those of none, and its codes by rank.

    Cuts end with +inf, the one of code -1.
    """
    tables = np.full((len(hystereses), 2, len(distinct) + 1), -1, np.int32)
    cuts = []
    for row, hysteresis in enumerate(hystereses):
        own, tables[row, 0, :-1], tables[row, 1, :-1] = _codes(distinct, hysteresis, kind)
        cuts.append(own)
    return [np.append(own, np.inf) for own in (*cuts, distinct)], tables


def _codes(
    distinct: NDArray[np.float64], hysteresis: float, kind: Kind
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int32]]:
    """Return the rising cuts, and by rank of a score the last cut that it reaches, as high and as low score."""
    n = len(distinct)
    both = np.concatenate([distinct, shifted(distinct, hysteresis, kind)])
    order = np.argsort(both, kind="stable")
    cuts = both[order]
    apart = np.diff(cuts) > CLOSEST * size_of(cuts[1:], kind)
    new = np.concatenate([[True], apart])[: 2 * n]
    code = np.empty(2 * n, np.int32)
    code[order] = np.cumsum(new) - 1
    return cuts[new], code[:n], code[n:]


def names_of(curves: EventCurves, labels: Sequence[int]) -> str:
    """Return the names of labels for a message."""
    return examples([curves.labels[k] for k in labels])
