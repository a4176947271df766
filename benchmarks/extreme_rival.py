"""xCOLUMNs on sparse scores, for `benchmarks/extreme.py`: run by an interpreter that has xcolumns.

python benchmarks/extreme_rival.py TRAIN TEST AVERAGE METHOD prints seconds and the F1 on both folders.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from xcolumns.block_coordinate import predict_using_bc_with_0approx
from xcolumns.frank_wolfe import find_classifier_using_fw
from xcolumns.metrics import (
    binary_f1_score_on_conf_matrix,
    macro_f1_score_on_conf_matrix,
    micro_f1_score_on_conf_matrix,
)


def read(folder: str) -> tuple[csr_matrix, csr_matrix]:
    parts = {path.stem: np.load(path) for path in Path(folder).glob("*.npy")}
    return tuple(
        csr_matrix(
            (parts[f"{part}_data"].astype(np.float32), parts[f"{part}_indices"], parts[f"{part}_indptr"]),
            shape=tuple(parts["shape"]),
        )
        for part in ("true", "score")
    )


def f1(y_true: csr_matrix, y_pred: csr_matrix, average: str) -> float:
    given = y_pred.astype(bool).astype(np.int64)
    tp, pp, p = (np.asarray(x.sum(axis=0)).ravel() for x in (y_true.multiply(given), given, y_true))
    if average == "micro":
        return float(2 * tp.sum() / (pp.sum() + p.sum()))
    return float(np.where(pp + p > 0, 2 * tp / np.maximum(pp + p, 1), 0.0).mean())


def main(train: str, test: str, average: str, method: str) -> None:
    data = read(train), read(test)
    start = time.perf_counter()
    if method == "frank-wolfe":
        metric = macro_f1_score_on_conf_matrix if average == "macro" else micro_f1_score_on_conf_matrix
        chosen = find_classifier_using_fw(*data[0], metric, k=0, max_iters=20, skip_tn=True, seed=0)
        seconds = time.perf_counter() - start
        found = [chosen.predict(y_score, seed=0) for _, y_score in data]
    else:
        found = [
            predict_using_bc_with_0approx(y_score, binary_f1_score_on_conf_matrix, k=5, skip_tn=True, seed=0)
            for _, y_score in data
        ]
        seconds = time.perf_counter() - start
    values = [f1(y_true, y_pred, average) for (y_true, _), y_pred in zip(data, found, strict=True)]
    print(json.dumps({"seconds": seconds, "train": values[0], "test": values[1]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
