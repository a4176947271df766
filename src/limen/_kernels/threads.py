"""Work shared among processors, and a word to the user when it is compiled for the first time."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from numba.core import event

WORTH_THREADS = 1 << 15


def processors(work: int) -> int:
    """Return how many processors to use for so many scores."""
    if work < WORTH_THREADS:
        return 1
    return os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count() or 1


def divided(n: int, work: int, most: int = 1 << 30) -> list[tuple[int, int]]:
    """Divide ``n`` rows or labels among the processors."""
    parts = min(n, processors(work), most)
    return [(n * part // parts, n * (part + 1) // parts) for part in range(parts)]


def share(kernel: Any, tasks: list[tuple[Any, ...]]) -> list[Any]:
    """Return what a kernel returns for each of its arguments, each on a processor of its own."""
    if len(tasks) == 1:
        return [kernel(*tasks[0])]
    with ThreadPoolExecutor(len(tasks)) as pool:
        return [done.result() for done in [pool.submit(kernel, *task) for task in tasks]]


class _SayCompiling(event.Listener):
    """Say once, on stderr, that the first use compiles; loading from the disk cache says nothing."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, _event: Any) -> None:
        if not self.said:
            self.said = True
            print(
                "limen: compiling its counting loops (a few seconds, first use only; kept on disk)",
                file=sys.stderr,
                flush=True,
            )

    def on_end(self, _event: Any) -> None:
        pass


event.register("numba:compile", _SayCompiling())
