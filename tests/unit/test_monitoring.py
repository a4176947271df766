"""Monitoring: the bets, the ranges, closed testing, and false alarms over simulated years."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from limen.monitoring import betting
from limen.monitoring.ranges import range_of


def test_counts_bet_as_pair_by_pair():
    limit, bad, size = 0.3, 4, 9
    found = betting.growth_of_counts(bad, size, limit)
    for stake, growth in zip(betting.stakes(limit), found, strict=True):
        money = math.prod(1 + stake * ((k < bad) - limit) for k in range(size))
        assert growth == pytest.approx(math.log(money), rel=1e-9)
    assert found.shape == (7,)


def test_units_bet_as_unit_by_unit_and_large_ones_are_scaled_down():
    draw = np.random.default_rng(0)
    size = draw.integers(0, 9, (40, 3)).astype(float)
    bad = np.floor(size * draw.random((40, 3)))
    limit, largest = np.array([0.1, 0.5, 0.9]), np.array([5.0, 4.0, 8.0])
    found = betting.growth_of_units(bad, size, limit, largest)
    assert (size > largest).any()
    for k, s in itertools.product(range(3), range(7)):
        stake = betting.stakes(limit[k])[s]
        money = 1.0
        for b, n in zip(bad[:, k], size[:, k], strict=True):
            money *= 1 + stake * (b - limit[k] * n) / max(n, largest[k])
        assert found[k, s] == pytest.approx(math.log(money), rel=1e-9, abs=1e-12)


def test_single_pairs_are_units_of_one():
    bad = np.array([1.0, 0, 0, 1, 0])[:, np.newaxis]
    one = betting.growth_of_units(bad, np.ones((5, 1)), np.array([0.2]), np.ones(1))
    assert np.allclose(one[0], betting.growth_of_counts(2, 5, 0.2))


def evidence_after(outcomes: tuple[int, ...], limit: float) -> float:
    """The e-value after checks of two pairs each."""
    logs = np.full(7, -np.inf)
    for check in range(len(outcomes) // 2):
        growth = betting.growth_of_counts(sum(outcomes[2 * check : 2 * check + 2]), 2, limit)
        logs = betting.grown(logs, growth, check + 1)
    return math.exp(betting.evidence(logs, len(outcomes) // 2))


@pytest.mark.parametrize("limit", [0.02, 0.4])
def test_mean_of_the_evidence_is_one_at_the_limit_and_less_below(limit):
    """Over all outcomes of four checks: what makes it an e-value, by enumeration."""
    for share, most in ((limit, 1.0), (limit / 2, 1 - 1e-9)):
        mean = sum(
            math.prod(share if one else 1 - share for one in outcomes) * evidence_after(outcomes, limit)
            for outcomes in itertools.product((0, 1), repeat=8)
        )
        assert mean <= most + 1e-12
        assert share < limit or mean == pytest.approx(1.0, abs=1e-12)


def test_money_is_put_in_once():
    assert sum(betting.begun(k) for k in range(1, 1000)) + 1000**-0.5 == pytest.approx(1.0)


def test_closed_testing_is_the_least_mean_over_all_sets():
    draw = np.random.default_rng(1)
    for _ in range(50):
        log_e, weight = draw.normal(1, 3, 6), draw.random(6) + 0.1
        weight /= weight.sum()
        found = betting.each_by_itself(log_e, weight, 1.0)
        for k in range(6):
            sets = [s for n in range(1, 7) for s in itertools.combinations(range(6), n) if k in s]
            least = min(np.exp(log_e[list(s)]) @ weight[list(s)] / weight[list(s)].sum() for s in sets)
            assert found[k] == (pytest.approx(math.log(least)) if log_e[k] >= 0 else -np.inf)
    everything = betting.together(log_e, weight)
    assert (found <= np.maximum(everything, log_e) + 1e-12).all()


def test_ranges_hold_for_all_cuts_at_once_and_a_fixed_one_would_not():
    """Over 4 000 tuning sets: whether any cut, as an optimist would choose it, has its rate outside."""
    draw, n, error = np.random.default_rng(2), 40, 0.05
    rank = np.arange(n + 1)
    low, high = range_of(rank, np.full(n + 1, n), error)
    for_one_cut = rank / n + 1.645 * np.sqrt(rank / n * (1 - rank / n) / n)  # 95 %, were it fixed beforehand
    outside, naive = 0, 0
    for _ in range(4000):
        true = np.concatenate([[0], np.sort(draw.random(n)), [1]])  # of r items above, the rate is between
        outside += bool((true[1:] > high).any())
        naive += bool((true[1:-1] > for_one_cut[:-1]).any())
        assert low[0] == 0
    assert outside <= 4000 * error
    assert naive > 4000 * 5 * error
    assert (low <= rank / n).all()
    assert (high >= rank / n).all()
    assert high[-1] == 1


def test_ranges_of_groups_are_those_of_as_few_items():
    one = range_of(np.array([20]), np.array([100]), 0.01)
    five = range_of(np.array([20]), np.array([100]), 0.01, group_size=5)
    assert five.low < one.low < 0.2 < one.high < five.high
    nothing = range_of(np.array([0]), np.array([0]), 0.01)
    assert (nothing.low, nothing.high) == (0, 1)


def test_false_alarms_over_years_at_the_limit_where_repeated_z_tests_break_the_level():
    """2 000 years of 365 daily checks of 20 items, the rate exactly at the limit: alarms in at most 10 %."""
    draw, limit, alpha, years = np.random.default_rng(3), 0.1, 0.1, 2000
    logs, alarm, z_alarm = np.full((years, 7), -np.inf), np.zeros(years, bool), np.zeros(years, bool)
    bad_so_far = np.zeros(years)
    for day in range(1, 366):
        bad = draw.binomial(20, limit, years)
        logs = betting.grown(logs, betting.growth_of_counts(bad, np.full(years, 20), limit), day)
        alarm |= betting.evidence(logs, day) >= -math.log(alpha)
        bad_so_far += bad
        spread = math.sqrt(20 * day * limit * (1 - limit))
        z_alarm |= bad_so_far - 20 * day * limit > 1.2816 * spread  # one-sided, 10 %, each day
    assert alarm.mean() <= alpha
    assert alarm.mean() > alpha / 50  # the bets are no dead letter
    assert z_alarm.mean() > 0.5


def test_dependent_labels_share_the_error():
    """300 labels that go together, and 300 that do not: no more false alarms of any than stated."""
    draw, limit, alpha, years = np.random.default_rng(4), 0.05, 0.2, 150
    for together in (True, False):
        logs = np.full((years, 300, 7), -np.inf)
        wrong = np.zeros(years, bool)
        weight = np.full(300, 1 / 300)
        for check in range(1, 31):
            bad = draw.binomial(50, limit, (years, 1 if together else 300))
            bad = np.broadcast_to(bad, (years, 300))
            logs = betting.grown(logs, betting.growth_of_counts(bad, np.full(bad.shape, 50), limit), check)
            log_e = betting.evidence(logs, check)
            for k in np.flatnonzero(log_e.max(axis=1) >= -math.log(alpha)):
                wrong[k] |= bool((betting.each_by_itself(log_e[k], weight, alpha) >= -math.log(alpha)).any())
        assert wrong.mean() <= alpha
