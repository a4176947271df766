"""Where scores lie: what a grid of cuts between them needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.sources.blocks import Source, flatten


class Extent(NamedTuple):
    """Where scores lie. That of parts together is ``a | b``.

    Attributes
    ----------
    low, high : float64 (n_labels,)
        Lowest and highest score of each label; inf and -inf where there is none.
    tiny, nearly : float
        The lowest score above 0, and the highest below 1.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    tiny: float = np.inf
    nearly: float = -np.inf

    @classmethod
    def of(cls, sources: Sequence[Source]) -> Extent:
        """Return the extent of all scores: one pass."""
        n_labels = len(sources[0].labels)
        low, high = np.full(n_labels, np.inf), np.full(n_labels, -np.inf)
        tiny, nearly = np.inf, -np.inf
        for source in sources:
            for block in source.blocks(check=False):
                if block.scores.ndim == 2:
                    np.minimum(low, block.scores.min(axis=0), out=low)
                    np.maximum(high, block.scores.max(axis=0), out=high)
                else:
                    entries = flatten(block)
                    np.minimum.at(low, entries.label, entries.scores)
                    np.maximum.at(high, entries.label, entries.scores)
                own = inner_ends(block.scores)
                tiny, nearly = min(tiny, own[0]), max(nearly, own[1])
        return cls(low, high, tiny, nearly)

    def __or__(self, other: Any) -> Extent:
        if not isinstance(other, Extent):
            return NotImplemented
        return Extent(
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            min(self.tiny, other.tiny),
            max(self.nearly, other.nearly),
        )

    def same(self, other: Extent) -> bool:
        """Return whether both are the same."""
        ends = np.array_equal(self.low, other.low) and np.array_equal(self.high, other.high)
        return ends and (self.tiny, self.nearly) == (other.tiny, other.nearly)

    @property
    def ends(self) -> NDArray[np.float64]:
        """The lowest and the highest scores of the labels that have any."""
        both = np.concatenate([self.low, self.high])
        return np.asarray(both[np.isfinite(both)])


def inner_ends(scores: NDArray[Any]) -> tuple[float, float]:
    """Return the lowest score above 0, and the highest below 1; inf and -inf if there is none."""
    return (
        float(scores.min(initial=np.inf, where=scores > 0)),
        float(scores.max(initial=-np.inf, where=scores < 1)),
    )
