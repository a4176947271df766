"""Forward differences and random search, each on a case that fits on paper."""

import numpy as np
import pytest

from limen.solvers import Numerical, RandomSearch
from strategies import data, exactly, recounted, smooth_data, tuned

# F1 is 2/3 below 0.32, and 1 up to 0.62: with one negative at 0.32 and one positive at 0.62.
STAIR = data([[0.0], [1.0]], [[0.32], [0.62]])


class TestDifferences:
    def test_the_first_step_by_hand(self):
        """At 0.3 F1 = 2/3; it first changes 3 steps of 0.01 up: gradient (1 - 2/3) / 0.03, one step of Adam."""
        t = tuned(STAIR, method=Numerical(epochs=1))
        assert t.values.tolist() == [pytest.approx(0.31, rel=1e-6)]
        assert t.history == (pytest.approx(2 / 3), pytest.approx(2 / 3))

    def test_further_steps(self):
        t = tuned(STAIR, method=Numerical(epochs=5))
        assert t.history[-1] == t.value == 1
        assert 0.32 < t.values[0] <= 0.62

    def test_it_does_not_look_far_enough(self):
        t = tuned(STAIR, method=Numerical(epochs=5, max_search=2))
        assert t.values.tolist() == [0.3]
        assert len(set(t.history)) == 1

    def test_it_sees_a_loss_above_and_goes_down(self):
        t = tuned(STAIR, method=Numerical(epochs=1, start=0.6))
        assert t.values.tolist() == [pytest.approx(0.59, rel=1e-6)]

    def test_labels_look_by_themselves(self):
        both = data(np.hstack([STAIR.y_true] * 2), np.hstack([STAIR.y_score, STAIR.y_score + 0.3]))
        t = tuned(both, method=Numerical(epochs=1, start=[0.3, 0.61]))
        assert t.values.tolist() == [pytest.approx(0.31, rel=1e-6), pytest.approx(0.62, rel=1e-6)]
        t = tuned(both, method=Numerical(epochs=1, start=[0.3, 0.7]))
        assert t.values.tolist() == [pytest.approx(0.31, rel=1e-6), 0.7]

    @pytest.mark.parametrize("average", ["micro", "macro"])
    def test_the_last_iterate_comes_with_its_own_value(self, average):
        for seed in range(5):
            problem = smooth_data(seed)
            t = tuned(problem, method=Numerical(epochs=15), average=average)
            assert len(t.history) == 16
            assert t.history[-1] == pytest.approx(t.value, abs=1e-15)
            assert exactly(t.counts) == recounted(problem, t.values)
            assert t.status == "local"

    def test_progress_is_told(self):
        seen = []
        t = tuned(smooth_data(0), method=Numerical(epochs=3), progress=lambda *step: seen.append(step))
        assert seen == [(k, 3, t.history[k]) for k in (1, 2, 3)]


class TestRandomSearch:
    def test_it_finds_the_stair(self):
        t = tuned(STAIR, method=RandomSearch(rounds=2, proposals=200))
        assert t.value == 1
        assert 0.32 < t.values[0] <= 0.62

    def test_proposals_by_hand(self):
        """One proposal: t + 0.2 * normal(t, 0.6), taken only if it is better."""
        for seed in range(20):
            t = tuned(STAIR, method=RandomSearch(rounds=1, proposals=1), random_state=seed)
            tried = 0.3 + 0.2 * np.random.default_rng(seed).normal([0.3], 0.6)
            better = 0.32 < tried[0] <= 0.62
            assert t.values.tolist() == (tried.tolist() if better else [0.3])

    def test_the_ratio_falls_with_every_proposal_of_a_round(self):
        """Two proposals in each of two rounds, of which the solver must take the best of those that rise."""
        for seed in range(20):
            t = tuned(STAIR, method=RandomSearch(rounds=2, proposals=2, ratio=0.5, decay=0.2), random_state=seed)
            draw, at, best = np.random.default_rng(seed), 0.3, 2 / 3
            for ratio in (0.5, 0.3, 0.5, 0.3):
                tried = at + ratio * draw.normal([at], 0.6)[0]
                value = 1.0 if 0.32 < tried <= 0.62 else 2 / 3 if tried <= 0.32 else 0.0
                at, best = (tried, value) if value > best else (at, best)
            assert t.values.tolist() == [pytest.approx(at, rel=1e-12)]
            assert t.value == pytest.approx(best)

    def test_it_never_falls_and_returns_the_best(self):
        for seed in range(5):
            problem = smooth_data(seed)
            t = tuned(problem, method=RandomSearch(rounds=6, proposals=20), random_state=seed)
            assert list(t.history) == sorted(t.history)
            assert len(t.history) == 7
            assert t.value == max(t.history)
            assert exactly(t.counts) == recounted(problem, t.values)

    def test_progress_is_told(self):
        seen = []
        method = RandomSearch(rounds=3, proposals=5)
        t = tuned(smooth_data(0), method=method, progress=lambda *step: seen.append(step))
        assert seen == [(k, 3, t.history[k]) for k in (1, 2, 3)]
