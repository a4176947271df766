"""The first thing that the page says: its figures are limen's, its words are true, and it follows edits."""

import re
import shlex

import numpy as np
import pytest
from click.testing import CliRunner

import limen
from integration.report_page import content, opened
from limen.cli.evaluate import evaluate as evaluate_
from limen.cli.report import report_
from limen.datasets import spoken_tags
from limen.reporting import report
from limen.states import label_states

MINUS = "\u2212"


@pytest.fixture(scope="module")
def parts():
    """Return labels, scores and names of 800 items to tune on and 700 others."""
    y_true, y_score, names = spoken_tags()
    return (y_true[:800], y_score[:800]), (y_true[800:1500], y_score[800:1500]), names


@pytest.fixture(scope="module")
def tuned(parts):
    return limen.tune(*parts[0], labels=parts[2])


def text(page, selector):
    return re.sub(r"\s+", " ", page.page.inner_text(selector).replace("\u202f", " ")).replace(MINUS, "-")


def points(value, sign=False):
    return f"{100 * value:{'+' if sign else ''}.1f}".replace("+0.0", "0.0")


def expects(expected, gain, name="micro F1"):
    """Return the verdict in words, as the page should say it of an interval and a gain."""
    spans = (
        f"(95 % {points(expected[1])} to {points(expected[2])})",
        (f"(95 % {points(gain[1], True)} to {points(gain[2], True)})"),
    )
    unclear = ", which is no clear difference" if gain[1] <= 0 <= gain[2] else ""
    over = "over" if gain[0] >= 0 else "against"
    return (
        f"ew items: expect {points(expected[0])} % {name} {spans[0]}, {points(gain[0], True)} points {over} 0.5 "
        f"{spans[1]}{unclear}."
    )


def test_measured_on_other_data_and_as_edited(chrome, parts, tuned, tmp_path):
    (y_true, y_score), names = parts[1], parts[2]
    path = report(y_true, y_score, tuned, tmp_path / "r.html", methods=())
    found = limen.evaluate(y_true, y_score, tuned, baseline=0.5)
    with opened(chrome, path) as page:
        assert text(page, "#verdict") == "N" + expects((found.value, *found.interval), found.difference)
        assert page.value("#verdict-value") == pytest.approx(found.value, rel=1e-12)
        assert page.value("#verdict-gain") == pytest.approx(found.difference.value, rel=1e-9)
        assert text(page, "#trust").startswith("Measured on 700 items other than the 800 tuned on, which gave")
        page.show("digit 7")
        page.type_in(0.8)
        values = tuned.values.astype(np.float64)
        values[list(names).index("digit 7")] = page.threshold()
        by = limen.evaluate(y_true, y_score, values).value - found.value
        moved = [found.value + by, *(end + by for end in found.interval)]
        assert by != 0
        assert text(page, "#verdict") == "As edited, n" + expects(moved, [end + by for end in found.difference])
        assert f"move the figures as given by {points(by, True)} points" in text(page, "#trust")
        page.page.click("#undo")
        assert text(page, "#verdict").startswith("New items")
        assert "edits" not in text(page, "#trust")


def test_cross_fitted_on_the_items_tuned_on(chrome, parts, tuned, tmp_path):
    path = report(*parts[0], tuned, tmp_path / "r.html", methods=())
    with opened(chrome, path) as page:
        assert text(page, "#verdict") == "N" + expects(tuned.expected, tuned.expected_gain)
        assert (
            text(page, "#trust") == "Cross-fitted: each of the 800 items decided by thresholds tuned without it."
        )


def test_held_out_by_the_comparison(chrome, parts, tmp_path):
    exact = limen.tune(*parts[0], labels=parts[2], method="exact")
    path = report(*parts[0], exact, tmp_path / "r.html", methods=("fixed:0.5", "exact"), cv=3)
    row = limen.compare(*parts[0], methods=("fixed:0.5", "exact"), cv=3)["exact"]
    with opened(chrome, path) as page:
        assert text(page, "#verdict") == "N" + expects((row.held_out, row.low, row.high), row.gain)
        assert text(page, "#trust").startswith("Held out (3 folds of 800 items: each tuned on the others)")


