"""Candidates: the cuts of each label at which counting is worth while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import MergeError
from limen.sources.arrays import working_dtype


@dataclass(frozen=True, eq=False)
class Candidates:
    """Distinct cuts of each label, falling, each label's first being +inf ("never").

    Attributes
    ----------
    labels : tuple of n_labels str
    dtype : dtype of the scores
    offsets : int64 (n_labels + 1,)
        The cuts of label ``k`` lie at ``offsets[k]:offsets[k + 1]``.
    cuts : float32 or float64 (n_candidates,)
    """

    labels: tuple[str, ...]
    dtype: np.dtype[Any]
    offsets: NDArray[np.int64]
    cuts: NDArray[Any]

    @classmethod
    def shared(cls, labels: tuple[str, ...], dtype: np.dtype[Any], cuts: NDArray[Any]) -> Candidates:
        """Return the same cuts for every label."""
        label = np.repeat(np.arange(len(labels)), len(cuts))
        return cls.distinct(labels, dtype, label, np.tile(cuts, len(labels)))

    @classmethod
    def distinct(
        cls,
        labels: tuple[str, ...],
        dtype: np.dtype[Any],
        label: NDArray[np.int64],
        scores: NDArray[Any],
    ) -> Candidates:
        """Return the distinct ones of ``scores``, each a cut of the label with that number, and "never"."""
        n_labels = len(labels)
        label = np.concatenate([np.arange(n_labels), label])
        # Adding 0 makes -0.0 the same number to the last bit.
        scores = np.concatenate([np.full(n_labels, np.inf), scores]).astype(working_dtype(dtype)) + 0
        # Two sorts cost less than one lexsort, above all the second: numpy's radix sort, of short integers.
        order = np.argsort(-scores)
        short = np.uint16 if n_labels <= 1 << 16 else np.int64
        order = order[np.argsort(label[order].astype(short), kind="stable")]
        label, scores = label[order], scores[order]
        new = np.ones(len(label), bool)
        new[1:] = (label[1:] != label[:-1]) | (scores[1:] != scores[:-1])
        offsets = np.zeros(n_labels + 1, np.int64)
        np.cumsum(np.bincount(label[new], minlength=n_labels), out=offsets[1:])
        return cls(labels, dtype, offsets, scores[new])

    def __or__(self, other: Candidates) -> Candidates:
        """Return the union, label by label."""
        if self.labels != other.labels or self.dtype != other.dtype:
            raise MergeError(
                f"these candidates are of different problems: {len(self.labels)} labels of {self.dtype} scores "
                f"against {len(other.labels)} of {other.dtype}. Labels, their order and the dtype must agree."
            )
        label = [np.repeat(np.arange(len(c.labels)), np.diff(c.offsets)) for c in (self, other)]
        return self.distinct(
            self.labels, self.dtype, np.concatenate(label), np.concatenate([self.cuts, other.cuts])
        )

    def __eq__(self, other: object) -> bool:
        """Return whether labels, dtype and all cuts are the same."""
        if not isinstance(other, Candidates):
            return NotImplemented
        return (
            self.labels == other.labels
            and self.dtype == other.dtype
            and np.array_equal(self.offsets, other.offsets)
            and np.array_equal(self.cuts, other.cuts)
        )

    __hash__ = None  # type: ignore[assignment]
