"""Labels and scores of the small real sets, as one piece."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SETS = ("emotions", "birds", "cal500", "spoken_tags", "dcase2017", "dcase2019")


def load(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and scores of a set; the two parts of the DCASE sets are pooled."""
    with np.load(folder / f"{name}.npz", allow_pickle=False) as data:
        if "labels" in data:
            return data["labels"], data["scores"]
        parts = [[data[f"{part}_{kind}"] for part in ("val", "eval")] for kind in ("labels", "scores")]
    return np.concatenate(parts[0]), np.concatenate(parts[1])
