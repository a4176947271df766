"""Windows that overlap, and the scores of their frames pooled into those of a recording."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from limen.audio.description import SLACK, frames_apart, frames_of_hop
from limen.audio.scorers import Scorer
from limen.errors import InputError, LimenWarning
from limen.events.pooling import Activation, heard, not_heard

Pooling = Literal["mean", "max", "noisy-or", "centre"]
_MOST_SAMPLES = 1 << 20
_MOST_WINDOWS = 16
_told: set[tuple[float, int]] = set()
"""Frames that fit into a window, and how many a model gave instead, that were told."""


@dataclass(frozen=True)
class Grid:
    """Where the frames of windows lie: window w begins with frame ``w * hop_frames`` of the recording.

    Raises
    ------
    InputError
        If a hop is not a whole number of frames, or windows leave gaps.
    """

    window: int
    hop: int
    frame_samples: float

    @classmethod
    def of(cls, scorer: Scorer) -> Grid:
        """Return the grid of a scorer."""
        return cls(scorer.window, scorer.hop, scorer.frame_seconds * scorer.rate)

    def __post_init__(self) -> None:
        frames_of_hop(self.window, self.hop, self.frame_samples)

    @property
    def hop_frames(self) -> int:
        """Frames from one window to the next."""
        return frames_of_hop(self.window, self.hop, self.frame_samples)

    @property
    def expected(self) -> float:
        """Frames that fit into a window."""
        return self.window / self.frame_samples

    def own_frames(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Return the scores (n, frames, labels) of windows on this grid: surplus frames are cut.

        One score for each window, (n, 1, labels), stands for all frames of which the window fills half or more,
        if a frame is a hop.

        Raises
        ------
        InputError
            If the number of frames contradicts the length of the window and of a frame; a few more or less are
            let pass (`frames_apart`), as padding at the ends of a window gives.
        """
        given = scores.shape[1]
        if given == 1 and self.hop_frames == 1 and self.expected > 1:
            return np.repeat(scores, max(1, math.floor(self.expected + 0.5)), axis=1)
        apart = frames_apart(self.window, self.frame_samples)
        if given < 1 or abs(given - self.expected) > apart + SLACK * self.expected:
            raise InputError(
                f"the model gives {given} frames for a window of {self.window} samples, which has "
                f"{self.expected:.6g} frames of {self.frame_samples:.6g} samples. Correct frame_seconds or "
                "window: limen.audio.describe writes them into the model."
            )
        return scores[:, : math.ceil(self.expected - SLACK * self.expected)]

    def n_frames(self, n_samples: int) -> int:
        """Return the frames of a recording, at least 1; the last may be short."""
        # Half a sample less: rates that do not divide each other may round up.
        return max(1, math.ceil((n_samples - 0.5) / self.frame_samples - SLACK))


