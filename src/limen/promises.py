"""What thresholds promise: the share, of what, with which confidence, and from which data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from limen.decisions import Counts
from limen.errors import InputError, count, examples, percent

KINDS = {"precision": "precision", "recall": "recall", "false_positive_rate": "false-positive rate"}
"""What can be promised of tags, and what people read."""
NOUNS = {**KINDS, "false_per_hour": "false events an hour"}
AT_MOST = ("false_positive_rate", "false_per_hour")
PERS = ("label", "all")
BOUNDS = {
    "binomial": "exact binomial bounds",
    "betting": "betting bounds",
    "expectation": "conformal risk control",
}


@dataclass(frozen=True, kw_only=True)
class Promise:
    """A promise that thresholds keep on new data like those it was made from.

    Attributes
    ----------
    asked : dict
        ``precision`` and ``recall`` at least, ``false_positive_rate`` at most: each a share.
    per : {"label", "all"}
        For each label by itself, or for the tags of all labels together.
    labels : tuple of str
        The labels it is made for; the others are never given, and nothing is said of them. Empty if it cannot be
        made.
    confidence : float or None
        Over many sets of calibration data, the promise of all labels at once holds in at least this share. None:
        it holds in expectation over calibration data.
    correction : str
        How the error is shared among labels.
    bound : {"binomial", "betting", "expectation"}
    units : {"items", "groups"}
        What is independent.
    weighted : bool
        Whether items counted by weights.
    n_items, n_units : int
        Data that it was made from.
    n_fitted : int
        Units among them that only chose which cuts to test.
    largest : dict
        For each share that is promised by betting one number for each of ``labels``, or one in all if ``per`` is
        "all": a unit that holds more than this (of tags given, positives or negatives) counts as if it held so
        much.
    """

    asked: dict[str, float]
    per: str
    labels: tuple[str, ...]
    confidence: float | None
    correction: str
    bound: str
    units: str
    weighted: bool
    n_items: int
    n_units: int
    n_fitted: int = 0
    largest: dict[str, tuple[float, ...]] = field(default_factory=dict)

    given: ClassVar[str] = "tags"
    item: ClassVar[str] = "item"
    holds: ClassVar[dict[str, str]] = {
        "precision": "tags",
        "recall": "positives",
        "false_positive_rate": "negatives",
    }
    """What a unit holds of that of which a share is promised, by what can be."""

    def said(self) -> str:
        """Return what is promised, in words."""
        parts = [said_limit(kind, share) for kind, share in self.asked.items()]
        each = f"for each of {count(len(self.labels), 'label')}"
        for_whom = f"for all {self.given} together" if self.per == "all" else each
        if not self.labels:
            wanted = " and ".join(part if part.startswith("at ") else f"a {part}" for part in parts)
            return f"nothing: no thresholds keep {wanted} on these data"
        if self.confidence is None:
            sure = "in expectation"
        else:
            at_once = ", all at once," if self.per == "label" and len(self.labels) > 1 else ""
            at_once = ", each by itself," if self.correction == "none" and at_once else at_once
            sure = f"{at_once.lstrip(', ')} with confidence {percent(self.confidence)}".strip()
        return f"{' and '.join(parts)} {for_whom}, {sure}"

    def basis(self) -> str:
        """Return what the promise rests on, in words."""
        weighted = ", weighted" if self.weighted else ""
        groups = f" in {count(self.n_units, 'group')}" if self.units == "groups" else ""
        fitted = (
            f"; {count(self.n_fitted, self.units[:-1])} of them only chose the cuts to test"
            if self.n_fitted
            else ""
        )
        cap = "".join(f"; {self._capped(kind, most)}" for kind, most in self.largest.items() if most)
        spread = "" if self.confidence is None or self.per == "all" else f", correction {self.correction}"
        return (
            f"{BOUNDS[self.bound]}{spread}, from {count(self.n_items, self.item)}{groups}{weighted}{fitted}{cap}"
        )

    def _capped(self, kind: str, largest: Sequence[float]) -> str:
        low, high = min(largest), max(largest)
        what = self.holds[kind]
        number = f"{low:g} {what}" if low == high else f"{low:g} to {high:g} {what} (by label)"
        return f"{self.units} with more than {number} count as if they had so many"

    def measure(self, labels: Sequence[str], counts: Counts) -> list[Measured]:
        """Return how each share that is promised came out on data with these counts by label."""
        at = [labels.index(name) for name in self.labels]
        chosen = Counts(*(np.asarray(column, np.float64)[at] for column in counts))
        names: tuple[str, ...] = self.labels
        if self.per == "all" and names:
            chosen, names = Counts(*(column.sum(keepdims=True) for column in chosen)), ("all labels",)
        found = []
        for kind, share in self.asked.items():
            right, of = numbers(kind, chosen)
            for name, k, n in zip(names, right.tolist(), of.tolist(), strict=True):
                found.append(Measured(name, kind, share, k, n))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the content for a JSON file."""
        largest = {kind: list(numbers) for kind, numbers in self.largest.items()}
        return {**asdict(self), "labels": list(self.labels), "largest": largest}

    @classmethod
    def from_dict(cls, content: Any, labels: Sequence[str]) -> Self:
        """Return the promise of `to_dict`'s content, for thresholds of these labels.

        Raises
        ------
        InputError
            If anything is missing, unknown or cannot be.
        """
        names = [field.name for field in fields(cls)]
        if not isinstance(content, dict) or sorted(content) != sorted(names):
            raise InputError(f"'promise' must be null or an object with exactly: {', '.join(names)}.")
        asked, kept = content["asked"], content["labels"]
        shares = (
            isinstance(asked, dict)
            and asked
            and all(
                kind in cls.holds and isinstance(share, int | float) and 0 < share < most_of(kind)
                for kind, share in asked.items()
            )
        )
        sure = content["confidence"]
        whole = [content[key] for key in ("n_items", "n_units", "n_fitted")]
        if not (
            shares
            and isinstance(kept, list)
            and all(name in labels for name in kept)
            and len(set(kept)) == len(kept)
            and content["per"] in PERS
            and content["bound"] in BOUNDS
            and content["units"] in (f"{cls.item}s", "groups")
            and isinstance(content["weighted"], bool)
            and isinstance(content["correction"], str)
            and (sure is None or (isinstance(sure, float) and 0 < sure < 1))
            and all(type(number) is int and number >= 0 for number in whole)
            and _are_sizes(content["largest"], content)
        ):
            raise InputError(f"'promise' is {str(content)[:200]}, which no promise can be. The file was altered.")
        largest = {kind: tuple(map(float, sizes)) for kind, sizes in content["largest"].items()}
        return cls(**{**content, "labels": tuple(kept), "largest": largest})


