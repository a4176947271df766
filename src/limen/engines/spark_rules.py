"""What the tasks of Spark found wrong with rows, said as one error of the whole data."""

from __future__ import annotations

from typing import Any

from limen.engines.spark_blocks import Notes
from limen.engines.spark_parts import Plan
from limen.errors import InputError, count

PAIRS = "Keep one row for each pair."
SAME_ITEMS = "Both frames need the same items: add them to the other, or leave them out."
NO_ID = "Every row needs an id."
FINITE = "Scores must be finite: drop those rows or fix the model."
NO_SCORE = "Every item needs a score for every label that is listed: give a score or drop the row."
ONE_ARRAY = "Every item needs an array of one number for each label, in one order."
ONE_ROW = "Every item needs one row and an id of its own."
RULES: dict[str, tuple[str, str, str]] = {
    "no id of scores": ("y_score", "no id in {rows}", NO_ID),
    "no id of labels": ("y_true", "no id in {rows}", NO_ID),
    "scores: twice": ("y_score", "more than one row for {items}", ONE_ROW),
    "truth: twice": ("y_true", "more than one row for {items}", ONE_ROW),
    "unlabelled": ("y_score", "{items} without labels in y_true", SAME_ITEMS),
    "unscored": ("y_true", "{items} without scores in y_score", SAME_ITEMS),
    "scores: length": ("y_score", "arrays of another length than {n_labels} for {items}", ONE_ARRAY),
    "truth: length": ("y_true", "arrays of another length than {n_labels} for {items}", ONE_ARRAY),
    "score: pair twice": ("y_score", "more than one row for {pairs} of id and label", PAIRS),
    "value: pair twice": ("y_true", "more than one row for {pairs} of id and label", PAIRS),
    "score: no label": (
        "y_score",
        "a score and no label in rows of {items}",
        "Name the label, or leave both null.",
    ),
    "value: no label": (
        "y_true",
        "a value and no label in rows of {items}",
        "Name the label, or leave both null.",
    ),
    "no score": ("y_score", "no score for {pairs} of id and label", NO_SCORE),
    "not finite": ("y_score", "NaN or an infinite value for {pairs} of id and label", FINITE),
    "no label value": (
        "y_true",
        "values other than 0 and 1 for {pairs} of id and label",
        "Labels must be 0, 1, true, false, or null for unknown.",
    ),
    "weights differ": ("the column of weights", "several values for {items}", "Every item needs one weight."),
    "groups differ": ("the column of groups", "several values for {items}", "Every item needs one group."),
    "no group": ("the column of groups", "no value for {items}", "Every item needs one group."),
    "no weight": (
        "the column of weights",
        "no finite number from 0 for {items}",
        "Every item needs a weight, finite and not negative.",
    ),
}
"""Who breaks a rule, what was found, and the rule."""


def check_notes(notes: Notes, plan: Plan) -> None:
    """Raise `InputError` if the rows of any part break a rule, or all of them together do."""
    for rule, (side, found, what) in RULES.items():
        if rule in notes.wrong:
            number, names = notes.wrong[rule]
            units = {noun + "s": count(number, noun) for noun in ("row", "item", "pair")}
            found = found.format(**units, n_labels=len(plan.labels))
            raise InputError(f"{side} has {found}{_first(names)}. {what}")
    n_pairs = notes.n_items * len(plan.labels)
    if not notes.n_items:
        raise InputError("y_score is empty. At least one item and one label are needed.")
    if plan.weighted and not notes.weight:
        raise InputError("sample_weight is zero for every item. At least one weight must be positive.")
    if plan.truth == "long" and notes.n_listed == notes.n_ones and notes.n_listed < n_pairs:
        raise InputError(
            f"y_true lists {notes.n_listed} of {count(n_pairs, 'pair')}, all with value 1, so the others could be "
            "0 or unknown. If they are 0, drop the value column; if they are unknown, list the pairs that are 0."
        )


def _first(names: Any) -> str:
    return f" (first: {', '.join(map(repr, names))})" if names else ""
