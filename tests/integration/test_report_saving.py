"""Files that leave the page: the edited thresholds decide as the page shows, and the table is what is shown."""

import csv
import json

import numpy as np
import pytest

import limen
from integration.report_page import opened
from limen.datasets import spoken_tags
from limen.reporting import report


@pytest.fixture(scope="module")
def tuned():
    y_true, y_score, names = spoken_tags()
    return y_true[:1000], y_score[:1000], limen.tune(y_true[:1000], y_score[:1000], labels=names)


@pytest.fixture(scope="module")
def path(tuned, tmp_path_factory):
    return report(*tuned, tmp_path_factory.mktemp("saving") / "r.html", methods=())


def test_unchanged_thresholds_are_saved_as_they_were(chrome, tuned, path, tmp_path):
    thresholds = tuned[2]
    with opened(chrome, path) as page:
        saved = limen.Thresholds.load(page.download("#save", tmp_path))
        assert "as tuned" in page.page.inner_text("#saved")
    assert saved == thresholds
    assert saved.values.dtype == thresholds.values.dtype


def test_edited_thresholds_decide_as_the_page_shows(chrome, tuned, path, tmp_path):
    y_true, y_score, thresholds = tuned
    with opened(chrome, path) as page:
        page.show("digit 7")
        page.drag_to(0.7)
        moved = page.threshold()
        page.show("lucas")
        page.page.click("#to-never")
        shown = page.averages()
        precision = page.value("#frontier-precision")
        file = page.download("#save", tmp_path)
        assert "edited by hand" in page.page.inner_text("#saved")
    saved = limen.Thresholds.load(file)
    assert saved.method == "auto, edited by hand"
    assert saved.status == "local"
    assert saved.expected is None
    assert saved.never == ("lucas",)
    expected = thresholds.values.copy()
    expected[[saved.labels.index("digit 7"), saved.labels.index("lucas")]] = moved, np.inf
    assert np.array_equal(saved.values, expected)
    result = limen.evaluate(y_true, y_score, saved)
    assert result.on_tuning_data
    assert result.value == pytest.approx(shown["micro"], rel=1e-12)
    assert saved.value == pytest.approx(result.value, rel=1e-12)
    decisions = saved.decide(y_score)
    assert (decisions & (y_true == 1)).sum() / decisions.sum() == pytest.approx(precision, rel=1e-12)
    edited = saved.details["edited"]
    assert {change["label"]: change["to"] for change in edited["thresholds"]} == {"digit 7": moved, "lucas": None}
    assert edited["before"]["value"] == thresholds.value
    assert saved.upper_bound == thresholds.upper_bound
    assert saved.digest == thresholds.digest


def test_an_edited_file_can_be_edited_again(chrome, tuned, path, tmp_path):
    with opened(chrome, path) as page:
        page.page.click("#to-half")
        once = limen.Thresholds.load(page.download("#save", tmp_path))
    again = report(*tuned[:2], once, tmp_path / "r.html")
    with opened(chrome, again) as page:
        assert "not measured" in page.page.inner_text("#first-rows .first-given")
        page.page.click("#to-never")
        twice = limen.Thresholds.load(page.download("#save", tmp_path))
    assert twice.method == "auto, edited by hand"
    assert twice.details["edited"]["before"]["edited"]["before"]["method"] == "auto"


