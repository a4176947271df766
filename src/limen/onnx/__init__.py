"""Thresholds inside an ONNX model: the model gives its scores and, as booleans, its tags.

`append_thresholds` and `export` add the comparison to a model, and the label names and the whole
thresholds file to its metadata; `verify` runs the result and compares with `Thresholds.decide`;
`read_thresholds` takes the thresholds out again.
"""

from limen.errors import require

require("onnx", extra="onnx")

from limen.onnx.appending import Export, append_thresholds, export  # noqa: E402
from limen.onnx.metadata import read_thresholds  # noqa: E402
from limen.onnx.verification import Verified, verify  # noqa: E402

__all__ = ["Export", "Verified", "append_thresholds", "export", "read_thresholds", "verify"]
