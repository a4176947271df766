"""Events decided while frames come are those decided from all frames at once, and come in time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limen.errors import InputError
from limen.events import Events, FrameScores, Setting
from limen.events.detecting import detect
from limen.events.streaming import Decider

LABELS = ("a", "b")
settings_ = st.builds(
    Setting,
    median=st.sampled_from([0, 0.12, 0.2, 1.0]),
    gap=st.sampled_from([0, 0.04, 0.1, 0.12, 1 / 3]),
    shortest=st.sampled_from([0, 0.04, 0.08, 0.2]),
)


@given(
    scores=st.lists(st.tuples(*[st.integers(0, 5)] * 2), max_size=50),
    settings=st.tuples(settings_, settings_),
    cuts=st.tuples(
        *[st.tuples(st.sampled_from([0.4, 0.6, 0.8, 1.0, np.inf]), st.sampled_from([0, 0.2, 0.3]))] * 2
    ),
    steps=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    short=st.floats(0, 0.9),
    seconds=st.sampled_from([0.04, 0.02, 1 / 3]),
)
def test_a_stream_gives_what_the_whole_gives(scores, settings, cuts, steps, short, seconds):
    frames = np.array(scores, np.float32).reshape(-1, 2) / 5
    high = np.array([cut for cut, _ in cuts])
    low = high - np.array([below for _, below in cuts])
    duration = max(len(frames) - short, 0) * seconds
    whole = detect(FrameScores(LABELS, {"r": frames}, seconds, {"r": duration}), settings, high, low)
    decider, found, at = Decider(settings, high, low, seconds), [], 0
    while at < len(frames):
        step = steps[at % len(steps)]
        found += decider.push(frames[at : at + step])
        at += step
    found += decider.close(duration)
    label, onset, offset = np.array(found, np.int64).reshape(-1, 3).T
    assert Events(("r",), LABELS, np.zeros(len(found), np.int64), label, onset, offset) == whole


@pytest.mark.parametrize("setting", [Setting(), Setting(median=0.52), Setting(median=0.2, gap=0.4)])
def test_an_event_is_known_within_the_delay(setting):
    frames = np.zeros((200, 1))
    frames[50:100] = 1
    decider = Decider([setting], np.array([0.5]), np.array([0.5]), 0.04)
    known = next(k for k in range(200) if decider.push(frames[k : k + 1]))
    assert (known + 1 - 100) * 0.04 <= decider.delay + 1e-9
    assert decider.delay < 1


def test_scores_of_another_shape_are_refused():
    with pytest.raises(InputError, match=r"scores of the shape \(3, 1\) came for 2 labels"):
        Decider([Setting()] * 2, np.ones(2), np.ones(2), 0.1).push(np.ones((3, 1)))
