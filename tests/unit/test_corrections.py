"""Corrections take the place of labels: those of exactly the marked cells, whatever holds the labels."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import limen
from limen.corrections import Corrected
from limen.data import as_data
from limen.errors import InputError
from limen.files.reading import read_table

LABELS = ("dog", "cat", "owl")


def naive(y_true, known, ids, frame):
    """The labels after corrections cell by cell, and how many were changed, confirmed and filled."""
    truth = [
        [float(y) if k else None for y, k in zip(*rows, strict=True)] for rows in zip(y_true, known, strict=True)
    ]
    tally = [0, 0, 0]
    for name, row in frame.iterrows():
        for label, value in row.items():
            if pd.isna(value):
                continue
            i, k = ids.index(name), LABELS.index(label)
            before = truth[i][k]
            tally[2 if before is None else 1 if before == value else 0] += 1
            truth[i][k] = float(value)
    return truth, tuple(tally)


def truth_of(data):
    codes = np.concatenate([block.truth for block in data.source.dense_blocks()])
    return [[None if code < 0 else float(code) for code in row] for row in codes.tolist()]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from(["bool", "int", "float", "mask", "sparse", "sparse mask", "sparse scores"]),
)
def test_only_the_marked_cells_change(seed, form):
    draw = np.random.default_rng(seed)
    n_items = int(draw.integers(1, 12))
    y_true = (draw.random((n_items, 3)) < 0.5).astype(int)
    known = (
        draw.random((n_items, 3)) < 0.6
        if form in ("float", "mask", "sparse mask")
        else np.ones((n_items, 3), bool)
    )
    y_score = draw.random((n_items, 3)).astype(np.float32)
    ids = [f"clip {k}" for k in range(n_items)]
    some = draw.permutation(n_items)[: draw.integers(1, n_items + 1)]
    columns = list(draw.permutation(LABELS)[: draw.integers(1, 4)])
    marks = draw.choice([0.0, 1.0, np.nan], (len(some), len(columns)))
    frame = pd.DataFrame(marks, pd.Index([ids[k] for k in some], name="id"), columns)
    given_ = {
        "bool": y_true.astype(bool),
        "int": y_true,
        "float": np.where(known, y_true, np.nan),
        "mask": y_true,
        "sparse": csr_array(y_true),
        "sparse mask": csr_array(y_true),
        "sparse scores": y_true,
    }[form]
    scores = csr_array(y_score) if form == "sparse scores" else y_score
    mask = known if "mask" in form else None
    before = y_true.tobytes(), None if mask is None else mask.tobytes(), frame.copy()
    data = as_data(given_, scores, labels=LABELS, ids=ids, mask=mask, corrections=frame)
    truth, (changed, confirmed, filled) = naive(y_true, known, ids, frame)
    assert truth_of(data) == truth
    assert data.corrected == Corrected("corrections", changed, confirmed, filled)
    assert (y_true.tobytes(), None if mask is None else mask.tobytes()) == before[:2]
    pd.testing.assert_frame_equal(frame, before[2])


def small(**options):
    y_true = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 1, 0]])
    y_score = np.array([[0.2, 0.9, 0.1], [0.7, 0.3, 0.2], [0.4, 0.1, 0.8], [0.6, 0.7, 0.5]])
    return as_data(y_true, y_score, labels=LABELS, **{"ids": list("abcd"), **options})


def test_a_file_of_marks_with_empty_cells(tmp_path):
    path = tmp_path / "marks.csv"
    path.write_text("id,owl,dog\nd,1,\na,,0\nb,0,1\n")
    data = small(corrections=read_table(path, kind="labels"))
    assert truth_of(data) == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 1, 1]]
    assert str(data.corrected) == (
        f"{path} marks 4 pairs of item and label: 1 changed, 3 confirmed, 0 filled in where unknown"
    )
    by_hand = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 1, 1]])
    scores = np.concatenate([block.scores for block in data.source.dense_blocks()])
    assert limen.tune(data, method="exact") == limen.tune(by_hand, scores, labels=LABELS, method="exact")


def test_a_long_file_and_columns_in_another_order(tmp_path):
    (tmp_path / "marks.tsv").write_text("id\tlabel\tvalue\na\tcat\t0\nb\towl\tyes\n")
    data = small(corrections=read_table(tmp_path / "marks.tsv", kind="labels")).in_order(
        ("owl", "dog"), extra="ignore"
    )
    assert truth_of(data) == [[0, 0], [1, 1], [1, 0], [0, 1]]
    assert (data.corrected.changed, data.corrected.confirmed) == (2, 0)


def test_items_without_ids_are_called_by_their_rows():
    frame = pd.DataFrame({"dog": [1.0]}, pd.Index(["row 2"]))
    assert truth_of(small(ids=None, corrections=frame))[2] == [1, 0, 1]


def test_a_part_of_the_data_keeps_its_corrections():
    frame = pd.DataFrame({"id": ["d"], "dog": [0]})
    part = small(corrections=frame).take(np.array([1, 3]))
    assert truth_of(part) == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            pd.DataFrame({"id": ["a", "x"], "dog": [1, 0]}),
            r"has 1 id that the data lack: 'x'\. Corrections are joined",
        ),
        (
            pd.DataFrame({"id": ["a"], "cow": [1]}),
            r"has 1 label that the data lack: 'cow'\. Corrections are joined",
        ),
        (pd.DataFrame({"id": ["a"], "dog": [2]}), r"has 2 for 'a' and the label 'dog'\. A correction is 1"),
        (pd.DataFrame({"id": ["a", "a"], "dog": [1, 0]}), "repeats 1 id: 'a'"),
        (pd.DataFrame({"dog": [1, 0]}), "has no ids or no label names"),
        (
            pd.DataFrame({"id": ["a"], "tags": ["dog;cat"]}),
            "a list of tags, which does not say which other labels",
        ),
        ([[1, 0]], "corrections is a list. Give a data frame with ids"),
    ],
)
def test_what_cannot_be_joined_is_said(frame, message):
    with pytest.raises(InputError, match=message):
        small(corrections=frame)


def test_an_id_of_several_items_cannot_be_corrected():
    frame = pd.DataFrame({"id": ["a"], "dog": [1]})
    with pytest.raises(InputError, match="corrects 'a', an id of several items"):
        small(ids=["a", "a", "b", "c"], corrections=frame)


def test_data_already_joined_take_no_corrections():
    with pytest.raises(InputError, match=r"hold all that belongs to the items\. Leave corrections out"):
        as_data(small(), corrections=pd.DataFrame({"id": ["a"], "dog": [1]}))
