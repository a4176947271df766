"""An excerpt of the fault campaign: damaged files of every kind, wrong options and full disks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FAULTS = Path(__file__).parents[2] / "benchmarks" / "faults.py"


NEEDED = ("h5py", "onnx", "onnxruntime", "polars", "pyarrow", "scipy")


def test_counts_and_thresholds_that_were_damaged_are_refused():
    for package in NEEDED:
        pytest.importorskip(package)
    only = ["--only", "curves,candidates,thresholds"]
    command = [sys.executable, str(FAULTS), "--inputs", "800", "--seed", "21", "--processes", "1", *only]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_input_is_answered_wrongly_or_not_at_all():
    for package in NEEDED:
        pytest.importorskip(package)
    command = [sys.executable, str(FAULTS), "--inputs", "300", "--seed", "20", "--processes", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
