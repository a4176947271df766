"""`limen show`, `limen curve`, and files of every kind on the command line."""

import json
from dataclasses import replace

import duckdb
import numpy as np
import pytest

import limen
from limen.errors import count, percent
from limen.states import STATES
from shell import run


def test_show_says_what_was_tuned_and_every_label(data, folder):
    y_true, y_score, labels = data
    t = limen.tune(y_true, y_score, labels=labels, method="exact")
    t.save(folder / "t.json")
    out = run("show", "t.json", cwd=folder, check=0).stdout
    assert f"micro F1 {percent(t.value)} on the 600 items tuned on (proven optimal" in out
    rows = [line for line in out.splitlines() if line.strip().startswith(tuple(labels))]
    assert [row.split("  ")[0].strip() for row in rows] == labels
    tp, pp, p, _ = t.counts
    ratios = (tp[0] / pp[0], tp[0] / p[0], 2 * tp[0] / (pp[0] + p[0]))
    assert rows[0].split()[-6:] == " ".join(map(percent, ratios)).split()
    ordered = run("show", "t.json", "--sort", "positives", "--most", "2", cwd=folder, check=0).stdout
    rarest = np.argsort(p, kind="stable")[:2]
    shown = [line for line in ordered.splitlines() if line.strip().startswith(tuple(labels))]
    assert [row.split("  ")[0].strip() for row in shown] == [labels[k] for k in rarest]
    assert "and 14 more labels" in ordered
    assert max(map(len, out.splitlines())) <= 80


def test_show_says_what_to_expect_on_so_many_new_items(data, folder):
    y_true, y_score, labels = data
    t = limen.tune(y_true, y_score, labels=labels)
    t.save(folder / "t.json")
    out = " ".join(run("show", "t.json", "--new-items", "50", cwd=folder, check=0).stdout.split())
    value, low, high = (100 * number for number in t.expected_on(50))
    assert f"on 50 new items expect {value:.1f} % (95 % {low:.1f} to {high:.1f})" in out
    limen.tune(y_true, y_score, labels=labels, target_prevalence=[0.1] * 16).save(folder / "t.json")
    out = " ".join(run("show", "t.json", "--new-items", "50", cwd=folder, check=0).stdout.split())
    assert "on the 600 items tuned on, reweighted to the target shares (" in out
    assert "are those of the 600 items tuned on, reweighted to the target shares" in out
    assert "what 50 new items will give is not estimable: the items tuned on have other label" in out


def test_show_refuses_what_is_no_thresholds_file(folder):
    done = run("show", "scores.csv", cwd=folder, check=2)
    assert "scores.csv is not a thresholds file: it begins with 'id,digit 0,digit 1,d'" in done.stderr


def test_bad_labels_are_marked_with_the_words_of_their_state(data, folder):
    y_true, y_score, labels = data
    limen.tune(y_true, y_score, labels=labels, method="fixed:0.6").save(folder / "own.json")
    fixed = limen.Thresholds.load(folder / "own.json")
    wide = {"cwd": folder, "check": 0, "env": {"COLUMNS": "140"}}
    for out in (
        run("show", "own.json", **wide).stdout,
        run("evaluate", "data.npz", "data.npz", "own.json", **wide).stdout,
    ):
        states = fixed.states()
        assert len(set(states)) >= 3
        for name, key in zip(labels, states, strict=True):
            row = next(line for line in out.splitlines() if line.strip().startswith(name))
            assert [words for words, _ in STATES.values() if words in row] == (
                [] if key == "none" else [STATES[key].words]
            )
        worse = states.count("worse")
        assert (
            f"clearly worse than 0.5 ({count(worse, 'label')}): its F1 is worse than at 0.5, and the 95 %" in out
        )
        assert "no warning" not in out
    higher = run("show", "own.json", "--bar", "0.95", **wide).stdout
    assert f"weak ({count(fixed.states(0.95).count('weak'), 'label')}): F1 below 95 %" in higher
    older = fixed.to_dict()
    older["labels"] = [{**label, "gain": None} for label in older["labels"]]
    (folder / "older.json").write_text(json.dumps(older))
    out = run("show", "older.json", **wide).stdout
    assert "which labels are clearly worse than 0.5 is not in the file: limen evaluate tells" in out


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_tables_of_long_names_fit(columns, data, folder):
    """What matters least goes first; names lose what they have in common."""
    y_true, y_score, _ = data
    labels = [f"Phylloscopus trochilus, recording number {k}, left channel of two" for k in range(16)]
    limen.tune(y_true, y_score, labels=labels).save(folder / "t.json")
    np.savez(folder / "long.npz", scores=y_score, labels=y_true, names=labels)
    for command in (("show", "t.json"), ("evaluate", "long.npz", "long.npz", "t.json")):
        out = run(*command, cwd=folder, check=0, env={"COLUMNS": str(columns)}).stdout
        table = [line for line in out.splitlines() if "Phyll" in line or "…" in line]
        assert max(map(len, table)) <= columns
        assert len({line.split("  ")[0] for line in table}) == 16
        heads = next(line for line in out.splitlines() if line.startswith(" label")).split()
        assert heads[1:3] == ["state", "threshold"]
        assert heads[-1] == "f1"
        assert ("recall" in heads) == ("precision" in heads)


