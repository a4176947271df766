"""States of labels and their intervals in the page are those of limen.states, before and after edits."""

import csv

import numpy as np
import pytest

from integration.own_metrics import Gain, Means
from integration.report_page import opened
from limen import metrics
from limen.data import as_data
from limen.decisions import count_decisions
from limen.objectives import Objective
from limen.reporting import report
from limen.states import NONE_DRAWN, STATES, cells_of, influences, label_states, rules, state_keys, variance

METRICS = (
    "f1",
    {"name": "fbeta", "beta": 2.0},
    "jaccard",
    "kappa",
    "mcc",
    "g_mean",
    {"name": "cost", "fp": 1.0, "fn": [4.0, 2, 1, 0.5, 6, 4, 4, 3, 2, 1]},
    Gain(),
    Means(),
)
LABELS = [f"label {k}" for k in range(10)]


def problem(seed=0):
    """Return labels of all kinds: rare, common, without positives, never given, well and badly told apart."""
    draw = np.random.default_rng(seed)
    n, frequency = 700, np.array([0.01, 0.02, 0.5, 0.3, 0.2, 0.1, 0.4, 0.15, 0.0, 0.25])
    y_true = draw.random((n, 10)) < frequency
    gap = np.array([2, 2, 0.3, 2, 0.1, 1, 3, 1, 1, 1.5])
    y_score = 1 / (1 + np.exp(-(draw.normal(0, 1, (n, 10)) + gap * (y_true - 0.5) + draw.normal(0, 0.7, 10))))
    values = draw.uniform(0.2, 0.8, 10).astype(np.float32)
    values[7] = np.inf
    return y_true, y_score.astype(np.float32), values


def rows_of(page, folder):
    """Return the rows of the page's table as CSV by label."""
    with page.download("#save-table", folder).open(newline="") as file:
        return {row["label"]: row for row in csv.DictReader(file)}


def in_python(objective, source, values, spread, units):
    """Return state and difference with its ends by label: by the parts that limen.states is made of."""
    counts = count_decisions((source,), values, check=False)
    half = count_decisions((source,), np.full(len(values), 0.5, np.float32), check=False)
    gain = objective.of_labels(*counts) - objective.of_labels(*half)
    cells = cells_of(counts, half)
    width = 1.96 * np.sqrt(variance(cells, influences(objective, counts, half)[0]) * spread)
    for_half = (cells[2] + cells[5]) * units / counts.n.max()
    gains = np.array([gain, gain - width, np.maximum(gain + width, np.where(for_half <= NONE_DRAWN, 0, -np.inf))])
    return state_keys(counts, source.n_items, gains), gains


def agree(page, folder, objective, source, values, spread, units=700, given=None):
    """Compare state, difference and tallies; ``given`` are the differences of labels that did not move."""
    keys, gains = in_python(objective, source, values, spread, units)
    if given is not None:
        gains = np.where(np.isnan(given), gains, given)
    rows = rows_of(page, folder)
    assert [rows[name]["state"] for name in LABELS] == [STATES[key].words for key in keys]
    shown = np.array(
        [[float(rows[name][f"change_{end}"]) for name in LABELS] for end in ("against_half", "low", "high")]
    )
    if isinstance(objective.metric, metrics.Cost):
        shown = -shown[[0, 2, 1]]
    np.testing.assert_allclose(shown, gains, rtol=1e-5, atol=1e-7)
    tally = {key: int(page.page.inner_text(f"#tile-{key}")) for key in STATES}
    assert tally == {key: keys.count(key) for key in STATES}
    assert sum(tally.values()) == len(LABELS)
    return keys


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: str(metric)[:20])
def test_states_and_intervals_follow_edits(chrome, tmp_path, registered, metric):
    y_true, y_score, values = problem()
    source = as_data(y_true, y_score, labels=LABELS).source
    objective = Objective(metrics.get(metric), "macro")
    path = report(
        y_true, y_score, values, tmp_path / "r.html", labels=LABELS, metric=metric, average="macro", methods=()
    )
    found = label_states((source,), values, objective)
    assert (found.spread == 1).all()
    with opened(chrome, path) as page:
        keys = agree(page, tmp_path, objective, source, values, found.spread)
        assert keys == found.keys
        for key, rule in rules(objective.metric).items():
            assert page.page.inner_text(f"#rule-{key}").replace(".0", "") == rule.replace(".0", "")
        for place, cut in ((3, 0.9), (6, 0.85), (2, 0.5), (7, 0.4), (5, 0.05)):
            page.show(LABELS[place])
            page.type_in(cut)
            values[place] = page.threshold()
        agree(page, tmp_path, objective, source, values, found.spread)
        page.page.click("#undo")
        values[5] = problem()[2][5]
        agree(page, tmp_path, objective, source, values, found.spread)


