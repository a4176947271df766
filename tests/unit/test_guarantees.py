"""Promises: exact tails, walks against a plain twin, and what is said where nothing can be promised."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import comb

import numpy as np
import pytest
from scipy.sparse import csr_array

import limen
from limen.data import as_data
from limen.errors import InputError, LimenWarning, UnsupportedError
from limen.guarantees import betting, needed
from limen.guarantees.binomial import starts, tails
from limen.promises import Promise, held


def exact_tail(k: int, n: int, share: Fraction) -> Fraction:
    return sum((comb(n, j) * share**j * (1 - share) ** (n - j) for j in range(max(k, 0), n + 1)), Fraction(0))


@pytest.mark.parametrize("share", [Fraction(1, 10), Fraction(1, 2), Fraction(9, 10), Fraction(99, 100)])
def test_tails_are_those_of_exact_fractions(share: Fraction) -> None:
    for n in (1, 2, 7, 40, 300):
        k = np.arange(n + 2)
        found = tails(k, np.full(n + 2, n), float(share))
        exact = np.array([float(exact_tail(int(one), n, share)) for one in k])
        np.testing.assert_allclose(found, exact, rtol=1e-8, atol=1e-300)
        assert (found >= exact * (1 - 1e-15)).all()  # never too hopeful


def twin_walk(score, truth, share: float, level: float, n_most: int):
    """Return the proven cuts (their distinct scores) of one label by the definition, in plain Python."""
    ranks, parts = starts(share, level, n_most)
    # Items by falling score; in a tie the negatives first, which is what a start inside a tie must bear.
    order = sorted(range(len(score)), key=lambda i: (-score[i], truth[i]))
    ends = [m for m in range(1, len(order) + 1) if m == len(order) or score[order[m]] < score[order[m - 1]]]

    def p(m: int) -> float:
        right = sum(int(truth[i]) for i in order[:m])
        return float(exact_tail(right, m, Fraction(share)))

    begins = dict(zip(ranks.tolist(), parts.tolist(), strict=True))
    walking, kept = 0.0, set()
    for m in range(1, len(order) + 1):
        lone = not truth[order[m - 1]] and score[order[m - 1]] not in set(score[truth])
        if m in begins and lone and p(m - 1) > walking:
            walking = 0.0
        if m in begins and p(m) <= level * begins[m]:
            walking += level * begins[m]
        if m in ends and walking > 0:
            walking = 0.0 if p(m) > walking else walking
            if walking > 0:
                kept.add(float(score[order[m - 1]]))
    return kept


@pytest.mark.parametrize("levels", [3, 8, 1000])
def test_lowest_proven_cut_is_that_of_a_plain_twin(levels: int) -> None:
    rng = np.random.default_rng(levels)
    some = 0
    for _ in range(30):
        n = int(rng.integers(1, 70))
        score = rng.integers(levels, size=n) / levels
        truth = rng.random(n) < 0.25 + 0.75 * score
        kept = twin_walk(score, truth, 0.5, 0.2, n)
        kept &= {float(s) for s in score[truth]}  # a cut at a negative alone keeps no more
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("warnings.warn", lambda *_, **__: None)
            made = limen.guarantee(
                truth[:, None], score[:, None], precision=0.5, confidence=0.8, placement="score"
            )
        assert made.values[0] == (min(kept) if kept else np.inf)
        some += bool(kept)
    assert some > 2


def monotone_twin(score, truth, kind: str, share: float, level: float) -> float | None:
    """Return the best proven cut at a positive's score by trying all, in exact fractions."""
    of = [s for s, y in zip(score, truth, strict=True) if bool(y) == (kind == "recall")]
    proven = []
    for cut in sorted({s for s, y in zip(score, truth, strict=True) if y}):
        given = sum(s >= cut for s in of)
        right = given if kind == "recall" else len(of) - given
        if exact_tail(right, len(of), Fraction(share if kind == "recall" else 1 - share)) <= level:
            proven.append(cut)
    if not proven:
        return None
    return max(proven) if kind == "recall" else min(proven)


