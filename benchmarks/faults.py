"""Try damaged files, wrong options and full disks: does limen ever answer wrongly, or not at all.

``python benchmarks/faults.py --inputs 10000 --seed 1`` tries so many inputs, and prints how many of each kind end
in a clear error (exit 1 or 2, one message that names the file), in a right result (that of the whole file, or of a
plain file with what an independent reader finds in the damaged one), in an odd one (an unclear error, stray files,
a refusal of what is right), silently wrong, in a traceback, or never (a crash, or over the limit). The exit status
is 1 if there is any but clear and right. ``--replay KIND:NUMBER`` runs one of them again and says all about it.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", HF_HUB_OFFLINE="1")

import argparse
import multiprocessing
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import faults_cases as cases
import faults_files as files
import faults_surroundings as around
from faults_cases import Outcome, Trial
from faults_counts import stored_counts
from faults_run import run

CLASSES = ("clear", "right", "odd", "silent", "traceback", "hang")
FORMS = sorted({form for forms in files.FORMS.values() for form in forms.split()})
KINDS: dict[str, tuple[float, Any]] = {
    **{f"file {form}": (4, cases.tables(form)) for form in FORMS},
    "query": (3, cases.queries),
    "thresholds.json": (12, cases.thresholds),
    "curves": (4, stored_counts("curves")),
    "candidates": (3, stored_counts("candidates")),
    "groups": (4, cases.pairs("--groups", "groups.csv")),
    "prevalence": (4, cases.pairs("--target-prevalence", "shares.csv")),
    "detections": (5, cases.birdnet),
    "species list": (1.5, cases.species),
    "config.json": (2, cases.config),
    "model.onnx": (3, cases.models),
    "options": (8, around.options),
    "same file": (2, around.same_files),
    "full disk": (2, around.disks),
    "folder": (2, around.folders),
}
PROCESSES: dict[str, tuple[float, Any]] = {"lost output": (0.4, around.lost_output)}
ALL = {**KINDS, **PROCESSES}


class Result(NamedTuple):
    """How an input ended: its class, what it was, and what is wrong."""

    sort: str
    what: str
    wrong: str = ""


def tried(kind: str, number: int, seed: int, base: Path, room: Path, limit: float) -> Result:
    """Return how an input of a kind ends."""
    draw = np.random.default_rng([seed, sorted(ALL).index(kind), number])
    with around.new_folder(room, f"{kind.replace(' ', '_')}_{number}".replace(".", "")) as folder:
        if kind in PROCESSES:
            return Result(*PROCESSES[kind][1](draw, base, folder, limit))
        trial: Trial = KINDS[kind][1](draw, base, folder)
        try:
            outcome = run(folder, *trial.arguments, most_bytes=trial.most_bytes)
            what = f"{trial.what}: limen {' '.join(part[:60] for part in trial.arguments)}"
            return Result(*judged(trial, outcome, what))
        finally:
            if trial.after is not None:
                trial.after()


def judged(trial: Trial, outcome: Outcome, what: str) -> tuple[str, str, str]:
    # The command line says in a sentence that an error is its own; that is a traceback in other words.
    if outcome.error or "Traceback" in outcome.complained or "a mistake in limen" in outcome.complained:
        return "traceback", what, outcome.error or outcome.complained.strip().splitlines()[-1]
    stray = [name for name in outcome.files if ".limen-" in name]
    if stray:
        return "odd", what, f"left behind: {stray}"
    lost = [name for name in trial.protected if name in outcome.files]
    if lost:
        return "silent", what, f"changed an input: {lost}"
    if outcome.code == 0:
        wrong = "accepted" if trial.refuse else trial.judge(outcome)
        return ("silent" if wrong else "right"), what, wrong
    messages = outcome.messages()
    wrong = (
        f"changed files and failed: {list(outcome.files)}"
        if outcome.files
        else f"exit status {outcome.code}"
        if outcome.code not in (1, 2)
        else f"{len(messages)} messages"
        if len(messages) != 1
        else "refused what is right"
        if trial.accept
        else ""
        if any(name in messages[0] for name in trial.named)
        else "does not name the file"
    )
    return ("odd" if wrong else "clear"), what, wrong and f"{wrong}: {outcome.complained.strip()[:400]}"


def worker(tasks: Connection, base: Path, room: Path, seed: int, limit: float) -> None:
    """Run inputs until there are no more; memory is bounded, so that a claim of 40 GB is noticed."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    while (task := tasks.recv()) is not None:
        try:
            tasks.send(tried(*task, seed, base, room, limit))
        except Exception as error:
            tasks.send(
                Result("odd", f"{task[0]}:{task[1]}", f"the campaign itself: {type(error).__name__}: {error}")
            )


