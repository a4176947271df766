"""Seconds of `limen.tune` for shapes from one label and a million rows to twenty thousand labels.

python benchmarks/shapes.py [--repeats 4]

Scores are sigmoids of normal numbers, two higher for positives. For each shape: the best of the repeats of
method="exact", in all and by score; the best shared threshold and the default method, as multiples of exact.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np

import limen

SHAPES = (
    (284, 1, 0.3),
    (5, 20_000, 0.1),
    (1_000_000, 1, 0.3),
    (1_000_000, 1, 0.03),
    (200_000, 20, 0.2),
    (200_000, 20, 0.02),
    (3_000_000, 2, 0.3),
    (20_371, 527, 0.005),
    (1_000, 20_000, 0.05),
)


def made(n_items: int, n_labels: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (uint8) and scores (float32), (n_items, n_labels) each."""
    draw = np.random.default_rng(0)
    y_true = (draw.random((n_items, n_labels)) < share).astype(np.uint8)
    logits = draw.normal(size=(n_items, n_labels)) + 2 * y_true - 2
    return y_true, (1 / (1 + np.exp(-logits))).astype(np.float32)


def seconds(y_true: np.ndarray, y_score: np.ndarray, method: str, repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        limen.tune(y_true, y_score, method=method)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=4)
    repeats = parser.parse_args().repeats
    warnings.simplefilter("ignore")
    for method in ("exact", "shared", "auto"):  # compiled, or read from the disk
        limen.tune(*made(300, 3, 0.1), method=method)
    print("| items x labels, share positive | exact, s | ns a score | shared / exact | auto, s | auto / exact |")
    print("|---|---|---|---|---|---|")
    for n_items, n_labels, share in SHAPES:
        data = made(n_items, n_labels, share)
        exact, shared, auto = (
            seconds(*data, method, tries) for method, tries in (("exact", repeats), ("shared", 2), ("auto", 2))
        )
        each = 1e9 * exact / (n_items * n_labels)
        cells = (f"{exact:.4f}", f"{each:.1f}", f"{shared / exact:.1f}", f"{auto:.2f}", f"{auto / exact:.0f}")
        print(f"| {n_items:,} x {n_labels:,}, {share:.1%} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
