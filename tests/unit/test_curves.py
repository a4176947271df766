"""Curves and their candidates: what the oracle tests of tests/property do not ask."""

from __future__ import annotations

import numpy as np
import pytest

from limen.curves import Curves, at_or_above, halfway
from limen.errors import InputError, MergeError
from limen.sources.candidates import Candidates
from limen.sources.door import as_source

Y_TRUE = [[0, 1], [1, 0], [0, 0], [1, 0]]
Y_SCORE = [[0.9, 0.5], [0.8, 0.5], [0.3, 0.25], [0.25, 0.125]]


def curves(**options):
    return Curves.from_arrays(Y_TRUE, Y_SCORE, **options)


def candidates(cuts, labels=("a",), dtype=float):
    return Candidates.shared(tuple(labels), np.dtype(dtype), np.array(cuts, float))


def test_the_tie_rule():
    scores = np.array([[0.5, 0.0, 3.0], [np.nextafter(0.5, 0), -0.0, -3.0]])
    kept = at_or_above(scores, np.array([0.5, 0.0, np.inf]))
    assert kept.tolist() == [[True, True, False], [False, True, False]]
    assert kept.dtype == bool


def test_a_small_case_by_hand():
    found = curves()
    assert found.offsets.tolist() == [0, 3, 5]
    assert found.candidates.cuts.tolist() == [np.inf, 0.8, 0.25, np.inf, 0.5]
    assert found.tp.tolist() == [0, 1, 2, 0, 1]
    assert found.fp.tolist() == [0, 1, 2, 0, 1]
    assert found.pp.tolist() == [0, 2, 4, 0, 2]
    assert found.beneath.tolist() == [0.9, 0.3, -np.inf, 0.5, 0.25]
    assert found.label_of.tolist() == [0, 0, 0, 1, 1]
    assert (found.n_positive.tolist(), found.n_known.tolist(), found.n_items) == ([2, 1], [4, 4], 4)
    assert (found.labels, found.n_labels, found.dtype) == (("0", "1"), 2, np.float64)
    index = np.array([1, 4])
    assert found.thresholds(index).tolist() == [0.55, 0.375]
    assert found.thresholds(index, "score").tolist() == [0.8, 0.5]
    assert found.thresholds(np.array([0, 3])).tolist() == [np.inf, np.inf]


