"""What only a fresh process shows: time to import, time to compile, peak memory.

Run as a script, it is that process: `python fresh.py import MODULE`, `compile`, or `memory FOLDER`;
it prints one JSON object.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np

from audioset import Data

IN_SMALL = ([[0, 1], [1, 0], [1, 1], [0, 0]], [[0.2, 0.9], [0.6, 0.3], [0.8, 0.7], [0.4, 0.8]])


def import_seconds(module: str) -> float:
    """Return the seconds that importing takes in a fresh interpreter, without its own start."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)


def first_use_seconds(cache: Path) -> float:
    """Return the seconds of the first `tune` of a process whose compiled loops are kept in ``cache``."""
    return float(_child("compile", cache=cache)["seconds"])


def memory(data: Data, folder: Path) -> dict[str, int]:
    """Return bytes of the inputs, and of the peak above them while the exact optimum is found."""
    np.save(folder / "y_true.npy", data.y_true)
    np.save(folder / "y_score.npy", data.y_score)
    return _child("memory", str(folder))


def _child(*arguments: str, cache: Path | None = None) -> Any:
    environment = {**os.environ, **({"NUMBA_CACHE_DIR": str(cache)} if cache else {})}
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


def _compile() -> dict[str, float]:
    start = time.perf_counter()
    limen = importlib.import_module("limen")
    scores = np.asarray(IN_SMALL[1], np.float32)
    limen.tune(IN_SMALL[0], scores, method="exact")
    return {"seconds": time.perf_counter() - start}


def _memory(folder: Path) -> dict[str, int]:
    limen = importlib.import_module("limen")
    y_true, y_score = (np.load(folder / f"{name}.npy") for name in ("y_true", "y_score"))
    limen.tune(IN_SMALL[0], np.asarray(IN_SMALL[1], np.float32), method="exact")
    before = _reset_peak()
    limen.tune(y_true, y_score, method="exact")
    peak = _status("VmHWM") - before
    tracemalloc.start()
    limen.tune(y_true, y_score, method="exact")
    traced = tracemalloc.get_traced_memory()[1]
    return {"inputs": y_true.nbytes + y_score.nbytes, "resident": peak, "traced": traced}


def _reset_peak() -> int:
    """Set the peak of this process to what it holds now, and return that."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(name + ":"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    print(json.dumps(_compile() if sys.argv[1] == "compile" else _memory(Path(sys.argv[2]))))
