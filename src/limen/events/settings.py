"""Settings: what stands between frame scores and events, beside the threshold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import product
from typing import Any

from limen.errors import InputError


@dataclass(frozen=True, order=True)
class Setting:
    """How the frames of a label become events, whatever the threshold.

    In this order: the running median of the scores; stretches at or above the low threshold that reach the
    threshold; pauses of at most ``gap`` closed; events shorter than ``shortest`` dropped.

    Parameters
    ----------
    median : float
        Width of the running median in seconds, taken for an odd number of frames; 0 is none. What lies outside of
        a recording is below every threshold.
    hysteresis : float
        How far the low threshold lies below the threshold: in log odds where the scores are probabilities, else in
        units of the scores. 0: there is one threshold.
    gap, shortest : float
        Seconds.

    Raises
    ------
    InputError
        If one is negative or not finite.

    Examples
    --------
    >>> Setting(median=0.36).frames(0.04), Setting().frames(0.04)
    (9, 1)
    >>> print(Setting(median=0.28, shortest=0.2))
    median 0.28 s, shortest 0.2 s
    """

    median: float = 0.0
    hysteresis: float = 0.0
    gap: float = 0.0
    shortest: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6
            if not (good and math.isfinite(value)):
                raise InputError(f"{field.name}={value!r} of a setting is not usable. It must be a number from 0.")
            object.__setattr__(self, field.name, float(value))

    def frames(self, frame_seconds: float) -> int:
        """Return how many frames the median spans: an odd number."""
        return 2 * math.floor(self.median / frame_seconds / 2 + 1e-9) + 1

    def to_dict(self) -> dict[str, float]:
        """Return the setting as plain numbers."""
        return asdict(self)

    def __str__(self) -> str:
        units = {"median": " s", "hysteresis": "", "gap": " s", "shortest": " s"}
        given = [f"{key} {value:g}{units[key]}" for key, value in asdict(self).items() if value]
        return ", ".join(given) or "as the frames are"


MEDIANS = (0.0, 0.12, 0.2, 0.28, 0.36, 0.52, 0.76, 1.0, 1.4)
HYSTERESES = (0.0, 1.0, 2.0)
GAPS = (0.0, 0.2, 0.4)


def settings_grid(
    median: Iterable[float] = MEDIANS,
    hysteresis: Iterable[float] = HYSTERESES,
    gap: Iterable[float] = GAPS,
    shortest: Iterable[float] = (0.0,),
) -> tuple[Setting, ...]:
    """Return every combination of these values, the simplest settings first.

    The default is for sounds from a tenth of a second to some seconds; give your own values where you know better.

    Examples
    --------
    >>> len(settings_grid(median=(0, 0.2, 0.4), gap=(0,), hysteresis=(0, 1)))
    6
    """
    found = {Setting(*map(float, values)) for values in product(median, hysteresis, gap, shortest)}
    return tuple(sorted(found, key=_complexity))


def _complexity(setting: Setting) -> tuple[Any, ...]:
    return (sum(map(bool, asdict(setting).values())), setting)


def as_settings(given: Setting | Sequence[Setting] | None) -> tuple[Setting, ...]:
    """Return settings as given, the default grid for None; refused where they are none or repeat."""
    if given is None:
        return settings_grid()
    found = (given,) if isinstance(given, Setting) else tuple(given)
    if not found or not all(isinstance(setting, Setting) for setting in found):
        raise InputError(f"settings={str(given)[:60]} is not usable. Give Setting objects, or None for a grid.")
    if len(set(found)) < len(found):
        raise InputError("a setting stands twice among the settings. Give each once.")
    return found
