"""Reading score and label files: layouts, formats, and one test for each message."""

import contextlib
import csv
import gzip
import io
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from limen.errors import InputError, UnreadableError
from limen.files import text as text_files
from limen.files.reading import read_table
from limen.sources import listed
from limen.sources.arrays import CSR
from limen.sources.plain import PlainRows

HOSTILE = ("Speech, male", 'a "quoted" name', "Hängebrücke ☃", "two\nlines", "<script>alert(1)</script>", "a'b")


@pytest.fixture
def save(tmp_path):
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def save_parquet(path: Path, names: list[str], *columns: object) -> Path:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    arrays = [column if isinstance(column, arrow.Array) else arrow.array(column) for column in columns]
    parquet.write_table(arrow.Table.from_arrays(arrays, names=names), path)
    return path


def csv_text(rows: list[list[object]], **options: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, **options).writerows(rows)
    return text.getvalue()


def refused(path: Path | str, kind: str, error: type[Exception] = InputError) -> str:
    with pytest.raises(error) as caught:
        read_table(path, kind=kind)
    return str(caught.value)


class TestWide:
    def test_scores(self, save):
        table = read_table(save("s.csv", "id,Speech,Dog\na,0.5,1\nb,-2e-3,0.25\n"), kind="scores")
        assert table.ids == ("a", "b")
        assert table.labels == ("Speech", "Dog")
        assert table.layout == "wide"
        assert table.shape == (2, 2)
        assert table.values.dtype == np.float64
        np.testing.assert_array_equal(table.values, [[0.5, 1], [-2e-3, 0.25]])

    @pytest.mark.parametrize(
        "text",
        [
            "\ufeffid,x\na,1\nb,2\n",
            "id,x\r\na,1\r\nb,2\r\n",
            "id,x\ra,1\rb,2\r",
            "id,x\na,1\nb,2",
            "id,x\na,1\n\nb,2\n\n",
            "id,x\r\na,1\rb,2\n",
            "id;x\na;1\nb;2\n",
            "id;x\na;1,0\nb;2,0\n",
            "id\tx\na\t1\nb\t2\n",
            "id,x\na, 1 \nb,+2e0\n",
            'id,x\n"a","1"\nb,2\n',
            '"id","x"\n"a","1"\n"b","2"\n',
            "x,FileName\n1,a\n2,b\n",
            "x,something else\n1,a\n2,b\n",
            ",x\na,1\nb,2\n",
        ],
    )
    def test_forms_of_the_same_table(self, save, text):
        table = read_table(save("s.csv", text), kind="scores")
        assert (table.ids, table.labels) == (("a", "b"), ("x",))
        np.testing.assert_array_equal(table.values, [[1], [2]])

    def test_hostile_names_survive(self, save):
        rows = [["id", *HOSTILE], ["new\r\nline", 1, 2, 3, 4, 5, 6], ['"', 6, 5, 4, 3, 2, 1]]
        for end in ("\n", "\r\n"):
            table = read_table(save("s.csv", "\ufeff" + csv_text(rows, lineterminator=end)), kind="scores")
            assert table.labels == HOSTILE
            assert table.ids == ("new\r\nline", '"')
            np.testing.assert_array_equal(table.values, [row[1:] for row in rows[1:]])

    def test_names_that_differ_only_in_case_or_spaces_are_different(self, save, tmp_path):
        text = "id,dog,Dog,DOG, dog\na,1,2,3,4\n"
        assert read_table(save("s.csv", text), kind="scores").labels == ("dog", "Dog", "DOG", " dog")
        path = save_parquet(tmp_path / "s.parquet", ["id", "dog", "Dog"], ["a"], [1.0], [2.0])
        assert read_table(path, kind="scores").labels == ("dog", "Dog")

    def test_tsv_and_gzip(self, save):
        expected = [[1, 2]]
        for path in (
            save("s.tsv", "id\tx, y\tz\na\t1\t2\n"),
            save("s.csv.gz", gzip.compress(b'id,"x, y",z\na,1,2\n')),
            save("s.TSV.GZ", gzip.compress(b"id\tx, y\tz\na\t1\t2\n")),
        ):
            table = read_table(path, kind="scores")
            assert table.labels == ("x, y", "z")
            np.testing.assert_array_equal(table.values, expected)

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
    def test_other_encodings_that_say_what_they_are(self, save, encoding):
        for name, pack in (("s.csv", bytes), ("s.csv.gz", gzip.compress)):
            table = read_table(save(name, pack("id,é☃\na,1\n".encode(encoding))), kind="scores")
            assert table.labels == ("é☃",)

    def test_the_delimiter_is_the_one_on_which_two_lines_agree(self, save):
        for text, labels in (
            ("id;Speech, male;Dog\na;0,5;0,25\n", ("Speech, male", "Dog")),
            ("id;Speech, male\na;0,5\n", ("Speech, male",)),
            ("dog;cat,bird\n0.5,0.25\n", ("dog;cat", "bird")),
            ('"a;b",c;d\n0.5,0.25\n', ("a;b", "c;d")),
        ):
            assert read_table(save("s.csv", text), kind="scores").labels == labels
        tags = read_table(save("t.csv", "id,tags\na,x;y\n"), kind="labels")
        assert tags.labels == ("x", "y")

    def test_an_id_column_that_shows_late(self, save, monkeypatch):
        monkeypatch.setattr(text_files, "BLOCK_CELLS", 4)
        text = "clip no,x\n" + "".join(f"{k},{k / 8}\n" for k in range(9)) + "last,0.5\n"
        table = read_table(save("s.csv", text), kind="scores")
        assert table.ids == (*map(str, range(9)), "last")
        np.testing.assert_array_equal(table.values[:, 0], [*(k / 8 for k in range(9)), 0.5])

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers(1, 9), st.data())
    def test_blocks_of_any_size_read_the_same(self, tmp_path, monkeypatch, step, data):
        monkeypatch.setattr(text_files, "BLOCK_CELLS", step)
        ids = data.draw(
            st.lists(st.sampled_from(["a", "b\nc", 'd"e', "f,g", "'h", "=i", "'-j(", "\r"]), unique=True)
        )
        numbers = data.draw(st.lists(st.sampled_from(["0.5", "-1e3", "nan", " 2 "]), min_size=2 * len(ids)))
        rows = [["id", "x", "y"], *([name, *numbers[2 * k : 2 * k + 2]] for k, name in enumerate(ids))]
        path = tmp_path / "s.csv"
        quoting = data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
        path.write_bytes(csv_text(rows, lineterminator="\n", quoting=quoting).replace("\r,", '"\r",').encode())
        if not ids:
            assert "has a header and no rows" in refused(path, "scores")
            return
        table = read_table(path, kind="scores")
        assert table.ids == tuple(map(text_files.unspelled, ids))
        np.testing.assert_array_equal(table.values.ravel(), np.array(numbers[: 2 * len(ids)], float))

    def test_no_id_column(self, save):
        table = read_table(save("s.csv", "x,y\n1,2\n3,4\n"), kind="scores")
        assert table.ids is None
        assert table.labels == ("x", "y")

    def test_first_id_column_wins_over_labels_with_such_names(self, save):
        table = read_table(save("s.csv", "id,path,name\na,1,2\n"), kind="scores")
        assert table.labels == ("path", "name")

    def test_numbers_as_ids_stay_text(self, save):
        assert read_table(save("s.csv", "id,x\n007,1\n1e3,2\n"), kind="scores").ids == ("007", "1e3")

    def test_hash_and_null_are_text(self, save):
        assert read_table(save("s.csv", "id,x\n#a,1\nnull,2\n"), kind="scores").ids == ("#a", "null")

    def test_strange_paths(self, save, tmp_path):
        (tmp_path / "split=val").mkdir()
        for name in ("a[1].csv", "b*.csv", "b2.csv", "it's?.csv", "split=val/s.csv", "d é\n.csv"):
            path = save(name, f"id,x\n{len(name)},1\n")
            assert read_table(path, kind="scores").ids == (str(len(name)),)
        path = save_parquet(tmp_path / "split=val" / "s[1].parquet", ["id", "x"], ["a"], [0.5])
        assert read_table(path, kind="scores").labels == ("x",)

    def test_parquet_keeps_the_float_type(self, tmp_path):
        arrow = pytest.importorskip("pyarrow")
        single = [arrow.array([0.1, 0.2], arrow.float32()), arrow.array([0.3, 0.4], arrow.float32())]
        table = read_table(save_parquet(tmp_path / "s.parquet", ["id", "x", "y"], [7, 8], *single), kind="scores")
        assert table.ids == ("7", "8")
        assert table.values.dtype == np.float32
        np.testing.assert_array_equal(table.values, np.float32([[0.1, 0.3], [0.2, 0.4]]))
        mixed = save_parquet(tmp_path / "m.parquet", ["x", "y", "z"], single[0], [1.0, 2.0], [1, 2])
        assert read_table(mixed, kind="scores").values.dtype == np.float64

    def test_nan_and_infinity_are_left_to_the_arrays(self, save):
        values = read_table(save("s.csv", "id,x\na,nan\nb,inf\n"), kind="scores").values
        assert np.isnan(values[0, 0])
        assert np.isinf(values[1, 0])

    def test_labels_are_bool_if_all_known(self, save, tmp_path):
        table = read_table(save("l.csv", "id,x,y\na,1,0\nb,0,1.0\n"), kind="labels")
        assert table.values.dtype == np.bool_
        np.testing.assert_array_equal(table.values, [[1, 0], [0, 1]])
        spelled = read_table(save("t.csv", "id,x,y\na,True,False\nb,false,TRUE\n"), kind="labels")
        np.testing.assert_array_equal(spelled.values, table.values)
        path = save_parquet(tmp_path / "l.parquet", ["id", "x", "y"], ["a", "b"], [True, False], [0, 1])
        np.testing.assert_array_equal(read_table(path, kind="labels").values, table.values)

    def test_empty_label_cell_is_unknown(self, save, tmp_path):
        expected = np.float32([[1, np.nan], [np.nan, 0]])
        table = read_table(save("l.csv", 'id,x,y\na,1,\nb,"",0\n'), kind="labels")
        assert table.values.dtype == np.float32
        np.testing.assert_array_equal(table.values, expected)
        path = save_parquet(tmp_path / "l.parquet", ["id", "x", "y"], ["a", "b"], [True, None], [None, 0])
        np.testing.assert_array_equal(read_table(path, kind="labels").values, expected)

    def test_labels_other_than_0_and_1_are_left_to_the_arrays(self, save):
        np.testing.assert_array_equal(
            read_table(save("l.csv", "id,x\na,2\nb,\n"), kind="labels").values, [[2], [np.nan]]
        )


