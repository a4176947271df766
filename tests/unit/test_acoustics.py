"""The two streams of the disentanglement recipe, on tones and on spoken digits; and EmoDB's file."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="limen.learn needs torch: pip install 'limen[learn]'")
pytest.importorskip("sklearn", reason="limen.learn needs scikit-learn: pip install 'limen[learn]'")

import limen
from limen.learn.recipes import emodb, fsdd
from limen.learn.recipes.acoustics import cepstra, pitch, prosody

DATA = Path(__file__).parents[1] / "data"
RATE = 16000


def voice(hertz, seconds=0.5, rate=RATE):
    """Return a tone with overtones; ``hertz`` may change with time."""
    turns = 2 * np.pi * np.cumsum(np.broadcast_to(hertz, round(seconds * rate))) / rate
    return (0.1 * sum(np.sin(k * turns) / k for k in range(1, 6))).astype(np.float32)


@pytest.mark.parametrize("hertz", [75, 110, 223.7, 380])
def test_the_pitch_of_a_tone(hertz):
    found, voicing, voiced = pitch(voice(hertz), RATE)
    assert voiced.all()
    assert np.allclose(found, hertz, rtol=0.005)
    assert (voicing > 0.95).all()


def test_noise_and_silence_have_no_voice():
    rng = np.random.default_rng(0)
    noise = 0.1 * rng.standard_normal(8000).astype(np.float32)
    assert pitch(noise, RATE)[2].mean() < 0.1
    assert not pitch(np.zeros(8000, np.float32), RATE)[2].any()


def test_prosody_of_a_rising_tone_with_a_pause():
    rise = voice(np.linspace(100, 200, 8000))
    wave = np.concatenate([rise, np.zeros(4800, np.float32), rise])
    (found,) = prosody([wave], RATE)
    assert found.shape == (29,)
    octaves, energy, voicing, rhythm = found[:8], found[8:16], found[16:24], found[24:]
    assert octaves[0] == pytest.approx(np.log2(100) + 0.56, abs=0.03)  # the mean of log2 from 1 to 2
    assert octaves[4] < octaves[5] < octaves[6]
    assert octaves[7] == pytest.approx(1, abs=0.1)
    assert abs(octaves[2]) < 0.1  # both halves rise alike
    assert octaves[3] < 0.2
    (half,) = prosody([rise], RATE)
    assert half[2] == pytest.approx(0.49, abs=0.05)  # the second half is half an octave up
    assert energy[7] > 40
    assert voicing[6] > 0.95
    assert rhythm[0] == pytest.approx(1.0 / 1.3, abs=0.05)
    assert rhythm[1] == pytest.approx(2 / 1.3)
    assert rhythm[2] == pytest.approx(0.5, abs=0.04)
    assert rhythm[3] == pytest.approx(0.3, abs=0.06)
    assert rhythm[4] == pytest.approx(1.3)


def test_cepstra_follow_level_and_shape():
    noise = 0.05 * np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    quiet, loud = cepstra([noise, 10 * noise], RATE)
    assert quiet.shape == (80,)
    moved = (loud - quiet).reshape(20, 4)
    assert moved[0, 0] == pytest.approx(np.log(100) * np.sqrt(40), rel=0.01)  # 20 dB in 40 bands
    assert np.abs(moved[1:, 0]).max() < 0.05
    assert np.abs(moved[:, 1:]).max() < 0.05
    steady, moving = cepstra([voice(110), voice(np.linspace(100, 300, 8000))], RATE).reshape(2, 20, 4)
    assert moving[1:, 1].mean() > 1.5 * steady[1:, 1].mean()


def test_whatever_the_length_features_are_finite():
    waves = [np.zeros(1, np.float32), np.zeros(9000, np.float32), voice(200, 0.03), voice(200, 0.011)]
    for rate in (8000, RATE):
        for found, width in ((cepstra(waves, rate), 80), (prosody(waves, rate), 29)):
            assert found.shape == (4, width)
            assert np.isfinite(found).all()


def test_pitch_tells_speakers_apart():
    digits = fsdd.load(DATA)
    found = prosody(digits.waves, fsdd.RATE)
    means = {name: found[digits.speaker == name, 0].mean() for name in digits.speakers}
    within = np.mean([found[digits.speaker == name, 0].std() for name in digits.speakers])
    assert np.std(list(means.values())) > 0.5 * within
    assert all(6.2 < mean < 8.3 for mean in means.values())  # 73 to 315 Hz


def utterances(names, folder, **other):
    pcm = np.concatenate([np.pad((voice(150, 0.2) * 9000).astype(np.int16), (0, 800)) for _ in names])
    parts = {
        "pcm": pcm,
        "offsets": np.arange(len(names) + 1) * 4000,
        "names": np.array(names),
        "sample_rate": RATE,
    }
    np.savez(folder / emodb.FILE, **{**parts, **other})


def test_utterances_are_read_by_name(tmp_path):
    utterances(["03a01Fa", "16b10Tc"], tmp_path)
    found = emodb.load(tmp_path)
    assert (found.emotion.tolist(), found.speaker.tolist()) == (["happiness", "sadness"], ["03", "16"])
    assert found.text.tolist() == ["a01", "b10"]
    assert all(3000 < len(wave) < 3202 and wave[-1] != 0 for wave in found.waves)  # without the padding
    for names, offsets in [(["03a01Xa"], None), (["03a"], None), (["03a01Fa"], np.arange(3) * 4000)]:
        utterances(names, tmp_path, **({} if offsets is None else {"offsets": offsets}))
        with pytest.raises(limen.InputError, match="does not hold EmoDB's utterances"):
            emodb.load(tmp_path)


def test_splits_share_no_text():
    texts = np.repeat(["a", "b", "c", "d", "e", "f", "g"], 5)
    parts = emodb.splits(texts, 3, 2, 0)
    tested = [set(texts[part]) for part in parts]
    assert [len(names) for names in tested] == [2, 2, 2]
    assert len(set.union(*tested)) == 6
    assert all(not set(texts[part]) & set(texts[~part]) for part in parts)
    assert [set(texts[part]) for part in emodb.splits(texts, 3, 2, 1)] != tested
    with pytest.raises(limen.InputError, match="7 texts cannot be dealt into 3 test parts of 3"):
        emodb.splits(texts, 3, 3, 0)
