"""Limits on counts of events: the best choice by trying all, what is refused, and the reserve of "auto"."""

from itertools import product

import numpy as np
import pytest

import limen
from events_data import random_events, shipped
from limen import constraints as limits
from limen.errors import InfeasibleError, InputError, UnsupportedError
from limen.events import Events, FrameScores, Setting, evaluate, event_curves, settings_grid, tune
from limen.objectives import objective

GRID = settings_grid(median=(0, 0.3), hysteresis=(0,), gap=(0, 0.25))
FEW = (Setting(), Setting(median=0.3))
KINDS = {
    "precision": (lambda v, per, hours: limits.MinPrecision(v / 4, per), lambda v, tp, pp, p: 4 * tp >= v * pp),
    "recall": (lambda v, per, hours: limits.MinRecall(v / 4, per), lambda v, tp, pp, p: 4 * tp >= v * p),
    "most": (lambda v, per, hours: limits.MaxPredictions(v, per), lambda v, tp, pp, p: pp <= v),
    "least": (lambda v, per, hours: limits.MinPredictions(v, per), lambda v, tp, pp, p: pp >= v),
    "false": (lambda v, per, hours: limits.MaxFalsePositives(v, per), lambda v, tp, pp, p: pp - tp <= v),
    "false an hour": (
        lambda v, per, hours: limits.MaxFalsePositives(per_hour=(v + 0.5) / hours, hours=hours, per=per),
        lambda v, tp, pp, p: pp - tp <= v + 0.5,
    ),
}


def small(n_labels=5):
    """The soundscapes of spoken digits, of a few labels."""
    scores, events = shipped("fsdd")
    labels = scores.labels[:n_labels]
    scores = FrameScores(labels, {n: s[:, :n_labels] for n, s in scores.recordings.items()}, scores.frame_seconds)
    rows = [row for row in events.rows() if row[3] in labels]
    return scores, Events.from_rows(rows, recordings=scores.names, labels=labels)


def tried(pairs, p, goal, keeps, pooled, given_wanted):
    """The best value of all choices that keep a limit; None if there is none (but giving nothing, if unwanted)."""
    best = None
    for choice in product(*pairs):
        tp, pp = (np.array(part) for part in zip(*choice, strict=True))
        if pooled:
            fine = keeps(tp.sum(), pp.sum(), p.sum()) and (pp.sum() > 0 or not given_wanted)
        else:
            fine = all(keeps(*one) for one in zip(tp, pp, p, strict=True))
        if fine:
            value = goal(tp, pp, p, p + 1000)
            best = value if best is None else max(best, value)
    return best


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("per", ["label", "all"])
@pytest.mark.parametrize("average", ["micro", "macro"])
def test_exact_is_the_best_of_all_choices_that_keep_the_limit(kind, per, average):
    make, keeps = KINDS[kind]
    goal, seen = objective("f1", average), set()
    for seed in range(5):
        scores, events = random_events(seed, n_recordings=2, n_frames=12)
        if not len(events):
            continue
        curves = event_curves(scores, events, GRID, "collar")
        pairs = [
            sorted(
                set(
                    zip(
                        *(counts[0, curves.label_of == k].tolist() for counts in (curves.tp, curves.pp)),
                        strict=True,
                    )
                )
            )
            for k in range(2)
        ]
        p = curves.p.sum(axis=0)
        for v in (1, 2, 3):
            rule = make(v, per, scores.hours)

            def kept(tp, pp, p, v=v):
                return keeps(v, tp, pp, p)

            some = any(tp for own in pairs for tp, _ in own)
            best = tried(pairs, p, goal, kept, per == "all", kind == "precision" and some)
            if kind == "precision" and per == "label":
                # A label with events that only "never" keeps cannot have the precision.
                own = [any(kept(tp, pp, p[k]) and pp for tp, pp in pairs[k]) or not p[k] for k in range(2)]
                best = best if all(own) else None
            seen.add(best is None)
            given = {"settings": GRID, "method": "exact", "average": average, "constraints": [rule]}
            if best is None:
                with pytest.raises(InfeasibleError):
                    tune(scores, events, **given)
                continue
            found = tune(scores, events, **given)
            assert found.value == pytest.approx(best, abs=1e-12)
            assert found.status == "optimal"
            assert found.constraints[0]["holds"]
            assert np.array_equal(evaluate(events, found.decide(scores)).counts, found.counts)
    assert False in seen


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (limits.MaxPredictions(rate=0.1), r"Use MaxPredictions\(per_hour="),
        (limits.MinPredictions(rate=0.1), "there is no end to that"),
        (limits.MaxFalsePositives(rate=0.1), "is a share of all that could be given"),
        (limits.MaxFalsePositiveRate(0.1), "rightly not given"),
        (limits.SameThreshold(("baby_cry", "rain")), "limits thresholds"),
        (limits.AtMost("baby_cry", "rain"), "limits thresholds"),
        (limits.Hierarchy((("baby_cry", "rain"),)), "limits thresholds"),
        (limits.ThresholdRange(0.1, 0.9), "limits thresholds"),
    ],
)
@pytest.mark.parametrize("method", ["exact", "auto"])
def test_what_counts_of_events_do_not_decide_is_refused(limit, message, method):
    scores, events = shipped("esc10")
    with pytest.raises(UnsupportedError, match=message):
        tune(scores, events, settings=Setting(), constraints=[limit], method=method)


