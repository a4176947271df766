"""Delicious, the bookmarks of the Mulan collection: sparse 0/1 features, 983 tags."""

# ruff: noqa: N806 - X and Y are what the equations call them

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from limen.errors import InputError, require

FILE = "delicious.npz"


class Parts(NamedTuple):
    """Features and labels of three parts that share no item: to train on, to tune thresholds on, to measure."""

    train: tuple[Any, Any]
    tune: tuple[Any, Any]
    test: tuple[Any, Any]


def load(folder: Path, seed: int = 0, share: float = 0.25) -> Parts:
    """Return the parts as CSR matrices; ``share`` of the data's own training part is drawn to tune on.

    Raises
    ------
    InputError
        If the file is none of Delicious.
    """
    sparse = require("scipy.sparse", extra="learn", user="limen.learn")
    try:
        with np.load(folder / FILE, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
        made = [
            sparse.csr_array(
                (np.ones(len(found[f"{part}_indices"])), found[f"{part}_indices"], found[f"{part}_indptr"]),
                shape=(len(found[f"{part}_indptr"]) - 1, int(found[size])),
            )
            for part, size in (("x", "n_features"), ("y", "n_labels"))
        ]
        n_train = int(found["n_train"])
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{folder / FILE} is no file of Delicious: {error}. Give the folder that has it."
        ) from error
    X, Y = made
    order = np.random.default_rng(seed).permutation(n_train)
    rest = np.sort(order[: round(share * n_train)])
    train = np.sort(order[round(share * n_train) :])
    return Parts((X[train], Y[train]), (X[rest], Y[rest]), (X[n_train:], Y[n_train:]))
