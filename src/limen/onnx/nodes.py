"""The nodes that decide: a threshold for each label, or a rule by item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from limen.decisions import by_threshold, counted_for, rounded_up
from limen.errors import InputError
from limen.onnx.models import SHORT, names_in_use, opset

GREATER_OR_EQUAL = 12
"""The opset that brought it."""


class Builder:
    """Appends nodes to the graph of a model, under names that are not in use yet."""

    def __init__(self, proto: onnx.ModelProto, prefix: str, opset: int) -> None:
        self.graph, self.prefix, self.opset, self.used = proto.graph, prefix, opset, names_in_use(proto)

    def claim(self, name: str) -> None:
        """Take a name, or raise `InputError`."""
        if not name or name in self.used:
            raise InputError(
                f"the model has something named {name!r} already. Choose another name for the new output."
                if name
                else "the name of an output is empty. Give it one."
            )
        self.used.add(name)

    def add(self, operator: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """Append a node with one output, and return that output's name."""
        return self._add(operator, inputs, [output or self._new(operator)], attributes)[0]

    def top(self, values: str, k: int) -> list[str]:
        """Append the k highest numbers of each item, and return the names of the numbers and their places."""
        new = [self._new("top"), self._new("places")]
        return self._add("TopK", [values, self.constant(np.array([k]))], new, {"axis": -1})

    def constant(self, array: NDArray[Any]) -> str:
        """Append a constant, and return its name."""
        return self.add("Constant", [], value=numpy_helper.from_array(array))

    def filled(self, like: str, value: bool) -> str:
        """Append booleans in the shape of the tensor ``like``, and return their name."""
        tensor = helper.make_tensor("value", TensorProto.BOOL, [1], [value])
        return self.add("ConstantOfShape", [self.add("Shape", [like])], value=tensor)

    def _add(
        self, operator: str, inputs: Sequence[str], outputs: list[str], attributes: dict[str, Any]
    ) -> list[str]:
        name = self._new(f"{operator}_node")
        self.graph.node.append(helper.make_node(operator, inputs, outputs, name=name, **attributes))
        return outputs

    def _new(self, what: str) -> str:
        base = f"limen/{self.prefix}/{what}"
        name, number = base, 1
        while name in self.used:
            name, number = f"{base}_{number}", number + 1
        self.used.add(name)
        return name


def add_decisions(
    build: Builder, scores: str, kind: int, tags: str, rule: str, lowest: NDArray[Any], never: NDArray[np.bool_]
) -> None:
    """Append the decisions on scores of ``kind``, a number of `onnx.TensorProto`.

    Where a runtime has no operators for 16 bits, it computes the scores in float32, rounds what it gives as
    output, and may compare what it has not rounded; onnxruntime does, also where the model has a cast to
    float32. A cast to float64 makes it round.
    """
    if kind in SHORT:
        scores = build.add("Cast", [scores], to=TensorProto.DOUBLE)
    if by_threshold(rule):
        _add_thresholds(build, _raised(build, scores, rule, len(lowest)), tags, lowest, never)
    else:
        _add_rule_by_item(build, scores, tags, rule, len(lowest))


def put_thresholds(proto: onnx.ModelProto, tags: str, values: NDArray[Any]) -> None:
    """Put other thresholds, in the dtype of the scores or a narrower one, into the comparison of `add_decisions`.

    Raises
    ------
    InputError
        If the comparison is made in another way.
    """
    made_by = {output: node for node in proto.graph.node for output in node.output}
    constants = {tensor.name: tensor for tensor in proto.graph.initializer}
    constants |= {node.output[0]: node.attribute[0].t for node in made_by.values() if node.op_type == "Constant"}
    node = made_by[tags]
    try:
        if node.op_type == "And":
            name = node.input[1]
            constants[name].CopyFrom(numpy_helper.from_array(np.ones(len(values), bool), name))
            node = made_by[node.input[0]]
        old = constants[node.input[1]]
    except (KeyError, IndexError) as error:
        raise InputError(f"{tags!r} is not compared as limen does it. Export the model again.") from error
    lowest = rounded_up(values, numpy_helper.to_array(old).dtype)
    old.CopyFrom(numpy_helper.from_array(_compared(lowest, opset(proto) or GREATER_OR_EQUAL), node.input[1]))


def _compared(lowest: NDArray[Any], opset: int) -> NDArray[Any]:
    """Return what scores are compared with: ``lowest``, or before there was ``>=`` the number next below it."""
    if opset >= GREATER_OR_EQUAL:
        return lowest
    with np.errstate(over="ignore"):
        below: NDArray[Any] = np.nextafter(lowest, lowest.dtype.type(-np.inf))
    return below


def _add_thresholds(
    build: Builder, scores: str, tags: str, lowest: NDArray[Any], never: NDArray[np.bool_]
) -> None:
    """Append ``scores >= lowest``; NaN gets no tag, and what is never given none for an infinite score either.

    Before opset 12 there is no ``>=`` for floats: ``x >= t`` is ``x > u`` for the number u next below t.
    """
    operator = "GreaterOrEqual" if build.opset >= GREATER_OR_EQUAL else "Greater"
    constant = build.constant(_compared(lowest, build.opset))
    tagged = build.add(operator, [scores, constant], None if never.any() else tags)
    if never.any():
        build.add("And", [tagged, build.constant(~never)], tags)


def _raised(build: Builder, scores: str, rule: str, n_labels: int) -> str:
    """Append what raises a label's scores to those of the labels that count for it too, if there are any."""
    counted = counted_for(rule, n_labels)
    others = [[own[min(j, len(own) - 1)] for own in counted] for j in range(1, max(map(len, counted)))]
    if not others:
        return scores
    columns = [build.add("Gather", [scores, build.constant(np.array(one))], axis=-1) for one in others]
    return build.add("Max", [scores, *columns])


def _add_rule_by_item(build: Builder, scores: str, tags: str, rule: str, n_labels: int) -> None:
    """Append ``"top-k:K"`` (the first of equals) or ``"mcut"`` as `limen.decisions.decide_rows` has them."""
    if rule != "mcut":
        _, places = build.top(scores, int(rule.partition(":")[2]))
        nothing, given = build.filled(scores, False), build.filled(places, True)
        build.add("ScatterElements", [nothing, places, given], tags, axis=-1)
        return
    wide = build.add("Cast", [scores], to=TensorProto.DOUBLE)
    falling, _ = build.top(wide, n_labels)
    upper, lower = (
        build.add("Gather", [falling, build.constant(np.arange(start, start + n_labels - 1))], axis=-1)
        for start in (0, 1)
    )
    _, widest = build.top(build.add("Sub", [upper, lower]), 1)
    lowest_kept = build.add("GatherElements", [falling, widest], axis=-1)
    build.add("GreaterOrEqual", [wide, lowest_kept], tags)
