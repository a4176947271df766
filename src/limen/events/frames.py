"""The scores of the frames of recordings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, count, examples
from limen.events.times import LONGEST_SECONDS, microseconds
from limen.names import unique


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
        # Of float16 numpy finds them ten times slower.
        wide = np.promote_types(self.dtype, np.float32)
        ends = [(w.min(), w.max()) for s in self.recordings.values() if (w := s.astype(wide, copy=False)).size]
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
