"""Make the stored pictures of the report, light and dark, from the one in build/docs (``make docs`` first).

``python docs/_ext/report_picture.py`` needs Chromium and Playwright, so the build does not run it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "build" / "docs" / "spoken-tags-report.html"
SIZE = {"width": 1280, "height": 1180}


def main() -> None:
    """Write docs/_static/report.png and report-dark.png."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for scheme, name in (("light", "report.png"), ("dark", "report-dark.png")):
            page = browser.new_page(viewport=SIZE, color_scheme=scheme, reduced_motion="reduce")
            page.goto(REPORT.as_uri())
            page.wait_for_selector("html[data-ready]", state="attached")
            page.screenshot(path=ROOT / "docs" / "_static" / name)
        browser.close()


if __name__ == "__main__":
    main()
