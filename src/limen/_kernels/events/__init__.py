"""Events at every threshold of recordings, and how many of them are right.

In this order: scores become ranks (`ranking`), ranks are filtered as a setting says (`medians`, `filters`), the
changes of counts are found (`counting`) by the rules of `judging`, and summed up (`curves`). One threshold needs
no ranks (`detecting`). Times are int64 microseconds.
"""

from limen._kernels.events.curves import curves_of
from limen._kernels.events.detecting import best_by_given, detect
from limen._kernels.events.judging import COLLAR, INTERSECTION, SEGMENT, References, Rule, count_events, reach
from limen._kernels.events.medians import median_scores
from limen._kernels.events.ranking import Frames, keys_of, ranked

__all__ = [
    "COLLAR",
    "INTERSECTION",
    "SEGMENT",
    "Frames",
    "References",
    "Rule",
    "best_by_given",
    "count_events",
    "curves_of",
    "detect",
    "keys_of",
    "median_scores",
    "ranked",
    "reach",
]
