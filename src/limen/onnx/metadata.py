"""What the model carries besides the comparison: label names, the thresholds file, what is compared."""

from __future__ import annotations

import importlib.metadata
import json
import os
from typing import NamedTuple

import onnx

from limen.errors import InputError, examples
from limen.onnx import models
from limen.onnx.lowest_given import Gives, check_gives
from limen.thresholds import Thresholds


class Compared(NamedTuple):
    """What a model's tags are decided from.

    Attributes
    ----------
    scores : str
        The output of the model that the thresholds are for.
    decided_on : str
        The output that is compared: ``scores``, or the probabilities added.
    model_gives : {"scores", "logits", "probabilities"}
        What ``decided_on`` is, seen from what the thresholds were tuned on.
    how : str
        In words.
    """

    scores: str
    decided_on: str
    model_gives: Gives
    how: str


def write(proto: onnx.ModelProto, name: str, thresholds: Thresholds, comparison: Compared) -> None:
    """Put labels, thresholds and comparison of the tags ``name`` into the metadata of a model."""
    content = {
        "labels": thresholds.labels,
        "thresholds": thresholds.to_dict(),
        "comparison": {**comparison._asdict(), "limen": importlib.metadata.version("limen")},
    }
    stale = {_key(name, key) for key in content}
    kept = [entry for entry in proto.metadata_props if entry.key not in stale]
    del proto.metadata_props[:]
    proto.metadata_props.extend(kept)
    for key, value in content.items():
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        proto.metadata_props.add(key=_key(name, key), value=text)


def read_thresholds(model: onnx.ModelProto | str | os.PathLike[str], *, name: str = "tags") -> Thresholds:
    """Return the thresholds that a model carries.

    Parameters
    ----------
    model : onnx.ModelProto or path
        As `append_thresholds` or `export` made it.
    name : str
        The output with the tags.

    Raises
    ------
    UnreadableError
        If the file cannot be read.
    InputError
        If the model carries no thresholds for these tags, or they were altered.
    """
    return thresholds_of(models.read(model), name)


def thresholds_of(model: models.Model, name: str) -> Thresholds:
    """Return the thresholds of a model that was read."""
    text = _text(model, name, "thresholds")
    try:
        return Thresholds.from_dict(json.loads(text))
    except ValueError as error:
        raise InputError(f"the thresholds in {model.name} were altered: {error}") from error


def comparison_of(model: models.Model, name: str) -> Compared:
    """Return what the tags of a model that was read are decided from."""
    try:
        found = json.loads(_text(model, name, "comparison"))
        check_gives(found["model_gives"])
        return Compared(*(str(found[key]) for key in Compared._fields))  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the comparison described in {model.name} was altered. Export it again.") from error


def _text(model: models.Model, name: str, key: str) -> str:
    entries: dict[str, str] = {entry.key: entry.value for entry in model.proto.metadata_props}
    if _key(name, key) in entries:
        return entries[_key(name, key)]
    start, end = _key("\n", key).split("\n")
    known = [k.removeprefix(start).removesuffix(end) for k in entries if k.startswith(start) and k.endswith(end)]
    raise InputError(
        f"{model.name} carries no thresholds for an output {name!r} (it has some for: "
        f"{examples(known) or 'none'}). limen export onnx, or limen.onnx.append_thresholds, puts them in."
    )


def _key(name: str, key: str) -> str:
    return f"limen.{name}.{key}"
