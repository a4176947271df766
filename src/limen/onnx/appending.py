"""The comparison with thresholds, appended to a model in memory or from file to file."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, external_data_helper, helper

from limen.decisions import THRESHOLD_RULE, by_threshold, rounded_up
from limen.errors import FileError, InputError
from limen.files.writing import write_atomically
from limen.onnx import metadata, models, verification
from limen.onnx.lowest_given import Gives, check_gives, lowest_given
from limen.onnx.matching import check_kind, choose, in_columns, prepare_opset, with_columns_seen
from limen.onnx.nodes import Builder, add_decisions
from limen.onnx.verification import Verified
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
    in float64 and rounded once to the dtype tuned on. onnxruntime's own Sigmoid is not that exact: in
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
    options = _Options(scores, model_gives, sigmoid, name, inputs, verify)
    _append(source, in_columns(_loaded(thresholds), labels), options)
    if verify:
        verification.verify(source, name=name, inputs=inputs)
    if source.folder is not None:
        external_data_helper.load_external_data_for_model(source.proto, str(source.folder))
    return source.proto


@dataclass(frozen=True)
class Export:
    """What was written and checked.

    Attributes
    ----------
    path : str
    scores : str
        The output with the scores, its dtype and its shape.
    opset : int
    how : str
        How tags are decided.
    verified : Verified or None
        None if that was not wanted.
    weight_files : tuple of str
        Files with weights that were copied beside the new model.
    """

    path: str
    scores: str
    opset: int
    how: str
    verified: Verified | None
    weight_files: tuple[str, ...]


def export(
    model: str | os.PathLike[str],
    thresholds: Thresholds | str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    scores: str | None = None,
    labels: Sequence[str] | None = None,
    model_gives: Gives = "scores",
    sigmoid: str | None = None,
    name: str = "tags",
    verify: bool = True,
    inputs: Mapping[str, Any] | None = None,
) -> Export:
    """Write a model that also gives the tags, and return what was checked.

    Parameters
    ----------
    model : path
        Its file is not changed.
    thresholds : Thresholds or path
    path : path
        The new model: the whole file, or nothing. Weights that lie in files of their own are copied
        beside it if it goes to another folder; in the same folder, both models use them.
    scores, labels, model_gives, sigmoid, name, verify, inputs
        As for `append_thresholds`.

    Raises
    ------
    FileError
        If the model or its weights cannot be written.
    UnreadableError, InputError, MissingDependencyError, LimenError
        As `append_thresholds`.
    """
    source = models.read(os.fspath(model))
    assert source.folder is not None
    target = Path(os.path.realpath(path))
    read = [Path(model), *(source.folder / name for name in models.weight_files(source.proto))]
    if not isinstance(thresholds, Thresholds):
        read.append(Path(thresholds))
    if target.exists() and any(file.exists() and target.samefile(file) for file in read):
        raise InputError(
            f"{os.fspath(path)} is read to make the new model, and stays as it is. Give another name."
        )
    with write_atomically(path) as temporary:
        options = _Options(scores, model_gives, sigmoid, name, inputs, verify)
        decided = _append(source, in_columns(_loaded(thresholds), labels), options)
        verified = verification.verify(source, name=name, inputs=inputs) if verify else None
        weights = _copy_weights(source, target.parent)
        temporary.write_bytes(source.proto.SerializeToString())
    version = models.opset(source.proto)
    assert version is not None
    how = metadata.comparison_of(source, name).how
    return Export(os.fspath(path), str(decided), version, how, verified, weights)


@dataclass(frozen=True)
class _Options:
    """What `append_thresholds` and `export` were asked for."""

    scores: str | None
    model_gives: Gives
    sigmoid: str | None
    name: str
    inputs: Mapping[str, Any] | None
    verify: bool


def _loaded(thresholds: Thresholds | str | os.PathLike[str]) -> Thresholds:
    return thresholds if isinstance(thresholds, Thresholds) else Thresholds.load(os.fspath(thresholds))


def _append(model: models.Model, thresholds: Thresholds, options: _Options) -> models.Output:
    """Add tags to a model that was read, and return the output that the thresholds are for.

    The thresholds must be in the order of the columns.
    """
    gives, sigmoid, name = options.model_gives, options.sigmoid, options.name
    check_gives(gives)
    found = choose(model, options.scores, len(thresholds.labels))
    check_kind(model, found, thresholds, gives, sigmoid)
    found = with_columns_seen(model, found, len(thresholds.labels), options.inputs, check=options.verify)
    version = prepare_opset(model, thresholds.rule)
    if not by_threshold(thresholds.rule) and gives == "logits" and sigmoid is None:
        sigmoid = "probabilities"

    proto = model.proto
    build = Builder(proto, name, version)
    for new in (sigmoid, name):
        if new is not None:
            build.claim(new)
    decided_on = found.name
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
    if not by_threshold(thresholds.rule):
        return f"{thresholds.rule} of {decided_on}"
    if thresholds.rule != THRESHOLD_RULE:
        decided_on = f"highest {decided_on} of a label and those below it"
    if gives != "scores":
        return f"{decided_on} >= thresholds, moved through the {'sigmoid' if gives == 'logits' else 'logit'}"
    rounded = np.any(rounded_up(thresholds.values, dtype).astype(np.float64) != thresholds.values)
    return f"{decided_on} >= thresholds" + (f", rounded up to {dtype}" if rounded else "")


def _copy_weights(source: models.Model, folder: Path) -> tuple[str, ...]:
    """Copy the files of external weights, or raise `FileError` before anything is overwritten."""
    assert source.folder is not None
    names = models.weight_files(source.proto)
    if not names or folder.samefile(source.folder):
        return ()
    new = []
    for name in names:
        old, copy = source.folder / name, folder / name
        if not copy.exists():
            new.append((old, copy))
        elif not filecmp.cmp(old, copy, shallow=False):
            raise FileError(
                f"cannot write the weights {copy}: another file of this name is there. Choose another folder."
            )
    for old, copy in new:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(copy) as temporary:
            shutil.copyfile(old, temporary)
    return tuple(str(copy) for _, copy in new)
