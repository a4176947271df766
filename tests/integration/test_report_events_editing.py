"""What the page of events says of edited settings: every number anew, by oracles that know nothing of limen."""

import json
import re

import numpy as np
import pytest

from integration.event_pages import LABELS, SETTINGS, choose, scored, type_in
from integration.report_page import content, opened
from limen import constraints, metrics
from limen.events import Collar, Events, EventThresholds, FrameScores, Segments, Setting, evaluate, guarantee, tune
from limen.reporting.events import report
from oracle import events as oracle


def plain(scores, events, thresholds, label):
    """Return tp, pp, p of a label by collars, in plain Python."""
    k, setting = scores.labels.index(label), thresholds.settings[scores.labels.index(label)]
    tp = pp = p = 0
    for r, name in enumerate(scores.names):
        own = scores.recordings[name][:, k].tolist()
        edges = [round(frame * 0.04 * 1e6) for frame in range(len(own) + 1)]
        width = 2 * int(setting.median / 0.04 / 2 + 1e-9) + 1
        cuts = float(thresholds.low[k]), float(thresholds.thresholds[k])
        lasting = (round(1e6 * setting.gap), round(1e6 * setting.shortest))
        found = oracle.detected(own, edges, width, *cuts, *lasting)
        mine = (events.recording == r) & (events.label == k)
        known = list(zip(events.onset[mine].tolist(), events.offset[mine].tolist(), strict=True))
        right, given = oracle.collar(found, known)
        tp, pp, p = tp + right, pp + given, p + len(known)
    return tp, pp, p


def numbers(shown, selector):
    """Return the whole numbers that these elements begin with."""
    return [int(re.sub(r"\D.*", "", text)) for text in shown.page.locator(selector).all_inner_texts()]


def test_every_number_of_the_page_is_what_plain_python_counts(chrome, tmp_path):
    scores, events = scored()
    thresholds = tune(scores, events, settings=SETTINGS, method="exact")
    path = report(scores, events, thresholds, tmp_path / "events.html")
    with opened(chrome, path) as shown:
        type_in(shown, "cat", 0.35)
        for handle, steps in (("#median", 2), ("#gap", 1), ("#shortest", 2)):
            shown.page.focus(handle)
            for _ in range(steps):
                shown.page.keyboard.press("ArrowRight")
        type_in(shown, "bird", "never")
        now = EventThresholds.load(shown.download("#save", tmp_path))
        counts = [plain(scores, events, now, label) for label in LABELS]
        tp, pp, p = (sum(column) for column in zip(*counts, strict=True))
        f1 = [2 * one / (given + known) for one, given, known in counts]
        bar = {"objective": 2 * tp / (pp + p), "precision": tp / pp, "recall": tp / p, "other": sum(f1) / 3}
        for name, value in bar.items():
            assert shown.value(f"#now-{name}") == pytest.approx(value, abs=1e-12)
        assert shown.value("#verdict") == pytest.approx(bar["objective"], abs=1e-12)
        for label, (one, given, known) in zip(LABELS, counts, strict=True):
            choose(shown, label)
            row = shown.page.locator("#label-rows tr", has=shown.page.locator("[aria-current]"))
            cells = row.locator("td").all_inner_texts()
            shares = [one / given if given else None, one / known, 2 * one / (given + known)]
            texts = ["\u2013" if share is None else f"{100 * share:.1f}" for share in shares]
            assert cells[1:7] == [str(known), str(known - one), str(given - one), *texts]
            assert numbers(shown, "#label .quarter span") == [one, given - one, known - one]
            panel = shown.page.locator("#label .values dd > span").all_inner_texts()[:3]
            assert [text.replace("\u202f%", "") for text in panel] == texts
        assert cells[0] == "never"
        shown.page.click("#order")
        for kind, number in (("missed", p - tp), ("false", pp - tp)):
            assert shown.page.locator(f"#clip-kinds [data-kind={kind}]").inner_text() == f"{kind} {number}"
        facts = shown.page.inner_text("#facts")
    frames = sum(map(len, scores.recordings.values()))
    assert f"8 recordings · 3 labels · {len(events)} true events · {frames * 0.04:.3g} s" in facts
    assert now.value == pytest.approx(bar["objective"], abs=1e-12)


