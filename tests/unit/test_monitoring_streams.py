"""`limen.monitoring.monitor`: what is watched, drifts that are found, states, and odd data."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

import limen
from limen.constraints import MinPrecision
from limen.data import as_data
from limen.errors import InputError, LimenWarning
from limen.metrics import get
from limen.monitoring import State, monitor
from limen.monitoring.checks import unbearable
from limen.objectives import Objective

LABELS = ["owl", "rain", "wind"]
SHARES = np.array([0.1, 0.3, 0.5])


def items(n, seed, shares=SHARES, groups=1):
    """Labels and scores of n items; those of a group are alike."""
    draw = np.random.default_rng(seed)
    shared = np.repeat(draw.normal(size=(-(-n // groups), len(shares))), groups, axis=0)[:n]
    z = (shared + draw.normal(size=(n, len(shares)))) / np.sqrt(2) if groups > 1 else shared
    y = draw.random((n, len(shares))) < shares
    odds = 2 * (z + 2 * y) - 2 + np.log(shares / (1 - shares))
    return y.astype(int), (1 / (1 + np.exp(-odds))).round(3)


@pytest.fixture(scope="module")
def tuned():
    y, s = items(3000, 0)
    return limen.tune(y, s, labels=LABELS)


def test_no_drift_no_alarm_and_a_label_that_moves_is_blamed(tuned):
    y, s = items(4000, 1)
    calm = monitor(tuned, s, y, every=100)
    assert not calm.alarm
    assert calm.blamed == ()
    assert calm.state.n_items == 4000
    moved = s.copy()
    moved[2000:, 1] = (moved[2000:, 1] ** 0.3).round(3)
    found = monitor(tuned, moved, every=100)
    assert found.alarm
    assert found.blamed == ("rain",)
    since = int(found.state.courses["tags"].alarm.split()[1])
    assert 20 < since < 30
    row = found.table[0]
    assert (row["label"], row["says"]) == ("rain", "more tags")
    assert row["lately"] > row["limit"] > row["tuned"]
    assert "To blame: more tags: 'rain'" in found.said()[0]


def test_labels_tell_of_recall_false_tags_and_the_metric(tuned):
    y, s = items(4000, 2)
    swapped = s.copy()
    for k in (0, 1):
        swapped[:, k] = np.random.default_rng(k).permutation(swapped[:, k])  # as many tags, at random
    found = monitor(tuned, swapped, y, every=200)
    assert not found.state.courses["tags"].alarm
    assert {(row["label"], row["kind"]) for row in found.table if row["blamed_since"]} == {
        ("owl", "missed"),
        ("owl", "wrong"),
        ("rain", "missed"),
        ("rain", "wrong"),
        ("all labels", "metric"),
    }
    assert found.blamed == ("rain", "owl") or found.blamed == ("owl", "rain")


def test_metric_is_counted_as_it_is_defined(tuned):
    y, s = items(500, 3)
    found = monitor(tuned, s, y)
    row = next(row for row in found.table if row["kind"] == "metric")
    assert row["whole"] == pytest.approx(limen.evaluate(y, s, tuned).value)
    value, low, _ = tuned.expected
    assert row["limit"] == pytest.approx(value - 2.4977 / 1.96 * (value - low) - 0.02, abs=1e-4)
    assert row["basis"] == "expected"
    asked = monitor(tuned, s, y, at_least=0.99)
    assert asked.alarm
    assert next(row for row in asked.table if row["kind"] == "metric")["limit"] == pytest.approx(0.99)


def test_samples_average_is_a_mean_over_items(tuned):
    t = replace(tuned, average="samples")
    new_y, new_s = items(500, 5)
    row = next(row for row in monitor(t, new_s, new_y, at_least=0.3).table if row["kind"] == "metric")
    assert row["whole"] == pytest.approx(limen.evaluate(new_y, new_s, t).value)


def test_a_promise_that_breaks_is_found_for_each_label_and_for_all():
    y, s = items(1500, 6)
    for per in ("label", "all"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LimenWarning)
            t = limen.guarantee(y, s, labels=LABELS, precision=0.8, per=per)
        new_y, new_s = items(4000, 7)
        assert not monitor(t, new_s, new_y, every=200).alarm
        broken = new_y * (np.random.default_rng(1).random(new_y.shape) < 0.7)
        found = monitor(t, new_s, broken, every=200)
        rows = [row for row in found.table if row["basis"] == "promise" and row["blamed_since"]]
        assert rows
        assert {row["kind"] for row in rows} == {"precision"}
        assert ({row["label"] for row in rows} == {"all labels"}) == (per == "all")


def test_limits_on_counts_are_watched_with_a_tolerance():
    y, s = items(2000, 8)
    t = limen.tune(y, s, labels=LABELS, constraints=[MinPrecision(0.8, per="all")], method="exact")
    found = monitor(t, *items(2000, 9)[::-1])
    row = next(row for row in found.table if row["basis"] == "constraint")
    assert row["limit"] == pytest.approx(0.78)
    assert any("method exact expects nothing" in why for why in found.not_watched)


def test_groups_bet_once():
    y, s = items(2000, 10, groups=10)
    t = limen.tune(y, s, labels=LABELS, groups=np.arange(2000) // 10)
    new_y, new_s = items(2000, 11, groups=10)
    groups = np.arange(2000) // 10
    by_items = monitor(t, new_s, new_y)
    by_groups = monitor(t, new_s, new_y, groups=groups, group_size=10)
    limits = [{(row["label"], row["kind"]): row["limit"] for row in one.table} for one in (by_items, by_groups)]
    assert limits[1]["owl", "more"] > limits[0]["owl", "more"]
    assert by_groups.state.settings.group_size == 10
    assert monitor(t, new_s, new_y, groups=groups).table == by_groups.table
    names = np.array([f"recording {k}" for k in groups])
    assert monitor(t, new_s, new_y, groups=names, group_size=10).table == by_groups.table
    with pytest.raises(InputError, match=r"1 group have items in two checks .first: row 15"):
        monitor(t, new_s[:25], groups=groups[:25], every=15)


def test_daily_runs_are_one_run(tuned, tmp_path):
    y, s = items(900, 12)
    days = np.repeat(np.arange(9) + 7, 100)
    order = np.random.default_rng(0).permutation(900)
    whole = monitor(tuned, s[order], y[order], time=days[order])
    path = tmp_path / "monitor.json"
    for day in range(9):
        rows = slice(100 * day, 100 * day + 100)
        last = monitor(tuned, s[rows], y[rows], state=path, time=days[rows])
    assert last.table == whole.table
    assert [point["when"] for point in last.state.history] == [str(day + 7) for day in range(9)]
    assert State.load(path).to_dict() | {"updated": ""} == last.state.to_dict() | {"updated": ""}
    in_memory = monitor(tuned, s[:450], y[:450], every=50)
    assert monitor(tuned, s[450:], y[450:], every=50, state=in_memory.state).state.n_items == 900
    assert in_memory.state.n_items == 450  # what was given is not changed


def test_items_count_once(tuned):
    _, s = items(300, 13)
    ids = [f"clip {k}" for k in range(300)]
    first = monitor(tuned, s[:200], ids=ids[:200], time=np.repeat([1, 2], 100))
    again = monitor(tuned, s[:100][::-1], ids=ids[:100][::-1], state=first.state, time=np.full(100, 9))
    assert again.skipped == ("9",)
    assert again.table == first.table
    assert "counted before, not counted again: '9'" in again.said()
    with pytest.raises(InputError, match=r"items of the last check come again, with others: 'clip 150'"):
        monitor(tuned, s[150:250], ids=ids[150:250], state=first.state)
    stuck = np.full((100, 3), 0.2)  # a recorder that is stuck is no repetition, where runs have times
    stopped = monitor(tuned, stuck, time=np.full(100, 1))
    assert monitor(tuned, stuck, time=np.full(100, 2), state=stopped.state).state.n_items == 200
    assert monitor(tuned, stuck, every=10).state.courses["tags"].number == 10
    without_ids = monitor(tuned, s[:100])
    assert monitor(tuned, s[:100], state=without_ids.state).skipped == ("a check of 100 items",)


def test_labels_that_come_later_count_no_tags_again(tuned):
    y, s = items(300, 14)
    first = monitor(tuned, s)
    later = monitor(tuned, s, y, state=first.state)
    assert later.state.n_items == 300
    assert later.state.courses["tags"].number == 1
    assert later.state.courses["answers"].number == 1
    some = monitor(tuned, s[:40], y[:40], state=first.state, labels_only=True)
    assert (some.state.n_items, some.state.courses["tags"].number) == (300, 1)
    assert monitor(tuned, s, y).table == later.table


def test_columns_are_joined_by_name_and_sparse_scores_are_as_dense(tuned):
    y, s = items(400, 15)
    plain = monitor(tuned, s, y)
    order = [2, 0, 1]
    frame = pd.DataFrame(s[:, order], columns=[LABELS[k] for k in order])
    truth = pd.DataFrame(y, columns=LABELS)
    assert monitor(tuned, frame, truth).table == plain.table
    assert monitor(tuned, s[:, order], y[:, order], labels=[LABELS[k] for k in order]).table == plain.table
    tags = monitor(tuned, s)
    assert monitor(tuned, frame).table == tags.table
    assert monitor(tuned, as_data(y, s, labels=LABELS)).table == plain.table
    low = np.where(s < tuned.values.min(), 0, s)
    assert monitor(tuned, csr_array(low)).table == tags.table
    assert monitor(tuned, csr_array(low), y).table == plain.table
    assert (
        monitor(tuned, csr_array(low), groups=np.arange(400)).table
        == monitor(tuned, s, groups=np.arange(400)).table
    )
    more = frame.assign(crow=0.5)
    assert monitor(tuned, more, extra="ignore").table == tags.table
    with pytest.raises(InputError, match="'crow' only in y_score"):
        monitor(tuned, more)
    with pytest.raises(InputError, match="'owl' only in the thresholds"):
        monitor(tuned, frame.drop(columns="owl"))


def test_unknown_labels_are_left_out_of_answers_and_not_of_tags(tuned):
    y, s = items(400, 16)
    holes = y.astype(float)
    holes[::2] = np.nan
    found = monitor(tuned, s, holes)
    half = monitor(tuned, s[1::2], y[1::2])
    answers = [[row for row in one.table if row["kind"] in ("missed", "wrong", "metric")] for one in (found, half)]
    assert answers[0] == answers[1]
    assert next(row for row in found.table if row["kind"] == "more")["whole"] is not None
    assert monitor(tuned, s, y, mask=~np.isnan(holes)).table == found.table


def test_odd_thresholds():
    draw = np.random.default_rng(0)
    one = limen.tune([[1], [0], [1], [0], [1]], [[0.9], [0.2], [0.8], [0.1], [0.7]], method="exact", labels=["a"])
    assert one.counts.pp == [3]
    assert not monitor(one, draw.random((2000, 1)) < 0.2, every=100).alarm  # five items explain that
    assert not monitor(one, draw.random((2000, 1)) < 0.95, every=100).alarm
    assert monitor(one, np.zeros((2000, 1)), every=100).blamed == ("a",)  # but not that it is never given
    y, s = items(2000, 17)
    y[:, 0] = 0
    with pytest.warns(LimenWarning, match="without a positive"):
        silent = limen.tune(y, s, labels=LABELS, method="exact")
    assert silent.never == ("owl",)
    found = monitor(silent, s, y)
    assert "owl" not in {row["label"] for row in found.table}
    assert "tags of 1 label: never given, or tuned on too few items to tell" in found.not_watched
    with pytest.warns(LimenWarning):
        nothing = limen.tune(np.zeros((9, 2), int), draw.random((9, 2)), method="exact")
    with pytest.raises(InputError, match="nothing of these thresholds can be monitored: "):
        monitor(nothing, draw.random((9, 2)))


def test_what_cannot_be_watched_is_said(tuned):
    y, s = items(600, 18)
    macro = replace(tuned, average="macro")
    assert any("a macro average is a mean of ratios" in why for why in monitor(macro, s, y).not_watched)
    weighted = limen.tune(y, s, labels=LABELS, sample_weight=np.linspace(0.5, 1, 600))
    found = monitor(weighted, s, y)
    assert any("tuned with weights" in why for why in found.not_watched)
    assert [row["kind"] for row in found.table] == ["metric"]
    assert "no ratio of sums over items" in unbearable(Objective(get("mcc")))
    assert "no share of sums over items" in unbearable(Objective(get("kappa")))
    for name in ("f1", "jaccard", "precision", "recall", "accuracy"):
        assert unbearable(Objective(get(name))) == "", name


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"alpha": 1.5}, "alpha=1.5 is not usable. It must lie between 0 and 1"),
        ({"tolerance": -1.0}, "tolerance=-1.0 is not usable"),
        ({"at_least": 0.0}, "at_least=0.0 is not usable"),
        ({"group_size": 3}, "group_size goes with groups"),
        ({"groups": [1, 2, 3, 4], "group_size": 0}, "group_size=0 is not usable"),
        ({"groups": [1, 2]}, r"groups has shape \(2,\) for 4 items"),
        ({"time": [1, 2]}, r"time has shape \(2,\) for 4 items"),
        ({"time": [1, 2, np.nan, 3]}, "time has values that are no time"),
        ({"time": [1, 2, 3, 4], "every": 2}, "time and every both say"),
        ({"every": 0}, "every=0 is not usable"),
        ({"ids": ["a"]}, "ids has 1 name for 4 items"),
        ({"mask": np.ones((4, 3), bool)}, "mask says which labels are known, and there are none"),
        ({"labels_only": True}, "labels_only counts labels, and there are none"),
        ({"labels": ["a", "b"]}, r"y_score has shape \(4, 3\) for 2 labels"),
    ],
)
def test_what_cannot_be_is_refused(tuned, given, said):
    with pytest.raises(InputError, match=said):
        monitor(tuned, np.full((4, 3), 0.5), **given)


def test_scores_must_be_finite(tuned):
    s = np.full((4, 3), 0.5)
    s[2, 1] = np.nan
    for y_true in (None, np.zeros((4, 3))):
        with pytest.raises(InputError, match=r"NaN in 1 of 3 labels .first: 'rain', row 2"):
            monitor(tuned, s, y_true)
    with pytest.raises(InputError, match="weights cannot be monitored"):
        monitor(tuned, as_data(np.zeros((4, 3)), np.full((4, 3), 0.5), labels=LABELS, sample_weight=[1, 2, 3, 4]))


def test_states_are_read_strictly_and_belong_to_their_thresholds(tuned, tmp_path):
    y, s = items(300, 19)
    path = tmp_path / "monitor.json"
    monitor(tuned, s, y, state=path)
    content = json.loads(path.read_text())
    for change, said in (
        ({"version": 9}, "the state has version 9; this limen knows 1"),
        ({"schema": "x"}, "this is no state of limen monitor"),
        ({"more": 1}, "unknown 'more'"),
        ({"sketch": [1]}, "have another form"),
        ({"n_items": 1.5}, "'n_items' of the file is 1.5"),
        ({"courses": {}}, "'courses' has"),
        ({"courses": {"tags": 1, "answers": 2}}, "the course of 'tags' is no object"),
    ):
        with pytest.raises(InputError, match=said):
            State.from_dict({**content, **change})
    course = content["courses"]["tags"]
    for change in ({"logs": [[1, 2]]}, {"sums": [[-1.0] * 6] * 4}, {"number": -1}, {"logs": course["logs"][:2]}):
        bad = {**content, "courses": {**content["courses"], "tags": {**course, **change}}}
        with pytest.raises(InputError, match=r"numbers that cannot be|the state has 2 checks of 'tags'"):
            monitor(tuned, s[:100], state=State.from_dict(bad))
    path.write_text(path.read_text()[:-50])
    with pytest.raises(InputError, match="is not a whole state file: it is cut short, in line 1"):
        monitor(tuned, s, state=path)
    state = monitor(tuned, s).state
    with pytest.raises(InputError, match="the state is of other thresholds"):
        monitor(replace(tuned, values=tuned.values + 0.01), s, state=state)
    with pytest.raises(InputError, match=r"alpha=0.1 is not that of the state, 0.05"):
        monitor(tuned, s, state=state, alpha=0.1)
    with pytest.raises(InputError, match="the state is of items without groups"):
        monitor(tuned, s, state=state, groups=np.arange(300))


def test_an_error_leaves_the_state_as_it_was(tuned, tmp_path):
    _, s = items(300, 20)
    path = tmp_path / "monitor.json"
    monitor(tuned, s[:100], state=path)
    before = path.read_bytes()
    bad = s[100:200].copy()
    bad[7, 0] = np.inf
    with pytest.raises(InputError, match="y_score has"):
        monitor(tuned, bad, state=path)
    assert path.read_bytes() == before


def test_history_is_bounded_and_keeps_alarms():
    point = {"when": "1", "items": 1, "tags": 0.0, "answers": None, "labels": {}, "alarm": [], "blamed": []}
    state = State("", None, {})
    for k in range(5000):
        state.picture({**point, "when": str(k), "alarm": ["tags"] if k == 77 else []})
        state.remember(f"{k}", "t", [])
    assert len(state.history) <= 1000
    assert "77" in {one["when"] for one in state.history}
    assert state.history[-1]["when"] == "4999"
    assert len(state.counted) == 4000