class TestLong:
    def test_complete_scores_are_dense(self, save):
        text = "Label,File,Confidence\nx,a,0.1\ny,b,0.4\ny,a,0.2\nx,b,0.3\n"
        table = read_table(save("s.csv", text), kind="scores")
        assert (table.ids, table.labels, table.layout) == (("a", "b"), ("x", "y"), "long")
        np.testing.assert_array_equal(table.values, [[0.1, 0.2], [0.3, 0.4]])

    def test_incomplete_scores_are_csr(self, save):
        text = "id,label,score\na,y,0.2\nb,,\nc,x,0.3\na,x,0.1\n"
        table = read_table(save("s.csv", text), kind="scores")
        assert (table.ids, table.labels) == (("a", "b", "c"), ("y", "x"))
        assert isinstance(table.values, CSR)
        assert table.values.shape == (3, 2)
        assert table.n_unlisted == 3
        np.testing.assert_array_equal(table.values.indptr, [0, 2, 2, 3])
        np.testing.assert_array_equal(table.values.indices, [0, 1, 1])
        np.testing.assert_array_equal(table.values.data, [0.2, 0.1, 0.3])

    def test_parquet_keeps_the_float_type(self, tmp_path):
        arrow = pytest.importorskip("pyarrow")
        scores = arrow.array([0.1, 0.2], arrow.float32())
        path = save_parquet(tmp_path / "s.parquet", ["id", "tag", "prob"], [1, 2], ["x", "y"], scores)
        assert read_table(path, kind="scores").values.data.dtype == np.float32

    def test_labels_with_values(self, save):
        full = read_table(save("l.csv", "id,label,value\na,x,1\na,y,0\nb,x,0\nb,y,1\n"), kind="labels")
        assert full.values.dtype == np.bool_
        np.testing.assert_array_equal(full.values, [[1, 0], [0, 1]])
        part = read_table(save("p.csv", "id,label,truth\na,x,1\na,y,\nb,y,0\nc,,\n"), kind="labels")
        np.testing.assert_array_equal(part.values, [[1, np.nan], [np.nan, 0], [np.nan, np.nan]])
        assert part.layout == "long"

    def test_pairs_are_positives(self, save):
        table = read_table(save("l.csv", "id,species\na,wren\nb,\nc,robin\na,robin\n"), kind="labels")
        assert (table.ids, table.labels, table.layout) == (("a", "b", "c"), ("wren", "robin"), "tags")
        assert table.values.dtype == np.bool_
        np.testing.assert_array_equal(table.values, [[1, 1], [0, 0], [0, 1]])

    def test_large_pairs_are_csr(self, save, monkeypatch):
        monkeypatch.setattr(listed, "DENSE_CELLS", 5)
        table = read_table(save("l.csv", "id,label\na,x\nb,y\nc,\na,y\n"), kind="labels")
        assert isinstance(table.values, CSR)
        np.testing.assert_array_equal(table.values.indptr, [0, 2, 3, 3])
        np.testing.assert_array_equal(table.values.indices, [0, 1, 1])
        assert table.values.data.all()

    def test_order_is_that_of_the_file(self, save):
        rng = np.random.default_rng(0)
        ids, names = rng.permutation(3000), rng.permutation(20)
        lines = [f"i{i},n{n},{i * 100 + n}" for i in ids for n in names]
        table = read_table(save("s.csv", "\n".join(["id,label,score", *lines])), kind="scores")
        assert table.ids == tuple(f"i{i}" for i in ids)
        assert table.labels == tuple(f"n{n}" for n in names)
        np.testing.assert_array_equal(table.values, ids[:, None] * 100 + names)