OBJECTIVES = [
    (Collar(), metrics.FBeta(beta=0.5), "macro", 0.0),
    (Collar(), metrics.FBeta(beta=2.0), "micro", 1.0),
    (Segments(), metrics.MCC(), "micro", 0.0),
    (Segments(), metrics.Cost(fp=1.0, fn=2.5), "micro", 0.0),
    (Collar(), "jaccard", "weighted", 0.5),
]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda one: f"{one[1]} {one[2]}")
def test_any_objective_is_judged_and_saved(chrome, tmp_path, objective):
    criterion, metric, average, zero = objective
    scores, events = scored(without=("bird",))
    asked = {"metric": metric, "average": average, "zero_division": zero}
    few = [Setting(), Setting(0.2)]
    thresholds = tune(scores, events, settings=few, criterion=criterion, method="exact", **asked)
    path = report(scores, events, thresholds, tmp_path / "events.html")
    with opened(chrome, path) as shown:
        for label, threshold in (("dog", 0.4), ("bird", 0.3), ("cat", "never")):
            type_in(shown, label, threshold)
            edited = EventThresholds.load(shown.download("#save", tmp_path))  # It counts the value itself.
            found = evaluate(events, edited.decide(scores), criterion, durations=scores, **asked)
            sign = -1 if isinstance(metric, metrics.Cost) else 1
            assert edited.value == pytest.approx(found.value, abs=1e-12)
            assert shown.value("#now-objective") == pytest.approx(sign * found.value, abs=1e-12)
            assert [column.tolist() for column in edited.counts] == [column.tolist() for column in found.counts]
    assert edited.status == "local"
    assert edited.upper_bound is None
    assert edited.details["edited"]["before"]["value"] == thresholds.value


@pytest.fixture(scope="module")
def limited():
    scores, events = scored()
    limits = [
        constraints.MinPrecision(0.7, per={"dog": 0.9}),
        constraints.MinRecall(None, per={"cat": 0.4}),
        constraints.MaxFalsePositives(per_hour=900, hours=scores.hours, per="all"),
        constraints.MaxPredictions(40),
        constraints.MinRecall(0.3, per="all"),
    ]
    return scores, events, tune(scores, events, settings=SETTINGS, method="exact", constraints=limits)


@pytest.mark.parametrize("other", [False, True], ids=["tuned on", "other recordings"])
def test_constraints_are_judged_with_each_move_and_kept_in_the_file(chrome, limited, tmp_path, other):
    scores, events, thresholds = limited
    if other:
        scores, events = scored(n_recordings=5, seed=8)
    path = report(scores, events, thresholds, tmp_path / "events.html")
    broken = set()
    with opened(chrome, path) as shown:
        shown_first = "hold" in shown.page.inner_text("#limits-now")
        assert shown_first or other
        for label, threshold in (("dog", 0.05), ("cat", "never"), ("bird", 0.02), ("dog", "never")):
            type_in(shown, label, threshold)
            saved = shown.download("#save", tmp_path)
            told, edited = json.loads(saved.read_text())["constraints"], EventThresholds.load(saved)
            counts = evaluate(events, edited.decide(scores), durations=scores).counts
            found = edited.outcomes(counts, scores.hours)
            assert len(told) == len(found) == 5
            for page_says, limen_says in zip(told, found, strict=True):
                assert page_says["holds"] is limen_says["holds"], limen_says["constraint"]
                assert page_says.get("broken_by") == limen_says.get("broken_by")
                if limen_says.get("measured") is None:
                    assert page_says.get("measured") is None
                else:
                    assert page_says["measured"] == pytest.approx(limen_says["measured"], rel=1e-9)
                if limen_says.get("nearest"):
                    assert page_says["nearest"][1] == pytest.approx(limen_says["nearest"][1], rel=1e-9)
                broken |= {limen_says["constraint"]} if not limen_says["holds"] else set()
            number = sum(not one["holds"] for one in found)
            assert shown.page.locator("#promises .limit-broken").count() == number
            assert shown.page.inner_text("#limits-now").startswith(f"{number} of 5") is (number > 0)
            # Numbers of events in the file are for as many hours as these recordings are.
            before = thresholds.outcomes(counts, scores.hours)
            assert [one["holds"] for one in before] == [one["holds"] for one in found]
            row = shown.page.locator("#label-rows tr", has=shown.page.locator("[aria-current]"))
            own = any(label in (one.get("broken_by") or ()) for one in found)
            assert ("breaks a constraint" in row.inner_text()) is own
            assert (shown.page.locator("#label-limits .limit-broken").count() > 0) is (
                own or any(not one["holds"] and "measured" in one for one in found)
            )
            if own:
                remedy = shown.page.locator("#remedy button")
                remedy.click()
                assert shown.page.locator("#label-rows .row-shown small", has_text="breaks").count() == 0
                shown.page.keyboard.press("Control+z")
    assert len(broken) >= 3


