"""Files, folders and blocks are streamed: every result is that of the arrays in memory, bit for bit."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import limen
from limen.errors import FileError, InputError, UnreadableError
from limen.files import parquet as parquet_files
from limen.files.reading import join, read_table
from limen.sources import dense, matrix
from limen.sources import scratch as scratches
from limen.sources.matrix import Matrix, Stacked

pytestmark = pytest.mark.filterwarnings("ignore::limen.errors.LimenWarning")
N, L = 600, 5
NAMES = [f"label {k}" for k in range(L)]


def problem(n=N, n_labels=L, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.random((n, n_labels)) < 0.2
    truth[:, 0] = False  # a label without positives
    scores = 1 / (1 + np.exp(-(rng.normal(size=(n, n_labels)) + 2 * truth - 1)))
    return truth, np.round(scores, 3).astype(dtype)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Make pieces, batches and blocks small, so that all are cut."""
    monkeypatch.setattr(matrix, "PIECE_BYTES", 1 << 12)
    monkeypatch.setattr(parquet_files, "PIECE_BYTES", 1 << 12)
    monkeypatch.setattr(parquet_files, "BATCH_BYTES", 1 << 13)
    monkeypatch.setattr(dense, "READ_ELEMENTS", 1700)


def save_parquet(path, values, names=NAMES, ids=None, group=130):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {} if ids is None else {"id": ids}
    columns |= {name: values[:, k] for k, name in enumerate(names)}
    parquet.write_table(arrow.table(columns), path, row_group_size=group)
    return path


def save_hdf5(path, values, key, **how):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "a") as file:
        file.create_dataset(key, data=values, **how)
    return path


def stored(form, folder, truth, scores):
    """Return the paths of scores and labels in a form."""
    s, y = folder / "s", folder / "y"
    if form.startswith("npy"):
        order = "F" if "fortran" in form else "C"
        code = {"npy labels of NaN": np.where(truth, 1.0, np.where(scores < 0.1, np.nan, 0.0))}.get(form, truth)
        big = scores.astype(scores.dtype.newbyteorder(">")) if "big-endian" in form else scores
        np.save(f"{s}.npy", np.asarray(big, order=order))
        np.save(f"{y}.npy", np.asarray(code, order=order))
        return f"{s}.npy", f"{y}.npy"
    if form.startswith("hdf5"):
        how = {"chunks": (70, 2), "compression": "gzip"} if form.endswith("chunked") else {}
        save_hdf5(f"{s}.h5", scores, "scores", **how)
        return f"{s}.h5", save_hdf5(f"{s}.h5", truth, "labels", **how)
    if form.startswith("parquet"):
        as_int = truth.astype(np.int64) if form.endswith("integers") else truth
        group = N if form.endswith("one group") else 130
        return save_parquet(f"{s}.parquet", scores, group=group), save_parquet(f"{y}.parquet", as_int)
    for path in (s, y):
        path.mkdir()
    edges = [0, 1, 1, 300, 301, len(truth)]  # shards of one row, and of none
    for k, (a, b) in enumerate(pairwise(edges)):
        np.save(s / f"part{k + 8}.npy", scores[a:b])
        np.save(y / f"part{k + 8}.npy", truth[a:b])
    return (s, y) if form == "folders" else (f"{s}/*.npy", f"{y}/*.npy")


FORMS = (
    *("npy", "npy fortran", "npy big-endian", "npy labels of NaN", "hdf5", "hdf5 chunked"),
    *("parquet", "parquet one group", "parquet integers", "folders", "patterns"),
)