class TestTagLists:
    @pytest.mark.parametrize(
        "text",
        [
            "id,tags\na,x;y\nb,\nc,y\n",
            "id,tags\na,x|y\nb,\nc,y\n",
            'id,what I heard\na,"x; y;"\nb,""\nc, y \n',
            "labels,clip\nx;y,a\n,b\ny,c\n",
        ],
    )
    def test_text(self, save, text):
        table = read_table(save("l.csv", text), kind="labels")
        assert (table.ids, table.labels, table.layout) == (("a", "b", "c"), ("x", "y"), "tags")
        np.testing.assert_array_equal(table.values, [[1, 1], [0, 0], [0, 1]])

    def test_bar_is_part_of_a_name_where_semicolons_separate(self, save):
        assert read_table(save("l.csv", "id,tags\na,x|y\nb,x|y;z\n"), kind="labels").labels == ("x|y", "z")

    def test_parquet_lists(self, tmp_path):
        path = save_parquet(tmp_path / "l.parquet", ["id", "heard"], ["a", "b", "c"], [["y", "x;z"], [], None])
        table = read_table(path, kind="labels")
        assert table.labels == ("y", "x;z")
        np.testing.assert_array_equal(table.values, [[1, 1], [0, 0], [0, 0]])

    def test_nobody_has_a_tag(self, save):
        table = read_table(save("l.csv", "id,tags\na,\nb,\n"), kind="labels")
        assert table.shape == (2, 0)


