"""The state of each label, against a paired bootstrap of items or groups that is written here."""

from fractions import Fraction

import numpy as np
import pytest

from limen.decisions import Counts, decide_rows
from limen.metrics import METRICS, Metric, get, ratio
from limen.objectives import objective
from limen.sources.door import as_source
from limen.states import STATES, cells_of, influences, label_states, rules, state_keys
from oracle import naive
from strategies import data, random_data, tuned

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


def test_states_are_told_in_order():
    """A label is in the first state that holds, whatever else is true of it."""
    n_items = 400
    counts = Counts(*np.array([[0, 10, 0, 5, 100], [0, 30, 5, 50, 110], [100, 19, 40, 20, 105], [400] * 5]))
    gains = np.array([[-0.5] * 5, [-0.6] * 5, [-0.1, -0.1, -1e-9, 0.0, np.nan]])
    assert state_keys(counts, n_items, gains) == ("no_tags", "few", "worse", "weak", "none")
    assert state_keys(counts, n_items, None) == ("no_tags", "few", "weak", "weak", "none")
    assert state_keys(counts, n_items, None, bar=0.1) == ("no_tags", "few", "weak", "none", "none")
    assert tuple(STATES) == ("no_tags", "few", "worse", "weak", "none")


def test_rules_in_words():
    said = rules(get("cost"), 0.25)
    assert tuple(said) == tuple(STATES)
    assert (
        said["worse"] == "its cost is worse than at 0.5, and the 95 % interval of the paired difference excludes 0"
    )
    assert (said["few"], said["weak"]) == ("fewer than 20 positives", "F1 below 25 %")
    assert rules(get("f2"))["worse"].startswith("its F2 is worse")


def exactly_derived(metric, counts, cell, zero_division):
    """The derivative by the number of items in a cell, by differences that are small and exact in fractions."""
    step = Fraction(1, 10**9)
    moved = dict(
        zip(("tp", "fn", "fp", "tn"), ((1, 1, 1, 1), (0, 0, 1, 1), (0, 1, 0, 1), (0, 0, 0, 1)), strict=True)
    )[cell]
    ends = [
        naive.METRICS[metric](
            *(Fraction(int(c)) + sign * step * m for c, m in zip(counts, moved, strict=True)), zero_division
        )
        for sign in (1, -1)
    ]
    return float((ends[0] - ends[1]) / (2 * step))


@pytest.mark.parametrize("zero_division", [0, 1])
@pytest.mark.parametrize(
    "name", ["f1", "f2", "precision", "recall", "jaccard", "accuracy", "balanced_accuracy", "kappa"]
)
def test_influences_worked_out_again(name, zero_division):
    """In fractions, at corners too: labels without positives or tags, and with nothing else."""
    labels = [(3, 5, 8, 40), (0, 0, 8, 40), (0, 4, 0, 40), (0, 0, 0, 40), (7, 7, 7, 7), (2, 9, 2, 9), (1, 1, 1, 1)]
    other = [(5, 12, 8, 40), (2, 3, 8, 40), (0, 0, 0, 40), (0, 0, 0, 40), (0, 0, 7, 7), (2, 2, 2, 9), (0, 0, 1, 1)]
    counts, at_half = (Counts(*np.array(some).T) for some in (labels, other))
    goal = objective(name, "macro", zero_division)
    influence, own = influences(goal, counts, at_half)
    cells = cells_of(counts, at_half)
    of_one, of_half = (
        ("tp", "tp", "fn", "fn", "fp", "fp", "tn", "tn"),
        ("tp", "fn", "tp", "fn", "fp", "tn", "fp", "tn"),
    )
    for k, (one, half) in enumerate(zip(labels, other, strict=True)):
        for c in np.flatnonzero(cells[:, k]):
            there = exactly_derived(name, one, of_one[c], zero_division)
            assert own[c, k] == pytest.approx(there, abs=1e-7)
            assert influence[c, k] == pytest.approx(
                there - exactly_derived(name, half, of_half[c], zero_division), abs=1e-7
            )


OF_COUNTS = [name for name in METRICS if not get(name).of_whole_items]