@pytest.mark.parametrize("kind", ["recall", "false_positive_rate"])
def test_recall_and_false_positive_rate_are_those_of_brute_force(kind: str) -> None:
    rng = np.random.default_rng(4)
    found, strictest = 0, {"name": "cost", "fp": 1, "fn": 0} if kind == "recall" else "recall"
    for _ in range(80):
        n = int(rng.integers(1, 60))
        score = rng.integers(12, size=n) / 12
        truth = rng.random(n) < score
        best = monotone_twin(score, truth, kind, 0.5, 0.13)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("warnings.warn", lambda *_, **__: None)
            made = limen.guarantee(
                truth[:, None], score[:, None], confidence=0.87, placement="score", metric=strictest, **{kind: 0.5}
            )
        assert made.values[0] == (np.inf if best is None else best)
        found += best is not None
    assert found > 20


def owls(n: int = 3000, n_labels: int = 3, seed: int = 0):
    rng = np.random.default_rng(seed)
    truth = rng.random((n, n_labels)) < np.linspace(0.1, 0.4, n_labels)
    return truth, rng.normal(2.5 * truth)


def test_a_threshold_may_lie_anywhere_down_to_the_next_score() -> None:
    truth, score = owls()
    middle, exact = (limen.guarantee(truth, score, precision=0.9, placement=one) for one in ("midpoint", "score"))
    assert (middle.values <= exact.values).all()
    assert [c.tolist() for c in middle.counts] == [c.tolist() for c in exact.counts]


@pytest.mark.parametrize("kind", ["precision", "recall", "false_positive_rate"])
def test_more_confidence_and_more_asked_cost(kind: str) -> None:
    truth, score = owls(6000)
    sign = -1 if kind == "recall" else 1
    shares = [0.2, 0.1, 0.05] if kind == "false_positive_rate" else [0.7, 0.8, 0.9]
    for many in (
        [limen.guarantee(truth, score, **{kind: share}) for share in shares],
        [limen.guarantee(truth, score, **{kind: shares[1]}, confidence=c) for c in (0.8, 0.95, 0.9999)],
    ):
        assert all((sign * a.values <= sign * b.values).all() for a, b in pairwise(many))


def test_corrections_are_ordered_and_shares_shift_the_error() -> None:
    truth, score = owls()
    none, holm, bonferroni = (
        limen.guarantee(truth, score, precision=0.9, correction=one) for one in ("none", "holm", "bonferroni")
    )
    assert (none.values <= holm.values).all()
    assert (holm.values <= bonferroni.values).all()
    assert (none.values < bonferroni.values).any()
    first = limen.guarantee(truth, score, precision=0.9, correction={"0": 1000.0})
    assert first.values[0] <= holm.values[0]
    assert first.values[1] >= holm.values[1]


def test_labels_that_keep_the_promise_at_every_cut_hand_on_their_error() -> None:
    truth, score = owls()
    sure = np.column_stack([truth, np.ones(len(truth), bool), np.ones(len(truth), bool)])
    scores = np.column_stack([score, score[:, :2]])
    holm, bonferroni = (
        limen.guarantee(sure, scores, precision=0.9, correction=one) for one in ("holm", "bonferroni")
    )
    alone = limen.guarantee(truth, score, precision=0.9)
    assert (holm.values[:3] <= bonferroni.values[:3]).all()
    assert np.allclose(holm.values[:3], alone.values, atol=0.1)


def test_two_promises_are_kept_at_once() -> None:
    truth, score = owls(4000)
    made = limen.guarantee(truth, score, precision=0.6, recall=0.6)
    assert set(made.promise.asked) == {"precision", "recall"}
    one = limen.guarantee(truth, score, precision=0.6, confidence=0.975)
    other = limen.guarantee(truth, score, recall=0.6, confidence=0.975)
    assert ((one.values <= made.values) & (made.values <= other.values)).all()


def test_edges_of_labels() -> None:
    rng = np.random.default_rng(0)
    n = 400
    truth = np.column_stack([np.zeros(n), np.ones(n), rng.random(n) < 0.5, np.full(n, np.nan)])
    score = rng.random((n, 4))
    with pytest.warns(LimenWarning, match="nothing can be promised of 3 labels") as caught:
        made = limen.guarantee(truth, score, precision=0.9, labels=["none", "all", "chance", "unknown"])
    assert len(caught) == 1
    assert made.never == ("none", "chance", "unknown")
    assert made.promise.labels == ("all",)
    assert made.values[1] <= score[:, 1].min()
    why = made.details["not_promised"]
    assert why["none"] == "no positive among its items: it must be found first"
    assert why["unknown"] == "no item says anything about it"
    with pytest.warns(LimenWarning):
        one = limen.guarantee([[1]], [[0.5]], precision=0.9)
    assert one.status == "infeasible"
    assert one.promise.said().startswith("nothing: no thresholds keep a precision of at least 90.0 %")