class TestMatrices:
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_npy_scores_stay_in_the_file(self, tmp_path, dtype):
        values = np.arange(6, dtype=dtype).reshape(3, 2)
        np.save(tmp_path / "s.npy", values)
        table = read_table(tmp_path / "s.npy", kind="scores")
        assert isinstance(table.values, PlainRows)
        assert table.values.dtype == dtype
        assert (table.ids, table.labels, table.layout) == (None, None, "matrix")
        np.testing.assert_array_equal(table.values, values)
        assert not isinstance(read_table(tmp_path / "s.npy", kind="labels").values, np.memmap)

    def test_foreign_byte_order_becomes_native(self, tmp_path):
        np.save(tmp_path / "s.npy", np.arange(6, dtype=">f4").reshape(3, 2))
        values = read_table(tmp_path / "s.npy", kind="scores").values
        assert values.dtype.isnative
        np.testing.assert_array_equal(values, np.arange(6).reshape(3, 2))

    def test_npz_with_names_and_ids(self, tmp_path):
        np.savez(
            tmp_path / "d.npz",
            scores=np.eye(2, dtype=np.float32),
            labels=np.eye(2, dtype=np.uint8),
            label_names=np.array(["x", "é"]),
            item_ids=np.array([b"a", "ö".encode()]),
        )
        for kind, dtype in (("scores", np.float32), ("labels", np.uint8)):
            table = read_table(tmp_path / "d.npz", kind=kind)
            assert table.values.dtype == dtype
            assert (table.ids, table.labels) == (("a", "ö"), ("x", "é"))

    def test_npz_key_with_its_own_ids(self, tmp_path):
        path = tmp_path / "d:1.npz"
        np.savez(
            path,
            val_scores=np.zeros((2, 1)),
            test_scores=np.ones((2, 1)),
            val_ids=np.array([3, 4]),
            ids=np.array(["no", "nope"]),
            names=np.array(["x"]),
        )
        table = read_table(f"{path}:val_scores", kind="scores")
        assert (table.ids, table.labels) == (("3", "4"), ("x",))
        assert table.source == f"{path}:val_scores"
        assert read_table(f"{path}:test_scores", kind="scores").ids is None

    def test_npz_with_one_matrix(self, tmp_path):
        np.savez(tmp_path / "d.npz", anything=np.ones((2, 3)), other=np.ones(4))
        assert read_table(tmp_path / "d.npz", kind="scores").shape == (2, 3)

    def test_npz_never_takes_scores_for_labels(self, tmp_path):
        np.savez(tmp_path / "d.npz", scores=np.ones((2, 3)))
        assert "0 arrays that could be the labels" in refused(tmp_path / "d.npz", "labels")

    @pytest.mark.parametrize("save_as", ["csr_matrix", "csr_array"])
    def test_scipy_sparse(self, tmp_path, save_as):
        sparse = pytest.importorskip("scipy.sparse")
        dense = np.float32([[0, 0.5, 0], [0, 0, 0], [0.25, 0, 1]])
        sparse.save_npz(tmp_path / "s.npz", getattr(sparse, save_as)(dense))
        values = read_table(tmp_path / "s.npz", kind="scores").values
        assert isinstance(values, CSR)
        assert values.data.dtype == np.float32
        back = sparse.csr_matrix((values.data, values.indices, values.indptr), values.shape)
        np.testing.assert_array_equal(back.toarray(), dense)


