"""The same problem through every way in gives the same thresholds, to the last bit."""

import duckdb
import numpy as np
import pytest

import limen
from limen.datasets import spoken_tags
from limen.files.reading import join, read_table

pandas, polars, arrow = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
scipy_sparse, torch, h5py = (pytest.importorskip(name) for name in ("scipy.sparse", "torch", "h5py"))

N_ITEMS = 400


def problem():
    y_true, y_score, labels = spoken_tags()
    return y_true[:N_ITEMS].astype(np.int64), y_score[:N_ITEMS].astype(np.float64), labels


def ids():
    return [f"clip-{k:04d}" for k in range(N_ITEMS)]


def columns(matrix, **first):
    return {**first, **{name: matrix[:, k].copy() for k, name in enumerate(problem()[2])}}


def listed(matrix, heading):
    row, label = (part.ravel() for part in np.indices(matrix.shape))
    return {
        "id": np.array(ids())[row],
        "label": np.array(problem()[2])[label],
        heading: matrix.ravel(),
    }


def arrow_table(content):
    return arrow.table({name: arrow.array(values) for name, values in content.items()})


FRAMES = {"pandas": pandas.DataFrame, "polars": polars.DataFrame, "pyarrow": arrow_table}


def of_files(scores, labels):
    joined = join(read_table(scores, kind="scores"), read_table(labels, kind="labels"))
    return joined.y_true, joined.y_score, joined.labels


def parquet(tmp_path):
    y_true, y_score, _ = problem()
    for name, matrix in (("s", y_score), ("y", y_true)):
        polars.DataFrame(columns(matrix, id=ids())).write_parquet(tmp_path / f"{name}.parquet")
    return of_files(tmp_path / "s.parquet", tmp_path / "y.parquet")


def csv(tmp_path):
    y_true, y_score, _ = problem()
    for name, matrix in (("s", y_score), ("y", y_true)):
        pandas.DataFrame(columns(matrix, id=ids())).to_csv(tmp_path / f"{name}.csv", index=False)
    return of_files(tmp_path / "s.csv", tmp_path / "y.csv")


def hdf5(tmp_path):
    y_true, y_score, labels = problem()
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["clipwise_output"], file["target"] = y_score, y_true.astype(bool)
        file["audio_name"], file["names"] = ids(), list(labels)
    return of_files(tmp_path / "x.h5", tmp_path / "x.h5")


def database(tmp_path):
    y_true, y_score, _ = problem()
    path = tmp_path / "x.db"
    with duckdb.connect(str(path)) as con:
        for name, matrix in (("s", y_score), ("y", y_true)):
            con.register("frame", pandas.DataFrame(columns(matrix, id=ids())))
            con.execute(f"CREATE TABLE {name} AS SELECT * FROM frame")
    return of_files(f"duckdb:{path}?table=s", f"duckdb:{path}?query=SELECT * FROM y ORDER BY id DESC")


def expected(method):
    y_true, y_score, labels = problem()
    return limen.tune(y_true, y_score, labels=labels, method=method)


def check(y_true, y_score, labels=None, *, method="exact"):
    t = limen.tune(y_true, y_score, labels=labels, method=method)
    wanted = expected(method)
    assert t.labels == wanted.labels
    assert t.values.dtype == wanted.values.dtype
    np.testing.assert_array_equal(t.values, wanted.values)
    assert t.expected == wanted.expected


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_frames(make):
    y_true, y_score, _ = problem()
    check(make(columns(y_true)), make(columns(y_score)))
    check(make(columns(y_true, id=ids())), make(columns(y_score, id=ids())))
    check(make(listed(y_true, "value")), make(listed(y_score, "score")))


@pytest.mark.parametrize("ways", [parquet, csv, hdf5, database])
def test_files(ways, tmp_path):
    check(*ways(tmp_path))


def test_the_default_method_too(tmp_path):
    y_true, y_score, _ = problem()
    check(*hdf5(tmp_path), method="auto")
    check(polars.DataFrame(listed(y_true, "value")), polars.DataFrame(listed(y_score, "score")), method="auto")