def assert_same(found, expected):
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.values.dtype == expected.values.dtype
    assert (found.value, found.digest, found.expected) == (expected.value, expected.digest, expected.expected)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_what_memory_gives(tmp_path, form, monkeypatch):
    truth, scores = problem()
    if form == "parquet one group":  # decoded to a scratch file
        monkeypatch.setattr(parquet_files, "MOST_IN_MEMORY", 1 << 10)
    paths = stored(form, tmp_path, truth, scores)
    joined = join(*(read_table(path, kind=kind) for path, kind in zip(paths, ("scores", "labels"), strict=True)))
    assert isinstance(joined.y_score, Matrix)
    assert isinstance(joined.y_true, Matrix)
    if form == "npy labels of NaN":
        truth = np.asarray(joined.y_true)
    for method in ("exact", "auto"):
        expected = limen.tune(truth, scores, labels=joined.labels, method=method)
        found = limen.tune(joined.y_true, joined.y_score, labels=joined.labels, method=method)
        assert_same(found, expected)
    there = limen.evaluate(joined.y_true, joined.y_score, found, baseline=0.5)
    here = limen.evaluate(truth, scores, found, baseline=0.5)
    assert (there.value, there.interval, there.difference) == (here.value, here.interval, here.difference)
    np.testing.assert_array_equal(there.gains, here.gains)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
def test_memory_maps_are_read_and_not_mapped(tmp_path, dtype):
    truth, scores = problem(dtype=np.float64)
    scores = (scores * 8 if np.dtype(dtype).kind == "i" else scores).astype(dtype)
    np.save(tmp_path / "s.npy", scores)
    np.save(tmp_path / "y.npy", truth)
    mapped = [np.load(tmp_path / name, mmap_mode="r") for name in ("y.npy", "s.npy")]
    assert isinstance(limen.data.as_data(*mapped).source.scores, Matrix)
    assert_same(limen.tune(*mapped), limen.tune(truth, scores))
    part = slice(100, 300)
    assert_same(limen.tune(mapped[0][part], mapped[1][part]), limen.tune(truth[part], scores[part]))
    # Other views, and maps that can be written to, are taken as the arrays they are.
    assert_same(limen.tune(mapped[0][::2], mapped[1][::2]), limen.tune(truth[::2], scores[::2]))
    copied = np.load(tmp_path / "s.npy", mmap_mode="c")
    copied[:] = copied[::-1]
    assert_same(limen.tune(truth, copied), limen.tune(truth, scores[::-1]))


@pytest.mark.parametrize(("n", "n_labels"), [(5, 1), (5, 2), (40, 5000)])
def test_few_items_and_many_labels(tmp_path, n, n_labels, monkeypatch):
    monkeypatch.setattr(parquet_files, "BATCH_BYTES", 1 << 17)
    truth, scores = problem(n, n_labels)
    truth[:2] = [[True], [False]]
    names = [f"l{k}" for k in range(n_labels)]
    save_parquet(tmp_path / "s.parquet", scores, names, group=20 if n_labels > 2 else 3)
    np.save(tmp_path / "y.npy", truth)
    joined = join(read_table(tmp_path / "s.parquet", kind="scores"), read_table(tmp_path / "y.npy", kind="labels"))
    found = limen.tune(joined.y_true, joined.y_score, labels=names, method="exact")
    assert_same(found, limen.tune(truth, scores, labels=names, method="exact"))


def test_shards_are_joined_by_name_and_id(tmp_path):
    """Every shard has its own order of columns, and the labels one of rows, over two shards."""
    truth, scores = problem(60)
    rng, ids = np.random.default_rng(1), np.array([f"item {k}" for k in range(60)])
    for folder, values, rows in (("s", scores, np.arange(60)), ("y", truth, rng.permutation(60))):
        (tmp_path / folder).mkdir()
        for k, part in enumerate(np.array_split(rows, 3)):
            order = rng.permutation(L)
            names = [NAMES[column] for column in order]
            save_parquet(tmp_path / folder / f"{k}.parquet", values[part][:, order], names, ids[part].tolist(), 7)
    joined = join(read_table(tmp_path / "s", kind="scores"), read_table(tmp_path / "y", kind="labels"))
    order = [NAMES.index(name) for name in joined.labels]
    assert joined.ids == tuple(ids)
    np.testing.assert_array_equal(np.asarray(joined.y_score), scores[:, order])
    np.testing.assert_array_equal(np.asarray(joined.y_true), truth[:, order])
    assert isinstance(joined.y_true, Matrix)


