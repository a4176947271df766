"""The queue of the review against a plain search through all pairs."""

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import limen
from limen.data import as_data
from limen.reporting import items, review
from limen.reporting.items import Axis, looked_at


def unpacked(value):
    ((kind, text),) = value.items()
    raw = base64.b64decode(text)
    if kind != "whole":
        return np.frombuffer(raw, "<f4" if kind == "f32" else "<f8")
    numbers, number, shift = [], 0, 0
    for byte in raw:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(number)
            number = shift = 0
    return np.array(numbers, np.int64)


def queue_of(y_true, y_score, values, ids=None, **options):
    data = as_data(y_true, y_score, **options)
    curves = limen.Curves.from_source(data.source)
    axis = Axis.of(data.source, curves, True)
    found = looked_at(data.source, axis, np.asarray(values, float), np.ones(len(values)), ids)["review"]
    names = [int(name.removeprefix("row ")) if ids is None else name for name in found["ids"]]
    columns = [unpacked(found[key]) for key in ("item", "label", "score", "truth", "kind", "distance")]
    rows = [(names[item], *rest) for item, *rest in zip(*(column.tolist() for column in columns), strict=True)]
    return rows, axis, found


def naive(y_true, y_score, values, axis, weight, most):
    """Each label's nearest items and surest mistakes, as {pair: kind}, by a search through all pairs."""
    place = axis.place(y_score).astype(float)
    cut = [
        float(axis.high[k])
        if value == np.inf
        else float(axis.low[k])
        if value < -1e30
        else float(axis.place(np.array(value)))
        for k, value in enumerate(values)
    ]
    kinds = {}
    for k, value in enumerate(values):
        rows = [i for i in range(len(y_true)) if weight[i] > 0]
        far = {i: abs(place[i, k] - cut[k]) / float(axis.spread[k]) for i in rows}
        wrong = [i for i in rows if y_true[i, k] == (0 if y_score[i, k] >= value else 1)]
        near = sorted(rows, key=lambda i: far[i] / weight[i])[:most]
        sure = sorted(wrong, key=lambda i: -far[i] * weight[i])[:most]
        for i in near:
            kinds[i, k] = 0
        for i in sure:
            if (i, k) not in kinds or far[i] >= review.SURE:
                kinds[i, k] = 1 if y_true[i, k] == 1 else 2
    return kinds


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60), st.booleans(), st.booleans(), st.sampled_from([3, 1000]))
def test_the_queue_is_what_a_search_through_all_pairs_finds(seed, n_items, weighted, partly, block):
    draw = np.random.default_rng(seed)
    y_true = (draw.random((n_items, 4)) < 0.4).astype(float)
    y_score = draw.random((n_items, 4))
    if partly:
        y_true[draw.random(y_true.shape) < 0.3] = np.nan
    weight = draw.choice([0.0, 0.5, 1.0, 3.0], n_items) if weighted else np.ones(n_items)
    weight[0] = 1.0
    values = [0.5, 0.9, np.inf, -np.finfo(float).max]
    options = {"sample_weight": weight} if weighted else {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("limen.sources.blocks.BLOCK_ELEMENTS", block)
        patch.setattr(review, "MOST_BY_LABEL", 5)
        rows, axis, _ = queue_of(y_true, y_score, values, **options)
    expected = naive(y_true, y_score, values, axis, weight, 5)
    assert {(item, label): kind for item, label, _, _, kind, _ in rows} == expected
    assert len(rows) == len(expected)  # no pair twice
    for item, label, score, truth, kind, _ in rows:
        assert score == y_score[item, label]
        assert truth == (0 if np.isnan(y_true[item, label]) else 1 + y_true[item, label])
        assert kind == 0 or truth > 0  # what is not known is no mistake


def test_near_and_mistakes_in_turn_each_by_its_distance():
    draw = np.random.default_rng(0)
    y_true = draw.random((400, 3)) < 0.3
    y_score = np.clip(draw.random(y_true.shape) * 0.8 + 0.2 * y_true, 0, 1)
    rows, _, found = queue_of(y_true, y_score, [0.5, 0.6, 0.7])
    kinds = [kind for *_, kind, _ in rows]
    both = 2 * min(kinds.count(0), len(kinds) - kinds.count(0))
    assert [kind > 0 for kind in kinds[:both]] == [False, True] * (both // 2)
    near = [distance for *_, kind, distance in rows if kind == 0]
    mistakes = [distance for *_, kind, distance in rows if kind > 0]
    assert near == sorted(near)
    assert mistakes == sorted(mistakes, reverse=True)
    first = dict.fromkeys(item for item, *_ in rows)
    assert [f"row {item}" for item in first] == found["ids"]  # items by their first place in the queue


def test_heavy_items_come_sooner():
    y_score = np.array([[0.30], [0.45], [0.56], [0.9], [0.2]])
    y_true = np.array([[0], [0], [1], [1], [1]])
    rows, _, _ = queue_of(y_true, y_score, [0.5], sample_weight=[1, 1, 1, 1, 1])
    assert next(item for item, *_, kind, _ in rows if kind == 0) == 1
    rows, _, _ = queue_of(y_true, y_score, [0.5], sample_weight=[1, 1, 9, 1, 0])
    assert rows[0][0] == 2
    assert 4 not in {item for item, *_ in rows}


def test_a_positive_that_is_not_listed_is_missed():
    y_score = csr_array(np.array([[0.7], [0.0], [0.4], [0.6]]))
    rows, _, _ = queue_of(np.array([[1], [1], [0], [1]]), y_score, [0.5])
    assert [(item, score, kind) for item, _, score, _, kind, _ in rows if score == -np.inf] == [(1, -np.inf, 1)]


def test_many_labels_have_fewer_items_each():
    draw = np.random.default_rng(0)
    y_true = draw.random((50, 3000)) < 0.2
    rows, _, _ = queue_of(y_true, draw.random(y_true.shape), np.full(3000, 0.5))
    assert max(np.bincount([label for _, label, *_ in rows])) <= 2
    assert items.BINS_OF_MANY_LABELS == 20
