"""Constraints on the command line: given by options or in a file, kept in thresholds.json, shown and measured."""

import json

import numpy as np
import pytest

import limen
from shell import run, write_csv


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("constraints")
    rng = np.random.default_rng(0)
    labels = rng.random((80, 3)) < 0.4
    scores = 1 / (1 + np.exp(-rng.normal(2.0 * labels - 1)))
    for name, table in (("scores", scores), ("labels", labels.astype(int))):
        write_csv(folder / f"{name}.csv", ["id", "Cat", "Dog", "Owl"], [[k, *row] for k, row in enumerate(table)])
    tree = [{"id": "c", "name": "Cat", "child_ids": ["d"]}, {"id": "d", "name": "Dog", "child_ids": []}]
    (folder / "tree.json").write_text(json.dumps(tree))
    (folder / "limits.toml").write_text("[min_precision]\nvalue = 0.6\nlabels = {Owl = 0.9}\n")
    return folder


def tuned(folder, *options):
    done = run("tune", "scores.csv", "labels.csv", "--method", "exact", *options, cwd=folder, check=0)
    return limen.Thresholds.load(folder / "thresholds.json"), " ".join(done.stdout.split())


def test_options(folder):
    t, said = tuned(folder, "--min-precision", "0.8", "--max-rate", "0.5", "--same", "Cat, Dog")
    assert [entry["constraint"] for entry in t.constraints] == [
        "precision at least 80.0 % for each label",
        "tags given at most 50.0 % for each label",
        "one threshold for 'Cat', 'Dog'",
    ]
    assert all(entry["holds"] for entry in t.constraints)
    assert t.values[0] == t.values[1]
    assert "precision at least 80.0 % for each label: kept" in said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--min-recall", "0.5", "--per", "all"), "recall at least 50.0 % over all labels"),
        (("--max-fpr", "0.1"), "false positive rate at most 10.0 % for each label"),
        (("--max-tags", "30"), "tags given at most 30 for each label"),
        (("--min-tags", "60", "--per", "all"), "tags given at least 60 over all labels"),
        (("--threshold-range", "0.3", "0.6"), "thresholds from 0.3 to 0.6"),
        (("--at-most", "Cat,Dog"), "the threshold of 'Cat' at most that of 'Dog'"),
        (("--hierarchy", "tree.json", "--closed"), "a hierarchy of 1 pair, closed"),
        (("--constraints", "limits.toml"), "precision at least 60.0 % for each label, 1 with another value"),
    ],
)
def test_each_option_is_kept_and_told_again(folder, options, says):
    t, said = tuned(folder, *options)
    assert [entry["constraint"] for entry in t.constraints] == [says]
    assert f"{says}: kept" in said
    for command in (
        ("show", "thresholds.json"),
        ("evaluate", "scores.csv", "labels.csv", "thresholds.json"),
    ):
        assert f"{says}: kept" in " ".join(run(*command, cwd=folder, check=0).stdout.split())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--min-precision", "2"), "2.0 is not in the range"),
        (("--same", "Cat"), "--same 'Cat' names 1 label. Name two or more"),
        (("--same", "Cat,Cow"), "SameThreshold names 'Cow', and the data have no such label."),
        (("--at-most", "Cat,Dog,Owl"), "names 3 labels. Name the parent, a comma, and the child."),
        (("--closed",), "--closed needs --hierarchy or --at-most."),
        (("--constraints", "none.toml"), "cannot read none.toml"),
        (("--min-recall", "1", "--min-precision", "1"), "cannot keep"),
        (("--min-precision", "0.5", "--method", "sgl"), "sgl takes no constraints. Use --method exact"),
    ],
)
def test_what_cannot_be_is_said(folder, options, says):
    done = run("tune", "scores.csv", "labels.csv", "-o", "none.json", *options, cwd=folder, check=2)
    assert says in " ".join(done.stderr.split())
    assert not (folder / "none.json").exists()


def test_hold_and_how_limits_fared_on_items_left_out(folder):
    t, said = tuned(folder, "--min-recall", "0.3", "--per", "all", "--hold", "0.6", "--method", "smoothed")
    assert t.details["hold"] == 0.6
    assert "recall at least 30.0 % over all labels: kept" in said
    assert "; left out, it held in" in said
    shown = run("show", "thresholds.json", cwd=folder, check=0).stdout
    assert "left out, it held in" in " ".join(shown.split())
    done = run("tune", "scores.csv", "labels.csv", "-o", "none.json", "--hold", "0.9", cwd=folder, check=2)
    assert "hold goes with constraints" in " ".join(done.stderr.split())


def test_compare_tells_how_often_they_are_kept(folder):
    done = run(
        *("compare", "scores.csv", "labels.csv", "--methods", "fixed:0.5,exact", "--cv", "3"),
        *("--min-precision", "0.8", "--per", "all"),
        cwd=folder,
        check=0,
        env={"COLUMNS": "160"},
    )
    assert "kept" in done.stdout
