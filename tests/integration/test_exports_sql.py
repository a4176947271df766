"""SQL text in real databases: DuckDB, SQLite and PostgreSQL decide exactly as `Thresholds.decide`."""

import csv
import os
import shutil
import sqlite3
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limen.errors import InputError
from limen.exports.sql import case_sql, duckdb_macros, long_sql
from strategies import PATIENT, SCORE_DTYPES, problems, tuned
from strategies import thresholds_at as one

duckdb = pytest.importorskip("duckdb")
pa = pytest.importorskip("pyarrow")

ATTACKS = [
    "'); DROP TABLE scores; --",
    '"; DROP TABLE scores; --',
    "a\nb",
    "'",
    '"',
    "it''s",
    "\\",
    "*/",
    "-- x",
    "Ñ 🐦",
]
NAMES = st.lists(
    st.one_of(
        st.sampled_from(ATTACKS),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    ),
    min_size=3,
    max_size=3,
    unique_by=lambda name: name.encode().lower(),
).filter(lambda names: b"id" not in [name.encode().lower() for name in names])

# Each example opens two databases.
FEWER = settings(PATIENT, max_examples=20)


DOG = one([0.5])


def stored(scores):
    """What a database holds: none has 16 bits."""
    return scores.astype(np.float32) if scores.dtype == np.float16 else scores


def in_duckdb(labels, scores):
    con = duckdb.connect()
    columns = {"id": np.arange(len(scores)), **{name: stored(scores)[:, k] for k, name in enumerate(labels)}}
    con.register("frame", pa.table({name: pa.array(values) for name, values in columns.items()}))
    con.execute("CREATE TABLE scores AS FROM frame")
    return con


def long_rows(labels, scores):
    return [(i, name, float(row[k])) for i, row in enumerate(scores) for k, name in enumerate(labels)]


def in_long_duckdb(labels, scores):
    con = duckdb.connect()
    rows = long_rows(labels, stored(scores))
    con.register(
        "frame",
        pa.table(
            {
                "id": pa.array([row[0] for row in rows]),
                "label": pa.array([row[1] for row in rows]),
                "score": pa.array(np.array([row[2] for row in rows], stored(scores).dtype)),
            }
        ),
    )
    con.execute("CREATE TABLE scores AS FROM frame")
    return con


def in_sqlite(labels, scores, kind="REAL"):
    con = sqlite3.connect(":memory:")
    columns = ", ".join('"' + name.replace('"', '""') + f'" {kind}' for name in labels)
    con.execute(f"CREATE TABLE scores (id INTEGER, {columns})")
    marks = ", ".join("?" * (len(labels) + 1))
    con.executemany(
        f"INSERT INTO scores VALUES ({marks})", [(i, *map(float, row)) for i, row in enumerate(scores)]
    )
    return con


def in_long_sqlite(labels, scores):
    con = sqlite3.connect(":memory:")
    con.execute("CREATE TABLE scores (id INTEGER, label TEXT, score REAL)")
    con.executemany("INSERT INTO scores VALUES (?, ?, ?)", long_rows(labels, scores))
    return con


def tags(decisions, labels):
    return sorted((i, labels[k]) for i, k in np.argwhere(decisions))


def given_of(rows):
    return sorted((row[0], row[1]) for row in rows)


def matrix(rows):
    return np.array([row[1:] for row in sorted(rows)], bool)


