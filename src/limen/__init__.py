"""Decision thresholds for multi-label classifiers.

>>> import limen
>>> t = limen.tune([[0], [1], [0], [1]], [[0.1], [0.8], [0.3], [0.6]])
>>> t.decide([[0.7], [0.2]])[:, 0]
array([ True, False])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limen import metrics as metrics
    from limen import solvers as solvers
    from limen.comparison import Comparison, compare
    from limen.curves import Curves
    from limen.errors import InputError, LimenError, LimenWarning
    from limen.evaluation import Evaluation, evaluate
    from limen.guarantees import guarantee
    from limen.reporting import report
    from limen.thresholds import Thresholds
    from limen.tuning import Frontier, frontier, tune

_HOME = {
    "Comparison": "comparison",
    "Curves": "curves",
    "Evaluation": "evaluation",
    "Frontier": "tuning",
    "InputError": "errors",
    "LimenError": "errors",
    "LimenWarning": "errors",
    "Thresholds": "thresholds",
    "compare": "comparison",
    "evaluate": "evaluation",
    "frontier": "tuning",
    "guarantee": "guarantees",
    "report": "reporting",
    "tune": "tuning",
}
_SUBMODULES = ("metrics", "solvers")

__all__ = [
    "Comparison",
    "Curves",
    "Evaluation",
    "Frontier",
    "InputError",
    "LimenError",
    "LimenWarning",
    "Thresholds",
    "compare",
    "evaluate",
    "frontier",
    "guarantee",
    "report",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("limen")
    if name in _SUBMODULES:
        return importlib.import_module(f"limen.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'limen' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"limen.{_HOME[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
