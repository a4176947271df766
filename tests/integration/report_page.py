"""Reports opened in a real browser, for the tests."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str:
    """Return the path of a Chromium; skip the test, loudly, where there is none."""
    named = os.environ.get("LIMEN_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip(
            "THE REPORT IS NOT TESTED IN A BROWSER: no Chromium found. Install it (apt-get install chromium), or "
            "name it in LIMEN_CHROMIUM."
        )
    return found


def content(path: Path) -> dict[str, Any]:
    """Return the data that a report embeds."""
    return json.loads(re.search(r'id="data">(.*?)</script>', path.read_text(), re.DOTALL)[1])


@contextmanager
def browser() -> Iterator:
    """Give a headless Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api")
    path = chromium()
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield launched
        finally:
            launched.close()


class Report:
    """A report in a page of the browser, with whatever went wrong in it."""

    def __init__(self, browser, path: Path, **context) -> None:
        # Without smooth scrolling: a click during it lands where the button was.
        self.context = browser.new_context(**{"accept_downloads": True, "reduced_motion": "reduce"} | context)
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.wrong.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.address = path.resolve().as_uri()
        self.page.goto(self.address)
        self.page.wait_for_selector("html[data-ready]", state="attached", timeout=20_000)

    def close(self) -> None:
        """Close the page; fail if anything was wrong in it, or if it asked for anything."""
        self.context.close()
        assert self.wrong == []
        # A download is a blob of the page itself; everything else would leave it.
        assert [url for url in self.requests if not url.startswith("blob:")] == [self.address]

    def value(self, selector: str) -> float:
        """Return the exact number behind what is shown."""
        text = self.page.locator(f"{selector} data").first.get_attribute("value")
        return float(text.replace("Infinity", "inf"))

    def averages(self) -> dict[str, float]:
        return {name: self.value(f"#now-{name}") for name in ("micro", "macro", "weighted")}

    def threshold(self) -> float:
        """Return the shown label's threshold."""
        return float(self.page.locator("#cut-number").get_attribute("data-value").replace("Infinity", "inf"))

    def becomes(self, number: float) -> bool:
        """Return whether the shown label's threshold gets to a number within two seconds."""
        for _ in range(40):
            if self.threshold() == number:
                return True
            self.page.wait_for_timeout(50)
        return False

    def tap(self, selector: str, number: float) -> bool:
        """Tap until the shown label's threshold gets to a number; return whether it does.

        On a busy machine the browser turns a tap now and then into no click, as one that stops a scrolling page.
        """
        for _ in range(5):
            self.page.tap(selector)
            if self.becomes(number):
                return True
        return False

    def show(self, label: str) -> None:
        """Open a label by its name, through the search."""
        self.page.fill("#search", label)
        self.page.locator("#table-body .name", has_text=label).first.click()
        self.page.fill("#search", "")

    def drag_to(self, share: float) -> None:
        """Drag the shown label's cut with the mouse to a share of the chart's width."""
        over = self.page.locator("#histogram .u-over")
        over.scroll_into_view_if_needed()
        box = over.bounding_box()
        y = box["y"] + box["height"] / 2
        self.page.mouse.move(box["x"] + box["width"] * 0.5, y)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + box["width"] * (0.5 + share) / 2, y)
        self.page.mouse.move(box["x"] + box["width"] * share, y)
        self.page.mouse.up()

    def type_in(self, threshold: float) -> None:
        """Type the shown label's threshold."""
        self.page.fill("#cut-number", str(threshold))
        self.page.keyboard.press("Enter")

    def download(self, selector: str, folder: Path) -> Path:
        """Press a button and return the file that it saves."""
        with self.page.expect_download() as waiting:
            self.page.click(selector)
        target = folder / waiting.value.suggested_filename
        waiting.value.save_as(target)
        return target


@contextmanager
def opened(launched, path: Path, **context) -> Iterator[Report]:
    """Give a report, and check at the end that nothing went wrong and nothing was asked for."""
    report = Report(launched, path, **context)
    yield report
    report.close()