class TestDecisionsEqualDecide:
    @FEWER
    @given(problems(), NAMES)
    def test_wide_tables(self, problem, names):
        scores = problem.y_score
        labels = names[: scores.shape[1]]
        t = tuned(problem, labels=labels)
        for con in (in_duckdb(labels, scores), in_sqlite(labels, scores)):
            rows = con.execute(case_sql(t)).fetchall()
            np.testing.assert_array_equal(matrix(rows), t.decide(scores))
            assert len(con.execute("SELECT * FROM scores").fetchall()) == len(scores)
            con.close()

    @FEWER
    @given(problems(), NAMES)
    def test_long_tables_and_macros(self, problem, names):
        scores = problem.y_score
        labels = names[: scores.shape[1]]
        t = tuned(problem, labels=labels)
        expected = tags(t.decide(scores), labels)
        duck, lite = in_long_duckdb(labels, scores), in_long_sqlite(labels, scores)
        for con in (duck, lite):
            assert given_of(con.execute(long_sql(t)).fetchall()) == expected
            every = con.execute(long_sql(t, only_given=False)).fetchall()
            assert len(every) == scores.size
            assert None not in {row[3] for row in every}
            assert given_of(row for row in every if row[3]) == expected
        duck.execute(duckdb_macros(t))
        assert given_of(duck.execute("FROM limen_tags('scores')").fetchall()) == expected
        assert given_of(duck.execute("FROM scores WHERE limen_decide(label, score)").fetchall()) == expected
        duck.close()
        lite.close()

    @pytest.mark.parametrize("dtype", SCORE_DTYPES)
    def test_every_score_at_its_threshold_and_its_neighbours(self, dtype):
        # A decimal number read back wrong by one unit in the last place would show here.
        rng = np.random.default_rng(0)
        cuts = np.concatenate([rng.random(150), 10.0 ** rng.uniform(-7, 4, 150), -rng.random(50)]).astype(dtype)
        labels = [f"label {k}" for k in range(len(cuts))]
        t = one(cuts, labels, dtype)
        scores = np.stack([np.nextafter(cuts, dtype(-np.inf)), cuts, np.nextafter(cuts, dtype(np.inf))])
        expected = t.decide(scores)
        np.testing.assert_array_equal(expected, np.repeat([[False], [True], [True]], len(cuts), axis=1))
        for con in (in_duckdb(labels, scores), in_sqlite(labels, scores)):
            np.testing.assert_array_equal(matrix(con.execute(case_sql(t)).fetchall()), expected)
            con.close()
        for con in (in_long_duckdb(labels, scores), in_long_sqlite(labels, scores)):
            assert given_of(con.execute(long_sql(t)).fetchall()) == tags(expected, labels)
            con.close()

    def test_numbers_of_text_columns_are_read_as_numbers_by_sqlite(self):
        con = in_sqlite(["dog"], np.array([[0.5], [0.4], [5e-7], [10.0]]), kind="TEXT")
        con.execute("INSERT INTO scores VALUES (4, 'n/a'), (5, ''), (6, '0.75')")
        rows = con.execute(case_sql(DOG)).fetchall()
        assert rows == [(0, 1), (1, 0), (2, 0), (3, 1), (4, None), (5, None), (6, 1)]
        con.close()


class TestUndecided:
    VALUES = (0.75, None, float("nan"), float("inf"), float("-inf"), 0.25)

    def test_wide(self):
        with duckdb.connect() as con:
            con.execute("CREATE TABLE scores (id INT, dog FLOAT, cat DOUBLE)")
            con.executemany("INSERT INTO scores VALUES (?, ?, ?)", [(i, x, x) for i, x in enumerate(self.VALUES)])
            rows = con.execute(case_sql(one([0.5, np.inf], ("dog", "cat")))).fetchall()
        dog = [True, None, None, None, None, False]
        assert [row[1] for row in sorted(rows)] == dog
        assert [row[2] for row in sorted(rows)] == [False if given is True else given for given in dog]

    @pytest.mark.parametrize("module", [duckdb, sqlite3], ids=["duckdb", "sqlite"])
    def test_long(self, module):
        con = module.connect(":memory:")
        con.execute("CREATE TABLE scores (id INTEGER, label TEXT, score DOUBLE)")
        rows = [(i, "dog", score) for i, score in enumerate(self.VALUES)]
        rows += [(6, "rare", 9.0), (7, "Dog", 9.0), (8, None, 9.0)]
        con.executemany("INSERT INTO scores VALUES (?, ?, ?)", rows)
        t = one([0.5, np.inf], ("dog", "rare"))
        assert con.execute(long_sql(t)).fetchall() == [(0, "dog", 0.75)]
        every = sorted(con.execute(long_sql(t, only_given=False)).fetchall(), key=lambda row: row[0])
        assert [row[3] for row in every] == [True, None, None, None, None, False, False, None, None]
        con.close()

    def test_macros_stop_at_a_label_without_threshold(self):
        with duckdb.connect() as con:
            con.execute("CREATE TABLE scores (id INT, label VARCHAR, score FLOAT)")
            con.executemany("INSERT INTO scores VALUES (?, 'dog', ?)", list(enumerate(self.VALUES)))
            con.execute("INSERT INTO scores VALUES (6, NULL, 1)")
            con.execute(duckdb_macros(DOG))
            assert con.execute("FROM limen_tags('scores')").fetchall() == [(0, "dog", 0.75)]
            decided = con.execute("SELECT limen_decide(label, score) FROM scores ORDER BY id").fetchall()
            assert [row[0] for row in decided] == [True, None, None, None, None, False, None]
            con.execute("INSERT INTO scores VALUES (7, 'Dog', 0.9)")
            for query in ("FROM limen_tags('scores')", "SELECT limen_decide(label, score) FROM scores"):
                with pytest.raises(duckdb.Error, match="the thresholds do not have the label Dog"):
                    con.execute(query).fetchall()

    def test_a_missing_column_is_an_error_and_no_text(self):
        # SQLite reads "dog" as the text 'dog' where no such column exists.
        con = in_sqlite(["cat"], np.array([[0.5]]))
        with pytest.raises(sqlite3.OperationalError, match="no such column"):
            con.execute(case_sql(DOG))
        con.close()


