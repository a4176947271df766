"""From scores to decisions, and what decisions count to."""

import numpy as np
import pytest
from scipy import sparse

from limen.decisions import check_rule, count_decisions, decide_entries, decide_rows
from limen.errors import InputError
from limen.sources.blocks import Entries
from limen.sources.chunks import as_chunk_source
from limen.sources.door import as_source
from strategies import random_data, recounted

NONE = np.full(4, -np.inf)


def given(scores, rule):
    scores = np.array(scores, float)
    return [np.flatnonzero(row).tolist() for row in decide_rows(scores, NONE[: scores.shape[1]], rule)]


def test_thresholds_keep_what_is_equal():
    decisions = decide_rows(np.array([[0.5, -0.0, 9.0]]), np.array([0.5, 0.0, np.inf]))
    assert decisions.tolist() == [[True, True, False]]


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        ([0.9, 0.8, 0.2, 0.1], [0, 1]),
        ([0.1, 0.2, 0.8, 0.9], [2, 3]),
        ([0.9, 0.1, 0.1, 0.1], [0]),
        ([0.9, 0.9, 0.9, 0.1], [0, 1, 2]),
        ([1.0, 0.75, 0.5, 0.25], [0]),  # of equal gaps, the highest
        ([0.75, 0.5, 0.25, 0.25], [0]),
        ([1.0, 1.0, 0.5, 0.0], [0, 1]),
        ([-5.0, 3.0, 3.0, -5.0], [1, 2]),
    ],
)
def test_mcut_cuts_at_the_largest_gap(row, kept):
    assert given([row], "mcut") == [kept]


def test_mcut_where_all_scores_are_equal():
    """There is no gap to cut at: the items at the top are all."""
    assert given([[0.5, 0.5, 0.5]], "mcut") == [[0, 1, 2]]


def test_mcut_in_half_precision_looks_at_the_scores_themselves():
    rows = np.array([[60000, -60000, 0]], np.float16)
    assert decide_rows(rows, NONE[:3].astype(np.float16), "mcut").tolist() == [[True, False, False]]


@pytest.mark.parametrize(
    ("rule", "kept"),
    [("top-k:1", [[1], [0], [0]]), ("top-k:2", [[1, 2], [0, 1], [0, 1]]), ("top-k:3", [[0, 1, 2]] * 3)],
)
def test_top_k_takes_the_first_of_equals(rule, kept):
    assert given([[0.1, 0.9, 0.5], [0.5, 0.5, 0.5], [0.7, 0.7, -1.0]], rule) == kept


def test_stored_scores_decide_by_item():
    label = np.array([2, 0, 1, 1])
    entries = Entries(
        np.array([0.5, 0.5, 0.9, 0.1]), label, np.zeros(4, np.int8), np.ones(4), np.array([0, 0, 0, 2])
    )
    values = np.array([0.4, 0.95, 0.5])
    assert decide_entries(entries, values).tolist() == [True, True, False, False]
    assert decide_entries(entries, values, "top-k:1").tolist() == [False, False, True, True]
    assert decide_entries(entries, values, "top-k:2").tolist() == [False, True, True, True]
    with pytest.raises(
        InputError, match="the rule 'mcut' looks at all scores of an item; sparse scores leave some"
    ):
        decide_entries(entries, values, "mcut")


@pytest.mark.parametrize(
    "rule",
    ["", ">", "top-k", "top-k:", "top-k:0", "top-k:4", "top-k:-1", "top-k:1.5", "top-k:²", "mcut:1", ">=:1"],
)
def test_no_rule(rule):
    with pytest.raises(InputError) as caught:
        check_rule(rule, 3)
    assert f"rule {rule!r} is unknown. It must be '>=', 'mcut', 'argmax', or 'top-k:K' with K from 1 to 3" in str(
        caught.value
    )


@pytest.mark.parametrize("seed", range(20))
def test_counts_are_the_oracles(seed):
    problem = random_data(seed, n_items=7, n_labels=2, dtype="f8")
    values = np.array([0.25, np.inf if seed % 3 == 0 else 0.0])
    expected = recounted(problem, values)
    dense = as_source(problem.y_true, problem.y_score, sample_weight=problem.sample_weight)
    row, column = np.indices(problem.y_score.shape)
    scores = sparse.csr_array(
        (problem.y_score.ravel(), (row.ravel(), column.ravel())), shape=problem.y_score.shape
    )
    stored = as_source(problem.y_true, scores, sample_weight=problem.sample_weight)
    for source in (dense, stored):
        counts = count_decisions((source,), values)
        assert list(zip(*(part.tolist() for part in counts), strict=True)) == expected
        assert all(part.dtype == (np.int64 if problem.sample_weight is None else np.float64) for part in counts)


def test_counts_of_several_sources_add():
    first, second = as_source([[1], [0]], [[0.5], [0.7]]), as_source([[1], [1]], [[0.6], [0.2]])
    together = as_chunk_source([([[1], [0]], [[0.5], [0.7]]), ([[1], [1]], [[0.6], [0.2]])])
    for sources in ((first, second), (together,)):
        counts = count_decisions(sources, np.array([0.5]))
        assert [part.tolist() for part in counts] == [[2], [3], [3], [4]]


def test_scores_are_checked_on_request():
    source = as_source([[1]], [[np.nan]])
    with pytest.raises(InputError, match="y_score has NaN"):
        count_decisions((source,), np.array([0.5]))
    assert count_decisions((source,), np.array([0.5]), check=False).pp.tolist() == [0]


def test_mcut_over_the_whole_range_of_numbers():
    most = np.finfo(np.float64).max
    decisions = decide_rows(np.array([[-most, most, most / 2]]), np.zeros(3), "mcut")
    assert decisions.tolist() == [[False, True, True]]
