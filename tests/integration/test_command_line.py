"""The command line as a user meets it: a subprocess, real files, wrong files."""

import csv
import fcntl
import json
import os
import pty
import re
import resource
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import click
import numpy as np
import pytest

import limen
from limen.cli import cli
from limen.errors import count, percent, span
from shell import LIMEN, run, write_csv


def test_tune_joins_by_name_and_id(folder, data):
    y_true, y_score, labels = data
    done = run("tune", "scores.csv", "labels.csv", cwd=folder, check=0)
    ours = limen.tune(y_true, y_score.astype(float), labels=labels)
    written = limen.Thresholds.load(folder / "thresholds.json")
    assert written.labels == tuple(labels)
    np.testing.assert_array_equal(written.values, ours.values)
    gain, low, high = ours.expected_gain
    half, value = percent(ours.expected.value - gain), percent(ours.expected.value)
    assert f"micro F1 {percent(ours.value)} on the 600 items tuned on\n" in done.stdout
    assert (
        f"0.5 gives {half}; expect {value} ({100 * gain:+.1f}, {span(low, high, signed=True)}) on" in done.stdout
    )
    assert percent(limen.evaluate(y_true, y_score, 0.5).value) == half
    assert "  weak: 'yweweler' (F1 41.2 %)" in done.stdout
    assert done.stdout.endswith("next: limen report scores.csv labels.csv thresholds.json\n")
    assert "mixed of" not in done.stdout


def test_tune_verbose_says_what_the_method_chose(folder):
    done = run("tune", "data.npz", "data.npz", "--verbose", cwd=folder, check=0)
    weights = limen.Thresholds.load(folder / "thresholds.json").details["weights"]
    assert f"mixed of: {', '.join(f'{name} {percent(share)}' for name, share in weights.items())}" in done.stdout
    assert "\nfolds: 5\nleaning on pool: none\n" in done.stdout
    assert "{" not in done.stdout
    exact = run("tune", "data.npz", "data.npz", "-v", "--method", "exact", cwd=folder, check=0).stdout
    assert "status: optimal\nscores: taken for probabilities, float32\n" in exact


def test_tune_exact_says_that_new_items_were_not_measured(folder, data):
    y_true, y_score, _ = data
    options = ("--method", "exact", "--average", "macro", "--zero-division", "1")
    (folder / "data.npz").rename(folder / "my data.npz")
    done = run("tune", "my data.npz", "my data.npz", *options, cwd=folder, check=0)
    t = limen.tune(y_true, y_score, method="exact", average="macro")
    assert f"macro F1 {percent(t.value)} on the 600 items tuned on (proven optimal; method exact)" in done.stdout
    assert f"; 0.5 gives {percent(t.half)} there\n" in done.stdout
    *_, said, last = done.stdout.splitlines()
    assert said.startswith("what new items will give was not measured: the method does not cross-fit")
    assert last.startswith(
        "next: limen compare 'my data.npz' 'my data.npz' --methods fixed:0.5,exact --average macro"
    )
    command = shlex.split(last.removeprefix("next: limen "))
    assert "macro F1, 5 folds of 600 items" in run(*command, cwd=folder, check=0).stdout


def test_tune_says_nothing_of_half_where_scores_are_no_probabilities(folder, data):
    y_true, y_score, _ = data
    clipped = np.clip(y_score, 1e-6, 1 - 1e-6)
    np.savez(folder / "logits.npz", scores=np.log(clipped / (1 - clipped)), labels=y_true)
    for method in ("auto", "exact"):
        out = run("tune", "logits.npz", "logits.npz", "--method", method, cwd=folder, check=0).stdout
        assert "0.5 gives" not in out
        assert "0.5" not in run("show", "thresholds.json", cwd=folder, check=0).stdout.splitlines()[0]


