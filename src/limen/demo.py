"""The demonstration: methods side by side on the data set that comes with limen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from limen.comparison import Comparison, compare
from limen.datasets import spoken_tags
from limen.errors import FileError, LimenError
from limen.reporting import report
from limen.thresholds import Thresholds
from limen.tuning import tune

METHODS = ("fixed:0.5", "shared", "numerical", "random-search", "sgl", "exact", "auto")


def run(seed: int = 0, progress: Callable[[int, int, str], None] | None = None) -> tuple[Comparison, Thresholds]:
    """Return the comparison of methods, and the default's thresholds, tuned on a random half of the clips."""
    y_true, y_score, labels = spoken_tags()
    to_tune, to_measure = _halves(len(y_true), seed)
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


def write_report(
    output: str,
    thresholds: Thresholds,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> None:
    """Write the report of the thresholds on the half of the clips they were not tuned on."""
    y_true, y_score, labels = spoken_tags()
    _, to_measure = _halves(len(y_true), seed)
    report(
        y_true[to_measure],
        y_score[to_measure],
        thresholds,
        output,
        labels=labels,
        ids=[f"clip {row}" for row in to_measure],
        methods=("fixed:0.5", "shared", "exact", "auto"),
        title="Spoken tags",
        random_state=seed,
        progress=progress,
    )


def _halves(n_items: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    order = np.random.default_rng(seed).permutation(n_items)
    return np.sort(order[: n_items // 2]), np.sort(order[n_items // 2 :])


def refuse_to_replace(output: str, thresholds: Thresholds, page: str) -> None:
    """Raise `FileError` if ``output`` or ``page`` holds anything but what an earlier demonstration wrote."""
    for path, ours in ((output, _is_ours(output, thresholds)), (page, _is_report(page))):
        if Path(path).exists() and not ours:
            raise FileError(
                f"{path} exists and is not of this demonstration. Choose other names: limen demo -o demo.json "
                "--report demo.html."
            )


def _is_ours(output: str, thresholds: Thresholds) -> bool:
    try:
        return Thresholds.load(output).labels == thresholds.labels
    except LimenError:
        return False


def _is_report(page: str) -> bool:
    try:
        return b'<meta name="generator" content="limen">' in Path(page).read_bytes()[:2000]
    except OSError:
        return False
