"""What the training methods share: front ends, the loop, targets, ONNX, spoken digits."""

# ruff: noqa: N806 - X and Y are what scikit-learn calls them

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="limen.learn needs torch: pip install 'limen[learn]'")
pytest.importorskip("sklearn", reason="limen.learn needs scikit-learn: pip install 'limen[learn]'")

import torch
from torch import nn

import limen
from limen.learn.backbones import SmallCNN, n_parameters
from limen.learn.exporting import export
from limen.learn.features import MFCC, LogMel, LogSTFT
from limen.learn.networks import held_out, read_targets, scores_of
from limen.learn.recipes import fsdd
from limen.learn.training import device_of, seeded, train

DATA = Path(__file__).parents[1] / "data"
RATE, HOP = 8000, 160


@pytest.fixture(scope="module")
def digits():
    return fsdd.load(DATA)


@pytest.fixture
def front():
    return LogMel(RATE, 40, 512, HOP)


def test_a_tone_is_in_the_band_of_its_frequency():
    tone = torch.sin(2 * torch.pi * 1000 / RATE * torch.arange(4000))[None]
    linear, mel = LogSTFT(RATE, 40, 512, HOP), LogMel(RATE, 40, 512, HOP)
    assert linear(tone).shape == mel(tone).shape == (1, 1, 40, 25)
    assert set(linear(tone)[0, 0, :, 5:20].argmax(dim=0).tolist()) == {round(1000 / (4000 / 41)) - 1}
    mels = 2595 * np.log10(1 + np.array([50, 1000, 4000]) / 700)
    place = 41 * (mels[1] - mels[0]) / (mels[2] - mels[0]) - 1
    assert abs(mel(tone)[0, 0, :, 12].argmax().item() - place) <= 1


def test_mel_energies_are_those_of_a_fourier_transform(front, digits):
    wave = digits.padded(0.5)[7]
    padded = np.pad(wave, (176, 176))
    framed = np.lib.stride_tricks.sliding_window_view(padded, 512)[::HOP]
    shape = np.hanning(514)[1:-1]
    spectra = np.abs(np.fft.rfft(framed * shape, axis=1)[:, 1:257]) ** 2 / np.square(shape).sum()
    expected = np.log(front.bands.numpy() @ spectra.T + 1e-6)
    assert np.allclose(front(torch.tensor(wave[None]))[0, 0], expected, atol=1e-3)
    assert np.allclose(front.bands.sum(dim=1), 1)


def test_coefficients_are_a_rotation_of_the_energies(front, digits):
    waves = torch.tensor(digits.padded(0.5)[:3])
    every = MFCC(RATE, 40, 40, 512, HOP)
    energies, found = front(waves), every(waves)
    assert torch.allclose(found.square().sum(dim=2), energies.square().sum(dim=2), rtol=1e-4)
    assert torch.allclose(MFCC(RATE, 8, 40, 512, HOP)(waves), found[:, :, :8], atol=1e-3)


def test_silence_is_finite(front):
    silent = torch.zeros(2, 800, requires_grad=True)
    front(silent).sum().backward()
    assert torch.isfinite(silent.grad).all()


def test_front_ends_say_what_they_take():
    with pytest.raises(limen.InputError, match="hop=0, window=512"):
        LogMel(RATE, hop=0)
    with pytest.raises(limen.InputError, match="n_bands=300: a window of 512 samples has 1 to 256 bands"):
        LogSTFT(RATE, 300)
    with pytest.raises(limen.InputError, match="n_coefficients=41: 40 bands have 1 to 40"):
        MFCC(RATE, 41)
    with pytest.raises(limen.InputError, match="channels=0"):
        SmallCNN(3, 0)


def made(seed):
    with seeded(seed):
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))


def problem():
    X = torch.randn(65, 4, generator=torch.Generator().manual_seed(0))
    return X, (X[:, :2] > 0).float()