def test_tune_says_costs(folder, data):
    y_true, y_score, labels = data
    cost = {"name": "cost", "fp": 1, "fn": 5}
    done = run("tune", "data.npz", "data.npz", "--metric", "cost", "--costs", "1,5", cwd=folder, check=0)
    t = limen.tune(y_true, y_score, labels=labels, metric=cost)
    gain, low, high = t.expected_gain
    assert (
        f"0.5 gives {gain - t.expected.value:.4g} a decision; expect {-t.expected.value:.4g} a dec" in done.stdout
    )
    assert f"({-gain:+.4g}, 95 % {-high:+.4g} to {-low:+.4g}) on new items" in done.stdout


def test_every_file_format_gives_the_same_thresholds(folder):
    run("tune", "scores.csv", "tags.tsv", "-o", "a.json", "--method", "exact", cwd=folder, check=0)
    run("tune", "data.npz", "data.npz", "-o", "b.json", "--method", "exact", cwd=folder, check=0)
    a, b = (limen.Thresholds.load(folder / name) for name in ("a.json", "b.json"))
    np.testing.assert_array_equal(a.values.astype(np.float32), b.values)
    np.testing.assert_array_equal(a.counts.pp, b.counts.pp)


def test_apply_writes_what_decide_says(folder, data):
    _, y_score, labels = data
    run("tune", "data.npz", "data.npz", cwd=folder, check=0)
    done = run("apply", "data.npz", "thresholds.json", "-o", "out.csv", cwd=folder, check=0)
    decided = limen.Thresholds.load(folder / "thresholds.json").decide(y_score)
    assert f"{count(int(decided.sum()), 'tag')} for 600 items" in done.stdout
    with (folder / "out.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["id", "tags"]
    assert rows[1:] == [
        [f"clip {i}", ";".join(labels[k] for k in np.flatnonzero(row))] for i, row in enumerate(decided)
    ]


def test_tags_written_are_labels_that_evaluate_perfectly(folder):
    run("tune", "data.npz", "data.npz", cwd=folder, check=0)
    run("apply", "data.npz", "thresholds.json", "-o", "out.parquet", cwd=folder, check=0)
    done = run("evaluate", "data.npz", "out.parquet", "thresholds.json", cwd=folder, check=0)
    assert "micro F1 100.0 %" in done.stdout


def test_evaluate_measures_and_writes_the_table(folder, data):
    y_true, y_score, labels = data
    run("tune", "scores.csv", "labels.csv", cwd=folder, check=0)
    command = ("evaluate", "data.npz", "data.npz", "thresholds.json", "-o", "table.csv")
    done = run(*command, "--metric", "mcc", "--average", "macro", cwd=folder, check=0)
    ours = limen.evaluate(
        y_true,
        y_score,
        limen.Thresholds.load(folder / "thresholds.json"),
        metric="mcc",
        average="macro",
        labels=labels,
    )
    assert f"macro MCC {percent(ours.value)}" in done.stdout
    with (folder / "table.csv").open(newline="") as file:
        assert [int(row["tp"]) for row in csv.DictReader(file)] == ours.counts.tp.tolist()


def test_evaluate_takes_a_number(folder, data):
    y_true, y_score, _ = data
    done = run("evaluate", "data.npz", "data.npz", "0", cwd=folder, check=0)
    assert f"micro F1 {percent(limen.evaluate(y_true, y_score, 0.0).value)}" in done.stdout


def test_compare_prints_held_out_values(folder, data):
    y_true, y_score, _ = data
    done = run("compare", "data.npz", "data.npz", "--methods", "fixed:0.5,exact", "--cv", "3", cwd=folder, check=0)
    ours = limen.compare(y_true, y_score, methods=["fixed:0.5", "exact"], cv=3)
    assert "3 folds of 600 items" in done.stdout
    for row in ours.rows:
        assert percent(row.held_out) in done.stdout


def test_tune_with_parameters(folder):
    command = ("tune", "data.npz", "data.npz", "-o", "t.json")
    run(*command, "--metric", "fbeta", "--beta", "0.5", "--average", "macro", cwd=folder, check=0)
    assert limen.Thresholds.load(folder / "t.json").metric == limen.metrics.FBeta(0.5)
    run(*command, "--metric", "cost", "--costs", "1,5", cwd=folder, check=0)
    assert json.loads((folder / "t.json").read_text())["metric"] == {"name": "cost", "fp": 1.0, "fn": 5.0}


def test_methods_lists_all(tmp_path):
    done = run("methods", cwd=tmp_path, check=0)
    for name in [*limen.solvers.METHODS, *limen.metrics.METRICS]:
        assert name in done.stdout


def test_demo_shows_the_comparison_and_writes_thresholds(tmp_path):
    done = run("demo", cwd=tmp_path, check=0)
    assert "beats 0.5 by" in done.stdout
    for method in ("fixed:0.5", "shared", "numerical", "random-search", "sgl", "exact", "auto"):
        assert method in done.stdout
    thresholds = limen.Thresholds.load(tmp_path / "thresholds.json")
    assert thresholds.expected is not None
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert "Wrote thresholds.json and report.html.\nOpen the report in a browser" in done.stdout
    assert 'content="limen"' in (tmp_path / "report.html").read_text()
    run("demo", cwd=tmp_path, check=0)


def test_demo_replaces_nothing_of_the_users(tmp_path):
    (tmp_path / "thresholds.json").write_text("mine")
    done = run("demo", cwd=tmp_path, check=1)
    assert "Choose other names" in done.stderr
    assert (tmp_path / "thresholds.json").read_text() == "mine"
    (tmp_path / "page.html").write_text("mine too")
    done = run("demo", "-o", "demo.json", "--report", "page.html", cwd=tmp_path, check=1)
    assert "page.html exists and is not of this demonstration" in done.stderr
    assert (tmp_path / "page.html").read_text() == "mine too"
    assert not (tmp_path / "demo.json").exists()


def test_tune_writes_a_report_if_asked(folder):
    done = run("tune", "scores.csv", "labels.csv", "--method", "exact", "--report", "r.html", cwd=folder, check=0)
    assert "wrote r.html: open it in a browser" in done.stdout
    assert "next: limen report" not in done.stdout
    assert "digit 0" in (folder / "r.html").read_text()


@pytest.mark.parametrize(
    "command",
    [
        *("", "tune", "apply", "evaluate", "compare", "learning-curve", "show", "curve", "report"),
        *("export", "export sql", "export onnx", "birdnet-filter", "demo", "methods"),
    ],
)
def test_help_has_text_and_examples(command, tmp_path):
    done = run(*command.split(), "--help", cwd=tmp_path, check=0)
    assert "Usage: limen" in done.stdout
    assert "\\b" not in done.stdout
    if command not in ("demo", "methods"):
        assert f"limen {command}".strip() in done.stdout.split("Usage", 1)[1].split("\n", 1)[1]


def commands(group=cli, words=()):
    for name, command in group.commands.items():
        yield (*words, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))