class TestRefusedFiles:
    def test_missing(self, tmp_path):
        assert "does not exist. Check the path" in refused(tmp_path / "no.csv", "scores", UnreadableError)

    def test_folder(self, tmp_path):
        assert "is a folder" in refused(tmp_path, "scores", UnreadableError)

    def test_not_a_regular_file(self):
        assert "no regular file" in refused("/dev/null", "scores", UnreadableError)

    def test_name_too_long(self, tmp_path):
        assert "File name too long" in refused(tmp_path / ("x" * 300 + ".csv"), "scores", UnreadableError)

    def test_cannot_be_opened(self, save, monkeypatch):
        path = save("s.csv", "id,x\na,1\n")

        def denied(*args, **options):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", denied)
        assert "cannot be opened: Permission denied" in refused(path, "scores", UnreadableError)

    @pytest.mark.parametrize("name", ["s.csv", "s.npy", "s.npz", "s.parquet", "s.csv.gz"])
    def test_empty(self, save, name):
        assert "is empty (0 bytes)" in refused(save(name, b""), "scores")

    @pytest.mark.parametrize("name", ["s.xlsx", "s.pkl", "s", "s.csv.zip"])
    def test_unknown_ending(self, save, name):
        assert "limen reads .npy, .npz, .csv" in refused(save(name, b"x"), "scores")

    @pytest.mark.parametrize("ending", ["npy", "npz", "parquet", "csv.gz"])
    @pytest.mark.parametrize("part", [0.02, 0.5, 0.98])
    def test_truncated(self, tmp_path, ending, part):
        path = tmp_path / f"s.{ending}"
        values = np.random.default_rng(0).random((100, 3))
        if ending == "npy":
            np.save(path, values)
        elif ending == "npz":
            np.savez_compressed(path, scores=values)
        elif ending == "parquet":
            save_parquet(path, ["id", "x"], list(range(100)), values[:, 0])
        else:
            path.write_bytes(gzip.compress(csv_text([["id", "x", "y", "z"], *values.tolist()]).encode()))
        whole = path.read_bytes()
        path.write_bytes(whole[: int(part * len(whole))])
        assert "write it again" in refused(path, "scores", UnreadableError)

    @pytest.mark.parametrize("name", ["s.npy", "s.npz", "s.parquet", "s.csv.gz"])
    def test_another_format(self, save, name):
        assert "cannot be read as" in refused(save(name, "id,x\na,1\n" * 9), "scores", UnreadableError)

    def test_matrix_called_npz(self, tmp_path):
        np.save(tmp_path / "s.npy", np.ones((2, 2)))
        path = (tmp_path / "s.npy").rename(tmp_path / "s.npz")
        assert "single array. Call it .npy" in refused(path, "scores")


