"""ONNX models read, looked at and written: structure in memory, large weights left in their files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, checker, shape_inference
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from limen.errors import InputError, UnreadableError, require

DecodeError = require("google.protobuf.message", extra="onnx").DecodeError
OLDEST_OPSET = 7
"""onnxruntime runs none older."""
FLOATS: dict[int, np.dtype[Any]] = {
    TensorProto.FLOAT16: np.dtype(np.float16),
    TensorProto.FLOAT: np.dtype(np.float32),
    TensorProto.DOUBLE: np.dtype(np.float64),
    TensorProto.BFLOAT16: np.dtype(np.float32),
}
"""The dtypes of numpy that hold such scores exactly."""
SHORT = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
MOST_LISTED = 8
_OTHER_NAMES = (TensorProto.FLOAT, TensorProto.DOUBLE)
_DEFAULT_DOMAINS = ("", "ai.onnx")


class Model(NamedTuple):
    """A model of its own, free to change, without the weights that lie in files of their own.

    Attributes
    ----------
    proto : onnx.ModelProto
    folder : Path or None
        Where its external weights lie; None if it was given in memory.
    name : str
        For messages.
    """

    proto: onnx.ModelProto
    folder: Path | None
    name: str


class Output(NamedTuple):
    """An output of a model: a tensor of ``kind`` (a number of `onnx.TensorProto`) and its dimensions.

    A dimension is its size, its name, or None; ``dims`` is None if not even their number is known, and
    ``kind`` is 0 if the output is no tensor.
    """

    name: str
    kind: int
    dims: tuple[int | str | None, ...] | None

    def __str__(self) -> str:
        if not self.kind:
            return repr(self.name)
        dtype = (
            str(FLOATS[self.kind]) if self.kind in _OTHER_NAMES else TensorProto.DataType.Name(self.kind).lower()
        )
        dims = "" if self.dims is None else f" ({', '.join('?' if d is None else str(d) for d in self.dims)})"
        return f"{self.name!r} {dtype}{dims}"


def read(model: onnx.ModelProto | Model | str | os.PathLike[str]) -> Model:
    """Return a model to change, from a file or a copy of one in memory; its structure is checked.

    One that was read is returned as it is.

    Raises
    ------
    UnreadableError
        If the file, or a file of its weights, is missing or damaged.
    InputError
        If it breaks the rules of ONNX, or its opset is too old or too new.
    """
    if isinstance(model, Model):
        return model
    if isinstance(model, onnx.ModelProto):
        proto = onnx.ModelProto()
        proto.CopyFrom(model)
        source = Model(proto, None, "the model")
        if any(uses_external_data(tensor) for tensor in tensors(proto)):
            raise InputError(
                "the model's weights lie in files of their own, and were not loaded. Give the path of the model."
            )
    else:
        source = Model(_parse(Path(model)), Path(model).absolute().parent, os.fspath(model))
        _check_weight_files(source)
    _check_opset(source)
    _complete_shapes(source.proto)
    check(source.proto, source.name)
    return source


def check(proto: onnx.ModelProto, name: str) -> None:
    """Raise `InputError` if the structure breaks the rules of ONNX."""
    try:
        checker.check_model(_for_checker(proto))
    except (checker.ValidationError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{name} is no valid ONNX model: {reason}. Export it again.") from error


def outputs(proto: onnx.ModelProto) -> list[Output]:
    """Return the outputs of a model."""
    return [_output(value) for value in proto.graph.output]


def compared_in(kind: int) -> np.dtype[Any]:
    """Return the dtype that scores of a kind are compared in."""
    return np.dtype(np.float64) if kind in SHORT else FLOATS[kind]


def listed(found: list[Output]) -> str:
    """Return outputs as a message lists them."""
    shown = ", ".join(map(str, found[:MOST_LISTED]))
    return shown if len(found) <= MOST_LISTED else f"{shown} and {len(found) - MOST_LISTED} more"


def opset(proto: onnx.ModelProto) -> int | None:
    """Return the version of the standard operators, or None if the model uses none of them."""
    return next((entry.version for entry in proto.opset_import if entry.domain in _DEFAULT_DOMAINS), None)


def names_in_use(proto: onnx.ModelProto) -> set[str]:
    """Return the names of all tensors and nodes of a model, also inside branches and loops."""
    found: set[str] = set()
    for part in _parts(proto.graph):
        if isinstance(part, onnx.NodeProto):
            found.update((part.name, *part.input, *part.output))
        elif isinstance(part, onnx.ValueInfoProto | TensorProto):
            found.add(part.name)
    return found


def tensors(proto: onnx.ModelProto) -> Iterator[TensorProto]:
    """Give all the weights and constants of a model."""
    return (part for part in _parts(proto) if isinstance(part, TensorProto))


def weight_files(proto: onnx.ModelProto) -> list[str]:
    """Return the names of the files that hold the external weights, from the model's folder."""
    return sorted({ExternalDataInfo(t).location for t in tensors(proto) if uses_external_data(t)})