def test_shards_of_text_and_tags(tmp_path):
    for name in ("s", "y"):
        (tmp_path / name).mkdir()
    (tmp_path / "s" / "1.csv").write_text("id,dog,cat\na,0.5,0.25\nb,1,0\n")
    (tmp_path / "s" / "2.csv").write_text("id,cat,dog\nc,0.125,0.75\n")
    (tmp_path / "s" / "10.csv").write_text("id,dog,cat\n")
    (tmp_path / "y" / "1.csv").write_text("id,tags\na,cat\nc,dog;cat\n")
    (tmp_path / "y" / "2.csv").write_text("id,tags\nb,dog\n")
    scores = read_table(tmp_path / "s", kind="scores")
    assert [name.rpartition("/")[2] for name, _ in scores.shards] == ["1.csv", "2.csv", "10.csv"]
    joined = join(scores, read_table(f"{tmp_path}/y/*.csv", kind="labels"))
    np.testing.assert_array_equal(np.asarray(joined.y_score), [[0.5, 0.25], [1, 0], [0.75, 0.125]])
    dense_truth = np.zeros((3, 2), bool)
    dense_truth[joined.y_true.row_of_entries(), joined.y_true.indices] = joined.y_true.data
    np.testing.assert_array_equal(dense_truth, [[0, 1], [1, 0], [1, 1]])


def shards(folder, **files):
    folder.mkdir()
    for name, values in files.items():
        np.save(folder / f"{name}.npy", values)
    return folder


@pytest.mark.parametrize(
    ("others", "words"),
    [
        (
            {"b": np.zeros((3, 2), np.float64)},
            r"b\.npy has float64 scores, and .*a\.npy float32\. All shards need one",
        ),
        ({"b": np.zeros((3, 4), np.float32)}, r"b\.npy has 4 columns without names, and .*a\.npy 2 columns"),
    ],
)
def test_shards_that_do_not_fit(tmp_path, others, words):
    folder = shards(tmp_path / "s", a=np.zeros((3, 2), np.float32), **others)
    with pytest.raises(InputError, match=words):
        read_table(folder, kind="scores")


def test_shards_that_do_not_go_together(tmp_path):
    scores = shards(tmp_path / "s", a=np.ones((3, 2)), b=np.ones((2, 2)))
    labels = shards(tmp_path / "y", a=np.ones((2, 2)), b=np.ones((3, 2)))
    one = shards(tmp_path / "one", a=np.ones((5, 2)))
    with pytest.raises(InputError, match=r"s/a\.npy has 3 items and .*y/a\.npy, of the same place"):
        join(read_table(scores, kind="scores"), read_table(labels, kind="labels"))
    with pytest.raises(InputError, match=r"s is 2 files and .*one 1 file\. Without ids, files belong together"):
        join(read_table(scores, kind="scores"), read_table(one, kind="labels"))
    alone = join(read_table(scores, kind="scores"), read_table(one / "a.npy", kind="labels"))
    assert alone.y_score.shape == alone.y_true.shape == (5, 2)
    with pytest.raises(InputError, match="none of its 1 file has an item"):
        read_table(shards(tmp_path / "empty", a=np.ones((0, 2))), kind="scores")
    (tmp_path / "s" / "c.csv").write_text("id,x\n1,0.5\n")
    with pytest.raises(InputError, match=r"s has files of several formats \(\.csv, \.npy\)\. Name those"):
        read_table(scores, kind="scores")
    with pytest.raises(UnreadableError, match=r"\*\.h5 matches no file"):
        read_table(tmp_path / "*.h5", kind="scores")


def test_a_shard_that_lacks_a_label_or_ids(tmp_path):
    (tmp_path / "a.csv").write_text("id,dog,cat\n1,0.5,0.5\n")
    (tmp_path / "b.csv").write_text("id,dog,fox\n2,0.5,0.5\n")
    with pytest.raises(InputError, match=r"a\.csv.* b\.csv|b\.csv") as caught:
        read_table(tmp_path, kind="scores")
    assert "cat" in str(caught.value)
    assert "fox" in str(caught.value)
    (tmp_path / "b.csv").write_text("dog,cat\n0.5,0.5\n")
    with pytest.raises(InputError, match=r"b\.csv has no ids, and .*a\.csv has"):
        read_table(tmp_path, kind="scores")
    (tmp_path / "b.csv").write_text("id,dog,cat\n1,0.5,0.5\n")
    with pytest.raises(InputError, match=r"repeats '1'\. Every item needs one row in one of the shards"):
        read_table(tmp_path, kind="scores")
    (tmp_path / "b.csv").write_text("id,label,score\n2,cat,0.5\n")
    with pytest.raises(
        InputError, match=r"other layouts\. Shards are matrices.*read all at once: \"duckdb:\?query"
    ):
        read_table(tmp_path, kind="scores")


