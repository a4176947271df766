"""Students of a teacher: what it gives them, what stays as it was, and what does not fit."""

# ruff: noqa: N806 - X and Y are what scikit-learn calls them

import copy
import functools
import pickle

import numpy as np
import pytest

pytest.importorskip("torch", reason="limen.learn needs torch: pip install 'limen[learn]'")
pytest.importorskip("sklearn", reason="limen.learn needs scikit-learn: pip install 'limen[learn]'")

import torch
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_predict
from torch import nn

import limen
from limen.learn import DistilledTagger, IntraUtteranceSimilarityLoss, SimilarityPreservingLoss
from limen.learn.backbones import SmallCNN
from limen.learn.lessons import LESSONS, Watched
from limen.learn.training import seeded

METHODS = ("iusp", "sp", "kd", ("kd", "iusp"))
SMALL = functools.partial(SmallCNN, channels=2)


def clips(n=48, n_frames=12, seed=0):
    """Two tags, each a band that sounds for some frames."""
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, 2)) < 0.5).astype(int)
    X = 0.3 * rng.standard_normal((n, 1, 8, n_frames))
    for k in range(n):
        for tag in np.flatnonzero(Y[k]):
            start = rng.integers(n_frames // 2)
            X[k, 0, 4 * tag : 4 * tag + 2, start : start + 3] += 2
    return X.astype(np.float32), Y


@pytest.fixture(scope="module")
def teacher():
    with seeded(0):
        return SmallCNN(2, 4)


def tagger(teacher, method, **settings):
    given = {"weight": 10.0, "epochs": 2, "batch_size": 16, "validation_fraction": 0, "random_state": 0}
    return DistilledTagger(SMALL, teacher, method=method, **given | settings)


def weights(fitted):
    return torch.cat([part.ravel() for part in fitted.network_.state_dict().values()])


@pytest.mark.parametrize("method", METHODS)
def test_no_weight_is_plain_training_bit_for_bit(teacher, method):
    X, Y = clips()
    for shift in (0.0, 0.3):
        plain = tagger(None, None, time_shift=shift).fit(X, Y)
        without = tagger(teacher, method, time_shift=shift, weight=0.0).fit(X, Y)
        with_it = tagger(teacher, method, time_shift=shift).fit(X, Y)
        assert torch.equal(weights(plain), weights(without))
        assert not torch.equal(weights(plain), weights(with_it))
        assert torch.equal(weights(with_it), weights(tagger(teacher, method, time_shift=shift).fit(X, Y)))


@pytest.mark.parametrize("method", METHODS)
def test_the_teacher_runs_once_over_each_item_and_stays_as_it_was(teacher, method):
    X, Y = clips()
    own = copy.deepcopy(teacher).train()
    own.features[1].eval()
    before, modes, seen = copy.deepcopy(own.state_dict()), [part.training for part in own.modules()], []
    hook = own.register_forward_hook(lambda module, given, _: seen.append((module.training, given[0])))
    tagger(own, method, epochs=3, time_shift=0.2).fit(X, Y)
    hook.remove()
    assert not any(training for training, _ in seen)
    assert np.array_equal(torch.cat([items for _, items in seen]).numpy(), X)
    assert all(torch.equal(value, before[name]) for name, value in own.state_dict().items())
    assert [part.training for part in own.modules()] == modes
    assert all(parameter.grad is None for parameter in own.parameters())
    assert not any(part._forward_hooks for part in own.modules())


def test_what_is_kept_gives_the_loss_of_both_networks(teacher):
    """With the first weights: the loss of the first batch of all items is labels' plus weighted others'."""
    X, Y = clips()
    student, items = SMALL(2).train(), torch.as_tensor(X)
    ours, theirs = student.features(items), teacher.eval().features(items)
    logits = student.logits(ours)
    values = {
        "iusp": IntraUtteranceSimilarityLoss()(ours, theirs),
        "sp": SimilarityPreservingLoss()(ours, theirs),
        "kd": LESSONS["kd"](None, True, temperature=2.0).compare(logits, teacher.logits(theirs)),
    }
    labels = nn.BCEWithLogitsLoss()(logits, torch.as_tensor(Y, dtype=torch.float32))
    settings = {"epochs": 1, "batch_size": 48, "learning_rate": 1e-9, "validation_fraction": 0, "random_state": 3}
    for method, value in values.items():
        fitted = DistilledTagger(copy.deepcopy(student), teacher, method=method, weight=3.0, **settings).fit(X, Y)
        assert fitted.training_.losses[0] == pytest.approx((labels + 3 * value).item(), rel=1e-4)
    both = DistilledTagger(student, teacher, method=("kd", "iusp"), weight=(2.0, 3.0), **settings).fit(X, Y)
    expected = labels + 2 * values["kd"] + 3 * values["iusp"]
    assert both.training_.losses[0] == pytest.approx(expected.item(), rel=1e-4)


def test_a_roll_in_time_rolls_what_was_kept():
    """Circular convolutions: the Gram matrix of what is rolled is the Gram matrix rolled."""
    with seeded(1):
        net = nn.Sequential(nn.Conv1d(3, 5, 3, padding=1, padding_mode="circular"), nn.AvgPool1d(2))
    items = torch.randn(4, 3, 12, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), Watched(net, "1", "student") as watched:
        lesson = LESSONS["iusp"](watched(items), True, time_dim=-1)
        lesson.see(watched(items))
        rows = torch.tensor([2, 0])
        for by in (-2, 1):
            rolled = watched(items[rows].roll(2 * by, -1))
            assert lesson.loss(rows, rolled, by / 6) < 1e-12
            assert lesson.loss(rows, rolled, -by / 6) > 1e-4


def test_it_learns_and_similar_frames_become_the_teachers():
    X, Y = clips(160)
    teacher = DistilledTagger(functools.partial(SmallCNN, channels=6), method=None, epochs=8, random_state=0)
    teacher.fit(X, Y)
    loss, items = IntraUtteranceSimilarityLoss(), torch.as_tensor(X)
    apart = []
    for method in (None, "iusp"):
        found = tagger(teacher, method, epochs=6, weight=30.0).fit(X, Y)
        with torch.no_grad():
            apart.append(loss(*(one.network_.features(items) for one in (found, teacher))).item())
    assert apart[1] < 0.8 * apart[0]
    assert limen.tune(Y, found.decision_function(X)).value > 0.8
    assert np.array_equal(found.predict(X), (found.predict_proba(X) >= 0.5).astype(int))


def test_other_frames_channels_and_bands_fit(teacher):
    X, Y = clips(n_frames=14)
    with seeded(0):
        slow = nn.Sequential(nn.AvgPool2d((1, 2)), SmallCNN(2, 3))
    for own in (slow, nn.Sequential(nn.Upsample(scale_factor=(2, 3)), teacher)):
        assert tagger(own, "iusp", time_shift=0.2).fit(X, Y).decision_function(X).shape == (48, 2)


def test_any_classifier_teaches_its_probabilities(teacher):
    X, Y = clips()
    flat = X.reshape(48, -1)
    for y in (Y, Y[:, 0] + Y[:, 1]):
        forest = RandomForestClassifier(5, random_state=0).fit(flat, y)
        student = DistilledTagger(
            functools.partial(nn.Linear, 96), forest, method="kd", weight=50.0, random_state=0
        )
        found = student.set_params(epochs=30, learning_rate=0.03, validation_fraction=0).fit(flat, y)
        expected = forest.predict_proba(flat)
        expected = np.stack([part[:, 1] for part in expected], 1) if y.ndim == 2 else expected
        assert np.corrcoef(found.predict_proba(flat).ravel(), expected.ravel())[0, 1] > 0.9
    fitted = tagger(teacher, None).fit(X, Y)
    again = tagger(fitted, "kd").fit(X, Y)
    assert torch.equal(weights(again), weights(tagger(fitted.network_, "kd").fit(X, Y)))


def test_clones_copy_the_student_and_share_the_teacher(teacher):
    X, Y = clips()
    fitted = tagger(teacher, None).fit(X, Y)
    own = tagger(fitted, "iusp", weight=(3.0,)).set_params(student=SmallCNN(2, 2))
    before = copy.deepcopy(own.student.state_dict())
    copied = clone(own)
    assert copied.teacher is fitted
    assert copied.student is not own.student
    assert {**copied.get_params(deep=False), "student": 0} == {**own.get_params(deep=False), "student": 0}
    copied.fit(X, Y)
    assert not hasattr(own, "network_")
    assert all(torch.equal(value, before[name]) for name, value in own.fit(X, Y).student.state_dict().items())
    assert torch.equal(weights(own), weights(copied))
    assert cross_val_predict(own, X, Y, cv=2, method="decision_function").shape == (48, 2)
    back = pickle.loads(pickle.dumps(own))
    assert np.array_equal(back.decision_function(X), own.decision_function(X))


def test_it_stops_where_validation_no_longer_improves(teacher):
    X, Y = clips(64)
    found = tagger(teacher, "iusp", epochs=30, learning_rate=0.2, validation_fraction=0.25, patience=2).fit(X, Y)
    values, best = found.training_.values, found.training_.best_epoch
    assert len(values) == best + 3 < 30
    assert values[best] == max(values)
    rows = np.sort(np.random.default_rng(0).permutation(64)[:16])
    logits = torch.as_tensor(found.decision_function(X[rows]))
    held = nn.BCEWithLogitsLoss()(logits, torch.as_tensor(Y[rows], dtype=torch.float32))
    assert -held.item() == pytest.approx(values[best], rel=1e-5)


def test_odd_data(teacher):
    X, Y = clips()
    Y[:, 1] = 0  # a label without positives
    assert np.isfinite(tagger(teacher, ("iusp", "sp")).set_params(weight=(1, 2)).fit(X, Y).predict_proba(X)).all()
    X[:5] = 0  # silence
    assert torch.isfinite(weights(tagger(teacher, ("iusp", "sp", "kd")).fit(X, Y))).all()
    assert (
        len(tagger(teacher, "iusp", batch_size=8).fit(X[:9], Y[:9]).training_.losses) == 2
    )  # a last batch of one


X, Y = clips(8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "fitnets"}, "method='fitnets': use 'iusp', 'sp', 'kd', several of them once each, or None"),
        ({"method": ("kd", "kd")}, "several of them once each"),
        ({"teacher": None}, "method='iusp' needs a teacher. Give one, or method=None"),
        ({"weight": -1}, "weight=-1: give one number of 0 or more"),
        ({"weight": (1, 2)}, r"or one for each of \['iusp'\]"),
        ({"weight": np.nan}, "weight=nan"),
        ({"layer": "body"}, "layer='body' is to be one submodule of the student; found none among 'features'"),
        ({"layer": ("features", "body")}, "one submodule of the teacher; found none"),
        ({"layer": ("a", "b", "c")}, "give one name, or two"),
        ({"layer": "head"}, r"activations of shape \(2, 2\) with time_dim=-1"),
        ({"time_shift": 0.6}, "time_shift=0.6: it is a share"),
        ({"epochs": 0}, "epochs=0: it is 1 or more"),
        ({"temperature": -1.0, "method": "kd"}, "temperature=-1.0"),
        ({"student": "SmallCNN"}, "student='SmallCNN' gives no network"),
        ({"student": lambda n: n}, "gives no network"),
        ({"student": SmallCNN(3, 2)}, r"the student gives Tensor \(2, 3\) for 2 items and 2 labels"),
        (
            {"student": nn.Sequential(nn.Linear(7, 2)), "layer": "0"},
            r"the student cannot take items \(2, 1, 8, 12\)",
        ),
        ({"teacher": SmallCNN(3, 2)}, r"the teacher gives Tensor \(8, 3\) for 8 items and 2 labels"),
        ({"teacher": RandomForestClassifier()}, "RandomForestClassifier, is no network that has layers"),
        ({"teacher": object(), "method": "kd"}, "object, is no network and has no predict_proba"),
        ({"device": "cuda:99"}, "device='cuda:99' is not there"),
    ],
)
def test_what_does_not_fit_is_said(teacher, settings, message):
    given = {"student": SMALL, "teacher": teacher, "validation_fraction": 0}
    with pytest.raises(limen.InputError, match=message):
        DistilledTagger(**given | settings).fit(X, Y)


