"""Deliberately broken parts of events must make a comparison with the plain way, or with other programs, fail.

Kernels are broken in their own text and run as plain Python, so that what fails is the fault itself: a fault whose
place is no longer in the text fails the test too.
"""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from events_data import CRITERIA, check_against_peers
from limen._kernels import events as kernels
from limen.events import Events, FrameScores, Setting, curves, detecting, evaluate, event_curves, matching
from oracle import events as oracle

SOURCE = Path(kernels.__file__).parent
SETTINGS = [Setting(), Setting(median=0.3), Setting(0, 1, 0.2, 0.2), Setting(0.3, 0, 0.1, 0.3)]


def hard(seed):
    """Return scores and events on a grid of 0.1 s, where much is exactly as far away or as long as it may be.

    Events are short and near each other, so that a detection may be one or another, and last to the end.
    """
    rng = np.random.default_rng(seed)
    rows, recordings = [], {}
    for name in ("a", "b"):
        recordings[name] = rng.integers(-2, 3, (24, 1)).astype("f4")
        end = 0
        while end < 20:
            begin = end + int(rng.integers(1, 4))
            end = begin + int(rng.integers(1, 5))
            rows.append((name, begin / 10, min(end, 24) / 10, "x"))
    return FrameScores(("x",), recordings, 0.1), Events.from_rows(rows)


def check(seeds=range(8)):
    """Counts of candidates of some settings, and of events as given, are those of the plain way."""
    for seed in seeds:
        scores, events = hard(seed)
        for criterion in CRITERIA:
            more = (2_400_000,) if criterion == "segment" else ()
            found = event_curves(scores, events, SETTINGS, CRITERIA[criterion], parts=np.arange(2))
            for j in np.random.default_rng(seed).permutation(len(found.cuts))[:20]:
                high = found.thresholds[j]
                setting = found.settings[found.setting_of[j]]
                width, gap, shortest = (
                    round(10 * setting.median),
                    *(round(1e6 * t) for t in (setting.gap, setting.shortest)),
                )
                every = []
                for r, name in enumerate(scores.names):
                    values = scores.recordings[name][:, 0].tolist()
                    low = high - setting.hysteresis
                    own = oracle.detected(
                        values, range(0, 2_500_000, 100_000), max(width, 1), low, high, gap, shortest
                    )
                    mine = events.recording == r
                    known = list(zip(events.onset[mine].tolist(), events.offset[mine].tolist(), strict=True))
                    assert getattr(oracle, criterion)(own, known, *more) == (found.tp[r, j], found.pp[r, j])
                    every += [(name, begin / 1e6, end / 1e6, "x") for begin, end in own]
                if j % 4:
                    continue
                given = Events.from_rows(every, recordings=scores.names, labels=("x",))
                counts = evaluate(events, given, CRITERIA[criterion], durations=scores).counts
                assert (counts.tp[0], counts.pp[0]) == (found.tp[:, j].sum(), found.pp[:, j].sum())


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Give a function that puts plain Python kernels, with a text in a file replaced, in the place of limen's."""

    def put(file="", old="", new=""):
        package = tmp_path / "broken_events"
        package.mkdir()
        for path in SOURCE.glob("*.py"):
            text = path.read_text()
            if path.stem == file:
                assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path.name}"
                text = text.replace(old, new)
            text = text.replace("limen._kernels.events", "broken_events").replace(
                "@njit(cache=True, nogil=True)", ""
            )
            (package / path.name).write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        for module in [name for name in sys.modules if name.startswith("broken_events")]:
            monkeypatch.delitem(sys.modules, module)
        importlib.invalidate_caches()
        made = importlib.import_module("broken_events")
        for user in (curves, detecting, matching):
            monkeypatch.setattr(user, "kernels", made)

    yield put
    for module in [name for name in sys.modules if name.startswith("broken_events")]:
        del sys.modules[module]


def test_nothing_broken_passes(broken):
    check()
    broken()
    check(range(2))


FAULTS = {
    "a frame too many in an event": (
        "counting",
        "nodes[size, 1] = start, i\n",
        "nodes[size, 1] = start, min(i + 1, codes.shape[0])\n",
    ),
    "what ends is forgotten": ("counting", "            if before >= 0:", "            if before > 10**9:"),
    "the segment after an event": ("counting", "s * rule.length < offset", "s * rule.length <= offset"),
    "> for >=, references": ("counting", "time >= references.needs[i]", "time > references.needs[i]"),
    "> for >=, detections": ("counting", "within[start] >= needed", "within[start] > needed"),
    "an event that is wrong again": ("counting", "if right != was_right:", "if right > was_right:"),
    "nobody takes a freed place": ("counting", "np.int64(paired(pairs, left)) - 1", "-1"),
    "greedy matching": ("judging", "                tail += 1\n", "                tail += 0\n"),
    "< for <=, onsets": (
        "judging",
        "references.onset[i] <= onset + rule.length",
        "references.onset[i] < onset + rule.length",
    ),
    "< for <=, offsets": ("judging", "<= references.needs[i]:", "< references.needs[i]:"),
    "> for >=, given detections": ("judging", "total < needed(", "total <= needed("),
    "> for >=, found references": ("judging", "(found >= references", "(found > references"),
    "the segment after a reference": ("judging", "(offset[e] - 1) // length", "offset[e] // length"),
    "the segment after a detection": ("judging", "(offset[e] - 1) // rule.length", "offset[e] // rule.length"),
    "gaps as long as allowed stay": ("filters", "gap + 1, True", "gap, True"),
    "pauses at the ends are closed": ("filters", "gap + 1, True", "gap + 1, False"),
    "events as short as allowed go": (
        "filters",
        "edges[stop] - edges[i] < shortest",
        "edges[stop] - edges[i] <= shortest",
    ),
    "hysteresis one way only": ("filters", "range(n - 1, -1, -1)", "range(0)"),
    "the median a frame late": ("medians", "shift = begin + j - half", "shift = begin + j - half - 1"),
    "ties apart": ("ranking", "key != last", "i >= 0"),
    "a sort that stops early": (
        "ranking",
        "for shift in range(0, bits, digit_bits)",
        "for shift in range(0, bits - digit_bits, digit_bits)",
    ),
    "the part of the first recording": ("counting", "book.part_of[r])", "0)"),
    "counts that stay in the book": ("curves", "book.tp[code, part] = book.pp[code, part] = 0", "pass"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_kernel(broken, fault):
    broken(*FAULTS[fault])
    with pytest.raises((AssertionError, IndexError)):
        check()


def test_off_by_one_frame_and_others(monkeypatch):
    whole = FrameScores.bounds
    monkeypatch.setattr(FrameScores, "bounds", lambda self, name: whole(self, name) + 40_000)
    with pytest.raises(AssertionError):
        check_against_peers("fsdd", "collar", [Setting()], ["0"])


def test_above_for_at_or_above(monkeypatch):
    whole = curves.ranked_scores

    def above(*given):
        distinct, ranks = whole(*given)
        return distinct, ranks - 1

    monkeypatch.setattr(curves, "ranked_scores", above)
    with pytest.raises(AssertionError):
        check_against_peers("fsdd", "collar", [Setting()], ["0"])
