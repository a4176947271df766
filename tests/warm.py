"""Compile the kernels once, before the documentation's processes and the tests' workers would each do it alone.

Numba keeps what it compiles on disk; two processes that need the same kernel at the same time both compile it.
"""

import warnings

import numpy as np

import limen
from limen.constraints import MinPrecision, SameThreshold
from limen.datasets import spoken_tags


def main() -> None:
    """Use each part once, on scores of both widths, with and without weights."""
    warnings.simplefilter("ignore", limen.LimenWarning)
    truth, scores, names = spoken_tags()
    truth = truth[:300]
    weight = np.where(np.arange(300) % 3, 1.0, 0.5)
    groups = np.arange(300) // 2
    for wide in (np.float32, np.float64):
        part = scores[:300].astype(wide)
        for weights in (None, weight):
            for average in ("micro", "macro"):
                limen.tune(truth, part, method="exact", average=average, sample_weight=weights)
                tuned = limen.tune(truth, part, average=average, sample_weight=weights)
        limen.evaluate(truth, part, tuned, baseline=0.5, groups=groups)
        for method in ("shared", "shrunk", "bagged", "calibrated", "sgl", "numerical"):
            limen.tune(truth, part, method=method)
        limen.tune(truth, part, average="samples")
        limen.tune(truth, part, method="expected-f", average="samples")
        for constraints in ([MinPrecision(0.5)], [MinPrecision(0.6, per="all")], [SameThreshold(names[:2])]):
            limen.tune(truth, part, constraints=constraints, labels=names)
        limen.guarantee(truth, part, precision=0.7)
        limen.guarantee(truth, part, recall=0.7, groups=groups)


if __name__ == "__main__":
    main()
