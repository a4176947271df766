"""Counts of events at every setting and threshold, against the oracle and against other programs."""

from itertools import product

import numpy as np
import pytest

from events_data import CRITERIA, check_against_peers, fixture, naive_counts, random_events, shipped
from limen._kernels import events as kernels
from limen.events import Events, Setting, evaluate, event_curves, settings_grid, tune
from limen.events.curves import checked_references
from limen.events.detecting import detect
from limen.events.problem import as_curves, best, best_shared, counts_at
from limen.objectives import objective

GRID = settings_grid(median=(0, 0.3), hysteresis=(0, 1.5), gap=(0, 0.25), shortest=(0, 0.15))


@pytest.mark.parametrize("criterion", list(CRITERIA))
@pytest.mark.parametrize("name", ["desed20", "esc10", "fsdd"])
def test_all_change_points_are_those_of_sed_scores_eval(name, criterion):
    check_against_peers(name, criterion, [Setting(), Setting(median=0.36)], ["0", "0.36"])


def test_counts_at_operating_points_are_those_of_sed_eval_and_psds_eval():
    scores, events = shipped("desed20")
    for i, point in enumerate(fixture()["points"]):
        cuts = np.full(scores.n_labels, point)
        found = detect(scores, [Setting()] * scores.n_labels, cuts, cuts)
        for peer, criterion in (("sed_eval", "collar"), ("psds_eval", "intersection")):
            tp, pp, *_ = evaluate(events, found, CRITERIA[criterion]).counts
            assert np.array_equal(fixture()[f"desed20/{peer}"][i], [tp, pp - tp])


@pytest.mark.parametrize(
    ("peer", "criterion", "mine"), [("psds_eval", "intersection", (0, 0)), ("sed_eval", "collar", (1, 0))]
)
def test_where_sed_eval_and_psds_eval_differ_is_an_exact_tie(peer, criterion, mine):
    (on, off), (begin, end) = fixture()[f"ties/{peer}/times"].tolist()
    found, known = (Events.from_rows([("a", *times, "x")]) for times in ((on, off), (begin, end)))
    tp, pp, *_ = evaluate(known, found, CRITERIA[criterion]).counts
    assert (tp[0], pp[0] - tp[0]) == mine
    assert fixture()[f"ties/{peer}"].tolist() == [0, 1]
    # Half of the detection in the reference, or an offset 0.2 s away, but for the rounding of seconds.
    if peer == "psds_eval":
        assert (off - begin) / (off - on) == 0.4999999999999991
    else:
        assert abs(end - off) == 0.20000000000000018


@pytest.mark.parametrize(("kind", "seed"), list(product(("logit", "probability"), range(6))))
def test_every_candidate_has_the_counts_of_the_plain_way(kind, seed):
    scores, events = random_events(seed, kind=kind)
    references = checked_references(scores, events)
    rng = np.random.default_rng(seed)
    for criterion in CRITERIA:
        curves = event_curves(scores, references, GRID, CRITERIA[criterion])
        for j in rng.permutation(len(curves.cuts))[:60]:
            k, s, high = curves.label_of[j], curves.setting_of[j], curves.thresholds[j : j + 1]
            low = curves.low(high, curves.setting_of[j : j + 1])
            found = naive_counts(scores, references, GRID[s], criterion, k, low[0], high[0])
            assert found == (curves.tp[0, j], curves.pp[0, j])


@pytest.mark.parametrize("seed", range(3))
def test_no_threshold_between_changes_anything(seed):
    scores, events = random_events(seed, n_labels=1)
    references = checked_references(scores, events)
    curves = event_curves(scores, references, GRID[:6], "collar")
    every = np.unique(np.concatenate([own[:, 0] for own in scores.recordings.values()]).astype(float))
    for s, setting in enumerate(curves.settings):
        moved = np.concatenate([every, every + setting.hysteresis])
        for high in [*moved, *(moved - 0.01)]:
            j = curves.at(0, s, high)
            found = naive_counts(scores, references, setting, "collar", 0, high - setting.hysteresis, high)
            assert found == (curves.tp[0, j], curves.pp[0, j])