@pytest.mark.parametrize("n_labels", [1, 3, 1 << 16, (1 << 16) + 1])
def test_candidates_fall_within_each_label(n_labels):
    rng = np.random.default_rng(0)
    label = rng.permutation(np.append(rng.integers(0, n_labels, 500), [0, n_labels - 1] * 40))
    scores = rng.choice([-0.0, 0.0, 0.25, 0.5, np.nextafter(0.5, 1), -3.0], len(label))
    found = Candidates.distinct(tuple(map(str, range(n_labels))), np.dtype(float), label, scores)
    assert len(found.offsets) == n_labels + 1
    for k in {*label.tolist(), n_labels // 2}:
        own = found.cuts[found.offsets[k] : found.offsets[k + 1]]
        assert own.tolist() == [np.inf, *sorted(set((scores[label == k] + 0).tolist()), reverse=True)]
    assert not np.signbit(found.cuts[found.cuts == 0]).any()


def test_an_unknown_placement():
    with pytest.raises(InputError, match=r"placement='mid' is unknown\. Use 'midpoint' or 'score'\."):
        curves().thresholds(np.array([0, 3]), "mid")


@pytest.mark.parametrize(
    ("kept", "below", "middle"),
    [
        (0.5, 0.25, 0.375),
        (0.5, -np.inf, 0.5),
        (np.inf, 0.5, np.inf),
        (5e-324, 0.0, 5e-324),
        (0.0, -5e-324, 0.0),
        (1.7e308, -1.7e308, 0.0),
        (2.0**1023, 2.0**1022, 1.5 * 2.0**1022),
    ],
)
def test_halfway(kept, below, middle):
    assert halfway(kept, below, np.dtype(float)) == middle


def test_halfway_is_found_in_the_dtype_of_the_scores():
    kept, below = np.float16(1.0), np.nextafter(np.float16(1.0), np.float16(0))
    assert halfway(kept, below, np.dtype(np.float16)) == kept
    assert below < halfway(kept, below, np.dtype(np.float32)) < kept


def test_labels_without_positives_are_named():
    found = Curves.from_arrays([[0, 1, np.nan]], [[0.5, 0.5, 0.5]], labels=["dog", "cat", "bird"])
    assert found.without_positives == ("dog", "bird")
    assert (
        repr(found) == "Curves(1 item, 3 labels, 4 candidates, float64 scores, without positives: 'dog', 'bird')"
    )
    assert "without" not in repr(curves())


def test_the_digest_tells_data_apart():
    found = curves()
    assert found.digest() == curves().digest()
    assert found.digest().startswith("sha256:")
    others = [
        Curves.from_arrays(Y_TRUE, np.array(Y_SCORE) + 1),
        Curves.from_arrays(np.roll(Y_TRUE, 1, axis=0), Y_SCORE),
        Curves.from_arrays(Y_TRUE, Y_SCORE, labels=["a", "b"]),
        Curves.from_arrays(Y_TRUE, np.float32(Y_SCORE)),
        Curves.from_arrays(Y_TRUE, Y_SCORE, sample_weight=[1, 1, 1, 2]),
        Curves.from_arrays([*Y_TRUE, [0, 0]], [*Y_SCORE, [0, 0]]),
    ]
    assert len({found.digest(), *(other.digest() for other in others)}) == 7
    assert all(found != other for other in others)


def test_both_zeros_are_one_score():
    """The same cuts whichever zero comes first, so the same digest."""
    first, second = (Curves.from_arrays([[1], [1]], scores) for scores in ([[0.0], [-0.0]], [[-0.0], [0.0]]))
    assert first.candidates.cuts.tolist() == [np.inf, 0]
    assert first == second
    assert first.digest() == second.digest()


def test_candidates_are_distinct_and_fall():
    found = candidates([0.5, 0.25, 0.5], labels=("a", "b"))
    assert found.cuts.tolist() == [np.inf, 0.5, 0.25] * 2
    assert found.offsets.tolist() == [0, 3, 6]
    assert candidates([]).cuts.tolist() == [np.inf]


def test_candidates_unite():
    both = candidates([0.5]) | candidates([0.75, 0.5])
    assert both == candidates([0.75, 0.5])
    assert both != candidates([0.75])
    assert both != candidates([0.75, 0.5], labels=("b",))
    assert both != 1
    with pytest.raises(TypeError):
        hash(both)
    with pytest.raises(
        MergeError, match=r"1 labels of float64 scores against 1 of float32\. Labels, their order and"
    ):
        candidates([0.5]) | candidates([0.5], dtype=np.float32)


def test_curves_cannot_be_hashed():
    with pytest.raises(TypeError):
        hash(curves())


def test_counting_at_given_candidates():
    grid = Candidates.shared(("0", "1"), np.dtype(float), np.array([0.85, 0.3]))
    found = curves(candidates=grid)
    assert found.tp.tolist() == [0, 0, 1, 0, 0, 1]
    assert found.fp.tolist() == [0, 1, 2, 0, 0, 1]
    assert found.beneath.tolist() == [0.9, 0.8, 0.25, 0.5, 0.5, 0.25]
    assert found.thresholds(np.array([1, 5])).tolist() == [0.825, 0.275]


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        (candidates([0.5]), "candidates are for 1 labels of float64 scores, the data have 2 of float64"),
        (candidates([0.5], labels=("0", "1"), dtype=np.float32), "2 labels of float32 scores"),
        (candidates([0.5], labels=("1", "0")), "Labels, their order and the dtype must agree"),
    ],
)
def test_candidates_of_another_problem(grid, words):
    with pytest.raises(InputError) as caught:
        curves(candidates=grid)
    assert words in str(caught.value)


def test_scores_are_checked_at_given_candidates_too():
    grid = candidates([0.5])
    with pytest.raises(InputError, match="y_score has NaN"):
        Curves.from_arrays([[1]], [[np.nan]], labels=["a"], candidates=grid)


def test_pickled_curves_leave_their_data_behind():
    import pickle

    found = curves()
    again = pickle.loads(pickle.dumps(found))
    assert again == found
    assert len(found.sources) == 1
    assert again.sources == ()


def test_curves_keep_no_copy_of_the_scores():
    y_score = np.array(Y_SCORE)
    source = as_source(Y_TRUE, y_score)
    assert np.shares_memory(source.scores, y_score)
    assert np.shares_memory(next(source.blocks()).scores, y_score)