@pytest.mark.parametrize("zero_division", [0.0, 1.0])
@pytest.mark.parametrize("metric", [*OF_COUNTS, {"name": "cost", "fp": [1, 2, 3], "fn": [4, 0, 1]}])
def test_any_data_have_states(metric, zero_division):
    """Few items, ties, labels without positives, unknown, weighted: ends around the value, or none."""
    for seed in range(30):
        problem = random_data(seed, n_labels=3)
        source = as_source(*problem[:2], sample_weight=problem.sample_weight)
        states = label_states(
            (source,), np.array([0.25, 0.5, np.inf], source.dtype), objective(metric, "macro", zero_division)
        )
        value, low, high = states.gains
        assert ((low <= value) & (value <= high)).all()
        assert set(states.keys) <= {"no_tags", "few"}
        assert (states.gains[:, 1] == 0).all() or np.isinf(states.spread[1])
        assert states.keys[2] == "no_tags"


def test_one_item_has_no_interval():
    states = found([[1.0, 0.0]], np.array([[0.75, 0.25]]), "f1", values=[0.9, 0.1])
    assert states.gains.tolist() == [[-1.0, 0.0], [-np.inf] * 2, [np.inf] * 2]
    assert states.keys == ("no_tags", "few")


def test_a_label_known_in_one_group_has_no_interval():
    y_true, y_score, how = with_groups()
    y_true[how["groups"] > 0, 0] = np.nan
    states = found(y_true, y_score, "f1", **how)
    assert np.isinf(states.spread[0])
    assert np.isinf(states.gains[1:, 0]).all()
    assert np.isfinite(states.gains[:, 1:]).all()


def test_a_metric_of_your_own():
    class Markedness(Metric):
        name = "markedness"

        def __call__(self, tp, pp, p, n, zero_division=0.0):
            return ratio(tp, pp, zero_division) - ratio(p - tp, n - pp, zero_division)

    METRICS[Markedness.name] = Markedness
    try:
        test_as_a_paired_bootstrap_says(like_moods, Markedness.name)
    finally:
        del METRICS[Markedness.name]


def test_weights_and_groups_spread():
    """Items that weigh 3 count as one, and copies in a group as one: the variance is that of the items alone."""
    y_true, y_score, how = like_moods()
    alone = found(y_true, y_score, "f1", **how)
    assert (alone.spread == 1).all()
    heavy = found(y_true, y_score, "f1", sample_weight=np.full(593, 3.0), **how)
    copied = found(
        *(np.repeat(part, 3, axis=0) for part in (y_true, y_score)),
        "f1",
        groups=np.repeat(np.arange(593), 3),
        **how,
    )
    for states in (heavy, copied):
        np.testing.assert_allclose(states.spread, 3, rtol=1e-6)
        np.testing.assert_allclose(states.gains, alone.gains, atol=1e-8)
    np.testing.assert_allclose(heavy.positives, alone.positives)
    assert heavy.keys == alone.keys
    same = found(y_true, y_score, "f1", sample_weight=np.full(593, 3.0), values=np.full(6, 0.5))
    np.testing.assert_allclose(same.spread, 3, rtol=1e-6)
    never = found(y_true, y_score - 1, "f1", sample_weight=np.full(593, 3.0), values=np.full(6, 2.0))
    np.testing.assert_allclose(never.spread, 3, rtol=1e-6)


@pytest.mark.parametrize("most", [1, 10_000])
def test_labels_in_several_passes(most, monkeypatch):
    y_true, y_score, how = with_groups()
    whole = found(y_true, y_score, "f1", **how)
    monkeypatch.setattr("limen.spread_by_unit.HELD", most)
    np.testing.assert_allclose(found(y_true, y_score, "f1", **how).gains, whole.gains, rtol=1e-9)


def test_parts_add_up():
    y_true, y_score, how = with_weights()
    whole = found(y_true, y_score, "f1", **how)
    parts = [
        as_source(y_true[r], y_score[r], sample_weight=how["sample_weight"][r])
        for r in (slice(0, 100), slice(100, None))
    ]
    added = label_states(parts, how["values"], objective("f1", "macro"))
    np.testing.assert_allclose(added.gains, whole.gains, rtol=1e-7)
    assert added.keys == whole.keys


def test_the_closed_form_is_as_wide_as_the_bootstrap():
    for make in SETS:
        y_true, y_score, how = make()
        _, resampled = bootstrapped(y_true, y_score, "f1", **how)
        states = found(y_true, y_score, "f1", **how)
        some = states.positives >= 50
        wide = np.subtract(*np.percentile(resampled, [97.5, 2.5], axis=0))
        moves = some & (wide > 0)
        np.testing.assert_allclose((states.gains[1] - states.gains[0])[moves] * -2, wide[moves], rtol=0.2)
