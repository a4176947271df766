"""Small ONNX models, thresholds for them, and how they are run."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

import limen

KINDS = {"float16": TensorProto.FLOAT16, "float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}
NEWEST = min(onnx.defs.onnx_opset_version(), 24)
SILENT = 4


def tagger(operator="Identity", dtype="float32", dims=("clips", 3), *, opset=17, before=(), shown=None):
    """A model of one node from x to y; ``shown`` is what it says about the shape of y, if not the truth."""
    kind = KINDS.get(dtype, dtype)
    x = helper.make_tensor_value_info("x", kind, dims)
    y = helper.make_tensor_value_info("y", kind, dims if shown is None else shown)
    graph = helper.make_graph([*before, helper.make_node(operator, ["x"], ["y"])], "tagger", [x], [y])
    # onnxruntime takes version 3 from opset 7 on.
    version = 3 if opset < 9 else 8
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=version)


def wide(names="ab", dims=("clips", 3), kind=TensorProto.FLOAT):
    """A model with several outputs, all copies of x."""
    x = helper.make_tensor_value_info("x", kind, dims)
    nodes = [helper.make_node("Identity", ["x"], [name]) for name in names]
    outputs = [helper.make_tensor_value_info(name, kind, dims) for name in names]
    graph = helper.make_graph(nodes, "wide", [x], outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def thresholds(values=(0.5, 0.25, 0.75), dtype=np.float64, rule=">="):
    """Thresholds of these values for labels named a, b, c, ..."""
    values = np.array(values, dtype)
    names = [chr(ord("a") + k % 26) + (str(k // 26) if k >= 26 else "") for k in range(len(values))]
    truth = np.eye(2, len(values))[[0, 1, 0]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", limen.LimenWarning)
        tuned = limen.tune(truth, np.zeros(truth.shape, dtype), labels=names, method="exact")
    return replace(tuned, values=values, rule=rule, created="2026-01-01T00:00:00+00:00")


def run(model, x, outputs=("y", "tags")):
    """The outputs of a model in memory or of a file, for its only input."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = SILENT
    content = model.SerializeToString() if isinstance(model, onnx.ModelProto) else str(model)
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(list(outputs), {session.get_inputs()[0].name: x})


def all_float16():
    numbers = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    return numbers[np.isfinite(numbers)]