def windows_of(
    blocks: Iterable[NDArray[np.float32]], grid: Grid, batch: int
) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Give windows (n, window), ``batch`` at a time, and how many samples are known by then.

    The last ones are padded with zeros up to their length; there is always one. Which windows come together
    does not depend on the blocks.
    """
    waiting: list[NDArray[np.float32]] = []
    n_waiting = dropped = n_heard = 0
    needed = grid.window + (batch - 1) * grid.hop
    for block in blocks:
        waiting.append(block)
        n_waiting += len(block)
        n_heard += len(block)
        # One sample more: whether there is a window after these is known only then.
        while n_waiting > needed:
            joined = np.concatenate(waiting)
            yield _cut(joined, grid, batch), n_heard
            rest = joined[batch * grid.hop :].copy()
            waiting, n_waiting, dropped = [rest], len(rest), dropped + batch * grid.hop
    n_left = max(1, 1 + math.ceil((n_waiting - grid.window) / grid.hop))
    rest = np.zeros(grid.window + (n_left - 1) * grid.hop, np.float32)
    if waiting:
        rest[:n_waiting] = np.concatenate(waiting)
    for first in range(0, n_left, batch):
        some = min(batch, n_left - first)
        yield _cut(rest[first * grid.hop :], grid, some), n_heard


def _cut(samples: NDArray[np.float32], grid: Grid, n: int) -> NDArray[np.float32]:
    views = np.lib.stride_tricks.sliding_window_view(samples, grid.window)[:: grid.hop][:n]
    return np.ascontiguousarray(views)


@dataclass
class Pool:
    """Scores of windows as they come, pooled where they overlap; it holds no more than a few windows."""

    how: Pooling
    activation: Activation
    hop_frames: int
    total: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    weight: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def add(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Add the scores (frames, labels) of the next window, and return the frames that are final by it."""
        scores = scores.astype(np.float64)
        self._reach(max(len(scores), self.hop_frames), scores.shape[1])
        total, weight = self.total[: len(scores)], self.weight[: len(scores)]
        new = weight == 0
        if self.how == "centre":
            # 1 / distance: the nearest centre weighs most, the earlier window where two are as near.
            near = 1 / (1 + np.abs(np.arange(len(scores)) + 0.5 - len(scores) / 2))
            nearer = near > weight
            total[nearer], weight[nearer] = scores[nearer], near[nearer]
        elif self.how == "max":
            total[:] = np.where(new[:, None], scores, np.maximum(total, scores))
            weight[:] = 1
        else:
            total += not_heard(scores, self.activation) if self.how == "noisy-or" else scores
            weight += 1
        return self._give(self.hop_frames)

    def rest(self) -> NDArray[np.float32]:
        """Return the frames that are left when no window follows."""
        return self._give(len(self.weight))

    def _reach(self, n: int, n_labels: int) -> None:
        more = n - len(self.weight)
        if more > 0:
            self.total = np.concatenate([self.total.reshape(-1, n_labels), np.zeros((more, n_labels))])
            self.weight = np.concatenate([self.weight, np.zeros(more)])

    def _give(self, n: int) -> NDArray[np.float32]:
        done, weight = self.total[:n], self.weight[:n]
        self.total, self.weight = self.total[n:], self.weight[n:]
        if self.how == "mean":
            done = done / np.maximum(weight, 1)[:, None]
        elif self.how == "noisy-or":
            done = heard(done, self.activation)
        # Where a window gives fewer frames than a hop has, its last one goes on.
        place = np.maximum.accumulate(np.where(weight > 0, np.arange(len(weight)), 0))
        return np.asarray(done[place], np.float32)


