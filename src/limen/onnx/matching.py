"""Whether a model and thresholds go together: the output with the scores, its columns, its scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from onnx import helper

from limen.decisions import THRESHOLD_RULE, Counts
from limen.errors import InputError, UnsupportedError, count, examples
from limen.onnx import models
from limen.onnx.cuts import Gives
from limen.onnx.models import Model, Output
from limen.onnx.nodes import GREATER_OR_EQUAL
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
    missing = [name for name in names if name not in set(thresholds.labels)]
    extra = [name for name in thresholds.labels if name not in set(names)]
    if missing or extra or len(names) != len(thresholds.labels):
        raise InputError(
            f"the model's {count(len(names), 'column')} and the {count(len(thresholds.labels), 'threshold')} have "
            f"different labels: {examples(missing) or 'none'} only among the columns, {examples(extra) or 'none'} "
            "only among the thresholds. Every column needs one threshold, and every threshold one column."
        )
    order = [thresholds.labels.index(name) for name in names]
    return replace(
        thresholds,
        labels=tuple(names),
        values=thresholds.values[order],
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
    if name is not None:
        named = [out for out in found if out.name == name]
        if not named:
            raise InputError(f"{model.name} has no output {name!r}. Choose one of: {models.listed(found)}.")
        _check_output(model, named[0], n_labels)
        return named[0]
    fitting = [out for out in found if _misfit(out, n_labels) is None]
    sure = [out for out in fitting if out.dims and out.dims[-1] == n_labels] or fitting
    if len(found) == 1:
        _check_output(model, found[0], n_labels)
    if not sure:
        reasons = "; ".join(f"{out} {_misfit(out, n_labels)}" for out in found[: models.MOST_LISTED])
        raise InputError(f"{model.name} has no output with scores of {count(n_labels, 'label')}: {reasons}.")
    if len(sure) > 1:
        raise InputError(
            f"{model.name} has {len(sure)} outputs that may be the scores: {models.listed(sure)}. Name one "
            "with scores= (--scores)."
        )
    return sure[0]


def prepare_opset(model: Model, rule: str) -> int:
    """Return the opset that the model's standard operators have; a model without any gets one.

    Raises
    ------
    InputError
        If it is too old for the rule.
    """
    version = models.opset(model.proto)
    if version is None:
        model.proto.opset_import.append(helper.make_opsetid("", GREATER_OR_EQUAL))
        return GREATER_OR_EQUAL
    if rule != THRESHOLD_RULE and version < GREATER_OR_EQUAL:
        raise InputError(
            f"{model.name} has opset {version}; the rule {rule!r} needs {GREATER_OR_EQUAL} or later: "
            "onnx.version_converter.convert_version(model, 17), or export it again."
        )
    return version


def check_kind(model: Model, scores: Output, thresholds: Thresholds, gives: Gives, sigmoid: str | None) -> None:
    """Raise unless the scores can be what the model is said to give, and the rule can decide on them."""
    if sigmoid is not None and gives != "logits":
        raise InputError(
            f"sigmoid={sigmoid!r} adds the sigmoid of logits, and the model is said to give {gives}. Leave it out."
        )
    by_item = thresholds.rule != THRESHOLD_RULE
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
            "Leave that out (model_gives, --logits), or export the model without its sigmoid."
        )
    values = thresholds.values
    lowest = np.finfo(values.dtype).min
    odd = (values != np.inf) & (values != lowest) & ~((values >= 0) & (values <= 1))
    if odd.any() and not by_item:
        at = int(np.flatnonzero(odd)[0])
        raise InputError(
            f"the threshold of {thresholds.labels[at]!r} is {values[at]:g}, which is no probability. If the "
            "thresholds are for logits, as the model gives them, leave model_gives (--logits) out."
        )


def _check_output(model: Model, output: Output, n_labels: int) -> None:
    misfit = _misfit(output, n_labels)
    if misfit is not None:
        raise InputError(f"{model.name}: the output {output} {misfit}.")


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