class TestNames:
    def test_tables_columns_and_macros_are_called_as_asked(self):
        t = one([0.5, 0.5], ("id", "b"))
        with duckdb.connect() as con:
            con.execute('CREATE SCHEMA "my schema"; CREATE TABLE "my schema"."a.b" (item INT, id FLOAT, b FLOAT)')
            con.execute('INSERT INTO "my schema"."a.b" VALUES (1, 0.5, 0.4)')
            assert con.execute(case_sql(t, table=("my schema", "a.b"), id="item")).fetchall() == [(1, True, False)]
            assert con.execute(case_sql(t, table=("my schema", "a.b"), id=None)).fetchall() == [(True, False)]
            con.execute('CREATE TABLE limen_thresholds (clip INT, "the tag" VARCHAR, p FLOAT)')
            con.execute("INSERT INTO limen_thresholds VALUES (1, 'b', 0.5), (2, 'b', 0.4)")
            columns = {"label": "the tag", "score": "p"}
            text = long_sql(t, table="limen_thresholds", id="clip", **columns)
            assert con.execute(text).fetchall() == [(1, "b", 0.5)]
            con.execute(duckdb_macros(t, name="bird's", **columns))
            assert con.execute("FROM \"bird's_tags\"('limen_thresholds')").fetchall() == [(1, "b", 0.5)]
            assert con.execute("SELECT \"bird's_decide\"('id', 0.4)").fetchall() == [(False,)]

    def test_the_comment_holds_whatever_the_file_says_of_the_method(self):
        t = replace(DOG, method="x\nDROP TABLE scores;\r\x0b\u2028--")
        with duckdb.connect() as con:
            con.execute("CREATE TABLE scores AS SELECT 1 AS id, 'dog' AS label, 0.5 AS score, 0.5 AS dog")
            for text in (case_sql(t), long_sql(t), duckdb_macros(t)):
                con.execute(text)
                assert text.splitlines()[0].startswith("-- limen: ")
                assert "DROP" in text.splitlines()[0]
            assert con.execute("SELECT count(*) FROM scores").fetchall() == [(1,)]

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            (("", "b"), "a name of a table, column or label is empty. SQL has no empty names"),
            (("a\0b", "b"), r"the name 'a\\x00b' has a NUL or is no Unicode text. SQL cannot hold it; rename it."),
            (("a\ud800", "b"), r"the name 'a\\ud800' has a NUL or is no Unicode text"),
            (("dog", "Dog"), "the columns 'dog', 'Dog' would be the same: SQL does not tell upper from lower"),
            (("ID", "b"), "the columns 'id', 'ID' would be the same"),
        ],
    )
    def test_impossible_columns_are_refused(self, labels, message):
        with pytest.raises(InputError, match=message):
            case_sql(one([0.5, 0.5], labels))

    def test_impossible_texts_are_refused(self):
        for way in (long_sql, duckdb_macros):
            with pytest.raises(InputError, match="has a NUL"):
                way(one([0.5], ["a\0b"]))
        with pytest.raises(InputError, match="is empty"):
            long_sql(DOG, table="")
        assert "'Dog'" in long_sql(one([0.5, 0.5], ("dog", "Dog")))


