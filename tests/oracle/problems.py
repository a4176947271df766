"""Small random problems, ties first."""

import math
import random

INF = math.inf


def random_problem(seed, n_items=None, n_labels=None, unknown=False):
    """Lists y_true, y_score, thresholds, sample_weight: few distinct scores, some columns all 0 or all 1."""
    rng = random.Random(seed)
    n_items, n_labels = n_items or rng.randint(1, 9), n_labels or rng.randint(1, 4)
    grid = [-0.0, 0.0, 0.25, 0.5, math.nextafter(0.5, 1), 1.0][: rng.randint(1, 6)]
    rates = [rng.choice([0, 0.3, 0.5, 1]) for _ in range(n_labels)]
    y_true = [[int(rng.random() < rate) for rate in rates] for _ in range(n_items)]
    y_score = [[rng.choice(grid) for _ in rates] for _ in range(n_items)]
    if unknown:
        y_true = [[rng.choice([truth, truth, None, math.nan]) for truth in row] for row in y_true]
    thresholds = [rng.choice([*grid, 0.3, INF, -INF]) for _ in rates]
    sample_weight = [rng.randint(1, 9) / 4 for _ in y_true]
    return y_true, y_score, thresholds, sample_weight


def repeated(rows, times):
    return [row for row, count in zip(rows, times, strict=True) for _ in range(count)]


def column(matrix, k):
    return [row[k] for row in matrix]
