"""Hard and odd data of events, messages, and the file of event thresholds."""

import json

import numpy as np
import pytest

import limen
from events_data import random_events, shipped
from limen.constraints import MaxFalsePositives, MinPrecision, SameThreshold
from limen.errors import UnsupportedError
from limen.events import (
    Collar,
    Events,
    EventThresholds,
    FrameScores,
    Intersection,
    Setting,
    evaluate,
    event_curves,
    settings_grid,
    tune,
)

GRID = settings_grid(median=(0, 0.3), hysteresis=(0, 2), gap=(0, 0.2))
LABELS = ("dog",)


def one(values, **more):
    return FrameScores(LABELS, {"a": np.asarray(values, "f8").reshape(-1, 1)}, 0.5, **more)


@pytest.fixture(scope="module")
def tuned():
    return tune(*shipped("esc10"), settings=GRID, method="exact")


def test_one_recording_and_one_frame():
    events = Events.from_rows([("a", 0.0, 0.5, "dog")])
    for method in ("exact", "shared", "auto"):
        found = tune(one([0.7]), events, method=method)
        assert (found.expected, found.expected_reason != "") == (None, True)
        assert found.value == 1.0
        assert found.decide(one([0.7])).rows() == [("a", 0.0, 0.5, "dog")]


def test_all_scores_equal_no_frames_and_labels_without_events():
    events = Events.from_rows([("a", 0.0, 2.0, "dog")], recordings=("a", "b"), labels=("cat", "dog"))
    scores = FrameScores(("cat", "dog"), {"a": np.full((4, 2), 0.5), "b": np.empty((0, 2))}, 0.5)
    for method in ("exact", "shared"):
        found = tune(scores, events, method=method)
        assert found.counts.tp[1] == 1
    exact = tune(scores, events, method="exact")
    assert exact.never == ("cat",)
    assert len(exact.decide(scores)) == 1
    with pytest.raises(limen.InputError, match="there are no events"):
        tune(scores, Events.from_rows([], recordings=("a", "b"), labels=("cat", "dog")))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("kind", ["logit", "probability"])
def test_dtypes_and_kinds(dtype, kind):
    scores, events = random_events(3, kind=kind, n_recordings=6)
    scores = FrameScores(scores.labels, {n: s.astype(dtype) for n, s in scores.recordings.items()}, 0.1)
    found = tune(scores, events, settings=GRID, method="exact")
    assert (found.scale, found.score_dtype) == (kind, str(np.dtype(dtype)))
    assert np.array_equal(evaluate(events, found.decide(scores)).counts, found.counts)


def test_overlapping_and_late_events_are_told():
    rows = [("a", 0.0, 1.0, "dog"), ("a", 0.5, 1.5, "dog"), ("a", 1.5, 2.0, "dog"), ("a", 2.5, 9.0, "dog")]
    with pytest.warns(limen.LimenWarning) as told:
        curves = event_curves(one([0.1, 0.9, 0.8, 0.2]), Events.from_rows(rows), Setting())
    assert curves.p[0, 0] == 3
    assert [str(w.message).partition(" (")[0].partition(" another")[0] for w in told] == [
        "1 event overlapped",
        "1 event end after the recording",
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: one([np.nan]), "the scores of 'a' have 1 value that are NaN or infinite"),
        (lambda: FrameScores(LABELS, {"a": np.zeros((3, 2))}, 0.5), r"have the shape \(3, 2\)"),
        (lambda: FrameScores(LABELS, {"a": np.zeros((3, 1), int)}, 0.5), "are int64"),
        (lambda: FrameScores(LABELS, {}, 0.5), "no recordings"),
        (lambda: one([1.0], durations={"a": 9.0}), "lasts 9 s"),
        (lambda: Events.from_rows([("a", 1.0, 1.0, "dog")]), "1 event cannot be"),
        (lambda: Events.from_rows([("a", 0.0, np.nan, "dog")]), "no usable times"),
        (lambda: Events.from_rows([("a", 0.0, 1.0, "dog")], labels=["cat"]), "name the labels 'dog'"),
        (lambda: Setting(median=-1), "median=-1 of a setting"),
        (lambda: Collar(onset=-1), "onset of a collar is -1"),
        (lambda: Intersection(dtc=0), "dtc of an intersection is 0"),
        (lambda: tune(one([0.5]), Events.from_rows([("a", 0, 0.5, "dog")]), method="x"), "method='x' is unknown"),
        (lambda: tune(one([0.5]), Events.from_rows([("b", 0, 0.5, "dog")])), "different recordings"),
        (lambda: tune(one([0.5]), Events.from_rows([("a", 0, 0.5, "dog")]), criterion="x"), "criterion='x'"),
        (lambda: tune(one([0.5]), Events.from_rows([("a", 0, 0.5, "dog")]), settings=[]), "settings="),
    ],
)
def test_messages(make, message):
    with pytest.raises(limen.InputError, match=message):
        make()