def test_a_damaged_row_group_is_named(tmp_path):
    truth, scores = problem()
    path = Path(save_parquet(tmp_path / "s.parquet", scores, group=300))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle - 600 : middle + 600] = bytes(1200)
    path.write_bytes(content)
    table = read_table(path, kind="scores")
    with pytest.raises(
        UnreadableError, match=r"s\.parquet, row group 1 \(rows 301 to 600\) cannot be read as Parq"
    ):
        limen.tune(truth, table.values)


def test_a_damaged_chunk_is_named(tmp_path):
    truth, scores = problem()
    path = save_hdf5(tmp_path / "s.h5", scores, "scores", chunks=(300, L), compression="gzip")
    h5py = pytest.importorskip("h5py")
    with h5py.File(path) as file:
        place = file["scores"].id.get_chunk_info(1).byte_offset
    content = bytearray(path.read_bytes())
    content[place : place + 40] = bytes(40)
    path.write_bytes(content)
    table = read_table(path, kind="scores")
    with pytest.raises(UnreadableError, match=r"s\.h5, rows 300 to 600 cannot be read as HDF5"):
        limen.tune(truth, table.values)


def test_files_that_change_or_end_while_they_are_read(tmp_path):
    truth, scores = problem()
    np.save(tmp_path / "s.npy", scores)
    table = read_table(tmp_path / "s.npy", kind="scores")
    np.save(tmp_path / "s.npy", scores[:300])
    with pytest.raises(UnreadableError, match=r"s\.npy was changed while it was read"):
        limen.tune(truth, table.values)


def test_scores_that_are_not_there_and_labels_that_are_none(tmp_path):
    _, scores = problem(20)
    holes = scores.astype(object)
    holes[13, 2] = None
    path = save_parquet(tmp_path / "s.parquet", np.array(holes), group=6)
    with pytest.raises(InputError, match=r"no score in 1 cell \(first: label 'label 2', row 14\)"):
        read_table(path, kind="scores")
    values = np.zeros((20, L), np.int64)
    values[17, 1] = 2
    table = read_table(save_parquet(tmp_path / "y.parquet", values, group=6), kind="labels")
    with pytest.raises(InputError, match=r"y_true has 2 in label 'label 1', row 18"):
        limen.tune(table.values, scores)


def test_no_room_for_scratch(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_files, "MOST_IN_MEMORY", 0)
    table = read_table(save_parquet(tmp_path / "s.parquet", problem()[1]), kind="scores")

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scratches.tempfile, "TemporaryFile", full)
    with pytest.raises(FileError, match=r"cannot write a temporary file in .*: No space left.* TMPDIR"):
        np.asarray(table.values)


class Loader:
    """Gives the same blocks each time, as loaders of data do."""

    def __init__(self, truth, scores, size):
        self.parts = [(truth[k : k + size], scores[k : k + size]) for k in range(0, len(truth), size)]

    def __iter__(self):
        return iter(self.parts)


@pytest.mark.parametrize("form", ["list", "function", "loader"])
def test_blocks_for_every_function(tmp_path, form):
    truth, scores = problem()
    loader = Loader(truth, scores, 123)
    chunks = {"list": loader.parts, "function": lambda: iter(loader.parts), "loader": loader}[form]
    for method in ("exact", "auto"):
        thresholds = limen.tune(chunks, method=method, labels=NAMES)
        assert_same(thresholds, limen.tune(truth, scores, method=method, labels=NAMES))
    there, here = (limen.evaluate(*data, thresholds) for data in ((chunks, None), (truth, scores)))
    assert (there.value, there.interval) == (here.value, here.interval)
    there, here = (
        limen.compare(*data, methods=["exact", "fixed:0.5"], cv=3) for data in ((chunks, None), (truth, scores))
    )
    assert [row.held_out for row in there.rows] == [row.held_out for row in here.rows]
    there, here = (limen.guarantee(*data, precision=0.3) for data in ((chunks, None), (truth, scores)))
    np.testing.assert_array_equal(there.values, here.values)
    pages = [tmp_path / "there.html", tmp_path / "here.html"]
    limen.report(chunks, None, thresholds, pages[0], methods=())
    assert pages[0].stat().st_size > 10_000


