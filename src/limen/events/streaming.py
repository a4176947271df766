"""Events of a recording that is still going on: found as frames come, the same as from all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen._kernels import events as kernels
from limen.errors import InputError, count
from limen.events.recordings import MICROSECONDS, microseconds
from limen.events.settings import Setting


class Found(NamedTuple):
    """An event that ended: the number of its label, and int64 microseconds."""

    label: int
    onset: int
    offset: int


@dataclass
class _Label:
    """What is known of a label so far; a stretch is frames at or above the low threshold without a pause."""

    begin: int = -1  # first frame of the stretch that is going on; -1: none is
    peak: float = -np.inf
    onset: int = -1  # of the event that may still go on; -1: there is none
    offset: int = -1


class Decider:
    """Finds the events of one recording while its frames come.

    Parameters
    ----------
    settings : sequence of n_labels Setting
    thresholds, low : float64 (n_labels,)
        As `limen.events.EventThresholds` has them: an event is a stretch of frames at or above the low threshold
        that reaches the threshold; +inf is never.
    frame_seconds : float

    Attributes
    ----------
    delay : float
        Seconds from the moment at which a score falls below the low threshold, to stay there, until its event
        is known: half of the median, the longest gap that is closed, and a frame. The largest of all labels.

    Examples
    --------
    >>> decider = Decider([Setting(gap=0.1)], np.array([0.5]), np.array([0.5]), 0.1)
    >>> decider.push(np.array([[0.1], [0.9], [0.2], [0.8], [0.1]])), decider.push(np.array([[0.1], [0.7]]))
    ([], [Found(label=0, onset=100000, offset=400000)])
    >>> decider.close()
    [Found(label=0, onset=600000, offset=700000)]
    """

    def __init__(
        self,
        settings: Sequence[Setting],
        thresholds: NDArray[np.float64],
        low: NDArray[np.float64],
        frame_seconds: float,
    ) -> None:
        self._high, self._low = np.asarray(thresholds, np.float64), np.asarray(low, np.float64)
        self._seconds = frame_seconds
        self._half = [setting.frames(frame_seconds) // 2 for setting in settings]
        self._gap = [int(microseconds(setting.gap)) for setting in settings]
        self._shortest = [int(microseconds(setting.shortest)) for setting in settings]
        self._labels = [_Label() for _ in settings]
        self._given = np.flatnonzero(self._high < np.inf).tolist()
        self._longest = max([self._half[k] for k in self._given], default=0)
        self._kept: NDArray[np.float64] = np.empty((0, len(settings)))
        self._from = 0  # the frame that the first row of what is kept is
        self._n = 0
        delays = [(self._half[k] + 1) * frame_seconds + self._gap[k] / MICROSECONDS for k in self._given]
        self.delay = max(delays, default=0.0)

    def push(self, scores: NDArray[Any]) -> list[Found]:
        """Return the events that are known to have ended, with these scores (n_frames, n_labels) coming next.

        They are sorted by onset, offset and label; an event of another label that began earlier may come later.
        """
        if scores.ndim != 2 or scores.shape[1] != len(self._labels):
            raise InputError(f"scores of the shape {scores.shape} came for {count(len(self._labels), 'label')}.")
        return self._advance(np.asarray(scores, np.float64), None)

    def close(self, duration: float | None = None) -> list[Found]:
        """Return the last events; the last frame ends at ``duration`` seconds, or is a whole one."""
        end = microseconds(self._n * self._seconds if duration is None else duration)
        return self._advance(np.empty((0, len(self._labels))), int(end))

    def _edge(self, frame: int) -> int:
        return int(microseconds(frame * self._seconds))

    def _advance(self, scores: NDArray[np.float64], end: int | None) -> list[Found]:
        before, self._n = self._n, self._n + len(scores)
        kept = np.concatenate([self._kept, scores])
        found: list[Found] = []
        highest = kept.max(axis=0, initial=-np.inf)
        for k in self._given:
            half, state = self._half[k], self._labels[k]
            first, stop = max(before - half, 0), self._n if end is not None else max(self._n - half, 0)
            if stop > first:
                if highest[k] >= self._low[k]:
                    self._stretches(k, first, self._filtered(k, kept, first, stop), found)
                elif state.begin >= 0:
                    self._end_stretch(k, self._edge(first), found)
            if end is not None:
                if state.begin >= 0:
                    self._end_stretch(k, end, found)
                self._end_event(k, found)
            elif state.onset >= 0:  # it ended, if whatever comes next is too far away
                comes = stop if state.begin < 0 else state.begin
                if self._edge(comes) - state.offset > self._gap[k]:
                    self._end_event(k, found)
        self._from = max(self._n - 2 * self._longest, self._from)
        self._kept = kept[len(kept) - (self._n - self._from) :].copy()
        return sorted(found, key=lambda event: (event.onset, event.offset, event.label))

    def _filtered(self, k: int, kept: NDArray[np.float64], first: int, stop: int) -> NDArray[np.float64]:
        """Return the running median of a label's scores at the frames from ``first`` to ``stop``."""
        half = self._half[k]
        if not half:
            return kept[first - self._from : stop - self._from, k]
        since = max(first - half, 0)
        distinct, ranks = np.unique(kept[since - self._from :, k], return_inverse=True)
        frames = kernels.Frames(np.array([0, len(ranks)]), np.empty(0, np.int64))
        medians = kernels.median_scores(frames, ranks.astype(np.int32), 2 * half + 1)
        return np.asarray(np.append(distinct, -np.inf)[medians][first - since : stop - since])

    def _stretches(self, k: int, first: int, scores: NDArray[np.float64], found: list[Found]) -> None:
        """Go on with a label at some frames."""
        state = self._labels[k]
        active = np.concatenate([[False], scores >= self._low[k], [False]])
        edges = np.flatnonzero(active[1:] != active[:-1])
        if state.begin >= 0 and not active[1]:
            self._end_stretch(k, self._edge(first), found)
        for begin, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            if state.begin < 0:
                state.begin, state.peak = first + begin, -np.inf
            state.peak = max(state.peak, float(scores[begin:stop].max()))
            if stop < len(scores):
                self._end_stretch(k, self._edge(first + stop), found)

    def _end_stretch(self, k: int, offset: int, found: list[Found]) -> None:
        state = self._labels[k]
        if state.peak >= self._high[k]:
            onset = self._edge(state.begin)
            if state.onset >= 0 and onset - state.offset <= self._gap[k]:
                state.offset = offset
            else:
                self._end_event(k, found)
                state.onset, state.offset = onset, offset
        state.begin = -1

    def _end_event(self, k: int, found: list[Found]) -> None:
        state = self._labels[k]
        if state.onset >= 0 and state.offset - state.onset >= self._shortest[k]:
            found.append(Found(k, state.onset, state.offset))
        state.onset = -1