def test_all_states_occur_and_the_bar_moves_weak(chrome, tmp_path):
    y_true, y_score, values = problem()
    source = as_data(y_true, y_score, labels=LABELS).source
    path = report(y_true, y_score, values, tmp_path / "r.html", labels=LABELS, average="macro", methods=())
    with opened(chrome, path) as page:
        keys = agree(page, tmp_path, Objective(metrics.get("f1"), "macro"), source, values, 1.0)
        assert set(keys) == set(STATES)
        for key in STATES:
            page.page.click(f"#kinds [data-kind={key}]")
            assert page.page.inner_text("#table-count").startswith(f"{keys.count(key)} of")
        page.page.click("#kinds [data-kind=all]")
        page.page.fill("#weak-bar", "80")
        found = label_states((source,), values, Objective(metrics.get("f1")), bar=0.8).keys
        assert int(page.page.inner_text("#tile-weak")) == found.count("weak") > keys.count("weak")
        assert page.page.inner_text("#rule-weak") == "F1 below 80 %"
        worse = LABELS[keys.index("worse")]
        page.show(worse)
        assert page.page.inner_text("#label-notes").startswith("Clearly worse than 0.5: F1 against that at 0.5")
        red = page.page.locator(".badge-worse").evaluate_all("all => all.map(e => getComputedStyle(e).color)")
        other = page.page.locator(".badge:not(.badge-worse)").evaluate_all(
            "all => all.map(e => getComputedStyle(e).color)"
        )
        assert red
        assert not set(red) & set(other)


@pytest.mark.parametrize("grouped", [False, True])
def test_weights_and_groups_widen_the_intervals(chrome, tmp_path, grouped):
    y_true, y_score, values = problem(1)
    how = (
        {"groups": np.arange(700) // 5}
        if grouped
        else {"sample_weight": np.random.default_rng(2).uniform(0, 3, 700)}
    )
    data = as_data(y_true, y_score, labels=LABELS, **how)
    objective = Objective(metrics.get("f1"), "macro")
    found = label_states((data.source,), values, objective, groups=data.groups)
    assert (found.spread != 1).any()
    path = report(data, None, values, tmp_path / "r.html", average="macro", methods=())
    with opened(chrome, path) as page:
        units = 140 if grouped else 700
        given = found.gains.copy()
        assert agree(page, tmp_path, objective, data.source, values, found.spread, units, given) == found.keys
        page.show(LABELS[3])
        page.type_in(0.9)
        values[3], given[:, 3] = page.threshold(), np.nan
        agree(page, tmp_path, objective, data.source, values, found.spread, units, given)


def test_a_saved_file_has_the_states_of_the_page(chrome, tmp_path):
    import limen

    y_true, y_score, values = problem()
    path = report(y_true, y_score, values, tmp_path / "r.html", labels=LABELS, average="macro", methods=())
    with opened(chrome, path) as page:
        page.show(LABELS[3])
        page.type_in(0.9)
        shown = rows_of(page, tmp_path)
        saved = limen.Thresholds.load(page.download("#save", tmp_path))
    assert [STATES[key].words for key in saved.states()] == [shown[name]["state"] for name in LABELS]
    edited = saved.details["edited"]
    assert (edited["report"], edited["n_items"], edited["tuning_data"]) == ("Thresholds of 10 labels", 700, True)
    assert edited["data_digest"] == saved.digest