def test_shares_of_segments_are_limited():
    scores, events = shipped("esc10")
    given = [limits.MaxPredictions(rate=0.1), limits.MaxFalsePositiveRate(0.05)]
    for method in ("exact", "auto"):
        found = tune(scores, events, settings=FEW, criterion="segment", constraints=given, method=method)
        _, pp, p, n = found.counts
        assert (pp <= 0.1 * n).all()
        assert ((found.counts.pp - found.counts.tp) <= 0.05 * (n - p)).all()


@pytest.mark.parametrize(
    "limit",
    [
        limits.MinPrecision(0.5, per="all"),
        limits.MinPrecision(0.5),
        limits.MinRecall(0.3, per="all"),
        limits.MaxPredictions(30, per="all"),
        limits.MinPredictions(2),
        limits.MaxFalsePositives(3),
    ],
)
def test_auto_keeps_a_reserve_and_says_how_it_fared(limit):
    scores, events = small()
    groups = {name: i % 6 for i, name in enumerate(scores.names)}
    found = tune(scores, events, settings=FEW, constraints=[limit], groups=groups, infeasible="never")
    told = found.constraints[0]
    assert told["holds"] or found.status == "infeasible"
    assert found.details["hold"] == 0.9
    assert "left out, " in found.said_constraints()[0]
    assert "items" not in found.said_constraints()[0]
    assert found.expected is not None
    assert np.array_equal(evaluate(events, found.decide(scores)).counts, found.counts)
    exact = tune(scores, events, settings=FEW, constraints=[limit], infeasible="never", method="exact")
    assert found.value <= exact.value + 1e-9 or found.status == "infeasible"


def test_more_hold_is_more_reserve():
    scores, events = small()
    limit = limits.MaxFalsePositives(4, per="all")
    found = [tune(scores, events, settings=FEW, constraints=[limit], hold=hold) for hold in (0.5, 0.99)]
    assert [one.details["hold"] for one in found] == [0.5, 0.99]
    assert found[0].counts.pp.sum() > found[1].counts.pp.sum()


def made(seed, n):
    """Recordings of one label whose wrong events come in heaps."""
    rng = np.random.default_rng(seed)
    recordings, rows = {}, []
    for i in range(n):
        own = rng.normal(-3, 0.5, (60, 1))
        bad = rng.random() < 0.25
        for at in range(2, 54, 9):
            real = rng.random() < (0.2 if bad else 0.8)
            own[at : at + 4] += rng.normal(6.5 if real else 5.0, 1.0)
            if real:
                rows.append((f"r{i}", at * 0.1, (at + 4) * 0.1, "call"))
        recordings[f"r{i}"] = own
    return FrameScores(("call",), recordings, 0.1), Events.from_rows(rows, recordings=tuple(recordings))


def test_limits_hold_on_new_recordings_as_often_as_asked():
    new, truth = made(10**6, 1500)
    limit, kept = limits.MaxFalsePositives(30, per="all"), {"exact": 0, "auto": 0}
    for seed in range(12):
        scores, events = made(seed, 60)
        for method in kept:
            found = tune(scores, events, settings=Setting(), metric="recall", constraints=[limit], method=method)
            tp, pp, *_ = evaluate(truth, found.decide(new)).counts
            kept[method] += bool(pp[0] - tp[0] <= 30 * 1500 / 60)
    assert kept["exact"] <= 6
    assert kept["auto"] >= 9


def test_what_cannot_be_kept_is_told():
    scores, events = made(0, 30)
    impossible = [limits.MinPrecision(0.99), limits.MinRecall(0.9)]
    with pytest.raises(InfeasibleError):
        tune(scores, events, settings=Setting(), constraints=impossible)
    found = tune(scores, events, settings=Setting(), constraints=impossible, infeasible="status")
    assert found.status == "infeasible"
    assert found.reason
    silent = tune(scores, events, settings=Setting(), constraints=impossible, infeasible="never")
    assert silent.never == ("call",)


def test_one_recording_has_no_reserve_and_says_so():
    scores, events = made(0, 1)
    found = tune(scores, events, settings=Setting(), constraints=[limits.MaxPredictions(4)])
    assert (found.expected, found.details["folds"]) == (None, 0)
    assert "one group of recordings" in found.expected_reason
    assert found.counts.pp[0] <= 4


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"hold": 0.9}, InputError, "hold goes with constraints"),
        (
            {"hold": 0.9, "method": "exact", "constraints": [limits.MaxPredictions(3)]},
            UnsupportedError,
            "nothing to spare",
        ),
        ({"hold": 0.3, "constraints": [limits.MaxPredictions(3)]}, InputError, "hold=0.3 is no rate"),
        ({"method": "shared", "constraints": [limits.MaxPredictions(3)]}, UnsupportedError, "'auto' or 'exact'"),
    ],
)
def test_messages(given, error, message):
    scores, events = made(0, 3)
    with pytest.raises(error, match=message):
        tune(scores, events, settings=Setting(), **given)


def test_labels_without_events_ties_and_silence():
    scores, events = random_events(3, n_recordings=8, n_labels=3)
    rows = [row for row in events.rows() if row[3] != "c"]
    events = Events.from_rows(rows, recordings=scores.names, labels=scores.labels)
    limit = limits.MaxFalsePositives(1)
    found = tune(scores, events, settings=FEW, constraints=[limit], infeasible="never")
    assert (found.counts.pp - found.counts.tp <= 1).all()
    flat = FrameScores(scores.labels, {n: np.zeros_like(s) for n, s in scores.recordings.items()}, 0.1)
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        same = tune(flat, events, settings=FEW, constraints=[limit], infeasible="never")
    assert isinstance(same, limen.events.EventThresholds)