class TestRefusedText:
    @pytest.mark.parametrize("text", ["id,x\n", "id,x", "id,label,score\r\n"])
    def test_header_only(self, save, text):
        assert "has a header and no rows" in refused(save("s.csv", text), "scores")

    def test_empty_first_line(self, save):
        assert "starts with an empty line" in refused(save("s.csv", "\nid,x\na,1\n"), "scores")

    @pytest.mark.parametrize(("line", "found"), [("b,1", "2 cells"), ("b,1,2,3", "4 cells"), ("b", "1 cell")])
    def test_ragged(self, save, line, found):
        message = refused(save("s.csv", f"id,x,y\na,1,2\n{line}\nc,1,2\n"), "scores")
        assert f"line 3 has {found}, and the header 3" in message

    @pytest.mark.parametrize(
        ("content", "line"),
        [
            ("id,é\na,1\n".encode("latin1"), 1),
            ("id,x\nb,1\né,1\n".encode("latin1"), 3),
        ],
    )
    def test_not_utf8(self, save, content, line):
        assert f"is not UTF-8 text (line {line}). Save it as UTF-8" in refused(save("s.csv", content), "scores")

    def test_text_that_is_not_what_it_says(self, save):
        looks = refused(save("s.csv", "id,x\na,1\n".encode("utf-16le")), "scores")
        assert "looks like UTF-16 text without its mark" in looks
        cut = "id,x\na,1\n".encode("utf-16")[:-1]
        assert "starts as UTF-16 text and does not go on as such" in refused(save("s.csv", cut), "scores")

    def test_text_after_a_quote(self, save):
        message = refused(save("s.csv", 'id,x\na,1\n"b"c,2\n'), "scores")
        assert "line 3 has text after a closing quote" in message

    def test_many_columns_of_text(self, save, monkeypatch):
        monkeypatch.setattr(text_files, "BLOCK_CELLS", 7)
        rows = [["id", *"abcdef"], *([f"i{k}", *("no" if j == k else "1" for j in range(6))] for k in range(6))]
        message = refused(save("s.csv", csv_text(rows)), "scores")
        assert "text where numbers belong, in 4 columns ('a', 'b', 'c', 'd'; first: 'no' in row 1" in message

    def test_open_quote(self, save):
        assert "line 2 has a quote that is not closed" in refused(save("s.csv", 'id,x\n"a,1\nb,2\n'), "scores")

    def test_bad_quote_in_the_header(self, save):
        assert "header line is not valid CSV" in refused(save("s.csv", '"id"x,y\na,1\n'), "scores")

    def test_nameless_column(self, save):
        assert "column 3 of 3 has no name" in refused(save("s.csv", "id,x,\na,1,\n"), "scores")

    def test_repeated_column(self, save, tmp_path):
        assert "repeats the column 'x'" in refused(save("s.csv", "id,x,y,x\na,1,2,3\n"), "scores")
        path = save_parquet(tmp_path / "s.parquet", ["id", "x", "x"], ["a"], [1.0], [2.0])
        assert "repeats the column 'x'" in refused(path, "scores")

    def test_no_header(self, save):
        assert "numbers for column names: '0.1', '0.9'" in refused(
            save("s.csv", "a,0.1,0.9\nb,0.2,0.8\n"), "scores"
        )

    def test_wrong_separator(self, save):
        message = refused(save("s.csv", "id:x\na:1\nb:2\n"), "scores")
        assert "has one column, 'id:x', and no label" in message
        assert "Commas, semicolons or tabs separate the columns" in message

    @pytest.mark.parametrize("cell", ["1_0", "0x1", "\uff11", "1,5", "1.234,5", "0,5,1", "--1", "1e"])
    def test_what_is_no_number(self, save, cell):
        mark = "," if cell == "1,5" else ";"  # where commas separate cells, none is a decimal one
        text = f'id{mark}x\na{mark}0.5\nb{mark}"{cell}"\n'
        assert f"first: {cell!r} in row 2, id 'b'" in refused(save("s.csv", text), "scores")

    def test_two_id_columns(self, save):
        message = refused(save("s.csv", "x,id,filename\n1,a,b\n"), "scores")
        assert "2 columns that could be the id: 'id', 'filename'. Put the id column first." in message

    def test_text_in_a_numeric_column(self, save):
        message = refused(save("s.csv", "id,x,y\na,1,2\nb,1,high\nc,low,2\n"), "scores")
        assert "text where numbers belong, in 2 columns ('x', 'y'; first: 'low' in row 3, id 'c')" in message
        assert "a long file has exactly the columns id, label, score" in message
        long = refused(save("l.csv", "id,label,value\na,x,1\na,y,yes!\n"), "labels")
        assert "first: 'yes!' in row 2, id 'a'" in long

    def test_long_text_is_cut(self, save):
        assert "'" + "z" * 40 + "…'" in refused(save("s.csv", f"id,x\na,1\nb,{'z' * 99}\n"), "scores")

    def test_dates_are_no_numbers(self, tmp_path):
        arrow = pytest.importorskip("pyarrow")
        path = save_parquet(tmp_path / "s.parquet", ["id", "x"], ["a"], arrow.array([1], arrow.date32()))
        assert "first: '1970-01-02' in row 1, id 'a'" in refused(path, "scores")

    def test_empty_score(self, save):
        message = refused(save("s.csv", "id,x,y\na,1,\nb,,2\n"), "scores")
        assert "no score in 2 cells (first: label 'x', row 2, id 'b')" in message
        assert "(first: label 'y', row 2)" in refused(save("n.csv", "x,y\n1,2\n3,\n"), "scores")
        long = refused(save("l.csv", "id,label,score\na,x,1\nb,x,\n"), "scores")
        assert "no score in 1 row (first: row 2, id 'b', label 'x')" in long

    def test_missing_id(self, save):
        assert "no id in 1 row (first: row 2)" in refused(save("s.csv", "id,x\na,1\n,2\n"), "scores")
        assert "no id in 2 rows (first: row 1)" in refused(save("l.csv", "id,tags\n,x\n,y\n"), "labels")

    def test_repeated_ids(self, save):
        assert "repeats 1 id: 'a'" in refused(save("s.csv", "id,x\na,1\nb,2\na,3\n"), "scores")
        message = refused(save("l.csv", "id,tags\na,x\nb,\na,y\n"), "labels")
        assert "repeats 1 id: 'a'. A tag list has one line for each item" in message

    @pytest.mark.parametrize("header", ["id,label,score", "id,label,value", "id,label", "id,tags"])
    def test_repeated_pairs(self, save, header):
        kind = "scores" if header.endswith("score") else "labels"
        value = ",1" if header.count(",") == 2 else ""
        lines = [f"a,x{value}", f"b,y{value}", f"a,x{value}"] if header != "id,tags" else ["a,x;y;x", "b,y"]
        message = refused(save("s.csv", "\n".join([header, *lines])), kind)
        assert "lists 1 pair of id and label more than once (first: 'a, x')" in message

    def test_value_without_label(self, save):
        message = refused(save("s.csv", "id,label,score\na,x,1\na,,0.5\n"), "scores")
        assert "a value and no label in 1 row (first: row 2, id 'a')" in message

    def test_only_ones_are_ambiguous(self, save):
        message = refused(save("l.csv", "id,label,value\na,x,1\nb,y,1\n"), "labels")
        assert "lists 2 of 4 pairs, all with value 1, so the others could be 0 or unknown" in message

    def test_no_scores_listed(self, save):
        assert "lists no score" in refused(save("s.csv", "id,label,score\na,,\n"), "scores")

    def test_tag_list_for_scores(self, save):
        assert "text where numbers belong" in refused(save("s.csv", "id,tags\na,x;y\n"), "scores")