def test_a_file_edited_by_hand_says_so(data, folder):
    y_true, y_score, labels = data
    t = limen.tune(y_true, y_score, labels=labels, method="exact")
    edited = {
        "thresholds": [
            {"label": labels[0], "from": 0.1, "to": 0.2},
            {"label": labels[1], "from": 0.1, "to": None},
        ],
        "counts_of": "the data of the report",
        "before": {"method": "exact", "edited": None},
    }
    said = "edited by hand in a report: 2 labels, looking at the data of the report (600 items)\n"
    for more, words in (
        ({}, said),
        ({"report": "Birds", "n_items": 50}, said.replace("report:", "report 'Birds':").replace("600", "50")),
        ({"before": {"edited": {}}}, said),
        ({"before": {"edited": {"thresholds": []}}}, said.replace("\n", "; it had been edited before\n")),
        (
            {"thresholds": 3, "counts_of": None},
            "edited by hand in a report: labels, looking at data that the file",
        ),
    ):
        replace(t, details={"edited": {**edited, **more}}).save(folder / "t.json")
        for command in (("show", "t.json"), ("evaluate", "data.npz", "data.npz", "t.json")):
            assert f"t.json was {words}" in run(*command, cwd=folder, check=0).stdout
    replace(t, details={}).save(folder / "t.json")
    assert "by hand" not in run("show", "t.json", cwd=folder, check=0).stdout


def test_curve_counts_as_decide_does(data, folder):
    y_true, y_score, labels = data
    name = labels[3]
    truth, scores = y_true[:, 3], y_score[:, 3].astype(float)
    out = run(
        "curve", "scores.csv", "labels.csv", "--label", name, "--thresholds", "0.3", cwd=folder, check=0
    ).stdout
    assert f"{name}: {truth.sum()} of 600 items have it; measured on these items" in out
    row = next(line for line in out.splitlines() if "given cut" in line).split()
    given = scores >= 0.3
    tp = (truth & given).sum()
    ratios = (tp / given.sum(), tp / truth.sum(), 2 * tp / (given.sum() + truth.sum()))
    assert " ".join(row).startswith(f"0.3 {given.sum()} {' '.join(map(percent, ratios))}")
    best = next(line for line in out.splitlines() if "best F1" in line).split()
    t = limen.tune(y_true[:, [3]], y_score[:, [3]], method="exact")
    assert " ".join(best[6:8]) == percent(t.value)
    assert max(map(len, out.splitlines())) <= 80


def test_curve_marks_the_cut_of_a_file_and_of_never(data, folder):
    y_true, y_score, labels = data
    limen.tune(y_true, y_score, labels=labels, method="exact").save(folder / "t.json")
    arguments = ("curve", "data.npz", "data.npz", "--label", labels[0], "--rows", "3", "--thresholds")
    assert "given cut" in run(*arguments, "t.json", cwd=folder, check=0).stdout
    never = run(*arguments, "inf", cwd=folder, check=0).stdout
    assert next(line for line in never.splitlines() if "never" in line).rstrip().endswith("given cut")
    done = run("curve", "data.npz", "data.npz", "--label", "Speech", cwd=folder, check=2)
    assert "the files have no label 'Speech'. They have 'digit 0'" in done.stderr
    content = (folder / "t.json").read_text().replace('"digit 0"', '"zero"')
    (folder / "other.json").write_text(content)
    done = run(*arguments, "other.json", cwd=folder, check=2)
    assert "other.json has no label 'digit 0'" in done.stderr


@pytest.mark.parametrize("way", ["h5", "duckdb"])
def test_tune_and_apply_through_other_files(data, folder, way):
    y_true, y_score, labels = data
    if way == "h5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(folder / "data.h5", "w") as file:
            file["clipwise_output"], file["target"], file["names"] = y_score, y_true.astype(bool), labels
        scores = truth = "data.h5"
    else:
        with duckdb.connect(str(folder / "data.db")) as con:
            con.execute("CREATE TABLE s AS SELECT * FROM read_csv(?)", [str(folder / "scores.csv")])
            con.execute("CREATE TABLE y AS SELECT * FROM read_csv(?, delim='\t')", [str(folder / "tags.tsv")])
        scores, truth = "duckdb:data.db?query=SELECT * FROM s WHERE true", "duckdb:data.db?table=y"
    run("tune", scores, truth, "--method", "exact", "-o", "t.json", cwd=folder, check=0)
    t = limen.Thresholds.load(folder / "t.json")
    wanted = limen.tune(y_true, y_score, labels=labels, method="exact")
    assert t.labels == wanted.labels
    np.testing.assert_array_equal(t.counts.tp, wanted.counts.tp)
    np.testing.assert_array_equal(t.counts.pp, wanted.counts.pp)
    run("apply", scores, "t.json", "-o", "tags.npy", cwd=folder, check=0)
    np.testing.assert_array_equal(np.load(folder / "tags.npy"), wanted.decide(y_score))
