"""What a reader did lasts: label, filters and edits are in the address and the browser's stores, and come back."""

import re
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from limen.reporting import report

N_LABELS = 30
FULL = """
for (const name of ["setItem", "getItem"]) {
  Storage.prototype[name] = () => { throw new DOMException("full", "QuotaExceededError"); };
}
"""
NONE = "for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, " + (
    "{ get() { throw new DOMException('no', 'SecurityError'); } });"
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return made(tmp_path_factory.mktemp("lasting") / "a report.html", seed=0)


def made(path, seed):
    draw = np.random.default_rng(seed)
    y_true = draw.random((300, N_LABELS)) < draw.uniform(0.03, 0.5, N_LABELS)
    y_score = np.clip(draw.normal(0.35, 0.15, y_true.shape) + 0.25 * y_true, 0, 1)
    names = [f"spëcies & {k}, =#" for k in range(N_LABELS)]
    return report(y_true, y_score, 0.45, path, labels=names, methods=())


@contextmanager
def reader(chrome, script=""):
    """Give a function that opens an address in a tab of a browser with its own stores; nothing may go wrong."""
    context, wrong = chrome.new_context(), []
    context.add_init_script(script)

    def go(address):
        tab = context.new_page()
        tab.on("console", lambda message: wrong.append(message.text))
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.goto(address)
        return ready(tab)

    yield go
    context.close()
    assert wrong == []


def ready(tab):
    tab.wait_for_selector("html[data-ready]", state="attached")
    return tab


def until(tab, holds):
    """Wait for what an expression says; the page's policy lets no text be run in it."""
    for _ in range(200):
        if tab.evaluate(holds):
            return
        tab.wait_for_timeout(50)
    raise AssertionError(holds)


def written(tab, what):
    """Wait until the address has something, and return it by name."""
    until(tab, f"decodeURIComponent(location.hash.replace(/\\+/g, ' ')).includes({what!r})")
    return {key: value[0] for key, value in parse_qs(urlsplit(tab.url).fragment).items()}


def show(tab, name):
    tab.fill("#search", name)
    tab.locator("#table-body .name").first.click()
    tab.fill("#search", "")


def cut(tab):
    return tab.locator("#cut-number").get_attribute("data-value")


def edit(tab, name, threshold):
    show(tab, name)
    tab.fill("#cut-number", str(threshold))
    tab.keyboard.press("Enter")
    return cut(tab)


def all_moved(tab):
    tab.check("#target-precision")
    tab.locator("#target").fill("0.6")
    assert int(tab.inner_text("#changed-count").split()[0]) > 20
    return {name: tab.inner_text(f"#now-{name}") for name in ("micro", "macro", "tags")}


def test_a_reload_loses_nothing(chrome, path):
    with reader(chrome) as go:
        tab = go(path.as_uri())
        edit(tab, "species & 7,".replace("e", "ë", 1), 0.7)
        moved = edit(tab, "& 12,", 0.3)
        tab.fill("#search", "2")
        tab.fill("#support-to", "140")
        tab.fill("#weak-bar", "65")
        tab.click("#kinds [data-kind=changed]")
        tab.click("#table-head [data-key=f1] button")
        shown = {
            name: tab.inner_text(f"#{name}") for name in ("verdict", "trouble", "tiles", "averages", "table-count")
        }
        found = written(tab, "sort=f1 -1")
        assert (found["label"], found["search"], found["to"], found["show"]) == (
            "spëcies & 12, =#",
            "2",
            "140",
            "changed",
        )
        assert found["weak"] == "0.65"
        assert len(found["edits"].split(",")) == 2
        tab.reload()
        ready(tab)
        assert tab.inner_text("#label-name") == "spëcies & 12, =#"
        assert cut(tab) == moved
        assert shown == {name: tab.inner_text(f"#{name}") for name in shown}
        assert re.match(
            r"2 changes from \d{4}-\d\d-\d\d \d\d:\d\d UTC restored\. Discard", tab.inner_text("#restored")
        )
        assert tab.get_attribute("#table-head [data-key=f1]", "aria-sort") == "descending"
        unchanged = tab.locator("#changed-count", has_text="no change")
        tab.click("#undo")
        unchanged.wait_for()
        tab.click("#redo")
        tab.locator("#changed-count", has_text="2 changed").wait_for()
        tab.click("#discard")
        unchanged.wait_for()
        assert tab.inner_text("#restored") == ""
        tab.reload()  # At once: before the address is written.
        assert ready(tab).inner_text("#changed-count") == "no change"
        assert tab.inner_text("#restored") == ""


def test_a_link_opens_the_same_label_and_edits_elsewhere(chrome, path):
    with reader(chrome) as go:
        tab = go(path.as_uri())
        moved = edit(tab, "& 3,", 0.6)
        written(tab, "edits=3:")
        link = tab.url
    with reader(chrome) as go:
        tab = go(link)
        assert tab.inner_text("#label-name") == "spëcies & 3, =#"
        assert cut(tab) == moved
        assert tab.inner_text("#restored").startswith("1 change of the address restored.")
    with reader(chrome) as go:
        mine = go(path.as_uri())
        edit(mine, "& 5,", 0.2)
        written(mine, "edits=5:")
        tab = go(link)
        assert tab.inner_text("#changed-count") == "1 changed"
        tab.click("#use-draft")
        show(tab, "& 5,")
        assert cut(tab) == cut(mine)


def test_a_draft_comes_back_in_a_new_tab_and_leaves_other_reports_alone(chrome, path, tmp_path):
    other = made(tmp_path / "other.html", seed=1)
    with reader(chrome) as go:
        tab, second = go(path.as_uri()), go(other.as_uri())
        values = all_moved(tab)
        edit(second, "& 1,", 0.7)
        tab.wait_for_timeout(300)
        assert "edits=" not in tab.url
        again = go(path.as_uri())
        assert "changes from" in again.inner_text("#restored")
        assert {name: again.inner_text(f"#now-{name}") for name in values} == values
        assert go(other.as_uri()).inner_text("#changed-count") == "1 changed"
        again.click("#reset")
        tab.reload()
        ready(tab)
        assert {name: tab.inner_text(f"#now-{name}") for name in values} == values, "a tab keeps its own draft"
        tab.goto("about:blank")
        tab.go_back()
        ready(tab)
        assert {name: tab.inner_text(f"#now-{name}") for name in values} == values


def test_links_within_the_page_keep_the_state(chrome, path):
    with reader(chrome) as go:
        tab = go(path.as_uri())
        show(tab, "& 9,")
        written(tab, "label=spëcies & 9,")
        until(tab, "!location.hash.includes('search=')")
        before = tab.url
        tab.click("nav a[href='#items']")
        assert tab.url == before
        until(tab, "document.getElementById('items').getBoundingClientRect().top < 200")
        assert tab.evaluate("document.activeElement.id") == "items-title"
        place = go(path.as_uri() + "#methods")
        written(place, "label=")
        until(place, "Math.abs(document.getElementById('methods').getBoundingClientRect().top) < 200")


@pytest.mark.parametrize("script", [FULL, NONE])
def test_a_browser_that_keeps_nothing(chrome, path, script):
    """Few edits are in the address; before more are lost the browser asks."""
    with reader(chrome, script) as go:
        tab = go(path.as_uri())
        moved = edit(tab, "& 3,", 0.6)
        written(tab, "edits=3:")
        asked = []
        tab.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
        tab.reload()
        assert cut(ready(tab)) == moved
        assert asked == []
        all_moved(tab)
        tab.reload()
        ready(tab)
        assert asked == ["beforeunload"]


@pytest.mark.parametrize(
    "fragment",
    [
        "label=<img src=x onerror=alert(1)>&show=constructor&sort=__proto__ 1&weak=7&from=x",
        "edits=99:0.5,a:b,3:,:1,-1:0.2,1.5:3&of={draft}",
        "edits=3:0.5&of=another",
        "=&&&%E0%A4%A",
    ],
)
def test_addresses_that_make_no_sense(chrome, path, fragment):
    from integration.report_page import content

    with reader(chrome) as go:
        tab = go(path.as_uri() + "#" + fragment.format(draft=content(path)["draft"]))
        assert tab.inner_text("#changed-count") == "no change"
        assert tab.inner_text("#table-count") == f"{N_LABELS} of {N_LABELS} labels"
        assert tab.input_value("#weak-bar") == "50"


def test_an_address_changed_by_hand(chrome, path):
    with reader(chrome) as go:
        tab = go(path.as_uri())
        tab.evaluate("location.hash = 'label=spëcies+%26+4,+%3D%23&show=weak'")
        until(tab, "document.getElementById('label-name').textContent.includes('& 4,')")
        assert tab.get_attribute("#kinds [data-kind=weak]", "aria-pressed") == "true"


def test_a_draft_that_is_damaged_is_left_aside(chrome, path):
    from integration.report_page import content

    key = f"limen {content(path)['draft']}"
    with reader(chrome) as go:
        tab = go(path.as_uri())
        for draft in (
            "{",
            "[]",
            '{"when": 1, "bar": 2, "edits": 3}',
            '{"when": "x", "bar": 0.5, "edits": [[999, 1]]}',
        ):
            tab.evaluate(
                "([key, draft]) => { localStorage.setItem(key, draft); sessionStorage.clear(); }", [key, draft]
            )
            assert go(path.as_uri()).inner_text("#changed-count") == "no change"
