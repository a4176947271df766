"""Pictures of sounds whose spectrum is known."""

import wave

import numpy as np
import pytest

from limen.errors import MissingDependencyError
from limen.reporting.spectrograms import BANDS, FRAMES, LOWEST_HZ, bands_of, pictured


def band_of(hertz, rate):
    """The row of a frequency: bands lie evenly on the mel scale, the highest first."""
    mel = [np.log(1 + f / 700) for f in (hertz, min(LOWEST_HZ, rate / 8), rate / 2)]
    return BANDS - 1 - int(BANDS * (mel[0] - mel[1]) / (mel[2] - mel[1]))


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 192000])
def test_a_tone_lies_in_its_band(rate):
    time = np.arange(rate) / rate
    for share in (0.05, 0.2, 0.45):
        tone = np.sin(2 * np.pi * share * rate * time).astype(np.float32)
        picture = bands_of(tone, rate)
        middle = picture[:, 5:-5]
        assert (abs(middle.argmax(axis=0) - band_of(share * rate, rate)) <= 1).all()
        assert picture.max() == 255
        far = abs(np.arange(BANDS) - band_of(share * rate, rate)) > 8
        assert middle[far].max() < 100


def test_a_click_in_a_long_recording_is_seen_where_it_is():
    pcm = np.zeros(50 * 8000, np.float32)
    pcm[20 * 8000] = 1.0
    picture = bands_of(pcm, 8000)
    assert picture.shape == (BANDS, FRAMES)
    assert abs(int(picture.max(axis=0).argmax()) - 0.4 * FRAMES) <= 1
    assert (picture.max(axis=0) > 0).sum() <= 3


def test_loudness_in_decibels():
    time = np.arange(8000) / 8000
    quiet = np.where(time < 0.5, 1.0, 10 ** (-35 / 20)) * np.sin(2 * np.pi * 1000 * time)
    level = bands_of(quiet.astype(np.float32), 8000).max(axis=0).astype(int)
    assert level[:20].max() == 255
    assert abs(int(np.median(level[-20:])) - 127) <= 3  # 35 of 70 decibels below


@pytest.mark.parametrize("n_samples", [1, 2, 100, 257, 8000])
def test_silence_and_short_sounds(n_samples):
    assert not bands_of(np.zeros(n_samples, np.float32), 8000).any()
    assert bands_of(np.ones(n_samples, np.float32), 8000).shape[0] == BANDS


def test_nothing_or_no_numbers_is_no_picture():
    for pcm in (np.zeros(0, np.float32), np.array([0.0, np.nan], np.float32)):
        with pytest.raises(ValueError, match="no samples, or some that are no numbers"):
            bands_of(pcm, 8000)


def write_wav(path, seconds, rate=8000, channels=1):
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        time = np.arange(int(seconds * rate)) / rate
        pcm = (8000 * np.sin(2 * np.pi * 440 * time)).astype("<i2")
        file.writeframes(np.repeat(pcm, channels).tobytes())


def test_files_good_and_damaged(tmp_path):
    pytest.importorskip("soundfile")
    write_wav(tmp_path / "a.wav", 1.0, channels=2)
    write_wav(tmp_path / "long.wav", 70.0)
    write_wav(tmp_path / "empty.wav", 0.0)
    (tmp_path / "damaged.wav").write_bytes(b"RIFF and nothing")
    (tmp_path / "text.mp3").write_text("no sound")
    told = []
    files = {
        k: tmp_path / name for k, name in enumerate(("a.wav", "damaged.wav", "long.wav", "empty.wav", "text.mp3"))
    }
    pictures, damaged = pictured(files, told.append)
    assert damaged == [1, 3, 4]
    assert told == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert (pictures[0]["seconds"], pictures[0]["whole"], pictures[0]["high"]) == (1.0, True, 4000.0)
    assert (pictures[2]["seconds"], pictures[2]["whole"], pictures[2]["frames"]) == (60.0, False, FRAMES)


def test_without_soundfile(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    assert pictured({}) == ({}, [])
    with pytest.raises(MissingDependencyError, match=r'drawing spectrograms needs soundfile.*"limen\[audio\]"'):
        pictured({0: tmp_path / "a.wav"})
