"""Times of events: whole microseconds, so that comparing them is exact."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MICROSECONDS = 1_000_000
LONGEST_SECONDS = 1e9
"""Times beyond are refused: whole microseconds stay far from the end of int64."""


def microseconds(seconds: Any) -> NDArray[np.int64]:
    """Return times in whole microseconds, the nearest ones.

    Examples
    --------
    >>> microseconds([0.2, 1 / 3])
    array([200000, 333333])
    """
    return np.asarray(np.rint(np.asarray(seconds, np.float64) * MICROSECONDS), np.int64)
