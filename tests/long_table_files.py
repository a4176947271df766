"""Long tables in files and databases, for tests, and what the same tables give in memory."""

import duckdb
import numpy as np

from limen.data import as_data
from limen.engines.duckdb import curves, cuts
from limen.files.reading import join, read_table
from limen.shards import Cuts, count_shard

SCORES = [("a", "x", 0.5), ("b", "x", 0.25)]
TAGS = [("a", "x"), ("b", None)]


def write(path, names, rows, types):
    """Write rows to a Parquet file."""
    con = duckdb.connect()
    con.execute(f"CREATE TABLE t ({', '.join(f'{name} {form}' for name, form in zip(names, types, strict=True))})")
    if rows:
        con.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(names))})", rows)
    con.execute(f"COPY t TO '{path}' (FORMAT parquet)")
    con.close()
    return str(path)


def scores_file(path, rows, form="FLOAT"):
    return write(path, ("id", "label", "score"), rows, ("VARCHAR", "VARCHAR", form))


def tags_file(path, rows):
    return write(path, ("id", "label"), rows, ("VARCHAR", "VARCHAR"))


def table(n_items=60, n_labels=4, *, seed=0, share=0.6, digits=None):
    """Return random rows of scores, and of tags; each item has a row in both, and each label a score."""
    rng = np.random.default_rng(seed)
    score = rng.random((n_items, n_labels)) ** 2
    truth = rng.random(score.shape) < score * 0.5
    score = score if digits is None else score.round(digits)
    stored = rng.random(score.shape) < share
    stored[0] = True
    scores = [(f"i{i}", f"l{k}", float(score[i, k])) for i, k in np.argwhere(stored)]
    scores += [(f"i{i}", None, None) for i in np.flatnonzero(~stored.any(axis=1))]
    tags = [(f"i{i}", f"l{k}") for i, k in np.argwhere(truth)]
    tags += [(f"i{i}", None) for i in np.flatnonzero(~truth.any(axis=1))]
    rng.shuffle(scores)
    rng.shuffle(tags)
    return scores, tags


def in_memory(labels, scores):
    """Return the data of two files as all other commands read them."""
    joined = join(read_table(scores, kind="scores"), read_table(labels, kind="labels"))
    return as_data(joined.y_true, joined.y_score, labels=joined.labels, ids=joined.ids)


def assert_same(labels, scores, **given):
    """Assert that both ways give the same curves, to the bit, and the same cuts; return the curves."""
    found, expected = curves(labels, scores, memory_mb=100, **given), count_shard(in_memory(labels, scores))
    assert found == expected
    assert found.digest() == expected.digest()
    assert found.labels == expected.labels
    assert found.dtype == expected.dtype
    assert np.array_equal(found.folds.tp, expected.folds.tp)
    assert np.array_equal(found.folds.fp, expected.folds.fp)
    here, there = cuts(labels, scores, memory_mb=100, **given), Cuts.of(in_memory(labels, scores))
    assert here.positive == there.positive
    assert here.fine.candidates == there.fine.candidates
    return found


def in_database(path, scores, tags, connect):
    con = connect(str(path))
    for name, columns, rows in (
        ("my scores", "id TEXT, label TEXT, score REAL", scores),
        ("tags", "id TEXT, label TEXT", tags),
    ):
        con.execute(f'CREATE TABLE "{name}" ({columns})')
        con.executemany(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(rows[0]))})', rows)
    con.commit()
    con.close()
