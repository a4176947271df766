"""Deliberately broken parts of events must make the comparison with other programs fail."""

import numpy as np
import pytest

from events_data import check_against_peers
from limen._kernels import events as kernels
from limen.events import FrameScores, Setting, curves


def check():
    check_against_peers("fsdd", "collar", [Setting()], ["0"])


def test_nothing_broken_passes(monkeypatch):
    monkeypatch.setattr(kernels, "sweep", kernels.sweep.py_func)
    monkeypatch.setattr(kernels, "_alone", kernels._alone.py_func)
    check_against_peers("desed20", "collar", [Setting(median=0.36)], ["0.36"])


def test_off_by_one_frame(monkeypatch):
    whole = FrameScores.bounds
    monkeypatch.setattr(FrameScores, "bounds", lambda self, name: whole(self, name) + 40_000)
    with pytest.raises(AssertionError):
        check()


def test_above_for_at_or_above(monkeypatch):
    whole = curves._codes

    def above(*given):
        cuts, (high, low, same) = whole(*given)
        return cuts, (high - 1, low - 1, same)

    monkeypatch.setattr(curves, "_codes", above)
    with pytest.raises(AssertionError):
        check()


def test_greedy_matching():
    def greedy(rule, references, r, onset, offset, n_events):
        free = list(range(references.offsets[r], references.offsets[r + 1]))
        for on, off in zip(onset[:n_events], offset[:n_events], strict=True):
            hits = [i for i in free if kernels._hit(rule, references, i, on, off)]
            free = [i for i in free if i not in hits[:1]]
        return references.offsets[r + 1] - references.offsets[r] - len(free)

    rule = kernels.Rule(kernels.COLLAR, 200_000, 0.0)
    # The first detection may be either reference, the second only the first one.
    known = (np.array([0, 2]), np.array([0, 300_000]), np.array([500_000, 600_000]), np.array([200_000] * 2))
    references = kernels.References(*known, np.zeros(2, np.int64), np.zeros(0, bool))
    found = (np.array([150_000, 50_000]), np.array([550_000, 450_000]))
    assert kernels.right(rule, references, 0, *found, 2) == (2, 2)
    assert greedy(rule, references, 0, *found, 2) == 1
