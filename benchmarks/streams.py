"""Data read once: how wide the bounds are, what they take, and how fast blocks are read.

python benchmarks/streams.py --data DIR [--only widths|speed|held-out] [--items 1000000]
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import audioset
import limen
from limen.streams import Summary, certified

BINS = (16, 64, 256, 1024)
Blocks = list[tuple[NDArray[Any], NDArray[Any]]]


def cut_up(y_true: NDArray[Any], y_score: NDArray[Any], scores: int = 1 << 22) -> Blocks:
    step = max(1, scores // y_true.shape[1])
    return [(y_true[i : i + step], y_score[i : i + step]) for i in range(0, len(y_true), step)]


def simulated(n_items: int, n_labels: int, seed: int = 0) -> Blocks:
    """Return blocks of probabilities; labels are from 0.1 to 20 % of the items."""
    draw = np.random.default_rng(seed)
    share = np.geomspace(0.001, 0.2, n_labels).astype(np.float32)
    blocks, step = [], (1 << 22) // n_labels
    for start in range(0, n_items, step):
        shape = (min(step, n_items - start), n_labels)
        y_true = (draw.random(shape, np.float32) < share).astype(np.int8)
        logits = draw.standard_normal(shape, np.float32) + 1.5 * y_true + np.log(share)
        blocks.append((y_true, (1 / (1 + np.exp(-logits))).astype(np.float32)))
    return blocks


def data_sets(folder: Path, n_items: int) -> Iterator[tuple[str, Blocks]]:
    with np.load(folder / "dcase2017.npz", allow_pickle=False) as file:
        yield "DCASE2017, 488 x 17", cut_up(file["val_labels"], file["val_scores"])
    yield f"20 371 x 527, {audioset.SAYS}", cut_up(*audioset.load(folder))
    yield f"{n_items} x 50, simulated", simulated(n_items, 50)


def widths(folder: Path, n_items: int) -> None:
    """Print what is certain, the optimum, and the bound; and how many readings in all prove the optimum."""
    cells = " | ".join(f"{average}-F1: certain, optimum, bound | doubt" for average in ("micro", "macro"))
    print(f"| data | bins | bytes a label | {cells} | proven in |")
    print("|---|---|---|---|---|---|---|---|")
    for name, blocks in data_sets(folder, n_items):
        for bins in BINS:
            summary = Summary.of(iter(blocks), bins=bins)
            row, needed = [name, str(bins), str(summary.nbytes // blocks[0][0].shape[1])], []
            for average in ("micro", "macro"):
                t = limen.tune(summary, average=average, method="exact")
                readings, optimum = proven(summary, blocks, average)
                row += [
                    f"{t.value:.5f}, {optimum:.5f}, {t.upper_bound:.5f}",
                    f"{100 * (t.upper_bound - t.value):.3f}",
                ]
                needed.append(str(readings))
            print(f"| {' | '.join(row)} | {' and '.join(needed)} |")


def proven(summary: Summary, blocks: Blocks, average: str) -> tuple[int, float]:
    """Return how many readings in all prove the optimum, and the optimum."""
    for more in range(6):
        t = limen.tune(certified(summary, blocks, average=average, readings=more), average=average, method="exact")
        if t.status == "optimal":
            break
    return 1 + more, t.value


def speed(n_items: int) -> None:
    """Print megabytes of scores for each second of processor time, all threads together."""
    print("| bins | reading and summing | summary | read again | from summary to thresholds |")
    print("|---|---|---|---|---|")
    blocks = simulated(n_items, 50)
    megabytes = sum(y_score.nbytes for _, y_score in blocks) / 1e6
    limen.tune(certified(Summary.of(blocks[:1], bins=16), blocks[:1]), method="exact")
    for bins in BINS:
        times: list[list[float]] = [[], [], [], []]
        for _ in range(5):
            marks = [time.process_time()]
            for y_true, y_score in blocks:
                y_score.sum(), np.count_nonzero(y_true)
            marks.append(time.process_time())
            summary = Summary.of(iter(blocks), bins=bins)
            marks.append(time.process_time())
            certified(summary, iter(blocks))
            marks.append(time.process_time())
            limen.tune(summary, method="exact")
            marks.append(time.process_time())
            for own, seconds in zip(times, np.diff(marks), strict=True):
                own.append(float(seconds))
        best = [min(own) for own in times]
        rates = [f"{megabytes / seconds:.0f} MB/s" for seconds in best[:3]]
        print(f"| {bins} | {' | '.join(rates)} | {best[3]:.2f} s |")
    start = time.process_time()
    limen.tune(limen.Curves.from_chunks(blocks), method="exact")
    print(f"\nexact, from blocks that are read twice: {megabytes / (time.process_time() - start):.0f} MB/s")


def held_out(folder: Path, draws: int = 6) -> None:
    """Print held-out F1 of `auto` on bins less that on scores, in points, halves of each data set."""
    print("| data | micro | macro |")
    print("|---|---|---|")
    for name in ("spoken_tags", "emotions", "birds", "cal500", "dcase2017", "dcase2019"):
        with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
            keys = (
                [("scores", "labels")]
                if "scores" in file
                else [(f"{p}_scores", f"{p}_labels") for p in ("val", "eval")]
            )
            y_score, y_true = (np.concatenate([file[pair[k]] for pair in keys]) for k in range(2))
        cells = []
        for average in ("micro", "macro"):
            gaps = []
            for draw in range(draws):
                order = np.random.default_rng(draw).permutation(len(y_true))
                first, second = np.array_split(order, 2)
                bins = Summary.of([(y_true[first], y_score[first])])
                found = [
                    limen.evaluate(y_true[second], y_score[second], t).value
                    for t in (
                        limen.tune(bins, average=average),
                        limen.tune(y_true[first], y_score[first], average=average),
                    )
                ]
                gaps.append(100 * (found[0] - found[1]))
            cells.append(f"{np.mean(gaps):+.2f} ({min(gaps):+.2f} to {max(gaps):+.2f})")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    warnings.simplefilter("ignore", limen.LimenWarning)
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", choices=["widths", "speed", "held-out"])
    parser.add_argument("--items", type=int, default=1_000_000)
    given = parser.parse_args()
    if given.only in (None, "widths"):
        widths(given.data, given.items)
    if given.only in (None, "speed"):
        speed(given.items)
    if given.only in (None, "held-out"):
        held_out(given.data)
