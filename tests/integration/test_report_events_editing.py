"""What the page of events says of edited settings: every number anew, by oracles that know nothing of limen."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from integration.own_metrics import Means
from integration.report_page import browser, content, opened
from limen import constraints, metrics
from limen.errors import UnsupportedError
from limen.events import Collar, Events, EventThresholds, FrameScores, Segments, Setting, evaluate, tune
from limen.events.formats import write_events, write_scores
from limen.reporting.events import report
from oracle import events as oracle
from shell import run

SETTINGS = [Setting(), Setting(0.2, 1.0, 0.08, 0.12), Setting(0.36, 2.0)]
LABELS = ("dog", "cat", "bird")


@pytest.fixture(scope="module")
def chrome():
    with browser() as launched:
        yield launched


def scored(n_recordings=8, labels=LABELS, seed=3, without=()):
    """Return scores that follow the events, with ties, and the events but for labels without any."""
    rng = np.random.default_rng(seed)
    recordings, rows = {}, []
    for r in range(n_recordings):
        n = int(rng.integers(90, 160))
        active = np.zeros((n, len(labels)))
        for k, label in enumerate(labels):
            for _ in range(int(rng.integers(0, 4))):
                start = int(rng.integers(0, n - 20))
                end = start + int(rng.integers(4, 20))
                active[start:end, k] = 1
                if label not in without:
                    rows.append((f"r{r}", start * 0.04, end * 0.04, label))
        raw = 5 * active - 3 + rng.normal(0, 1.5, active.shape)
        recordings[f"r{r}"] = (1 / (1 + np.exp(-np.round(raw, 1)))).astype(np.float32)
    events = Events.from_rows(rows, recordings=tuple(recordings), labels=labels)
    return FrameScores(labels, recordings, 0.04), events.merged()[0]


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


def choose(shown, label):
    shown.page.locator("#label-rows button").get_by_text(label, exact=True).click()


def type_in(shown, label, threshold):
    choose(shown, label)
    shown.page.fill("#threshold-number", str(threshold))
    shown.page.keyboard.press("Enter")


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


def test_a_metric_that_the_page_cannot_know_is_shown_as_given_and_not_saved_edited(chrome, tmp_path, monkeypatch):
    scores, events = scored()
    thresholds = tune(scores, events, settings=Setting(), metric=Means(), average="macro", method="exact")
    with pytest.raises(UnsupportedError, match="not registered"):
        report(scores, events, thresholds, tmp_path / "events.html")
    monkeypatch.setitem(metrics.METRICS, "means", Means)
    with opened(chrome, report(scores, events, thresholds, tmp_path / "events.html")) as shown:
        assert shown.value("#now-objective") == pytest.approx(thresholds.value, abs=1e-12)
        assert EventThresholds.load(shown.download("#save", tmp_path)).to_dict() == thresholds.to_dict()
        type_in(shown, "dog", 0.2)
        assert shown.page.inner_text("#now-objective") == "not known here"
        shown.page.click("#save")
        assert "no formula" in shown.page.inner_text("#saved")


LIMITS = [
    constraints.MinPrecision(0.7, per={"dog": 0.9}),
    constraints.MinRecall(None, per={"cat": 0.4}),
    constraints.MaxFalsePositives(per_hour=900, hours=0.01, per="all"),
    constraints.MaxPredictions(40),
    constraints.MinRecall(0.3, per="all"),
]


@pytest.fixture(scope="module")
def limited():
    scores, events = scored()
    hours = scores.hours
    limits = [*LIMITS[:2], constraints.MaxFalsePositives(per_hour=900, hours=hours, per="all"), *LIMITS[3:]]
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


def test_any_number_may_be_typed_and_what_is_none_is_refused(chrome, tmp_path):
    scores, events = scored()
    recordings = scores.recordings | {"silent": np.zeros((0, 3), np.float32)}
    scores, events = FrameScores(LABELS, recordings, 0.04), replace(events, recordings=tuple(recordings))
    thresholds = tune(scores, events, settings=Setting(0.2, 1.0), method="exact")
    with opened(chrome, report(scores, events, thresholds, tmp_path / "events.html")) as shown:
        for typed, meant in (("-0.5", -0.5), ("1.5", 1.5), ("\u22120.25", -0.25), ("1e999", np.inf), ("0", 0.0)):
            type_in(shown, "dog", typed)
            edited = EventThresholds.load(shown.download("#save", tmp_path))
            assert edited.thresholds[0] == meant
            found = evaluate(events, edited.decide(scores), durations=scores)
            assert shown.value("#now-objective") == pytest.approx(found.value, abs=1e-12)
        for typed in ("much", "", "-Infinity"):
            type_in(shown, "dog", typed)
            assert "is no number" in shown.page.inner_text("#threshold-note")
            assert shown.page.input_value("#threshold-number") == "0"


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


def never(thresholds):
    """Return thresholds that give nothing."""
    plain = thresholds.to_dict()
    labels = [label | {"threshold": None, "low": None, "tp": 0, "pp": 0} for label in plain["labels"]]
    return EventThresholds.from_dict(
        plain | {"labels": labels, "value": 0.0, "status": "local", "upper_bound": None, "expected": None}
    )


def odd(name):
    """Return scores, events, and thresholds of data that pages are seldom tried on."""
    labels = {"one label": ("dog",), "many labels": tuple(f"a label of the name {k}" for k in range(52))}.get(
        name, LABELS
    )
    scores, events = scored(4 if name == "many labels" else 6, labels)
    thresholds = tune(scores, events, settings=Setting(), method="exact")
    if name == "one recording":
        scores, events = scores.take(["r0"]), events.take(["r0"])
    if name == "no events":
        events = Events.from_rows([], recordings=scores.names, labels=labels)
    if name == "an hour":
        frames = np.tile(np.concatenate(list(scores.recordings.values())), (120, 1))[:90_000]
        scores = FrameScores(labels, {"long": frames}, 0.04)
        starts = [6.0 * k for k in range(590)]
        events = Events.from_rows(
            [("long", at, at + 1.0, "dog") for at in starts], recordings=("long",), labels=labels
        )
    return scores, events, never(thresholds) if name == "nothing found" else thresholds


@pytest.mark.parametrize(
    "name", ["one label", "many labels", "one recording", "no events", "nothing found", "an hour"]
)
def test_odd_data_fit_every_width(chrome, tmp_path, name):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    scores, events, thresholds = odd(name)
    path = report(scores, events, thresholds, tmp_path / "events.html")
    value = evaluate(events, thresholds.decide(scores), durations=scores).value
    with opened(chrome, path) as shown:
        assert shown.value("#now-objective") == pytest.approx(value, abs=1e-12)
        if name == "nothing found":
            assert shown.page.inner_text("#now-precision") == "\u2013"
        if name == "many labels":
            shown.page.fill("#search", "name 51")
            assert shown.page.locator("#label-rows tr").count() == 1
            shown.page.fill("#search", "")
        if name == "an hour":
            shown.page.get_by_role("button", name="later in long").first.click()
        shown.page.get_by_role("button", name="threshold", exact=True).click()
        for width in (360, 768, 1280, 1920):
            shown.page.set_viewport_size({"width": width, "height": 900})
            assert shown.page.evaluate("document.documentElement.scrollWidth") == width
        shown.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        if name == "many labels":  # What it would find there it finds in few labels, sooner.
            return
        found = axe.Axe().run(shown.page)
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found.response["violations"]] == []


def test_what_is_missing_is_said_and_paper_is_light(chrome, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    scores, events = scored()
    thresholds = tune(scores, events, settings=Setting(), method="exact")
    (tmp_path / "sounds").mkdir()
    for name in scores.names[:3]:
        tone = np.zeros(int(8000 * scores.seconds(name)))
        soundfile.write(tmp_path / "sounds" / f"{name}.wav", tone, 8000)
    (tmp_path / "sounds" / "r1.wav").write_bytes(b"no sound at all")
    with pytest.warns(UserWarning, match="r1|r3"):
        path = report(scores, events, thresholds, tmp_path / "events.html", media=tmp_path / "sounds")
    with opened(chrome, path, color_scheme="dark") as shown:
        note = shown.page.inner_text("#clips-note")
        assert "has nothing for 5 of 8" in note
        assert "no spectrogram of 1 recording" in note.lower()
        shown.page.locator("#clip-kinds [data-kind=near]").click()
        while shown.page.is_visible("#more-clips"):
            shown.page.click("#more-clips")
        assert shown.page.get_by_text("no recording to play").count() > 0
        shown.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert shown.page.evaluate("document.documentElement.dataset.theme") == "light"
        shown.page.emulate_media(media="print")
        assert not shown.page.is_visible("#save")
        assert not shown.page.is_visible(".handles")
        assert shown.page.is_visible("#label-rows")
        shown.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert shown.page.evaluate("document.documentElement.dataset.theme") is None


def test_the_command_says_what_it_wrote_and_how_it_is_used(tmp_path):
    scores, events = scored(3)
    write_scores(scores, tmp_path / "scores")
    write_events(events, tmp_path / "events.csv")
    tune(scores, events, settings=Setting(), method="exact").save(tmp_path / "events.json")
    done = run(
        "report-events", tmp_path / "scores", tmp_path / "events.csv", tmp_path / "events.json", cwd=tmp_path
    )
    size = (tmp_path / "events.html").stat().st_size
    assert f"{size / 1e6:.1f} MB" in done.stderr + done.stdout
    shown = run("report-events", "--help", cwd=tmp_path).stdout
    assert shown.count("limen report-events scores/") >= 3
