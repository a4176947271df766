"""Folds by content: nothing but what the items are decides, and no group is divided."""

from __future__ import annotations

import numpy as np
import pytest

from limen.draws import name_keys
from limen.folds import FEW, content_keys, keyed_folds
from limen.sources.door import as_source


def some(n_items=500, n_labels=4, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.random((n_items, n_labels)) < 0.3).astype(float), rng.random((n_items, n_labels))


def keys_of(y_true, y_score, labels="abcd", seed=0):
    return content_keys(as_source(y_true, y_score, labels=list(labels)), name_keys(labels, seed))


def test_keys_follow_the_items_and_not_the_order_of_labels():
    y_true, y_score = some()
    rows, columns = np.random.default_rng(1).permutation(500), [2, 0, 3, 1]
    keys = keys_of(y_true, y_score)
    turned = keys_of(y_true[rows][:, columns], y_score[rows][:, columns], "cadb")
    np.testing.assert_array_equal(turned, keys[rows])
    assert (keys_of(y_true, y_score, seed=1) != keys).all()


@pytest.mark.parametrize("change", ["score", "truth", "unknown", "name"])
def test_keys_differ_where_anything_does(change):
    y_true, y_score = some()
    keys = keys_of(y_true, y_score)
    if change == "score":
        y_score[:, 1] = np.nextafter(y_score[:, 1], 1)
    elif change == "truth":
        y_true[:, 1] = 1 - y_true[:, 1]
    elif change == "unknown":
        y_true[:, 1] = np.nan
    names = "abcx" if change == "name" else "abcd"
    assert (keys_of(y_true, y_score, names) != keys).all()


def test_single_precision_and_minus_zero_are_the_same_numbers():
    y_true, y_score = some()
    y_score = y_score.astype(np.float32)
    y_score[:, 0] = 0.0
    other = y_score.astype(np.float64)
    other[:, 0] = -0.0
    keys = [keys_of(y_true, scores) for scores in (y_score, other)]
    np.testing.assert_array_equal(*keys)


@pytest.mark.parametrize("n_items", [1, 3, 50, FEW + 1, 2000])
def test_every_item_is_in_one_fold_and_folds_are_about_even(n_items):
    folds = keyed_folds(name_keys([str(k) for k in range(n_items)], 0), 5)
    np.testing.assert_array_equal(np.sort(np.concatenate(folds)), np.arange(n_items))
    assert len(folds) == min(5, n_items)
    size = [len(rows) for rows in folds]
    assert max(size) - min(size) <= (1 if n_items <= FEW else 6 * (n_items / 5) ** 0.5)


def test_parts_dealt_by_themselves_agree():
    keys = name_keys([str(k) for k in range(1000)], 0)
    fold = np.empty(1000, int)
    for k, rows in enumerate(keyed_folds(keys, 5)):
        fold[rows] = k
    for part in (slice(400), slice(400, 1000)):
        for k, rows in enumerate(keyed_folds(keys[part], 5)):
            assert (fold[part][rows] == k).all()


def test_items_that_are_alike_are_spread_over_the_folds():
    folds = keyed_folds(np.full(1000, 7, np.uint64), 5)
    assert [len(rows) for rows in folds] == [200] * 5
