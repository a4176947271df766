"""The report of thresholds that must keep something: what it says, and what an edited file keeps of it."""

import numpy as np
import pytest

import limen
from integration.report_page import content, opened
from limen.constraints import MinPrecision


@pytest.fixture(scope="module")
def data():
    draw = np.random.default_rng(5)
    y_true = draw.random((600, 3)) < [0.5, 0.4, 0.3]
    return y_true.astype(int), np.clip(draw.normal(0.3, 0.15, y_true.shape) + 0.4 * y_true, 0, 1)


def edited(chrome, path, folder):
    with opened(chrome, path) as page:
        page.type_in(0.05)
        text = page.page.inner_text("#promises")
        return limen.Thresholds.load(page.download("#save", folder)), text


def test_constraints_are_told_and_judged_anew_after_edits(chrome, data, tmp_path):
    t = limen.tune(*data, labels=["a", "b", "c"], constraints=[MinPrecision(0.9)], method="exact")
    path = limen.report(*data, t, tmp_path / "r.html", methods=())
    (limit,) = content(path)["limits"]["all"]
    assert limit["said"] == "precision at least 90.0 % for each label"
    assert limit["known"]["binds"]
    saved, text = edited(chrome, path, tmp_path)
    assert "broken by 1 label" in text
    (said,) = saved.said_constraints()
    assert "broken by 1 label" in said
    assert "binds" not in saved.constraints[0]


def test_an_edited_label_promises_nothing(chrome, data, tmp_path):
    t = limen.guarantee(*data, labels=["a", "b", "c"], precision=0.8)
    path = limen.report(*data, t, tmp_path / "r.html", methods=())
    assert content(path)["promise"]["said"] == t.promise.said()
    saved, text = edited(chrome, path, tmp_path)
    assert t.promise.said() in text
    assert "is dropped" in text
    assert len(saved.promise.labels) == len(t.promise.labels) - 1


def test_the_largest_sizes_of_a_bet_go_with_its_labels(chrome, data, tmp_path):
    groups = np.arange(600) // 2
    t = limen.guarantee(*data, labels=["a", "b", "c"], precision=0.6, groups=groups)
    assert t.promise.largest
    saved, _ = edited(chrome, limen.report(*data, t, tmp_path / "r.html", methods=(), groups=groups), tmp_path)
    assert saved.promise.labels == t.promise.labels[1:]
    assert saved.promise.largest == {kind: sizes[1:] for kind, sizes in t.promise.largest.items()}
