"""Candidates: the cuts of each label at which counting is worth while."""

from __future__ import annotations

from collections.abc import Sequence
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
        scores = scores.astype(working_dtype(dtype))
        below = scores < np.inf
        return cls.end_to_end(labels, dtype, *by_label(label[below], scores[below], len(labels)))

    @classmethod
    def end_to_end(
        cls, labels: tuple[str, ...], dtype: np.dtype[Any], size: NDArray[np.int64], scores: NDArray[Any]
    ) -> Candidates:
        """Return the distinct ones of finite scores, and "never"; those of a label follow those of the one before.

        ``size`` holds each label's number of scores, in the dtype to compare in, which are overwritten.
        """
        from limen import _kernels

        offsets, cuts, _ = _kernels.distinct_falling(size, scores)
        return cls(labels, dtype, offsets, cuts)

    def lowest_at_or_above(self, cuts: Candidates) -> NDArray[np.int64]:
        """Return, for each of ``cuts``, the number of its label's lowest candidate that is not below it."""
        found = np.empty(len(cuts.cuts), np.int64)
        for k in range(len(cuts.labels)):
            mine = self.cuts[self.offsets[k] : self.offsets[k + 1]]
            wanted = slice(cuts.offsets[k], cuts.offsets[k + 1])
            found[wanted] = self.offsets[k + 1] - 1 - np.searchsorted(mine[::-1], cuts.cuts[wanted])
        return found

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


def by_label(
    label: NDArray[np.int64], scores: NDArray[Any], n_labels: int
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return each label's number of scores, and the scores label by label."""
    # numpy's stable sort of short integers is a radix sort.
    short = np.uint16 if n_labels <= 1 << 16 else np.int64
    return np.bincount(label, minlength=n_labels), scores[np.argsort(label.astype(short), kind="stable")]


def joined(parts: Sequence[tuple[NDArray[np.int64], NDArray[Any]]]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return several parts of what `by_label` returns as one."""
    if len(parts) == 1:
        return parts[0]
    n_labels = len(parts[0][0])
    label = np.concatenate([np.repeat(np.arange(n_labels), size) for size, _ in parts])
    return by_label(label, np.concatenate([scores for _, scores in parts]), n_labels)
