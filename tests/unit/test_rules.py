"""Rules that learn one number or none, against the obvious way to find it."""

import numpy as np
import pytest

import limen
from limen.errors import InputError
from limen.solvers import Shared, TopK, rules
from oracle import naive
from strategies import AVERAGES, data, exactly, random_data, recounted, smooth_data, tuned


def best_shared(metric, average, problem):
    """The oracle's best value over all cuts that one threshold for all labels can make."""
    n_labels = problem.y_score.shape[1]
    cuts = [np.inf, *np.unique(problem.y_score).tolist()]
    return max(naive.value(metric, average, recounted(problem, [cut] * n_labels)) for cut in cuts)


class TestShared:
    @pytest.mark.parametrize("average", AVERAGES)
    @pytest.mark.parametrize("metric", ["f1", "f0.5", "accuracy", "mcc", "balanced_accuracy", "cost"])
    def test_it_is_the_best_of_all_shared_cuts(self, metric, average):
        for seed in range(40):
            problem = random_data(seed)
            t = tuned(problem, metric=metric, average=average, method="shared")
            assert len(set(t.values.tolist())) == 1
            assert exactly(t.counts) == recounted(problem, t.values)
            assert naive.value(metric, average, exactly(t.counts)) == best_shared(metric, average, problem), seed

    def test_costs_by_label(self):
        for seed in range(20):
            problem = random_data(seed, n_labels=2)
            t = tuned(problem, metric={"name": "cost", "fp": [1, 3], "fn": [2, 0.5]}, method="shared")
            values = []
            for cut in [np.inf, *np.unique(problem.y_score).tolist()]:
                (tp, pp, p, n), (tp_2, pp_2, p_2, n_2) = recounted(problem, [cut, cut])
                paid = (pp - tp) + 2 * (p - tp) + 3 * (pp_2 - tp_2) + 0.5 * float(p_2 - tp_2)
                values.append(-float(paid) / float(n + n_2) if n + n_2 else 0.0)
            assert t.value == pytest.approx(max(values), abs=1e-14)

    @pytest.mark.parametrize("average", ["micro", "macro"])
    def test_it_lies_between_the_scores(self, average):
        problem = data([[1, 0], [0, 1], [0, 0]], [[0.9, 0.2], [0.5, 0.8], [0.4, 0.1]])
        t = tuned(problem, method="shared", average=average)
        assert t.values.tolist() == [0.65, 0.65]

    def test_few_of_many_cuts_for_other_averages(self):
        problem = smooth_data(0, n_items=400)
        values = [tuned(problem, method=Shared(most), average="macro").value for most in (2, 16, 1024)]
        assert values[0] <= values[2]
        assert values[1] <= values[2]
        assert values[1] == pytest.approx(values[2], abs=0.05)

    def test_without_positives_nothing_is_given(self):
        for average in AVERAGES:
            assert (
                tuned(data([[0, 0]], [[0.5, 0.6]]), method="shared", average=average).values.tolist()
                == [np.inf] * 2
            )


class TestTopK:
    @pytest.mark.parametrize("average", AVERAGES)
    def test_the_best_number_is_found(self, average):
        for seed in range(30):
            problem = random_data(seed, n_labels=3)
            t = tuned(problem, method="top-k", average=average)
            values = [tuned(problem, method=TopK(k), average=average).value for k in (1, 2, 3)]
            assert t.value == max(values)
            assert t.rule == f"top-k:{1 + values.index(max(values))}"

    @pytest.mark.parametrize("k", [1, 2, 3])
    def test_counts_are_those_of_its_decisions(self, k):
        for seed in range(10):
            problem = random_data(seed, n_labels=3)
            t = tuned(problem, method=TopK(k))
            decisions = t.decide(problem.y_score)
            assert (decisions.sum(axis=1) == k).all()
            assert exactly(t.counts) == recounted(problem._replace(y_score=decisions * 1.0), [1.0] * 3)

    @pytest.mark.parametrize("k", [0, -1, 4])
    def test_no_such_number(self, k):
        with pytest.raises(InputError, match=rf"rule 'top-k:{k}' is unknown.*from 1 to 3"):
            tuned(random_data(0, n_labels=3), method=TopK(k))


class TestPCut:
    def test_as_many_items_as_have_the_label(self):
        problem = smooth_data(0, n_items=200)
        t = tuned(problem, method="pcut")
        given, positive = t.counts.pp, t.counts.p
        for k in range(3):
            sizes = [
                np.count_nonzero(problem.y_score[:, k] >= s) for s in problem.y_score[problem.y_true[:, k] == 1, k]
            ]
            assert abs(given[k] - positive[k]) == min(abs(size - positive[k]) for size in [0, *sizes])

    def test_of_two_as_near_the_higher(self):
        """Two positives: the cut at 0.9 gives 1, the cut at 0.5 gives 3."""
        problem = data([[1], [0], [1], [0]], [[0.9], [0.7], [0.5], [0.1]])
        assert tuned(problem, method="pcut").counts.pp.tolist() == [1]

    def test_a_label_without_positives_is_never_given(self):
        assert tuned(data([[0]], [[0.5]]), method="pcut").values.tolist() == [np.inf]


class TestMCut:
    def test_decisions_by_hand(self):
        problem = data([[1, 1, 0], [0, 1, 0], [1, 0, 0]], [[0.9, 0.8, 0.1], [0.2, 0.6, 0.3], [0.5, 0.5, 0.5]])
        t = tuned(problem, method="mcut")
        assert t.decide(problem.y_score).tolist() == [
            [True, True, False],
            [False, True, False],
            [True, True, True],
        ]
        assert exactly(t.counts) == [(2, 2, 2, 3), (2, 3, 2, 3), (0, 1, 0, 3)]
        assert t.rule == "mcut"

    def test_one_label_has_no_gaps(self):
        with pytest.raises(
            InputError, match="mcut looks for gaps between the labels of an item; there is one label"
        ):
            tuned(random_data(0, n_labels=1), method="mcut")


class TestFixed:
    @pytest.mark.parametrize("threshold", [0.5, 0.0, -3.0])
    def test_every_label_has_it(self, threshold):
        problem = random_data(0, n_labels=3)
        t = tuned(problem, method=f"fixed:{threshold}")
        assert t.values.tolist() == [threshold] * 3
        assert exactly(t.counts) == recounted(problem, [threshold] * 3)
        assert (t.status, t.upper_bound) == ("local", None)


@pytest.mark.parametrize("metric", ["f1", "precision", "mcc", "g_mean", "balanced_accuracy"])
@pytest.mark.parametrize("zero_division", [0.0, 1.0])
def test_a_shared_cut_is_the_best_of_all_positive_scores(monkeypatch, metric, zero_division):
    """Though most are ruled out by a bound, and the highest of equals stays."""
    monkeypatch.setattr(rules, "_STRIDE", 5)
    rng = np.random.default_rng(0)
    for share in (0.1, 0.6, 1):
        y_true = (rng.random((150, 3)) < share).astype(int)
        y_score = np.round(rng.normal(0, 1, (150, 3)) + y_true, 1 + int(10 * share))
        t = limen.tune(y_true, y_score, metric=metric, method="shared", zero_division=zero_division)
        one = limen.tune(
            y_true.reshape(-1, 1),
            y_score.reshape(-1, 1),
            metric=metric,
            average="macro",
            method="exact",
            zero_division=zero_division,
        )
        assert t.values.tolist() == one.values.tolist() * 3
