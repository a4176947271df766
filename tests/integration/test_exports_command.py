"""`limen export` and `limen birdnet-filter`, from files to files."""

import json
import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import limen
from limen.cli.export import birdnet_filter, export
from limen.errors import FileError, InputError, UnsupportedError
from limen.exports import birdnet, huggingface, sql
from strategies import random_data, tuned

LABELS = ("Turdus merula_Blackbird", "Parus major_Great Tit", "never")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    t = tuned(random_data(3, n_items=6, n_labels=3, weighted=False), labels=LABELS)
    t = replace(t, values=np.array([0.5, 0.25, np.inf]))
    t.save("thresholds.json")
    replace(t, rule="mcut").save("mcut.json")
    return tmp_path


def run(command, *arguments):
    done = CliRunner().invoke(command, [*map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def table(*rows):
    con = sqlite3.connect(":memory:")
    con.execute(
        'CREATE TABLE clips (id TEXT, "Turdus merula_Blackbird" REAL, "Parus major_Great Tit" REAL, never REAL)'
    )
    con.executemany("INSERT INTO clips VALUES (?, ?, ?, ?)", rows)
    return con


def test_sql_comes_on_standard_output_and_runs(folder):
    con = table(("a", 0.5, 0.2, 9.0), ("b", 0.4, 0.25, None))
    text = run(export, "sql", "thresholds.json", "--table", "clips")
    assert con.execute(text).fetchall() == [("a", 1, 0, 0), ("b", 0, 1, None)]
    assert run(export, "sql", "thresholds.json", "--table", "clips", "-o", "tags.sql") == "wrote tags.sql\n"
    assert (folder / "tags.sql").read_text() == text
    con.close()


def test_sql_of_long_tables(folder):
    con = sqlite3.connect(":memory:")
    con.execute("CREATE TABLE scores (clip TEXT, tag TEXT, p REAL)")
    con.execute("INSERT INTO scores VALUES ('a', 'never', 9), ('a', 'Parus major_Great Tit', 0.25)")
    columns = ("--layout", "long", "--id", "clip", "--label", "tag", "--score", "p")
    rows = con.execute(run(export, "sql", "thresholds.json", *columns)).fetchall()
    assert rows == [("a", "Parus major_Great Tit", 0.25)]
    every = con.execute(run(export, "sql", "thresholds.json", *columns, "--every-row")).fetchall()
    assert sorted(row[1:] for row in every) == [("Parus major_Great Tit", 0.25, 1), ("never", 9.0, 0)]
    con.close()


def test_duckdb_macros_run(folder):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as con:
        con.execute(run(export, "duckdb", "thresholds.json", "--name", "birds", "--score", "p"))
        con.execute(
            "CREATE TABLE s AS SELECT 'never' AS label, 1.0 AS p UNION ALL SELECT 'Turdus merula_Blackbird', 0.5"
        )
        assert con.execute("SELECT label FROM birds_tags('s')").fetchall() == [("Turdus merula_Blackbird",)]
        assert con.execute("SELECT birds_decide('never', 1.0)").fetchall() == [(False,)]


def test_birdnet_lists(folder):
    (folder / "labels.txt").write_text("Turdus merula_Eurasian Blackbird\nParus major_Great Tit\nnever_never\n")
    said = run(export, "birdnet", "thresholds.json", "--labels-file", "labels.txt", "--confidences", "c.csv")
    assert said == "wrote species_list.txt (2 species)\nleft out, as never given: 'never'\nwrote c.csv\n"
    assert (folder / "species_list.txt").read_text() == "Turdus merula_Eurasian Blackbird\nParus major_Great Tit\n"
    assert (folder / "c.csv").read_text() == (
        "scientific_name,common_name,confidence\n"
        "Turdus merula,Eurasian Blackbird,0.5\n"
        "Parus major,Great Tit,0.25\n"
    )


def test_birdnet_lists_are_both_written_or_none(folder):
    with pytest.raises(FileError, match="is no folder"):
        run(export, "birdnet", "thresholds.json", "--confidences", "none/c.csv")
    with pytest.raises(FileError, match="is no folder"):
        run(export, "birdnet", "thresholds.json", "-o", "none/list.txt", "--confidences", "c.csv")
    assert sorted(path.name for path in folder.iterdir()) == ["mcut.json", "thresholds.json"]


def test_birdnet_detections_are_filtered(folder):
    header = "Scientific name,Common name,Confidence\n"
    rows = ["Turdus merula,Amsel,0.5000\n", "Turdus merula,Amsel,0.4999\n", "Strix aluco,Waldkauz,0.9\n"]
    (folder / "in.csv").write_text(header + "".join(rows))
    with pytest.raises(InputError, match="'Strix aluco_Waldkauz', for which there is no threshold"):
        run(birdnet_filter, "in.csv", "thresholds.json", "-o", "out.csv")
    assert not (folder / "out.csv").exists()
    said = run(birdnet_filter, "in.csv", "thresholds.json", "-o", "out.csv", "--unknown", "drop")
    assert said == (
        "wrote out.csv: kept 1 of 3 detections\ndropped, as they have no threshold: 'Strix aluco_Waldkauz'\n"
    )
    assert (folder / "out.csv").read_text() == header + rows[0]
    said = run(birdnet_filter, "in.csv", "thresholds.json", "-o", "out.csv", "--unknown", "keep")
    assert "kept, as they have no threshold" in said
    assert (folder / "out.csv").read_text() == header + rows[0] + rows[2]


def test_detections_do_not_replace_the_thresholds(folder):
    (folder / "in.csv").write_text("Scientific name,Common name,Confidence\nTurdus merula,Amsel,0.5\n")
    before = (folder / "thresholds.json").read_bytes()
    with pytest.raises(InputError, match=r"thresholds\.json would replace thresholds\.json"):
        run(birdnet_filter, "in.csv", "thresholds.json", "-o", "thresholds.json")
    assert (folder / "thresholds.json").read_bytes() == before


def test_detections_beyond_probabilities_are_refused(folder):
    replace(limen.Thresholds.load("thresholds.json"), scale="probability").save("thresholds.json")
    (folder / "in.csv").write_text("Scientific name,Common name,Confidence\nTurdus merula,Amsel,80.5\n")
    with pytest.raises(
        InputError, match=r"in.csv has the confidence 80.5 for 'Turdus merula_Amsel'. The thresholds"
    ):
        run(birdnet_filter, "in.csv", "thresholds.json", "-o", "out.csv")


def test_a_model_gets_its_thresholds(folder):
    (folder / "model").mkdir()
    content = {"id2label": {str(k): name for k, name in enumerate(LABELS[::-1])}}
    (folder / "model" / "config.json").write_text(json.dumps(content))
    said = run(export, "huggingface", "thresholds.json", "model")
    assert said.startswith("wrote thresholds and limen_thresholds into model/config.json (3 labels)\n")
    written = json.loads((folder / "model" / "config.json").read_text())
    assert written["thresholds"] == {"never": None, "Parus major_Great Tit": 0.25, "Turdus merula_Blackbird": 0.5}


@pytest.mark.parametrize(
    "arguments",
    [
        ("sql", "mcut.json", "-o", "out"),
        ("sql", "mcut.json", "--layout", "long", "-o", "out"),
        ("duckdb", "mcut.json", "-o", "out"),
        ("birdnet", "mcut.json", "-o", "out"),
        ("huggingface", "mcut.json", "out"),
    ],
)
def test_a_rule_over_an_item_writes_nothing(folder, arguments):
    with pytest.raises(UnsupportedError, match="the rule 'mcut' compares the labels of an item with each other"):
        run(export, *arguments)
    assert not (folder / "out").exists()


@pytest.mark.parametrize("rule", ["top-k:1", "mcut"])
def test_a_rule_over_an_item_is_refused_everywhere(rule):
    polars = pytest.importorskip("limen.exports.polars")
    t = replace(tuned(random_data(3, n_items=6, n_labels=3, weighted=False), labels=LABELS), rule=rule)
    ways = [sql.case_sql, sql.long_sql, sql.duckdb_macros, polars.expressions, polars.long_expression]
    for way in (*ways, birdnet.confidences, huggingface.PostProcessor):
        with pytest.raises(UnsupportedError, match=f"the rule '{rule}' compares the labels of an item with each"):
            way(t)


@pytest.mark.parametrize("command", ["sql", "duckdb", "birdnet", "huggingface"])
def test_help_shows_an_example_of_a_line(command):
    assert f"\n  limen export {command} thresholds.json" in run(export, command, "--help")
    assert f"\n  limen export {command} thresholds.json" in run(export, "--help")