def pooled(
    blocks: Iterable[NDArray[np.float32]],
    scorer: Scorer,
    pooling: Pooling = "mean",
    *,
    batch: int | None = None,
    name: str = "the sound",
) -> Iterator[NDArray[np.float32]]:
    """Give the frame scores (n, labels) of sound at the rate of the scorer, each frame as soon as it is final.

    Parameters
    ----------
    blocks : iterable of float32 (n,)
    scorer : Scorer
    pooling : {"mean", "max", "noisy-or", "centre"}
        What becomes of frames that lie in several windows.
    batch : int, optional
        Windows scored at once; as many as 2**20 samples hold, at most 16, if left out. 1 keeps the delay short.
    name : str
        Of the recording, for messages.

    Raises
    ------
    InputError
        If ``pooling`` is unknown, ``batch`` not positive, hop and frames do not fit, or the model gives an array
        of another shape, another number of frames than before, NaN or infinities, or probabilities beyond 0 to 1.

    Warns
    -----
    LimenWarning
        If a window has fewer frames than fit in, or two more: what is made of it, once for each such number.

    Notes
    -----
    A frame is final when no later window touches it: all that is held is a batch of windows and the frames of
    one window, whatever the length. A mean is one of logits where the model gives logits; noisy-or is 1 minus
    the product of 1 - p, given back on the scale of the model. The product of a scorer may depend in its last
    bits on how many windows it gets at once; this number depends on ``batch`` and the length, never on blocks.

    Frame k of a window begins ``k * frame_seconds`` into it. Models that pad, or do not, give some frames more or
    fewer than fit into a window: surplus ones at its end are cut; ones that lack are those of the next window, or
    else the last one goes on. A model that gives one score for a window has frames of a hop, and its score stands
    for all of them that the window fills by half or more.
    """
    if pooling not in get_args(Pooling):
        raise InputError(f"pooling={pooling!r} is unknown. Use 'mean', 'max', 'noisy-or' or 'centre'.")
    grid = Grid.of(scorer)
    if batch is None:
        batch = max(1, min(_MOST_WINDOWS, _MOST_SAMPLES // grid.window))
    elif isinstance(batch, bool) or batch < 1:
        raise InputError(f"batch={batch!r}: windows scored at once must be 1 or more.")
    pool = Pool(pooling, scorer.activation, grid.hop_frames)
    n_given = n_windows = n_samples = 0
    last = np.zeros((0, len(scorer.labels)), np.float32)

    def within(frames: NDArray[np.float32], n_samples: int) -> Iterator[NDArray[np.float32]]:
        nonlocal n_given, last
        frames = frames[: max(0, grid.n_frames(n_samples) - n_given)]
        n_given += len(frames)
        if len(frames):
            last = frames[-1:]
            yield frames

    check = _Checked(scorer, grid, name)
    for windows, n_samples in windows_of(blocks, grid, batch):
        scores = check(windows, n_windows * grid.hop / scorer.rate)
        n_windows += len(windows)
        final = [pool.add(window) for window in scores]
        yield from within(np.concatenate(final), n_samples)
    yield from within(pool.rest(), n_samples)
    yield from within(np.repeat(last, max(0, grid.n_frames(n_samples) - n_given), axis=0), n_samples)


@dataclass
class _Checked:
    scorer: Scorer
    grid: Grid
    name: str
    n_frames: int = 0

    def __call__(self, windows: NDArray[np.float32], begin_s: float) -> NDArray[Any]:
        scorer = self.scorer
        scores = np.asarray(scorer(windows))
        if scores.ndim == 2 and self.grid.hop_frames == 1:
            scores = scores[:, None]
        if scores.ndim != 3 or scores.shape[0] != len(windows) or scores.shape[2] != len(scorer.labels):
            raise InputError(
                f"the model gives an array {scores.shape} for {len(windows)} windows. It must be (windows, "
                f"frames, labels), with {len(scorer.labels)} labels: choose the output, or correct the labels. "
                "One score for a window, (windows, labels), needs frame_seconds of a window or of a hop."
            )
        self._count(scores.shape[1])
        scores = self.grid.own_frames(scores)
        checks: list[tuple[Callable[[NDArray[Any]], NDArray[np.bool_]], str, str]] = [
            (
                lambda found: ~np.isfinite(found),
                "gives NaN or an infinite score",
                "Scores must be finite: look at the model and at the sound there.",
            )
        ]
        if scorer.activation == "probability":
            checks.append(
                (
                    lambda found: (found < -SLACK) | (found > 1 + SLACK),
                    "gives a score beyond 0 to 1",
                    "It is described to give probabilities: describe it with activation='logit'.",
                )
            )
        for is_bad, what, advice in checks:
            bad = is_bad(scores)
            if bad.any():
                window, frame, label = np.argwhere(bad)[0]
                second = begin_s + window * self.grid.hop / scorer.rate + frame * scorer.frame_seconds
                where = f"{self.name} at {second:.3f} s (label {scorer.labels[label]!r})"
                raise InputError(f"the model {what} for {where}. {advice}")
        return scores

    def _count(self, given: int) -> None:
        """Refuse another number of frames than before; tell, once, of one that does not fit the window."""
        grid = self.grid
        if self.n_frames not in (0, given):
            raise InputError(
                f"the model gave {self.n_frames} frames for a window before, and now {given}. Their number must "
                "be the same for all windows: export the model with the frames of whole windows."
            )
        first, self.n_frames = not self.n_frames, given
        fit = math.ceil(grid.expected - SLACK * grid.expected)
        if not first or given in (fit, fit + 1) or (given == 1 and grid.hop_frames == 1):
            return
        grid.own_frames(np.empty((0, given, 0)))  # what contradicts is refused, not told
        if (grid.expected, given) in _told:
            return
        _told.add((grid.expected, given))
        what = (
            f"the {given - fit} surplus at its end are cut"
            if given > fit
            else "those that lack at its end are taken from the next window, or the last one goes on"
        )
        warnings.warn(
            f"the model gives {given} frames for a window in which {grid.expected:.6g} of "
            f"{grid.frame_samples / self.scorer.rate:.6g} s fit. Frames are counted from the beginning of the "
            f"window; {what}. If they are of another length, correct frame_seconds: limen.audio.describe.",
            LimenWarning,
            stacklevel=4,
        )
