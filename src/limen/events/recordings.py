"""What events are made of and compared with: timed events, frame scores, and their times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, count, examples
from limen.events.frames import FrameScores
from limen.events.times import LONGEST_SECONDS, MICROSECONDS, microseconds
from limen.names import ADVICE, match, unique

__all__ = ["LONGEST_SECONDS", "MICROSECONDS", "Events", "FrameScores", "microseconds"]


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
        group = np.cumsum(np.append(0, (np.diff(recording) != 0) | (np.diff(label) != 0)))[: len(order)]
        # As ranks, so that those of a group can be put beyond all of the groups before it.
        times, place = np.unique(offset, return_inverse=True)
        reached = times[np.maximum.accumulate(place + group * len(times)) - group * len(times)]
        keep = np.ones(len(order), bool)
        keep[1:] = (np.diff(group) != 0) | (onset[1:] >= reached[:-1])
        offset = reached[np.append(np.flatnonzero(keep)[1:], len(order)) - 1] if len(order) else offset
        found = Events(self.recordings, self.labels, recording[keep], label[keep], onset[keep], offset)
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
