"""Recordings end to end in one file of arrays, as the recipes' data sets lie."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError


def stored(path: Path) -> tuple[list[NDArray[np.float32]], list[str]]:
    """Return the waves, in -1 to 1, and the names of a file of ``pcm``, ``offsets`` and ``names``."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        pcm, offsets, names = arrays["pcm"], arrays["offsets"], arrays["names"].astype(str).tolist()
    if len(names) != len(offsets) - 1:
        raise ValueError(f"{len(names)} names of {len(offsets) - 1} recordings")
    return [pcm[a:b].astype(np.float32) / 32768 for a, b in itertools.pairwise(offsets)], names


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turn whatever is wrong with a file into `InputError`; ``what`` is what it should hold."""
    try:
        yield
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} does not hold {what}: {error}. Give the folder that has it.") from error
