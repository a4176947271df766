"""One offset for each group of labels, against every offset there is."""

import itertools
import json

import numpy as np
import pytest
from scipy import sparse

import limen
from limen.errors import InputError, UnsupportedError
from limen.solvers import GroupOffset
from limen.solvers.argmax_offset import _candidates
from oracle import naive
from strategies import data, random_data, recounted, tuned

LABELS = ("a", "b", "c", "d", "e")


def winner(scores, thresholds):
    """Return the label farthest above its threshold, the first of equals, by exact comparison of two groups."""
    low = min(thresholds)
    tops = [
        max((score, -k) for k, score in enumerate(scores) if thresholds[k] == level) for level in {*thresholds}
    ]
    if len(tops) == 1:
        return -tops[0][1]
    ((one, i), (other, j)) = sorted(tops, key=lambda top: thresholds[-top[1]] != low)
    gap = float(thresholds[-j]) - float(low)
    margin = float(other) - float(one)
    return -j if margin > gap or (margin == gap and -j < -i) else -i


def group_values(metric, average, problem, decisions, groups):
    """Return the value of each group over its labels with positives; the oracle's counts."""
    given = recounted(problem._replace(y_score=decisions.astype(float)), np.ones(decisions.shape[1]))
    labelled = [[given[k] for k in group if given[k][2] > 0] for group in groups]
    return [naive.as_float(metric, naive.value(metric, average, counts)) for counts in labelled]


def mean_of(values):
    return len(values) / sum(1 / v for v in values) if min(values) > 0 else 0.0


def labelled(problem, groups):
    known = problem.y_true == 1
    weight = 1 if problem.sample_weight is None else problem.sample_weight[:, np.newaxis]
    return all(((known * weight)[:, group] > 0).any() for group in groups)


def cases(n, least=2, **options):
    """Yield small problems with ties, and two groups of their labels that both have positives."""
    made = 0
    for seed in itertools.count():
        rng = np.random.default_rng(seed)
        n_labels = int(rng.integers(least, 6))
        problem = random_data(seed, n_labels=n_labels, most_items=9, **options)
        order = rng.permutation(n_labels)
        cut = int(rng.integers(1, n_labels))
        groups = [sorted(order[:cut].tolist()), sorted(order[cut:].tolist())]
        if labelled(problem, groups):
            made += 1
            yield seed, problem, groups
        if made == n:
            return


def named(groups):
    return {
        name: [LABELS[k] for k in group] for name, group in zip(("seen", "unseen", "more"), groups, strict=False)
    }


def by(groups, problem, **options):
    metric, average = options.pop("metric", "recall"), options.pop("average", "macro")
    labels = LABELS[: problem.y_score.shape[1]]
    return tuned(
        problem, method=GroupOffset(named(groups), **options), labels=labels, metric=metric, average=average
    )


