"""Decisions as columns of Spark, which compares when the rows are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.sql import Column, DataFrame, functions, types

from limen.decisions import THRESHOLD_RULE
from limen.engines.spark_frames import quoted
from limen.errors import InputError, UnsupportedError, count
from limen.names import match
from limen.sources.layouts import LABEL_NAMES, SCORE_NAMES

DECISION = "decision"
_LABEL, _THRESHOLD = "limen label", "limen threshold"


def decide(y_score: DataFrame, labels: Sequence[str], values: Any, rule: str = THRESHOLD_RULE) -> DataFrame:
    """Return a frame with the decisions on its scores, made when its rows are asked for; nothing is collected.

    Parameters
    ----------
    y_score : DataFrame
        With a column of numbers for each label, which the decisions replace; or columns named like label and score
        (a row for each score), or one column of arrays of n_labels scores in the order of ``labels``, which get a
        column ``decision`` beside them. Other columns are left as they are.
    labels : sequence of n_labels str
    values : float array-like (n_labels,)
        The threshold of each label; +inf means never.
    rule : str
        Only ``">="``.

    Returns
    -------
    DataFrame
        A decision is true where ``score >= threshold``, false elsewhere and for a label that is never given; null
        where the score is null, NaN or infinite, or there is no threshold for the label of a long frame.

    Raises
    ------
    UnsupportedError
        If the rule compares scores of an item with each other.
    InputError
        If the frame has no such columns. An array of another length stops Spark when it comes to it.

    Notes
    -----
    Native expressions alone: a broadcast join with the thresholds, and a comparison in 64 bits, which hold every
    score and threshold exactly. (Spark finds NaN greater than any number.)
    """
    if not isinstance(y_score, DataFrame):
        raise InputError(f"y_score is a {type(y_score).__name__} of pyspark. Give a DataFrame of pyspark.sql.")
    if rule != THRESHOLD_RULE:
        raise UnsupportedError(
            f"the rule {str(rule).partition(':')[0]!r} looks at several scores of an item; Spark compares each "
            "score with a threshold. Tune with another method, such as auto, or decide on collected scores."
        )
    cuts = dict(zip(labels, map(float, values), strict=True))
    if all(name in y_score.columns for name in cuts):
        return y_score.withColumns(
            {name: _at_or_above(quoted(name), functions.lit(c)) for name, c in cuts.items()}
        )
    if DECISION in y_score.columns:
        raise InputError(f"y_score has a column {DECISION!r} already. Drop it or rename it.")
    label, score = _only(y_score, LABEL_NAMES), _only(y_score, SCORE_NAMES)
    if label is not None and score is not None:
        return _long(y_score, label, score, cuts)
    if (array := _array(y_score)) is not None:
        return _arrays(y_score, array, cuts)
    match(list(cuts), y_score.columns, between=("the thresholds", "y_score"), extra="ignore")
    raise AssertionError("a name was missing")


def _at_or_above(score: Column, threshold: Column) -> Column:
    """Return the decision on one score; null if it is not finite."""
    wide = score.cast("double")
    return functions.when(functions.abs(wide) < float("inf"), wide >= threshold)


def _long(frame: DataFrame, label: str, score: str, cuts: dict[str, float]) -> DataFrame:
    thresholds = frame.sparkSession.createDataFrame(
        list(cuts.items()), f"`{_LABEL}` string, `{_THRESHOLD}` double"
    )
    joined = frame.join(functions.broadcast(thresholds), quoted(label).cast("string") == quoted(_LABEL), "left")
    return joined.withColumn(DECISION, _at_or_above(quoted(score), quoted(_THRESHOLD))).drop(_LABEL, _THRESHOLD)


def _arrays(frame: DataFrame, scores: str, cuts: dict[str, float]) -> DataFrame:
    thresholds = frame.sparkSession.createDataFrame([(list(cuts.values()),)], f"`{_THRESHOLD}` array<double>")
    size = functions.size(quoted(scores))
    wrong = functions.concat(
        functions.lit("the scores of an item are an array of "),
        size.cast("string"),
        functions.lit(
            f" for {count(len(cuts), 'label')}. Every item needs one number for each label, in their order."
        ),
    )
    decisions = functions.zip_with(quoted(scores), quoted(_THRESHOLD), _at_or_above)
    checked = functions.when(size == len(cuts), decisions).when(size != len(cuts), functions.raise_error(wrong))
    return frame.crossJoin(functions.broadcast(thresholds)).withColumn(DECISION, checked).drop(_THRESHOLD)


def _only(frame: DataFrame, wanted: frozenset[str]) -> str | None:
    found = [name for name in frame.columns if name.strip().casefold() in wanted]
    return found[0] if len(found) == 1 else None


def _array(frame: DataFrame) -> str | None:
    """Return the only column of arrays of numbers."""
    found = [
        field.name
        for field in frame.schema.fields
        if isinstance(field.dataType, types.ArrayType)
        and isinstance(field.dataType.elementType, types.NumericType)
    ]
    return found[0] if len(found) == 1 else None