@pytest.mark.parametrize("width", [60, 80])
def test_help_breaks_at_spaces(width, tmp_path):
    """No line is wider than the terminal, no word is broken, and each summary is on one line."""
    for words in [(), *commands()]:
        wide, narrow = (
            run(*words, "--help", cwd=tmp_path, check=0, env={"COLUMNS": str(columns)}).stdout
            for columns in (100, width)
        )
        assert max(map(len, narrow.splitlines())) <= width
        assert set(narrow.split()) - {"\\"} <= set(wide.split())
        summaries = narrow.partition("\nCommands:\n")[2].splitlines()
        assert all(line[2] != " " and not line.endswith("...") for line in summaries)


def on_terminal(*arguments, columns, cwd):
    """What a terminal of this width gets, as it was written."""
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    running = subprocess.Popen([LIMEN, *arguments], cwd=cwd, stdout=there, stderr=there, env=environment)
    os.close(there)
    written = b""
    while True:
        try:
            some = os.read(here, 1 << 16)
        except OSError:  # the other end was closed
            break
        if not some:
            break
        written += some
    os.close(here)
    running.wait(timeout=60)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[\u2800-\u28ff]", "", written.decode())  # nor the spinner
    return [line.rpartition("\r")[2].rstrip() for line in plain.replace("\r\n", "\n").split("\n")]


