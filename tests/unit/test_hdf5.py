"""HDF5 files, as h5py writes them and as PANNs call what is in them."""

import numpy as np
import pytest

from limen.errors import InputError, UnreadableError
from limen.files.reading import join, read_table
from limen.files.tags import write_tags
from limen.sources.matrix import Matrix
from limen.sources.plain import PlainRows

h5py = pytest.importorskip("h5py")

SCORES = np.array([[0.5, 0.25], [0.75, 1.0], [0.0, 0.125]], np.float32)
LABELS = np.array([[1, 0], [1, 1], [0, 0]])


def save(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name.replace("__", "/")] = values
    return path


@pytest.mark.parametrize("ending", ["h5", "hdf5", "H5"])
def test_predictions_as_panns_write_them(tmp_path, ending):
    names = np.array([b"Y--a.wav", b"Y--b.wav", "Y--ü.wav".encode()])
    path = save(tmp_path / f"x.{ending}", clipwise_output=SCORES, target=LABELS.astype(bool), audio_name=names)
    joined = join(read_table(path, kind="scores"), read_table(path, kind="labels"))
    assert joined.ids == ("Y--a.wav", "Y--b.wav", "Y--ü.wav")
    np.testing.assert_array_equal(joined.y_score, SCORES)
    np.testing.assert_array_equal(joined.y_true, LABELS)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4", "<i8"])
def test_scores_stay_in_the_file(tmp_path, dtype):
    values = (SCORES * 8).astype(dtype)
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["scores"] = values
        file.create_dataset("packed/scores", data=values, chunks=(1, 2), compression="gzip")
        file.attrs["names"] = ["dog", "cat"]
    table = read_table(path, kind="scores")
    np.testing.assert_array_equal(table.values, values)
    assert table.values.dtype == np.dtype(dtype).newbyteorder("=")
    assert isinstance(table.values, PlainRows)
    assert table.labels == ("dog", "cat")
    packed = read_table(f"{path}:packed/scores", kind="scores")
    assert isinstance(packed.values, Matrix)
    np.testing.assert_array_equal(packed.values, values)
    assert packed.source == f"{path}:packed/scores"


def test_names_and_ids_of_a_group(tmp_path):
    path = save(
        tmp_path / "x.h5",
        val__scores=SCORES[:2],
        eval__scores=SCORES,
        names=["dog", "cat"],
        val__ids=[7, 8],
        eval__ids=["a", "b", "c"],
    )
    assert read_table(f"{path}:val/scores", kind="scores").ids == ("7", "8")
    table = read_table(f"{path}:eval/scores", kind="scores")
    assert table.ids == ("a", "b", "c")
    assert table.labels == ("dog", "cat")
    with pytest.raises(InputError, match=r"has 2 arrays that could be the scores; it holds 'eval/ids', 'eval/sc"):
        read_table(path, kind="scores")
    with pytest.raises(InputError, match=r"has no array 'test/scores'\. It holds"):
        read_table(f"{path}:test/scores", kind="scores")


def test_arrays_that_do_not_fit(tmp_path):
    with pytest.raises(InputError, match="names has 3 names for 2 columns"):
        read_table(save(tmp_path / "a.h5", scores=SCORES, names=["a", "b", "c"]), kind="scores")
    with pytest.raises(InputError, match=r"has shape \(3,\)\. It must be 2-d"):
        read_table(save(tmp_path / "b.h5", scores=SCORES[:, 0]), kind="scores")
    with pytest.raises(InputError, match=r"ids has dtype float64 and shape \(3,\)\. Names must be"):
        read_table(save(tmp_path / "c.h5", scores=SCORES, ids=[0.5, 1.5, 2.5]), kind="scores")


def test_damaged_files(tmp_path):
    path = save(tmp_path / "x.h5", scores=np.ones((500, 20)))
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(UnreadableError, match=r"cannot be read as HDF5 .*damaged, cut short or of another format"):
        read_table(path, kind="scores")
    with h5py.File(path, "w") as file:  # 40 GB that nobody has written
        file.create_dataset("scores", (10_000_000, 1000), "f4", chunks=True)
    with pytest.raises(UnreadableError, match="it claims 40000000000 bytes and has"):
        read_table(path, kind="scores")
    path.write_bytes(b"id,dog\n1,0.5\n")
    with pytest.raises(UnreadableError, match="cannot be read as HDF5"):
        read_table(path, kind="scores")


def test_a_heap_of_texts_without_an_end(tmp_path):
    """HDF5 1.14 looks for its end for ever."""
    path = save(tmp_path / "x.h5", scores=SCORES, ids=["a", "b", "c"])
    data = path.read_bytes()
    heap = data.index(b"GCOL") + 16
    path.write_bytes(data[:heap] + bytes(16) + data[heap + 16 :])
    with pytest.raises(UnreadableError, match=r"x\.h5 cannot be read as HDF5 \(a heap of texts has no end\)"):
        read_table(path, kind="scores")


@pytest.mark.parametrize("ids", [None, ["a", "b", "ü"]])
def test_tags_are_written_as_they_are_read(tmp_path, ids):
    path = tmp_path / "tags.h5"
    write_tags(path, ids, ["dog", "</cat>"], LABELS.astype(bool))
    table = read_table(path, kind="labels")
    np.testing.assert_array_equal(table.values, LABELS)
    assert table.values.dtype == bool
    assert table.labels == ("dog", "</cat>")
    assert table.ids == (None if ids is None else tuple(ids))
