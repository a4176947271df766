"""Long tables in DuckDB, SQLite and PostgreSQL, and from the command line."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pytest

import limen
from limen.curves import Curves
from limen.engines.duckdb import curves
from limen.errors import InputError, UnreadableError
from limen.shards import count_shard
from limen.unscored import said_unscored, unscored
from long_table_files import TAGS, in_database, in_memory, scores_file, table, tags_file


def test_tables_and_queries_of_duckdb(tmp_path):
    scores, tags = table(seed=11)
    in_database(tmp_path / "a.db", scores, tags, duckdb.connect)
    shutil.copy(tmp_path / "a.db", tmp_path / "temp.db")
    expected = count_shard(
        in_memory(f"duckdb:{tmp_path}/a.db?table=tags", f"duckdb:{tmp_path}/a.db?table=my scores")
    )
    assert curves(f"duckdb:{tmp_path}/a.db?table=tags", f"duckdb:{tmp_path}/a.db?table=my scores") == expected
    assert (
        curves(f"duckdb:{tmp_path}/temp.db?table=tags", f"duckdb:{tmp_path}/temp.db?table=my scores") == expected
    )
    asked = f'duckdb:{tmp_path}/a.db?query=SELECT id, label, score FROM a.main."my scores" -- all'
    assert curves(f"duckdb:{tmp_path}/a.db?table=tags", asked) == expected
    with pytest.raises(InputError, match="It must be one SELECT"):
        curves(f"duckdb:{tmp_path}/a.db?table=tags", f"duckdb:{tmp_path}/a.db?query=DROP TABLE tags")
    with pytest.raises(InputError, match="the query fails"):
        curves(f"duckdb:{tmp_path}/a.db?table=tags", f"duckdb:{tmp_path}/a.db?table=none")
    with pytest.raises(UnreadableError, match=r"no\.db does not exist"):
        curves(f"duckdb:{tmp_path}/a.db?table=tags", f"duckdb:{tmp_path}/no.db?table=none")


def test_tables_and_queries_of_sqlite(tmp_path):
    scores, tags = table(seed=12)
    in_database(tmp_path / "a.db", scores, tags, sqlite3.connect)
    expected = count_shard(
        in_memory(tags_file(tmp_path / "t.parquet", tags), scores_file(tmp_path / "s.parquet", scores, "DOUBLE"))
    )
    place = f"sqlite:{tmp_path}/a.db"
    assert curves(f"{place}?table=tags", f"{place}?table=my scores") == expected
    assert curves(f"{place}?table=tags", f'{place}?query=SELECT id, label, score FROM "my scores"') == expected
    with pytest.raises(InputError, match="the query fails"):
        curves(f"{place}?table=tags", f"{place}?table=none")
    with pytest.raises(InputError, match="where numbers belong"):
        curves(f"{place}?table=tags", f"{place}?query=SELECT 'a' AS id, 'b' AS label, 'c' AS score")
    with pytest.raises(InputError, match="has no query"):
        curves(f"{place}?table=tags", place)
    (tmp_path / "b.db").write_text("no database" * 100)
    with pytest.raises(UnreadableError, match="cannot be read as an SQLite database"):
        curves(f"{place}?table=tags", f"sqlite:{tmp_path}/b.db?table=scores")


SERVER = max(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), default=shutil.which("pg_ctl"))


@pytest.fixture(scope="module")
def postgresql():
    """A PostgreSQL of our own, listening on a socket in a temporary folder; gives its address."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install psycopg[binary]")
    if SERVER is None:
        pytest.skip("no PostgreSQL server is installed: apt-get install postgresql")
    user = {"user": "postgres"} if os.geteuid() == 0 else {}  # a server refuses to run as root
    with tempfile.TemporaryDirectory() as folder:
        if user:
            shutil.chown(folder, "postgres")
        tools, data = Path(SERVER).resolve().parent, f"{folder}/data"

        def run(*words):
            subprocess.run(words, check=True, capture_output=True, cwd=folder, **user)

        run(str(tools / "initdb"), "-D", data, "-A", "trust", "-U", "limen", "--no-sync")
        run(
            str(tools / "pg_ctl"),
            "-D",
            data,
            "-w",
            "-o",
            f"-k {folder} -c listen_addresses=",
            "-l",
            f"{folder}/log",
            "start",
        )
        try:
            yield f"postgresql://limen@/postgres?host={folder}"
        finally:
            run(str(tools / "pg_ctl"), "-D", data, "-m", "immediate", "stop")


