"""Promises of events hold as often as they say; they are kept in the file, checked, and dropped by edits."""

import json
import warnings

import numpy as np
import pytest

import limen
from limen import constraints as limits
from limen.errors import InputError, UnsupportedError
from limen.events import Events, EventThresholds, FrameScores, Setting, evaluate, guarantee, tune
from limen.events.paths import Counted
from limen.events.proving import proven
from limen.guarantees.pooled import Family
from limen.promises import held

CONFIDENCE, MEMBERS, REPETITIONS = 0.95, 12, 500
ASKED = {"precision": {"precision": 0.75}, "recall": {"recall": 0.7}, "false": {"false_per_hour": 50.0}}


def law(rng, n):
    """Counts (n_members, n) of recordings of a minute: one in 25 is bad, with a heap of wrong ones.

    From member to member precision falls from 0.9 to 0.7, recall rises, and false events an hour rise.
    """
    bad = rng.random(n) < 0.04
    p = 1 + rng.poisson(3, n)
    found = rng.beta(8, 3, n)  # what is found of a recording goes together
    heap = np.where(bad, rng.poisson(25, n), 0)
    share = np.linspace(0.5, 1.2, MEMBERS)[:, None]
    tp = np.minimum(np.floor(share * found * p + rng.random(n)), p)
    fp = np.floor(share**2 * heap + rng.random(n))
    return tp.astype(np.int32), (tp + fp).astype(np.int32), p


def counted(rng, n):
    tp, pp, p = law(rng, n)
    fitted = np.zeros(n, bool)
    fitted[: n // 3] = True
    return Counted(tp[None], pp[None], p[None], np.zeros(1, np.int64), np.full(n, 1 / 60), fitted)


def broken_share(asked):
    """The share of promises that the population breaks, and of those that are made."""
    world = [part.sum(axis=-1) for part in law(np.random.default_rng(0), 300_000)]
    (kind, share), hours = *asked.items(), 300_000 / 60
    short = {
        "precision": world[0] < share * world[1],
        "recall": world[0] < share * world[2],
        "false_per_hour": world[1] - world[0] > share * hours,
    }[kind]
    assert 0 < short.sum() < MEMBERS
    broken = made = 0
    for seed in range(REPETITIONS):
        found = proven(
            counted(np.random.default_rng([1, seed]), 240),
            np.array([MEMBERS]),
            ("call",),
            asked,
            CONFIDENCE,
            "holm",
        )
        made += bool(found.kept.any())
        broken += bool((found.kept[0] & short).any())
    return broken / REPETITIONS, made / REPETITIONS


@pytest.mark.parametrize("kind", list(ASKED))
def test_promises_are_broken_in_no_more_than_the_stated_share(kind):
    broken, made = broken_share(ASKED[kind])
    assert broken <= 1 - CONFIDENCE
    assert made > 0.1


def independent(self, row, size):
    """What `Counted.families` does, with every event for a unit of its own."""
    found = []
    for units in (self.fitted, ~self.fitted):
        tp, pp = (part[row, :size][:, units].sum(axis=1)[:, None] for part in (self.tp, self.pp))
        p, hours = int(self.p[row, units].sum()), self.hours[units].sum()
        number = np.arange(max(int(pp.max()), p))
        right = (number < tp) * 1.0
        totals = np.stack([number < p, np.full(len(number), hours / len(number))])
        found.append(Family(np.arange(size), np.stack([right, (number < pp) - right], axis=1), totals * 1.0))
    return found[0], found[1]


def test_taking_events_for_independent_is_caught(monkeypatch):
    monkeypatch.setattr(Counted, "families", independent)
    broken, _ = broken_share(ASKED["false"])
    assert broken > 1.4 * (1 - CONFIDENCE)


def test_labels_without_hope_cost_nothing_and_are_told():
    rng = np.random.default_rng(3)
    good = counted(rng, 240)
    none = np.zeros_like(good.tp)
    both = Counted(
        np.concatenate([good.tp, none]), np.concatenate([good.pp, none + 3]), np.repeat(good.p, 2, axis=0),
        np.zeros(2, np.int64), good.hours, good.fitted,
    )  # fmt: skip
    alone = proven(good, np.array([MEMBERS]), ("call",), ASKED["precision"], 0.95, "bonferroni")
    found = proven(both, np.full(2, MEMBERS), ("call", "noise"), ASKED["precision"], 0.95, "bonferroni")
    assert np.array_equal(found.kept[0], alone.kept[0])
    assert "no hope of precision of at least 75.0 %" in found.why["noise"]
    assert "0.0 % (0 of" in found.why["noise"]


def made(seed=0, n=120, labels=("call", "song")):
    rng = np.random.default_rng(seed)
    recordings, rows = {}, []
    for i in range(n):
        own = rng.normal(-3, 0.5, (50, len(labels)))
        for k, label in enumerate(labels):
            for at in (3, 18, 33):
                if rng.random() < 0.8:
                    real = rng.random() < 0.9
                    own[at : at + 8, k] += rng.normal(7 if real else 4, 0.7)
                    if real:
                        rows.append((f"r{i}", at * 0.1, (at + 8) * 0.1, label))
        recordings[f"r{i}"] = own
    return FrameScores(labels, recordings, 0.1), Events.from_rows(
        rows, recordings=tuple(recordings), labels=labels
    )


@pytest.fixture(scope="module")
def promised():
    return guarantee(*made(), precision=0.75, settings=Setting())


def test_what_is_promised_is_said_kept_and_checked(promised, tmp_path):
    scores, events = made(1)
    assert promised.promise.said() in promised.summary()
    assert promised.promise.labels == ("call", "song")
    assert "120 recordings; 36 recordings of them only chose the cuts" in promised.promise.basis()
    own = evaluate(made()[1], promised.decide(made()[0]))
    assert np.array_equal(own.counts, promised.counts)
    promised.save(tmp_path / "events.json")
    again = EventThresholds.load(tmp_path / "events.json")
    assert again == promised
    assert again.promise == promised.promise
    found = evaluate(events, again.decide(scores))
    measured = again.promised(found.counts, scores.hours)
    assert [one.label for one in measured] == ["call", "song"]
    assert held(measured, "recordings").startswith("the promise held on these recordings")
    wrong = [found.counts.tp * 0, *found.counts[1:]]
    assert all(one.below for one in again.promised(limen.decisions.Counts(*wrong), scores.hours))


def test_a_file_without_a_promise_and_an_altered_one(promised, tmp_path):
    content = promised.to_dict()
    older = {key: value for key, value in content.items() if key != "promise"}
    assert EventThresholds.from_dict(older).promise is None
    for change in (
        {"asked": {"false_positive_rate": 0.1}},
        {"units": "items"},
        {"labels": ["owl"]},
        {"n_units": -1},
    ):
        altered = json.loads(json.dumps(content))
        altered["promise"] |= change
        with pytest.raises(InputError, match="The file was altered"):
            EventThresholds.from_dict(altered)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"false_per_hour": 300}, "at most 300 false events an hour for each of 2 labels"),
        ({"recall": 0.5}, "recall of at least 50.0 % for each of 2 labels"),
        ({"precision": 0.7, "recall": 0.5, "per": "all"}, "and recall of at least 50.0 % for all events together"),
        ({"false_per_hour": 600, "per": "all", "metric": "f1"}, "at most 600 false events an hour for all events"),
    ],
)
def test_kinds_of_promises(asked, said):
    scores, events = made()
    found = guarantee(scores, events, settings=[Setting(), Setting(median=0.3)], **asked)
    assert said in found.promise.said()
    tp, pp, p, _ = (part.sum() for part in found.counts)
    for kind, share in asked.items():
        numbers = {
            "precision": tp >= 0.7 * pp,
            "recall": tp >= 0.5 * p,
            "false_per_hour": pp - tp <= 2 * 600 * scores.hours,
        }
        assert numbers.get(kind, True), (kind, share)
    assert not any(one.below for one in found.promised(found.counts, scores.hours))