@pytest.mark.parametrize(
    "arguments",
    [
        ("tune", "scores.csv", "labels.csv", "--method", "shared"),
        ("tune", "scores.csv", "two words that are no file.csv", "--method", "shared"),
        ("tune", "scores.csv", "labels.csv", "--no-such-option-of-any-command-that-limen-has", "shared"),
    ],
    ids=["output", "error", "usage"],
)
def test_what_is_said_breaks_at_spaces(arguments, folder):
    wide, narrow = (on_terminal(*arguments, columns=columns, cwd=folder) for columns in (300, 60))
    assert max(map(len, narrow)) <= 60
    assert set(" ".join(narrow).split()) - {"\\"} <= set(" ".join(wide).split())


WRONG = {
    "missing file": (("tune", "no.csv", "labels.csv"), 2, "does not exist"),
    "unknown metric": (("tune", "scores.csv", "labels.csv", "--metric", "auc"), 2, "The metrics are"),
    "unknown method": (("tune", "scores.csv", "labels.csv", "--method", "magic"), 2, "The methods are"),
    "beta without fbeta": (("tune", "scores.csv", "labels.csv", "--beta", "2"), 2, "--metric fbeta"),
    "costs malformed": (
        ("tune", "scores.csv", "labels.csv", "--metric", "cost", "--costs", "1"),
        2,
        "--costs 1,5",
    ),
    "files swapped": (("tune", "labels.csv", "scores.csv"), 2, "Labels must be 0, 1"),
    "items missing": (("tune", "scores.csv", "fewer.csv"), 2, "have scores but no labels"),
    "no folder": (("tune", "scores.csv", "labels.csv", "-o", "no/t.json"), 1, "no folder"),
    "not thresholds": (("apply", "scores.csv", "labels.csv", "-o", "t.csv"), 2, "thresholds file"),
    "newer thresholds": (("apply", "scores.csv", "newer.json", "-o", "t.csv"), 2, "Upgrade limen"),
    "cut thresholds": (("apply", "scores.csv", "cut.json", "-o", "t.csv"), 2, "not a whole thresholds file"),
    "other labels": (("apply", "other.csv", "good.json", "-o", "t.csv"), 2, "only in good.json"),
    "folds": (("compare", "scores.csv", "labels.csv", "--cv", "1"), 2, "not in the range x>=2"),
    "unknown option": (("tune", "scores.csv", "labels.csv", "--foo"), 2, "No such option"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_said_and_nothing_is_written(case, folder, data):
    y_true, y_score, labels = data
    good = limen.tune(y_true, y_score, labels=labels).to_dict()
    (folder / "good.json").write_text(json.dumps(good))
    (folder / "newer.json").write_text(json.dumps(good | {"schema_version": 99}))
    (folder / "cut.json").write_text(json.dumps(good)[:500])
    text = (folder / "labels.csv").read_text().splitlines()
    (folder / "fewer.csv").write_text("\n".join(text[:-7]))
    (folder / "other.csv").write_text((folder / "scores.csv").read_text().replace("george", "ringo"))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    arguments, code, words = WRONG[case]
    done = run(*arguments, cwd=folder, check=code)
    assert words in done.stderr
    assert done.stdout == ""
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_debug_shows_the_traceback(tmp_path):
    done = subprocess.run(
        [LIMEN, "--debug", "tune", "no.csv", "no.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_a_full_disk_keeps_the_old_file(folder):
    """A limit on the size of files stands for a disk that fills up while writing."""
    (folder / "thresholds.json").write_text("old")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = run("tune", "data.npz", "data.npz", cwd=folder, check=1, preexec_fn=limit, env=environment)
    assert "cannot write thresholds.json" in done.stderr
    assert (folder / "thresholds.json").read_text() == "old"
    assert not list(folder.glob(".limen-*"))


def test_an_interrupt_keeps_the_old_file(tmp_path):
    draw = np.random.default_rng(0)
    labels = draw.random((1000, 500)) < 0.1
    np.savez(tmp_path / "data.npz", scores=draw.random((1000, 500)), labels=labels)
    (tmp_path / "thresholds.json").write_text("old")
    command = [LIMEN, "tune", "data.npz", "data.npz", "--method", "random-search"]
    running = subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
    )
    time.sleep(2.0)
    while running.poll() is None:  # one may arrive where Python code cannot be interrupted
        running.send_signal(signal.SIGINT)
        time.sleep(0.3)
    _, errors = running.communicate(timeout=60)
    assert running.returncode in (130, -signal.SIGINT), errors
    assert "interrupted" in errors
    assert (tmp_path / "thresholds.json").read_text() == "old"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_that_a_library_makes_an_error_of_is_no_mistake(tmp_path, monkeypatch, number, code):
    def importing(**_):
        try:
            os.kill(os.getpid(), number)
            time.sleep(5)
        except BaseException:
            raise ImportError("initialization failed") from None

    monkeypatch.setattr("limen.cli.cli", importing)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        done = run("show", "t.json", cwd=tmp_path, check=code)
    finally:
        signal.signal(signal.SIGINT, before)
    said = "stopped by SIGTERM" if number == signal.SIGTERM else "interrupted"
    assert " ".join(done.stderr.split()).startswith(f"limen: {said}; every output file is as it was")
    assert "mistake" not in done.stderr


def test_labels_without_positives_warn_once(tmp_path):
    np.savez(tmp_path / "d.npz", scores=[[0.1, 0.2], [0.8, 0.9]], labels=[[0, 0], [1, 0]], names=["a", "b"])
    done = run("tune", "d.npz", "d.npz", "--method", "exact", cwd=tmp_path, check=0)
    assert done.stderr.count("without a positive item: 'b'. Never given") == 1
    assert "  no tags given: 'b' (0 positives)\n" in done.stdout
    done = run("tune", "d.npz", "d.npz", cwd=tmp_path, check=0)
    assert done.stderr.count("without a positive item: 'b'. What the other labels have in common") == 1


def test_hostile_label_names_show_as_they_are(tmp_path):
    names = ["<script>alert(1)</script>", "[bold]x[/bold]"]
    np.savez(tmp_path / "d.npz", scores=[[0.1, 0.2], [0.8, 0.9]], labels=[[0, 0], [1, 1]], names=names)
    run("tune", "d.npz", "d.npz", cwd=tmp_path, check=0)
    done = run(
        "evaluate", "d.npz", "d.npz", "thresholds.json", cwd=tmp_path, check=0, env=os.environ | {"COLUMNS": "140"}
    )
    for name in names:
        assert name in done.stdout


def test_groups_stay_together(folder, data):
    y_true, y_score, _ = data
    groups = [f"recording {i // 10}" for i in range(600)]
    write_csv(folder / "groups.csv", ["id", "group"], ([f"clip {i}", g] for i, g in enumerate(groups)))
    command = ("compare", "data.npz", "data.npz", "--methods", "exact", "--groups", "groups.csv")
    done = run(*command, "--cv", "3", "--repeats", "2", cwd=folder, check=0)
    ours = limen.compare(y_true, y_score, methods=["exact"], groups=groups, cv=3, repeats=2)
    assert percent(ours.rows[0].held_out) in done.stdout
    assert "drawn 2 times" in done.stdout
    (folder / "groups.csv").write_text("id,group\nclip 0,a\n")
    assert "has no group for 'clip 1'" in run(*command, cwd=folder, check=2).stderr


def test_target_prevalence_and_adaptation(folder, data):
    y_true, y_score, labels = data
    (folder / "shares.csv").write_text("label,share\ndigit 0,0.9\n")
    command = ("tune", "data.npz", "data.npz", "-o", "t.json", "--method", "exact")
    run(*command, "--target-prevalence", "shares.csv", cwd=folder, check=0)
    ours = limen.tune(y_true, y_score, labels=labels, method="exact", target_prevalence={"digit 0": 0.9})
    np.testing.assert_array_equal(limen.Thresholds.load(folder / "t.json").values, ours.values)
    run(*command, "--adapt-to", "scores.csv", cwd=folder, check=0)
    both = (*command, "--adapt-to", "scores.csv", "--target-prevalence", "shares.csv")
    assert "Use one" in run(*both, cwd=folder, check=2).stderr
    for share in ("nan", "1.5", "1_0", "\u0663"):
        (folder / "shares.csv").write_text(f"label,share\ndigit 0,{share}\n", encoding="utf-8")
        done = run(*command, "--target-prevalence", "shares.csv", cwd=folder, check=2)
        assert "shares.csv has no share from 0 to 1 for 'digit 0'" in done.stderr
    (folder / "shares.csv").write_text("label,share\nringo,0.9\n")
    assert "'ringo'" in run(*command, "--target-prevalence", "shares.csv", cwd=folder, check=2).stderr


def test_learning_curve_shows_every_size(folder):
    done = run("learning-curve", "data.npz", "data.npz", "--method", "exact", "--cv", "3", cwd=folder, check=0)
    for size in ("40", "80", "160", "280", "400"):
        assert f" {size} " in done.stdout


def test_evaluate_against_a_baseline_with_a_learning_curve(folder, data):
    y_true, y_score, labels = data
    run("tune", "data.npz", "data.npz", "--method", "exact", cwd=folder, check=0)
    command = ("evaluate", "data.npz", "data.npz", "thresholds.json")
    done = run(
        *command, "--baseline", "0.5", "--learning-curve", cwd=folder, check=0, env=os.environ | {"COLUMNS": "200"}
    )
    t = limen.Thresholds.load(folder / "thresholds.json")
    ours = limen.evaluate(y_true, y_score, t, labels=labels, baseline=0.5)
    assert f"{percent(ours.difference.value, signed=True)} to the baseline" in done.stdout
    assert " 480 " in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("tune", "scores.csv", "labels.csv", "-o", "scores.csv"),
        ("tune", "scores.csv", "labels.csv", "-o", "t.json", "--report", "t.json"),
        ("evaluate", "scores.csv", "labels.csv", "0.5", "-o", "labels.csv"),
        ("report", "scores.csv", "labels.csv", "-o", "scores.csv"),
        ("export", "sql", "t.json", "-o", "t.json"),
        ("export", "duckdb", "t.json", "-o", "t.json"),
        ("export", "birdnet", "t.json", "-o", "t.json"),
    ],
)
def test_no_output_replaces_an_input(data, folder, arguments):
    if "export" in arguments:
        limen.tune(*data[:2], labels=data[2], method="exact").save(folder / "t.json")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    done = run(*arguments, cwd=folder, check=2)
    assert "would replace" in done.stderr
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_number_of_thresholds(folder):
    run("apply", "scores.csv", "0.5", "-o", "half.csv", cwd=folder, check=0)
    done = run(
        "evaluate", "scores.csv", "half.csv", "0.5", "--seed", "3", "--zero-division", "1", cwd=folder, check=0
    )
    assert "micro F1 100.0 %" in done.stdout


def test_labels_beyond_those_of_the_thresholds(folder, data):
    y_true, y_score, labels = data
    run("tune", "scores.csv", "labels.csv", "--method", "exact", cwd=folder, check=0)
    rows = [[f"clip {i}", 1, *row] for i, row in enumerate(y_score.tolist())]
    write_csv(folder / "more.csv", ["id", "owl", *labels], rows)
    write_csv(
        folder / "more_labels.csv",
        ["id", "owl", *labels],
        [[r[0], 1, *y] for r, y in zip(rows, y_true, strict=True)],
    )
    done = run("apply", "more.csv", "thresholds.json", "-o", "tags.csv", cwd=folder, check=2)
    assert "'owl' only in more.csv" in done.stderr
    assert "leave it aside with --extra ignore" in done.stderr
    ignore = ("--extra", "ignore")
    run("apply", "more.csv", "thresholds.json", "-o", "tags.csv", *ignore, cwd=folder, check=0)
    done = run("evaluate", "more.csv", "more_labels.csv", "thresholds.json", *ignore, cwd=folder, check=0)
    assert "the 600 items tuned on" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seed", "-1"], "not in the range x>=0"),
        (["--beta", "1e300", "--metric", "fbeta"], "not in the range"),
        (["--metric", "fbeta"], "--metric fbeta needs --beta"),
        (["--metric", "cost", "--costs", "0,0"], "--costs 0,0: no mistake costs anything"),
        (["--min-positive", "-3"], "not in the range"),
        (["--method", "magic"], "--method magic is unknown"),
        (["--method", "exact", "--min-positive", "3"], "--min-positive goes with --method auto"),
    ],
)
def test_options_out_of_range(folder, arguments, words):
    done = run("tune", "scores.csv", "labels.csv", *arguments, cwd=folder, check=2)
    assert words in done.stderr
    assert not (folder / "thresholds.json").exists()


