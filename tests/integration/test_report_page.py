"""The page as a person uses it: sorting, filters, keys, touch, themes, screen readers, hostile names, print."""

import numpy as np
import pytest

import limen
from integration.report_page import opened
from limen.datasets import spoken_tags
from limen.reporting import report

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<img src=x onerror=alert(3)>",
    "\"><svg onload='alert(4)'>",
    "{{data}} {{script}} $& \\u003c",
    "__proto__",
    "=cmd|' /C calc'!A0",
    'a\u202egnp.exe\u2028next\nline, "quoted"',
    "&lt;b&gt; &amp;",
    "ünïcödé 鳥 🐦",
)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    y_true, y_score, names = spoken_tags()
    path = tmp_path_factory.mktemp("spoken") / "report.html"
    ids = [f"clip {k}.wav" for k in range(800)]
    return report(y_true[:800], y_score[:800], output=path, labels=names, ids=ids, cv=3)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    draw = np.random.default_rng(0)
    y_true = draw.random((200, 10_000)) < draw.beta(0.3, 8, 10_000)
    y_score = np.clip(draw.normal(0.3, 0.1, y_true.shape) + 0.3 * y_true, 0, 1).astype(np.float32)
    path = tmp_path_factory.mktemp("many") / "report.html"
    return report(y_true, y_score, 0.45, path, labels=[f"label {k:05d}" for k in range(10_000)], methods=())


def column(page, key):
    return [
        float((text or "").replace("Infinity", "inf"))
        for text in page.page.locator(f"#table-body .cell-{key} data").evaluate_all(
            "cells => cells.map(cell => cell.value)"
        )
    ]


def names_shown(page):
    return page.page.locator("#table-body .name").all_inner_texts()


def test_sorting_by_every_column(chrome, spoken):
    with opened(chrome, spoken, viewport={"width": 1280, "height": 1600}) as page:
        for key in ("threshold", "support", "precision", "recall", "f1", "change", "tags"):
            header = page.page.locator(f"#table-head [data-key={key}]")
            header.get_by_role("button").click()
            assert header.get_attribute("aria-sort") == "descending"
            falling = column(page, key)
            assert len(falling) == 16
            assert falling == sorted(falling, reverse=True)
            header.get_by_role("button").click()
            assert header.get_attribute("aria-sort") == "ascending"
            assert column(page, key) == sorted(falling)
        page.page.locator("#table-head [data-key=label] button").click()
        names = names_shown(page)
        assert names == sorted(names)


def test_searching_and_filtering(chrome, spoken):
    with opened(chrome, spoken, viewport={"width": 1280, "height": 1600}) as page:
        page.page.fill("#search", "DIGIT")
        assert page.page.inner_text("#table-count") == "10 of 16 labels"
        page.page.fill("#support-from", "100")
        supports = column(page, "support")
        assert 0 < len(supports) < 10
        assert min(supports) >= 100
        page.page.fill("#search", "")
        page.page.fill("#support-from", "")
        page.page.fill("#support-to", "99")
        assert max(column(page, "support")) <= 99
        page.page.fill("#support-to", "")
        page.page.click("#kinds [data-kind=no_tags]")
        assert page.page.is_visible("#table-empty")
        page.page.click("#to-never")
        page.page.click("#tiles .tile-no_tags")
        assert page.page.inner_text("#tile-no_tags") == "1"
        assert page.page.inner_text("#table-count") == "1 of 16 labels"
        page.page.click("#kinds [data-kind=changed]")
        assert page.page.inner_text("#table-count") == "1 of 16 labels"


def test_ten_thousand_labels_are_drawn_as_they_come_into_view(chrome, many):
    with opened(chrome, many) as page:
        assert page.page.get_attribute("#table", "aria-rowcount") == "10001"
        seen = set()
        for _ in range(5):
            page.page.evaluate("document.getElementById('table').scrollTop += 20000")
            page.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            assert page.page.locator("#table-body .row").count() < 80
            seen |= set(names_shown(page))
        assert len(seen) > 100
        page.page.fill("#search", "label 09876")
        assert names_shown(page) == ["label 09876"]
        page.page.locator("#table-body .name").click()
        assert page.page.inner_text("#label-name") == "label 09876"
        assert page.page.locator("#errors-note").inner_text() != ""


