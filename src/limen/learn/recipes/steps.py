"""Steps of a recipe that are not done again: their results lie beside its outputs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def once(folder: Path, name: str, settings: dict[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what ``make`` returns, from the file of an earlier run with the same settings if there is one.

    Parameters
    ----------
    folder : Path
    name : str
        Of the file, ``name.json``; it is written beside and renamed, so that it is whole or not there.
    settings : dict
        All that the result depends on; with others the step is done anew.
    make : callable
        Returns a dict for JSON.
    """
    path = folder / f"{name}.json"
    try:
        stored = json.loads(path.read_text())
        if stored["settings"] == settings:
            return dict(stored["result"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not there, cut short, or of something else: it is made
    result = make()
    temporary = path.with_name(f".{name}-{os.getpid()}.json")
    try:
        temporary.write_text(json.dumps({"settings": settings, "result": result}))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return result
