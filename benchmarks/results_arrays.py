"""Results of limen's functions on arrays: formulas, methods, options, and all that measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import limen
from limen import metrics, solvers
from limen.learning_curve import learning_curve
from limen.shift import estimate_prevalence
from results_digests import Results

try:
    from limen.datasets import spoken_tags
except ImportError:  # before the reorganisation
    from limen.data import spoken_tags

AVERAGES = ("micro", "macro", "weighted")
METHODS = (*solvers.METHODS, "fixed:0.3", "top-k:2")
SOME_METRICS = ("f1", "mcc", {"name": "fbeta", "beta": 2.5}, "kappa", {"name": "cost", "fp": 1, "fn": 3}, "g_mean")
SLOW = "random-search"


def counted() -> tuple[str, ...]:
    """Return the names of the metrics of counts by label: those of whole items have no exact solver."""
    return tuple(name for name in metrics.METRICS if not metrics.get(name).of_whole_items)


@dataclass(frozen=True)
class Data:
    """Labels, scores and label names of a problem."""

    y_true: Any
    y_score: Any
    labels: tuple[str, ...]

    @property
    def pair(self) -> tuple[Any, Any]:
        """Labels and scores, as limen's functions begin."""
        return self.y_true, self.y_score


def made(
    seed: int,
    n_items: int = 200,
    n_labels: int = 5,
    *,
    dtype: str = "float64",
    logits: bool = False,
    decimals: int | None = None,
) -> Data:
    """Return a problem of rare and frequent labels, some easy and some hard."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((n_items, n_labels)) < np.linspace(0.08, 0.45, n_labels)).astype(np.int64)
    gain = np.linspace(0.5, 3, n_labels)[::-1]
    scores = rng.normal(size=truth.shape) * 1.3 + gain * truth - np.linspace(2.5, 0.5, n_labels)
    scores = scores if logits else 1 / (1 + np.exp(-scores))
    scores = scores if decimals is None else np.round(scores, decimals)
    return Data(truth, scores.astype(dtype), tuple(f"tag {chr(97 + k)}" for k in range(n_labels)))


def with_truth(data: Data, seed: int, kind: str) -> Data:
    """Return a problem with labels unknown here and there, or with labels of no, of one and of only positives."""
    truth = data.y_true.astype(np.float32)
    if kind == "unknown":
        truth[np.random.default_rng(seed).random(truth.shape) < 0.15] = np.nan
    else:
        truth[:, 0], truth[:, 2], truth[1:, 3] = 0, 1, 0
        truth[0, 3] = 1
    return Data(truth, data.y_score, data.labels)


def problems() -> dict[str, Data]:
    signed = made(9, decimals=0, logits=True)
    return {
        **{f"probabilities {dtype}": made(1, dtype=dtype) for dtype in ("float16", "float32", "float64")},
        **{f"logits {dtype}": made(2, dtype=dtype, logits=True) for dtype in ("float16", "float32", "float64")},
        "tied": made(3, decimals=1),
        "tied logits": Data(signed.y_true, np.where(signed.y_score == 0, -0.0, signed.y_score), signed.labels),
        "unknown": with_truth(made(4, dtype="float32"), 4, "unknown"),
        "without positives": with_truth(made(5), 5, "without"),
        "hardly outside": Data(made(6).y_true, made(6).y_score * 1.02, made(6).labels),
        "constant": Data(made(7).y_true, np.full_like(made(7).y_score, 0.5), made(7).labels),
        "one label": made(8, n_labels=1),
        "few items": made(11, 7, 3, decimals=1),
    }


DATA = problems()
PLAIN = DATA["probabilities float64"]


def named(metric: Any) -> str:
    return metric if isinstance(metric, str) else metric["name"]


def tuned(data: Data, **options: Any) -> dict[str, Any]:
    """Return the thresholds, and their decisions on the same scores."""
    found = limen.tune(*data.pair, labels=data.labels, **options)
    return {"thresholds": found, "decided": found.decide(data.y_score), "value": found.value}


def formulas(results: Results) -> None:
    """Each metric alone: values, gradients and averages of counts."""
    rng = np.random.default_rng(20)
    n = rng.integers(1, 60, 300)
    p = (n * rng.random(300)).astype(np.int64)
    tp = (p * rng.random(300)).astype(np.int64)
    pp = tp + ((n - p) * rng.random(300)).astype(np.int64)
    edges = np.array([(0, 0, 0, 5), (0, 5, 0, 5), (0, 0, 5, 5), (5, 5, 5, 5), (2, 2, 5, 5), (0, 3, 2, 5)]).T
    counts = [np.concatenate(pair) for pair in zip((tp, pp, p, n), edges, strict=True)]
    parameters = (*counted(), {"name": "fbeta", "beta": 0.3}, {"name": "cost", "fp": 2.5, "fn": 0.5})
    costs = rng.random((2, len(counts[0])))
    for name in (*parameters, {"name": "cost", "fp": costs[0].tolist(), "fn": costs[1].tolist()}):
        metric = metrics.get(name)
        title = name if isinstance(name, str) else f"{metric.name} {str(list(name.values())[1:])[:24]}"
        for zero in (0.0, 0.5, 1.0):
            for kind in (np.int64, np.float64):
                at = [count.astype(kind) for count in counts]
                results.keep(
                    f"formula/{title}/{zero}/{np.dtype(kind)}",
                    lambda metric=metric, at=at, zero=zero: {
                        "value": metric(*at, zero),
                        "gradient": metric.gradient(*at, zero),
                        "pooled": metric.pooled(*at, zero),
                        "pooled gradient": metric.pooled_gradient(*at, zero),
                        "spec": metric.spec,
                        "title": str(metric),
                        "structure": metric.structure,
                    },
                )


def methods(results: Results) -> None:
    """Every method with several metrics, and the exact one with all; what `choose` says."""
    for average in AVERAGES:
        for metric in counted():
            results.keep(
                f"choose/{metric}/{average}", lambda m=metric, a=average: str(solvers.choose(m, a, "exact"))
            )
            for name in ("probabilities float64", "tied", "unknown", "without positives"):
                options = {"metric": metric, "average": average, "method": "exact"}
                results.keep(f"tune/{name}/exact/{metric}/{average}", tuned, DATA[name], **options)
        for method in METHODS:
            for metric in SOME_METRICS[:1] if method == SLOW else SOME_METRICS:
                key = f"tune/methods/{method}/{named(metric)}/{average}"
                results.keep(key, tuned, PLAIN, metric=metric, average=average, method=method)


def data_kinds(results: Results) -> None:
    """Every method on every kind of data."""
    for name, data in DATA.items():
        for method in METHODS:
            for metric, average in (("f1", "micro"), ("f1", "macro")):
                if method != SLOW or (average == "micro" and name in ("logits float32", "tied", "unknown")):
                    options = {"metric": metric, "average": average, "method": method, "random_state": 3}
                    results.keep(f"tune/data/{name}/{method}/{average}", tuned, data, **options)
    y_true, y_score, labels = spoken_tags()
    spoken = Data(y_true, y_score, labels)
    results.keep("spoken/data", lambda: {"y_true": y_true, "y_score": y_score, "labels": labels})
    for method in ("exact", "auto", "sgl", "shared", "calibrated", "bagged"):
        for average in ("micro", "macro"):
            results.keep(f"spoken/{method}/{average}", tuned, spoken, method=method, average=average)


def options(results: Results) -> None:
    """Every option of `tune` with the methods that heed it."""
    rng = np.random.default_rng(30)
    data, n_items = PLAIN, len(PLAIN.y_true)
    shares = {"tag a": 0.3, "tag d": 0.05}
    costs = {"name": "cost", "fp": [1, 2, 0.5, 1, 3], "fn": [2, 1, 1, 0.25, 1]}
    every: dict[str, dict[str, Any]] = {
        "sample_weight": {"sample_weight": rng.random(n_items)},
        "whole weights": {"sample_weight": rng.integers(0, 4, n_items)},
        "mask": {"mask": rng.random(data.y_true.shape) < 0.8},
        "weight and mask": {"sample_weight": rng.random(n_items), "mask": rng.random(data.y_true.shape) < 0.8},
        "groups": {"groups": np.arange(n_items) // 7},
        "text groups": {"groups": [f"clip {row // 9}" for row in range(n_items)]},
        "prevalence": {"target_prevalence": np.array([0.2, np.nan, 0.5, 0.1, 0.3])},
        "prevalence by name": {"target_prevalence": shares},
        "placement": {"placement": "score"},
        "zero_division": {"zero_division": 1.0},
        "costs": {"metric": costs},
        "costs macro": {"metric": costs, "average": "macro"},
        "random_state": {"random_state": 17},
        "weighted groups": {"sample_weight": rng.random(n_items), "groups": np.arange(n_items) % 12},
    }
    for name, given in every.items():
        for method in METHODS:
            if method != SLOW:
                results.keep(f"tune/options/{name}/{method}", tuned, data, method=method, **given)
    for at_least in (10, 30, 1000):
        results.keep(f"tune/options/min_positive/{at_least}", tuned, data, min_positive=float(at_least))
    rare = DATA["without positives"]
    for average in AVERAGES:
        given = {"average": average, "zero_division": 1.0, "sample_weight": rng.random(n_items)}
        for method in ("exact", "auto", "shrunk"):
            results.keep(f"tune/options/rare/{method}/{average}", tuned, rare, method=method, **given)
    sgl, numerical = solvers.SurrogateGradient, solvers.Numerical
    shapes = ("sigmoid", "fast-sigmoid", "arctan", "triangle", "truncated-cosine")
    made_solvers = [
        *(sgl(surrogate=shape, epochs=20) for shape in shapes),
        *(sgl(space=space, start=start, epochs=20) for space in ("logit", "rank") for start in (0.4, "shared")),
        sgl(learn_slope=True, epochs=20),
        sgl(batch_size=32, epochs=5),
        sgl(keep="best", start=[0.1, 0.2, 0.3, 0.4, 0.5]),
        sgl(bins=16, epochs=20),
        sgl(bins=None, learning_rate=0.05, slope=10.0),
        numerical(start="shared", epochs=20),
        numerical(step=0.02, max_search=4, bins=64, epochs=20),
        solvers.RandomSearch(rounds=1, bins=64),
        solvers.Shared(most=20),
        solvers.Bagged(samples=7),
        solvers.Smoothed(bandwidth=0.5, grid=40),
        solvers.Shrunk(strength=5.0),
        solvers.Auto(folds=3, samples=9, temperature=0.5),
    ]
    for number, solver in enumerate(made_solvers):
        for average in ("micro", "macro"):
            for name in ("probabilities float64", "logits float32"):
                key = f"tune/solvers/{number} {solver.name}/{average}/{name}"
                results.keep(key, tuned, DATA[name], method=solver, average=average)


def measuring(results: Results) -> None:
    """Thresholds evaluated, compared, saved; the frontier, the learning curve, prevalences."""
    rng = np.random.default_rng(40)
    test = made(50)
    n_items = len(test.y_true)
    weight, groups = rng.random(n_items), np.arange(n_items) // 5
    exact = limen.tune(*PLAIN.pair, labels=PLAIN.labels, method="exact")
    shared = limen.tune(*PLAIN.pair, labels=PLAIN.labels, method="shared", average="macro", metric="jaccard")
    ranked = limen.tune(*PLAIN.pair, labels=PLAIN.labels, method="top-k")
    vector = [0.1, 0.2, np.inf, 0.4, 0.5]
    for name, given in {
        "exact": exact,
        "shared": shared,
        "top-k": ranked,
        "number": 0.4,
        "vector": vector,
    }.items():
        for kind, settings in {
            "plain": {},
            "none": {"average": "none"},
            "other metric": {"metric": "mcc", "average": "weighted", "zero_division": 1.0},
            "baseline": {"baseline": 0.5, "random_state": 2},
            "groups": {"groups": groups, "baseline": shared},
            "weights": {"sample_weight": weight, "mask": rng.random(test.y_true.shape) < 0.9},
            "macro": {"average": "macro", "baseline": exact, "metric": {"name": "fbeta", "beta": 0.5}},
        }.items():
            results.keep(
                f"evaluate/{name}/{kind}", limen.evaluate, *test.pair, given, labels=test.labels, **settings
            )
    results.keep("evaluate/tuning data", limen.evaluate, *PLAIN.pair, exact)
    results.keep("evaluate/one item", limen.evaluate, test.y_true[:1], test.y_score[:1], 0.5)
    half = np.arange(n_items // 2)
    pairs = [(half, half + n_items // 2), (half + n_items // 2, half)]
    fast: dict[str, Any] = {"methods": ("fixed:0.5", "shared", "exact", "pcut", "mcut", "top-k", "calibrated")}
    for kind, settings in {
        "default": {},
        "cv": {**fast, "cv": 3, "average": "macro", "metric": "mcc"},
        "repeats": {**fast, "repeats": 2, "random_state": 5},
        "pairs": {**fast, "cv": pairs},
        "masks": {**fast, "cv": [(groups < 20, groups >= 20)]},
        "groups": {"methods": ("exact", "auto"), "groups": groups, "cv": 4},
        "weights": {**fast, "sample_weight": weight, "zero_division": 1.0, "average": "weighted"},
        "named": {"methods": {"a": "exact", "b": solvers.Shared(most=9)}, "n_jobs": 2},
        "mask": {**fast, "mask": rng.random(test.y_true.shape) < 0.9},
    }.items():
        results.keep(f"compare/{kind}", limen.compare, *test.pair, **settings)
    results.keep("compare/unknown", limen.compare, *DATA["unknown"].pair, **fast)
    for kind, settings in {
        "default": {},
        "exact": {"method": "exact", "shares": (0.3, 1.0), "average": "macro"},
        "groups": {"method": "shared", "groups": groups, "cv": 4, "random_state": 6},
        "weights": {"method": "exact", "sample_weight": weight, "metric": "mcc", "zero_division": 0.5},
    }.items():
        results.keep(f"learning curve/{kind}", learning_curve, *test.pair, **settings)
    for name, data in DATA.items():
        results.keep(f"frontier/{name}", limen.frontier, *data.pair, labels=data.labels)
        new = data.y_score[len(data.y_score) // 3 :]
        for damping in (0.5, 1.0):
            results.keep(f"prevalence/{name}/{damping}", estimate_prevalence, *data.pair, new, damping=damping)
    results.keep("frontier/weights", limen.frontier, *test.pair, sample_weight=weight)
    front = limen.frontier(*test.pair)
    for point in (0, len(front) // 2, -1):
        for metric, placement in (("f1", "midpoint"), ("mcc", "score")):
            results.keep(
                f"frontier/point {point}/{metric}", front.thresholds, point, metric=metric, placement=placement
            )
    for name, found in {"exact": exact, "shared": shared, "top-k": ranked}.items():
        table: Callable[[], Any] = found.columns
        results.keep(f"thresholds/table/{name}", table)
        results.keep(f"thresholds/read back/{name}", lambda t=found: limen.Thresholds.from_dict(t.to_dict()))
        results.keep(
            f"thresholds/decide one/{name}", lambda t=found: t.decide(np.array([[0.3, 0.4, 0.1, 0.2, 0.9]]))
        )


PARTS = (formulas, methods, data_kinds, options, measuring)
