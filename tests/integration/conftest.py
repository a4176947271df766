"""Files that a user would have, of shipped data, and a browser."""

import numpy as np
import pytest

from integration.own_metrics import OWN
from integration.report_page import browser
from limen import metrics
from limen.datasets import spoken_tags
from shell import write_csv

SLOW_TO_START = ("chrome", "processes", "postgres", "transformers")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Tests that share what is slow to start go to one worker (pytest --dist loadgroup)."""
    for item in items:
        for name in SLOW_TO_START:
            if name in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture(scope="module")
def chrome():
    with browser() as launched:
        yield launched


@pytest.fixture
def registered(monkeypatch):
    """Make the metrics of one's own known by their names."""
    monkeypatch.setattr(metrics, "METRICS", dict(metrics.METRICS))
    for metric in OWN:
        metrics.register(type(metric))


@pytest.fixture(scope="module")
def data():
    y_true, y_score, labels = spoken_tags()
    return y_true[:600], y_score[:600], list(labels)


@pytest.fixture
def folder(data, tmp_path):
    """A folder with the same problem as wide CSV (labels shuffled), tag lists, long parquet and npz."""
    y_true, y_score, labels = data
    ids = [f"clip {i}" for i in range(len(y_true))]
    write_csv(
        tmp_path / "scores.csv",
        ["id", *labels],
        ([i, *map(repr, map(float, s))] for i, s in zip(ids, y_score, strict=True)),
    )
    order, flipped = np.random.default_rng(0).permutation(len(ids)), labels[::-1]
    rows = ([ids[i], *y_true[i, ::-1].tolist()] for i in order)
    write_csv(tmp_path / "labels.csv", ["id", *flipped], rows)
    tags = ([ids[i], ";".join(labels[k] for k in np.flatnonzero(y_true[i]))] for i in order)
    write_csv(tmp_path / "tags.tsv", ["id", "tags"], tags, delimiter="\t")
    np.savez(tmp_path / "data.npz", scores=y_score, labels=y_true, names=labels, ids=ids)
    return tmp_path
