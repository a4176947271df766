"""Windows over a stream, and the scores of their frames pooled: against a plain computation over the whole."""

import contextlib
import math

import numpy as np
import pytest

from limen.audio import CallableScorer, iter_scores
from limen.audio.windows import Grid, pooled
from limen.errors import InputError, LimenWarning

RATE, WINDOW, HOP, FRAME = 100, 40, 20, 10
POOLINGS = ("mean", "max", "noisy-or", "centre")


def scorer(activation="probability", function=None, **changed):
    """Score a frame by its samples and by its place in the window, so that windows disagree."""

    def scores(windows):
        frames = windows.reshape(len(windows), -1, FRAME).mean(axis=2, dtype=float)
        place = np.linspace(0.2, 0.9, frames.shape[1])
        p = np.stack([np.clip(frames, 0, 1) * place, 1 - 0.5 * place + 0 * frames], axis=2)
        return np.log(p + 1e-3) - np.log1p(1e-3 - p) if activation == "logit" else p

    about = {"rate": RATE, "window": WINDOW, "hop": HOP, "frame_seconds": FRAME / RATE, "labels": ["a", "b"]}
    return CallableScorer(function or scores, **{**about, **changed}, activation=activation)


def naive(sound, model, pooling):
    """All windows at once, then frame by frame."""
    starts = [0]
    while starts[-1] + model.window < len(sound):
        starts.append(starts[-1] + model.hop)
    padded = np.concatenate([sound, np.zeros(model.window, np.float32)])
    scores = [model(padded[None, s : s + model.window])[0].astype(float) for s in starts]
    n_window = len(scores[0])
    result = []
    for k in range(max(1, math.ceil(len(sound) / FRAME))):
        over = [(w, k - s // FRAME) for w, s in enumerate(starts) if 0 <= k - s // FRAME < n_window]
        own = np.array([scores[w][f] for w, f in over])
        if pooling == "mean":
            result.append(own.mean(axis=0))
        elif pooling == "max":
            result.append(own.max(axis=0))
        elif pooling == "centre":
            result.append(own[np.argmin([abs(f + 0.5 - n_window / 2) for _, f in over])])
        else:
            p = 1 / (1 + np.exp(-own)) if model.activation == "logit" else own
            p = 1 - np.prod(1 - p, axis=0)
            result.append(np.log(p / (1 - p)) if model.activation == "logit" else p)
    return np.array(result)


@pytest.mark.parametrize("activation", ["probability", "logit"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_blocks_and_batches_change_nothing(pooling, activation):
    rng = np.random.default_rng(0)
    for hop in (10, 20, 30, 40):
        model = scorer(activation, hop=hop)
        for n in (1, 39, 40, 41, 60, 95, 200, 437):
            sound = rng.random(n).astype(np.float32)
            expected = naive(sound, model, pooling)
            for block, batch in ((1, 1), (7, 3), (500, None)):
                blocks = [sound[k : k + block] for k in range(0, n, block)]
                found = np.concatenate([*pooled(blocks, model, pooling, batch=batch)])
                assert found.dtype == np.float32
                np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6, err_msg=f"{hop} {n} {block}")


def test_frames_come_when_no_later_window_touches_them():
    given = 0

    def blocks():
        nonlocal given
        for _ in range(50):
            given += 10
            yield np.ones(10, np.float32)

    n_frames = 0
    for frames in iter_scores(blocks(), scorer(), rate=RATE, batch=1):
        n_frames += len(frames)
        # The first frame of those began a window and a block ago, at most.
        assert given - FRAME * (n_frames - len(frames)) <= WINDOW + 10 or given == 500
    assert n_frames == 50


def test_no_more_is_held_than_a_batch():
    held = []

    def watched(windows):
        held.append(windows.nbytes)
        return np.zeros((len(windows), WINDOW // FRAME, 2))

    blocks = (np.zeros(1000, np.float32) for _ in range(200))
    found = sum(map(len, pooled(blocks, scorer(function=watched))))
    assert found == 200 * 1000 // FRAME
    assert max(held) == 16 * WINDOW * 4


def test_noisy_or_of_logits_at_the_ends():
    for logit in (-800.0, -600.0, -40.0, 0.0, 40.0, 600.0):
        model = scorer("logit", lambda windows, x=logit: np.full((len(windows), 4, 2), x))
        found = np.concatenate([*pooled([np.zeros(60, np.float32)], model, "noisy-or")])
        assert np.isfinite(found).all()
        once, twice = found[0, 0], found[2, 0]
        assert once == pytest.approx(max(logit, -700), abs=1e-4)
        assert twice >= once


def test_silence_and_nothing_at_all_give_frames():
    silent = [*pooled([np.zeros(100, np.float32)], scorer(), "max")]
    assert np.concatenate(silent)[:, 0].tolist() == [0.0] * 10
    assert np.concatenate([*pooled([], scorer())]).shape == (1, 2)


def counting(frames, window=40, hop=20, frame=0.1, rate=RATE):
    """Score each frame of a window by its number, ``frames`` of them."""

    def scores(windows):
        return np.broadcast_to(np.arange(frames, dtype=float)[None, :, None], (len(windows), frames, 1))

    about = {"rate": rate, "window": window, "hop": hop, "frame_seconds": frame, "labels": ["a"]}
    return CallableScorer(scores, **about, activation="logit")


def test_a_frame_more_is_cut_without_a_word_and_two_of_four_are_refused():
    for frames in (4, 5):
        assert np.concatenate([*pooled([np.zeros(95, np.float32)], counting(frames))]).shape == (10, 1)
    for frames in (2, 6, 0):
        with pytest.raises(InputError, match=f"gives {frames} frames for a window of 40 samples, which has 4 fr"):
            [*pooled([np.zeros(95, np.float32)], counting(frames))]


@pytest.mark.parametrize(("frames", "hop"), [(100, 500), (98, 500), (98, 1000), (103, 1000), (96, 1000)])
def test_models_that_pad_give_some_frames_more_or_fewer(frames, hop, monkeypatch):
    """What is given counts from the beginning of a window; the next window, or the last frame, fills up."""
    monkeypatch.setattr("limen.audio.windows._told", set())
    model = counting(frames, 1000, hop)
    told = (
        contextlib.nullcontext() if frames == 100 else pytest.warns(LimenWarning, match=f"gives {frames} frames")
    )
    for block in (1000, 77):
        with told if block == 1000 else contextlib.nullcontext():  # told once
            sound = np.zeros(2500, np.float32)
            found = [*pooled([sound[k : k + block] for k in range(0, 2500, block)], model, "centre")]
        starts = range(0, 2500 - 1000 + hop, hop)
        expected = []
        for k in range(250):
            over = [k - s // 10 for s in starts if 0 <= k - s // 10 < min(frames, 100)]
            near = min(over, key=lambda f: abs(f + 0.5 - min(frames, 100) / 2), default=None)
            expected.append(frames - 1 if near is None else near)
        np.testing.assert_array_equal(np.concatenate(found)[:, 0], expected)


@pytest.mark.parametrize("frames", [95, 105, 50, 200])
def test_counts_of_frames_that_contradict_the_window_are_refused(frames):
    with pytest.raises(InputError, match=rf"gives {frames} frames for a window .* which has 100 frames"):
        [*pooled([np.zeros(95, np.float32)], counting(frames, 1000, 1000))]


def test_a_model_whose_windows_have_different_numbers_of_frames_is_refused():
    numbers = iter((4, 5))
    model = scorer(function=lambda windows: np.zeros((len(windows), next(numbers), 2)))
    with pytest.raises(InputError, match="gave 4 frames for a window before, and now 5"):
        [*pooled([np.zeros(95, np.float32)], model, batch=1)]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(("hop", "covers"), [(40, 1), (20, 2), (10, 4), (25, 2), (30, 1)])
def test_one_score_for_a_window_stands_for_the_frames_it_fills_by_half(dims, hop, covers):
    """As clip models give it, BirdNET's or PANNs': windows overlap, and frames are as long as a hop."""

    def loudest(windows):
        scores = np.stack([windows.max(axis=1), -windows.max(axis=1)], axis=1)
        return scores if dims == 2 else scores[:, None]

    for seconds in (0.4, hop / RATE):  # a frame is the window, or the hop
        model = scorer("logit", loudest, hop=hop, frame_seconds=seconds)
        assert model.frame_seconds == hop / RATE
        sound = np.random.default_rng(1).random(207).astype(np.float32)
        found = np.concatenate([*pooled(np.array_split(sound, 9), model, "max")])
        tops = [sound[s : s + 40].max() for s in range(0, 207 - 40 + hop, hop)]
        expected = [max(tops[max(0, k - covers + 1) : k + 1]) for k in range(-(-207 // hop))]
        if covers * hop < 40:  # the last frame may be filled by no window: the one before goes on
            expected = [
                max(tops[max(0, min(k, len(tops) - 1) - covers + 1) : k + 1]) for k in range(len(expected))
            ]
        np.testing.assert_allclose(found[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((1, 4)), r"the model gives an array \(1, 4\) for 1 windows"),
        (np.zeros((1, 4, 3)), r"labels\), with 2 labels"),
        (np.where(np.arange(8).reshape(1, 4, 2) == 5, np.nan, 0), r"NaN .* at 0\.200 s \(label 'b'\)"),
        (np.where(np.arange(8).reshape(1, 4, 2) == 2, 1.5, 0), r"beyond 0 to 1 .* at 0\.100 s \(label 'a'\)"),
    ],
)
def test_what_a_model_must_not_give(array, said):
    with pytest.raises(InputError, match=said):
        [*pooled([np.zeros(40, np.float32)], scorer(function=lambda windows: array), name="x.wav")]


def test_grids_that_do_not_fit():
    with pytest.raises(InputError, match=r"hop=15 samples is 1\.5 frames"):
        Grid(40, 15, 10)
    with pytest.raises(InputError, match="hop=50 samples, window=40"):
        Grid(40, 50, 10)
    with pytest.raises(InputError, match="pooling='sum' is unknown"):
        next(pooled([], scorer(), "sum"))
    with pytest.raises(InputError, match="batch=0"):
        next(pooled([], scorer(), batch=0))


def test_samples_as_they_come():
    model = scorer()
    with pytest.raises(InputError, match="do not say their rate"):
        iter_scores([], model)
    with pytest.raises(InputError, match="samples are int16"):
        [*iter_scores([np.zeros(5, np.int16)], model, rate=RATE)]
    with pytest.raises(InputError, match=r"the pipe holds a sample that is nan at 0\.530 s"):
        [*iter_scores([np.zeros(50), np.array([0, 0, 0, np.nan])], model, rate=RATE)]
    sound = np.random.default_rng(0).random((100, 2))
    found = np.concatenate([*iter_scores([sound], model, rate=RATE, channel=1)])
    np.testing.assert_allclose(found, naive(sound[:, 1].astype(np.float32), model, "mean"), atol=1e-6)