class TestRefusedMatrices:
    def test_names_that_are_empty(self, tmp_path):
        path = tmp_path / "s.npz"
        np.savez(path, scores=np.eye(2), ids=["a", ""])
        assert "s.npz: ids has an empty name (row 2). Every row needs one." in refused(path, "scores")

    @pytest.mark.parametrize("part", ["indices", "indptr"])
    def test_sparse_places_that_are_no_whole_numbers(self, tmp_path, part):
        parts = {"data": np.ones(2), "indices": np.array([0, 1]), "indptr": np.array([0, 1, 2])}
        parts[part] = parts[part].astype(float)
        path = tmp_path / "s.npz"
        np.savez(path, **parts, shape=[2, 2], format="csr")
        assert "not a valid CSR matrix" in refused(path, "scores")

    def test_parquet_that_is_damaged_in_its_pages(self, tmp_path):
        path = save_parquet(tmp_path / "s.parquet", ["id", "label", "score"], ["a", "b"], ["x", "x"], [0.5, 0.25])
        data = path.read_bytes()
        for start in range(4, len(data) - 8, 7):  # wherever it is, it is said, or it changed no structure
            path.write_bytes(data[:start] + b"\xff" * 6 + data[start + 6 :])
            with contextlib.suppress(InputError):
                read_table(path, kind="scores")

    def test_pickled(self, tmp_path):
        np.save(tmp_path / "o.npy", np.array([[1, "x"]], dtype=object), allow_pickle=True)
        np.savez(tmp_path / "o.npz", scores=np.array([[1, None]], dtype=object))
        for name in ("o.npy", "o.npz"):
            assert "holds pickled Python objects (dtype object)" in refused(tmp_path / name, "scores")

    def test_pickle_by_another_name(self, save):
        assert "cannot be read as .npy" in refused(save("p.npy", pickle.dumps([[1.0]])), "scores", UnreadableError)
        assert "cannot be read as .npz" in refused(save("p.npz", pickle.dumps([[1.0]])), "scores", UnreadableError)

    def test_claims_beyond_the_file(self, tmp_path):
        """A header of 40 GB before a few bytes is refused before anything is allocated."""
        head = io.BytesIO()
        shape = {"descr": "<f4", "fortran_order": False, "shape": (10_000_000, 1000)}
        np.lib.format.write_array_header_1_0(head, shape)
        for content in (head.getvalue() + bytes(400), head.getvalue().replace(b"(10000000", b"(-9000000")):
            (tmp_path / "s.npy").write_bytes(content)
            with zipfile.ZipFile(tmp_path / "s.npz", "w") as archive:
                archive.writestr("scores.npy", content)
            for name in ("s.npy", "s.npz"):
                message = refused(tmp_path / name, "scores", UnreadableError)
                assert "cannot be read as .np" in message
                assert "its header has the shape" in message

    @pytest.mark.parametrize(("old", "new"), [("}", " "), ("{", "("), ("'s", "\0s"), ("(2", "x("), ("(2,", "({}")])
    def test_a_header_that_is_no_dictionary(self, tmp_path, old, new):
        np.save(tmp_path / "s.npy", np.ones((2, 2)))
        content = (tmp_path / "s.npy").read_bytes()
        (tmp_path / "s.npy").write_bytes(content.replace(old.encode(), new.encode(), 1))
        assert "cannot be read as .npy" in refused(tmp_path / "s.npy", "scores", UnreadableError)

    @pytest.mark.parametrize(("shape", "hint"), [((4,), "reshape(-1, 1)"), ((2, 2, 2), "2-d"), ((), "2-d")])
    def test_dimensions(self, tmp_path, shape, hint):
        np.save(tmp_path / "s.npy", np.ones(shape))
        message = refused(tmp_path / "s.npy", "scores")
        assert f"has shape {shape}" in message
        assert hint in message

    @pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
    def test_no_items_or_labels(self, tmp_path, shape):
        np.save(tmp_path / "s.npy", np.ones(shape))
        assert "At least one item and one label" in refused(tmp_path / "s.npy", "scores")

    @pytest.mark.parametrize("dtype", [complex, "U3", "M8[s]", [("a", float)]])
    def test_dtype(self, tmp_path, dtype):
        np.save(tmp_path / "s.npy", np.zeros((2, 2), dtype=dtype))
        assert "must be real numbers or bool" in refused(tmp_path / "s.npy", "scores")

    def test_unclear_key(self, tmp_path):
        np.savez(tmp_path / "d.npz", val_scores=np.ones((2, 2)), eval_scores=np.ones((2, 2)))
        message = refused(tmp_path / "d.npz", "scores")
        assert "2 arrays that could be the scores; it holds 'val_scores', 'eval_scores'" in message
        assert "d.npz:KEY" in message

    def test_unknown_key(self, tmp_path):
        np.savez(tmp_path / "d.npz", a=np.ones((2, 2)))
        assert "has no array 'b'. It holds 'a'" in refused(f"{tmp_path / 'd.npz'}:b", "scores")

    def test_names_and_ids(self, tmp_path):
        path = tmp_path / "d.npz"
        scores = np.ones((3, 2))
        np.savez(path, scores=scores, names=np.array(["x", "y", "z"]))
        assert "names has 3 names for 2 columns" in refused(path, "scores")
        np.savez(path, scores=scores, ids=np.array(["x", "y"]))
        assert "ids has 2 names for 3 rows" in refused(path, "scores")
        np.savez(path, scores=scores, ids=np.array(["x", "y", "x"]))
        assert "ids repeats 'x'" in refused(path, "scores")
        np.savez(path, scores=scores, names=np.array(["x", "y"], dtype=object))
        assert "names has dtype object and shape (2,). Names must be a 1-d array of text" in refused(
            path, "scores"
        )

    def test_sparse(self, tmp_path):
        sparse = pytest.importorskip("scipy.sparse")
        path = tmp_path / "s.npz"
        sparse.save_npz(path, sparse.csc_matrix(np.eye(3)))
        assert "sparse matrix in csc format" in refused(path, "scores")
        parts = {"format": b"csr", "shape": [2, 3], "data": np.ones(2), "indptr": [0, 1, 2]}
        np.savez(path, **parts, indices=[0, 3])
        assert "not a valid CSR matrix" in refused(path, "scores")
        np.savez(path, **parts | {"indptr": [0, 2, 2]}, indices=[1, 1])
        assert "stores 1 cell more than once" in refused(path, "scores")
        np.savez(path, **parts | {"shape": [2, 10**10]}, indices=[0, 1])
        assert "claims 10000000000 bytes" in refused(path, "scores", UnreadableError)
        np.savez(path, **parts | {"data": np.ones(2, complex)}, indices=[0, 1])
        assert "must be real numbers or bool" in refused(path, "scores")