def test_training_repeats_and_keeps_the_best_epoch():
    X, Y = problem()
    loss = nn.BCEWithLogitsLoss()
    found = []
    for _ in range(2):
        torch.rand(3)  # whatever the state outside
        net, shares = made(1), []

        def loss_of(items, done, net=net, shares=shares):
            assert 2 <= len(items) <= 33
            shares.append(done)
            return loss(net(X[items]), Y[items])

        said = []
        done = train(
            net,
            loss_of,
            65,
            epochs=4,
            batch_size=32,
            learning_rate=0.05,
            seed=3,
            progress=lambda *a, said=said: said.append(a),
        )
        assert (len(shares), shares[0], shares[-1]) == (8, 0.0, 7 / 8)
        assert done.losses[-1] < done.losses[0]
        assert done.best_epoch == 3
        assert [step for step, _, _ in said] == [1, 2, 3, 4]
        found.append([p.detach().clone() for p in net.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_training_stops_where_nothing_improves_and_returns_to_the_best():
    X, Y = problem()
    net, values, seen = made(1), iter([0.1, 0.3, 0.2, 0.1, 0.0]), []

    def value_of():
        seen.append(net[0].weight.detach().clone())
        assert not net.training
        return next(values)

    loss = nn.BCEWithLogitsLoss()
    done = train(
        net,
        lambda items, _: loss(net(X[items]), Y[items]),
        65,
        epochs=9,
        batch_size=16,
        learning_rate=0.05,
        value_of=value_of,
        patience=2,
    )
    assert (done.best_epoch, done.values) == (1, [0.1, 0.3, 0.2, 0.1])
    assert torch.equal(net[0].weight, seen[1])
    assert not torch.equal(seen[1], seen[2])


def test_training_that_runs_away_says_so():
    net = nn.Linear(2, 1)
    with pytest.raises(limen.InputError, match="the loss of epoch 1 is nan: training ran away"):
        train(
            net, lambda items, _: net(torch.zeros(1, 2)).sum() * np.nan, 4, epochs=2, batch_size=2, learning_rate=1
        )
    with pytest.raises(limen.InputError, match="there are 1 items"):
        train(net, lambda *_: None, 1, epochs=1, batch_size=2, learning_rate=1)
    with pytest.raises(limen.InputError, match="batch_size=1"):
        train(net, lambda *_: None, 4, epochs=1, batch_size=1, learning_rate=1)


def test_devices_that_are_not_there():
    assert device_of("cpu").type == "cpu"
    with pytest.raises(limen.InputError, match="device='cuda:99' is not there"):
        device_of("cuda:99")


def test_targets_are_labels_or_classes():
    labels = read_targets([[0, 1], [1, 1]], 2)
    assert labels.multilabel
    assert isinstance(labels.loss(), nn.BCEWithLogitsLoss)
    classes = read_targets(["b", "a", "b"], 3)
    assert (classes.values.tolist(), classes.classes.tolist()) == ([1, 0, 1], ["a", "b"])
    for y, n, message in [
        (None, 2, "requires y to be passed"),
        ([[0, 2], [1, 1]], 2, "values beyond 0 and 1"),
        ([0, 1, 1], 2, "X has 2 items, y has 3"),
        ([1, 1], 2, "one class only"),
        ([0.5, 1.2], 2, "continuous"),
        ([0.0, np.nan], 2, "y contains NaN or inf"),
    ]:
        with pytest.raises(ValueError, match=message):
            read_targets(y, n)


def test_a_part_is_held_out():
    train_on, validate = held_out(10, 0.3, 1)
    assert sorted([*train_on, *validate]) == list(range(10))
    assert len(validate) == 3
    assert len(held_out(10, 0, 1)[1]) == 0
    with pytest.raises(limen.InputError, match="leave 1 to train on"):
        held_out(3, 0.6, 1)
    with pytest.raises(limen.InputError, match="validation_fraction=1"):
        held_out(3, 1, 1)


def test_a_network_of_sound_runs_in_limen_audio(tmp_path, front, digits):
    audio = pytest.importorskip("limen.audio")
    pytest.importorskip("onnxruntime")
    waves = digits.padded(0.5)
    with seeded(0):
        net = nn.Sequential(front, SmallCNN(10, 4))
    assert n_parameters(net) == 2 + 4 * 9 + 8 + 8 * 4 * 9 + 16 + 16 * 8 * 9 + 32 + 10 * 33
    export(net, tmp_path / "tagger.onnx", waves.shape[1:], rate=RATE, labels=[f"digit {k}" for k in range(10)])
    scorer = audio.OnnxScorer(tmp_path / "tagger.onnx")
    assert np.allclose(scorer(waves[:5])[:, 0], scores_of(net, waves[:5]), atol=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["tagger.onnx"]
    with pytest.raises(limen.InputError, match="go together"):
        export(net, tmp_path / "other.onnx", waves.shape[1:], rate=RATE)


def test_spoken_digits_and_their_mixtures(digits, tmp_path):
    assert digits.speakers == ["george", "jackson", "lucas", "nicolas", "theo", "yweweler"]
    some = digits.of(digits.speakers[:4], takes=1)
    assert len(some.waves) == 40
    assert set(some.take.tolist()) == {0}
    waves, tags = fsdd.mixtures(some, 50, seed=1)
    again, _ = fsdd.mixtures(some, 50, seed=1)
    assert waves.shape == (50, 20000)
    assert np.array_equal(waves, again)
    assert set(tags.sum(axis=1).tolist()) == {1, 2, 3, 4}
    (tmp_path / fsdd.FILE).write_bytes(b"PK\x03\x04")
    with pytest.raises(limen.InputError, match="does not hold spoken digits"):
        fsdd.load(tmp_path)
