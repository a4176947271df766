"""Sessions of the real Spark, and the same problem as arrays and as frames of every layout."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

import limen.engines.spark as spark_engine
from limen.data import as_data
from limen.shards import count_shard

SETTINGS = {
    "spark.driver.memory": "1g",
    "spark.executor.memory": "1g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "4",
}


@contextmanager
def session(master, folder, **settings):
    """A session of its own, stopped at the end; its workers have this interpreter and this limen."""
    import pyspark
    from pyspark.sql import SparkSession

    before = dict(os.environ)
    source = str(Path(spark_engine.__file__).parents[2])
    os.environ |= {
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join([source, str(Path(__file__).parents[1])]),
        "SPARK_HOME": str(Path(pyspark.__file__).parent),
        "SPARK_LOCAL_DIRS": str(folder),
        "SPARK_WORKER_DIR": str(folder / "work"),
    }
    builder = SparkSession.builder.master(master)
    for key, value in (SETTINGS | settings | {"spark.sql.warehouse.dir": str(folder / "warehouse")}).items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    try:
        yield spark
    finally:
        gateway = spark.sparkContext._gateway
        spark.stop()
        # The next session needs a Java of its own, with its own settings.
        from pyspark import SparkContext

        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(60)
        SparkContext._gateway = SparkContext._jvm = None
        os.environ.clear()
        os.environ |= before


class Problem(NamedTuple):
    y_true: np.ndarray
    y_score: np.ndarray
    ids: list[str]
    labels: list[str]
    weight: np.ndarray

    def curves(self, **given):
        """What one machine counts, items by ascending id."""
        order = np.argsort(self.ids)
        given = {name: value[order] for name, value in given.items()}
        ids = [self.ids[row] for row in order]
        data = as_data(self.y_true[order], self.y_score[order], labels=self.labels, ids=ids, **given)
        return count_shard(data)


def problem(seed=0, n_items=120, n_labels=5, dtype=np.float32):
    """Ties, a label in half of the items, one without positives, one of constant scores, unknown labels."""
    rng = np.random.default_rng(seed)
    y_score = rng.random((n_items, n_labels)).round(2).astype(dtype)
    y_true = (rng.random((n_items, n_labels)) < y_score * 0.4).astype(np.float32)
    y_true[:, 0] = rng.random(n_items) < 0.5
    if n_labels > 2:
        y_true[:, 1], y_score[:, 2] = 0, 0.25
    y_true[rng.random((n_items, n_labels)) < 0.1] = np.nan
    width = len(str(n_items))
    ids = [f"clip {k:0{width}}" for k in rng.permutation(n_items)]
    labels = [f"label {k:02}" for k in range(n_labels)]
    return Problem(y_true, y_score, ids, labels, rng.random(n_items))


def nullable(values):
    return [None if np.isnan(value) else float(value) for value in values]


FLOAT = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}


def arrays(spark, p, *, weighted=False):
    dtype = FLOAT[p.y_score.dtype]
    scores = spark.createDataFrame(
        [(i, row.tolist()) for i, row in zip(p.ids, p.y_score, strict=True)], f"id string, scores array<{dtype}>"
    )
    truth = spark.createDataFrame(
        [(i, nullable(row), w) for i, row, w in zip(p.ids, p.y_true, p.weight.tolist(), strict=True)][::-1],
        "id string, truth array<float>, weight double",
    )
    return truth if weighted else truth.drop("weight"), scores


def columns(spark, p):
    """A column for each label, those of the labels in another order."""
    dtype = FLOAT[p.y_score.dtype]
    scores = spark.createDataFrame(
        [(i, *row.tolist()) for i, row in zip(p.ids, p.y_score, strict=True)],
        "id string, " + ", ".join(f"`{name}` {dtype}" for name in p.labels),
    )
    truth = spark.createDataFrame(
        [(*nullable(row[::-1]), i) for i, row in zip(p.ids, p.y_true, strict=True)],
        ", ".join(f"`{name}` float" for name in p.labels[::-1]) + ", id string",
    )
    return truth, scores


def long(spark, p, keep=None, *, weighted=False):
    """A row for each pair, in no order; with ``keep`` (n_items, n_labels) only some scores are listed."""
    n_items, n_labels = p.y_score.shape
    pairs = np.random.default_rng(1).permutation(n_items * n_labels)
    cells = [(p.ids[k // n_labels], p.labels[k % n_labels], k // n_labels, k % n_labels) for k in pairs.tolist()]
    dtype = FLOAT[p.y_score.dtype]
    scores = [(i, name, float(p.y_score[r, c])) for i, name, r, c in cells if keep is None or keep[r, c]]
    if keep is not None:
        scores += [(i, None, None) for i, any_ in zip(p.ids, keep.any(axis=1), strict=True) if not any_]
    truth = [(i, name, float(p.y_true[r, c]), float(p.weight[r])) for i, name, r, c in cells]
    truth = [row for row in truth if not np.isnan(row[2])]
    known = {row[0] for row in truth}
    truth += [(i, None, None, w) for i, w in zip(p.ids, p.weight.tolist(), strict=True) if i not in known]
    truth = spark.createDataFrame(truth, "id string, label string, value float, weight double")
    scores = spark.createDataFrame(scores, f"id string, label string, score {dtype}")
    return truth if weighted else truth.drop("weight"), scores


def tags(spark, p):
    """Lists of names beside a column for each label; unknown labels are not tags."""
    lists = [[p.labels[k] for k in np.flatnonzero(row == 1)] for row in p.y_true]
    truth = spark.createDataFrame(list(zip(p.ids, lists, strict=True)), "id string, tags array<string>")
    return truth, columns(spark, p)[1]
