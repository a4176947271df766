"""From a model file and a thresholds file to a model file with tags."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limen.errors import FileError, InputError
from limen.files.writing import write_atomically
from limen.onnx import metadata, models
from limen.onnx.appending import append
from limen.onnx.cuts import Gives
from limen.onnx.matching import in_columns
from limen.onnx.verification import Verified, verify_model
from limen.thresholds import Thresholds


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

    Returns
    -------
    Export

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
    chosen = thresholds if isinstance(thresholds, Thresholds) else Thresholds.load(os.fspath(thresholds))
    decided = append(
        source,
        in_columns(chosen, labels),
        scores=scores,
        model_gives=model_gives,
        sigmoid=sigmoid,
        name=name,
        inputs=inputs,
    )
    verified = verify_model(source, name, inputs=inputs) if verify else None
    weights = _copy_weights(source, target.parent)
    with write_atomically(path) as temporary:
        temporary.write_bytes(source.proto.SerializeToString())
    version = models.opset(source.proto)
    assert version is not None
    how = metadata.comparison_of(source, name).how
    return Export(os.fspath(path), str(decided), version, how, verified, weights)


def _copy_weights(source: models.Model, folder: Path) -> tuple[str, ...]:
    """Copy the files of external weights, or raise `FileError` before anything is overwritten."""
    assert source.folder is not None
    names = models.weight_files(source.proto)
    if not names or (folder.is_dir() and folder.samefile(source.folder)):
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
        if folder.is_dir():
            copy.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(copy) as temporary:
            shutil.copyfile(old, temporary)
    return tuple(str(copy) for _, copy in new)