def test_teachers_of_something_else(teacher):
    flat = X.reshape(8, -1)
    two = nn.ModuleDict({"a": nn.Sequential(nn.ReLU()), "b": nn.Sequential(nn.Tanh())})
    with pytest.raises(
        limen.InputError, match=r"layer='0' .* found 'a.0', 'b.0' among 'a', 'a.0', 'b', 'b.0'. Give"
    ):
        Watched(two, "0", "student")
    assert Watched(two, "b.0", "student").module is two["b"][0]
    forest = RandomForestClassifier(3).fit(flat, Y[:, 0])
    with pytest.raises(limen.InputError, match=r"the teacher knows the classes '0', '1', y has 'no', 'yes'"):
        DistilledTagger(lambda n: nn.Linear(96, n), forest, method="kd").fit(
            flat, np.array(["no", "yes"])[Y[:, 0]]
        )
    with pytest.raises(
        limen.InputError, match=r"the teacher gives probabilities \(7, 2\) for 7 items and 3 labels"
    ):
        DistilledTagger(lambda n: nn.Linear(96, n), forest, method="kd").fit(flat, np.c_[Y, Y[:, 0]])
    with pytest.raises(NotFittedError):
        DistilledTagger(SMALL, DistilledTagger(SMALL)).fit(X, Y)


def test_it_runs_as_onnx(teacher, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    X, Y = clips()
    found = tagger(teacher, "iusp").fit(X, Y)
    found.to_onnx(tmp_path / "student.onnx")
    (logits,) = runtime.InferenceSession(str(tmp_path / "student.onnx")).run(None, {"items": X})
    assert np.allclose(logits, found.decision_function(X), atol=1e-5)