def test_metrics_and_constraints_that_counts_of_events_do_not_decide():
    scores, events = shipped("esc10")
    with pytest.raises(UnsupportedError, match="by collars"):
        tune(scores, events, settings=Setting(), metric="mcc")
    with pytest.raises(UnsupportedError, match="of whole items"):
        tune(scores, events, settings=Setting(), average="samples")
    with pytest.raises(UnsupportedError, match="limits thresholds"):
        tune(scores, events, settings=Setting(), constraints=[SameThreshold(scores.labels[:2])])
    assert (
        tune(scores, events, settings=GRID, metric="mcc", criterion="segment", method="exact").status == "optimal"
    )


def test_constraints_are_kept(tuned):
    scores, events = shipped("esc10")
    limit = MaxFalsePositives(per_hour=150, hours=scores.hours, per="all")
    found = tune(scores, events, settings=GRID, constraints=[MinPrecision(0.5), limit], infeasible="never")
    tp, pp, *_ = found.counts
    assert ((2 * tp >= pp) | (pp == 0)).all()
    assert (pp - tp).sum() <= 150 * scores.hours
    assert found.value < tuned.value
    assert [entry["holds"] for entry in found.constraints] == [True, True]


def test_groups_are_not_divided_and_results_repeat():
    scores, events = shipped("fsdd")
    groups = {name: i % 4 for i, name in enumerate(scores.names)}
    a, b = (tune(scores, events, settings=GRID[:4], groups=groups, random_state=1) for _ in range(2))
    assert a.to_dict() | {"created": ""} == b.to_dict() | {"created": ""}
    assert a.expected is not None
    assert a.expected.low <= a.expected.value <= a.expected.high


def test_the_file(tmp_path, tuned):
    path = tmp_path / "events.json"
    tuned.save(path)
    assert EventThresholds.load(path) == tuned
    with pytest.raises(limen.InputError, match=r"use limen\.events\.EventThresholds\.load"):
        limen.Thresholds.load(path)
    content = json.loads(path.read_text())
    for change, message in (
        (lambda c: c.update(schema_version=9), "schema version 9"),
        (lambda c: c.pop("criterion"), "lacks 'criterion'"),
        (lambda c: c["labels"][0].update(tp=10**6), "cannot be"),
        (lambda c: c.update(value=0.1), "The file was altered"),
        (lambda c: c["labels"][0].update(low=1e6), "above its threshold"),
        (lambda c: c["labels"][0]["setting"].pop("gap"), "lacks 'gap'"),
    ):
        altered = json.loads(json.dumps(content))
        change(altered)
        path.write_text(json.dumps(altered))
        with pytest.raises(limen.InputError, match=message):
            EventThresholds.load(path)
    path.write_text(json.dumps(content)[:200])
    with pytest.raises(limen.InputError, match="cut short"):
        EventThresholds.load(path)
    limen.tune([[0], [1]], [[0.1], [0.9]]).save(path)
    with pytest.raises(limen.InputError, match=r"use limen\.Thresholds\.load"):
        EventThresholds.load(path)


def test_scores_that_contradict_the_file(tuned):
    scores, _ = shipped("esc10")
    with pytest.raises(limen.InputError, match=r"frames of 0\.1 s"):
        tuned.decide(FrameScores(scores.labels, scores.recordings, 0.1))
    with pytest.raises(limen.InputError, match="different labels"):
        tuned.decide(shipped("fsdd")[0])
    turned = {name: own[:, ::-1] for name, own in scores.recordings.items()}
    same = tuned.decide(FrameScores(scores.labels[::-1], turned, scores.frame_seconds, scores.durations))
    assert same == tuned.decide(scores)


def test_cross_triggers():
    truth = Events.from_rows([("a", 0.0, 1.0, "dog")], labels=("cat", "dog"))
    found = Events.from_rows([("a", 0.0, 1.0, "cat")], labels=("cat", "dog"))
    assert evaluate(truth, found, "intersection").cross_triggers.tolist() == [[0, 1], [0, 0]]


def test_constraints_on_other_recordings():
    scores, events = shipped("esc10")
    limit = MaxFalsePositives(per_hour=150, hours=scores.hours, per="all")
    found = tune(scores, events, settings=GRID, constraints=[limit], method="exact")
    half = found.outcomes(found.counts, found.hours / 2)
    whole = found.outcomes(found.counts, found.hours)
    assert ([entry["holds"] for entry in whole], [entry["holds"] for entry in half]) == ([True], [False])
    assert half[0]["measured"] == pytest.approx(2 * whole[0]["measured"])
