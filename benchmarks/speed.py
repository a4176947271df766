"""Speed and memory of limen at AudioSet's size, as ratios within one run.

python benchmarks/speed.py --data DIR [--quick], where DIR has audioset_eval_labels.npz. Prints
markdown tables and a line for each required figure; exit code 1 if one is not met.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

import audioset
import fresh
import limen
import rivals
import torch_sgl
from audioset import Data
from report import Checks, Timing, brief, interleaved, machine, markdown, say, seconds

PACKAGES = ["limen", "numpy", "numba", "torch", "scikit-learn", "autoth", "optimal-classification-cutoffs"]
EPOCHS = 100


@dataclass
class Run:
    """The data, how much to measure, and what has been found so far."""

    data: Data
    quick: bool
    checks: Checks = field(default_factory=Checks)
    tables: list[str] = field(default_factory=list)
    unit: float = 0.0
    exact: float = 0.0

    @property
    def repeats(self) -> int:
        """Runs of what takes a fraction of a second."""
        return 5 if self.quick else 15

    def table(self, title: str, header: list[str], rows: list[list[str]], *notes: str) -> None:
        """Keep a table for the end."""
        self.tables.append("\n".join([f"### {title}", "", markdown(header, rows), *("", *notes)]).rstrip())


def tune(data: Data, **options: Any) -> limen.Thresholds:
    return limen.tune(data.y_true, data.y_score, **{"method": "exact", **options})


def exact_methods(run: Run) -> None:
    """Time the exact optimum and its parts against one counting pass of numpy."""
    data = run.data
    at = np.full(data.y_score.shape[1], 0.3, np.float32)
    curves = limen.Curves.from_arrays(data.y_true, data.y_score)
    (source,) = curves.sources
    timing = interleaved(
        {
            "numpy: apply fixed thresholds, count tp and pp by label (the unit)": lambda: audioset.count(data, at),
            "**limen exact, micro-F1**, from arrays to thresholds": lambda: tune(data),
            "- of this: curves, that is candidates and counting": lambda: limen.Curves.from_source(source),
            "- - candidates, with the check for NaN": lambda: source.candidates(),
            "- of this: Dinkelbach, and the result": lambda: limen.tune(curves, method="exact"),
            "limen exact, macro-F1": lambda: tune(data, average="macro"),
            "limen exact, micro-MCC": lambda: tune(data, metric="mcc"),
        },
        run.repeats,
    )
    run.unit, run.exact = (list(timing.values())[i].best for i in (0, 1))
    run.table(
        "Exact optimum",
        ["what", "best s", "median s", "units"],
        [[what, *_times(t), brief(t.best / run.unit)] for what, t in timing.items()],
        f"Best and median of {run.repeats} runs, interleaved; units are best over best.",
    )
    run.checks.at_most("exact micro-F1 (aim: 5)", run.exact / run.unit, 15, " units")


def surrogate_gradient(run: Run) -> None:
    """Time SGL in plain PyTorch and in limen, and compare their thresholds."""
    data = run.data
    epochs = 3 if run.quick else 6
    timing = interleaved(
        {
            "first": lambda: torch_sgl.learn(*data, epochs=1),
            "more": lambda: torch_sgl.learn(*data, epochs=1 + epochs),
            "sgl": lambda: tune(data, method="sgl"),
            "exact": lambda: tune(data),
        },
        5 if run.quick else 9,
    )
    plain = [whole_run(timing["first"], timing["more"], epochs, pick) for pick in ("best", "median")]
    sgl, exact = ([getattr(timing[name], pick) for pick in ("best", "median")] for name in ("sgl", "exact"))
    rows = [
        [f"PyTorch, {EPOCHS} epochs, extrapolated from {1 + epochs}", *_against(plain, exact)],
        ['**limen `method="sgl"`**, same start, slope and epochs', *_against(sgl, exact)],
        ["**limen exact**, micro-F1", *_against(exact, exact)],
    ]
    whole = None if run.quick else learned(data)
    if whole is not None:
        rows.insert(1, [f"PyTorch, {EPOCHS} epochs, run in full once", *_against([whole[1]] * 2, exact)])
        plain = [min(spent, whole[1]) for spent in plain]
    run.table(
        "Surrogate gradients",
        ["what", "best s", "median s", "exact is faster"],
        rows,
        f"torch uses {torch.get_num_threads()} threads. Ratios are the smaller of best over best and median over",
        "median; the three were measured in turn. The checks take PyTorch's shorter time of the two.",
    )
    run.checks.at_least("exact faster than PyTorch SGL", _times_faster(plain, exact), 300, " times")
    run.checks.at_least("limen sgl faster than PyTorch SGL", _times_faster(plain, sgl), 30, " times")
    accuracy(run, whole[0] if whole else None)


def whole_run(first: Timing, more: Timing, epochs: int, pick: str) -> float:
    """Return the seconds of a whole run from those of 1 and of 1 + ``epochs`` epochs."""
    one, some = (getattr(timing, pick) for timing in (first, more))
    return float(one + (EPOCHS - 1) * (some - one) / epochs)


def learned(data: Data, dtype: torch.dtype = torch.float32) -> tuple[Any, float]:
    """Return the thresholds of a full run of the PyTorch SGL, and its seconds."""
    say(f"PyTorch SGL, {EPOCHS} epochs, {dtype} ...")
    kept: list[Any] = []
    spent = seconds(lambda: kept.append(torch_sgl.learn(*data, epochs=EPOCHS, dtype=dtype)))
    return kept[0], spent


def accuracy(run: Run, single: Any) -> None:
    """Compare limen's SGL thresholds with PyTorch's, label by label."""
    data = audioset.sample(run.data, 4096, 527) if run.quick else run.data
    if single is None:
        single, _ = learned(data)
    double, _ = learned(data, torch.float64)
    found = tune(data, method="sgl").values.astype(np.float64)
    pairs = {"limen - PyTorch float32": found - single, "limen - PyTorch float64": found - double}
    pairs["PyTorch float32 - float64"] = single - double
    rows = [
        [what, f"{np.abs(gap).max():.2g}", f"{np.median(np.abs(gap)):.2g}", str((np.abs(gap) > 1e-3).sum())]
        for what, gap in pairs.items()
    ]
    run.table(
        f"SGL thresholds after {EPOCHS} epochs, {data.y_score.shape[0]} items x {data.y_score.shape[1]} labels",
        ["difference", "largest", "median", "labels beyond 0.001"],
        rows,
    )
    run.checks.at_most("limen sgl thresholds against PyTorch", float(np.abs(found - single).max()), 1e-3)


def other_packages(run: Run) -> None:
    """Time other packages, and see whether their thresholds reach the optimum."""
    data = audioset.sample(run.data, 20371, 32) if run.quick else run.data
    say("scikit-learn, optimal-classification-cutoffs, autoth ...")
    macro(run, data)
    shared(run, data)
    numerical(run)


def macro(run: Run, data: Data) -> None:
    best = tune(data, average="macro")
    kept: dict[str, Any] = {}
    spent = {
        "limen exact": interleaved({"": lambda: tune(data, average="macro")}, run.repeats)[""].best,
        "scikit-learn `precision_recall_curve`": seconds(lambda: kept.update(sk=rivals.sklearn_macro(data))),
        "optimal-classification-cutoffs": seconds(lambda: kept.update(oc=rivals.cutoffs_macro(data))),
    }
    thresholds = dict(zip(spent, (best.values, kept["sk"], kept["oc"][0]), strict=True))
    rows = []
    for what, t in thresholds.items():
        short = best.value - audioset.macro_f1(data, t)
        rows.append([what, f"{spent[what]:.3f}", brief(spent[what] / spent["limen exact"]), f"{short:.1e}"])
        if what != "limen exact":
            text = f"macro-F1 of {what}: required that it does not exceed limen's, measured {short:.1e} below"
            run.checks.add(short >= -1e-12, text)
    run.table(
        f"Macro-F1, {data.y_score.shape[1]} labels",
        ["what", "s", "limen is faster", "short of the optimum"],
        rows,
        f"The optimum is {best.value:.6f}. Others loop over the labels, one run each.",
    )


def shared(run: Run, data: Data) -> None:
    kept: dict[str, Any] = {}
    ours = seconds(lambda: kept.update(limen=tune(data, method="shared")))
    theirs = seconds(lambda: kept.update(oc=rivals.cutoffs_shared(data)))
    reached = kept["limen"].value, audioset.micro_f1(data, kept["oc"])
    run.table(
        f"One threshold shared by all labels, micro-F1, {data.y_score.shape[1]} labels",
        ["what", "s", "micro-F1"],
        [
            ['limen `method="shared"`', f"{ours:.3f}", f"{reached[0]:.6f}"],
            ["optimal-classification-cutoffs, all scores in one column", f"{theirs:.3f}", f"{reached[1]:.6f}"],
        ],
        "optimal-classification-cutoffs 0.6.0 has no micro-F1 over per-label thresholds of multi-label data: its",
        "micro average is one shared threshold, and its coordinate ascent is for one class an item.",
    )


def numerical(run: Run) -> None:
    """Time numerical gradients, always on all labels."""
    n_labels = 16 if run.quick else 64
    theirs = rivals.autoth_epoch_seconds(run.data, n_labels) * EPOCHS
    ours = seconds(lambda: tune(run.data, method="numerical"))
    run.table(
        f"Numerical gradients, {EPOCHS} epochs",
        ["what", "s", "limen is faster"],
        [
            [f"autoth, extrapolated from {n_labels} labels of one epoch", brief(theirs), brief(theirs / ours)],
            ['limen `method="numerical"`', brief(ours), "1"],
            ["limen exact", brief(run.exact), brief(ours / run.exact)],
        ],
    )


def memory(run: Run) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = fresh.memory(run.data, Path(folder))
    inputs = found["inputs"]
    rows = [
        [what, f"{found[key] / 2**20:.1f}", f"{found[key] / inputs:.3f}"]
        for what, key in (
            ("inputs: float32 scores, int8 labels", "inputs"),
            ("peak resident memory above the inputs", "resident"),
            ("peak of traced allocations (tracemalloc)", "traced"),
        )
    ]
    run.table("Memory of the exact optimum", ["what", "MiB", "of the inputs"], rows)
    run.checks.at_most("peak extra memory, resident", found["resident"] / inputs, 0.5, " of the inputs")
    run.checks.at_most("peak extra memory, traced", found["traced"] / inputs, 0.5, " of the inputs")


def scaling(run: Run) -> None:
    """Time a score at four numbers of items, and at four numbers of labels."""
    n_items, n_labels = run.data.y_score.shape
    by_items = [(n, n_labels) for n in (n_items // 4, n_items // 2, n_items, 2 * n_items)]
    by_labels = [(n_items, k) for k in (n_labels // 8, n_labels // 4, n_labels // 2, n_labels)]
    parts = {size: audioset.sample(run.data, *size) for size in by_items + by_labels}
    timing = interleaved({str(size): lambda part=part: tune(part) for size, part in parts.items()}, run.repeats)
    per_score = {size: 1e9 * timing[str(size)].best / (size[0] * size[1]) for size in parts}
    rows = [[f"{n} x {k}", *_times(timing[str((n, k))]), f"{ns:.1f}"] for (n, k), ns in per_score.items()]
    run.table("Scaling of exact micro-F1", ["items x labels", "best s", "median s", "ns per score"], rows)
    for what, sizes in (("items", by_items), ("labels", by_labels)):
        of_series = [per_score[size] for size in sizes]
        what = f"time per score over 8-fold {what}, largest / smallest"
        run.checks.at_most(what, max(of_series) / min(of_series), 2)


def start_up(run: Run) -> None:
    repeats = 3 if run.quick else 9
    rows = []
    imported = {}
    for module in ("numpy", "limen", "limen.tuning"):
        timing = Timing(tuple(fresh.import_seconds(module) for _ in range(repeats)))
        imported[module] = timing.best
        rows.append([f"`import {module}`", *_times(timing)])
    with tempfile.TemporaryDirectory() as cache:
        first = fresh.first_use_seconds(Path(cache))
        again = Timing(tuple(fresh.first_use_seconds(Path(cache)) for _ in range(3)))
    rows.append(["first `tune` of a fresh process, nothing compiled", f"{first:.3f}", "-"])
    rows.append(["first `tune` of a fresh process, compiled before", *_times(again)])
    run.table(
        "Start-up",
        ["what", "best s", "median s"],
        rows,
        "`import limen` is lazy: numpy and the rest come when a name is first used, as `limen.tuning` does.",
        "The first `tune` includes importing limen and numba, not numpy.",
    )
    run.checks.at_most("import limen", imported["limen"], 0.2, " s")
    beyond = imported["limen.tuning"] - imported["numpy"]
    run.checks.at_most("import limen.tuning, less import numpy", beyond, 0.2, " s")
    run.checks.at_most("first use with nothing compiled", first, 10, " s")


def _times(timing: Timing) -> list[str]:
    return [f"{timing.best:.4f}", f"{timing.median:.4f}"]


def _against(spent: Sequence[float], exact: Sequence[float]) -> list[str]:
    return [f"{spent[0]:.3f}", f"{spent[1]:.3f}", brief(_times_faster(spent, exact))]


def _times_faster(slow: Sequence[float], fast: Sequence[float]) -> float:
    """Return the smaller of the ratios of the best and of the median runs."""
    return min(s / f for s, f in zip(slow, fast, strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with audioset_eval_labels.npz")
    parser.add_argument("--quick", action="store_true", help="fewer repeats, smaller comparisons: about a minute")
    arguments = parser.parse_args()
    run = Run(audioset.load(arguments.data), arguments.quick)
    for part in (exact_methods, surrogate_gradient, other_packages, memory, scaling, start_up):
        say(f"{part.__name__} ...")
        part(run)
    n_items, n_labels = run.data.y_score.shape
    size = f"{n_items} items x {n_labels} labels, float32"
    print(f"{size}: {audioset.SAYS}.", machine(PACKAGES), f"Load {os.getloadavg()[0]:.1f}.", sep="\n")
    print("", *run.tables, str(run.checks), sep="\n\n")
    return run.checks.exit_code


if __name__ == "__main__":
    sys.exit(main())