def _are_sizes(largest: Any, content: dict[str, Any]) -> bool:
    """Return whether these can be the largest sizes of a promise with this content, the rest of which is right."""
    if content["bound"] != "betting":
        return bool(largest == {})
    number = 1 if content["per"] == "all" and content["labels"] else len(content["labels"])
    return isinstance(largest, dict) and all(
        kind in content["asked"]
        and isinstance(sizes, list)
        and len(sizes) == number
        and all(isinstance(size, int | float) and size > 0 for size in sizes)
        for kind, sizes in largest.items()
    )


class Measured(NamedTuple):
    """A share that was promised, as it came out: ``right`` of ``of``."""

    label: str
    kind: str
    promised: float
    right: float
    of: float

    @property
    def value(self) -> float:
        """The share; NaN of nothing."""
        return self.right / self.of if self.of else float("nan")

    @property
    def below(self) -> bool:
        """Whether it is on the wrong side of what was promised (nothing is on no side)."""
        above = self.value > self.promised
        return bool(self.of) and (above if self.kind in AT_MOST else self.value < self.promised)

    def __str__(self) -> str:
        if self.kind == "false_per_hour":
            return f"{self.label}: {self.value:.3g} {NOUNS[self.kind]} in {self.of:.3g} h"
        return f"{self.label}: {NOUNS[self.kind]} {percent(self.value)} of {self.of:g}"


def numbers(kind: str, counts: Counts) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the numbers whose ratio is the share: right ones and all given, found ones and all positives, ..."""
    tp, pp, p, n = counts
    if kind == "precision":
        return tp, pp
    return (tp, p) if kind == "recall" else (pp - tp, n - p)


def said_limit(kind: str, share: float) -> str:
    """Return what is promised of one kind.

    Examples
    --------
    >>> said_limit("precision", 0.9), said_limit("false_per_hour", 2)
    ('precision of at least 90.0 %', 'at most 2 false events an hour')
    """
    if kind == "false_per_hour":
        return f"at most {share:g} {NOUNS[kind]}"
    return f"{NOUNS[kind]} of at {'most' if kind in AT_MOST else 'least'} {percent(share)}"


def most_of(kind: str) -> float:
    """Return what a number of this kind is below."""
    return np.inf if kind == "false_per_hour" else 1.0


def held(measured: Sequence[Measured], items: str = "items") -> str:
    """Return a sentence: whether a promise held, by the shares as they came out on ``items``."""
    some = [one for one in measured if one.of]
    if not some:
        return f"the promise could not be checked: no {items[:-1]} says anything about it"
    worse = [one for one in some if one.below]
    if not worse:
        return (
            f"the promise held on these {items} ({count(len(some), 'share')} of {len(measured)} could be checked)"
        )
    return (
        f"the promise held in {len(some) - len(worse)} of {count(len(some), 'share')} on these {items}; beyond "
        f"it: {examples(list(map(str, worse)))}. A few {items} more or less on either side are chance"
    )