class TestArgmax:
    @pytest.mark.parametrize(
        ("metric", "average"), [("recall", "macro"), ("f1", "micro"), ("f1", "weighted"), ("accuracy", "macro")]
    )
    def test_no_offset_is_better(self, metric, average):
        for seed, problem, groups in cases(60):
            t = by(groups, problem, decide="argmax", metric=metric, average=average)
            n_labels = problem.y_score.shape[1]
            wide = problem.y_score.astype(float)
            margins = {float(row[i] - row[j]) for row in wide for i in groups[0] for j in groups[1]}
            points = sorted(margins)
            dtype = problem.y_score.dtype.type
            near = [np.nextafter(dtype(m), dtype(s)) for m in points for s in (-np.inf, np.inf)]
            tried = {float(x) for x in [0, *map(dtype, points), *near]}
            tried |= {float(dtype((a + b) / 2)) for a, b in itertools.pairwise(points)}
            best = 0.0
            for offset in tried:
                cuts = [offset if k in groups[0] else 0.0 for k in range(n_labels)]
                decisions = np.zeros(problem.y_score.shape, bool)
                for i, row in enumerate(wide.tolist()):
                    decisions[i, winner(row, cuts)] = True
                best = max(best, mean_of(group_values(metric, average, problem, decisions, groups)))
            found = t.decide(problem.y_score)
            assert found.sum(axis=1).tolist() == [1] * len(found)
            reached = group_values(metric, average, problem, found, groups)
            assert mean_of(reached) == pytest.approx(best, abs=1e-12), seed
            assert t.details["harmonic_mean"] == pytest.approx(best, abs=1e-12)
            assert list(t.details["group_values"].values()) == pytest.approx(reached, abs=1e-12)

    @pytest.mark.parametrize("dtype", ["f4", "f8"])
    def test_the_first_group_falls_and_the_second_rises_with_the_offset(self, dtype):
        rng = np.random.default_rng(3)
        scores = rng.normal(size=(300, 6)).astype(dtype)
        truth = np.eye(6, dtype=int)[rng.integers(0, 6, 300)]
        t = tuned(
            data(truth, scores), method=GroupOffset({"seen": list("0123")}, decide="argmax"), labels=list("012345")
        )
        seen, unseen = [], []
        for offset in np.linspace(-6, 6, 200).astype(dtype):
            cuts = np.where(np.arange(6) < 4, offset, 0).astype(dtype)
            right = limen.decisions.decide_rows(scores, cuts, t.rule) & (truth == 1)
            recall = right.sum(axis=0) / truth.sum(axis=0)
            seen.append(recall[:4].mean())
            unseen.append(recall[4:].mean())
        assert (np.diff(seen) <= 1e-12).all()
        assert (np.diff(unseen) >= -1e-12).all()
        assert seen[0] > 0 == unseen[0]
        assert unseen[-1] > 0 == seen[-1]

    def test_the_order_of_labels_and_items_does_not_matter(self):
        rng = np.random.default_rng(4)
        scores, truth = rng.normal(size=(200, 5)), np.eye(5, dtype=int)[rng.integers(0, 5, 200)]
        groups = [[0, 1, 2], [3, 4]]
        t = by(groups, data(truth, scores), decide="argmax")
        columns, rows = rng.permutation(5), rng.permutation(200)
        moved = tuned(
            data(truth[rows][:, columns], scores[rows][:, columns]),
            method=GroupOffset(named(groups), decide="argmax"),
            labels=[LABELS[k] for k in columns],
            metric="recall",
            average="macro",
        )
        assert moved.values.tolist() == t.values[columns].tolist()
        assert moved.details == t.details

    def test_midway_and_the_highest_of_equals(self):
        problem = data([[1, 0], [0, 1], [0, 1]], [[0.75, 0.25], [0.5, 0.25], [0.25, 0.25]])
        t = by([[0], [1]], problem, decide="argmax")
        assert t.values.tolist() == [0.375, 0.0]  # between the margins 0.25 and 0.5
        assert t.details["offsets"] == {"seen": 0.375, "unseen": 0.0}
        assert (t.rule, t.status) == ("argmax", "local")
        even = data([[1, 0], [0, 1]], [[0.5, 0.5], [0.5, 0.5]])
        assert by([[0], [1]], even, decide="argmax").values.tolist() == [0.0, 0.0]  # nothing is above 0

    def test_at_a_tie_the_first_column_wins(self):
        # Both items have the margin 0: only there, by their columns, can both groups have a hit.
        problem = data([[1, 0, 0], [0, 1, 0]], [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]])
        t = by([[0, 2], [1]], problem, decide="argmax")
        assert t.values.tolist() == [0.0, 0.0, 0.0]
        assert t.details["harmonic_mean"] == pytest.approx(1.0, abs=1e-12)  # sums depend on the processor

    def test_offsets_are_tried_in_every_gap(self):
        margins = np.array([1.0, 1.0 + 2**-30, 2.0])
        assert _candidates(margins, np.dtype("f8")).tolist()[1:3] == [1.5 + 2**-31, 1.0 + 2**-31]
        single = _candidates(margins, np.dtype("f4"))
        assert single.tolist() == [*single[:2].tolist(), np.nextafter(np.float32(1), 0), 2.0, 1.0]
        assert len(_candidates(np.array([np.inf]), np.dtype("f4"))) == 2

    def test_thousands_of_labels_one_item_each(self):
        n = 5000
        scores = np.eye(n, dtype="f4")
        scores[n // 2 :, 0] += 1.5  # the second half is lost to a label of the first, until this is taken off
        names = [f"l{k}" for k in range(n)]
        method = GroupOffset({"seen": names[: n // 2]}, decide="argmax")
        t = limen.tune(
            np.eye(n, dtype="i1"), scores, labels=names, method=method, metric="recall", average="macro"
        )
        assert t.details["harmonic_mean"] == pytest.approx(1.0, abs=1e-12)  # sums depend on the processor
        assert str(t.method) == "group-offset(argmax; seen: 2500)"

    def test_sparse_scores_are_refused(self):
        y = sparse.csr_array(np.eye(3))
        with pytest.raises(
            InputError, match="argmax looks at all scores of an item; sparse scores leave some out"
        ):
            limen.tune(np.eye(3), y, method=GroupOffset({"seen": ["0"]}, decide="argmax"), labels=list("012"))

    def test_onnx_refuses_the_rule(self):
        matching = pytest.importorskip("limen.onnx.matching")
        with pytest.raises(UnsupportedError, match="the rule 'argmax' gives one label an item"):
            matching.prepare_opset(None, "argmax")


class TestThresholds:
    @pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
    @pytest.mark.parametrize("metric", ["f1", "accuracy", "jaccard"])
    def test_no_cuts_of_groups_are_better(self, metric, average):
        for seed, problem, groups in cases(50):
            t = by(groups, problem, metric=metric, average=average)
            wide = problem.y_score.astype(float)
            reached = group_values(metric, average, problem, t.decide(problem.y_score), groups)
            for at, group in enumerate(groups):
                tried = []
                for cut in [np.inf, *np.unique(wide).tolist()]:
                    tried.append(group_values(metric, average, problem, wide >= cut, groups)[at])
                assert reached[at] == pytest.approx(max(tried), abs=1e-12), seed
                assert len(set(t.values[group].tolist())) == 1
            assert t.details["harmonic_mean"] == pytest.approx(mean_of(reached), abs=1e-12)

    @pytest.mark.parametrize("average", ["micro", "macro"])
    def test_a_base_moves_as_a_whole(self, average):
        for seed, problem, groups in cases(50, dtype="f8", weighted=False):
            base = np.random.default_rng(seed).choice([0.0, 0.25, 0.5], problem.y_score.shape[1])
            t = by(groups, problem, metric="f1", average=average, base=base)
            for at, group in enumerate(groups):
                some = [k for k in group if (problem.y_true[:, k] == 1).any()]
                tried = []
                for offset in np.unique([[np.inf, *(problem.y_score[:, k] - base[k])] for k in some]):
                    given = problem.y_score - base >= offset
                    tried.append(group_values("f1", average, problem, given, groups)[at])
                assert list(t.details["group_values"].values())[at] == pytest.approx(max(tried), abs=1e-12), seed
                moved = np.round(t.values[some] - base[some], 12)
                assert len(set(moved.tolist())) == 1

    def test_three_groups_and_the_rest(self):
        problem = data(np.eye(4, dtype=int), np.eye(4) * [0.9, 0.5, 0.4, 0.3])
        t = by([[0], [1], [2]], problem, metric="f1", average="micro")
        assert t.values.tolist() == [0.45, 0.25, 0.2, 0.15]
        assert list(t.details["offsets"]) == ["seen", "unseen", "more", "others"]
        assert t.details["harmonic_mean"] == pytest.approx(1.0, abs=1e-12)  # sums depend on the processor

    def test_dense_and_sparse_agree(self):
        rng = np.random.default_rng(7)
        y = (rng.random((50, 4)) < 0.3).astype(int)
        scores = np.where(rng.random((50, 4)) < 0.6, rng.random((50, 4)) + y, 0)
        dense = by([[0, 1], [2, 3]], data(y, scores), metric="f1", average="macro")
        method = GroupOffset(named([[0, 1], [2, 3]]))
        t = limen.tune(y, sparse.csr_array(scores), method=method, labels=LABELS[:4], average="macro")
        assert t.values.tolist() == dense.values.tolist()

    def test_parameters_by_label_go_with_their_labels(self):
        problem = data([[1, 0], [0, 1], [1, 1], [0, 0]], [[0.9, 0.1], [0.4, 0.8], [0.3, 0.7], [0.6, 0.2]])
        metric = {"name": "fbeta", "beta": 1.0}
        assert by([[1], [0]], problem, metric=metric, average="macro").details["group_values"]["seen"] == 1.0
        cost = by([[0], [1]], problem, metric={"name": "cost", "fp": [1, 100], "fn": [100, 1]}, average="macro")
        assert cost.values.tolist() == pytest.approx([0.3, 0.45])


class TestLabelsWithoutPositives:
    def test_they_take_the_cut_of_their_group_and_are_named(self):
        problem = data([[1, 0, 0], [0, 1, 0], [0, 0, 0]], [[0.9, 0.2, 0.1], [0.2, 0.5, 0.1], [0.3, 0.1, 0.8]])
        method = GroupOffset({"seen": ["a"], "unseen": ["b", "c"]})
        with pytest.warns(
            limen.LimenWarning, match=r"1 label without a positive item: 'c'\. Their thresholds are by"
        ):
            t = limen.tune(*problem[:2], labels=["a", "b", "c"], method=method)
        assert t.values[2] == t.values[1] == 0.35
        rule = "the cut that the labels with positives share, plus the offset of their group"
        assert t.details["by_rule"] == {"labels": ["c"], "rule": rule}
        assert f"without a positive item, by rule: 'c' ({rule})" in t.summary()
        again = limen.Thresholds.from_dict(json.loads(json.dumps(t.to_dict())))
        assert again == t
        assert "by rule: 'c'" in again.summary()

    def test_with_a_base_it_is_the_shared_cut_plus_the_offset(self):
        problem = data([[1, 0, 0], [0, 1, 0], [0, 0, 0]], [[0.9, 0.2, 0.1], [0.2, 0.5, 0.1], [0.3, 0.1, 0.8]])
        t = by([[0], [1, 2]], problem, base=[0.5, 0.25, 7.0], metric="f1", average="micro")
        shared = by([[0, 1, 2]], problem, metric="f1", average="micro").values[0]
        assert t.values[2] == shared + t.details["offsets"]["unseen"]
        assert t.values[1] == 0.25 + t.details["offsets"]["unseen"]

    @pytest.mark.parametrize("decide", ["thresholds", "argmax"])
    def test_a_group_of_them_needs_a_rule(self, decide):
        problem = data([[1, 0, 0], [0, 1, 0]], [[0.9, 0.2, 0.1], [0.2, 0.5, 0.6]])
        words = r"no label of 1 group has a positive item: 'unseen'. Nothing can be learned about their offset"
        with pytest.raises(InputError, match=words):
            by([[0, 1], [2]], problem, decide=decide)
        t = by([[0, 1], [2]], problem, decide=decide, unlabelled=-0.125, metric="f1", average="micro")
        assert t.details["offsets"]["unseen"] == -0.125
        assert t.details["by_rule"]["labels"] == ["c"]
        assert t.details["by_rule"]["rule"].endswith("(given for 'unseen': -0.125)")
        assert t.values[2] == (t.values[0] if decide == "thresholds" else 0) - 0.125

    def test_nothing_at_all_is_refused(self):
        with pytest.raises(InputError, match="no label has a positive item, so there is nothing to tune on"):
            by([[0], [1]], data([[0, 0]], [[0.1, 0.2]]))

    def test_labels_all_unknown_compete_and_follow(self):
        problem = data([[1, 0, np.nan], [0, 1, np.nan]], [[0.9, 0.6, 0.1], [0.7, 0.6, 0.0]])
        t = by([[0], [1, 2]], problem, decide="argmax")
        assert t.details["harmonic_mean"] == pytest.approx(1.0, abs=1e-12)  # sums depend on the processor
        assert t.values.tolist() == [pytest.approx(0.2), 0.0, 0.0]
        assert t.details["by_rule"] == {"labels": ["c"], "rule": "the offset of their group"}

    def test_a_group_that_is_better_never_given(self):
        problem = data([[1, 0], [1, 1], [1, 0], [1, 0]], [[0.9, 0.9], [0.8, 0.1], [0.7, 0.8], [0.6, 0.7]])
        t = by([[0], [1]], problem, metric="accuracy", average="micro")
        assert t.values.tolist() == [0.6, np.inf]
        assert t.details["offsets"]["unseen"] is None
        json.dumps(t.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"groups": {}}, "groups must map names to labels"),
        ({"groups": ["a"]}, "groups must map names to labels"),
        ({"groups": {"x": "ab"}}, "the group 'x' is 'ab'. Give a list of at least one label"),
        ({"groups": {"x": []}}, r"the group 'x' is \[\]"),
        ({"groups": {"x": ["a"]}, "decide": "top"}, "decide='top' is unknown"),
        ({"groups": {"x": ["a"]}, "decide": "argmax", "base": [0, 0]}, "base goes with decide='thresholds'"),
        ({"groups": {"x": ["a"]}, "unlabelled": np.nan}, "unlabelled=nan is no offset"),
        ({"groups": {"x": ["a", "z"]}}, "groups name 'z', which are no labels of these data"),
        ({"groups": {"x": ["a"], "y": ["a"]}}, "groups repeats 'a'. A label has one group"),
        ({"groups": {"x": ["a", "b"]}, "decide": "argmax"}, r"balances two groups; these labels make 1 \('x'\)"),
        ({"groups": {"x": ["a"]}, "base": [1.0]}, r"base has shape \(1,\) for 2 labels"),
        ({"groups": {"x": ["a"]}, "base": [1.0, np.inf]}, "Give one finite number for each"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(options, words):
    with pytest.raises(InputError, match=words):
        limen.tune(np.eye(2), np.eye(2), labels=["a", "b"], method=GroupOffset(**options))


@pytest.mark.parametrize("decide", ["thresholds", "argmax"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_refused(decide, bad):
    scores = np.eye(2)
    scores[1, 0] = bad
    with pytest.raises(InputError, match="y_score has"):
        limen.tune(np.eye(2), scores, labels=["a", "b"], method=GroupOffset({"x": ["a"]}, decide=decide))


def test_other_prevalences_are_refused():
    with pytest.raises(UnsupportedError, match="Leave target_prevalence out"):
        limen.tune(
            np.eye(2), np.eye(2), labels=["a", "b"], method=GroupOffset({"x": ["a"]}), target_prevalence=[0.1, 0.2]
        )


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_rule_is_that_of_two_groups_compared(dtype):
    rng = np.random.default_rng(0)
    for _ in range(200):
        scores = (rng.integers(-4, 5, (6, 4)) / 8).astype(dtype)
        cuts = np.where(rng.random(4) < 0.5, rng.integers(-4, 5) / 8, 0).astype(dtype)
        found = limen.decisions.decide_rows(scores, cuts, "argmax")
        assert found.argmax(axis=1).tolist() == [winner(row, cuts.tolist()) for row in scores.tolist()]
        assert found.argmax(axis=1).tolist() == (scores - cuts).argmax(axis=1).tolist()  # exact in eighths
    several = limen.decisions.decide_rows(scores, np.array([0.5, 0.25, 0.125, -0.5], dtype), "argmax")
    assert several.argmax(axis=1).tolist() == (scores - np.array([0.5, 0.25, 0.125, -0.5])).argmax(axis=1).tolist()


def test_labels_that_are_never_given_do_not_win():
    scores = np.array([[0.9, 0.1], [0.2, 0.3]])
    assert limen.decisions.decide_rows(scores, np.array([np.inf, 0.0]), "argmax").tolist() == [[False, True]] * 2
    assert not limen.decisions.decide_rows(scores, np.array([np.inf, np.inf]), "argmax").any()