def _parse(path: Path) -> onnx.ModelProto:
    try:
        proto: onnx.ModelProto = onnx.ModelProto.FromString(path.read_bytes())
    except OSError as error:
        raise UnreadableError(f"cannot read {path}: {error.strerror}. Check the path.") from error
    except DecodeError as error:
        raise UnreadableError(f"{path} is no ONNX model, or is cut short: {error}. Export it again.") from error
    if not proto.ir_version or not proto.HasField("graph"):
        raise UnreadableError(f"{path} is no ONNX model: it has no graph. Export it again.")
    if not all(map(_is_text, _parts(proto))):
        raise UnreadableError(f"{path} is damaged: a name in it is no UTF-8 text. Export it again.")
    return proto


def _parts(message: Any) -> Iterator[Any]:
    """Give a message of protobuf and all messages in it."""
    yield message
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for part in [value] if hasattr(value, "ListFields") else value:
                yield from _parts(part)


def _is_text(message: Any) -> bool:
    """Return whether the strings of a message are text; protobuf gives those that are not as bytes."""
    return not any(
        isinstance(text, bytes)
        for field, value in message.ListFields()
        if field.type == field.TYPE_STRING
        for text in ([value] if isinstance(value, str | bytes) else value)
    )


def _check_weight_files(model: Model) -> None:
    assert model.folder is not None
    for tensor in filter(uses_external_data, tensors(model.proto)):
        try:
            info = ExternalDataInfo(tensor)
        except ValueError as error:
            raise UnreadableError(f"{model.name} is damaged: {error}. Export it again.") from error
        path, problem = model.folder / os.path.normpath(info.location), None
        needed = (info.offset or 0) + (info.length or 0)
        if not path.is_relative_to(model.folder) or ".." in path.relative_to(model.folder).parts:
            problem = "outside its folder"
        elif not path.is_file():
            problem = "missing"
        elif path.stat().st_size < needed:
            problem = "cut short"
        if problem is not None:
            raise UnreadableError(
                f"{model.name} keeps weights in {info.location!r}, which is {problem}. It must lie beside "
                "the model: onnx.save_model(..., save_as_external_data=True)."
            )


def _check_opset(model: Model) -> None:
    version, newest = opset(model.proto), onnx.defs.onnx_opset_version()
    if version is not None and version < OLDEST_OPSET:
        raise InputError(
            f"{model.name} has opset {version}. It must be {OLDEST_OPSET} or later: "
            "onnx.version_converter.convert_version(model, 17), or export it again."
        )
    if version is not None and version > newest:
        raise InputError(
            f"{model.name} has opset {version}; onnx {onnx.__version__} knows up to {newest}. "
            "Upgrade it: pip install --upgrade onnx onnxruntime."
        )


def _complete_shapes(proto: onnx.ModelProto) -> None:
    """Fill in the types of outputs that the exporter left out, where they follow from the graph."""
    if all(out.dims and isinstance(out.dims[-1], int) for out in outputs(proto) if out.kind):
        return
    with suppress(shape_inference.InferenceError, ValueError):
        inferred = {value.name: value for value in shape_inference.infer_shapes(proto).graph.output}
        for value in proto.graph.output:
            if value.type.tensor_type.elem_type:
                value.type.CopyFrom(inferred[value.name].type)


def _for_checker(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model for the checker, as far as it is its business.

    It would look for files of weights in the wrong folder, and refuses outputs of unknown shape, which
    runtimes take.
    """
    if not weight_files(proto) and all(out.dims is not None for out in outputs(proto)):
        return proto
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for tensor in tensors(copy):
        if uses_external_data(tensor):
            tensor.CopyFrom(TensorProto(name=tensor.name, data_type=tensor.data_type, dims=[0]))
    for value in copy.graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.shape.SetInParent()
    return copy


def _output(value: onnx.ValueInfoProto) -> Output:
    tensor = value.type.tensor_type
    if tensor.elem_type not in TensorProto.DataType.values():
        return Output(value.name, 0, None)
    dims = tuple(dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None for dim in tensor.shape.dim)
    return Output(value.name, tensor.elem_type, dims if tensor.HasField("shape") else None)