@pytest.mark.parametrize(
    ("metric", "average"), [("f1", "micro"), ("jaccard", "micro"), ("f1", "macro"), ("f2", "micro")]
)
def test_exact_is_the_best_of_all_settings_and_thresholds(metric, average):
    for seed in range(8):
        scores, events = random_events(seed, n_recordings=2, n_frames=12)
        if not len(events):
            continue
        references = checked_references(scores, events)
        goal = objective(metric, average)
        curves = event_curves(scores, references, GRID[:8], "collar")
        found = best(curves, goal)
        value = goal(*counts_at(curves, found.index))
        pairs = [
            sorted(set(zip(*(counts[0, curves.label_of == k] for counts in (curves.tp, curves.pp)), strict=True)))
            for k in range(2)
        ]
        p, n = curves.p.sum(axis=0), curves.n.sum(axis=0) + 1000
        every = [goal(*(np.array(c) for c in zip(*pair, strict=True)), p, n) for pair in product(*pairs)]
        assert value == pytest.approx(max(every), abs=1e-12)
        assert found.solution.upper_bound == pytest.approx(value, abs=1e-12)
        shared = best_shared(curves, goal)
        top = max(
            goal(*counts_at(curves, np.array([curves.at(k, s, t) for k in range(2)])))
            for s in range(8)
            for t in np.unique(curves.thresholds[curves.setting_of == s])
        )
        assert goal(*counts_at(curves, shared.index)) == pytest.approx(top, abs=1e-12)


def test_tp_need_not_rise_and_the_solver_does_not_care():
    scores, events = shipped("esc10")
    curves = event_curves(scores, events, GRID)
    reduced, index = as_curves(curves)
    within = np.diff(reduced.offsets) > 1
    assert within.all()
    falls = [
        np.diff(reduced.tp[a:b]).min() for a, b in zip(reduced.offsets[:-1], reduced.offsets[1:], strict=True)
    ]
    assert min(falls) < 0
    assert np.array_equal(reduced.tp, curves.tp[0, index])


def test_the_median_commutes_with_thresholds():
    rng = np.random.default_rng(0)
    ranks = rng.integers(0, 6, 60).astype(np.int32)
    frames = kernels.Frames(np.array([0, 25, 25, 60]), np.arange(63))
    for width in (1, 3, 7, 31):
        filtered = kernels.median_scores(frames, ranks, width)
        for cut in range(6):
            of_cut = kernels.median_scores(frames, (ranks >= cut).astype(np.int32), width)
            assert np.array_equal(filtered >= cut, of_cut >= 1)


def test_recordings_add_up():
    scores, events = shipped("esc10")
    parts = np.arange(len(scores.names)) % 2
    apart = event_curves(scores, events, GRID[:4], parts=parts)
    together = event_curves(scores, events, GRID[:4])
    for part in range(2):
        names = [name for name, own in zip(scores.names, parts, strict=True) if own == part]
        alone = event_curves(scores.take(names), events.take(names), GRID[:4])
        for k, s in product(range(scores.n_labels), range(4)):
            for t in apart.cuts[apart.where(k, s)][1:]:
                i, j = apart.at(k, s, t), alone.at(k, s, t)
                assert (apart.tp[part, i], apart.pp[part, i]) == (alone.tp[0, j], alone.pp[0, j])
    whole = apart.of_parts(slice(None))
    for j in range(len(together.cuts)):
        i = whole.at(together.label_of[j], together.setting_of[j], together.cuts[j])
        assert (whole.tp[0, i], whole.pp[0, i]) == (together.tp[0, j], together.pp[0, j])


@pytest.mark.parametrize("method", ["exact", "shared", "auto"])
def test_what_is_tuned_decides_as_it_was_counted(method):
    scores, events = shipped("esc10")
    for criterion in ("collar", "intersection", "segment", "clip"):
        tuned = tune(scores, events, settings=GRID, criterion=criterion, method=method)
        found = evaluate(events, tuned.decide(scores), criterion, durations=scores)
        assert np.array_equal(found.counts, tuned.counts)
        assert found.value == tuned.value
