"""Thresholds as Polars expressions, for eager, lazy and streaming frames.

Scores are compared in 64 bits, which holds every score and threshold exactly. (Polars would round a plain
Python number to the 32 bits of a column, and finds NaN greater than any threshold.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from limen.decisions import counted_for
from limen.errors import require
from limen.exports.plain_thresholds import plain_thresholds

require("polars", extra="polars", user="limen.exports.polars")

import polars as pl  # noqa: E402

if TYPE_CHECKING:
    from limen.thresholds import Thresholds


def expressions(thresholds: Thresholds) -> list[pl.Expr]:
    """Return one expression for each label of a wide frame: whether each item gets it.

    Parameters
    ----------
    thresholds : Thresholds
        The frame needs a column of scores for each label, called like it; other columns are left alone.

    Returns
    -------
    list of n_labels pl.Expr
        Boolean columns called like the labels: true where ``score >= threshold``, false elsewhere and for a
        label that is never given, null where the score is null, NaN or infinite.

    Raises
    ------
    UnsupportedError
        If the rule of the thresholds is neither ``">="`` nor closed under a hierarchy.

    Notes
    -----
    Polars stops with an error if a column is missing; only a label such as ``^...$`` or ``*``, which it reads as
    a pattern, is then left out of the result.

    Examples
    --------
    >>> import limen
    >>> import polars as pl
    >>> t = limen.tune([[1], [0]], [[0.75], [0.25]], labels=["dog"], method="exact")
    >>> pl.DataFrame({"id": ["a", "b"], "dog": [0.5, 0.4]}).select("id", *expressions(t)).rows()
    [('a', True), ('b', False)]
    """
    cuts = plain_thresholds(thresholds, to="Polars", closed=True)
    counted = counted_for(thresholds.rule, len(cuts))
    return [
        _decision([_column(thresholds.labels[k]) for k in others], pl.lit(cut, pl.Float64)).alias(name)
        for (name, cut), others in zip(cuts.items(), counted, strict=True)
    ]


def long_expression(thresholds: Thresholds, *, label: str = "label", score: str = "score") -> pl.Expr:
    """Return an expression for a long frame, a row for each score: whether the row's label is given.

    Parameters
    ----------
    thresholds : Thresholds
    label, score : str
        The columns of the frame.

    Returns
    -------
    pl.Expr
        A boolean column ``given``: true where ``score >= threshold``, false elsewhere and for a label that is
        never given, null where the score is null, NaN or infinite, or there is no label. Polars stops with
        an error at a label that the thresholds do not have.

    Raises
    ------
    UnsupportedError
        If the rule of the thresholds is not ``">="``.

    Examples
    --------
    >>> import limen
    >>> import polars as pl
    >>> t = limen.tune([[1], [0]], [[0.75], [0.25]], labels=["dog"], method="exact")
    >>> frame = pl.DataFrame({"id": ["a", "b"], "label": ["dog", "dog"], "score": [0.5, 0.4]})
    >>> frame.filter(long_expression(t)).rows()
    [('a', 'dog', 0.5)]
    """
    cuts = plain_thresholds(thresholds, to="Polars")
    threshold = (
        _column(label).cast(pl.String).replace_strict(list(cuts), list(cuts.values()), return_dtype=pl.Float64)
    )
    return _decision([_column(score)], threshold).alias("given")


def _column(name: str) -> pl.Expr:
    if name == "*" or (name.startswith("^") and name.endswith("$")):
        # pl.col reads these as patterns of names, so they need one that fits nothing but them.
        return pl.col("^" + "".join(f"\\x{{{ord(letter):x}}}" for letter in name) + "$")
    return pl.col(name)


def _decision(scores: list[pl.Expr], threshold: pl.Expr) -> pl.Expr:
    """Return whether any score is at or above a threshold, null unless all are numbers."""
    wide = [score.cast(pl.Float64) for score in scores]
    return pl.when(pl.all_horizontal(one.is_finite() for one in wide)).then(
        pl.any_horizontal(one >= threshold for one in wide)
    )
