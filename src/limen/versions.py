"""The versions that made a result."""

from __future__ import annotations

from functools import cache

import numpy as np


def versions() -> dict[str, str]:
    """Return the versions that made a result."""
    return {"limen": _own(), "numpy": np.__version__}


@cache
def _own() -> str:
    from importlib.metadata import version  # reads files, once

    return version("limen")
