"""Tags as onnxruntime gives them against `Thresholds.decide`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx

from limen.decisions import THRESHOLD_RULE
from limen.errors import InputError, count, examples
from limen.onnx import metadata, models
from limen.onnx.equality import Tagged, check_alone, check_whole, cut_out
from limen.onnx.models import Model, Output
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


def verify(
    model: onnx.ModelProto | str | os.PathLike[str],
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
    return verify_model(
        models.read(model), name, thresholds, inputs=inputs, providers=providers, random_state=random_state
    )


def verify_model(
    model: Model,
    name: str,
    thresholds: Thresholds | None = None,
    *,
    inputs: Mapping[str, Any] | None = None,
    providers: Sequence[str] = CPU,
    random_state: int = 0,
) -> Verified:
    """Return what `verify` returns, for a model that was read."""
    carried = metadata.thresholds_of(model, name)
    chosen = carried if thresholds is None else thresholds
    if chosen.labels != carried.labels:
        raise InputError(
            f"the thresholds are for {examples(chosen.labels, most=3)}, the columns of {model.name} are "
            f"{examples(carried.labels, most=3)}. They must be the same labels in the same order."
        )
    compared = metadata.comparison_of(model, name)
    found = {out.name: out for out in models.outputs(model.proto)}
    for output in (compared.decided_on, name):
        if output not in found:
            raise InputError(f"{model.name} has no output {output!r}, which its metadata names. Export it again.")
    tagged = Tagged(model, name, found[compared.decided_on], compared, chosen)
    try:
        comparison = Session(cut_out(tagged), None, providers)
        n_ties, n_random, n_every = check_alone(tagged, comparison, random_state)
    except CannotRunError as error:
        raise InputError(
            f"onnxruntime cannot run the comparison ({error}). Upgrade it, or leave the check out: verify=False "
            "(--no-verify)."
        ) from error
    n_items, not_run = check_whole(tagged, inputs, providers, random_state)
    return Verified(
        comparison.runtime,
        n_ties,
        n_random,
        n_every,
        n_items,
        own_scores=not_run is None and chosen.rule == THRESHOLD_RULE,
        not_run=not_run,
    )


def with_columns_seen(
    model: Model, scores: Output, labels: Sequence[str], inputs: Mapping[str, Any] | None
) -> Output:
    """Return the output with its number of columns, seen by running the model if the model does not say.

    A column that is one where many are expected would be compared with every threshold.

    Raises
    ------
    InputError
        If it is not that of the labels, or remains unknown.
    """
    assert scores.dims is not None
    if isinstance(scores.dims[-1], int) or len(labels) == len(scores.dims) == 1:
        return scores
    try:
        seen = {found[0].shape[-1] for found in runs(model, [scores.name], inputs, CPU, 0)}
    except CannotRunError as error:
        raise InputError(
            f"the model does not say how many columns {scores.name!r} has, and cannot be run to see ({error}). "
            "Set its shape when exporting, or give inputs= (--inputs)."
        ) from error
    if seen != {len(labels)}:
        raise InputError(
            f"{scores.name!r} turned out to have {count(max(seen - {len(labels)}), 'column')}, the thresholds are "
            f"for {count(len(labels), 'label')}. Columns must be the same labels in the same order."
        )
    return scores._replace(dims=(*scores.dims[:-1], len(labels)))
