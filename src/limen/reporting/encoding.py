"""Arrays and text as they are embedded in the page: compact, exact, and harmless as HTML."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray


def packed(values: Any) -> dict[str, str]:
    """Return an array as base64: whole numbers from 0 as variable-length bytes, others as little-endian floats.

    float16 and float32 become ``{"f32": ...}``, float64 ``{"f64": ...}``; nothing is rounded.

    Examples
    --------
    >>> packed(np.array([1, 300])), packed(np.array([0.5], np.float16))
    ({'whole': 'AawC'}, {'f32': 'AAAAPw=='})
    """
    values = np.asarray(values)
    if values.dtype.kind in "iub":
        return {"whole": _text(_varint(values.astype(np.uint64)))}
    kind = "f64" if values.dtype == np.float64 else "f32"
    return {kind: _text(values.astype("<f8" if kind == "f64" else "<f4"))}


def rising(values: NDArray[Any], offsets: NDArray[np.int64]) -> dict[str, str]:
    """Return counts that rise within each label: their steps if they are whole, themselves if not."""
    if values.dtype.kind == "f":
        return packed(values)
    steps = np.diff(values, prepend=0)
    steps[offsets[:-1]] = values[offsets[:-1]]
    return packed(steps)


def embedded(content: Any) -> str:
    r"""Return JSON that can stand in a script element: no character in it can end the element or open another.

    Examples
    --------
    >>> embedded("</script>")
    '"\\u003c/script\\u003e"'
    """
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _varint(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return each number as 7-bit groups, lowest first, the top bit set on all but the last."""
    length = np.ones(len(values), np.int64)
    for bits in range(7, 64, 7):
        length += values >= np.uint64(1 << bits)
    start = np.cumsum(length) - length
    packed_bytes = np.zeros(int(length.sum()), np.uint8)
    for place in range(int(length.max(initial=0))):
        has = length > place
        group = (values[has] >> np.uint64(7 * place)) & np.uint64(127)
        more = (length[has] > place + 1).astype(np.uint64) << np.uint64(7)
        packed_bytes[start[has] + place] = group | more
    return packed_bytes


def _text(array: NDArray[Any]) -> str:
    return base64.b64encode(array.tobytes()).decode("ascii")
