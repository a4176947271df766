"""What to expect on new items, and what 0.5 would give: from the best source that there is, and which that is."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from limen.comparison import Comparison
from limen.intervals import Interval
from limen.reporting.tuned_on import TunedOn

Origin = Literal["measured", "fixed", "given", "cross-fitted", "compared", "none"]

HOW: dict[Origin, str] = {
    "measured": "these are other data",
    "fixed": "nothing was tuned",
    "given": "as measured here",
    "cross-fitted": "cross-fitted while tuning",
    "compared": "held out, see Methods",
    "none": "not measured",
}
"""Where a figure comes from, as the table of evidence says it."""


class Verdict(NamedTuple):
    """The objective on new items, and its difference to that at 0.5.

    Attributes
    ----------
    origin : str
        "measured": on these data, which are others than those tuned on. "fixed": on these data, and nothing was
        tuned. "given": likewise, and what the thresholds were chosen on is not known. "cross-fitted": while
        tuning on these data. "compared": by a comparison of methods on these data. "none": not known.
    expected, gain : Interval or None
    why : str
        Why nothing is known; else empty.
    """

    origin: Origin
    expected: Interval | None
    gain: Interval | None
    why: str = ""


def verdict(
    tuned: TunedOn, here: Interval | None, gain: Interval | None, comparison: Comparison | None, why_not: str
) -> Verdict:
    """Return what to expect of thresholds.

    Parameters
    ----------
    tuned : TunedOn
    here, gain : Interval or None
        The objective on the report's data, and its difference to that at 0.5; None for a single item.
    comparison : Comparison or None
        Of methods on the report's data; ``why_not`` says why there is none.
    """
    thresholds = tuned.thresholds
    origins: list[tuple[bool, Origin]] = [
        (re.fullmatch(r"fixed:[^,]*", thresholds.method) is not None, "fixed"),
        (thresholds.method == "given", "given"),
        (not tuned.same_items, "measured"),
    ]
    for holds, origin in origins:
        if holds:
            return Verdict(origin, here, gain)
    why = _why_not_these(tuned)
    if why:
        return Verdict("none", None, None, why)
    if thresholds.expected is not None:
        return Verdict("cross-fitted", thresholds.expected, thresholds.expected_gain)
    for row in comparison.rows if comparison is not None else ():
        if row.method == thresholds.method:
            return Verdict("compared", Interval(row.held_out, row.low, row.high), row.gain)
    if thresholds.expected_reason:
        return Verdict("none", None, None, f"not estimable: {thresholds.expected_reason}")
    if comparison is not None:
        why_not = f"the method {thresholds.method} is not among those compared"
    return Verdict("none", None, None, why_not[:1].lower() + why_not[1:].removesuffix("."))


def _why_not_these(tuned: TunedOn) -> str:
    """Return why nothing that was measured while tuning, or by a method alone, is of these thresholds here."""
    if tuned.other_frequencies:
        return "these are the items tuned on, but they were weighed to other label frequencies"
    if not tuned.same_objective:
        return f"the thresholds were tuned on these items for {tuned.thresholds.objective.noun}"
    if tuned.before_edits or "edited by hand" in tuned.thresholds.method:
        return "the thresholds were tuned or edited by hand on these items"
    return ""
