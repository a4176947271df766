"""Tensors that keep their precision: modules that `half()` only moves, and rounding that decides alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from limen.decisions import rounded_up

WITHOUT_FLOAT64 = {"mps"}
"""Types of device that have no float64."""


def on_processor(data: Any) -> Any:
    """Return an array for a tensor, exactly (bfloat16 as float32); anything else as it is."""
    if not isinstance(data, Tensor):
        return data
    data = data.detach().cpu()
    return (data.float() if data.dtype == torch.bfloat16 else data).numpy()


def count_dtype(tensor: Tensor) -> torch.dtype:
    """Return the widest dtype that the tensor's device can sum counts in."""
    return torch.float32 if tensor.device.type in WITHOUT_FLOAT64 else torch.float64


class ExactModule(nn.Module):
    """A module whose floating-point tensors keep their dtype: ``half()`` and ``to`` only move them.

    On a device without float64 they become float32, rounded up.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        def move(tensor: Tensor) -> Tensor:
            if not tensor.is_floating_point():
                return fn(tensor)
            device = fn(tensor.new_empty(0, dtype=torch.float32)).device
            if device.type in WITHOUT_FLOAT64 and tensor.dtype == torch.float64:
                tensor = torch.from_numpy(rounded_up(tensor.detach().cpu().numpy(), np.float32))
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        return super()._apply(move, recurse)  # type: ignore[no-untyped-call]
