"""`limen guarantee`, `limen sample` and `limen precision-at`, from files to files, as a person uses them."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import limen

LABELS = ("owl", "wren", "bat")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "limen", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "120"},
    )


def write(folder: Path, seed: int = 0, n: int = 3000):
    rng = np.random.default_rng(seed)
    odds = rng.normal([-1, -2, -7], [4, 4, 1], (n, 3))
    p = 1 / (1 + np.exp(-odds))
    truth = rng.random((n, 3)) < p
    np.savez(folder / "d.npz", scores=p, labels=truth, names=LABELS, ids=[f"clip{i}" for i in range(n)])
    return truth


def test_a_promise_from_files_to_its_check(tmp_path: Path) -> None:
    write(tmp_path)
    made = run(tmp_path, "guarantee", "d.npz", "d.npz", "--precision", "0.9", "-o", "t.json")
    assert made.returncode == 0, made.stderr
    assert "promised: precision of at least 90.0 % for each of 2 labels, all at once" in made.stdout
    assert "nothing promised, never given: bat:" in made.stdout
    loaded = limen.Thresholds.load(tmp_path / "t.json")
    assert loaded.promise.labels == ("owl", "wren")
    assert "promised: precision of at least 90.0 %" in run(tmp_path, "show", "t.json").stdout
    checked = run(tmp_path, "evaluate", "d.npz", "d.npz", "t.json").stdout
    assert "the promise held on these items" in " ".join(checked.split())


def test_a_promise_refused_or_misspelt_is_said_in_options(tmp_path: Path) -> None:
    write(tmp_path, n=200)
    refused = run(tmp_path, "guarantee", "d.npz", "d.npz", "--precision", "0.9", "--infeasible", "refuse")
    assert refused.returncode == 2
    assert "--infeasible never" in refused.stderr
    assert not (tmp_path / "thresholds.json").exists()
    odd = run(tmp_path, "guarantee", "d.npz", "d.npz", "--precision", "0.9", "--confidence", "sure")
    assert odd.returncode == 2
    assert "--confidence sure" in odd.stderr
    expected = run(tmp_path, "guarantee", "d.npz", "d.npz", "--recall", "0.8", "--confidence", "expectation")
    assert "in expectation" in expected.stdout


def test_a_sample_is_checked_and_comes_back(tmp_path: Path) -> None:
    truth = write(tmp_path)
    made = run(tmp_path, "sample", "d.npz", "--number", "400")
    assert made.returncode == 0, made.stderr
    with (tmp_path / "to_check.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 400
    for row in rows:
        row["value"] = int(truth[int(row["id"][4:]), LABELS.index(row["label"])])
    with (tmp_path / "to_check.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    twice = ("to_check.csv", "to_check.csv")
    promised = run(tmp_path, "guarantee", *twice, "--precision", "0.9")
    assert "for each of 2 labels" in promised.stdout, promised.stderr
    assert "exact binomial bounds" in promised.stdout
    weighted = run(tmp_path, "guarantee", *twice, "--recall", "0.2", "-o", "r.json")
    assert "betting bounds" in weighted.stdout, weighted.stderr
    assert run(tmp_path, "tune", *twice, "-o", "tuned.json").returncode == 0
    at = run(tmp_path, "precision-at", *twice, "--at", "0.9", "-o", "at.csv")
    assert "right above" in at.stdout
    assert len((tmp_path / "at.csv").read_text().splitlines()) == 4
    again = run(tmp_path, "sample", "d.npz", "--number", "100", "--checked", "to_check.csv", "-o", "next.csv")
    assert again.returncode == 0, again.stderr
    assert "--at" in run(tmp_path, "precision-at", *twice, "--at", "high").stderr
