"""Simulated scores on AudioSet's real labels, and F1 counted with numpy alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SAYS = "simulated scores on AudioSet's real labels"


class Data(NamedTuple):
    """Labels int8 and scores float32, both (n_items, n_labels)."""

    y_true: NDArray[np.int8]
    y_score: NDArray[np.float32]


def load(folder: Path, seed: int = 0) -> Data:
    """Return the labels of the 20 371 clips, and scores drawn from the binormal model as probabilities."""
    with np.load(folder / "audioset_eval_labels.npz", allow_pickle=False) as file:
        indptr, indices, d = file["indptr"], file["indices"], file["detectability"].astype(float)
    y_true = np.zeros((len(indptr) - 1, len(d)), np.int8)
    y_true[np.repeat(np.arange(len(y_true)), np.diff(indptr)), indices] = 1
    draw = np.random.default_rng(seed)
    prior = y_true.mean(axis=0)
    z = draw.normal(0, 1, y_true.shape) + y_true * d
    logit = 0.8 * (d * z - d * d / 2 + np.log(prior / (1 - prior))) + draw.normal(0, 0.6, len(d))
    return Data(y_true, (1 / (1 + np.exp(-logit))).astype(np.float32))


def sample(data: Data, n_items: int, n_labels: int, seed: int = 0) -> Data:
    """Return random items and labels; more items than there are come from repeating them."""
    draw = np.random.default_rng(seed)
    whole, rest = divmod(n_items, len(data.y_true))
    rows = np.concatenate([np.tile(np.arange(len(data.y_true)), whole), draw.permutation(len(data.y_true))[:rest]])
    columns = np.sort(draw.permutation(data.y_true.shape[1])[:n_labels])
    return Data(*(np.ascontiguousarray(part[rows][:, columns]) for part in data))


def count(data: Data, thresholds: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return tp and pp by label: the unit that times are compared with."""
    decisions = data.y_score >= thresholds
    tp = np.count_nonzero(decisions & (data.y_true == 1), axis=0)
    return tp, np.count_nonzero(decisions, axis=0)


def micro_f1(data: Data, thresholds: NDArray[Any]) -> float:
    tp, pp = count(data, thresholds)
    return float(2 * tp.sum() / (pp.sum() + data.y_true.sum(dtype=np.int64)))


def macro_f1(data: Data, thresholds: NDArray[Any]) -> float:
    tp, pp = count(data, thresholds)
    return float(np.mean(2 * tp / np.maximum(pp + data.y_true.sum(axis=0, dtype=np.int64), 1)))
