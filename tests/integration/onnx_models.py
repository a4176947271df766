"""Small ONNX models, thresholds for them, and how they are run."""

import warnings
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import limen

KINDS = {"float16": TensorProto.FLOAT16, "float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}
NEWEST = min(onnx.defs.onnx_opset_version(), 24)
SILENT = 4


def value(name, dims, kind=TensorProto.FLOAT):
    """An input or output."""
    return helper.make_tensor_value_info(name, kind, dims)


def built(nodes, inputs, outputs, weights=None, *, opset=17, more=()):
    """A model of nodes; ``more`` are opsets of other operators than the standard ones."""
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in (weights or {}).items()]
    opsets = [helper.make_opsetid(*entry) for entry in [("", opset)] * (opset > 0) + list(more)]
    graph = helper.make_graph(nodes, "model", inputs, outputs, tensors)
    # onnxruntime takes version 3 from opset 7 on.
    return helper.make_model(graph, opset_imports=opsets, ir_version=3 if 0 < opset < 9 else 8)


def tagger(operator="Identity", dtype="float32", dims=("clips", 3), *, opset=17, shown=None):
    """A model of one node from x to y; ``shown`` is what it says about the shape of y, if not the truth."""
    kind = KINDS.get(dtype, dtype)
    outputs = [value("y", dims if shown is None else shown, kind)]
    return built([helper.make_node(operator, ["x"], ["y"])], [value("x", dims, kind)], outputs, opset=opset)


def wide(names="ab", dims=("clips", 3)):
    """A model with several outputs, all copies of x."""
    nodes = [helper.make_node("Identity", ["x"], [name]) for name in names]
    return built(nodes, [value("x", dims)], [value(name, dims) for name in names])


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
