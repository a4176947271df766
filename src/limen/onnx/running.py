"""Models run in onnxruntime, on inputs made up or given."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
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
"""Tried in turn for dimensions without a size, such as time."""
_DRAWS = 4
_LONGEST_REASON = 200


class CannotRunError(Exception):
    """Why onnxruntime cannot load or run a model, in one line."""


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
            self.session = self._ort.InferenceSession(
                proto.SerializeToString(), options, providers=list(providers)
            )
        except Exception as error:  # onnxruntime's own share no base
            raise CannotRunError(_reason(error)) from error
        self.runtime = f"onnxruntime {self._ort.__version__} ({', '.join(self.session.get_providers())})"

    def run(self, wanted: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return outputs for inputs."""
        return self._run(lambda options: self.session.run(list(wanted), dict(feeds), options))

    def apply(self, array: NDArray[Any], kind: int) -> NDArray[Any]:
        """Return the only output for the only input; numbers of bfloat16 come as float32."""
        out, into = self.session.get_outputs()[0].name, self.session.get_inputs()[0].name
        if kind != TensorProto.BFLOAT16:
            return self.run([out], {into: array})[0]
        value = self._ort.OrtValue.ortvalue_from_numpy_with_onnx_type(to_bfloat16(array), kind)
        return self._run(
            lambda options: [
                found.numpy() for found in self.session.run_with_ort_values([out], {into: value}, options)
            ]
        )[0]

    def _run(self, call: Callable[[Any], list[NDArray[Any]]]) -> list[NDArray[Any]]:
        options = self._ort.RunOptions()
        options.log_severity_level = _SILENT
        try:
            return call(options)
        except Exception as error:
            raise CannotRunError(_reason(error)) from error


def runs(
    model: Model, wanted: Sequence[str], inputs: Mapping[str, Any] | None, providers: Sequence[str], seed: int
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
    needed = session.session.get_inputs()
    if inputs is not None:
        yield _run_given(session, names, inputs, [entry.name for entry in needed])
        return
    rng = np.random.default_rng(seed)
    problem: CannotRunError | None = None
    for batch, size in itertools.product(_BATCHES, _SIZES):
        try:
            first = session.run(names, _made_up(needed, batch, size, rng, 0))
        except CannotRunError as error:
            problem = error
            continue
        yield first
        for draw in range(1, _DRAWS):
            yield session.run(names, _made_up(needed, batch, size, rng, draw))
        return
    assert problem is not None
    raise problem


def to_bfloat16(array: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return the bits of float32 numbers as bfloat16, cut off."""
    return (np.ascontiguousarray(array).view(np.uint32) >> 16).astype(np.uint16)


def from_bfloat16(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return bfloat16 numbers as float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _run_given(
    session: Session, names: Sequence[str], inputs: Mapping[str, Any], needed: list[str]
) -> list[NDArray[Any]]:
    if set(inputs) != set(needed):
        raise InputError(f"the inputs given are {examples(inputs)}; the model needs {examples(needed)}.")
    try:
        return session.run(names, {name: np.asarray(array) for name, array in inputs.items()})
    except CannotRunError as error:
        raise InputError(f"the model does not take the inputs given: {error}") from error


def _made_up(needed: list[Any], batch: int, size: int, rng: np.random.Generator, draw: int) -> dict[str, Any]:
    batches = {entry.shape[0] for entry in needed if entry.shape and isinstance(entry.shape[0], str)}
    feeds = {}
    for entry in needed:
        shape = [
            dim if isinstance(dim, int) else batch if axis == 0 or dim in batches else size
            for axis, dim in enumerate(entry.shape)
        ]
        feeds[entry.name] = _drawn(entry.name, entry.type, shape, rng, draw)
    return feeds


def _drawn(name: str, kind: str, shape: list[int], rng: np.random.Generator, draw: int) -> NDArray[Any]:
    dtype = kind.removeprefix("tensor(").removesuffix(")")
    if dtype in ("float16", "float", "double"):
        scale = (1.0, 0.1, 10.0, 1.0)[draw % _DRAWS]
        numbers = scale * (rng.random(shape) if draw % _DRAWS == _DRAWS - 1 else rng.normal(size=shape))
        return np.asarray(numbers, {"float": np.float32, "double": np.float64}.get(dtype, np.float16))
    if dtype == "bool":
        return np.asarray(rng.random(shape) < 0.5)
    if dtype in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"):
        # Most integers are indices and masks, for which only 0 and 1 are sure to be valid; bytes are pixels.
        return rng.integers(0, 256 if dtype == "uint8" else 2, shape).astype(dtype)
    raise CannotRunError(f"its input {name!r} is {kind}, which is not made up: give inputs")


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


def _reason(error: Exception) -> str:
    line = " ".join(str(error).split())
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 4] + " ..."