def test_what_would_do_is_said() -> None:
    truth, score = owls(200, 1)
    p = int(truth.sum())
    with pytest.warns(LimenWarning, match=f"{p} positives; {59 - p} more would do"):
        limen.guarantee(truth, score, recall=0.95)
    with pytest.raises(InputError, match="infeasible='never'"):
        limen.guarantee(truth, score, recall=0.95, infeasible="refuse")


def test_needed_is_the_fewest() -> None:
    for share in (0.8, 0.95):
        n = needed(recall=share)
        assert exact_tail(n, n, Fraction(share)) <= Fraction(1, 20) < exact_tail(n - 1, n - 1, Fraction(share))
    assert needed(precision=0.9, n_labels=100) > needed(precision=0.9)
    assert needed(recall=0.9, seen=0.95) > needed(recall=0.9)
    with pytest.raises(InputError, match="not better than the promise"):
        needed(recall=0.9, seen=0.9)
    with pytest.raises(InputError, match="got 2 promises"):
        needed(recall=0.9, precision=0.9)


def test_masked_and_unlabelled_items_change_nothing() -> None:
    truth, score = owls()
    more = np.vstack([truth.astype(float), np.full((50, 3), np.nan)])
    known = np.arange(len(more))[:, None].repeat(3, 1) < len(truth)
    scores = np.vstack([score, np.random.default_rng(1).normal(size=(50, 3))])
    made, same = limen.guarantee(truth, score, precision=0.9), limen.guarantee(more, scores, precision=0.9)
    assert [c.tolist() for c in made.counts] == [c.tolist() for c in same.counts]
    masked = limen.guarantee(np.nan_to_num(more), scores, precision=0.9, mask=known)
    assert masked.values.tolist() == same.values.tolist()


@pytest.mark.parametrize("kind", ["precision", "recall", "false_positive_rate"])
def test_bets_are_those_of_a_plain_twin(kind: str) -> None:
    rng = np.random.default_rng(3)
    score, weight, groups = rng.integers(9, size=(90, 2)) / 9, rng.choice([0.0, 1.0, 2.5], 90), np.arange(90) // 3
    truth = np.where(rng.random((90, 2)) < 0.1, np.nan, rng.random((90, 2)) < score)
    data = as_data(truth, score, sample_weight=weight, groups=groups)
    parts, share = betting.dealt(data, 0.3, 0), 0.6
    for k, found in enumerate(betting.tested_all(betting.columns_of(data), parts, kind, share)):
        assert len(found.cuts) > 2
        for cut, log, largest in zip(found.cuts, found.logs, found.largest, strict=True):
            seen: list[list[tuple[float, float]]] = []
            for part in parts:
                outcomes = []
                for unit in range(part.number):
                    own = np.flatnonzero((part.unit == unit) & ~np.isnan(truth[:, k]))
                    of = {y: weight[own][truth[own, k] == y].sum() for y in (0, 1)}
                    given = {y: weight[own][(truth[own, k] == y) & (score[own, k] >= cut)].sum() for y in (0, 1)}
                    outcomes.append({
                        "precision": ((1 - share) * given[1] - share * given[0], given[0] + given[1]),
                        "recall": (given[1] - share * of[1], of[1]),
                        "false_positive_rate": (share * of[0] - given[0], of[0]),
                    }[kind])  # fmt: skip
                seen.append(outcomes)
            moments = [sum(x for x, _ in seen[0]), sum(x * x for x, _ in seen[0]), sum(m for _, m in seen[0]),
                       max(m for _, m in seen[0]), sum(m > 0 for _, m in seen[0])]  # fmt: skip
            stakes, *_ = betting.stakes_of(kind, share, np.array([moments]), parts[0].number)
            grown = [np.prod([1 + b * x * min(1, largest / m) for x, m in seen[1] if m]) for b in stakes[0]]
            assert largest == moments[3]
            np.testing.assert_allclose(log, np.log(np.mean(grown)), rtol=1e-9, atol=1e-12)