@pytest.mark.parametrize("form", ["real", "double precision", "numeric"])
def test_tables_and_queries_of_postgresql(tmp_path, postgresql, form):
    import psycopg

    scores, tags = table(seed=13, digits=4)  # numeric keeps 15 digits of a float
    with psycopg.connect(postgresql, autocommit=True) as con:
        con.execute("DROP TABLE IF EXISTS scores, tags")
        con.execute(f"CREATE TABLE scores (id text, label text, score {form})")
        con.execute("CREATE TABLE tags (id text, label text)")
        with con.cursor() as cursor:
            cursor.executemany("INSERT INTO scores VALUES (%s, %s, %s)", scores)
            cursor.executemany("INSERT INTO tags VALUES (%s, %s)", tags)
    expected = count_shard(
        in_memory(
            tags_file(tmp_path / "t.parquet", tags),
            scores_file(tmp_path / "s.parquet", scores, "FLOAT" if form == "real" else "DOUBLE"),
        )
    )
    assert curves(f"{postgresql}&table=tags", f"{postgresql}&table=public.scores") == expected
    assert (
        curves(f"{postgresql}&table=tags", f"{postgresql}&query=SELECT id, label, score FROM scores") == expected
    )
    with pytest.raises(InputError, match="the query fails"):
        curves(f"{postgresql}&table=tags", f"{postgresql}&table=none")
    with pytest.raises(InputError, match="the query fails"):
        curves(f"{postgresql}&table=tags", f"{postgresql}&query=DELETE FROM scores RETURNING *")


def test_a_server_that_is_not_there(tmp_path):
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install psycopg[binary]")
    with pytest.raises(UnreadableError, match=r"postgresql://me:\*\*\*@/db\?host=.* cannot be reached"):
        curves(tags_file(tmp_path / "t.parquet", TAGS), f"postgresql://me:secret@/db?host={tmp_path}&table=scores")


def command(*words, cwd):
    """Run limen in a process of its own; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "limen", *words], capture_output=True, text=True, cwd=cwd, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_commands_count_long_tables_and_say_what_has_no_score(tmp_path):
    scores, tags = table(120, 3, seed=14)
    scores_file(tmp_path / "s.parquet", scores)
    in_database(tmp_path / "a.db", scores, tags, sqlite3.connect)
    (tmp_path / "t.csv").write_text("id,label\n" + "\n".join(f"{one},{tag or ''}" for one, tag in tags))
    said = said_unscored(unscored(count_shard(in_memory(tmp_path / "t.csv", tmp_path / "s.parquet"))))
    assert "have no score" in said
    code, found = command("tune", "s.parquet", "t.csv", "--method", "exact", "-o", "t.json", cwd=tmp_path)
    assert code == 0
    assert said in found
    assert said in command("show", "t.json", cwd=tmp_path)[1]
    expected = limen.tune(in_memory(tmp_path / "t.csv", tmp_path / "s.parquet"), method="exact")
    assert np.array_equal(limen.Thresholds.load(tmp_path / "t.json").values, expected.values)
    assert limen.Thresholds.load(tmp_path / "t.json").details["unscored"] == expected.details["unscored"]
    code, found = command("curves", "s.parquet", "t.csv", "-o", "s.curves", cwd=tmp_path)
    assert code == 0
    assert said in found
    assert Curves.load(tmp_path / "s.curves") == count_shard(in_memory(tmp_path / "t.csv", tmp_path / "s.parquet"))
    code, found = command(
        "curves", "sqlite:a.db?table=my scores", "sqlite:a.db?table=tags", "-o", "b.curves", cwd=tmp_path
    )
    assert code == 0
    assert Curves.load(tmp_path / "b.curves").dtype == np.float64
    code, found = command("evaluate", "sqlite:a.db?table=my scores", "t.csv", "t.json", cwd=tmp_path)
    assert code == 0
