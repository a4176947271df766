"""Thresholds as plain numbers, which is all that most places can hold, or a clear no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from limen.decisions import THRESHOLD_RULE, by_threshold
from limen.errors import UnsupportedError

if TYPE_CHECKING:
    from limen.thresholds import Thresholds


def plain_thresholds(thresholds: Thresholds, *, to: str, closed: bool = False) -> dict[str, float]:
    """Return the threshold of each label, in the order of the labels; ``inf`` means never.

    A float holds every float16, float32 and float64 exactly, so ``score >= threshold`` in 64 bits
    decides as `Thresholds.decide` does.

    Parameters
    ----------
    thresholds : Thresholds
    to : str
        What they are exported to, for the message.
    closed : bool
        Whether it can also serve thresholds that are closed under a hierarchy.

    Raises
    ------
    UnsupportedError
        If the rule compares the labels of an item with each other, or it is closed and that cannot be served.

    Examples
    --------
    >>> import limen
    >>> t = limen.tune([[1], [0]], [[0.75], [0.25]], labels=["dog"], method="exact")
    >>> plain_thresholds(t, to="SQL")
    {'dog': 0.5}
    """
    if not by_threshold(thresholds.rule):
        raise UnsupportedError(
            f"the rule {thresholds.rule!r} compares the labels of an item with each other; {to} compares each "
            "score with a threshold. Tune with another method, such as auto, or decide with Thresholds.decide."
        )
    if thresholds.rule != THRESHOLD_RULE and not closed:
        raise UnsupportedError(
            "these thresholds are closed under a hierarchy: a label is given by the scores of those below it too; "
            f"{to} looks at one score at a time. Use a query for wide tables (limen export sql), "
            "limen.exports.polars.expressions, an ONNX model or Thresholds.decide; or tune without closed."
        )
    return dict(zip(thresholds.labels, map(float, thresholds.values), strict=True))
