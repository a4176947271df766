"""An excerpt of the campaign of kills: no command that writes loses a file, or leaves half of one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

KILLS = Path(__file__).parents[2] / "benchmarks" / "kills.py"


def test_a_killed_command_leaves_the_old_file_or_the_new_one():
    for package in ("h5py", "onnx", "pyarrow"):
        pytest.importorskip(package)
    command = [sys.executable, str(KILLS), "--kills", "20", "--seed", "20", "--items", "3000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    total = next(line for line in done.stdout.splitlines() if line.startswith("| all "))
    kills, while_writing, none, old, new, *_ = (int(cell) for cell in total.split("|")[2:-1])
    assert kills == none + old + new == 20
    assert while_writing > 0
    assert old + none > 0
