"""Parts of data: what is rare is shared out, groups stay whole, and a hash depends on nothing else."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from limen.errors import InputError
from limen.folds import _in_turn, as_groups, deal, fold_parts, hashed, outside, splits
from limen.sources.door import as_source
from strategies import PATIENT


def of(truth, **options):
    """Return a source of labels, whose scores don't matter."""
    return as_source(truth, np.zeros(truth.shape), **options)


@PATIENT
@given(st.data())
def test_dealing_shares_out_what_is_rare(data):
    n_items, n_labels = data.draw(st.integers(2, 30)), data.draw(st.integers(1, 4))
    truth = np.array(
        data.draw(
            st.lists(
                st.lists(st.integers(0, 1), min_size=n_labels, max_size=n_labels),
                min_size=n_items,
                max_size=n_items,
            )
        )
    )
    folds = data.draw(st.integers(2, min(5, n_items)))
    seed = data.draw(st.integers(0, 3))
    fold = deal(of(truth), [1 / folds] * folds, None, seed)
    np.testing.assert_array_equal(fold, deal(of(sparse.csr_array(truth)), [1 / folds] * folds, None, seed))
    assert set(fold.tolist()) <= set(range(folds))
    for label in truth.T:
        rarer = min((label == 1, label == 0), key=np.sum)
        if n_labels == 1:
            held = np.bincount(fold[rarer], minlength=folds)
            assert held.max() - held.min() <= 1
            assert np.ptp(np.bincount(fold, minlength=folds)) <= 1
        if rarer.sum() == 1 or n_labels > 1:
            continue
        assert all(rarer[fold != k].any() for k in range(folds)) or not rarer.any()


@PATIENT
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 1)), min_size=2, max_size=30), st.integers(2, 4))
def test_dealing_divides_no_group(items, folds):
    groups, truth = np.array(items).T
    member = np.unique(groups, return_inverse=True)[1]
    fold = deal(of(truth[:, np.newaxis]), [1 / folds] * folds, member, 0)
    for one in range(member.max() + 1):
        assert len(set(fold[member == one].tolist())) == 1


@PATIENT
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=3, max_size=40), st.integers(2, 4))
def test_groups_of_one_item_are_dealt_as_items(rows, folds):
    """By the merged turns, and one after the other: a group of two among them takes the second way."""
    truth = np.array(rows)
    alone = deal(of(truth), [1 / folds] * folds, None, 0)
    np.testing.assert_array_equal(alone, deal(of(truth), [1 / folds] * folds, np.arange(len(truth)), 0))
    held, size = np.ones(len(truth), np.int64), np.ones(len(truth), np.int64)
    wanted, room = np.linspace(3, 0, folds), np.linspace(1, 9, folds)
    in_one = _in_turn(held, size, wanted, room)
    one_more = _in_turn(np.append(held, 2), np.append(size, 2), wanted, room)
    np.testing.assert_array_equal(in_one, one_more[:-1])


def test_rare_labels_of_many_are_in_every_fold():
    rng = np.random.default_rng(0)
    truth = (rng.random((400, 40)) < rng.uniform(0.02, 0.5, 40)).astype(int)
    fold = deal(of(truth), [0.2] * 5, None, 0)
    held = np.array([truth[fold == k].sum(axis=0) for k in range(5)])
    assert (held[:, truth.sum(axis=0) >= 5] > 0).all()
    assert np.ptp(np.bincount(fold)) <= 40
    random = np.arange(400) % 5
    by_chance = np.array([truth[random == k].sum(axis=0) for k in range(5)])
    assert np.ptp(held, axis=0).mean() < 0.75 * np.ptp(by_chance, axis=0).mean()


def test_unknown_labels_and_weights_do_not_count():
    """A label's rarer value is that of the items that are known, each of them one."""
    rng = np.random.default_rng(0)
    truth = (rng.random((60, 2)) < 0.3).astype(float)
    hidden = rng.random(truth.shape) < 0.2
    unknown = np.where(hidden, np.nan, truth)
    by_nan, by_mask = of(unknown), of(truth, mask=~hidden)
    dealt = deal(by_nan, [0.5, 0.5], None, 0)
    np.testing.assert_array_equal(dealt, deal(by_mask, [0.5, 0.5], None, 0))
    np.testing.assert_array_equal(dealt, deal(of(unknown, sample_weight=rng.random(60)), [0.5, 0.5], None, 0))
    known = unknown[:, 1] == 1
    assert abs(int(known[dealt == 0].sum()) - int(known[dealt == 1].sum())) <= 1


def test_a_share_to_hold_out():
    truth = (np.random.default_rng(1).random((150, 4)) < [0.1, 0.3, 0.5, 0.8]).astype(int)
    ((fit, held_out),) = splits(0.3, of(truth), None, 0)
    assert len(held_out) == 45
    np.testing.assert_array_equal(outside(held_out, 150), fit)
    np.testing.assert_allclose(truth[held_out].mean(axis=0), truth.mean(axis=0), atol=0.02)


def test_folds_are_pairs_that_hold_out_every_item_once():
    source, groups = of(np.eye(6)[:, :2]), np.array([0, 0, 1, 1, 2, 2])
    for member, number in ((None, 4), (groups, 3)):
        pairs = splits(number, source, member, 0)
        assert sorted(np.concatenate([measured for _, measured in pairs])) == list(range(6))
        for others, measured in pairs:
            np.testing.assert_array_equal(outside(measured, 6, member), others)


def test_what_is_given_may_not_divide_groups():
    source, groups = of(np.eye(4)[:, :1]), np.array([0, 0, 1, 1])
    assert len(splits([([0, 1], [2, 3])], source, groups, 0)) == 1
    with pytest.raises(InputError, match="cv has items of the same group in both parts of a pair"):
        splits([([0, 2], [3])], source, groups, 0)
    assert splits([([0, 0], [1])], source, None, 0, copies=True)[0][0].tolist() == [0, 0]


class TestHashed:
    def test_by_hand(self):
        assert hashed(["clip"], 11, 7).tolist() == [int(hashlib.md5(b"7:clip").hexdigest()[:8], 16) % 11]

    def test_it_depends_on_the_id_alone(self):
        ids = [f"clip {k}" for k in range(500)]
        whole = hashed(ids, 5)
        np.testing.assert_array_equal(
            np.concatenate([hashed(ids[400:], 5), hashed(ids[:400], 5)])[100:], whole[:400]
        )
        np.testing.assert_array_equal(hashed(np.array(ids), 5), whole)
        np.testing.assert_array_equal(hashed([3, 14], 5), hashed(["3", "14"], 5))
        assert (hashed(ids, 5, random_state=1) != whole).mean() == pytest.approx(0.8, abs=0.06)
        assert np.bincount(whole) == pytest.approx(100, abs=35)

    def test_parts_of_it(self):
        fold = hashed("abcdefgh", 3)
        parts = fold_parts(fold)
        assert sorted(np.concatenate(parts)) == list(range(8))
        assert all(len(set(fold[part])) == 1 for part in parts)


def test_groups_are_numbered():
    assert as_groups(["b", "a", "b"], 3).tolist() == [1, 0, 1]
    assert as_groups(None, 3) is None
    for groups, words in ((["a"], "groups has shape"), (["a"] * 3, "one group"), ([1, "a", None], "mixes kinds")):
        with pytest.raises(InputError, match=words):
            as_groups(np.array(groups, object), 3)
