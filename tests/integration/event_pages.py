"""Events for the tests of their report, and what a person does in its page."""

import numpy as np

from limen.events import Events, FrameScores, Setting

SETTINGS = [Setting(), Setting(0.2, 1.0, 0.08, 0.12), Setting(0.36, 2.0)]
LABELS = ("dog", "cat", "bird")


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


def choose(shown, label):
    shown.page.locator("#label-rows button").get_by_text(label, exact=True).click()


def type_in(shown, label, threshold):
    choose(shown, label)
    shown.page.fill("#threshold-number", str(threshold))
    shown.page.keyboard.press("Enter")
