"""What curves say of cuts at which they were not counted, when their data are gone: bounds."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from limen.sources.candidates import Candidates


class Counted(Protocol):
    """Counts at each candidate; see `limen.Curves`."""

    @property
    def candidates(self) -> Candidates:
        """Where was counted."""
        ...

    @property
    def tp(self) -> NDArray[Any]:
        """Positive items at or above each cut."""
        ...

    @property
    def fp(self) -> NDArray[Any]:
        """Negative items at or above each cut, at most."""
        ...

    @property
    def fp_least(self) -> NDArray[Any] | None:
        """The fewest that there may be, if that is not known."""
        ...

    @property
    def beneath(self) -> NDArray[Any]:
        """The highest known score strictly below each cut."""
        ...

    @property
    def n_positive(self) -> NDArray[Any]:
        """Positive items of each label."""
        ...

    @property
    def n_known(self) -> NDArray[Any]:
        """Items whose label is known."""
        ...


class Bounds(NamedTuple):
    """Counts at other cuts: ``tp`` is exact, the false positives lie from ``least`` to ``most``.

    ``beneath`` is the highest score that may lie strictly below each cut; ``exact`` tells if there is no doubt.
    """

    tp: NDArray[Any]
    least: NDArray[Any]
    most: NDArray[Any]
    beneath: NDArray[Any]
    exact: bool


def bounds_at(part: Counted, cuts: Candidates) -> Bounds:
    """Return what the curves of a part of the data say of the counts at ``cuts``.

    Every positive score of the part is one of its candidates, so none lies between a cut and the next candidate
    at or above it: ``tp`` is known. Of the negatives there, `beneath` tells the highest: if that is below the cut,
    none is at or above; else at least that one is, and at most as many as down to the next candidate.
    """
    own, n_labels = part.candidates, len(cuts.labels)
    label = np.repeat(np.arange(n_labels), np.diff(cuts.offsets))
    at = own.lowest_at_or_above(cuts)
    last = own.offsets[1:] - 1
    is_last = at == last[label]
    following = np.minimum(at + 1, last[label])
    least = part.fp if part.fp_least is None else part.fp_least
    all_negatives = (part.n_known - part.n_positive)[label]
    none_between = (own.cuts[at] == cuts.cuts) | (part.beneath[at] < cuts.cuts)
    below = np.where(is_last, all_negatives, part.fp[following])
    # Weights may be as small as they like; and of bounded curves ``beneath`` is where a score may be.
    one = 1 if part.fp.dtype == np.int64 and part.fp_least is None else 0
    fewest = np.where(none_between, least[at], np.minimum(least[at] + one, below))
    just_below = np.nextafter(cuts.cuts, -np.inf, dtype=cuts.cuts.dtype)
    return Bounds(
        part.tp[at],
        fewest,
        np.where(none_between, part.fp[at], below),
        np.where(none_between, part.beneath[at], just_below),
        part.fp_least is None and bool(none_between.all()),
    )
