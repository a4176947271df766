"""Items with weights: the page's histograms and calibration count what the items weigh, and say so."""

import numpy as np
import pytest

import limen
from integration.report_page import content, opened
from integration.test_report_data import unpacked
from limen.datasets import spoken_tags
from limen.reporting import report
from limen.reporting.items import GROUPS, Axis, looked_at


def looked(y_true, y_score, weight=None):
    curves = limen.Curves.from_arrays(y_true, y_score, sample_weight=weight)
    source = curves.sources[0]
    whole = limen.Curves.from_arrays(y_true, y_score)
    axis = Axis.of(whole.sources[0], whole, True)  # One axis for both: it comes from a sample of the items.
    return looked_at(source, axis, np.full(y_true.shape[1], 0.5), np.ones(y_true.shape[1]))


def test_a_weight_counts_as_so_many_items():
    y_true, y_score, _ = spoken_tags()
    y_true, y_score = y_true[:500], y_score[:500]
    weight = np.random.default_rng(0).integers(0, 4, 500)
    weighted = looked(y_true, y_score, weight.astype(float))
    curves = limen.Curves.from_arrays(y_true, y_score)
    axis = Axis.of(curves.sources[0], curves, True)
    repeated = limen.Curves.from_arrays(np.repeat(y_true, weight, axis=0), np.repeat(y_score, weight, axis=0))
    items = looked_at(repeated.sources[0], axis, np.full(16, 0.5), np.ones(16))
    for part in ("positive", "negative"):
        assert unpacked(weighted["histogram"][part]).tolist() == unpacked(items["histogram"][part]).tolist()
    for part in ("positive", "total"):
        assert unpacked(weighted["calibration"][part]).tolist() == unpacked(items["calibration"][part]).tolist()
    assert unpacked(weighted["calibration"]["score"]) == pytest.approx(unpacked(items["calibration"]["score"]))
    assert "size" not in items["calibration"]
    assert set(items["histogram"]["positive"]) == {"whole"}


def test_the_size_of_a_group_is_what_its_weights_are_worth():
    """All in one bin, so that the groups are known: of two labels, one with every item in the same group."""
    y_true = np.array([[1], [0], [1], [0]])
    weight = np.array([1.0, 1.0, 4.0, 2.0])
    found = looked(y_true, np.full((4, 1), 0.25), weight)["calibration"]
    total, size = unpacked(found["total"]), unpacked(found["size"])
    assert total.tolist().count(0) == GROUPS - 1
    assert (total.max(), unpacked(found["positive"]).max()) == (8, 5)
    assert size.max() == pytest.approx(8**2 / (1 + 1 + 16 + 4))
    equal = looked(y_true, np.full((4, 1), 0.25), np.full(4, 2.5))["calibration"]
    assert unpacked(equal["size"]).max() == pytest.approx(4)


def test_the_page_says_that_it_counts_weights(chrome, tmp_path):
    y_true, y_score, names = spoken_tags()
    y_true, y_score = y_true[:200], y_score[:200]
    weight = np.random.default_rng(0).gamma(1, 1, 200)
    for one, says in ((weight, True), (None, False)):
        path = report(
            y_true, y_score, 0.4, tmp_path / "r.html", labels=names, sample_weight=one, methods=(), random_state=0
        )
        assert content(path)["data"]["weighted"] == says
        with opened(chrome, path) as page:
            for chart in ("histogram", "calibration"):
                caption = page.page.locator(f"figure:has(#{chart}) figcaption").inner_text()
                assert ("weighted" in caption) == says
