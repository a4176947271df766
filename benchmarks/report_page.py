"""The HTML report: how long it takes to make, how large it is, how fast it opens and follows a drag.

    python benchmarks/report_page.py --data DIR

``DIR`` holds `audioset_eval_labels.npz`. Needs playwright and a Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, sync_playwright

import audioset
import limen
from limen.datasets import spoken_tags
from limen.reporting import report
from report import Checks, machine, markdown, say

HEADER = ("labels", "items", "cuts", "made in", "size", "first paint", "ready", "drag a cut", "drag the frontier")
LARGEST_MB = {16: 1.5, 527: 6.0}
STEPS = 100

# A step ends when its event is handled, and style and layout are done; painting waits for the next frame.
DRAG = """async ([id, steps]) => {
  const slider = document.getElementById(id), low = Number(slider.min), high = Number(slider.max), took = [];
  for (let i = 0; i < steps; i++) {
    slider.value = String(low + (high - low) * (i + 0.5) / steps);
    const start = performance.now();
    slider.dispatchEvent(new Event("input"));
    document.body.getBoundingClientRect();
    took.push(performance.now() - start);
    await new Promise((next) => requestAnimationFrame(next));
  }
  slider.dispatchEvent(new Event("change"));
  return took;
}"""
MARKS = """() => ({
  paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
  ready: performance.getEntriesByName("ready")[0].startTime,
})"""


def problems(folder: Path) -> Iterator[tuple[Any, Any, list[str]]]:
    """Give labels, scores and label names: the spoken tags, AudioSet's size, and 10 000 labels."""
    y_true, y_score, names = spoken_tags()
    yield y_true, y_score, list(names)
    data = audioset.load(folder)
    with np.load(folder / "audioset_eval_labels.npz", allow_pickle=False) as file:
        yield data.y_true, data.y_score, [str(name) for name in file["names"]]
    draw = np.random.default_rng(0)
    prior = 0.3 * draw.beta(0.3, 8, 10_000)
    y_true = (draw.random((3000, 10_000)) < prior).astype(np.int8)
    logit = draw.normal(size=y_true.shape) + 2 * y_true + np.log(prior + 1e-3) - 1
    yield y_true, (1 / (1 + np.exp(-logit))).astype(np.float32), [f"label {k}" for k in range(10_000)]


def opened(browser: Browser, path: Path) -> dict[str, Any]:
    """Return what a fresh page measures of itself, in ms: the median of three openings, and all drag steps."""
    marks = []
    for _ in range(3):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        page.wait_for_timeout(300)
        marks.append(page.evaluate(MARKS))
        if len(marks) < 3:
            page.close()
    drags = {key: page.evaluate(DRAG, [key, STEPS]) for key in ("cut", "target")}
    page.close()
    return {key: statistics.median(mark[key] for mark in marks) for key in ("paint", "ready")} | drags


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data
    checks, rows = Checks(), []
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        for y_true, y_score, names in problems(folder):
            n_labels = len(names)
            say(f"{n_labels} labels")
            thresholds = limen.tune(y_true, y_score, labels=names, method="shared")
            start = time.perf_counter()
            path = report(y_true, y_score, thresholds, Path(temporary, "report.html"), methods=())
            seconds, size = time.perf_counter() - start, path.stat().st_size / 1e6
            found = opened(browser, path)
            median, worst = ({key: f(found[key]) for key in ("cut", "target")} for f in (statistics.median, max))
            cuts = len(limen.Curves.from_arrays(y_true, y_score).tp)
            rows.append(
                (
                    *(f"{number:,}".replace(",", " ") for number in (n_labels, len(y_true), cuts)),
                    f"{seconds:.1f} s",
                    f"{size:.2f} MB",
                    f"{found['paint']:.0f} ms",
                    f"{found['ready']:.0f} ms",
                    *(f"{median[key]:.1f} ms (at most {worst[key]:.1f})" for key in ("cut", "target")),
                )
            )
            if n_labels in LARGEST_MB:
                checks.at_most(f"{n_labels} labels, size", size, LARGEST_MB[n_labels], " MB")
            if n_labels == 527:
                checks.at_most("527 labels, first paint", found["paint"], 1000, " ms")
                checks.at_most("527 labels, ready", found["ready"], 1000, " ms")
                checks.at_most("527 labels, drag step of a cut, worst of 100", worst["cut"], 50, " ms")
                checks.at_most("527 labels, drag step of the frontier, worst of 100", worst["target"], 50, " ms")
        say(f"Chromium {browser.version}")
        browser.close()
    print(machine(["limen", "numpy", "playwright"]))
    print(markdown(HEADER, rows))
    print(checks)
    return checks.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