def test_groups_are_the_units_and_say_less():
    scores, events = made()
    groups = [int(name[1:]) // 12 for name in scores.names]
    with pytest.warns(limen.LimenWarning, match="nothing can be promised of 2 labels"):
        found = guarantee(scores, events, precision=0.8, settings=Setting(), groups=groups)
    assert (found.promise.units, found.promise.n_units) == ("groups", 10)
    assert found.status == "infeasible"
    assert found.never == ("call", "song")
    assert found.promise.said().startswith("nothing: no thresholds keep a precision of at least 80.0 %")


def test_hard_data_one_label_silence_no_events_in_the_fitted_part():
    for labels in (("call",), ("call", "song", "wind")):
        scores, events = made(2, 40, labels)
        rows = [row for row in events.rows() if row[3] != "wind"]
        events = Events.from_rows(rows, recordings=scores.names, labels=labels)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", limen.LimenWarning)
            found = guarantee(scores, events, false_per_hour=5000, settings=Setting())
        assert isinstance(found, EventThresholds)
    flat = FrameScores(("call",), {f"r{i}": np.zeros((20, 1)) for i in range(6)}, 0.1)
    one = Events.from_rows([("r0", 0.0, 1.0, "call")], recordings=flat.names)
    with pytest.warns(limen.LimenWarning, match="nothing can be promised"):
        assert guarantee(flat, one, precision=0.9, settings=Setting()).never == ("call",)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({}, InputError, "nothing is asked for"),
        ({"precision": 1.2}, InputError, "precision=1.2 cannot be promised"),
        ({"false_per_hour": 0}, InputError, "a number above 0"),
        ({"precision": 0.9, "per": "x"}, InputError, "per='x'"),
        ({"precision": 0.9, "confidence": None}, InputError, "confidence=None is not usable"),
        ({"precision": 0.9, "correction": {"owl": 2}}, InputError, "correction names 'owl'"),
        (
            {"precision": 0.9, "infeasible": "refuse", "groups": [0, 1] * 60},
            InputError,
            "nothing can be promised of",
        ),
        ({"precision": 0.9, "metric": "mcc"}, UnsupportedError, "by collars"),
        ({"precision": 0.9, "groups": [0] * 120}, InputError, "one group"),
    ],
)
def test_messages(given, error, message):
    with pytest.raises(error, match=message):
        guarantee(*made(), settings=Setting(), **given)
    scores, events = made(0, 1)
    with pytest.raises(InputError, match="there is one recording"):
        guarantee(scores, events, precision=0.9)


def test_constraints_on_new_recordings_after_a_promise_are_another_thing():
    scores, events = made()
    limit = limits.MaxFalsePositives(per_hour=600, hours=scores.hours)
    assert tune(scores, events, settings=Setting(), constraints=[limit]).promise is None
