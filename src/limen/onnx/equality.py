"""Whether the comparison alone, and the whole model, decide as the thresholds do."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from limen.decisions import THRESHOLD_RULE
from limen.errors import InputError, LimenError, LimenWarning
from limen.onnx import grids, models
from limen.onnx.cuts import Gives, as_tuned
from limen.onnx.metadata import Compared
from limen.onnx.models import Model, Output
from limen.onnx.nodes import put_thresholds
from limen.onnx.running import CannotRunError, Session, from_bfloat16, runs, to_bfloat16
from limen.thresholds import Thresholds


class Tagged(NamedTuple):
    """A model, its output ``name`` with the tags, the ``source`` they are decided from, and what should decide."""

    model: Model
    name: str
    source: Output
    compared: Compared
    thresholds: Thresholds


def cut_out(tagged: Tagged) -> onnx.ModelProto:
    """Return the comparison as a model: the nodes that lead from the scores to the tags."""
    model, name, source = tagged.model.proto, tagged.name, tagged.source
    made_by = {output: node for node in model.graph.node for output in node.output}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    wanted, kept = [name], {source.name}
    while wanted:
        tensor = wanted.pop()
        if tensor in kept:
            continue
        if tensor in constants:
            kept.add(tensor)
            continue
        if tensor not in made_by:
            raise InputError(
                f"{name!r} is not decided from {source.name!r} alone, but also from {tensor!r}. Export it again."
            )
        kept.update(made_by[tensor].output)
        wanted.extend(made_by[tensor].input)
    kept.remove(source.name)
    dims = [None] * _rank(source)
    graph = helper.make_graph(
        [node for node in model.graph.node if kept & set(node.output)],
        "comparison",
        [helper.make_tensor_value_info(source.name, source.kind, dims)],
        [helper.make_tensor_value_info(name, TensorProto.BOOL, dims)],
        [constants[tensor] for tensor in constants if tensor in kept],
    )
    return helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)


def check_alone(tagged: Tagged, comparison: Session, seed: int) -> tuple[int, int, int]:
    """Check the comparison on scores made for it, and return how many were ties, drawn, and all there are.

    Raises
    ------
    LimenError
        If a decision differs.
    """
    source, thresholds, gives = tagged.source, tagged.thresholds, tagged.compared.model_gives
    dtype, bfloat16 = models.FLOATS[source.kind], source.kind == TensorProto.BFLOAT16

    def check(scores: NDArray[Any]) -> int:
        full = np.broadcast_to(scores, (len(scores), len(thresholds.labels)))
        given = full.reshape((1,) * (_rank(source) - 2) + full.shape)
        _compare(comparison.apply(given, source.kind).reshape(full.shape), scores, thresholds, gives)
        return scores.size

    n_every = 0
    if source.kind in models.SHORT:
        bits = np.arange(1 << 16, dtype=np.uint16)
        numbers = from_bfloat16(bits) if bfloat16 else bits.view(dtype)
        blocks = grids.every(thresholds, numbers[np.isfinite(numbers)], gives)
        n_every = 0 if blocks is None else sum(map(check, blocks))
    ties, drawn = grids.ties(thresholds, dtype, gives), grids.random(thresholds, dtype, gives, seed)
    if bfloat16:
        ties, drawn = (grids.usable(from_bfloat16(to_bfloat16(scores)), gives) for scores in (ties, drawn))
    return check(ties), check(drawn), n_every


def check_whole(
    tagged: Tagged, inputs: Mapping[str, Any] | None, providers: Sequence[str], seed: int
) -> tuple[int, str | None]:
    """Check the whole model, and return how many items went through it, or why none could.

    Raises
    ------
    LimenError
        If a decision differs.
    InputError
        If the scores have not one column for each label.
    """
    thresholds, gives = tagged.thresholds, tagged.compared.model_gives
    pair = [tagged.source.name, tagged.name]
    seen: list[NDArray[Any]] = []
    try:
        for scores, tags in runs(tagged.model, pair, inputs, providers, seed):
            _check_shape(tagged, scores.shape)
            seen.append(_check_rows(scores, tags, thresholds, gives))
        rows = np.concatenate(seen)
        if not len(rows):
            return 0, "it gave no finite scores"
        if thresholds.rule == THRESHOLD_RULE:
            at_scores = replace(thresholds, values=rows[0])
            for scores, tags in runs(_with_ties(tagged, rows[0]), pair, inputs, providers, seed):
                _check_rows(scores, tags, at_scores, "scores")
    except CannotRunError as error:
        _check_without_tags(tagged, inputs, providers, seed)
        return 0, str(error)
    _warn_of_logits(tagged, rows.min(), rows.max())
    return len(rows), None


def _rank(source: Output) -> int:
    assert source.dims is not None
    return max(len(source.dims), 2)


def _check_without_tags(
    tagged: Tagged, inputs: Mapping[str, Any] | None, providers: Sequence[str], seed: int
) -> None:
    """Raise `InputError` if it is the comparison that keeps a model from running; say nothing if it is not."""
    proto = onnx.ModelProto()
    proto.CopyFrom(tagged.model.proto)
    kept = [out for out in proto.graph.output if out.name != tagged.name]
    nodes = [node for node in proto.graph.node if tagged.name not in node.output]
    del proto.graph.output[:], proto.graph.node[:]
    proto.graph.output.extend(kept)
    proto.graph.node.extend(nodes)
    with suppress(CannotRunError):
        for (scores,) in runs(tagged.model._replace(proto=proto), [tagged.source.name], inputs, providers, seed):
            _check_shape(tagged, scores.shape)


def _check_shape(tagged: Tagged, shape: tuple[int, ...]) -> None:
    """Raise `InputError` if the scores have not one column for each label: a comparison may stretch them."""
    n_labels = len(tagged.thresholds.labels)
    if shape[-1] != n_labels and (n_labels > 1 or len(shape) > 1):
        raise InputError(
            f"{tagged.source.name!r} has the shape {shape}, and the model says {tagged.source}. Correct what it "
            "says, or take other thresholds."
        )


def _check_rows(scores: NDArray[Any], tags: NDArray[Any], thresholds: Thresholds, gives: Gives) -> NDArray[Any]:
    """Check the tags of items with finite scores, and return these scores (n_items, n_labels)."""
    rows = np.reshape(scores, (-1, len(thresholds.labels)))
    fine = np.isfinite(rows).all(axis=1)
    if gives == "probabilities":
        fine &= ((rows > 0) & (rows < 1)).all(axis=1)
    _compare(tags.reshape(rows.shape)[fine], rows[fine], thresholds, gives)
    return rows[fine]


def _with_ties(tagged: Tagged, values: NDArray[Any]) -> Model:
    """Return the model with other thresholds in its own comparison: scores that it gives are ties."""
    proto = onnx.ModelProto()
    proto.CopyFrom(tagged.model.proto)
    version = models.opset(proto)
    assert version is not None
    put_thresholds(proto.graph, tagged.name, values, version)
    return tagged.model._replace(proto=proto)


def _compare(tags: NDArray[Any], scores: NDArray[Any], thresholds: Thresholds, gives: Gives) -> None:
    tuned = np.broadcast_to(as_tuned(scores, thresholds.values, gives), tags.shape)
    wrong = tags != thresholds.decide(tuned)
    if not wrong.any():
        return
    row, column = (int(index) for index in np.argwhere(wrong)[0])
    has, has_not = ("a tag", "none") if tags[row, column] else ("no tag", "one")
    score, threshold = float(np.broadcast_to(scores, tags.shape)[row, column]), float(thresholds.values[column])
    raise LimenError(
        f"the model does not decide as the thresholds do: {thresholds.labels[column]!r} gets {has} at {score!r} "
        f"and should get {has_not} (rule {thresholds.rule}, threshold {threshold!r}); {int(wrong.sum())} of "
        f"{wrong.size} decisions differ. Export again from the original model; if that does not help, report it."
    )


def _warn_of_logits(tagged: Tagged, low: float, high: float) -> None:
    values = tagged.thresholds.values[np.isfinite(tagged.thresholds.values)]
    if tagged.compared.model_gives != "scores" or tagged.thresholds.rule != THRESHOLD_RULE or not values.size:
        return
    if (low < 0 or high > 1) and values.min() >= 0 and values.max() <= 1:
        warnings.warn(
            f"{tagged.source.name!r} gave scores from {low:.3g} to {high:.3g}, and all thresholds lie from 0 to 1."
            " If these are logits, and the thresholds were tuned on probabilities, say so: model_gives='logits' "
            "(--logits).",
            LimenWarning,
            stacklevel=5,
        )
