"""Blocks of sound at another rate, as if they had been one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from limen.errors import require

QUALITY = "HQ"
"""20 bits, as soxr names it: its error is below that of 16-bit samples."""


def resampled(blocks: Iterable[NDArray[np.float32]], rate: int, wanted: int) -> Iterator[NDArray[np.float32]]:
    """Give blocks of float32 (n,) at the rate ``wanted``, of blocks at ``rate``.

    Notes
    -----
    soxr keeps its state between blocks: joined, they are bit-identical to the whole signal resampled at once,
    however it is cut into blocks. Blocks at the wanted rate pass unchanged.
    """
    if rate == wanted:
        yield from blocks
        return
    stream = require("soxr", extra="audio").ResampleStream(rate, wanted, 1, "float32", quality=QUALITY)
    for block in blocks:
        done = stream.resample_chunk(block)
        if len(done):
            yield done
    done = stream.resample_chunk(np.empty(0, np.float32), last=True)
    if len(done):
        yield done
