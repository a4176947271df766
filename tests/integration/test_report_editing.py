"""What the page shows while thresholds are edited is never stale, and nothing is claimed that is not known."""

import numpy as np
import pytest

import limen
from integration.report_page import content, opened
from limen.datasets import spoken_tags
from limen.reporting import report


@pytest.fixture(scope="module")
def data():
    y_true, y_score, names = spoken_tags()
    return y_true[:400], y_score[:400], names


@pytest.fixture(scope="module")
def tuned(data):
    y_true, y_score, names = data
    return limen.tune(y_true, y_score, labels=names)


@pytest.fixture(scope="module")
def path(data, tuned, tmp_path_factory):
    return report(*data[:2], tuned, tmp_path_factory.mktemp("editing") / "r.html", methods=())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_same_items_as_other_floats(data, tuned, tmp_path, dtype):
    found = content(report(data[0], data[1].astype(dtype), tuned, tmp_path / "r.html", methods=()))
    assert (found["data"]["on_same_items"], found["data"]["other_frequencies"]) == (True, False)
    assert found["first"][2]["expected"] == list(tuned.expected)


def test_other_items_of_the_same_support_are_not_taken_for_the_same(data, tmp_path):
    y_true, y_score, names = data
    other = limen.tune(np.random.default_rng(0).permutation(y_true), y_score, labels=names, method="exact")
    found = content(report(y_true, y_score, other, tmp_path / "r.html", methods=()))
    assert (found["data"]["on_same_items"], found["data"]["other_frequencies"]) == (False, False)


def test_a_drag_drops_what_was_being_typed(chrome, path):
    with opened(chrome, path) as page:
        box, keyboard = page.page.locator("#cut-number"), page.page.keyboard
        box.fill("0.5")
        keyboard.press("Enter")
        page.drag_to(0.4)
        dragged = page.threshold()
        assert float(box.input_value()) == pytest.approx(dragged, rel=1e-5)
        box.focus()
        box.press_sequentially("77")
        page.drag_to(0.6)
        dragged = page.threshold()
        keyboard.press("Tab")
        assert page.threshold() == dragged
        text = box.input_value()
        box.fill("0.123")
        keyboard.press("Escape")
        assert box.input_value() == text
        keyboard.press("Tab")
        assert page.threshold() == dragged


def test_undo_shows_on_the_slider_of_the_target(chrome, path):
    with opened(chrome, path) as page:
        slider, start = page.page.locator("#target"), page.page.locator("#target").input_value()
        said = page.page.inner_text("#target-value")
        slider.fill("0.5")
        slider.focus()
        assert slider.input_value() == "0.5"
        page.page.keyboard.press("Control+z")
        assert slider.input_value() == start
        assert page.page.inner_text("#target-value") == said


def test_an_edited_file_claims_no_range(chrome, path, tuned, tmp_path):
    with opened(chrome, path) as page:
        page.show("digit 7")
        page.page.click("#to-half")
        saved = limen.Thresholds.load(page.download("#save", tmp_path))
        rows = page.download("#save-table", tmp_path).read_text().splitlines()
    assert tuned.ranges is not None
    assert saved.ranges is None
    for row in rows[1:]:
        name, _, low, high = row.split(",")[:4]
        assert (low == high == "") == (name == "digit 7")


def test_small_numbers_and_words(chrome, tmp_path):
    draw = np.random.default_rng(1)
    y_score = 10.0 ** -draw.uniform(6, 14, (60, 2))
    y_true = draw.random((60, 2)) < 0.3
    with opened(chrome, report(y_true, y_score, 1e-9, tmp_path / "r.html", methods=())) as page:

        def typed(text):
            page.page.fill("#cut-number", text)
            page.page.keyboard.press("Enter")
            return page.threshold(), page.page.inner_text("#cut-note")

        for wanted in (3e-8, 2e-10, 5e-12):
            threshold, note = typed(str(wanted))
            assert wanted / 3 < threshold < wanted * 3
            assert note == "the nearest cut with known counts"
        assert typed("0.9") == (np.inf, "above every cut: never")
        assert typed("1e-9") == typed("0,000000001") == (1e-9, "")
        for text in ("nonsense", "__proto__", ""):
            assert typed(text) == (1e-9, "type a number, any or never")
        assert typed("never") == (np.inf, "")
        threshold, _ = typed("any")
        assert threshold <= y_score.min(axis=0).max()
        assert page.value("#label-recall") == 1


def test_reset_empties_the_list_of_what_changed(chrome, path):
    with opened(chrome, path) as page:
        page.page.click("#to-never")
        page.page.click("#kinds [data-kind=changed]")
        assert page.page.inner_text("#table-count") == "1 of 16 labels"
        page.page.click("#reset")
        assert page.page.inner_text("#table-count") == "0 of 16 labels"
        assert page.page.locator("#table-body .row").count() == 0


@pytest.mark.parametrize("width", [360, 1300])
@pytest.mark.parametrize("metric", [{"name": "cost", "fp": 1, "fn": 25}, "balanced_accuracy"])
def test_nothing_in_the_table_overlaps(chrome, data, tmp_path, width, metric):
    path = report(*data[:2], 0.3, tmp_path / "r.html", labels=data[2], metric=metric, average="macro", methods=())
    with opened(chrome, path, viewport={"width": width, "height": 900}) as page:
        page.page.select_option("#sort-by", "metric -1") if width < 600 else page.page.click(
            "[data-key=metric] button"
        )
        too_wide = page.page.locator("#table .cell:not(.cell-label)").evaluate_all(
            "cells => cells.filter(c => c.scrollWidth > c.clientWidth && c.clientWidth > 1)"
            ".map(c => [c.className, c.textContent, c.scrollWidth, c.clientWidth, !!c.closest('.table-top')])"
        )
        assert [cell for cell in too_wide if width > 600 or not cell[-1]] == []
        too_high = "rows => rows.filter(r => [...r.children].some(c => c.getBoundingClientRect().bottom"
        too_high += " > r.getBoundingClientRect().bottom + 1)).length"
        assert page.page.locator("#table-body .row").evaluate_all(too_high) == 0
        assert page.page.evaluate("document.documentElement.scrollWidth") <= width


def test_long_and_broken_titles(chrome, data, tmp_path):
    path = report(
        *data[:2],
        0.3,
        tmp_path / "r.html",
        labels=data[2],
        methods=(),
        title="x" * 3000 + "\udcff",
        ids=["\udcfe"] * 400,
    )
    with opened(chrome, path, viewport={"width": 1280, "height": 900}) as page:
        assert page.page.title() == "x" * 3000 + "\ufffd"
        assert page.page.evaluate("document.documentElement.scrollWidth") == 1280
