"""Multi-representation distillation: the loss's identities, and training of many branches at once."""

# ruff: noqa: N806 - X and Y are what scikit-learn calls them

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="limen.learn needs torch: pip install 'limen[learn]'")
pytest.importorskip("sklearn", reason="limen.learn needs scikit-learn: pip install 'limen[learn]'")

import torch
from sklearn.base import clone
from torch import nn

import limen
from limen.learn import (
    MFCC,
    LogMel,
    LogSTFT,
    MultiRepresentationClassifier,
    OnlineDistillationLoss,
    RandomShift,
    SmallCNN,
)
from limen.learn.backbones import n_parameters
from limen.learn.recipes import fsdd
from limen.learn.training import train

DATA = Path(__file__).parents[1] / "data"
RATE = fsdd.RATE


@pytest.fixture(scope="module")
def digits():
    """Ten recordings each of three digits by five speakers, half a second."""
    recordings = fsdd.load(DATA).of(["george", "jackson", "lucas", "nicolas", "theo"])
    recordings = recordings.where(recordings.digit < 3)
    return recordings.padded(0.5), recordings.digit


def fronts(*names):
    every = {
        "stft": LogSTFT(RATE, 16, 256, 250),
        "logmel": LogMel(RATE, 16, 256, 250),
        "mfcc": MFCC(RATE, 12, 16, 256, 250),
    }
    return {name: every[name] for name in names or every}


def small(n_outputs):
    """A backbone that draws numbers in training."""
    return nn.Sequential(nn.Dropout(0.1), SmallCNN(n_outputs, 2))


def quick(*names, **settings):
    given = {
        "epochs": 3,
        "batch_size": 8,
        "learning_rate": 0.02,
        "validation_fraction": 0,
        "ramp_epochs": 1,
        "random_state": 1,
    }
    given["representations"] = fronts(*names)
    return MultiRepresentationClassifier(**{**given, "backbone": small, **settings})


def weights(module):
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def logits_of(n_branches=3, n_items=5, n_labels=4, seed=0):
    given = torch.randn(
        n_branches, n_items, n_labels, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    return {f"branch {k}": found.clone().requires_grad_() for k, found in enumerate(given)}


def apart(task, teacher_logits, logits, temperature):
    """T² KL(teacher || student), plainly: mean over items (and labels)."""
    z, t = (part / temperature for part in (logits, teacher_logits))
    if task == "multiclass":
        q, p = (np.exp(part) / np.exp(part).sum(axis=1, keepdims=True) for part in (t, z))
        return temperature**2 * (q * np.log(q / p)).sum(axis=1).mean()
    q, p = (1 / (1 + np.exp(-part)) for part in (t, z))
    return temperature**2 * (q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))).mean()


def teachers_of(teacher, logits, name):
    """The teachers' logits of a branch, as arrays."""
    if teacher == "ensemble":
        return [np.mean([found.detach().numpy() for found in logits.values()], axis=0)]
    return [found.detach().numpy() for other, found in logits.items() if other != name]


CASES = [(task, teacher) for task in ("multilabel", "multiclass") for teacher in ("ensemble", "mutual")]


@pytest.mark.parametrize(("task", "teacher"), CASES)
def test_the_loss_is_its_equation(task, teacher):
    logits, loss = logits_of(), OnlineDistillationLoss(task, teacher, 2.5)
    expected = sum(
        np.mean([apart(task, q, found.detach().numpy(), 2.5) for q in teachers_of(teacher, logits, name)])
        for name, found in logits.items()
    )
    assert float(loss.distillation(logits).detach()) == pytest.approx(expected, rel=1e-12)
    target = torch.tensor([[0, 1, 1, 0]] * 5, dtype=torch.float64) if task == "multilabel" else torch.arange(5) % 4
    own = nn.BCEWithLogitsLoss() if task == "multilabel" else nn.CrossEntropyLoss()
    alone = sum(own(found, target) for found in logits.values())
    assert torch.allclose(loss(logits, target, 0.7), alone + 0.7 * loss.distillation(logits))
    assert torch.allclose(loss(logits, target, 0.0), alone)


@pytest.mark.parametrize(("task", "teacher"), CASES)
def test_gradients_are_those_of_students_with_teachers_held_fast(task, teacher):
    logits, T, step = logits_of(), 3.0, 1e-6
    OnlineDistillationLoss(task, teacher, T).distillation(logits).backward()
    for name, found in logits.items():
        teachers, z = teachers_of(teacher, logits, name), found.detach().numpy()
        for place in ((0, 0), (3, 2)):
            by = np.zeros_like(z)
            by[place] = step
            rise = [apart(task, q, z + by, T) - apart(task, q, z - by, T) for q in teachers]
            assert float(found.grad[place]) == pytest.approx(np.mean(rise) / (2 * step), abs=1e-7)