class Postgres:
    """PostgreSQL without a server: one process reads statements, and writes results to a file."""

    def __init__(self, folder):
        # PostgreSQL refuses to run as root.
        self.user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        self.folder = folder
        if self.user:
            os.chown(folder, 65534, 65534)
        self.run(["initdb", "-D", str(folder / "data"), "-N", "-E", "UTF8", "--locale=C"])

    def run(self, command, **options):
        done = subprocess.run(
            command,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **self.user,
            **options,
        )
        assert done.returncode == 0, done.stderr
        return done

    def rows(self, setup, query):
        """Rows of a query, as text."""
        output = self.folder / "rows.csv"
        output.unlink(missing_ok=True)
        statements = [*setup, f"COPY ({query.rstrip().removesuffix(';')}) TO '{output}' (FORMAT csv)"]
        # With -j a statement ends at a semicolon and an empty line.
        text = "".join(f"{statement};\n\n" for statement in statements)
        done = self.run(["postgres", "--single", "-j", "-D", str(self.folder / "data"), "postgres"], input=text)
        assert "ERROR" not in done.stderr, done.stderr
        with output.open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))


@pytest.fixture(scope="module")
def postgres():
    if shutil.which("initdb") is None or shutil.which("postgres") is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="limen-postgres-"))
    yield Postgres(folder)
    shutil.rmtree(folder)


@pytest.mark.parametrize(("dtype", "kind"), [("f2", "real"), ("f4", "real"), ("f8", "double precision")])
def test_postgresql(postgres, dtype, kind):
    rng = np.random.default_rng(1)
    scores = rng.choice(rng.random(7).astype(dtype), (40, 4))
    labels = ["'); DROP TABLE scores; --", 'a "quoted"\nname', "É 🐦", "never"]
    cuts = np.array([*(scores[0, :3]), np.inf], dtype)
    t = one(cuts, labels, dtype)
    expected = t.decide(scores)
    assert 0 < expected.sum() < expected[:, :3].size
    columns = ", ".join('"' + name.replace('"', '""') + f'" {kind}' for name in labels)
    rows = ", ".join(str((i, *map(float, row))) for i, row in enumerate(scores))
    wide = [f"CREATE TABLE wide (id int, {columns})", f"INSERT INTO wide VALUES {rows}"]
    nulls = "(-1, 'NaN', NULL, 'Infinity', 'NaN')"
    wide += [f"INSERT INTO wide VALUES {nulls}"]
    try:
        found = postgres.rows(wide, case_sql(t, table="wide"))
        by_id = {int(row[0]): row[1:] for row in found}
        assert by_id.pop(-1) == ["", "", "", ""]
        np.testing.assert_array_equal([[x == "t" for x in by_id[i]] for i in range(40)], expected)
        quoted = [name.replace("'", "''") for name in labels]
        rows = ", ".join(f"({i}, '{quoted[k]}', {float(scores[i, k])!r})" for i in range(40) for k in range(4))
        long = [f"CREATE TABLE long (id int, label text, score {kind})", f"INSERT INTO long VALUES {rows}"]
        long += ["INSERT INTO long VALUES (-1, 'never', 'NaN'), (-2, 'É 🐦', NULL), (-3, 'unknown', 9)"]
        found = postgres.rows(long, long_sql(t, table="long"))
        assert given_of((int(row[0]), row[1]) for row in found) == tags(expected, labels)
        every = postgres.rows([], long_sql(t, table="long", only_given=False))
        given = {(int(row[0]), row[1]): row[3] for row in every}
        assert [given.pop(key) for key in ((-1, "never"), (-2, "É 🐦"), (-3, "unknown"))] == ["", "", ""]
        assert {key: value == "t" for key, value in given.items()} == {
            (i, labels[k]): bool(expected[i, k]) for i in range(40) for k in range(4)
        }
    finally:
        postgres.rows(["DROP TABLE IF EXISTS wide, long"], "SELECT 1")
