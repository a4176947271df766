"""Whether a model and thresholds go together: the output with the scores, its columns, its scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import helper

from limen.decisions import BY_ARGMAX, THRESHOLD_RULE, Counts, by_threshold, rule_for
from limen.errors import InputError, UnsupportedError, count
from limen.expected_f import ExpectedF
from limen.names import match, unique
from limen.onnx import models
from limen.onnx.lowest_given import Gives
from limen.onnx.models import Model, Output
from limen.onnx.nodes import GREATER_OR_EQUAL
from limen.onnx.running import CannotRunError, runs
from limen.thresholds import Thresholds

_GIVES_PROBABILITIES = ("Sigmoid", "HardSigmoid", "Softmax")


def in_columns(thresholds: Thresholds, labels: Sequence[str] | None) -> Thresholds:
    """Return the thresholds in the order of the model's columns.

    Raises
    ------
    InputError
        If the names are not the same.
    """
    if labels is None or tuple(labels) == thresholds.labels:
        return thresholds
    names = [str(name) for name in labels]
    unique(names, "labels", "Every column needs a name of its own.")
    advice = "Every column needs one threshold, and every threshold one column."
    order = match(names, thresholds.labels, between=("the model's columns", "the thresholds"), advice=advice)
    return replace(
        thresholds,
        labels=tuple(names),
        values=thresholds.values[order],
        rule=rule_for(thresholds.rule, np.asarray(order)),
        counts=Counts(*(part[order] for part in thresholds.counts)),
        ranges=None if thresholds.ranges is None else thresholds.ranges[:, order],
    )


def choose(model: Model, name: str | None, n_labels: int) -> Output:
    """Return the output that has the scores: the one of this name, or the only one that fits.

    Raises
    ------
    InputError
        If there is none, or more than one.
    """
    found = models.outputs(model.proto)
    asked = found if name is None else [out for out in found if out.name == name]
    if name is not None and not asked:
        raise InputError(f"{model.name} has no output {name!r}. Choose one of: {models.listed(found)}.")
    misfits = {out.name: _misfit(out, n_labels) for out in asked}
    if len(asked) == 1 and misfits[asked[0].name] is not None:
        raise InputError(f"{model.name}: the output {asked[0]} {misfits[asked[0].name]}.")
    fitting = [out for out in asked if misfits[out.name] is None]
    sure = [out for out in fitting if out.dims and out.dims[-1] == n_labels] or fitting
    if not sure:
        reasons = "; ".join(f"{out} {misfits[out.name]}" for out in asked[: models.MOST_LISTED])
        raise InputError(f"{model.name} has no output with scores of {count(n_labels, 'label')}: {reasons}.")
    if len(sure) > 1:
        raise InputError(
            f"{model.name} has {len(sure)} outputs that may be the scores: {models.listed(sure)}. Name one "
            "with scores= (--scores)."
        )
    return sure[0]


def with_columns_seen(
    model: Model, scores: Output, n_labels: int, inputs: Mapping[str, Any] | None, *, check: bool
) -> Output:
    """Return the output with its number of columns, seen by running the model.

    A column that is one where many are expected would be compared with every threshold. Where columns have
    no size because an input has none, the model is run on as many as there are labels.

    Parameters
    ----------
    check : bool
        Also see whether what the model says is true, if it can be run.

    Raises
    ------
    InputError
        If it is not that of the labels, or remains unknown.
    """
    assert scores.dims is not None
    said = isinstance(scores.dims[-1], int)
    if (said and not check) or n_labels == len(scores.dims) == 1:
        return scores
    try:
        columns = next(runs(model, [scores.name], inputs, n_labels))[0].shape[-1]
    except CannotRunError as error:
        if said:
            return scores
        raise InputError(
            f"the model does not say how many columns {scores.name!r} has, and cannot be run to see ({error}). "
            "Set its shape when exporting, or give inputs= (--inputs)."
        ) from error
    if columns != n_labels:
        raise InputError(
            f"{scores.name!r} turned out to have {count(columns, 'column')}, the thresholds are for "
            f"{count(n_labels, 'label')}. Columns must be the same labels in the same order."
        )
    return scores._replace(dims=(*scores.dims[:-1], n_labels))


def prepare_opset(model: Model, rule: str) -> int:
    """Return the opset that the model's standard operators have; a model without any gets one.

    Raises
    ------
    InputError
        If it is too old for the rule.
    """
    if isinstance(rule, ExpectedF):
        raise UnsupportedError(
            f"the rule {str(rule)!r} weighs all sets of an item's labels, which no node of ONNX does. Put "
            "thresholds into the model (method='auto'), and decide by this rule with Thresholds.decide."
        )
    if rule == BY_ARGMAX:
        raise UnsupportedError(
            f"the rule {rule!r} gives one label an item, which limen does not put into ONNX. Append Sub (of the "
            "thresholds) and ArgMax to the model, or decide by it with Thresholds.decide."
        )
    version = models.opset(model.proto)
    if version is None:
        model.proto.opset_import.append(helper.make_opsetid("", GREATER_OR_EQUAL))
        return GREATER_OR_EQUAL
    if rule != THRESHOLD_RULE and version < GREATER_OR_EQUAL:
        raise InputError(
            f"{model.name} has opset {version}; the rule {rule[:60]!r} needs {GREATER_OR_EQUAL} or later: "
            "onnx.version_converter.convert_version(model, 17), or export it again."
        )
    return version


def check_kind(model: Model, scores: Output, thresholds: Thresholds, gives: Gives, sigmoid: str | None) -> None:
    """Raise unless the scores can be what the model is said to give, and the rule can decide on them."""
    if sigmoid is not None and gives != "logits":
        raise InputError(
            f"sigmoid={sigmoid!r} (--sigmoid) adds the sigmoid of logits, and the model is said to give {gives}. "
            "Leave it out."
        )
    by_item = not by_threshold(thresholds.rule)
    if gives == "probabilities" and by_item:
        raise UnsupportedError(
            f"the rule {thresholds.rule!r} compares an item's logits, and {scores.name!r} has probabilities. "
            "Export the model without its sigmoid."
        )
    if by_item and scores.dims is not None and len(scores.dims) == len(thresholds.labels) == 1:
        raise InputError(
            f"{scores.name!r} has one dimension; the rule {thresholds.rule!r} needs two: (n_items, 1). Reshape "
            "it in the model."
        )
    if gives != "logits":
        return
    maker = next((node.op_type for node in model.proto.graph.node if scores.name in node.output), None)
    if maker in _GIVES_PROBABILITIES:
        raise InputError(
            f"{scores.name!r} comes from a {maker}: it has probabilities, and the model is said to give logits. "
            "Leave model_gives='logits' (--logits) out, or export the model without its sigmoid."
        )
    values = thresholds.values
    lowest = np.finfo(values.dtype).min
    odd = (values != np.inf) & (values != lowest) & ~((values >= 0) & (values <= 1))
    if odd.any() and not by_item:
        at = int(np.flatnonzero(odd)[0])
        raise InputError(
            f"the threshold of {thresholds.labels[at]!r} is {values[at]:g}, which is no probability. If the "
            "thresholds are for logits, as the model gives them, leave model_gives= (--logits) out."
        )


def _misfit(output: Output, n_labels: int) -> str | None:
    """Return why an output cannot be the scores, and what to do; None if it can."""
    if not output.kind:
        return (
            "is no tensor. Scores must be a tensor (..., n_labels): for a model of scikit-learn, convert it with "
            "options={'zipmap': False}"
        )
    if output.kind not in models.FLOATS:
        return "has no scores. They must be float16, bfloat16, float32 or float64"
    if output.dims is None:
        return "has an unknown number of dimensions. Scores must be (..., n_labels): set its shape when exporting"
    if output.dims == ():
        return "is one number. Scores must be (..., n_labels)"
    if n_labels == len(output.dims) == 1 or not isinstance(output.dims[-1], int) or output.dims[-1] == n_labels:
        return None
    if len(output.dims) == 3 and output.dims[0] == n_labels and output.dims[-1] == 2:
        return (
            "is (labels, items, 2), as scikit-learn gives it for forests. Scores must be (items, labels): in the "
            "model, take the last of the 2 and transpose"
        )
    return (
        f"has {count(output.dims[-1], 'column')}, the thresholds are for {count(n_labels, 'label')}. Columns must "
        "be the same labels in the same order"
    )
