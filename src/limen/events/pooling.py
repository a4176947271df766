"""Scores of many frames as one: the greatest, their mean, or noisy-or."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError

Clips = Literal["max", "mean", "noisy-or"]
Activation = Literal["probability", "logit"]
_FARTHEST = 700.0
"""Logits beyond are pooled as this: exp stays a normal number of float64."""


def not_heard(scores: NDArray[np.float64], activation: Activation) -> NDArray[np.float64]:
    """Return minus the log of 1 - p; those of several frames add."""
    if activation == "logit":
        return np.logaddexp(0, np.clip(scores, -_FARTHEST, None))
    with np.errstate(divide="ignore"):
        return -np.log1p(-np.clip(scores, 0, 1))


def heard(total: NDArray[np.float64], activation: Activation) -> NDArray[np.float64]:
    """Return the score, on the scale of the scores, of which minus the log of 1 - p is the total."""
    if activation == "probability":
        return -np.expm1(-total)
    small = np.minimum(total, 1)
    return np.where(total < 1, np.log(np.expm1(small)), total + np.log1p(-np.exp(-np.maximum(total, 1))))


@dataclass
class ClipPool:
    """The scores of a recording pooled over its frames, which may come in blocks of any size, to the same bits.

    Parameters
    ----------
    how : {"max", "mean", "noisy-or"}
        The greatest score, the mean on the scale of the scores, or 1 minus the product of 1 - p.
    activation : {"probability", "logit"}
        What the scores are, for noisy-or.

    Raises
    ------
    InputError
        If ``how`` is unknown.

    Examples
    --------
    >>> pool = ClipPool("noisy-or", "probability")
    >>> pool.add(np.array([[0.5, 0.0], [0.5, 0.25]]))
    >>> pool.scores()
    array([0.75, 0.25])
    """

    how: Clips
    activation: Activation
    _total: NDArray[Any] | None = field(default=None, init=False)
    _n_frames: int = field(default=0, init=False)
    _dtype: np.dtype[Any] = field(default=np.dtype(np.float32), init=False)

    def __post_init__(self) -> None:
        if self.how not in get_args(Clips):
            raise InputError(f"clips={self.how!r} is unknown. Use 'max', 'mean' or 'noisy-or'.")

    def add(self, block: NDArray[Any]) -> None:
        """Add the scores (n_frames, n_labels) of the frames that come next."""
        if not len(block):
            return
        self._dtype, self._n_frames = block.dtype, self._n_frames + len(block)
        if self.how == "max":
            top = block.max(axis=0)
            self._total = top if self._total is None else np.maximum(self._total, top)
            return
        values = block.astype(np.float64)
        if self.how == "noisy-or":
            values = not_heard(values, self.activation)
        if self._total is not None:
            values[0] += self._total
        # One after another, whatever the blocks: a sum may add in another order.
        self._total = np.cumsum(values, axis=0)[-1]

    def scores(self) -> NDArray[Any]:
        """Return one score for each label (n_labels,), in the dtype of the frames.

        Raises
        ------
        InputError
            If there were no frames.
        """
        if self._total is None:
            raise InputError("the recording has no frames, so that no score stands for it.")
        found = self._total
        if self.how == "mean":
            found = found / self._n_frames
        elif self.how == "noisy-or":
            found = heard(found, self.activation)
        return np.asarray(found, self._dtype)


def clip_scores(blocks: Iterable[NDArray[Any]], how: Clips, activation: Activation) -> NDArray[Any]:
    """Return one score for each label (n_labels,), of the frames (n_frames, n_labels) in some blocks."""
    pool = ClipPool(how, activation)
    for block in blocks:
        pool.add(block)
    return pool.scores()
