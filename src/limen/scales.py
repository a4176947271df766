"""What the scores are, and the scales that learners work on: probabilities, log odds, ranks."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, LimenWarning
from limen.sources.blocks import Source, flatten

Space = Literal["probability", "logit", "rank"]
Kind = Literal["probability", "logit", "real"]
BARELY = 1e-3
"""Probabilities leave 0 to 1 by rounding or by averaging; logits leave it by far more."""
LARGEST_LOGIT = 1000.0
"""Scores beyond are no log odds of anything: they are counted and cut as they are."""


class Scale(Protocol):
    """An increasing map of scores, and its inverse for thresholds."""

    def forward(self, scores: NDArray[Any], label: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the scores on this scale; ``label``, which broadcasts, is the label number of each."""
        ...

    def back(self, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return thresholds (n_labels,) on the scale of the scores."""
        ...


@dataclass(frozen=True)
class Probability:
    """Scores as they are; scores outside 0 to 1 are taken for logits."""

    from_logits: bool

    def forward(self, scores: NDArray[Any], label: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return probabilities."""
        scores = scores.astype(np.float64)
        return sigmoid(scores) if self.from_logits else scores

    def back(self, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return thresholds on the scale of the scores; never and always where none is left."""
        return logit(np.clip(thresholds, 0, 1)) if self.from_logits else thresholds


@dataclass(frozen=True)
class Logit:
    """Log odds, with probabilities kept at least ``above_0`` and ``below_1`` away from 0 and 1."""

    from_logits: bool
    above_0: float = 1e-9
    below_1: float = 1e-9

    def forward(self, scores: NDArray[Any], label: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return logits."""
        scores = scores.astype(np.float64)
        if self.from_logits:
            return np.asarray(np.clip(scores, -FARTHEST, FARTHEST))
        return logit(np.clip(scores, self.above_0, 1 - self.below_1))

    def back(self, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return thresholds on the scale of the scores; beyond where scores are held, always and never."""
        if self.from_logits:
            low, high, back = -FARTHEST, FARTHEST, thresholds
        else:
            low, high = (float(logit(np.array(p))) for p in (self.above_0, 1 - self.below_1))
            back = sigmoid(thresholds)
        lowest = -np.inf if self.from_logits else 0.0
        return np.where(thresholds <= low, lowest, np.where(thresholds > high, np.inf, back))


FARTHEST = 1e150
"""Logits beyond are taken for this, so that their squares stay finite."""


@dataclass(frozen=True)
class Rank:
    """Mean rank among the label's scores, from 0 to 1; between two scores the map is a straight line."""

    offsets: NDArray[np.int64]
    scores: NDArray[np.float64]
    ranks: NDArray[np.float64]

    @classmethod
    def of(cls, sources: Sequence[Source]) -> Rank:
        """Return the ranks of all scores."""
        n_labels = len(sources[0].labels)
        blocks = [flatten(block) for source in sources for block in source.blocks()]
        label = np.concatenate([block.label for block in blocks])
        scores = np.concatenate([block.scores for block in blocks]).astype(np.float64)
        order = np.lexsort((scores, label))
        label, scores = label[order], scores[order]
        new = np.ones(len(scores), bool)
        new[1:] = (label[1:] != label[:-1]) | (scores[1:] != scores[:-1])
        start = np.flatnonzero(new)
        size = np.diff(np.append(start, len(scores)))
        in_label = np.bincount(label, minlength=n_labels)
        before = start - (np.cumsum(in_label) - in_label)[label[new]]
        offsets = np.concatenate([[0], np.cumsum(np.bincount(label[new], minlength=n_labels))])
        return cls(offsets, scores[new], (before + size / 2) / in_label[label[new]])

    def forward(self, scores: NDArray[Any], label: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return ranks."""
        shape, label = scores.shape, np.broadcast_to(label, scores.shape).ravel()
        scores, ranks = scores.ravel(), np.empty(scores.size)
        order = np.argsort(label, kind="stable")
        edges = np.searchsorted(label[order], np.arange(len(self.offsets)))
        for k in range(len(self.offsets) - 1):
            own, known = order[edges[k] : edges[k + 1]], slice(self.offsets[k], self.offsets[k + 1])
            if known.stop == known.start:
                ranks[own] = 0.5
            elif len(own):
                ranks[own] = np.interp(scores[own], self.scores[known], self.ranks[known])
        return ranks.reshape(shape)

    def back(self, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return thresholds on the scale of the scores; beyond the last rank: never."""
        back = np.empty(len(thresholds))
        for k, threshold in enumerate(thresholds):
            known = slice(self.offsets[k], self.offsets[k + 1])
            ranks, scores = self.ranks[known], self.scores[known]
            above = len(ranks) == 0 or threshold > ranks[-1]
            back[k] = np.inf if above else np.interp(threshold, ranks, scores)
        return back


def scale_of(space: Space, sources: Sequence[Source], kind: Kind) -> Scale:
    """Return the scale of a name, for scores of a kind.

    Raises
    ------
    InputError
        If there is no scale of this name.
    """
    if space not in get_args(Space):
        raise InputError(f"space={space!r} is unknown. Use 'probability', 'logit' or 'rank'.")
    if space == "rank":
        return Rank.of(sources)
    return (Logit if space == "logit" else Probability)(kind != "probability")


def kind_of(sources: Iterable[Source]) -> Kind:
    """Return what the scores of a data set are, by their range: decided once, for all that follows.

    Warns
    -----
    LimenWarning
        If scores barely leave 0 to 1, so that one of them decides.
    """
    ends: list[tuple[float, float]] = []
    for source in sources:
        if source.seen is None:
            ends += [(b.scores.min(), b.scores.max()) for b in source.blocks() if b.scores.size]
        else:
            ends.append((source.seen.lowest, source.seen.highest))
    found = np.array(ends, np.float64)
    return kind_in(found[np.isfinite(found)])


def kind_in(scores: NDArray[Any]) -> Kind:
    """Return what scores are of which these are the lowest and the highest, among others; `kind_of` explains."""
    lowest, highest = float(scores.min(initial=0.5)), float(scores.max(initial=0.5))
    beyond = max(-lowest, highest - 1)
    if not beyond > 0:
        return "probability"
    if beyond <= BARELY:
        warnings.warn(
            f"scores reach from {lowest:.9g} to {highest:.9g}, barely beyond 0 to 1: they are taken for "
            "probabilities, and those beyond for 0 and 1. If they are logits or other scores, this changes "
            "nothing for the exact methods; if they are probabilities, clip them: np.clip(y_score, 0, 1).",
            LimenWarning,
            stacklevel=2,
        )
        return "probability"
    return "logit" if max(-lowest, highest) <= LARGEST_LOGIT else "real"


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities of log odds."""
    # Of the small part of 1 nothing is lost: exp of a negative number over 1 and itself.
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1.0, small) / (1 + small))


def logit(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log odds of probabilities; -inf at 0 and inf at 1."""
    with np.errstate(divide="ignore"):
        return np.log(p) - np.log1p(-p)
