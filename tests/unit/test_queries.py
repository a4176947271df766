"""Scores and labels from the rows of a DuckDB query."""

import duckdb
import numpy as np
import pytest

import limen
from limen.errors import InputError, UnreadableError
from limen.files.queries import as_query
from limen.files.reading import join, read_table


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "a b.db"
    with duckdb.connect(str(path)) as con:
        con.execute("CREATE TABLE wide (clip_id INTEGER, dog FLOAT, cat FLOAT)")
        con.execute("INSERT INTO wide VALUES (3, 0.1, 0.9), (1, 0.8, 0.7), (2, 0.4, 0.2)")
        con.execute('CREATE TABLE "all tags" (id INTEGER, label VARCHAR)')
        con.execute("""INSERT INTO "all tags" VALUES (1, 'dog'), (3, 'cat'), (1, 'cat'), (2, NULL)""")
    return path


def test_a_query_and_a_table(database):
    before = database.read_bytes()
    scores = read_table(f"duckdb:{database}?query=SELECT * FROM wide ORDER BY clip_id;", kind="scores")
    labels = read_table(f"duckdb:{database}?table=all tags", kind="labels")
    assert scores.source == f"duckdb:{database}"
    assert scores.ids == ("1", "2", "3")
    assert scores.labels == ("dog", "cat")
    assert scores.values.dtype == np.float32
    joined = join(scores, labels)
    np.testing.assert_array_equal(joined.y_true, [[1, 1], [0, 0], [0, 1]])
    assert limen.tune(joined.y_true, joined.y_score, labels=joined.labels, method="exact").value == 1
    assert database.read_bytes() == before


def test_a_query_may_read_files(tmp_path):
    (tmp_path / "s.csv").write_text("name,dog,cat\na,0.5,0.25\nb,0.75,1\n")
    table = read_table(f"duckdb:?query=SELECT * FROM '{tmp_path}/*.csv' WHERE dog > 0.6", kind="scores")
    assert table.ids == ("b",)
    np.testing.assert_array_equal(table.values, [[0.75, 1.0]])


@pytest.mark.parametrize("end", [";", "; -- done", ";\n/* done; */ ", " -- no semicolon", " /* ; */"])
def test_what_may_follow_a_query(database, end):
    assert read_table(f"duckdb:{database}?query=SELECT * FROM wide{end}", kind="scores").shape == (3, 2)


def test_long_rows(database):
    query = "UNPIVOT (SELECT clip_id AS id, dog, cat FROM wide) ON dog, cat INTO NAME label VALUE score"
    table = read_table(f"duckdb:{database}?query=SELECT * FROM ({query})", kind="scores")
    assert table.layout == "long"
    assert table.shape == (3, 2)


@pytest.mark.parametrize("query", ["{}", "SELECT * FROM ({})", "FROM ({});", "WITH p AS ({}) SELECT * FROM p"])
def test_a_pivot(database, query):
    pivot = 'PIVOT "all tags" ON label IN (dog, cat) USING count(*) GROUP BY id'
    for inner in (
        pivot,
        pivot.replace(" IN (dog, cat)", "").replace('"all tags"', "(FROM \"all tags\" WHERE label > '')"),
    ):
        table = read_table(f"duckdb:{database}?query={query.format(inner)}", kind="labels")
        at = [table.ids.index(name) for name in ("1", "3")]
        columns = [table.labels.index(name) for name in ("dog", "cat")]
        np.testing.assert_array_equal(table.values[at][:, columns], [[1, 1], [0, 1]])


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("COPY (PIVOT wide ON dog) TO 'x.csv'", r"the query holds MULTI\. It must be one SELECT"),
        ("DROP TABLE wide", r"the query holds DROP\. It must be one SELECT"),
        ("SELECT 1; SELECT 2", r"the query holds SELECT, SELECT\. It must be one SELECT"),
        ("SELECT * FROM nothing", r"the query fails \(Catalog Error: .*nothing.*\)\. Correct it"),
        ("SELEC", r"the query fails \(Parser Error"),
        ("SELECT dog, cat FROM wide", r"gives no ids \(dog, cat, \.\.\.\)\. Rows of a query have no order"),
        ("SELECT * FROM wide WHERE false", "has a header and no rows"),
        ("SELECT clip_id, dog, dog FROM wide", "repeats the column 'dog'"),
        ("SELECT clip_id, dog, NULL::FLOAT AS cat FROM wide", "has no score in 3 cells"),
        ("SELECT [clip_id] AS id, dog FROM wide", "has lists in the column 'id', where names belong. Unnest them"),
        (
            "SELECT clip_id, ['dog'] AS label, dog AS score FROM wide",
            "has lists in the column 'label', where names",
        ),
    ],
)
def test_queries_that_cannot_serve(database, query, message):
    with pytest.raises(InputError, match=message):
        read_table(f"duckdb:{database}?query={query}", kind="scores")


def test_databases_that_cannot_be_opened(tmp_path):
    with pytest.raises(UnreadableError, match=r"none\.db does not exist\. Check the path of the database"):
        read_table(f"duckdb:{tmp_path}/none.db?table=x", kind="scores")
    (tmp_path / "text.db").write_text("id,dog\n" * 3000)
    with pytest.raises(UnreadableError, match=r"text\.db cannot be opened as a DuckDB database \("):
        read_table(f"duckdb:{tmp_path}/text.db?table=x", kind="scores")


@pytest.mark.parametrize("text", ["duckdb:", "duckdb:scores.db", "duckdb:?table=x", "duckdb:x.db?query= "])
def test_texts_without_a_query(text):
    with pytest.raises(InputError, match=r"has no query\. Write duckdb:FILE\?query=SELECT"):
        as_query(text)
