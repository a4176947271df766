"""The demonstration: methods side by side on the data set that comes with limen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from limen.comparison import Comparison, compare
from limen.data import spoken_tags
from limen.errors import FileError, LimenError
from limen.thresholds import Thresholds
from limen.tuning import tune

METHODS = ("fixed:0.5", "shared", "numerical", "random-search", "sgl", "exact", "auto")


def run(seed: int = 0, progress: Callable[[int, int, str], None] | None = None) -> tuple[Comparison, Thresholds]:
    """Return the comparison of methods, and the default's thresholds, tuned on a random half of the clips."""
    y_true, y_score, labels = spoken_tags()
    order = np.random.default_rng(seed).permutation(len(y_true))
    to_tune, to_measure = np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])
    comparison = compare(
        y_true,
        y_score,
        methods=METHODS,
        cv=[(to_tune, to_measure)],
        labels=labels,
        random_state=seed,
        progress=progress,
    )
    return comparison, tune(y_true[to_tune], y_score[to_tune], labels=labels, random_state=seed)


def refuse_to_replace(output: str, thresholds: Thresholds) -> None:
    """Raise `FileError` if ``output`` holds anything but an earlier demonstration's thresholds."""
    if not Path(output).exists():
        return
    try:
        same = Thresholds.load(output).labels == thresholds.labels
    except LimenError:
        same = False
    if not same:
        raise FileError(
            f"{output} exists and is not of this demonstration. Choose another name: limen demo -o demo.json."
        )