def test_each_label_says_what_counts_whole_and_one_unseen_in_the_fitted_part_is_told_of(tmp_path) -> None:
    truth, score = owls(4000)
    groups = np.arange(4000) // 4
    last = betting.dealt(as_data(truth, score, groups=groups), 0.3, 0)[1].unit.argmax()
    truth[:, 0] = np.arange(4000) == last
    with pytest.warns(LimenWarning, match="0: 1 positive, none of them in the part that chooses"):
        made = limen.guarantee(truth, score, precision=0.8, groups=groups)
    assert made.promise.labels == ("1", "2")
    assert [0 < size <= 4 for size in made.promise.largest["precision"]] == [True, True]
    assert "tags" in made.promise.basis()
    made.save(tmp_path / "t.json")
    assert limen.Thresholds.load(tmp_path / "t.json") == made
    with pytest.raises(InputError, match="no promise can be"):
        Promise.from_dict({**made.promise.to_dict(), "largest": {"precision": [4.0]}}, made.labels)
    pooled = limen.guarantee(truth, score, precision=0.8, groups=groups, per="all")
    assert len(pooled.promise.largest["precision"]) == 1
    assert "groups with more than" in pooled.promise.basis()


@pytest.mark.parametrize("how", ["groups", "sample_weight"])
@pytest.mark.parametrize("asked", [{"precision": 0.8}, {"recall": 0.8}, {"false_positive_rate": 0.1}])
def test_bets_need_more_than_exact_tails_and_keep_the_promise(how: str, asked: dict[str, float]) -> None:
    truth, score = owls(4000)
    given = np.arange(4000) // 4 if how == "groups" else np.ones(4000)
    made = limen.guarantee(truth, score, **asked, **{how: given})
    assert made.promise.bound == "betting"
    assert len(made.promise.labels) == 3
    assert not any(one.below for one in made.promise.measure(made.labels, made.counts))
    again = limen.guarantee(truth, score, **asked, **{how: given})
    assert again.values.tolist() == made.values.tolist()


def test_groups_that_repeat_one_item_prove_no_more_than_it() -> None:
    truth, score = owls(300, 1)
    with pytest.warns(LimenWarning):
        made = limen.guarantee(
            np.repeat(truth, 20, axis=0), np.repeat(score, 20, axis=0), precision=0.9, confidence=0.999999,
            groups=np.repeat(np.arange(300), 20),
        )  # fmt: skip
    assert made.status == "infeasible"
    assert limen.guarantee(
        np.repeat(truth, 20, axis=0), np.repeat(score, 20, axis=0), precision=0.9, confidence=0.999999
    ).promise.labels == ("0",)