def test_other_data_than_those_tuned_on(chrome, tuned, tmp_path):
    """Counts, number of items and digest of the edited file are of the report's data, and it says so."""
    _, _, thresholds = tuned
    y_true, y_score, names = spoken_tags()
    y_true, y_score = y_true[1000:1500], y_score[1000:1500].astype(np.float64)
    path = report(y_true, y_score, thresholds, tmp_path / "r.html", methods=())
    measured = limen.evaluate(y_true, y_score, thresholds)
    with opened(chrome, path) as page:
        trust = page.page.inner_text("#trust")
        assert trust.startswith("Measured on 500 items other than the 1\u202f000 tuned on, which gave")
        assert f"{100 * thresholds.value:.1f}" in trust
        assert page.averages()["micro"] == pytest.approx(measured.value, rel=1e-12)
        page.page.click("#save")
        assert "that you gave still holds" in page.page.inner_text("#saved")
        page.drag_to(0.5)
        moved = page.threshold()
        file = page.download("#save", tmp_path)
    saved = limen.Thresholds.load(file)
    assert saved.n_items == 500
    assert saved.digest == limen.Curves.from_arrays(y_true, y_score, labels=names).digest()
    assert saved.values.dtype == np.float64
    assert moved in saved.values
    assert saved.upper_bound is None
    assert limen.evaluate(y_true, y_score, saved).on_tuning_data
    assert saved.details["edited"]["counts_of"] == "the data of the report"
    assert json.loads(file.read_text())["value_measured_on"] == "data of a report"


def test_undo_redo_reset_and_what_changed(chrome, path):
    with opened(chrome, path) as page:
        start, at_start = page.averages(), page.threshold()
        assert page.page.inner_text("#changed-count") == "no change"
        assert page.page.is_disabled("#undo")
        page.drag_to(0.4)
        dragged, at_drag = page.averages(), page.threshold()
        page.page.click("#to-never")
        assert page.page.inner_text("#changed-count") == "1 changed"
        page.page.click("#undo")
        assert (page.averages(), page.threshold()) == (dragged, at_drag)
        page.page.click("#undo")
        assert (page.averages(), page.threshold()) == (start, at_start)
        page.page.click("#redo")
        assert page.averages() == dragged
        page.show("theo")
        page.page.click("#to-half")
        assert page.page.locator("#changes-rows tr").count() == 2
        row = page.page.locator("#changes-rows tr", has_text="theo")
        assert "→ 0.5" in row.inner_text()
        row.get_by_role("button", name="put theo back").click()
        assert page.averages() == dragged
        page.page.click("#reset")
        assert page.averages() == start
        assert page.page.is_visible("#changes-none")
        page.page.click("#undo")
        assert page.averages() == dragged


def rows_of(file):
    with file.open(newline="", encoding="utf-8") as opened_file:
        return list(csv.DictReader(opened_file))


def test_the_review_as_csv(chrome, tuned, tmp_path):
    y_true, y_score, thresholds = tuned
    ids = [f'clip "{k}", left' for k in range(len(y_true))]
    path = report(y_true, y_score, thresholds, tmp_path / "r.html", ids=ids, methods=())
    with opened(chrome, path) as page:
        rows = rows_of(page.download("#save-items", tmp_path))
    assert {row["why"] for row in rows} == {"near", "missed", "wrong"}
    assert len({(row["item"], row["label"]) for row in rows}) == len(rows) > 24 * 16
    given = thresholds.decide(y_score)
    for row in rows:
        item, label = ids.index(row["item"]), thresholds.labels.index(row["label"])
        assert np.float32(row["score"]) == y_score[item, label]
        assert np.float32(row["threshold"]) == thresholds.values[label]
        assert int(row["given"]) == given[item, label]
        assert int(row["has_label"]) == y_true[item, label]
        assert row["why"] == "near" or (row["why"] == "missed") == (y_true[item, label] == 1) != given[item, label]


def test_the_table_as_csv(chrome, tuned, path, tmp_path):
    with opened(chrome, path) as page:
        page.page.fill("#search", "digit")
        page.page.locator("#table-head [data-key=recall] button").click()
        file = page.download("#save-table", tmp_path)
    rows = rows_of(file)
    computed = {row["label"]: row for row in limen.evaluate(*tuned).table}
    assert {row["label"] for row in rows} == {name for name in computed if name.startswith("digit")}
    recalls = [float(row["recall"]) for row in rows]
    assert recalls == sorted(recalls, reverse=True)
    for row in rows:
        for key in ("threshold", "support", "tp", "fp", "fn", "precision", "recall", "f1"):
            assert float(row[key]) == pytest.approx(computed[row["label"]][key], rel=1e-12)