text = st.text(st.sampled_from("ab ,;\"'\n\r|#é☃\t\\0.1"), max_size=5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(text.filter(str.strip), min_size=1, max_size=3, unique=True),
    st.lists(text.filter(bool), min_size=1, max_size=4, unique=True),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.sampled_from([(",", "csv"), ("\t", "tsv")]),
)
def test_any_name_survives_any_dialect(tmp_path, names, ids, end, mark, form):
    delimiter, ending = form
    labels = [f"{name}!" for name in names]
    rows = [["id", *labels], *([name, *range(len(labels))] for name in ids)]
    content = csv_text(rows, lineterminator=end, delimiter=delimiter, quoting=csv.QUOTE_NONNUMERIC)
    path = tmp_path / f"s.{ending}"
    path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + content.encode())
    table = read_table(path, kind="scores")
    assert table.labels == tuple(labels)
    assert table.ids == tuple(ids)
    np.testing.assert_array_equal(table.values, [list(range(len(labels)))] * len(ids))


def test_import_needs_no_duckdb():
    heavy = {"duckdb", "pandas", "numba"}
    code = f"import sys, limen.files.reading, limen.files.tags; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_message_names_the_file(save):
    path = save("s.csv", "id,x\na,one\n")
    assert re.match(re.escape(str(path)), refused(path, "scores"))
