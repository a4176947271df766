"""`limen monitor`, its page and its exit status."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import limen
from limen.cli import cli
from limen.monitoring import monitor

LABELS = ["owl", "rain", "<b>wind</b>"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Thresholds, three days of scores and labels, the last of them with a label that is given too often."""
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)

    def day(n):
        y = draw.random((n, 3)) < [0.1, 0.3, 0.5]
        return y.astype(int), (1 / (1 + np.exp(-draw.normal(size=(n, 3)) - 3 * y + 1.5))).round(3)

    y, s = day(2000)
    limen.tune(y, s, labels=LABELS).save("t.json")
    for number in range(3):
        y, s = day(400)
        if number == 2:
            s[:, 1] = s[:, 1] ** 0.2
        ids = pd.Index([f"{number}-{k}" for k in range(400)], name="id")
        order = [2, 0, 1]
        pd.DataFrame(s, ids, LABELS).iloc[:, order].to_csv(f"s{number}.csv")
        pd.DataFrame(y, ids, LABELS).to_csv(f"y{number}.csv")
        pd.Series([f"r{k // 8}" for k in range(400)], ids, name="group").to_csv(f"g{number}.csv")
        pd.Series([f"2026-03-{number + 1:02d}"] * 400, ids, name="time").to_csv(f"d{number}.csv")
    return tmp_path


def run(*words):
    return CliRunner().invoke(cli, ["monitor", *words])


def test_daily_runs_end_in_an_alarm_that_lasts(folder):
    for number, status in ((0, 0), (1, 0), (2, 3), (1, 3)):
        done = run("t.json", f"s{number}.csv", "--time", f"d{number}.csv", "--state", "m.json", "--page", "m.html")
        assert done.exit_code == status, done.output
    assert "ALARM after 3 checks of 1 200 items" in done.output
    assert "ALARM since 2026-03-03: tuning data no longer explain how often labels are given." in done.output
    assert "To blame: more tags: 'rain'" in done.output
    assert "counted before, not counted again: '2026-03-02'" in done.output
    assert "never checked so far: what labels say" in done.output
    assert "a chance of at most 5.0 %" in done.output
    page = (folder / "m.html").read_text()
    assert page.count("<svg") == 2
    assert "<script" not in page
    assert "http" not in page.replace('http-equiv="', "")
    assert "&lt;b&gt;wind&lt;/b&gt;" in page
    assert "<b>wind" not in page
    assert "2026-03-01" in page


def test_json_and_labels_that_come_later(folder):
    assert run("t.json", "s0.csv", "--state", "m.json").exit_code == 0
    done = run("t.json", "s0.csv", "y0.csv", "--state", "m.json", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["n_items"] == 400
    assert (found["tags"]["checks"], found["answers"]["checks"]) == (1, 1)
    assert found["alarm"] is False
    assert {row["kind"] for row in found["table"]} == {"more", "fewer", "missed", "wrong", "metric"}
    assert found["tags"]["alarm_from"] == pytest.approx(1.9)
    scores = pd.read_csv("s0.csv", index_col="id")[LABELS]
    truth = pd.read_csv("y0.csv", index_col="id")
    thresholds = limen.Thresholds.load("t.json")
    assert monitor(thresholds, scores, truth).to_dict()["table"] == found["table"]
    done = run("t.json", "s1.csv", "y1.csv", "--labels-only", "--groups", "g1.csv", "--json")
    assert json.loads(done.stdout)["n_items"] == 0


def test_groups_rows_and_settings(folder):
    done = run("t.json", "s0.csv", "--groups", "g0.csv", "--every", "80", "--state", "m.json", "--alpha", "0.1")
    assert done.exit_code == 0, done.output
    assert "after 5 checks of 400 items" in done.output
    assert "chance of at most 10.0 %; independent are groups of at most 8 items" in done.output.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("t.json", "none.csv"), "none.csv does not exist"),
        (("0.5", "s0.csv"), "a number has no tuning data to compare with"),
        (("t.json", "s0.csv", "--state", "s0.csv"), "s0.csv would replace s0.csv"),
        (("t.json", "s0.csv", "--time", "d1.csv"), "which the scores do not have"),
        (("t.json", "s0.csv", "y1.csv"), "have scores but no labels"),
        (("t.json", "s0.csv", "--labels-only"), "--labels-only counts labels, and there are none"),
        (("t.json", "s0.csv", "--group-size", "4"), "--group-size goes with groups"),
    ],
)
def test_errors_name_files_and_options(folder, words, said):
    done = subprocess.run(
        [sys.executable, "-m", "limen", "monitor", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert said in done.stderr


def test_exit_status_of_the_program(folder):
    done = subprocess.run(
        [sys.executable, "-m", "limen", "monitor", "t.json", "s2.csv"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stderr == "" or "compiling" in done.stderr