@pytest.mark.parametrize("asked", [{"precision": 0.8}, {"recall": 0.8}, {"false_positive_rate": 0.1}])
def test_pooled_promise_is_for_the_tags_of_all_labels(asked: dict[str, float]) -> None:
    truth, score = owls(2000, 6)
    made = limen.guarantee(truth, score, per="all", **asked)
    ((one,),) = [made.promise.measure(made.labels, made.counts)]
    assert one.label == "all labels"
    assert not one.below
    assert made.promise.labels == made.labels
    grouped = limen.guarantee(truth, score, per="all", groups=np.arange(2000) // 4, **asked)
    assert grouped.promise.units == "groups"


def test_a_pooled_promise_that_cannot_be_made_says_how_near_it_came_or_is_refused() -> None:
    truth, score = owls(200)
    with pytest.warns(LimenWarning, match=r"tags of all labels together.*best vector tested has a precision of"):
        made = limen.guarantee(truth, score, precision=0.999, per="all")
    assert made.status == "infeasible"
    with pytest.raises(InputError, match=r"of all labels together.*Ask for less, check more items"):
        limen.guarantee(truth, score, precision=0.999, per="all", infeasible="refuse")


def test_odd_labels_are_told_of_in_plain_words() -> None:
    truth, score = owls(200, 2)
    said = {}
    for key, y, s, given in (
        ("no weight", truth[:6], score[:6], {"precision": 0.8, "sample_weight": [0.0, 1, 2, 0, 1, 2]}),
        ("no positive", 0 * truth, score, {"false_positive_rate": 0.1}),
        ("one score", truth, 0 * score, {"false_positive_rate": 0.1}),
    ):
        with pytest.warns(LimenWarning) as told:
            said[key] = limen.guarantee(y, s, **given).details["not_promised"]["0"]
        assert len(told) == 1
    assert said["no positive"] == "no positive among its items: it must be found first"
    assert said["one score"] == "no cut keeps a false-positive rate of 10.0 % with this confidence"


def test_expectation_is_conformal_risk_control() -> None:
    truth, score = owls(400, 1)
    made = limen.guarantee(truth, score, recall=0.9, confidence=None, placement="score")
    positive = np.sort(score[truth])
    # of p + 1 exchangeable positives at most a tenth may lie below the cut
    assert made.values[0] == positive[int(np.floor(0.1 * (len(positive) + 1))) - 1]
    assert made.promise.said() == "recall of at least 90.0 % for each of 1 label, in expectation"
    limen.guarantee(truth, score, recall=0.9, confidence=None, per="all")
    with pytest.raises(UnsupportedError, match="precision need not fall"):
        limen.guarantee(truth, score, precision=0.9, confidence=None)


def test_the_promise_is_kept_in_the_file_and_checked_by_evaluate(tmp_path) -> None:
    truth, score = owls(3000)
    made = limen.guarantee(truth, score, precision=0.8, labels=["a", "b", "c"])
    made.save(tmp_path / "t.json")
    assert limen.Thresholds.load(tmp_path / "t.json") == made
    new = owls(3000, seed=1)
    found = limen.evaluate(*new, made)
    assert len(found.promised) == 3
    assert "the promise held on these items" in found.summary()
    wrong = limen.evaluate(~new[0], new[1], made)
    assert "the promise held in 0 of 3 shares" in wrong.summary()
    content = made.promise.to_dict()
    for key, value in (("per", "some"), ("labels", ["z"]), ("asked", {}), ("confidence", 2.0), ("n_items", -1)):
        with pytest.raises(InputError, match="no promise can be"):
            Promise.from_dict({**content, key: value}, made.labels)
    with pytest.raises(InputError, match="exactly"):
        Promise.from_dict({}, made.labels)
    assert held([]).startswith("the promise could not be checked")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "nothing is asked for"),
        ({"precision": 1.0}, "cannot be promised"),
        ({"precision": 0.9, "per": "each"}, "per='each' is unknown"),
        ({"precision": 0.9, "confidence": 95}, "confidence=95 is not usable"),
        ({"precision": 0.9, "correction": "fdr"}, "correction='fdr' is unknown"),
        ({"precision": 0.9, "correction": {"Owl": 2.0}}, "correction names 'Owl'"),
        ({"precision": 0.9, "infeasible": "skip"}, "infeasible='skip' is unknown"),
    ],
)
def test_wrong_arguments_are_said(wrong: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        limen.guarantee(*owls(50), **wrong)
    with pytest.raises(InputError, match="Give them, not curves"):
        limen.guarantee(limen.Curves.from_arrays(*owls(50)), precision=0.9)


def test_inputs_are_unchanged() -> None:
    truth, score = owls()
    before = truth.copy(), score.copy()
    limen.guarantee(truth, score, precision=0.7)
    limen.guarantee(truth, score, precision=0.7, groups=np.arange(3000) // 2)
    limen.guarantee(truth, score, precision=0.7, per="all")
    assert np.array_equal(truth, before[0])
    assert np.array_equal(score, before[1])


def test_sparse_half_precision_and_data_give_the_same_promise() -> None:
    truth, score = owls()
    score = (score - score.min() + 1).astype(np.float16)
    dense = limen.guarantee(truth, score, precision=0.8)
    assert dense.values.dtype == np.float16
    kept = np.where(score >= np.quantile(score, 0.5, axis=0), score, 0)
    sparse = limen.guarantee(
        csr_array(truth), csr_array(kept.astype(np.float32)), precision=0.8, placement="score"
    )
    exact = limen.guarantee(truth, score, precision=0.8, placement="score")
    assert sparse.values.tolist() == exact.values.tolist()
    assert limen.guarantee(as_data(truth, score), precision=0.8).values.tolist() == dense.values.tolist()
