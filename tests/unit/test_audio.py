"""Recordings of every format: read in blocks, damaged ones refused with the file and the second."""

import warnings

import numpy as np
import pytest

import limen.audio
from limen.audio import scoring
from limen.errors import InputError, LimenWarning, UnreadableError

soundfile = pytest.importorskip("soundfile")
soxr = pytest.importorskip("soxr")

FORMATS = {
    "wav": ("WAV", "PCM_16", 44100),
    "flac": ("FLAC", "PCM_16", 44100),
    "ogg": ("OGG", "VORBIS", 44100),
    "opus": ("OGG", "OPUS", 48000),
    "mp3": ("MP3", "MPEG_LAYER_III", 44100),
    "aiff": ("AIFF", "PCM_16", 44100),
}
FORM = pytest.mark.parametrize("form", FORMATS)


def write(path, pcm, rate, form="WAV", subtype=None):
    with soundfile.SoundFile(path, "w", rate, pcm.shape[1], subtype, format=form) as file:
        for start in range(0, len(pcm), 4096):
            file.write(pcm[start : start + 4096])
    return path


def heard(path, *args, **options):
    return np.concatenate([*limen.audio.read(path, *args, **options)])


def noise(n, channels=2):
    return np.random.default_rng(0).normal(0, 0.1, (n, channels)).astype(np.float32)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Three seconds and a bit of noise in two channels, in each format."""
    folder = tmp_path_factory.mktemp("recordings")
    return {
        name: write(folder / f"whole.{name}", noise(3 * rate + 7), rate, form, subtype)
        for name, (form, subtype, rate) in FORMATS.items()
    }


@FORM
def test_all_that_a_file_holds_is_read_whatever_the_blocks(recordings, form):
    path, rate = recordings[form], FORMATS[form][2]
    pcm, _ = soundfile.read(path, dtype="float32")
    found = limen.audio.info(path)
    assert (found.rate, found.channels, found.samples) == (rate, 2, 3 * rate + 7)
    assert found.seconds == pytest.approx(3, abs=0.001)
    np.testing.assert_array_equal(heard(path, channel=1), pcm[:, 1])
    mean = ((pcm[:, 0].astype(float) + pcm[:, 1]) / 2).astype(np.float32)
    whole = soxr.resample(mean, rate, 16000, quality="HQ")
    for block in (997, 1 << 20):
        np.testing.assert_array_equal(heard(path, block=block), mean)
        np.testing.assert_array_equal(heard(path, 16000, block=block), whole)


@FORM
@pytest.mark.parametrize("kept", [0.6, 0.999])
def test_files_cut_short_name_the_second(recordings, tmp_path, form, kept):
    content = recordings[form].read_bytes()
    path = tmp_path / f"cut.{form}"
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UnreadableError, match=rf"cut\.{form} is .*cut short.* at (about )?[0-3]\.\d\d\d s"):
        heard(path)


@pytest.mark.parametrize("form", ["ogg", "opus", "mp3", "flac"])
def test_a_lost_page_or_frame_is_told(recordings, tmp_path, form):
    content = bytearray(recordings[form].read_bytes())
    middle = len(content) // 2
    del content[middle : middle + 1500]
    path = tmp_path / f"hole.{form}"
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=rf"hole\.{form} is damaged or cut short at [0-2]\.\d\d\d s"):
        heard(path)


def test_mp3_without_a_header_of_its_length_is_read_whole_or_refused(recordings, tmp_path):
    content = recordings["mp3"].read_bytes()
    assert b"Xing" in content[:100] or b"Info" in content[:100]
    first = content.index(b"\xff\xfb", 4)  # the frame after the one that says the length
    path = tmp_path / "plain.mp3"
    path.write_bytes(content[first:])
    try:
        assert len(heard(path)) >= 3 * 44100
    except UnreadableError as error:
        assert "could be read of" in str(error)  # noqa: PT017
    path.write_bytes(content[first:-100])
    with pytest.raises(UnreadableError, match=r"plain\.mp3 .* cut short at [23]\.\d+ s: frame \d+"):
        heard(path)
    path.write_bytes(content + b"TAG" + bytes(125))
    np.testing.assert_array_equal(heard(path), heard(recordings["mp3"]))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty: 0 bytes, 0 s"),
        (b"These are words. " * 40, "is no recording, or is damaged at 0 s"),
        (b"RIFF\0\0\0\0WAVE", "is no recording, or is damaged at 0 s"),
    ],
)
def test_what_is_no_recording_is_told(tmp_path, content, said):
    path = tmp_path / "odd.wav"
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=rf"odd\.wav {said}"):
        limen.audio.info(path)


def test_missing_files_folders_and_other_formats(tmp_path):
    with pytest.raises(UnreadableError, match=r"cannot read .*gone\.wav: No such file"):
        limen.audio.info(tmp_path / "gone.wav")
    with pytest.raises(UnreadableError, match="is a folder"):
        limen.audio.info(tmp_path)
    other = write(tmp_path / "a.au", noise(100), 8000, "AU", "PCM_16")
    with pytest.raises(UnreadableError, match=r"a\.au is AU: of that, a missing end"):
        limen.audio.info(other)
    (tmp_path / "a.raw").write_bytes(bytes(100))
    with pytest.raises(UnreadableError, match=r"a\.raw is no recording"):
        limen.audio.info(tmp_path / "a.raw")


def test_no_samples(tmp_path):
    path = write(tmp_path / "none.wav", noise(0), 8000)
    with pytest.raises(UnreadableError, match=r"none\.wav has no samples: 0 s"):
        limen.audio.info(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("block", [1000, 1 << 16])
def test_samples_that_are_no_numbers(tmp_path, value, block):
    pcm = noise(16000)
    pcm[9000, 1] = value
    path = write(tmp_path / "bad.wav", pcm, 8000, subtype="FLOAT")
    with pytest.raises(
        UnreadableError, match=rf"bad\.wav holds a sample that is {value} at 1\.125 s \(channel 1\)"
    ):
        heard(path, channel=0, block=block)


def test_loud_samples_that_only_sum_to_infinity_are_read(tmp_path):
    path = write(tmp_path / "loud.wav", np.full((100, 2), 3e38, np.float32), 8000, subtype="FLOAT")
    np.testing.assert_array_equal(heard(path), np.full(100, 3e38, np.float32))


@pytest.mark.parametrize(("channels", "rate"), [(1, 8000), (3, 22050), (8, 192000)])
def test_channels_and_rates(tmp_path, channels, rate):
    pcm = noise(rate // 2, channels)
    path = write(tmp_path / "many.wav", pcm, rate, subtype="FLOAT")
    np.testing.assert_allclose(heard(path), pcm.mean(axis=1), atol=1e-6)
    np.testing.assert_array_equal(heard(path, channel=channels - 1), pcm[:, -1])
    assert len(heard(path, 16000)) == 8000
    with pytest.raises(InputError, match=rf"many\.wav has {channels} channels?; channel={channels} is none"):
        limen.audio.read(path, channel=channels)


@pytest.mark.parametrize("options", [{"rate": 0}, {"rate": 1.5}, {"block": 0}, {"channel": "left"}])
def test_arguments_of_reading(recordings, options):
    (name,) = options
    with pytest.raises(InputError, match=rf"{name}="):
        limen.audio.read(recordings["wav"], **options)


def test_rates_under_the_models_are_warned_of_once(tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "_warned", set())
    scorer = limen.audio.CallableScorer(
        lambda windows: np.zeros((len(windows), 10, 1)),
        rate=16000,
        window=16000,
        hop=16000,
        frame_seconds=0.1,
        labels=["a"],
        activation="probability",
    )
    paths = [write(tmp_path / f"{k}.wav", noise(8000), 8000) for k in range(2)]
    with pytest.warns(LimenWarning, match=r"0\.wav has 8000 Hz, and the model 16000 Hz: above 4000 Hz"):
        limen.audio.score(paths[0], scorer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert limen.audio.score(paths[1], scorer).shape == (10, 1)