def test_blocks_that_change(tmp_path):
    truth, scores = problem(50)
    rng = np.random.default_rng(0)

    def shuffled():
        order = rng.permutation(50)
        yield truth[order], scores[order]

    with pytest.raises(InputError, match=r"the chunks are not those of the pass before.* must not shuffle"):
        limen.tune(shuffled)
    with pytest.raises(InputError, match="sample_weight cannot stand beside blocks of rows"):
        limen.tune([(truth, scores)], sample_weight=np.ones(50))
    with pytest.raises(InputError, match="y_score is missing"):
        limen.tune(scores)
    with pytest.raises(InputError, match="for data that are not in chunks give y_score too"):
        limen.tune(truth.tolist())


def test_corrections_of_labels_in_a_file(tmp_path):
    truth, scores = problem(50)
    np.save(tmp_path / "s.npy", scores)
    np.save(tmp_path / "y.npy", truth)
    (tmp_path / "marks.csv").write_text("id,label,value\nrow 3,2,1\nrow 4,2,0\nrow 49,0,1\n")
    marks = read_table(tmp_path / "marks.csv", kind="labels")
    tables = [
        read_table(tmp_path / name, kind=kind).values for name, kind in (("y.npy", "labels"), ("s.npy", "scores"))
    ]
    there, here = (limen.data.as_data(*data, corrections=marks) for data in (tables, (truth, scores)))
    assert there.corrected == here.corrected
    assert_same(limen.tune(there, method="exact"), limen.tune(here, method="exact"))


def test_a_part_of_rows_of_a_matrix():
    values = np.arange(60).reshape(20, 3)
    stack = Stacked([_Held(values[:7]), _Held(values[7:7]), _Held(values[7:])])
    for rows in (np.array([0, 6, 7, 19]), np.array([19, 3, 3]), np.array([], np.int64)):
        np.testing.assert_array_equal(stack[rows], values[rows])
    np.testing.assert_array_equal(stack[5:9], values[5:9])
    np.testing.assert_array_equal(stack.arranged(np.array([2, -1]))[18:40], [[56, 0], [59, 0]])
    np.testing.assert_array_equal(scratches.in_rows(stack, np.arange(19, -1, -1))[:], values[::-1])
    with pytest.raises(IndexError, match="rows that follow each other"):
        stack[::2]


class _Held(Matrix):
    def __init__(self, values):
        super().__init__(values.shape, values.dtype)
        self.values = values

    def read(self, start, stop):
        return self.values[start:stop]


def test_memory_does_not_grow_with_the_number_of_items(tmp_path):
    """Eight times the items take hardly more memory, from shards of .npy and from Parquet."""
    peaks = {}
    for n in (10_000, 80_000):
        rng = np.random.default_rng(0)
        folder = tmp_path / str(n)
        (folder / "s").mkdir(parents=True)
        for k in range(n // 10_000):
            np.save(folder / "s" / f"{k}.npy", rng.random((10_000, 100), np.float32))
        truth = np.lib.format.open_memmap(folder / "y.npy", "w+", bool, (n, 100))
        truth[::2000, :] = True
        del truth
        peaks[n] = int(
            subprocess.run(
                [sys.executable, "-c", PEAK, str(folder)], check=True, capture_output=True, text=True, timeout=120
            ).stdout
        )
    assert peaks[80_000] - peaks[10_000] < 20  # and the larger file has 32 MB, its labels 8


PEAK = """
import sys, resource, limen
from limen.files.reading import join, read_table
from limen.sources import dense
dense.READ_ELEMENTS = 1 << 20
scores = read_table(sys.argv[1] + "/s", kind="scores")
joined = join(scores, read_table(sys.argv[1] + "/y.npy", kind="labels"))
limen.Curves.from_arrays(joined.y_true, joined.y_score)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