def test_what_is_not_measured_is_said(parts, tuned, tmp_path):
    """Nothing that is of other thresholds, of another objective or other frequencies, is taken for these."""
    exact = limen.tune(*parts[0], labels=parts[2], method="exact")
    rarer = limen.tune(*parts[0], labels=parts[2], target_prevalence=0.5 * parts[0][0].mean(axis=0))
    edited = limen.Thresholds.from_dict({**exact.to_dict(), "method": "exact, edited by hand"})
    cases = [
        (exact, {}, "no comparison was asked for"),
        (exact, {"methods": ("shared",), "cv": 2}, ""),
        (tuned, {"average": "macro"}, "the thresholds were tuned on these items for micro F1"),
        (
            exact,
            {"average": "macro", "methods": ("exact",), "cv": 2},
            "the thresholds were tuned on these items for micro F1",
        ),
        (edited, {}, "the thresholds were tuned or edited by hand on these items"),
        (rarer, {}, "these are the items tuned on, but they were weighed to other label frequencies"),
    ]
    for thresholds, how, why in cases:
        path = report(*parts[0], thresholds, tmp_path / "r.html", **{"methods": (), **how})
        found = content(path)["verdict"]
        if not why:
            assert found["origin"] == "compared"  # The method of the thresholds joins those asked for.
            continue
        assert (found["origin"], found["why"], found["expected"], found["gain"]) == ("none", why, None, None)


def test_not_measured_in_words(chrome, parts, tmp_path):
    exact = limen.tune(*parts[0], labels=parts[2], method="exact")
    path = report(*parts[0], exact, tmp_path / "r.html", methods=())
    gain = exact.value - limen.evaluate(*parts[0], 0.5).value
    with opened(chrome, path) as page:
        assert text(page, "#verdict") == (
            f"On these 800 items: {points(exact.value)} % micro F1, {points(gain, True)} points over 0.5."
        )
        assert text(page, "#trust") == (
            "What new items give is not measured: no comparison was asked for. It is less than on these."
        )
        assert "limen.evaluate(new_y_true, new_y_score" in text(page, "#next-steps")


def test_edited_in_a_report_of_other_data(chrome, parts, tuned, tmp_path):
    """Neither the data tuned on nor those edited on are new to the thresholds."""
    first = report(*parts[1], tuned, tmp_path / "r.html", methods=())
    with opened(chrome, first) as page:
        page.page.click("#to-never")
        edited = limen.Thresholds.load(page.download("#save", tmp_path))
    for part in parts[:2]:
        found = content(report(*part, edited, tmp_path / "r.html", methods=()))
        assert found["verdict"]["origin"] == "none"
        assert found["data"]["on_same_items"]
    y_true, y_score, _ = spoken_tags()
    assert content(report(y_true[2000:2300], y_score[2000:2300], edited, tmp_path / "r.html", methods=()))[
        "verdict"
    ]["origin"] == ("measured")


@pytest.mark.parametrize("given", [0.4, 0.5, "array"])
def test_thresholds_that_were_not_tuned(chrome, parts, tmp_path, given):
    values = np.full(16, 0.4) if given == "array" else given
    path = report(*parts[1], values, tmp_path / "r.html", labels=parts[2], methods=())
    found = limen.evaluate(*parts[1], values, baseline=0.5)
    with opened(chrome, path) as page:
        said = text(page, "#verdict")
        if given == 0.5:
            ends = " to ".join(map(points, found.interval))
            assert said == f"New items: expect {points(found.value)} % micro F1 (95 % {ends}): 0.5 for all labels."
        else:
            assert said == "N" + expects((found.value, *found.interval), found.difference)
        how = "if the thresholds were chosen on them" if given == "array" else "nothing was tuned on them"
        assert how in text(page, "#trust")
        assert "tuned 20" not in text(page, "#facts")