class Pool:
    """Processes that run inputs; one that is late or dies is replaced, and its input is a hang."""

    def __init__(self, size: int, limit: float, *settings: Any) -> None:
        self.settings, self.limit = (*settings, limit), limit
        self.context = multiprocessing.get_context("fork")
        self.size = size
        self.busy: dict[Connection, tuple[Any, tuple[str, int], float]] = {}

    def start(self) -> tuple[Any, Connection]:
        """Start a process, and return it with the pipe to it."""
        here, there = self.context.Pipe()
        process = self.context.Process(target=worker, args=(there, *self.settings))
        process.start()
        there.close()
        return process, here

    def end(self) -> None:
        """End all processes."""
        for process, _, _ in self.busy.values():
            os.killpg(process.pid, signal.SIGKILL)
            process.join()

    def run(self, tasks: list[tuple[str, int]]) -> Iterator[tuple[tuple[str, int], Result]]:
        """Give each task with its result, as they end."""
        waiting, busy = iter(tasks), self.busy

        def give(process: Any, pipe: Connection) -> None:
            task = next(waiting, None)
            pipe.send(task)
            if task is not None:
                busy[pipe] = (process, task, time.monotonic())
            else:
                process.join()

        for _ in range(min(self.size, len(tasks))):
            give(*self.start())
        while busy:
            ready = wait(list(busy), timeout=0.5)
            for pipe in list(busy):
                process, task, since = busy[pipe]
                if pipe in ready:
                    del busy[pipe]
                    try:
                        result = pipe.recv()
                        yield task, result
                        give(process, pipe)
                        continue
                    except EOFError:
                        process.join()
                        found = f"the process died, status {process.exitcode}"
                elif time.monotonic() - since > 3 * self.limit:
                    del busy[pipe]
                    os.killpg(process.pid, signal.SIGKILL)
                    process.join()
                    found = f"no answer after {3 * self.limit:g} s"
                else:
                    continue
                yield task, Result("hang", f"{task[0]}:{task[1]}", found)
                give(*self.start())


def shares(inputs: int, kinds: dict[str, tuple[float, Any]]) -> list[tuple[str, int]]:
    """Return as many tasks as asked for, every kind in proportion, mixed."""
    total = sum(weight for weight, _ in kinds.values())
    tasks = [
        (kind, number) for kind, (weight, _) in kinds.items() for number in range(round(inputs * weight / total))
    ]
    order = np.random.default_rng(0).permutation(len(tasks))
    return [tasks[k] for k in order]


def show(results: dict[tuple[str, int], Result]) -> None:
    table = {kind: Counter(result.sort for (one, _), result in results.items() if one == kind) for kind in ALL}
    print(f"| {'kind':16} | inputs | " + " | ".join(CLASSES) + " |")
    print("|---" * (len(CLASSES) + 2) + "|")
    rows = [(kind, counts) for kind, counts in table.items() if counts]
    for kind, counts in [*rows, ("all", sum((counts for _, counts in rows), Counter()))]:
        cells = [f"{counts[sort]:{len(sort)}}" for sort in CLASSES]
        print(f"| {kind:16} | {counts.total():6} | " + " | ".join(cells) + " |")


def show_worst(results: dict[tuple[str, int], Result], most: int) -> None:
    """Print the worst examples; alike ones once, with how many there are."""
    for sort in reversed(CLASSES[2:]):
        alike: dict[str, list[tuple[tuple[str, int], Result]]] = {}
        for task, result in sorted(results.items()):
            if result.sort == sort:
                key = "".join(x for x in f"{task[0].split()[0]} {result.wrong[:60]}" if not x.isdigit())
                alike.setdefault(key, []).append((task, result))
        for found in sorted(alike.values(), key=len, reverse=True)[:most]:
            (kind, number), result = found[0]
            print(
                f"\n{sort} ({len(found)} alike)  --replay '{kind}:{number}'\n  {result.what[:300]}"
                f"\n  {result.wrong[:500]}"
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="kinds that begin so, or so, by commas")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--limit", type=float, default=20.0, help="seconds; three times as long is a hang")
    parser.add_argument("--most", type=int, default=20, help="examples of each class")
    parser.add_argument("--replay", metavar="KIND:NUMBER")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        base, room = Path(name, "base"), Path(name, "room")
        base.mkdir()
        room.mkdir()
        first = multiprocessing.get_context("fork").Process(target=files.write_base, args=(base, run))
        first.start()
        first.join()
        if given.replay:
            kind, _, number = given.replay.rpartition(":")
            print(*tried(kind, int(number), given.seed, base, room, given.limit), sep="\n")
            return 0
        results: dict[tuple[str, int], Result] = {}
        pool = Pool(given.processes, given.limit, base, room, given.seed)
        tasks = [task for task in shares(given.inputs, ALL) if task[0].startswith(tuple(given.only.split(",")))]
        begun = time.monotonic()
        # Processes are copies of one that ran no command: threads do not survive a fork.
        try:
            for part in (KINDS, PROCESSES):
                for task, result in pool.run([task for task in tasks if task[0] in part]):
                    results[task] = result
                    if sys.stderr.isatty():
                        print(f"\r{len(results)}/{len(tasks)}", end="", file=sys.stderr)
        except KeyboardInterrupt:
            print(f"interrupted after {len(results)} of {len(tasks)}")
            pool.end()
        show(results)
        print(f"\nseed {given.seed}, {time.monotonic() - begun:.0f} s")
        show_worst(results, given.most)
    return int(any(result.sort not in ("clear", "right") for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