def test_with_the_keyboard_alone(chrome, spoken, tmp_path):
    """From the top of the page to a changed, saved threshold without a mouse."""
    with opened(chrome, spoken) as page:
        keyboard = page.page.keyboard
        focused = "document.activeElement"
        keyboard.press("Tab")
        assert page.page.evaluate(f"{focused}.className") == "skip"
        keyboard.press("Enter")
        for _ in range(40):
            keyboard.press("Tab")
            if page.page.evaluate(f"{focused}.classList.contains('name')"):
                break
        first = page.page.evaluate(f"{focused}.textContent")
        keyboard.press("ArrowDown")
        keyboard.press("ArrowDown")
        second = page.page.evaluate(f"{focused}.textContent")
        assert second != first
        keyboard.press("End")
        keyboard.press("Home")
        assert page.page.evaluate(f"{focused}.textContent") == first
        keyboard.press("ArrowDown")
        chosen = page.page.evaluate(f"{focused}.textContent")
        keyboard.press("Enter")
        assert page.page.inner_text("#label-name") == chosen
        for _ in range(40):
            keyboard.press("Tab")
            if page.page.evaluate(f"{focused}.id") == "cut":
                break
        before, averages = page.threshold(), page.averages()
        keyboard.press("ArrowRight")
        one = page.threshold()
        assert one > before
        keyboard.press("Shift+ArrowRight")
        assert page.threshold() > one
        keyboard.press("PageUp")
        keyboard.press("End")
        assert page.threshold() == np.inf
        assert "never" in page.page.get_attribute("#cut", "aria-valuetext")
        keyboard.press("Home")
        assert page.threshold() < before
        for _ in range(5):
            keyboard.press("Control+z")
        assert (page.threshold(), page.averages()) == (before, averages)
        keyboard.press("Control+Shift+z")
        assert page.threshold() == one
        page.page.locator("#live", has_text="precision").wait_for(state="attached")
        page.page.focus("#save")
        with page.page.expect_download() as waiting:
            keyboard.press("Enter")
        waiting.value.save_as(tmp_path / "t.json")
        saved = limen.Thresholds.load(tmp_path / "t.json")
        assert saved.values[saved.labels.index(chosen)] == one


def test_by_touch_on_a_small_screen(chrome, spoken):
    with opened(chrome, spoken, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True) as page:
        assert page.page.evaluate("document.documentElement.scrollWidth") == 360
        before = page.threshold()
        over = page.page.locator("#histogram .u-over")
        over.scroll_into_view_if_needed()
        box = over.bounding_box()
        page.page.touchscreen.tap(box["x"] + 0.8 * box["width"], box["y"] + 40)
        page.page.locator("#changed-count", has_text="1 changed").wait_for()
        tapped = page.threshold()
        assert tapped > before
        finger = page.context.new_cdp_session(page.page)
        box = over.bounding_box()
        for kind, share in (("touchStart", 0.8), ("touchMove", 0.6), ("touchMove", 0.4)):
            point = {"x": box["x"] + share * box["width"], "y": box["y"] + 40}
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert page.threshold() < tapped
        assert page.tap("#undo", tapped)
        page.page.select_option("#sort-by", "f1 1")
        rising = column(page, "f1")
        assert rising == sorted(rising)


def test_the_precision_recall_point_can_be_dragged(chrome, spoken):
    with opened(chrome, spoken) as page:
        page.show("lucas")
        over = page.page.locator("#precision-recall .u-over")
        over.scroll_into_view_if_needed()
        box = over.bounding_box()
        page.page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 10)
        assert page.value("#label-recall") == pytest.approx(0.3, abs=0.1)


def test_the_frontier_by_slider_and_by_drag(chrome, spoken):
    with opened(chrome, spoken) as page:
        for target, value in (("precision", 0.95), ("tags", 2.0), ("recall", 0.9)):
            page.page.check(f"#target-{target}")
            page.page.locator("#target").fill(str(value))
            shown = page.value(f"#frontier-{target}")
            assert shown <= value if target == "tags" else shown >= value
            assert shown == pytest.approx(value, abs=0.01)
        assert page.page.locator("#changes-rows tr").count() == 16
        over = page.page.locator("#frontier .u-over")
        over.scroll_into_view_if_needed()
        box = over.bounding_box()
        page.page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 20)
        assert page.value("#frontier-recall") == pytest.approx(0.5, abs=0.02)


