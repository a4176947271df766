"""What counts must keep: at least so much precision or recall, at most so many false positives or tags."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from limen.errors import InputError, percent

Per = Literal["label", "all"] | Mapping[str, float]
EXACT = 10**6
"""Values are read as fractions with at most this denominator: 0.9 is 9/10, and counts are compared whole."""


class Terms(NamedTuple):
    """``of_tp * tp + of_pp * pp + of_p * p + of_n * n + constant``, which must not be negative."""

    of_tp: Any
    of_pp: Any
    of_p: Any
    of_n: Any
    constant: Any


@dataclass(frozen=True)
class CountConstraint:
    """A limit on counts, for each label or for all together.

    Parameters
    ----------
    value : float, optional
        The limit; None, where only the labels that ``per`` names have one.
    per : {"label", "all"} or mapping from label to float
        For each label by itself; for the counts summed over labels; or for each label, with other values for
        those named.

    Notes
    -----
    Values are read as decimal fractions, and whole counts are compared without rounding: 9 right tags of 10
    have the precision 0.9. A ratio that is 0/0 breaks nothing: a label that is never given has no wrong tag.
    """

    value: float | None = None
    per: Per = "label"

    name: ClassVar[str]
    noun: ClassVar[str]
    at_least: ClassVar[bool] = True
    """Whether what is measured must be at least the value; else at most."""
    of_given: ClassVar[bool] = False
    """Whether it is a share of the tags given."""

    def __post_init__(self) -> None:
        if isinstance(self.per, Mapping):
            object.__setattr__(self, "per", dict(self.per))
            if not self.per:
                raise InputError(f"{self.name} has an empty mapping per label. Name at least one label.")
        elif self.per not in ("label", "all"):
            raise InputError(f"{self.name} has per={self.per!r}. Use 'label', 'all', or a mapping from labels.")
        elif self.value is None:
            raise InputError(f"{self.name} has no value. Give one, like {self.name}({self.example}).")
        for label, value in self.named.items():
            self._check(value, f" for {label!r}")
        if self.value is not None:
            self._check(self.value, "")

    example: ClassVar[str] = "0.9"

    @property
    def named(self) -> dict[str, float]:
        """Labels with values of their own."""
        return dict(self.per) if isinstance(self.per, Mapping) else {}

    @property
    def totals(self) -> bool:
        """Whether what is limited grows with the data."""
        return False

    @property
    def pooled(self) -> bool:
        """Whether it limits the counts summed over labels."""
        return self.per == "all"

    def _check(self, value: Any, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
            raise InputError(f"{self.name} has the value {value!r}{where}. It must be a number from 0 to 1.")

    def terms(self, value: float) -> Terms:
        """Return what must not be negative."""
        raise NotImplementedError

    def measured(self, tp: Any, pp: Any, p: Any, n: Any) -> Any:
        """Return what is limited, elementwise, as float64; NaN where it is 0/0."""
        raise NotImplementedError

    def variance(self, value: Any, pp: Any, p: Any, n: Any, share: float = 1.0) -> Any:
        """Return the variance of the count that is limited, elementwise, where it is just at the value.

        That of as many independent items; ``share`` is the size of the data, of those that totals are for.
        """
        raise NotImplementedError

    def said(self, value: float) -> str:
        """Return a value as people read it."""
        return percent(value)

    def __str__(self) -> str:
        whose = "over all labels" if self.pooled else "for each label"
        if self.value is None:
            whose = f"for {len(self.named)} named label" + "s" * (len(self.named) != 1)
        elif self.named:
            whose += f", {len(self.named)} with another value"
        limit = "at least" if self.at_least else "at most"
        value = "its value" if self.value is None else self.said(self.value)
        return f"{self.noun} {limit} {value} {whose}"

    @property
    def spec(self) -> dict[str, Any]:
        """What it is, in plain numbers and text."""
        return {"name": self.name, **{f.name: getattr(self, f.name) for f in fields(self) if f.init}}


@dataclass(frozen=True)
class MinPrecision(CountConstraint):
    """At least this precision, tp / pp. A label that is never given keeps it.

    Examples
    --------
    >>> str(MinPrecision(0.9)), str(MinPrecision(0.8, per={"Owl": 0.95}))
    ('precision at least 90.0 % for each label', 'precision at least 80.0 % for each label, 1 with another value')
    """

    name: ClassVar[str] = "MinPrecision"
    noun: ClassVar[str] = "precision"
    of_given: ClassVar[bool] = True

    def terms(self, value: float) -> Terms:
        """Return what must not be negative."""
        v = fraction(value)
        return Terms(v.denominator, -v.numerator, 0, 0, 0)

    def measured(self, tp: Any, pp: Any, p: Any, n: Any) -> Any:
        """Return the precision."""
        return _share(tp, pp)

    def variance(self, value: Any, pp: Any, p: Any, n: Any, share: float = 1.0) -> Any:
        """Return the variance of the right tags among those given, where so many are right."""
        return value * (1 - value) * np.asarray(pp, np.float64)


@dataclass(frozen=True)
class MinRecall(CountConstraint):
    """At least this recall, tp / p. A label without positives keeps it.

    Examples
    --------
    >>> str(MinRecall(0.5, per="all"))
    'recall at least 50.0 % over all labels'
    """

    name: ClassVar[str] = "MinRecall"
    noun: ClassVar[str] = "recall"

    def terms(self, value: float) -> Terms:
        """Return what must not be negative."""
        v = fraction(value)
        return Terms(v.denominator, 0, -v.numerator, 0, 0)

    def measured(self, tp: Any, pp: Any, p: Any, n: Any) -> Any:
        """Return the recall."""
        return _share(tp, p)

    def variance(self, value: Any, pp: Any, p: Any, n: Any, share: float = 1.0) -> Any:
        """Return the variance of the positive items found, where so many are."""
        return value * (1 - value) * np.asarray(p, np.float64)


@dataclass(frozen=True)
class MaxFalsePositiveRate(CountConstraint):
    """At most this share of the negatives given, fp / (n - p).

    Examples
    --------
    >>> str(MaxFalsePositiveRate(0.01))
    'false positive rate at most 1.0 % for each label'
    """

    name: ClassVar[str] = "MaxFalsePositiveRate"
    noun: ClassVar[str] = "false positive rate"
    at_least: ClassVar[bool] = False

    def terms(self, value: float) -> Terms:
        """Return what must not be negative."""
        v = fraction(value)
        return Terms(v.denominator, -v.denominator, -v.numerator, v.numerator, 0)

    def measured(self, tp: Any, pp: Any, p: Any, n: Any) -> Any:
        """Return the false positive rate."""
        return _share(np.asarray(pp) - tp, np.asarray(n) - p)

    def variance(self, value: Any, pp: Any, p: Any, n: Any, share: float = 1.0) -> Any:
        """Return the variance of the negative items given, where so many are."""
        return value * (1 - value) * (np.asarray(n, np.float64) - p)


@dataclass(frozen=True)
class Predictions(CountConstraint):
    """A limit on the tags given.

    Parameters
    ----------
    value : float, optional
        Tags on the data tuned on. On data of another size it is scaled with the number of items.
    per : {"label", "all"} or mapping from label to float
        In the same unit as the limit.
    rate : float, optional
        Instead: share of the items (``per="all"``: of all pairs of item and label) that get the tag.
    per_hour, hours : float, optional
        Instead: tags in an hour, and the hours that the data tuned on cover.
    """

    rate: float | None = field(default=None, kw_only=True)
    per_hour: float | None = field(default=None, kw_only=True)
    hours: float | None = field(default=None, kw_only=True)

    noun: ClassVar[str] = "tags given"
    example: ClassVar[str] = "200"

    def __post_init__(self) -> None:
        given = [key for key in ("value", "rate", "per_hour") if getattr(self, key) is not None]
        if len(given) > 1:
            raise InputError(f"{self.name} has {' and '.join(given)}. Give one of them.")
        if (self.hours is None) != (self.per_hour is None) and not (self.hours and isinstance(self.per, Mapping)):
            raise InputError(f"{self.name} needs per_hour and hours together: hours that the items cover.")
        if self.hours is not None and not (math.isfinite(self.hours) and self.hours > 0):
            raise InputError(f"{self.name} has hours={self.hours}. It must be a number above 0.")
        if self.rate is not None or self.per_hour is not None:
            object.__setattr__(self, "value", self.rate if self.rate is not None else self.per_hour)
        super().__post_init__()

    @property
    def totals(self) -> bool:
        """Whether what is limited grows with the data."""
        return self.rate is None

    def _check(self, value: Any, where: str) -> None:
        if self.rate is not None:
            super()._check(value, where)
        elif isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < 1e12:
            raise InputError(f"{self.name} has the value {value!r}{where}. It must be a number from 0.")

    def terms(self, value: float) -> Terms:
        """Return what must not be negative; ``constant`` is for data of the size tuned on."""
        v = fraction(value) * (fraction(self.hours) if self.hours is not None else 1)
        v = v.limit_denominator(EXACT)
        side = 1 if self.at_least else -1
        limit = -side * v.numerator
        return Terms(0, side * v.denominator, 0, *((limit, 0) if self.rate is not None else (0, limit)))

    def measured(self, tp: Any, pp: Any, p: Any, n: Any) -> Any:
        """Return the rate, the tags an hour, or the tags."""
        if self.rate is not None:
            return _share(pp, n)
        return np.asarray(pp, np.float64) / (1 if self.hours is None else self.hours)

    def variance(self, value: Any, pp: Any, p: Any, n: Any, share: float = 1.0) -> Any:
        """Return the variance of the number of tags, where it is just the limit."""
        if self.rate is not None:
            return value * (1 - value) * np.asarray(n, np.float64)
        limit = value * share * (1 if self.hours is None else self.hours)
        return limit * np.clip(1 - limit / np.maximum(n, 1e-300), 0, 1)

    def said(self, value: float) -> str:
        """Return a value as people read it."""
        if self.rate is not None:
            return percent(value)
        return f"{value:g}" + ("" if self.hours is None else " an hour")

    @property
    def spec(self) -> dict[str, Any]:
        """What it is, in plain numbers and text."""
        found = {key: part for key, part in super().spec.items() if part is not None}
        if self.rate is not None or self.per_hour is not None:
            del found["value"]
        return found


@dataclass(frozen=True)
class MaxPredictions(Predictions):
    """At most so many tags given.

    Examples
    --------
    >>> str(MaxPredictions(200)), str(MaxPredictions(rate=0.05))
    ('tags given at most 200 for each label', 'tags given at most 5.0 % for each label')
    >>> str(MaxPredictions(per_hour=8, hours=24, per="all"))
    'tags given at most 8 an hour over all labels'
    """

    name: ClassVar[str] = "MaxPredictions"
    at_least: ClassVar[bool] = False


@dataclass(frozen=True)
class MaxFalsePositives(Predictions):
    """At most so many wrong tags, pp - tp: wrong detections, where events are counted.

    Examples
    --------
    >>> str(MaxFalsePositives(per_hour=2, hours=10, per="all"))
    'false positives at most 2 an hour over all labels'
    """

    name: ClassVar[str] = "MaxFalsePositives"
    noun: ClassVar[str] = "false positives"
    at_least: ClassVar[bool] = False

    def terms(self, value: float) -> Terms:
        """Return what must not be negative; ``constant`` is for data of the size tuned on."""
        given = super().terms(value)
        return given._replace(of_tp=-given.of_pp)

    def measured(self, tp: Any, pp: Any, p: Any, n: Any) -> Any:
        """Return the rate, the false positives an hour, or the false positives."""
        return super().measured(tp, np.asarray(pp) - tp, p, n)


@dataclass(frozen=True)
class MinPredictions(Predictions):
    """At least so many tags given.

    Examples
    --------
    >>> str(MinPredictions(20, per={"Owl": 5}))
    'tags given at least 20 for each label, 1 with another value'
    """

    name: ClassVar[str] = "MinPredictions"


def fraction(value: float) -> Fraction:
    """Return a value as the fraction that people mean.

    Examples
    --------
    >>> fraction(0.9), fraction(1 / 3)
    (Fraction(9, 10), Fraction(1, 3))
    """
    return Fraction(float(value)).limit_denominator(EXACT)


def _share(part: Any, whole: Any) -> Any:
    whole = np.asarray(whole, np.float64)
    return np.where(whole > 0, np.asarray(part, np.float64) / np.where(whole > 0, whole, 1.0), np.nan)
