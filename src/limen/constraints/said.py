"""How constraints fared, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from limen.errors import count, examples


def said_outcome(entry: dict[str, Any], given: str = "tags") -> str:
    """Return an outcome in a sentence, as people read it; ``given`` is what is given of a label.

    Examples
    --------
    >>> entry = {"constraint": "precision at least 90.0 % for each label", "holds": False, "broken_by": ["Owl"]}
    >>> said_outcome(entry)
    "precision at least 90.0 % for each label: broken by 1 label, 'Owl'"
    """
    broken, measured = entry.get("broken_by", []), entry.get("measured")
    how = "kept" if entry["holds"] else "broken"
    if broken:
        how += f" by {count(len(broken), 'label')}, {examples(broken, most=3)}"
    elif measured is not None:
        how += f", {entry['said'].replace('tags', given)}"
    if spared := entry.get("excused"):
        whose = f"{count(len(spared), 'label')} never given, {examples(spared, most=3)}"
        how += f"; excused: {whose}, for not all constraints can be kept there"
    binds, price = entry.get("binds_for"), entry.get("price", 0.0)
    if entry.get("binds"):
        whose = f" for {count(len(binds), 'label')}" if binds else ""
        of_numbers = entry["spec"]["name"].endswith(("Predictions", "FalsePositives"))
        unit = "1 %" if of_numbers else "1 point"
        how += f"; it binds{whose}, and {unit} looser gains {100 * price:.2g} points"
    return f"{entry['constraint'].replace('tags', given)}: {how}"


def said_out_of_sample(entry: dict[str, Any], items: str = "items") -> str:
    """Return how often an outcome's constraint held where thresholds were tuned without the items; "" if unknown.

    ``items`` is what they are called.

    Examples
    --------
    >>> told = {"measured": 0.72, "held": 0.93, "held_in_folds": 0.8, "folds": 5, "holds": True}
    >>> said_out_of_sample({"constraint": "recall at least 70.0 % over all labels", "out_of_sample": told})
    'left out, it held in 4 of 5 folds, which are small; on many new items it holds in about 93 % of tunings'
    """
    told = entry.get("out_of_sample")
    if not isinstance(told, dict) or "folds" not in told:
        return ""
    folds, rate, held = told["folds"], told["held_in_folds"], told["held"]
    if "labels" not in told and told.get("measured") is None:
        return "left out, it could not be broken: nothing counts for it"
    if "labels" not in told:
        return (
            f"left out, it held in {round(rate * folds)} of {count(folds, 'fold')}, which are small; on many new "
            f"{items} it holds in about {100 * held:.0f} % of tunings"
        )
    n_labels, short = told["labels"], told["short_of_reserve"]
    if not n_labels:
        return "left out, it could not be broken: no label is given"
    kept = round(told["held_for_labels"] * n_labels)
    said = f"left out, it held for {kept} of {count(n_labels, 'label')} over all {count(folds, 'fold')}"
    if short:
        said += f"; {short} of them had too few {items} for the reserve"
    if short < n_labels and held is not None:
        often = f"about {100 * held:.0f} %"
        how = f"in {often} of tunings" if n_labels == 1 else f"for {often} of {'the others' if short else 'them'}"
        said += f"; on many new {items} it holds {how}"
    return said


def said_in_short(entries: Sequence[dict[str, Any]]) -> str:
    """Return how many constraints held on items left out, of outcomes; "" if that is not known.

    Examples
    --------
    >>> said_in_short([{"out_of_sample": {"held_in_folds": 0.8, "folds": 5, "holds": True}}])
    'its constraint held in 4 of 5 folds'
    """
    told = [entry["out_of_sample"] for entry in entries if "folds" in entry.get("out_of_sample", {})]
    if len(told) > 1:
        return f"{sum(each['holds'] for each in told)} of {len(told)} constraints held in the folds"
    for one in told:
        if "labels" in one:
            labels = count(one["labels"], "label")
            return (
                f"its constraint held for {round(one['held_for_labels'] * one['labels'])} of {labels} in the folds"
            )
        return (
            f"its constraint held in {round(one['held_in_folds'] * one['folds'])} of {count(one['folds'], 'fold')}"
        )
    return ""