def test_steps_are_undone_and_made_again_by_keys(chrome, tmp_path):
    scores, events = scored()
    thresholds = tune(scores, events, settings=SETTINGS, method="exact")
    with opened(chrome, report(scores, events, thresholds, tmp_path / "events.html")) as shown:
        page, values = shown.page, [shown.value("#now-objective")]
        assert page.is_disabled("#undo")
        type_in(shown, "dog", 0.1)
        values.append(shown.value("#now-objective"))
        choose(shown, "cat")
        slider = page.locator("#threshold")
        slider.focus()
        box = slider.bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
        page.mouse.down()
        for share in (0.6, 0.7, 0.8, 0.9):  # One gesture is one step.
            page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
        page.mouse.up()
        values.append(shown.value("#now-objective"))
        assert len(set(values)) == 3
        page.keyboard.press("Control+z")
        assert shown.value("#now-objective") == values[1]
        page.keyboard.press("Control+z")
        assert shown.value("#now-objective") == values[0]
        assert page.inner_text("#label-name") == "dog"  # What moved is shown.
        assert page.inner_text("#changed-count") == "no change"
        page.keyboard.press("Control+Shift+Z")
        page.keyboard.press("Control+y")
        assert shown.value("#now-objective") == values[2]
        assert page.is_disabled("#redo")
        page.click("#reset")
        page.click("#undo")
        assert shown.value("#now-objective") == values[2]
        page.focus("#label-rows tr:nth-child(2) button")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.textContent") == "cat"  # The focus outlasts the choice.


def test_just_half_is_enough_for_an_intersection(chrome, tmp_path):
    own = np.full((60, 2), 0.1, np.float32)
    own[:25, 0], own[:50, 1] = 0.9, 0.9  # One second of a true two, and two of which one is true.
    rows = [("r", 0.0, 2.0, "dog"), ("r", 0.0, 1.0, "cat")]
    scores, events = FrameScores(("dog", "cat"), {"r": own}, 0.04), Events.from_rows(rows, labels=("dog", "cat"))
    thresholds = tune(scores, events, settings=Setting(), criterion="intersection", method="exact")
    with opened(chrome, report(scores, events, thresholds, tmp_path / "events.html")) as shown:
        assert shown.value("#now-objective") == 1.0


@pytest.mark.parametrize("lasting", [True, False])
def test_a_promise_outlasts_edits_only_where_it_was_made_for_all_labels_at_once(chrome, tmp_path, lasting):
    scores, events = scored()
    thresholds = tune(scores, events, settings=SETTINGS, method="exact")
    path = report(scores, events, thresholds, tmp_path / "events.html")
    page = content(path)
    page["promise"] = {"said": "precision", "held": "it held", "labels": [0, 1], "lasting": lasting}
    given = {"labels": ["dog", "cat"], "largest": {"precision": [3.0, 4.0]}}
    page["file"]["original"]["promise"] = given
    text, data = path.read_text(), json.dumps(page).replace("<", "\\u003c")
    path.write_text(re.sub('(id="data">).*?(</script>)', lambda found: found[1] + data + found[2], text))
    with opened(chrome, path) as shown:

        def promised():
            return json.loads(shown.download("#save", tmp_path).read_text())["promise"]

        assert promised() == given
        assert "promised: precision. it held" in " ".join(shown.page.inner_text("#promises").split("\n"))
        type_in(shown, "bird", 0.3)
        assert promised() == (given if lasting else None)
        type_in(shown, "dog", 0.2)
        assert promised() == ({"labels": ["cat"], "largest": {"precision": [4.0]}} if lasting else None)
        assert ("stays" if lasting else "promise nothing") in shown.page.inner_text("#promises")
        shown.page.click("#reset")
        assert promised() == given


def test_of_a_promise_the_page_keeps_what_edits_leave(chrome, tmp_path):
    scores, events = scored(120)
    given = guarantee(scores, events, false_per_hour=600, settings=Setting())
    assert len(given.promise.labels) > 1
    path = report(scores, events, given, tmp_path / "events.html")
    dropped, *kept = given.promise.labels
    with opened(chrome, path) as shown:
        assert given.promise.said() in " ".join(shown.page.inner_text("body").split())
        type_in(shown, dropped, 0.01)
        edited = EventThresholds.load(shown.download("#save", tmp_path))
        assert edited.promise.labels == tuple(kept)
        assert edited.promise.asked == given.promise.asked
        for label in kept:
            type_in(shown, label, 0.01)
        assert EventThresholds.load(shown.download("#save", tmp_path)).promise is None
