"""The comparison with thresholds, appended to a model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, external_data_helper, helper

from limen.decisions import THRESHOLD_RULE, rounded_up
from limen.onnx import metadata, models
from limen.onnx.cuts import Gives, check_gives, lowest_given
from limen.onnx.matching import check_kind, choose, in_columns, prepare_opset
from limen.onnx.nodes import Builder, add_decisions
from limen.onnx.verification import verify_model, with_columns_seen
from limen.thresholds import Thresholds


def append_thresholds(
    model: onnx.ModelProto | str | os.PathLike[str],
    thresholds: Thresholds | str | os.PathLike[str],
    *,
    scores: str | None = None,
    labels: Sequence[str] | None = None,
    model_gives: Gives = "scores",
    sigmoid: str | None = None,
    name: str = "tags",
    verify: bool = True,
    inputs: Mapping[str, Any] | None = None,
) -> onnx.ModelProto:
    """Return a model that also gives the tags: whether each score is at or above its threshold.

    Parameters
    ----------
    model : onnx.ModelProto or path
        It is not changed, and keeps all its outputs.
    thresholds : Thresholds or path
    scores : str, optional
        The output of the model with the scores, float16, bfloat16, float32 or float64 (..., n_labels).
        Needed if more than one output fits. For a single label, (n_items,) will do.
    labels : sequence of str, optional
        The names of the model's columns in their order; the thresholds are joined to them by name. By
        default the columns are the labels of the thresholds in their order.
    model_gives : {"scores", "logits", "probabilities"}
        ``"scores"``: what the thresholds were tuned on. ``"logits"``: and the thresholds are for
        probabilities. ``"probabilities"``: and the thresholds are for logits.
    sigmoid : str, optional
        For logits: also give their sigmoid, as an output of this name, and decide on that. The rules by
        item (``top-k`` and ``mcut``) always do so, by default as ``"probabilities"``.
    name : str
        Of the new output: bool, the shape of the scores.
    verify : bool
        Run the result in onnxruntime and compare with `Thresholds.decide`; see `limen.onnx.verify`.
    inputs : mapping from input name to array, optional
        To run the whole model on while verifying, instead of random inputs.

    Returns
    -------
    onnx.ModelProto
        Its metadata has, each as JSON, ``limen.<name>.labels`` (the names of the columns),
        ``limen.<name>.thresholds`` (the thresholds file) and ``limen.<name>.comparison``.

    Raises
    ------
    UnreadableError
        If a file is missing or damaged.
    InputError
        If no output fits the thresholds, names clash, the opset is too old, or the scores do not go with
        ``model_gives``.
    UnsupportedError
        If a rule by item is for logits, and the model gives probabilities.
    MissingDependencyError
        If onnxruntime is not installed; it is needed to verify, and to see a number of columns that the
        model does not say.
    LimenError
        If onnxruntime decides otherwise than `Thresholds.decide`.

    Warns
    -----
    LimenWarning
        If the model gives scores outside 0 to 1 and all thresholds lie within.

    Notes
    -----
    For float32, the thresholds are rounded up to it, which decides alike for every finite score; scores of
    16 bits are compared in float64, because onnxruntime would compare them before they are rounded.
    With logits, they are moved through the sigmoid: the tags are those of the probabilities, computed
    exactly and rounded once to the dtype tuned on. onnxruntime's own Sigmoid is not that exact: in
    float32 it is off by 1e-7, and is 0 below logits of -18. So keep the logits where labels are rare.

    A score that is NaN, which `Thresholds.decide` refuses, gets no tag; nor does any score of a label
    that is never given. Convert a model to float16 before adding thresholds, not after.

    Examples
    --------
    >>> import limen.onnx
    >>> from onnx import TensorProto, helper
    >>> t = limen.tune([[0, 1], [1, 0], [1, 1]], [[0.2, 0.9], [0.6, 0.3], [0.8, 0.7]])
    >>> x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["clips", 2]) for name in "xy")
    >>> graph = helper.make_graph([helper.make_node("Sigmoid", ["x"], ["y"])], "tagger", [x], [y])
    >>> model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    >>> tagger = append_thresholds(model, t)
    >>> [out.name for out in tagger.graph.output]
    ['y', 'tags']
    >>> limen.onnx.read_thresholds(tagger) == t
    True
    """
    source = models.read(model)
    chosen = thresholds if isinstance(thresholds, Thresholds) else Thresholds.load(os.fspath(thresholds))
    append(
        source,
        in_columns(chosen, labels),
        scores=scores,
        model_gives=model_gives,
        sigmoid=sigmoid,
        name=name,
        inputs=inputs,
    )
    if verify:
        verify_model(source, name, inputs=inputs)
    if source.folder is not None:
        external_data_helper.load_external_data_for_model(source.proto, str(source.folder))
    return source.proto


def append(
    model: models.Model,
    thresholds: Thresholds,
    *,
    scores: str | None,
    model_gives: Gives,
    sigmoid: str | None,
    name: str,
    inputs: Mapping[str, Any] | None,
) -> models.Output:
    """Add tags to a model that was read, and return the output that the thresholds are for.

    The thresholds must be in the order of the columns; the other parameters are `append_thresholds`'.
    """
    check_gives(model_gives)
    found = choose(model, scores, len(thresholds.labels))
    check_kind(model, found, thresholds, model_gives, sigmoid)
    found = with_columns_seen(model, found, thresholds.labels, inputs)
    version = prepare_opset(model, thresholds.rule)
    by_item = thresholds.rule != THRESHOLD_RULE
    if by_item and model_gives == "logits" and sigmoid is None:
        sigmoid = "probabilities"

    proto = model.proto
    build = Builder(proto, name, version, models.names_in_use(proto))
    for new in (sigmoid, name):
        if new is not None:
            build.claim(new)
    decided_on, gives = found.name, model_gives
    if sigmoid is not None:
        decided_on, gives = build.add("Sigmoid", [found.name], sigmoid), "scores"
        proto.graph.output.append(helper.make_tensor_value_info(sigmoid, found.kind, found.dims))
    dtype = models.compared_in(found.kind)
    lowest = lowest_given(thresholds.values, dtype, gives)
    add_decisions(build, decided_on, found.kind, name, thresholds.rule, lowest, thresholds.values == np.inf)
    proto.graph.output.append(helper.make_tensor_value_info(name, TensorProto.BOOL, found.dims))
    how = _in_words(decided_on, thresholds, gives, dtype)
    metadata.write(proto, name, thresholds, metadata.Compared(found.name, decided_on, gives, how))
    models.check(proto, f"{model.name} with thresholds")
    return found


def _in_words(decided_on: str, thresholds: Thresholds, gives: Gives, dtype: np.dtype[Any]) -> str:
    if thresholds.rule != THRESHOLD_RULE:
        return f"{thresholds.rule} of {decided_on}"
    if gives != "scores":
        return f"{decided_on} >= thresholds, moved through the {'sigmoid' if gives == 'logits' else 'logit'}"
    rounded = np.any(
        thresholds.values.astype(np.float64) != rounded_up(thresholds.values, dtype).astype(np.float64)
    )
    return f"{decided_on} >= thresholds" + (f", rounded up to {dtype}" if rounded else "")
