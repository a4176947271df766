"""Which detections to check, what the answers give, and precision at a score."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import limen
from limen.data import as_data
from limen.errors import InputError, LimenWarning, UnreadableError
from limen.files.checked import COLUMNS, is_checked, read_checked
from limen.guarantees import answers, needed, precision_at, to_check


def pool(n: int = 4000, seed: int = 0):
    """Calibrated probabilities of three labels, the last too hard to promise anything, and the truth."""
    rng = np.random.default_rng(seed)
    odds = rng.normal([-1, -2, -6], [4, 4, 1], (n, 3))
    p = 1 / (1 + np.exp(-odds))
    return rng.random((n, 3)) < p, p


def test_the_plan_checks_above_floors_that_are_in_reach() -> None:
    _, p = pool()
    plan = to_check(p, 400, labels=["a", "b", "hard"])
    assert len(plan.row) == 400
    assert plan.reached == ("a", "b")
    assert plan.floor[2] == np.inf
    assert (plan.needed[:2] >= needed(precision=0.9, n_labels=3)).all()
    assert (plan.checks >= plan.needed).all()
    above = np.array([one == "above" for one in plan.drawn])
    assert (plan.score[above] >= plan.floor[plan.label[above]]).all()
    assert (plan.score[~above] < plan.floor[plan.label[~above]]).all()
    assert np.array_equal(plan.score, p[plan.row, plan.label])
    assert len(set(zip(plan.row.tolist(), plan.label.tolist(), strict=True))) == 400
    for k in range(2):  # each stratum's weights add up to what it holds
        assert plan.weight[above & (plan.label == k)].sum() == pytest.approx(plan.pool[k])
    assert "enough for a precision of 90.0 % in 2 of 3 labels" in repr(plan)
    assert plan.rows()[0].keys() == dict.fromkeys(COLUMNS).keys()
    again = to_check(p, 400, labels=["a", "b", "hard"])
    assert again.rows() == plan.rows()


def test_more_checks_lower_the_floors_and_few_go_to_the_cheapest_label() -> None:
    _, p = pool()
    some, many = to_check(p, 300), to_check(p, 3000)
    assert (many.floor <= some.floor).all()
    assert (many.floor < some.floor).any()
    few = to_check(p, 20)
    assert (few.checks > 0).sum() == 1
    assert few.reached == ()


def test_answers_make_the_promise_and_weights_make_the_mean_right() -> None:
    truth, p = pool()
    plan = to_check(p, 3000)
    value = truth[plan.row, plan.label].astype(float)
    given = [plan.labels[k] for k in plan.label]
    alone = answers(given, plan.score, value, drawn=plan.drawn, labels=plan.labels, only="above")
    with pytest.warns(LimenWarning, match="no item says anything about it"):
        made = limen.guarantee(alone, precision=0.9)
    assert made.promise.labels == ("0", "1")
    assert made.promise.bound == "binomial"
    tags = p >= made.values
    assert ((tags & truth).sum(axis=0) >= 0.9 * tags.sum(axis=0)).all()
    assert (made.values[:2] >= plan.floor[:2]).all()
    whole = answers(given, plan.score, value, drawn=plan.drawn, weight=plan.weight, labels=plan.labels)
    counts = limen.Curves.from_source(whole.source)
    assert counts.n_known == pytest.approx(np.full(3, 4000.0), rel=1e-9)
    assert counts.n_positive[:2] == pytest.approx(truth.sum(axis=0)[:2], rel=0.15)
    value[:5] = np.nan
    assert answers(given, plan.score, value).n_items == len(plan.row) - 5
    with pytest.raises(InputError, match="no detection has an answer"):
        answers(given, plan.score, np.full(len(plan.row), np.nan))


def test_checks_so_far_tell_where_cuts_will_lie() -> None:
    truth, p = pool()
    wrong = p**0.3  # scores that are much too high
    plan = to_check(wrong, 600)
    value = truth[plan.row, plan.label].astype(float)
    checked = answers(
        [plan.labels[k] for k in plan.label], plan.score, value, weight=plan.weight, labels=plan.labels
    )
    again = to_check(wrong, 600, checked=checked)
    off = []
    for one in (plan, again):
        given = wrong[:, :2] >= one.floor[:2]
        off.append((given & truth[:, :2]).sum(axis=0) / given.sum(axis=0) - one.expected[:2])
    assert (off[0] < -0.05).all()
    assert (np.abs(off[1]) < np.abs(off[0]) / 2).all()
    with pytest.raises(InputError, match="neither probabilities nor logits"):
        to_check(1e4 * np.log(p / (1 - p)), 100)
    far = 1e4 * np.log(p / (1 - p))
    assert to_check(far, 100, checked=as_data(truth, far)).reached
    with pytest.raises(InputError, match="number=0"):
        to_check(p, 0)
    with pytest.raises(InputError, match="must lie between 0 and 1"):
        to_check(p, 10, precision=1.0)


def test_precision_at_is_that_of_one_detection_and_above_it_more_are_right() -> None:
    truth, p = pool(20_000)
    found = precision_at(truth, p, at=[0.9, 0.99])
    assert np.allclose(found.scores[:2, 0], 0.9, atol=0.03)
    assert found.scores[2, 0] == np.inf or found.scores[2, 0] > 0.5
    given = p[:, :2] >= found.scores[:2, 0]
    share = (given & truth[:, :2]).sum(axis=0) / given.sum(axis=0)
    assert np.allclose(found.above[:2, 0], share)
    assert (found.above[:2, 0] > 0.93).all()
    assert ((found.low <= found.above) & (found.above <= found.high))[:2].all()
    assert np.array_equal(found.given[:2, 0], given.sum(axis=0))
    assert len(found.table) == 6
    assert "p = 0.9, 0.99" in repr(found)
    with pytest.raises(InputError, match="no probabilities"):
        precision_at(truth, p, at=[90])


def test_precision_at_uses_the_weights_of_the_sampling() -> None:
    truth, p = pool(20_000)
    chance = np.where(p[:, 0] > 0.5, 1.0, 0.2)
    rows = np.random.default_rng(1).random(20_000) < chance
    found = precision_at(truth[rows], p[rows], at=[0.9], sample_weight=1 / chance[rows])
    assert found.scores[0, 0] == pytest.approx(0.9, abs=0.03)
    low, high = 100 * found.low[1, 0], 100 * found.high[1, 0]
    assert low < 100 * found.above[1, 0] < high


def test_labels_with_few_checks_lean_on_the_others() -> None:
    truth, p = pool(3000)
    mask = np.ones(truth.shape, bool)
    mask[10:, 1] = False
    found = precision_at(truth, p, at=[0.9], mask=mask)
    assert 0.75 < found.scores[1, 0] < 0.98 or found.scores[1, 0] == np.inf


def test_files_of_checks_are_read_strictly(tmp_path) -> None:
    truth, p = pool()
    plan = to_check(p, 50, labels=["=a", "b", "c"])
    path = tmp_path / "to_check.csv"

    def write(rows) -> None:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)

    rows = [{**row, "value": "yes" if truth[i, k] else "0"} for row, i, k in
            zip(plan.rows(), plan.row, plan.label, strict=True)]  # fmt: skip
    write(rows)
    assert is_checked(str(path))
    assert not is_checked(str(tmp_path / "none.csv"))
    read = read_checked(str(path))
    assert read["value"] == truth[plan.row, plan.label].astype(float).tolist()
    assert read["score"] == plan.score.tolist()
    write([{**rows[0], "value": "maybe"}])
    with pytest.raises(InputError, match="has the answers 'maybe'"):
        read_checked(str(path))
    write([{**rows[0], "weight": "heavy"}])
    with pytest.raises(InputError, match="must stay as they were written"):
        read_checked(str(path))
    path.write_text(",".join(COLUMNS) + "\nx,y\n")
    with pytest.raises(InputError, match="first: line 2"):
        read_checked(str(path))
    with pytest.raises(UnreadableError, match="cannot read"):
        read_checked(str(tmp_path / "none.csv"))


def test_a_file_that_is_not_of_checked_detections_is_said(tmp_path) -> None:
    from limen.files.checked import read_checked

    for name, content in (("scores.csv", b"id,Cat\n1,0.5\n"), ("scores.npy", b"\x93NUMPY\xff"), ("none.csv", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="is no file of checked detections: its first line must be"):
            read_checked(str(tmp_path / name))
