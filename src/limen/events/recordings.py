"""What events are made of and compared with: frame scores of recordings, and timed events."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, count, examples
from limen.names import ADVICE, match, unique

MICROSECONDS = 1_000_000
LONGEST_SECONDS = 1e9
"""Times beyond are refused: whole microseconds stay far from the end of int64."""


def microseconds(seconds: Any) -> NDArray[np.int64]:
    """Return times in whole microseconds, the nearest ones.

    Examples
    --------
    >>> microseconds([0.2, 1 / 3])
    array([200000, 333333])
    """
    return np.asarray(np.rint(np.asarray(seconds, np.float64) * MICROSECONDS), np.int64)


@dataclass(frozen=True, eq=False)
class FrameScores:
    """The scores of the frames of recordings, by label.

    Attributes
    ----------
    labels : tuple of n_labels str
    recordings : mapping from name to float16, float32 or float64 (n_frames, n_labels)
        All of one dtype; numbers of frames may differ, and be 0. Never changed.
    frame_seconds : float
        Length of a frame: frame ``k`` spans ``k * frame_seconds`` to ``(k + 1) * frame_seconds``, in whole
        microseconds.
    durations : mapping from name to seconds, optional
        The last frame ends there; else after whole frames.

    Raises
    ------
    InputError
        If shapes, dtypes or names do not fit, or a score is NaN or infinite.

    Examples
    --------
    >>> scores = FrameScores(("dog",), {"garden": np.array([[0.1], [0.9], [0.8]])}, 0.04)
    >>> scores
    FrameScores(1 recording, 1 label, 3 frames of 0.04 s)
    >>> scores.bounds("garden")
    array([     0,  40000,  80000, 120000])
    """

    labels: tuple[str, ...]
    recordings: Mapping[str, NDArray[Any]]
    frame_seconds: float
    durations: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        labels = unique(self.labels, "the frame scores")
        if not labels:
            raise InputError("the frame scores have no labels. At least one is needed.")
        if not self.recordings:
            raise InputError("the frame scores have no recordings. At least one is needed.")
        seconds = self.frame_seconds
        if not (isinstance(seconds, int | float | np.number) and 1e-6 <= seconds <= LONGEST_SECONDS):
            raise InputError(f"frame_seconds={seconds!r} is not usable. It must be a number of seconds above 0.")
        found = {str(name): _scores_of(str(name), given, labels) for name, given in self.recordings.items()}
        dtypes = {scores.dtype for scores in found.values()}
        if len(dtypes) > 1:
            raise InputError(
                f"the recordings have scores of {' and '.join(sorted(map(str, dtypes)))}. All "
                f"must have one dtype, "
                "so that a threshold means the same for all."
            )
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "recordings", found)
        object.__setattr__(self, "frame_seconds", float(seconds))
        if self.durations is not None:
            self._check_durations(found)

    def _check_durations(self, found: Mapping[str, NDArray[Any]]) -> None:
        assert self.durations is not None
        durations = {str(name): float(seconds) for name, seconds in self.durations.items()}
        if missing := [name for name in found if name not in durations]:
            raise InputError(f"durations lack {examples(missing)}. Give the seconds of every recording, or none.")
        for name, scores in found.items():
            seconds, n_frames = durations[name], len(scores)
            if not (math.isfinite(seconds) and 0 <= seconds <= LONGEST_SECONDS):
                raise InputError(f"the duration of {name!r} is {seconds}. It must be a number of seconds.")
            begins = (n_frames - 1) * self.frame_seconds
            if n_frames and not begins < seconds <= (n_frames + 1) * self.frame_seconds:
                raise InputError(
                    f"{name!r} has {count(n_frames, 'frame')} of {self.frame_seconds:g} s and lasts "
                    f"{seconds:g} s. The last frame must begin before the end, and be no longer than two."
                )
        object.__setattr__(self, "durations", {name: durations[name] for name in found})

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return len(self.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the recordings."""
        return tuple(self.recordings)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the scores."""
        return next(iter(self.recordings.values())).dtype

    @property
    def n_frames(self) -> int:
        """Number of frames of all recordings."""
        return sum(map(len, self.recordings.values()))

    def seconds(self, name: str) -> float:
        """Return how long a recording is."""
        if self.durations is not None:
            return self.durations[name]
        return len(self.recordings[name]) * self.frame_seconds

    @property
    def hours(self) -> float:
        """How long all recordings are together."""
        return sum(map(self.seconds, self.recordings)) / 3600

    def bounds(self, name: str) -> NDArray[np.int64]:
        """Return where the frames of a recording begin, and the end: int64 microseconds (n_frames + 1,)."""
        edges = microseconds(np.arange(len(self.recordings[name]) + 1) * self.frame_seconds)
        if self.durations is not None and len(edges) > 1:
            edges[-1] = microseconds(self.durations[name])
        return edges

    @cached_property
    def extremes(self) -> tuple[float, float]:
        """The lowest and the highest score; 0.5 twice if there are no frames."""
        ends = [(s.min(), s.max()) for s in self.recordings.values() if s.size]
        return (float(min(e[0] for e in ends)), float(max(e[1] for e in ends))) if ends else (0.5, 0.5)

    def take(self, names: Iterable[str]) -> FrameScores:
        """Return some of the recordings."""
        names = tuple(names)
        durations = None if self.durations is None else {name: self.durations[name] for name in names}
        return FrameScores(
            self.labels, {name: self.recordings[name] for name in names}, self.frame_seconds, durations
        )

    def __repr__(self) -> str:
        frames = f"{count(self.n_frames, 'frame')} of {self.frame_seconds:g} s"
        return (
            f"FrameScores({count(len(self.recordings), 'recording')}, {count(self.n_labels, 'label')}, {frames})"
        )


@dataclass(frozen=True, eq=False)
class Events:
    """Timed events of recordings, annotated or detected: one row an event.

    Attributes
    ----------
    recordings : tuple of str
        All recordings, also those without events.
    labels : tuple of n_labels str
    recording, label : int64 (n_events,)
        Numbers of recordings and of labels. Rows are sorted by recording, onset, offset and label.
    onset, offset : int64 (n_events,)
        In whole microseconds; an event ends after it begins.

    Raises
    ------
    InputError
        If a number names nothing, or an event ends before it begins; the message says which.
    """

    recordings: tuple[str, ...]
    labels: tuple[str, ...]
    recording: NDArray[np.int64]
    label: NDArray[np.int64]
    onset: NDArray[np.int64]
    offset: NDArray[np.int64]

    def __post_init__(self) -> None:
        object.__setattr__(
            self,
            "recordings",
            unique(self.recordings, "the list of recordings", "Every recording needs a name of its own."),
        )
        object.__setattr__(self, "labels", unique(self.labels, "the list of labels"))
        keys = ("recording", "label", "onset", "offset")
        columns = [np.asarray(getattr(self, key)) for key in keys]
        for key, column in zip(keys, columns, strict=True):
            if (
                column.ndim != 1
                or len(column) != len(columns[0])
                or (len(column) and column.dtype.kind not in "iu")
            ):
                raise InputError(
                    f"{key!r} of events is {column.dtype} {column.shape}. All four must be whole numbers, as many "
                    "as there are events."
                )
        recording, label, onset, offset = (column.astype(np.int64) for column in columns)
        for key, column, names in (("recording", recording, self.recordings), ("label", label, self.labels)):
            if len(column) and not 0 <= column.min() <= column.max() < len(names):
                raise InputError(f"{key!r} of events has numbers that name none of {count(len(names), key)}.")
        bad = np.flatnonzero((onset < 0) | (offset <= onset))
        if len(bad):
            i = int(bad[0])
            raise InputError(
                f"{count(len(bad), 'event')} cannot be (first: {self.labels[label[i]]!r} in "
                f"{self.recordings[recording[i]]!r}, {onset[i] / MICROSECONDS:g} to "
                f"{offset[i] / MICROSECONDS:g} s). An event begins at 0 or later and ends after it "
                "begins: correct these rows or drop them."
            )
        order = np.lexsort((label, offset, onset, recording))
        for key, column in zip(keys, (recording, label, onset, offset), strict=True):
            object.__setattr__(self, key, column[order])

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[tuple[str, float, float, str]],
        *,
        recordings: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
    ) -> Events:
        """Return the events of rows of recording, onset and offset in seconds, and label.

        Parameters
        ----------
        rows : iterable of (str, float, float, str)
        recordings, labels : sequence of str, optional
            All there are, in order; those of the rows, sorted, if left out.

        Raises
        ------
        InputError
            If a row names another recording or label, or has no usable times.

        Examples
        --------
        >>> Events.from_rows([("garden", 0.04, 0.12, "dog")])
        Events(1 event of 1 label in 1 recording)
        """
        listed = [(str(recording), onset, offset, str(label)) for recording, onset, offset, label in rows]
        known = [
            tuple(sorted({row[column] for row in listed})) if given is None else tuple(map(str, given))
            for column, given in ((0, recordings), (3, labels))
        ]
        indices = []
        for column, names, what in ((0, known[0], "recordings"), (3, known[1], "labels")):
            place = {name: k for k, name in enumerate(names)}
            unknown = list(dict.fromkeys(row[column] for row in listed if row[column] not in place))
            if unknown:
                raise InputError(
                    f"events name the {what} {examples(unknown)}, which are not among the "
                    f"{count(len(names), what.removesuffix('s'))} given ({examples(names)}). Rename them or drop "
                    "these rows."
                )
            indices.append(np.array([place[row[column]] for row in listed], np.int64))
        times = np.array([row[1:3] for row in listed], np.float64).reshape(-1, 2)
        bad = np.flatnonzero(~(np.abs(times) <= LONGEST_SECONDS).all(axis=1))
        if len(bad):
            recording, onset, offset, label = listed[int(bad[0])]
            raise InputError(
                f"{count(len(bad), 'event')} has no usable times (first: {label!r} in {recording!r}, {onset} to "
                f"{offset} s). Times are seconds from the beginning of the recording."
            )
        onset_us, offset_us = microseconds(times).T
        return cls(
            tuple(map(str, known[0])), tuple(map(str, known[1])), indices[0], indices[1], onset_us, offset_us
        )

    def __len__(self) -> int:
        return len(self.onset)

    def rows(self) -> list[tuple[str, float, float, str]]:
        """Return rows of recording, onset and offset in seconds, and label, sorted."""
        times = zip((self.onset / MICROSECONDS).tolist(), (self.offset / MICROSECONDS).tolist(), strict=True)
        return [
            (self.recordings[r], onset, offset, self.labels[k])
            for r, k, (onset, offset) in zip(self.recording.tolist(), self.label.tolist(), times, strict=True)
        ]

    def aligned(self, recordings: Sequence[str], labels: Sequence[str]) -> Events:
        """Return the events of these recordings and labels, numbered in their order.

        Raises
        ------
        InputError
            If a recording or a label is named by one side only.
        """
        places = []
        for mine, wanted, what, advice in (
            (self.recordings, recordings, "recordings", "Recordings are joined by name."),
            (self.labels, labels, "labels", ADVICE),
        ):
            if tuple(mine) == tuple(wanted):
                places.append(np.arange(len(mine)))
                continue
            if what == "recordings" and set(mine) != set(wanted):
                only = [("events", [n for n in mine if n not in set(wanted)])]
                only += [("scores", [n for n in wanted if n not in set(mine)])]
                said = ", ".join(f"{examples(names)} only in the {side}" for side, names in only if names)
                raise InputError(f"events and scores name different recordings: {said}. {advice}")
            at = match(wanted, mine, between=("scores", "events"), advice=advice)
            place = np.empty(len(mine), np.int64)
            place[at] = np.arange(len(wanted))
            places.append(place)
        return Events(
            tuple(recordings),
            tuple(labels),
            places[0][self.recording],
            places[1][self.label],
            self.onset,
            self.offset,
        )

    def take(self, recordings: Iterable[str]) -> Events:
        """Return the events of some of the recordings."""
        wanted = tuple(recordings)
        place = np.full(len(self.recordings), -1)
        number = {name: k for k, name in enumerate(self.recordings)}
        place[[number[name] for name in wanted]] = np.arange(len(wanted))
        new = place[self.recording]
        keep = new >= 0
        return Events(wanted, self.labels, new[keep], self.label[keep], self.onset[keep], self.offset[keep])

    def merged(self) -> tuple[Events, int]:
        """Return the events with those of one label that overlap made one, and how many were merged away.

        Events that only touch stay apart.
        """
        order = np.lexsort((self.offset, self.onset, self.label, self.recording))
        recording, label, onset, offset = (
            column[order] for column in (self.recording, self.label, self.onset, self.offset)
        )
        keep = np.ones(len(order), bool)
        last = -1
        for i in range(len(order)):
            if (
                last >= 0
                and recording[i] == recording[last]
                and label[i] == label[last]
                and onset[i] < offset[last]
            ):
                offset[last] = max(offset[last], offset[i])
                keep[i] = False
            else:
                last = i
        found = Events(self.recordings, self.labels, recording[keep], label[keep], onset[keep], offset[keep])
        return found, int((~keep).sum())

    def __eq__(self, other: object) -> bool:
        """Return whether names, order and times are the same."""
        if not isinstance(other, Events):
            return NotImplemented
        same = self.recordings == other.recordings and self.labels == other.labels
        return same and all(
            np.array_equal(getattr(self, key), getattr(other, key))
            for key in ("recording", "label", "onset", "offset")
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        of = f"{count(len(self), 'event')} of {count(len(self.labels), 'label')}"
        return f"Events({of} in {count(len(self.recordings), 'recording')})"


def _scores_of(name: str, given: Any, labels: Sequence[str]) -> NDArray[Any]:
    scores = np.asarray(given)
    if scores.dtype not in (np.float16, np.float32, np.float64):
        raise InputError(
            f"the scores of {name!r} are {scores.dtype}. They must be float16, float32 or float64: use "
            "scores.astype('float32')."
        )
    if scores.ndim != 2 or scores.shape[1] != len(labels):
        raise InputError(
            f"the scores of {name!r} have the shape {scores.shape}. It must be (frames, {len(labels)}), a column "
            "for each label."
        )
    finite = np.isfinite(scores)
    if not finite.all():
        frame, label = np.argwhere(~finite)[0]
        raise InputError(
            f"the scores of {name!r} have {count(int((~finite).sum()), 'value')} that are NaN or infinite (first: "
            f"{labels[label]!r}, frame {frame}). Scores must be finite: drop the recording or fix the model."
        )
    view = scores.view()
    view.flags.writeable = False
    return view
