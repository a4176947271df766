"""`limen tune-events`, and what `limen show` and `limen evaluate` say of its file."""

import json

import numpy as np
import pytest

from limen.events import Events, EventThresholds, FrameScores
from limen.events.formats import write_events, write_scores
from shell import run


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    rng, frames, rows = np.random.default_rng(3), {}, []
    for k in range(8):
        own = rng.uniform(0, 0.62, (150, 2)).astype(np.float32)
        for label in (0, 1):
            at = int(rng.integers(10, 100))
            own[at : at + 25, label] += 0.3
            rows.append((f"take{k}", at * 0.04, (at + 25) * 0.04, ("dog", "cat")[label]))
        frames[f"take{k}"] = own
    write_scores(FrameScores(("dog", "cat"), frames, 0.04), folder / "scores")
    write_events(Events.from_rows(rows), folder / "events.tsv", "dcase")
    lines = [f"take{k}.wav,{'north' if k < 4 else k}" for k in range(8)]
    (folder / "groups.csv").write_text("file,site\n" + "\n".join(lines) + "\n")
    run("tune-events", "scores", "events.tsv", "--method", "exact", "--groups", "groups.csv", cwd=folder, check=0)
    return folder


def test_the_file_holds_what_is_said(home):
    chosen = EventThresholds.load(home / "events.json")
    assert (chosen.labels, chosen.status, chosen.frame_seconds) == (("dog", "cat"), "optimal", 0.04)
    shown = run("show", "events.json", cwd=home, check=0).stdout
    assert "8 recordings tuned on (48 s" in shown or "8 recordings tuned on (0.8 min)" in shown
    measured = run("evaluate", "scores", "events.tsv", "events.json", "-o", "table.csv", cwd=home, check=0).stdout
    assert chosen.metric.said(chosen.value) in measured
    assert "false events an hour" in measured
    assert (home / "table.csv").read_text().startswith("label,events,given,correct,precision,recall,f1\n")


@pytest.mark.parametrize("width", ["60", "80"])
def test_tables_fit(home, width):
    for command in (("show", "events.json"), ("evaluate", "scores", "events.tsv", "events.json")):
        said = run(*command, cwd=home, check=0, env={"COLUMNS": width}).stdout
        table = [line for line in said.splitlines() if line.startswith(" ")]
        assert table
        assert max(map(len, table)) <= int(width)


@pytest.mark.parametrize(
    ("options", "criterion"),
    [
        (("--metric", "segment", "--segment", "2"), {"name": "segment", "seconds": 2.0}),
        (("--collar", "0.5"), {"name": "collar", "onset": 0.5, "offset": 0.5, "offset_ratio": 0.2}),
        (("--metric", "clip", "--average", "macro"), {"name": "clip"}),
        (("--metric", "intersection", "--false-per-hour", "30"), {"name": "intersection", "dtc": 0.5, "gtc": 0.5}),
    ],
)
def test_options_reach_the_file(home, tmp_path, options, criterion):
    done = run(
        "tune-events",
        "scores",
        "events.tsv",
        "--method",
        "exact",
        *options,
        "-o",
        tmp_path / "e.json",
        cwd=home,
        check=0,
    )
    content = json.loads((tmp_path / "e.json").read_text())
    assert criterion.items() <= content["criterion"].items()
    assert ("kept (on the recordings tuned on)" in done.stdout) == ("--false-per-hour" in options)
    assert "no --groups" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("events.tsv", "--segment", "2"), "--segment goes with --metric segment, not with collar"),
        (("events.tsv", "--metric", "clip", "--collar", "1"), "--collar goes with --metric collar"),
        (("events.tsv", "-o", "events.tsv"), "would replace"),
        (("nothing.tsv",), "nothing.tsv does not exist"),
        (("events.tsv", "--groups", "bad.csv"), "bad.csv has no group for 'take1'"),
        (("some.tsv",), "does not list 7 recordings with scores"),
    ],
)
def test_what_is_wrong_is_said(home, arguments, message):
    (home / "bad.csv").write_text("file,site\ntake0,a\n")
    (home / "some.tsv").write_text("filename\tonset\toffset\tevent_label\ntake0.wav\t1\t2\tdog\n")
    assert message in " ".join(run("tune-events", "scores", *arguments, cwd=home, check=2).stderr.split())


def test_limits_are_told_on_recordings_left_out_and_on_others(home, tmp_path):
    done = run(
        "tune-events", "scores", "events.tsv", "--min-precision", "0.3", "--false-per-hour", "900", "--per", "all",
        "--hold", "0.6", "--infeasible", "status", "-o", tmp_path / "e.json", cwd=home, check=0,
    )  # fmt: skip
    said = " ".join(done.stdout.split())
    assert "precision at least 30.0 % over all labels" in said
    assert "false positives at most 900 an hour over all labels" in said
    assert "left out, " in said
    measured = run("evaluate", "scores", "events.tsv", tmp_path / "e.json", cwd=home, check=0).stdout
    assert "(on these recordings)" in " ".join(measured.split())
    refused = run("tune-events", "scores", "events.tsv", "--hold", "0.9", cwd=home, check=2).stderr
    assert "hold goes with constraints" in " ".join(refused.split())


def test_a_promise_is_made_shown_and_checked(home, tmp_path):
    path = tmp_path / "p.json"
    done = run("guarantee-events", "scores", "events.tsv", "--false-per-hour", "5000", "--per", "all", "-o", path,
               cwd=home, check=0)  # fmt: skip
    said = " ".join(done.stdout.split())
    assert "at most 5000 false events an hour for all events together, with confidence 95.0 %" in said
    assert "betting bounds, from 8 recordings" in said
    assert "no --groups" in said
    shown = " ".join(run("show", path, cwd=home, check=0).stdout.split())
    assert "promised: at most 5000 false events an hour" in shown
    measured = " ".join(run("evaluate", "scores", "events.tsv", path, cwd=home, check=0).stdout.split())
    assert "the promise held on these recordings (1 share of 1 could be checked)" in measured
    little = run("guarantee-events", "scores", "events.tsv", "--precision", "0.9", "-o", path, cwd=home, check=0)
    assert "nothing promised, never given: dog" in " ".join(little.stdout.split())
    assert (
        "limen guarantee-events scores/ events.tsv --precision 0.8"
        in run("guarantee-events", "-h", cwd=home).stdout
    )
