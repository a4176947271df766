"""What the benchmarks share: timing, tables in markdown, checks, and the machine's description."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Timing:
    """Seconds of repeated runs of one thing."""

    runs: tuple[float, ...]

    @property
    def best(self) -> float:
        """The least disturbed run: what ratios are made of."""
        return min(self.runs)

    @property
    def median(self) -> float:
        """The usual run, with what else the machine was doing."""
        return statistics.median(self.runs)


def seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def interleaved(functions: dict[str, Callable[[], Any]], repeats: int) -> dict[str, Timing]:
    """Time every function once a round, so that a slow spell of the machine hits them all."""
    for function in functions.values():
        function()
    rounds = [{name: seconds(function) for name, function in functions.items()} for _ in range(repeats)]
    return {name: Timing(tuple(one[name] for one in rounds)) for name in functions}


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def brief(value: float) -> str:
    """Return a number with three significant digits, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    digits = 2 if value >= 1 else 4
    return f"{value:.{digits}f}"


@dataclass
class Checks:
    """Lines of PASS and FAIL; the exit code is 1 if any failed."""

    lines: list[str] = field(default_factory=list)
    failed: int = 0

    def add(self, passed: bool, text: str) -> None:
        """Add a line."""
        self.failed += not passed
        self.lines.append(f"{'PASS' if passed else 'FAIL'} {text}")

    def at_most(self, what: str, measured: float, required: float, unit: str = "") -> None:
        """Require ``measured <= required``."""
        self.add(measured <= required, f"{what}: required <= {required:g}{unit}, measured {measured:.4g}{unit}")

    def at_least(self, what: str, measured: float, required: float, unit: str = "") -> None:
        """Require ``measured >= required``."""
        self.add(measured >= required, f"{what}: required >= {required:g}{unit}, measured {measured:.4g}{unit}")

    def close(self, what: str, measured: float, required: float, within: float) -> None:
        """Require ``measured`` within a distance of ``required``."""
        text = f"{what}: required {required} +- {within:g}, measured {measured:.2f}"
        self.add(abs(measured - required) <= within + 1e-9, text)

    @property
    def exit_code(self) -> int:
        """0 if all passed."""
        return int(self.failed > 0)

    def __str__(self) -> str:
        return "\n".join(self.lines)


def machine(packages: Sequence[str]) -> str:
    """Return one line: processor, cores, versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"{_cpu()}, {os.cpu_count()} cores; Python {platform.python_version()}, {versions}"


def say(text: str) -> None:
    """Print progress, apart from the results."""
    print(text, file=sys.stderr, flush=True)


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    return f"{named.get('model name', platform.machine())} (model {named.get('model', '?')})"