def test_no_gradient_flows_into_teachers():
    logits = logits_of(2)
    loss = OnlineDistillationLoss("multiclass", "mutual", 2.0)
    whole = loss.distillation(logits)
    first, second = (part.detach() for part in logits.values())
    for name, other in zip(logits, (second, first), strict=True):
        alone = logits[name].detach().clone().requires_grad_()
        p, q = torch.softmax(alone / 2.0, 1), torch.softmax(other / 2.0, 1)
        (4 * (q * (q.log() - p.log())).sum(1).mean()).backward()
        (found,) = torch.autograd.grad(whole, logits[name], retain_graph=True)
        assert torch.allclose(found, alone.grad)


@pytest.mark.parametrize(("task", "teacher"), CASES)
def test_branches_that_agree_are_not_moved(task, teacher):
    one = logits_of(1)["branch 0"].detach()
    logits = {name: one.clone().requires_grad_() for name in "abc"}
    found = OnlineDistillationLoss(task, teacher).distillation(logits)
    found.backward()
    assert float(found.detach()) == pytest.approx(0, abs=1e-12)
    assert all(float(part.grad.abs().max()) < 1e-12 for part in logits.values())


@pytest.mark.parametrize(("task", "teacher"), CASES)
def test_the_squared_temperature_keeps_the_size_of_gradients(task, teacher):
    norms = []
    for temperature in (1.0, 2.0, 4.0):
        logits = logits_of(n_items=200)
        OnlineDistillationLoss(task, teacher, temperature).distillation(logits).backward()
        norms.append(float(torch.cat([part.grad for part in logits.values()]).norm()))
    assert max(norms) < 2 * min(norms)


def test_huge_logits_stay_finite():
    for task in ("multilabel", "multiclass"):
        logits = {"a": torch.tensor([[900.0, -900.0]], requires_grad=True), "b": torch.tensor([[-900.0, 900.0]])}
        found = OnlineDistillationLoss(task, "ensemble", 1.0).distillation(logits)
        found.backward()
        assert torch.isfinite(found)
        assert torch.isfinite(logits["a"].grad).all()


def test_the_loss_says_what_it_takes():
    with pytest.raises(limen.InputError, match=r"task='regression' is not known\. Choose one of 'multilabel'"):
        OnlineDistillationLoss("regression")
    with pytest.raises(limen.InputError, match=r"teacher='none' is not known"):
        OnlineDistillationLoss(teacher="none")
    with pytest.raises(limen.InputError, match=r"temperature=0: it is above 0"):
        OnlineDistillationLoss(temperature=0)
    with pytest.raises(limen.InputError, match=r"logits have shapes"):
        OnlineDistillationLoss().distillation({"a": torch.zeros(2, 3), "b": torch.zeros(2, 4)})
    with pytest.raises(limen.InputError, match=r"logits of no branch"):
        OnlineDistillationLoss().distillation({})


@pytest.mark.parametrize("augment", [None, RandomShift(300)])
def test_without_weight_each_branch_is_trained_as_if_alone(digits, augment):
    waves, digit = digits
    together = quick(distill_weight=0, augment=augment).fit(waves, digit)
    for name in ("stft", "logmel", "mfcc"):
        alone = quick(name, distill_weight=0, augment=augment).fit(waves, digit)
        assert same(weights(together.branch(name)), weights(alone.branch(name)))
    taught = quick(augment=augment).fit(waves, digit)
    assert not same(weights(together.branch("stft")), weights(taught.branch("stft")))


def test_a_branch_alone_is_trained_as_by_a_plain_loop(digits):
    waves, digit = digits
    plain = {"distill_weight": 0, "epochs": 1, "backbone": SmallCNN}
    model = quick("logmel", **plain).fit(waves, digit)
    start = quick("logmel", **plain, learning_rate=0.0).fit(waves, digit)
    net, loss = start.branch("logmel")[1], nn.CrossEntropyLoss()
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.reset_running_stats()
    spectra, truth = fronts("logmel")["logmel"](torch.tensor(waves)), torch.tensor(digit)
    train(
        net,
        lambda rows, _: loss(net(spectra[rows]), truth[rows]),
        len(waves),
        epochs=1,
        batch_size=8,
        learning_rate=0.02,
        weight_decay=1e-4,
        seed=1,
    )
    assert n_parameters(model.branch("logmel")) == n_parameters(nn.Sequential(fronts()["logmel"], SmallCNN(3)))
    assert same(weights(model.branch("logmel")[1]), weights(net))