def test_hostile_names_are_text_everywhere(chrome, tmp_path):
    draw = np.random.default_rng(0)
    y_true = draw.random((300, len(HOSTILE))) < 0.3
    y_true[:, 1] = y_true[:, 0]
    y_score = np.clip(0.3 + 0.3 * y_true + draw.normal(0, 0.2, y_true.shape), 0, 1)
    y_score[:, 1] = y_score[:, 0]
    ids = [f"<script>alert({k})</script>.wav" for k in range(300)]
    path = report(
        y_true, y_score, output=tmp_path / "r.html", labels=HOSTILE, ids=ids, title=HOSTILE[1], methods=("exact",)
    )
    text = path.read_text()
    assert text.count("<script") == 3
    assert text.count("</script") == 3
    with opened(chrome, path, viewport={"width": 1280, "height": 1600}) as page:
        assert page.page.title() == HOSTILE[1]
        assert page.page.evaluate("document.scripts.length") == 3
        assert page.page.evaluate("document.querySelectorAll('main img, [onload], [onerror]').length") == 0
        names = page.page.locator("#table-body .name bdi").evaluate_all("all => all.map(one => one.textContent)")
        assert sorted(names) == sorted(HOSTILE)
        for name in HOSTILE:
            place = names.index(name)
            page.page.locator("#table-body .name").nth(place).click()
            assert page.page.locator("#label-name").evaluate("e => e.textContent") == name
            page.page.click("#to-half")
        assert "<script>alert(" in page.page.inner_text("#review-list")
        assert HOSTILE[0] in page.page.inner_text("#changes-rows")
        assert HOSTILE[0] in page.page.inner_text("#missed-rows")
        saved = limen.Thresholds.load(page.download("#save", tmp_path))
        assert saved.labels == HOSTILE
        assert set(saved.values) == {0.5}
        table = page.download("#save-table", tmp_path).read_bytes().decode()
        assert '"a\u202egnp.exe\u2028next\nline, ""quoted"""' in table


def test_the_policy_refuses_whatever_is_added(chrome, spoken, tmp_path):
    """A script, an event handler, a style or a request that got into the page would not run."""
    path = tmp_path / "altered.html"
    added = (
        "<script>window.ran = 'script'</script><img src=x onerror=\"window.ran = 'handler'\">"
        '<style>body { display: none }</style><link rel="stylesheet" href="https://example.org/x.css">'
    )
    path.write_text(spoken.read_text().replace("<noscript>", f"{added}<noscript>"))
    page = chrome.new_page()
    reached: list[str] = []
    page.on("requestfinished", lambda request: reached.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.evaluate("window.ran") is None
    assert page.evaluate("getComputedStyle(document.body).display") == "block"
    assert reached == [path.as_uri()]
    refused = "refused"
    for attempt in ("document.body.innerHTML = '<b>x</b>'", "document.write('x')"):
        assert (
            page.evaluate(f"() => {{ try {{ {attempt}; return 'ran' }} catch {{ return '{refused}' }} }}")
            == refused
        )
    assert page.evaluate("fetch('https://example.org').then(() => 'ran', () => 'refused')") == refused
    page.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_axe_finds_nothing(chrome, spoken, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    with opened(chrome, spoken, color_scheme=scheme, viewport={"width": width, "height": 900}) as page:
        page.page.click("#to-never")
        page.page.locator("#label-nearest summary").click()
        # The page lets no script in but its own, so axe comes by a way that the policy does not govern.
        found = axe.Axe().run(page.page)
        problems = [
            (one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found.response["violations"]
        ]
        assert problems == []


def test_themes_landmarks_and_names(chrome, spoken):
    background = "getComputedStyle(document.querySelector('.card')).backgroundColor"
    with opened(chrome, spoken, color_scheme="dark") as page:
        dark = page.page.evaluate(background)
        page.page.get_by_role("button", name="light", exact=True).click()
        light = page.page.evaluate(background)
        page.page.get_by_role("button", name="dark", exact=True).click()
        assert page.page.evaluate(background) == dark != light
        page.page.get_by_role("button", name="auto", exact=True).click()
        page.page.emulate_media(color_scheme="light")
        assert page.page.evaluate(background) == light
        for role in ("banner", "main", "contentinfo", "navigation"):
            assert page.page.get_by_role(role).count() == 1
        assert page.page.get_by_role("heading", level=1).count() == 1
        assert page.page.get_by_role("table", name="Labels").count() == 1
        slider = page.page.get_by_role("slider").first
        assert slider.get_attribute("aria-label").startswith("Threshold of ")
        for chart in ("histogram", "curves", "precision-recall", "calibration", "frontier"):
            assert len(page.page.get_attribute(f"#{chart}", "aria-label")) > 40


def test_print_shows_every_row_in_the_light_theme(chrome, spoken):
    with opened(chrome, spoken, color_scheme="dark") as page:
        drawn = page.page.locator("#table-body .row").count()
        page.page.emulate_media(media="print")
        page.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.page.locator("#table-body .row").count() == 16
        assert page.page.get_attribute("html", "data-theme") == "light"
        assert not page.page.is_visible("#save")
        assert len(page.page.pdf()) > 10_000
        page.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.page.get_attribute("html", "data-theme") is None
        page.page.emulate_media(media="screen")
        assert page.page.locator("#table-body .row").count() in (drawn, 16)


def test_leaving_with_changes_asks_nothing_for_they_come_back(chrome, spoken):
    with opened(chrome, spoken) as page:
        asked: list[str] = []
        page.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
        page.page.click("#to-never")
        page.page.reload()
        page.page.wait_for_selector("html[data-ready]", state="attached")
        assert asked == []
        assert page.page.inner_text("#changed-count") == "1 changed"
        page.requests[1:] = []