def test_costs_are_shown_as_costs(chrome, parts, tmp_path):
    cost = {"name": "cost", "fp": 1.0, "fn": 5.0}
    tuned = limen.tune(*parts[0], labels=parts[2], metric=cost)
    path = report(*parts[1], tuned, tmp_path / "r.html", methods=("fixed:0.5", "exact"), cv=2)
    found = limen.evaluate(*parts[1], tuned, baseline=0.5)
    low, high = -found.interval[1], -found.interval[0]
    gain, least, most = -found.difference.value, -found.difference.high, -found.difference.low
    with opened(chrome, path) as page:
        assert text(page, "#verdict") == (
            f"New items: expect a micro cost of {-found.value:.4f} a decision (95 % {low:.4f} to {high:.4f}; "
            f"lower is better), {gain:+.4f} against 0.5 (95 % {least:+.4f} to {most:+.4f})."
        )
        assert "negated" not in page.page.inner_text("body")
        assert text(page, "#now-micro") == f"{-found.value:.4f}"
        page.page.click("#table-head [data-key=metric] button")
        costs = [float(cell) for cell in page.page.locator("#table-body .cell-metric data").all_inner_texts()]
        assert costs == sorted(costs, reverse=True)
        assert min(costs) >= 0
        page.show("digit 7")
        page.page.click("#to-never")
        assert re.search(
            r"Cost against that at 0\.5: \+0\.\d{4} \(95 % \+?-?0\.\d{4} to \+0\.\d{4}\)",
            text(page, "#label-notes"),
        )
        head, *rows = page.download("#save-table", tmp_path).read_text().splitlines()
        assert min(float(row.split(",")[head.split(",").index("cost")]) for row in rows) >= 0


def hard(seed=3):
    """Return labels of which micro-F1 gives some up, and some are clearly worse than at 0.5."""
    draw = np.random.default_rng(seed)
    frequency = np.array([0.5, 0.4, 0.12, 0.1, 0.01, 0.3, 0.3])
    y_true = draw.random((900, 7)) < frequency
    gap = np.array([3, 3, 0.6, 0.5, 2, 3, 1.0])
    logit = draw.normal(0, 1, y_true.shape) + gap * (y_true - 0.5) + np.log(frequency / (1 - frequency))
    for k in (2, 3):  # Wherever the cut of these is, most that lies above it is wrong.
        logit[np.flatnonzero(~y_true[:, k])[:60], k] = draw.uniform(2, 4, 60)
    return y_true, (1 / (1 + np.exp(-logit))).astype(np.float32)