class Seen(nn.Module):
    """A representation that keeps what it was given."""

    def __init__(self, kept):
        super().__init__()
        self.front, self.kept = LogMel(RATE, 16, 256, 250), kept

    def __deepcopy__(self, memo):
        return Seen(self.kept)

    def forward(self, waves):
        self.kept.append(waves.clone())
        return self.front(waves)


def test_all_branches_see_the_same_changed_waves(digits):
    waves, digit = digits
    kept = {"one": [], "other": []}
    given = {name: Seen(part) for name, part in kept.items()}
    quick(augment=RandomShift(300), epochs=1, representations=given).fit(waves, digit)
    one, other = kept.values()
    assert len(one) == len(other) == 1 + 4
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not any(np.array_equal(wave, row) for wave in one[1].numpy() for row in waves)


def test_a_shift_moves_waves_and_brings_in_zeros():
    waves = torch.arange(1.0, 6.0).repeat(50, 1)
    moved = RandomShift(2)(waves, torch.Generator().manual_seed(0))
    assert {tuple(row.tolist()) for row in moved} == {
        (3, 4, 5, 0, 0),
        (2, 3, 4, 5, 0),
        (1, 2, 3, 4, 5),
        (0, 1, 2, 3, 4),
        (0, 0, 1, 2, 3),
    }


def test_spectra_that_are_not_kept_are_made_anew(digits, monkeypatch):
    waves, digit = digits
    kept = quick(epochs=1).fit(waves, digit)
    monkeypatch.setattr("limen.learn.representations.KEPT_BYTES", 0)
    anew = quick(epochs=1).fit(waves, digit)
    for name in fronts():
        found, other = (model.decision_function(waves, name) for model in (kept, anew))
        assert np.allclose(found, other, atol=1e-2)


def test_a_representation_may_learn(digits):
    waves, digit = digits

    class Gain(nn.Module):
        def __init__(self):
            super().__init__()
            self.front, self.gain = LogMel(RATE, 16, 256, 250), nn.Parameter(torch.ones(16, 1))

        def forward(self, given):
            return self.front(given) * self.gain

    fixed = Gain()
    model = quick(representations={"gain": fixed, **fronts("stft")}).fit(waves, digit)
    assert not torch.equal(model.branch("gain")[0].gain, torch.ones(16, 1))
    assert torch.equal(fixed.gain, torch.ones(16, 1))


def test_classes_keep_their_names_and_branches_decide_each_for_itself(digits):
    waves, digit = digits
    words = np.array(["zero", "one", "two"])[digit]
    model = quick(epochs=8).fit(waves, words)
    assert model.classes_.tolist() == ["one", "two", "zero"]
    found = {name: model.decision_function(waves, branch=name) for name in fronts()}
    assert {scores.shape for scores in found.values()} == {(len(waves), 3)}
    assert not np.allclose(found["stft"], found["mfcc"])
    for name, scores in found.items():
        assert np.allclose(model.predict_proba(waves, branch=name), torch.softmax(torch.tensor(scores), 1))
        assert (model.predict(waves, branch=name) == model.classes_[scores.argmax(axis=1)]).all()
    assert model.best_branch_ == "stft"  # the first, where nothing validates
    assert np.array_equal(model.decision_function(waves), found["stft"])
    assert max(np.mean(model.predict(waves, branch=name) == words) for name in found) > 0.6


def test_labels_end_in_thresholds(digits):
    waves, tags = fsdd.mixtures(fsdd.load(DATA), 60, seconds=2.2, seed=2)
    Y = tags[:, :3].copy()
    Y[:, 2] = 0  # a label that never occurs
    model = quick(epochs=2, teacher="mutual", validation_fraction=0.3).fit(waves, Y)
    scores = model.decision_function(waves)
    assert scores.shape == (60, 3)
    assert np.allclose(model.predict_proba(waves), 1 / (1 + np.exp(-scores)), atol=1e-6)
    assert np.array_equal(model.predict(waves), scores >= 0)
    assert model.branch_values_[model.best_branch_] == max(model.branch_values_.values())
    assert len(model.training_.values) == 2
    t = limen.tune(Y[:, :2], scores[:, :2])
    assert limen.evaluate(Y[:, :2], scores[:, :2], t).value >= limen.evaluate(Y[:, :2], scores[:, :2], 0.0).value


def test_one_label_is_a_column(digits):
    waves, digit = digits
    model = quick(task="multilabel", epochs=1).fit(waves, (digit == 0)[:, None].astype(int))
    assert model.decision_function(waves).shape == (len(waves), 1)
    two = quick(epochs=1).fit(waves, digit == 0)
    assert two.decision_function(waves).shape == (len(waves),)