def test_messages_speak_of_files_and_count_rows_from_1(folder, data):
    _, y_score, labels = data
    y_score = y_score.astype(float)
    y_score[2, 1] = np.nan
    ids = [f"clip {i}" for i in range(len(y_score))]
    np.savez(folder / "nan.npz", scores=y_score, names=labels, ids=ids)
    for command in (("tune", "nan.npz", "data.npz"), ("apply", "nan.npz", "0.5", "-o", "x.npy")):
        done = run(*command, cwd=folder, check=2)
        assert f"nan.npz has NaN in 1 of {len(labels)} labels (first: {labels[1]!r}, row 3)" in done.stderr


def test_a_full_disk_and_a_closed_pipe(folder):
    run("tune", "scores.csv", "labels.csv", "--method", "exact", cwd=folder, check=0)
    show = [LIMEN, "show", "thresholds.json"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(show, cwd=folder, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "cannot write the output: No space left on device" in done.stderr
    done = subprocess.run(
        f"{' '.join(show)} | head -1", cwd=folder, shell=True, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


def test_python_m_limen(folder):
    done = subprocess.run(
        [sys.executable, "-m", "limen", "methods"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert "auto" in done.stdout


def test_averages_over_items(folder, data):
    """Tuned, saved with its calibration, applied to raw scores, and measured by the average tuned for."""
    _, y_score, _ = data
    options = ("--average", "samples", "--method", "expected-f")
    done = run("tune", "scores.csv", "tags.tsv", *options, cwd=folder, check=0)
    assert "limen report" not in done.stdout  # it shows cuts by label only
    t = limen.Thresholds.load(folder / "thresholds.json")
    assert (t.rule, t.average) == ("expected-f:1", "samples")
    done = run("apply", "data.npz", "thresholds.json", "-o", "out.csv", cwd=folder, check=0)
    assert f"{count(int(t.decide(y_score).sum()), 'tag')} for 600 items" in done.stdout
    done = run("evaluate", "scores.csv", "tags.tsv", "thresholds.json", cwd=folder, check=0)
    assert t.objective.said(t.value) in done.stdout
    done = run(
        "tune", "data.npz", "data.npz", "--metric", "subset_accuracy", "--method", "ascent", cwd=folder, check=0
    )
    assert "subset accuracy" in done.stdout
    done = run("report", "data.npz", "data.npz", "--average", "samples", cwd=folder, check=2)
    assert "the report is drawn from counts by label; samples F1 needs whole items" in " ".join(
        done.stderr.split()
    )


def test_no_bar_where_nobody_looks(tmp_path):
    """Notebooks force colours, and their output is no terminal."""
    np.savez(tmp_path / "a.npz", scores=np.array([[0.1], [0.8]]), labels=np.array([[0], [1]]))
    done = run(
        "candidates", "a.npz", "a.npz", "-o", "a.candidates", cwd=tmp_path, check=0, env={"FORCE_COLOR": "1"}
    )
    assert "\x1b" not in done.stdout + done.stderr
