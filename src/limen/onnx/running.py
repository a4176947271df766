"""Models run in onnxruntime, on inputs made up or given."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from limen.errors import InputError, examples, require
from limen.onnx import models
from limen.onnx.models import Model

CPU = ("CPUExecutionProvider",)
_SILENT = 4
_BATCHES = (3, 1)
_SIZES = (16, 64, 256, 1024, 4096, 16000, 64000)
"""Tried in turn, after the number of labels, for dimensions without a size, such as time."""
_SCALES = (1.0, 0.1, 10.0)
_NUMPY_NAMES = {"float": "float32", "double": "float64"}
_LONGEST_REASON = 200


class CannotRunError(Exception):
    """Why onnxruntime cannot load or run a model, in one line."""

    def __init__(self, error: Exception | str) -> None:
        line = " ".join(str(error).split())
        super().__init__(line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 4] + " ...")


class Session:
    """A model loaded in onnxruntime."""

    def __init__(self, proto: onnx.ModelProto, folder: os.PathLike[str] | None, providers: Sequence[str]) -> None:
        self._ort = require("onnxruntime", extra="onnx")
        available = self._ort.get_available_providers()
        missing = [name for name in providers if name not in available]
        if missing:
            raise InputError(f"this onnxruntime has no {examples(missing)}. Choose of: {examples(available)}.")
        options = self._ort.SessionOptions()
        options.log_severity_level = _SILENT
        if folder is not None:
            options.add_session_config_entry(
                "session.model_external_initializers_file_folder_path", os.fspath(folder)
            )
        try:
            self._session = self._ort.InferenceSession(
                proto.SerializeToString(), options, providers=list(providers)
            )
        except Exception as error:  # onnxruntime's own share no base
            raise CannotRunError(error) from error
        self.inputs = self._session.get_inputs()
        self.runtime = f"onnxruntime {self._ort.__version__} ({', '.join(self._session.get_providers())})"

    def run(self, wanted: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return outputs for inputs."""
        options = self._ort.RunOptions()
        options.log_severity_level = _SILENT
        try:
            found: list[NDArray[Any]] = self._session.run(list(wanted), dict(feeds), options)
        except Exception as error:
            raise CannotRunError(error) from error
        return found


def runs(
    model: Model,
    wanted: Sequence[str],
    inputs: Mapping[str, Any] | None,
    n_labels: int,
    providers: Sequence[str] = CPU,
    seed: int = 0,
) -> Iterator[list[NDArray[Any]]]:
    """Give outputs of a model, once for the inputs given, or for several draws of random ones.

    Raises
    ------
    CannotRunError
        If it does not load, needs inputs that cannot be made up, or refuses those made up.
    InputError
        If it refuses the inputs given.
    """
    proto, names = _readable(model.proto, wanted)
    session = Session(proto, model.folder, providers)
    if inputs is not None:
        yield _run_given(session, names, inputs)
        return
    rng = np.random.default_rng(seed)
    problem: CannotRunError | None = None
    for batch, size in itertools.product(_BATCHES, (n_labels, *_SIZES)):
        try:
            yield session.run(names, _made_up(session.inputs, batch, size, rng, _SCALES[0]))
        except CannotRunError as error:
            problem = error
            continue
        for scale in (*_SCALES[1:], None):
            yield session.run(names, _made_up(session.inputs, batch, size, rng, scale))
        return
    assert problem is not None
    raise problem


def _run_given(session: Session, names: Sequence[str], inputs: Mapping[str, Any]) -> list[NDArray[Any]]:
    needed = [entry.name for entry in session.inputs]
    if set(inputs) != set(needed):
        raise InputError(f"the inputs given are {examples(inputs)}; the model needs {examples(needed)}.")
    try:
        return session.run(names, {name: np.asarray(array) for name, array in inputs.items()})
    except CannotRunError as error:
        raise InputError(f"the model does not take the inputs given: {error}") from error


def _made_up(
    needed: list[Any], batch: int, size: int, rng: np.random.Generator, scale: float | None
) -> dict[str, NDArray[Any]]:
    """Return random inputs: normal ones of a scale, or None for uniform ones."""
    batches = {entry.shape[0] for entry in needed if entry.shape and isinstance(entry.shape[0], str)}
    feeds = {}
    for entry in needed:
        shape = [
            dim if isinstance(dim, int) else batch if axis == 0 or dim in batches else size
            for axis, dim in enumerate(entry.shape)
        ]
        kind = entry.type.removeprefix("tensor(").removesuffix(")")
        dtype = _NUMPY_NAMES.get(kind, kind)
        if dtype in ("float16", "float32", "float64"):
            numbers: Any = rng.random(shape) if scale is None else scale * rng.normal(size=shape)
        elif dtype == "bool" or dtype.removeprefix("u") in ("int8", "int16", "int32", "int64"):
            # Most integers are indices and masks, for which only 0 and 1 are sure to be valid; bytes are pixels.
            numbers = rng.integers(0, 256 if dtype == "uint8" else 2, shape)
        else:
            raise CannotRunError(f"its input {entry.name!r} is {entry.type}, which is not made up: give inputs")
        feeds[entry.name] = np.asarray(numbers, dtype)
    return feeds


def _readable(proto: onnx.ModelProto, wanted: Sequence[str]) -> tuple[onnx.ModelProto, list[str]]:
    """Return a copy whose outputs numpy can hold, and their names: bfloat16 becomes float32."""
    short = {out.name for out in models.outputs(proto) if out.kind == TensorProto.BFLOAT16} & set(wanted)
    if not short:
        return proto, list(wanted)
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    names = {name: f"limen/as_float32/{name}" for name in short}
    for name, new in names.items():
        copy.graph.node.append(helper.make_node("Cast", [name], [new], to=TensorProto.FLOAT))
        copy.graph.output.append(helper.make_tensor_value_info(new, TensorProto.FLOAT, None))
    return copy, [names.get(name, name) for name in wanted]
