"""`limen tag --demo`: what is shipped is small, credited, and found again without torch."""

import subprocess
import sys
from pathlib import Path

import pytest

from limen.datasets import spoken_events
from limen.events import EventThresholds, evaluate
from limen.events.formats import read_events

for package in ("soundfile", "soxr", "onnxruntime"):
    pytest.importorskip(package)

WITHOUT_TORCH = """
import sys
for package in ("torch", "onnx", "sklearn"):
    sys.modules[package] = None
from limen.cli import main
sys.argv = ["limen", "tag", "--demo", *sys.argv[1:]]
main()
"""


def run(folder: Path, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *options], capture_output=True, text=True, check=False, cwd=folder
    )


def test_shipped_recordings_are_tagged_and_the_figure_is_true(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    labels = sorted((tmp_path / "demo_tags").glob("*.txt"))
    with spoken_events() as shipped:
        truth = read_events(shipped / "recordings.tsv")
        thresholds = EventThresholds.load(shipped / "events.json")
        assert [file.stem for file in labels] == list(truth.recordings)
    found = read_events(tmp_path / "demo_tags", "audacity").aligned(truth.recordings, truth.labels)
    value = evaluate(truth, found, thresholds.criterion).value
    said = " ".join(done.stdout.split())
    assert f"micro-F1 {100 * value:.1f} %" in said
    assert value > 0.75
    low, high = thresholds.expected.low, thresholds.expected.high
    assert low - 0.1 < value < high + 0.1
    again = run(tmp_path)
    assert "8 were done before" in again.stdout
    assert f"micro-F1 {100 * value:.1f} %" in " ".join(again.stdout.split())


def test_a_folder_may_be_named_and_nothing_else(tmp_path):
    assert run(tmp_path, "-o", "mine").returncode == 0
    assert len(list((tmp_path / "mine").glob("*.txt"))) == 8
    refused = run(tmp_path, "--jobs", "2")
    assert refused.returncode == 2
    assert "takes nothing but a folder" in refused.stderr


def test_what_is_shipped_is_small_and_credited():
    with spoken_events() as shipped:
        assert (shipped / "tagger.onnx").stat().st_size < 1_000_000
        assert sum(file.stat().st_size for file in (shipped / "recordings").iterdir()) < 400_000
        said = (shipped.parent / "ATTRIBUTION.md").read_text()
    assert "spoken_events/" in said
    assert "Zohar Jackson" in said
    assert "CC BY-SA 4.0" in said
