"""Events of held-out soundscapes: what each way to settings and thresholds gives, and how long counting takes.

python benchmarks/events.py --data DIR [--subsets 6] [--sets esc10 fsdd] [--criteria collar intersection segment]
python benchmarks/events.py --data DIR --speed

Tuned on one part of `sound_events.npz` and measured on the other, both ways; `--subsets` times on 60 random
soundscapes. `--speed` counts 600 soundscapes of 10 labels at 87 settings, in a process of its own, with its
memory.
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from pathlib import Path

import numpy as np

import limen
from events_peers import CRITERIA, soundscapes
from limen.events import Events, FrameScores, Setting, evaluate, event_curves, settings_grid, tune
from limen.events.detecting import detect
from limen.events.problem import as_curves
from limen.objectives import objective
from limen.solvers import Dinkelbach, Problem
from report import markdown

MEDIAN = Setting(median=0.36)
WAYS = ("0.5, median 9", "shared cut, median 9", "cut by label, median 9", "shared", "exact", "auto")


def given(way: str) -> dict:
    """Return the options of `tune` for a way."""
    fixed = {"settings": MEDIAN} if "median" in way else {}
    return fixed | {"method": {"shared cut": "shared", "cut by label": "exact"}.get(way.split(",")[0], way)}


def held_out(
    way: str, here: tuple[FrameScores, Events], there: tuple[FrameScores, Events], criterion: object
) -> float:
    """Return micro-F1 in per cent on the other part."""
    scores, events = there
    if way.startswith("0.5"):
        cuts = np.zeros(scores.n_labels)
        found = detect(scores, [MEDIAN] * scores.n_labels, cuts, cuts)
    else:
        found = tune(*here, criterion=criterion, **given(way)).decide(scores)
    return 100 * evaluate(events, found, criterion, durations=scores).value


def some(part: tuple[FrameScores, Events], seed: int) -> tuple[FrameScores, Events]:
    scores, events = part
    chosen = np.sort(np.random.default_rng(100 + seed).choice(len(scores.names), 60, replace=False))
    names = [scores.names[i] for i in chosen]
    return scores.take(names), events.take(names)


def table(data: Path, sets: list[str], criteria: list[str], subsets: int) -> None:
    rows, worst = [], 0.0
    for size in (600, 60) if subsets else (600,):
        for name in sets:
            parts = {part: soundscapes(data, name, part) for part in ("tune", "test")}
            for key in criteria:
                values = {way: [] for way in WAYS}
                for here, there in (("tune", "test"), ("test", "tune")):
                    tuned_on = [parts[here]] if size == 600 else [some(parts[here], j) for j in range(subsets)]
                    cell = {
                        way: np.mean([held_out(way, each, parts[there], CRITERIA[key]) for each in tuned_on])
                        for way in WAYS
                    }
                    for way in WAYS:
                        values[way].append(cell[way])
                    if size == 60:
                        worst = min(worst, cell["auto"] - cell["shared"])
                rows.append([f"{name}, {key}, {size} tuned", *(float(np.mean(values[way])) for way in WAYS)])
                print(rows[-1][0], *(f"{value:.2f}" for value in rows[-1][1:]), flush=True)
    for size in (600, 60):
        own = [row[1:] for row in rows if row[0].endswith(f" {size} tuned")]
        if own:
            rows.append([f"mean of {len(own)}, {size} tuned", *np.mean(own, axis=0).tolist()])
    print(markdown(["mean of both ways", *WAYS], [[row[0], *(f"{v:.1f}" for v in row[1:])] for row in rows]))
    if subsets:
        print(f"60 tuned: auto is below shared by {-worst:.2f} at most in any cell")


def speed(data: Path) -> None:
    """Print how long counting and choosing take."""
    scores, events = soundscapes(data, "esc10", "tune")
    grid = [*settings_grid(), *(Setting(median=m, shortest=0.2) for m in (0, 0.12, 0.2, 0.28, 0.36, 0.52))]
    for criterion in CRITERIA.values():
        event_curves(scores.take(scores.names[:2]), events.take(scores.names[:2]), grid[:4], criterion)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.process_time()
        curves = event_curves(scores, events, grid, criterion)
        counted = time.process_time() - start
        start = time.process_time()
        reduced, _ = as_curves(curves)
        middle = time.process_time()
        Dinkelbach().solve(Problem(objective(), (), reduced))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(
            f"{criterion}: {len(grid)} settings, {len(curves.cuts):,} candidates in {counted:.1f} s; reduced in "
            f"{middle - start:.2f} s, Dinkelbach {time.process_time() - middle:.4f} s; peak {peak / 1024:.0f} MiB "
            f"({before / 1024:.0f} before)",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with sound_events.npz")
    parser.add_argument("--sets", nargs="+", default=["esc10", "fsdd"])
    parser.add_argument("--criteria", nargs="+", default=list(CRITERIA))
    parser.add_argument("--subsets", type=int, default=6)
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore", limen.LimenWarning)
    if options.speed:
        speed(options.data)
    else:
        table(options.data, options.sets, options.criteria, options.subsets)


if __name__ == "__main__":
    main()
