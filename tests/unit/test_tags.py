"""Decisions that are written read back as the same decisions, in every format and with any name."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from limen.errors import InputError
from limen.files import tags
from limen.files.reading import read_table
from limen.files.tags import write_tags
from limen.sources.tables import Table, join

HOSTILE = [
    'a "quoted" name',
    "Speech, male",
    "Hängebrücke ☃ \U0001f426",
    "two\nlines\r\nand\rmore",
    "<script>alert('x')</script>",
    "tab\there",
    "id2",
    "'), DROP TABLE cells --",
    "{braces} % \\ /",
    '=HYPERLINK("http://x")',
    "@sum(1)",
    "'+1!cmd",
]
IDS = ["a.wav", "b,c", 'd"e', "f\ng", "é;|", " h ", "007"]
rng = np.random.default_rng(0)
DECISIONS = rng.random((len(IDS), len(HOSTILE))) < 0.3
DECISIONS[2] = False
DECISIONS[:, 4] = False

FORMATS = [
    *((ending, layout) for ending in ("csv", "tsv", "parquet") for layout in ("tags", "wide", "long")),
    ("npz", "tags"),
    ("npy", "tags"),
]


def read_back(path, ids, labels):
    """Return the decisions in a file, in the order of ``ids`` and ``labels``."""
    scores = Table(np.zeros((len(ids), len(labels))), "scores", "wide", tuple(ids), tuple(labels))
    if path.suffix == ".npy":
        scores = Table(scores.values, "scores", "matrix")
    return join(scores, read_table(path, kind="labels")).y_true


@pytest.mark.parametrize(("ending", "layout"), FORMATS)
def test_roundtrip(tmp_path, ending, layout):
    path = tmp_path / f"it's [1].{ending}"
    before = DECISIONS.copy()
    write_tags(path, IDS, HOSTILE, DECISIONS, layout=layout)
    np.testing.assert_array_equal(read_back(path, IDS, HOSTILE), DECISIONS)
    np.testing.assert_array_equal(DECISIONS, before)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(("ending", "layout"), FORMATS)
def test_roundtrip_in_blocks_without_ids(tmp_path, monkeypatch, ending, layout):
    monkeypatch.setattr(tags, "BLOCK_CELLS", 7)
    decisions = rng.random((20, 3)) < 0.4

    class Lazy:
        shape = decisions.shape
        asked = 0

        def __getitem__(self, rows):
            self.asked += 1
            return decisions[rows]

    lazy, path = Lazy(), tmp_path / f"t.{ending}"
    write_tags(path, None, ["x", "y", "z"], lazy, layout=layout)
    assert lazy.asked == 10
    if ending in ("npy", "npz"):
        table = read_table(path, kind="labels")
        assert table.ids is None
        np.testing.assert_array_equal(table.values, decisions)
    else:
        np.testing.assert_array_equal(read_back(path, [str(row) for row in range(20)], "xyz"), decisions)


@pytest.mark.parametrize("layout", ["wide", "long"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_names_that_a_tag_list_cannot_hold(tmp_path, layout, ending):
    labels = ["a;b", "c|d", " e "]
    decisions = np.array([[True, False, True], [False, True, False]])
    write_tags(tmp_path / f"t.{ending}", "xy", labels, decisions, layout=layout)
    np.testing.assert_array_equal(read_back(tmp_path / f"t.{ending}", "xy", labels), decisions)
    with pytest.raises(InputError, match=r'3 labels cannot stand in a tag list.*Use layout="long" or "wide"'):
        write_tags(tmp_path / f"t.{ending}", "xy", labels, decisions)


name = st.text(st.sampled_from("ab ,;\"'\n\r|#é☃\t\\0.1=-@("), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.data(),
    st.lists(name, min_size=1, max_size=4, unique=True),
    st.lists(name, min_size=1, max_size=4, unique=True),
    st.sampled_from(FORMATS[:-1]),
)
def test_roundtrip_or_refusal_of_any_name(tmp_path, data, ids, labels, form):
    ending, layout = form
    cells = data.draw(st.lists(st.booleans(), min_size=len(ids) * len(labels), max_size=len(ids) * len(labels)))
    decisions = np.array(cells).reshape(len(ids), len(labels))
    path = tmp_path / f"t.{ending}"
    try:
        write_tags(path, ids, labels, decisions, layout=layout)
    except InputError:
        assert layout != "long"
        assert ending != "npz"
    else:
        np.testing.assert_array_equal(read_back(path, ids, labels), decisions)


def test_what_is_written(tmp_path):
    decisions = np.array([[True, True], [False, False]])
    for layout, text in (
        ("tags", "id,tags\na,x;y\nb,\n"),
        ("wide", "id,x,y\na,1,1\nb,0,0\n"),
        ("long", "id,label\na,x\na,y\nb,\n"),
    ):
        write_tags(tmp_path / "t.csv", ["a", "b"], ["x", "y"], decisions, layout=layout)
        assert (tmp_path / "t.csv").read_bytes() == text.encode()
    write_tags(tmp_path / "t.npz", ["a", "b"], ["x", "y"], decisions)
    with np.load(tmp_path / "t.npz", allow_pickle=False) as arrays:
        assert sorted(arrays.files) == ["ids", "labels", "names"]


def test_no_cell_is_a_formula(tmp_path):
    """Spreadsheets run cells that begin with =, +, - or @; plain names and numbers stay as they are."""
    ids, labels = ["=1+1", "-0RWZT-miFs", "'=x", "a"], ["@f(x)", "-x", "+1 (b)"]
    for layout, first in (
        ("tags", ["'=1+1,'@f(x);-x;+1 (b)", "-0RWZT-miFs,-x", "''=x,", "a,'+1 (b)"]),
        ("wide", ["'=1+1,1,1,1", "-0RWZT-miFs,0,1,0", "''=x,0,0,0", "a,0,0,1"]),
        ("long", ["'=1+1,'@f(x)", "'=1+1,-x", "'=1+1,'+1 (b)", "-0RWZT-miFs,-x", "''=x,", "a,'+1 (b)"]),
    ):
        decisions = np.array([[1, 1, 1], [0, 1, 0], [0, 0, 0], [0, 0, 1]], bool)
        write_tags(tmp_path / "t.csv", ids, labels, decisions, layout=layout)
        header, *lines = (tmp_path / "t.csv").read_text().splitlines()
        assert lines == first
        assert header == {"tags": "id,tags", "wide": "id,'@f(x),-x,'+1 (b)", "long": "id,label"}[layout]
        np.testing.assert_array_equal(read_back(tmp_path / "t.csv", ids, labels), decisions)


def test_parquet_types(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_tags(tmp_path / "w.parquet", ["a"], ["x"], np.array([[True]]), layout="wide")
    assert parquet.read_table(tmp_path / "w.parquet").to_pylist() == [{"id": "a", "x": True}]
    write_tags(tmp_path / "t.parquet", ["a"], ["x"], np.array([[False]]))
    assert parquet.read_table(tmp_path / "t.parquet").to_pylist() == [{"id": "a", "tags": ""}]


class TestRefused:
    @pytest.mark.parametrize(
        ("labels", "ending"),
        [
            (["id", "x"], "csv"),
            (["dog", "Dog"], "parquet"),
            (["ID", "x"], "parquet"),
            ([" ", "x"], "csv"),
            (["0.1", "0.2"], "csv"),
            (["label", "value"], "csv"),
            (["tags"], "csv"),
        ],
    )
    def test_names_that_a_wide_file_cannot_hold(self, tmp_path, labels, ending):
        decisions = np.eye(2, len(labels), dtype=bool)
        with pytest.raises(InputError, match=r'cannot be the column names of a wide file.*Use layout="long"'):
            write_tags(tmp_path / f"t.{ending}", "ab", labels, decisions, layout="wide")
        write_tags(tmp_path / f"t.{ending}", "ab", labels, decisions, layout="long")
        np.testing.assert_array_equal(read_back(tmp_path / f"t.{ending}", "ab", labels), decisions)

    def test_shape(self, tmp_path):
        with pytest.raises(InputError, match=r"shape \(2, 2\) for 1 label and 2 ids"):
            write_tags(tmp_path / "t.csv", "ab", ["x"], np.eye(2, dtype=bool))
        with pytest.raises(InputError, match=r"shape \(2, 2\) for 2 labels and 1 id\."):
            write_tags(tmp_path / "t.csv", "a", "xy", np.eye(2, dtype=bool))
        with pytest.raises(InputError, match=r"shape \(2, 2\) for 3 labels\. It must be"):
            write_tags(tmp_path / "t.csv", None, "xyz", np.eye(2, dtype=bool))

    def test_block_of_another_shape(self, tmp_path):
        class Broken:
            shape = (3, 2)

            def __getitem__(self, rows):
                return np.zeros((1, 2), bool)

        with pytest.raises(InputError, match=r"decisions have shape \(1, 2\)"):
            write_tags(tmp_path / "t.csv", None, "xy", Broken())
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"path": "t.xlsx"}, "has the ending '.xlsx'. Tags are written as .csv"),
            ({"layout": "Wide"}, "layout is 'Wide'"),
            ({"labels": ["x", "x"]}, "labels repeats 'x'"),
            ({"labels": ["x", ""]}, "labels has an empty name"),
            ({"ids": ["a", ""]}, r"ids has an empty id \(row 1\)"),
        ],
    )
    def test_arguments(self, tmp_path, arguments, message):
        given = {"path": "t.csv", "ids": ["a", "b"], "labels": ["x", "y"], "layout": "tags"} | arguments
        path, layout = tmp_path / given.pop("path"), given.pop("layout")
        with pytest.raises(InputError, match=message):
            write_tags(path, **given, decisions=np.eye(2, dtype=bool), layout=layout)
