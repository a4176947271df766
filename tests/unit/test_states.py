"""The state of each label, against a paired bootstrap of items or groups that is written here."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

import limen
from limen.decisions import Counts, count_decisions, decide_rows
from limen.metrics import METRICS, Metric, get, ratio
from limen.objectives import objective
from limen.sources.door import as_source
from limen.states import FEW_POSITIVES, STATES, cells_of, influences, label_states, rules, state_keys, variance
from strategies import data, tuned

RESAMPLES = 1000


def drawn(seed, n_items, frequency, distance, *, by_group=1):
    """Labels of these frequencies, scores in 0 to 1 that know of them; items of a group are much alike."""
    rng = np.random.default_rng(seed)
    frequency = np.asarray(frequency)
    shape = (n_items // by_group, len(frequency))
    y_true = np.repeat(rng.random(shape) < frequency, by_group, axis=0)
    noise = np.repeat(rng.normal(size=shape), by_group, axis=0) + 0.3 * rng.normal(size=y_true.shape)
    logit = distance * (noise + distance * y_true - distance / 2) + np.log(frequency / (1 - frequency))
    return y_true.astype(float), 1 / (1 + np.exp(-logit))


def like_moods():
    y_true, y_score = drawn(1, 593, np.linspace(0.25, 0.45, 6), 1.2)
    return y_true, y_score, {"values": [0.3, 0.5, 0.7, 0.6, 0.9, 0.45]}


def like_birds():
    y_true, y_score = drawn(2, 645, np.geomspace(0.01, 0.2, 19), 1.6)
    return y_true, y_score, {"values": np.linspace(0.05, 0.95, 19)}


def with_rare_labels():
    y_true, y_score = drawn(3, 2000, np.geomspace(0.003, 0.06, 60), 1.3)
    return y_true, y_score, {"values": tuned(data(y_true, y_score)).values}


def with_labels_without_tags():
    y_true, y_score = drawn(4, 978, np.geomspace(0.0005, 0.3, 45), 1.8)
    return y_true, y_score, {"values": np.where(np.arange(45) % 4 == 0, np.inf, 0.8)}


def with_weights():
    y_true, y_score = drawn(5, 900, np.linspace(0.05, 0.5, 12), 1.2)
    return (
        y_true,
        y_score,
        {
            "values": np.linspace(0.2, 0.9, 12),
            "sample_weight": np.random.default_rng(5).exponential(3, 900) ** 2,
        },
    )


def with_groups():
    y_true, y_score = drawn(6, 900, np.linspace(0.05, 0.5, 24), 1.2, by_group=6)
    return y_true, y_score, {"values": np.tile([0.3, 0.6, 0.75, 0.9], 6), "groups": np.arange(900) // 6}


def with_unknown():
    y_true, y_score = drawn(7, 800, np.linspace(0.05, 0.5, 12), 1.2)
    y_true[np.random.default_rng(7).random(y_true.shape) < 0.4] = np.nan
    y_true[:, 3] = np.nan
    return y_true, y_score, {"values": np.linspace(0.9, 0.2, 12)}


def by_item():
    y_true, y_score = drawn(8, 700, np.linspace(0.1, 0.4, 8), 1.2)
    return y_true, y_score, {"values": np.full(8, np.finfo(float).min), "rule": "top-k:2"}


SETS = (
    like_moods,
    like_birds,
    with_rare_labels,
    with_labels_without_tags,
    with_weights,
    with_groups,
    with_unknown,
    by_item,
)


def bootstrapped(y_true, y_score, metric, *, values, rule=">=", sample_weight=None, groups=None):
    """Return the difference of each label to 0.5, and its resamples (RESAMPLES, n_labels)."""
    n_items = len(y_true)
    unit = np.arange(n_items) if groups is None else groups
    weight = np.ones(n_items) if sample_weight is None else sample_weight
    n_units = unit.max() + 1
    times = np.random.default_rng(0).multinomial(n_units, np.full(n_units, 1 / n_units), RESAMPLES)
    times = np.vstack([np.ones(n_units, int), times])[:, unit] * weight
    known, true = ~np.isnan(y_true), y_true == 1
    p, n = times @ (known & true), times @ known

    def at(kept):
        return np.asarray(get(metric)(times @ (kept & true), times @ (kept & known), p, n, 0.0))

    gap = at(decide_rows(y_score, np.asarray(values), rule)) - at(y_score >= 0.5)
    return gap[0], gap[1:]


def found(y_true, y_score, metric, *, values, rule=">=", sample_weight=None, groups=None, **options):
    source = as_source(y_true, y_score, sample_weight=sample_weight)
    return label_states(
        (source,), np.asarray(values), objective(metric, "macro"), rule=rule, groups=groups, **options
    )


def expected_key(y_true, y_score, k, high, *, values, rule=">=", sample_weight=None, groups=None):
    """The rules, told again."""
    kept = decide_rows(y_score, np.asarray(values), rule)[:, k]
    weight = np.ones(len(y_true)) if sample_weight is None else sample_weight / sample_weight.mean()
    known, true = ~np.isnan(y_true[:, k]), y_true[:, k] == 1
    tp, pp, p = ((weight * some).sum() for some in (kept & true, kept & known, true))
    if pp == 0:
        return "no_tags"
    if p < 20:
        return "few"
    if high < 0:
        return "worse"
    return "weak" if 2 * tp / (pp + p) < 0.5 else "none"


@pytest.mark.parametrize("metric", ["f1", "mcc", "g_mean", {"name": "cost", "fp": 1, "fn": 5}])
@pytest.mark.parametrize("make", SETS)
def test_as_a_paired_bootstrap_says(make, metric):
    """Unless the end of the bootstrap's interval is 0, within what it is off by luck."""
    y_true, y_score, how = make()
    gap, resampled = bootstrapped(y_true, y_score, metric, **how)
    states = found(y_true, y_score, metric, **how)
    np.testing.assert_allclose(states.gains[0], gap, atol=1e-12)
    ordered = np.sort(resampled, axis=0)
    rank, off = 0.975 * RESAMPLES, 3 * np.sqrt(0.975 * 0.025 * RESAMPLES)
    least, high, most = (ordered[min(int(at), RESAMPLES - 1)] for at in (rank - off, rank, rank + off))
    for k, key in enumerate(states.keys):
        if not least[k] <= 0 <= most[k] or high[k] == 0:
            assert key == expected_key(y_true, y_score, k, high[k], **how), (
                k,
                states.gains[:, k],
                least[k],
                most[k],
            )
