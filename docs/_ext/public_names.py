"""What the reference shows: every public name (a missing one fails the build), and no fields without a word."""

from __future__ import annotations

import importlib
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

MODULES = (
    "limen",
    "limen.metrics",
    "limen.solvers",
    "limen.errors",
    "limen.guarantees",
    "limen.shift",
    "limen.streams",
    "limen.learning_curve",
    "limen.monitoring",
    "limen.online",
    "limen.sklearn",
    "limen.torch",
    "limen.onnx",
    "limen.learn",
    "limen.learn.recipes",
    "limen.audio",
    "limen.engines.dask",
    "limen.events",
    "limen.events.formats",
    "limen.reporting.events",
    "limen.engines.duckdb",
    "limen.engines.spark",
    "limen.exports.birdnet",
    "limen.exports.huggingface",
    "limen.exports.polars",
    "limen.exports.sql",
)
log = logging.getLogger(__name__)


def check(app: Sphinx, env: BuildEnvironment) -> None:
    """Compare the names of each module with what the pages document."""
    documented = set(env.domains.python_domain.objects)
    for module in MODULES:
        found = importlib.import_module(module)
        names = getattr(found, "__all__", None) or [
            name
            for name, value in vars(found).items()
            if getattr(value, "__module__", "") == module and (module != "limen.errors" or isinstance(value, type))
        ]
        for name in names:
            wanted = callable(getattr(found, name)) and not name.startswith("_")
            if wanted and f"{module}.{name}" not in documented:
                log.warning("%s.%s is public and in no page of the reference", module, name)


def skip(app: Sphinx, what: str, name: str, found: Any, is_skipped: bool, options: Any) -> bool | None:
    """Leave out the fields of named tuples, whose docstring is Python's own."""
    return True if str(getattr(found, "__doc__", "")).startswith("Alias for field number") else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the check."""
    app.connect("autodoc-skip-member", skip)
    app.connect("env-check-consistency", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
