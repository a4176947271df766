"""Tags as onnxruntime gives them against `Thresholds.decide`: the comparison alone, and the whole model."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from limen.decisions import by_threshold, decide_rows
from limen.errors import InputError, LimenError, LimenWarning, count, examples
from limen.onnx import metadata, models, trials
from limen.onnx.lowest_given import Gives, lowest_given
from limen.onnx.models import Model, Output
from limen.onnx.nodes import put_thresholds
from limen.onnx.running import CPU, CannotRunError, Session, runs
from limen.thresholds import Thresholds


@dataclass(frozen=True)
class Verified:
    """What was found equal to `Thresholds.decide`.

    Attributes
    ----------
    runtime : str
        The version of onnxruntime, and where it ran.
    n_ties, n_random : int
        Scores given to the comparison alone: at and beside the thresholds and at the ends of the range,
        and drawn.
    n_every : int
        Number of different scores, if every finite number of a dtype of 16 bits was given to each label;
        else 0.
    n_items : int
        Items that went through the whole model.
    own_scores : bool
        Whether they did so again with scores of the model for thresholds, which is a tie for each label.
    not_run : str or None
        Why the whole model could not be run, if so.
    """

    runtime: str
    n_ties: int
    n_random: int
    n_every: int
    n_items: int
    own_scores: bool
    not_run: str | None

    def __str__(self) -> str:
        scores = (
            f"{count(self.n_ties, 'score')} at and beside the thresholds, {count(self.n_random, 'random one')}"
        )
        if self.n_every:
            scores = f"every one of {count(self.n_every, 'finite score')} for each label"
        whole = f"{count(self.n_items, 'item')} through the whole model"
        if self.own_scores:
            whole += ", also with its own scores for thresholds"
        if self.not_run is not None:
            whole = f"NOT the whole model: {self.not_run}"
        return f"equal to the decisions of limen in {self.runtime}:\n  {scores}\n  {whole}"


class _Tagged(NamedTuple):
    """A model, its output ``name`` with the tags, the ``source`` they are decided from, and what should decide."""

    model: Model
    name: str
    source: Output
    gives: Gives
    thresholds: Thresholds


def verify(
    model: onnx.ModelProto | Model | str | os.PathLike[str],
    thresholds: Thresholds | None = None,
    *,
    name: str = "tags",
    inputs: Mapping[str, Any] | None = None,
    providers: Sequence[str] = CPU,
    random_state: int = 0,
) -> Verified:
    """Return what onnxruntime decides just as `Thresholds.decide` does, or raise if anything differs.

    Parameters
    ----------
    model : onnx.ModelProto or path
        As `append_thresholds` or `export` made it.
    thresholds : Thresholds, optional
        In the order of the model's columns; by default those that the model carries.
    name : str
        The output with the tags.
    inputs : mapping from input name to array, optional
        To run the whole model on; by default random inputs of the shapes that it declares.
    providers : sequence of str
        onnxruntime's execution providers; give those that you will use.
    random_state : int

    Raises
    ------
    LimenError
        If a decision differs; the message has the label, the score and the threshold.
    InputError
        If the model carries no thresholds, or the comparison does not run there.
    MissingDependencyError
        If onnxruntime is not installed.

    Notes
    -----
    First the comparison is cut out of the model and given ties (each threshold, the numbers beside it,
    signed zeros, the ends of the range) and random scores; in 16 bits, every finite score. Then the
    whole model runs, and its tags must be the decisions on the scores that it gives beside them; once
    with the thresholds, and once with the scores of its first item for thresholds.
    """
    source = models.read(model)
    carried = metadata.thresholds_of(source, name)
    chosen = carried if thresholds is None else thresholds
    if chosen.labels != carried.labels:
        raise InputError(
            f"the thresholds are for {examples(chosen.labels, most=3)}, the columns of {source.name} are "
            f"{examples(carried.labels, most=3)}. They must be the same labels in the same order."
        )
    compared = metadata.comparison_of(source, name)
    found = {out.name: out for out in models.outputs(source.proto)}
    for output in (compared.decided_on, name):
        if output not in found:
            raise InputError(f"{source.name} has no output {output!r}, which its metadata names. Export it again.")
    tagged = _Tagged(source, name, found[compared.decided_on], compared.model_gives, chosen)
    try:
        comparison = Session(_cut_out(tagged), None, providers)
        n_ties, n_random, n_every = _check_alone(tagged, comparison, random_state)
    except CannotRunError as error:
        raise InputError(
            f"onnxruntime cannot run the comparison ({error}). Upgrade it, or leave the check out: verify=False "
            "(--no-verify)."
        ) from error
    n_items, not_run = _check_whole(tagged, inputs, providers, random_state)
    own_scores = not_run is None and by_threshold(chosen.rule)
    return Verified(comparison.runtime, n_ties, n_random, n_every, n_items, own_scores, not_run)


def _cut_out(tagged: _Tagged) -> onnx.ModelProto:
    """Return the comparison as a model: the nodes that lead from the scores to the tags.

    It takes bfloat16, which numpy lacks, as float32.
    """
    model, name, source = tagged.model.proto, tagged.name, tagged.source
    made_by = {output: node for node in model.graph.node for output in node.output}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    wanted, kept = [name], {source.name}
    while wanted:
        tensor = wanted.pop()
        if tensor in kept:
            continue
        if tensor not in constants and tensor not in made_by:
            raise InputError(
                f"{name!r} is not decided from {source.name!r} alone, but also from {tensor!r}. Export it again."
            )
        kept.add(tensor)
        if tensor in made_by:
            kept.update(made_by[tensor].output)
            wanted.extend(made_by[tensor].input)
    kept.remove(source.name)
    dims, into, kind, nodes = [None] * _rank(source), source.name, source.kind, []
    if kind == TensorProto.BFLOAT16:
        into, kind = "limen/as_float32", TensorProto.FLOAT
        nodes.append(helper.make_node("Cast", [into], [source.name], to=source.kind))
    graph = helper.make_graph(
        [*nodes, *(node for node in model.graph.node if kept & set(node.output))],
        "comparison",
        [helper.make_tensor_value_info(into, kind, dims)],
        [helper.make_tensor_value_info(name, TensorProto.BOOL, dims)],
        [constants[tensor] for tensor in constants if tensor in kept],
    )
    return helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)


def _check_alone(tagged: _Tagged, comparison: Session, seed: int) -> tuple[int, int, int]:
    """Check the comparison on scores made for it; return how many were ties, drawn, and all there are."""
    source, thresholds, gives = tagged.source, tagged.thresholds, tagged.gives

    def check(scores: NDArray[Any]) -> int:
        full = np.broadcast_to(scores, (len(scores), len(thresholds.labels)))
        feeds = {comparison.inputs[0].name: full.reshape((1,) * (_rank(source) - 2) + full.shape)}
        (tags,) = comparison.run([tagged.name], feeds)
        _compare(tags.reshape(full.shape), full, thresholds, gives)
        return scores.size

    n_every = sum(map(check, trials.every(thresholds, source.kind)))
    n_ties = check(trials.ties(thresholds, source.kind, gives))
    return n_ties, check(trials.random(thresholds, source.kind, gives, seed)), n_every


def _check_whole(
    tagged: _Tagged, inputs: Mapping[str, Any] | None, providers: Sequence[str], seed: int
) -> tuple[int, str | None]:
    """Check the whole model, and return how many items went through it, or why none could."""
    thresholds, pair = tagged.thresholds, [tagged.source.name, tagged.name]
    n_labels, seen = len(thresholds.labels), []
    try:
        for scores, tags in runs(tagged.model, pair, inputs, n_labels, providers, seed):
            seen.append(_check_rows(tagged, scores, tags))
        rows = np.concatenate(seen)
        if not len(rows):
            return 0, "it gave no finite scores"
        if by_threshold(thresholds.rule):
            tied = _with_ties(tagged, rows[0])
            for scores, tags in runs(tied.model, pair, inputs, n_labels, providers, seed):
                _check_rows(tied, scores, tags)
    except CannotRunError as error:
        return 0, str(error)
    _warn_of_logits(tagged, rows.min(), rows.max())
    return len(rows), None


def _rank(source: Output) -> int:
    assert source.dims is not None
    return max(len(source.dims), 2)


def _check_rows(tagged: _Tagged, scores: NDArray[Any], tags: NDArray[Any]) -> NDArray[Any]:
    """Check the tags of items with finite scores, and return these scores (n_items, n_labels)."""
    if scores.shape != tags.shape:
        raise InputError(
            f"{tagged.source.name!r} has the shape {scores.shape}, and the model says {tagged.source}. Correct "
            "what it says, or take other thresholds."
        )
    rows: NDArray[Any] = scores.reshape(-1, len(tagged.thresholds.labels))
    fine = np.isfinite(rows).all(axis=1)
    rows, tags = rows[fine], tags.reshape(rows.shape)[fine]
    _compare(tags, rows, tagged.thresholds, tagged.gives)
    return rows


def _with_ties(tagged: _Tagged, values: NDArray[Any]) -> _Tagged:
    """Return the model with other thresholds in its own comparison: scores that it gives are ties."""
    proto = onnx.ModelProto()
    proto.CopyFrom(tagged.model.proto)
    put_thresholds(proto, tagged.name, values)
    return tagged._replace(
        model=tagged.model._replace(proto=proto),
        gives="scores",
        thresholds=replace(tagged.thresholds, values=values),
    )


def _compare(tags: NDArray[Any], scores: NDArray[Any], thresholds: Thresholds, gives: Gives) -> None:
    """Raise `LimenError` unless the tags are the decisions on what a model gives, both (n_items, n_labels)."""
    if gives == "scores":
        wrong = tags != thresholds.decide(scores)
    else:
        lowest = lowest_given(thresholds.values, scores.dtype, gives)
        wrong = tags != decide_rows(scores, lowest, thresholds.rule)
    if not wrong.any():
        return
    row, column = (int(index) for index in np.argwhere(wrong)[0])
    has, has_not = ("a tag", "none") if tags[row, column] else ("no tag", "one")
    score, threshold = float(scores[row, column]), float(thresholds.values[column])
    raise LimenError(
        f"the model does not decide as the thresholds do: {thresholds.labels[column]!r} gets {has} at {score!r} "
        f"and should get {has_not} (rule {thresholds.rule[:60]}, threshold {threshold!r}); {int(wrong.sum())} of "
        f"{wrong.size} decisions differ. Export again from the original model; if that does not help, report it."
    )


def _warn_of_logits(tagged: _Tagged, low: float, high: float) -> None:
    values = tagged.thresholds.values[np.isfinite(tagged.thresholds.values)]
    if tagged.gives != "scores" or not by_threshold(tagged.thresholds.rule) or not values.size:
        return
    if (low < 0 or high > 1) and values.min() >= 0 and values.max() <= 1:
        warnings.warn(
            f"{tagged.source.name!r} gave scores from {low:.3g} to {high:.3g}, and all thresholds lie from 0 to 1."
            " If these are logits, and the thresholds were tuned on probabilities, say so: model_gives='logits' "
            "(--logits).",
            LimenWarning,
            stacklevel=5,
        )