def test_given_items_validate_and_patience_ends_it(digits):
    waves, digit = digits
    said = []
    settings = {"epochs": 9, "patience": 1, "progress": lambda *line: said.append(line)}
    model = quick(**settings).fit(waves[::2], digit[::2], validation=(waves[1::2], digit[1::2]))
    values = model.training_.values
    assert len(values) < 9 or max(values) == values[-1]
    assert said[-1][0] == 9
    found = {name: np.mean(model.predict(waves[1::2], branch=name) == digit[1::2]) for name in fronts()}
    assert model.branch_values_ == pytest.approx(found)
    assert np.mean(list(found.values())) == pytest.approx(max(values))
    assert found[model.best_branch_] == max(found.values())


def test_it_can_be_cloned_and_repeats(digits):
    waves, digit = digits
    model = quick(epochs=1, augment=RandomShift(100)).fit(waves, digit)
    other = clone(model)
    assert other.get_params(deep=False).keys() == model.get_params(deep=False).keys()
    assert other.set_params(temperature=2.0).temperature == 2.0
    again = other.set_params(temperature=4.0).fit(waves, digit)
    assert np.array_equal(model.decision_function(waves), again.decision_function(waves))
    seeded_otherwise = other.set_params(random_state=2).fit(waves, digit)
    assert not np.array_equal(model.decision_function(waves), seeded_otherwise.decision_function(waves))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"representations": {}}, r"representations=\{\}: give a dict"),
        (
            {"representations": fronts("mfcc")},
            "there is one representation, 'mfcc', which has nothing to learn from",
        ),
        ({"task": "multitude"}, "task='multitude' is not known"),
        ({"task": "multilabel"}, r"y has shape \(30,\), task='multilabel'"),
        ({"teacher": "nobody"}, "teacher='nobody' is not known"),
        ({"temperature": -1}, "temperature=-1"),
        ({"distill_weight": -1}, "distill_weight=-1: it is 0 or more"),
        ({"ramp_epochs": float("nan")}, "ramp_epochs=nan"),
        ({"epochs": 0}, "epochs=0: give 1 or more"),
        ({"backbone": lambda _: nn.Flatten()}, r"the branch 'stft' gives \(2, 256\) for 2 items; logits \(2, 3\)"),
        ({"validation_fraction": 1.0}, "validation_fraction=1.0"),
        ({"device": "cuda:99"}, "device='cuda:99' is not there"),
    ],
)
def test_settings_that_cannot_be(digits, settings, message):
    waves, digit = digits
    with pytest.raises(limen.InputError, match=message):
        quick(**settings).fit(waves, digit)


def test_data_that_cannot_be(digits):
    waves, digit = digits
    Y = np.eye(3)[digit]
    bad = waves.copy()
    bad[4, 7] = np.nan
    with pytest.raises(limen.InputError, match="X has NaN or inf in row 4"):
        quick().fit(bad, digit)
    with pytest.raises(limen.InputError, match=r"the branch 'stft' cannot take items of shape \(300,\)"):
        quick().fit(waves[:, :300], digit)
    with pytest.raises(limen.InputError, match="leave 0 to train on"):
        quick(validation_fraction=0.99).fit(waves, digit)
    with pytest.raises(limen.InputError, match="none of the 4 items that validate has a label"):
        quick().fit(waves, Y, validation=(waves[:4], np.zeros((4, 3))))
    with pytest.raises(limen.InputError, match="y of validation has 2 labels, y has 3"):
        quick().fit(waves, Y, validation=(waves[:4], Y[:4, :2]))
    with pytest.raises(limen.InputError, match=r"4 values for 4 items, and 1 classes that y lacks \('7'\)"):
        quick().fit(waves, digit, validation=(waves[:4], [0, 1, 2, 7]))
    model = quick(epochs=1).fit(waves, digit)
    with pytest.raises(limen.InputError, match="branch='wavelet' is not known"):
        model.decision_function(waves, branch="wavelet")
    with pytest.raises(limen.InputError, match="Cut or pad them"):
        model.predict(waves[:, :-1])


def test_a_branch_runs_in_limen_audio(digits, tmp_path):
    audio = pytest.importorskip("limen.audio")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    waves, digit = digits
    model = quick(epochs=1).fit(waves, digit)
    model.to_onnx(tmp_path / "branch.onnx", branch="mfcc", rate=RATE, labels=["zero", "one", "two"])
    scorer = audio.OnnxScorer(tmp_path / "branch.onnx")
    assert np.allclose(scorer(waves[:5])[:, 0], model.decision_function(waves[:5], branch="mfcc"), atol=1e-4)