def test_the_worst_labels_with_cause_and_action(chrome, tmp_path):
    y_true, y_score = hard()
    names = [f"label {k}" for k in range(7)]
    exact = limen.tune(y_true, y_score, labels=names, method="exact")
    values = exact.values.copy()
    data = limen.data.as_data(y_true, y_score, labels=names)
    path = report(y_true, y_score, exact, tmp_path / "r.html", methods=())
    best = limen.tune(y_true, y_score, labels=names, method="exact", average="macro").values
    items = "#attention-list li"
    with opened(chrome, path) as page:
        given_up = [k for k in range(7) if exact.values[k] == np.inf and y_true[:, k].sum() >= 20]
        assert given_up
        first = max(given_up, key=lambda k: y_true[:, k].sum())
        shown = text(page, f"{items} >> nth=0")
        changed = exact.values.copy()
        changed[first] = best[first]
        now, then = (limen.evaluate(y_true, y_score, v) for v in (exact.values, changed))
        price = now.value - then.value
        said = "less than 0.1" if price < 0.0005 else points(price)
        assert shown == (
            f"{names[first]}no tags given, though it has {y_true[:, first].sum()} positives: micro F1 gave it "
            f"up. F1 is 0.0; its own best cut, {best[first]:.4g}, gives F1 {points(then.table[first]['f1'])} and "
            f"costs {said} points of micro F1.use it"
        )
        assert page.page.locator("#table-body .name").first.get_attribute("aria-label") == names[first]
        assert page.page.inner_text("#label-name") == names[first]
        second = text(page, f"{items} >> nth=1 >> button >> nth=0")
        page.page.locator(f"{items} >> nth=0 >> text=use it").click()
        page.page.click("#next")  # In the order gone through, though the label is now elsewhere in the table.
        assert page.page.inner_text("#label-name") == second
        page.show(names[first])
        assert page.threshold() == pytest.approx(best[first], rel=1e-6)
        page.show("label 5")
        page.type_in(0.88)
        values[5], values[first] = page.threshold(), best[first]
        states = label_states((data.source,), values, exact.objective)
        assert states.keys[5] == "worse"
        shown = text(page, f"{items} >> nth=0")
        loss, low, high = -states.gains[0, 5], -states.gains[2, 5], -states.gains[1, 5]
        assert shown.startswith(
            f"label 5clearly worse than 0.5 by {points(loss)} points of F1 (95 % {points(low)} to {points(high)})"
            "; 0.5 gives"
        )
        order = page.page.locator("#table-body .name").evaluate_all(
            "all => all.map(e => e.getAttribute('aria-label'))"
        )
        assert order[0] == "label 5"
        assert order[-1] in [names[k] for k in range(7) if states.keys[k] == "none"]
        troubled = sum(key != "none" for key in states.keys)
        assert page.value("#trouble") == troubled
        page.page.locator(f"{items} >> nth=0 >> text=use 0.5").click()
        page.show("label 5")
        assert page.threshold() == 0.5
        few = text(page, "#attention-list li:has-text('too few')")
        assert few == f"label 4too few positives ({y_true[:, 4].sum()}): annotate more.look at it"
        page.page.locator("#next-steps button", has_text="Annotate more of label 4").click()
        assert page.page.inner_text("#table-count") == "1 of 7 labels"
        page.page.locator("#trouble button").first.click()
        assert page.page.inner_text("#label-name") == text(page, f"{items} >> nth=0 >> button >> nth=0")


def test_the_command_to_copy_measures_the_saved_file(chrome, folder, monkeypatch):
    (folder / "my scores.csv").write_bytes((folder / "scores.csv").read_bytes())
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(report_, ["my scores.csv", "tags.tsv", "0.4", "-o", "r.html", "--no-compare"])
    assert done.exit_code == 0
    with opened(chrome, folder / "r.html") as page:
        assert text(page, "#next-steps code") == "limen evaluate 'my scores.csv' tags.tsv 0.4 --baseline 0.5"
        page.page.click("#to-half")
        shown = page.value("#now-micro")
        page.download("#save", folder)
        line = text(page, "#saved code")
        page.page.click("#saved button")
        page.page.locator("#saved [role=status]", has_text="cop").wait_for()
    words = shlex.split(line)
    assert words[:2] == ["limen", "evaluate"]
    done = CliRunner().invoke(evaluate_, words[2:], catch_exceptions=False)
    assert f"{100 * shown:.1f} %" in done.output


@pytest.mark.parametrize(
    ("metric", "average", "words"),
    [
        ({"name": "fbeta", "beta": 2.0}, "macro", "--metric fbeta --beta 2.0 --average macro"),
        ({"name": "cost", "fp": 1.0, "fn": 5.0}, "micro", "--metric cost --costs 1.0,5.0 --average micro"),
        ({"name": "cost", "fp": [1.0] * 16, "fn": 5.0}, "micro", None),
        ("mcc", "macro", "--metric mcc --average macro"),
    ],
)
def test_commands_name_another_objective(parts, tuned, tmp_path, metric, average, words):
    files = {"scores": "-s.csv", "labels": "l.csv", "groups": "g.csv", "thresholds": "t.json"}
    path = report(*parts[1], tuned, tmp_path / "r.html", metric=metric, average=average, methods=(), files=files)
    found = content(path)["commands"]
    if words is None:
        assert (
            found["saved"]
            == 'limen.evaluate(y_true, y_score, limen.Thresholds.load("thresholds.json"), baseline=0.5)'
        )
        return
    assert found["given"].endswith(f"l.csv t.json --baseline 0.5 --groups g.csv {words}")
    assert "--metric" not in found["saved"]
