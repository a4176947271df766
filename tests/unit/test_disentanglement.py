"""Disentanglement: what the equations promise, fresh probes, and what is refused in words."""

# ruff: noqa: N806 - X and Z are what the equations call them

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="limen.learn needs torch: pip install 'limen[learn]'")
pytest.importorskip("sklearn", reason="limen.learn needs scikit-learn: pip install 'limen[learn]'")

import torch
from sklearn.base import clone
from torch import nn

import limen
from limen.learn import ConfusionLoss, DisentangledClassifier, GradientReversal, TwoStreamEncoder, probe_report
from limen.learn.adversaries import METHODS, Adversary, Alternation, risen
from limen.learn.training import seeded

DATA = Path(__file__).parents[1] / "data"


def made(n=240, seed=0):
    """Two streams, of which both tell three classes and four persons."""
    rng = np.random.default_rng(seed)
    y, who = rng.integers(0, 3, n), rng.integers(0, 4, n)
    X = {
        "audio": np.concatenate([np.eye(3)[y], np.eye(4)[who]], axis=1) + rng.normal(0, 0.3, (n, 7)),
        "prosody": np.eye(4)[who] + rng.normal(0, 0.3, (n, 4)),
    }
    return X, y, who


def small(method="confusion", **given):
    encoder = TwoStreamEncoder({"audio": 7, "prosody": 4}, embed_dim=8, hidden=16, dropout=0.2)
    given = {"epochs": 6, "random_state": 0, **given}
    return DisentangledClassifier(encoder, method=method, **given)


def weights(module):
    return [value.clone() for value in module.state_dict().values()]


def same(before, after):
    return all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_reversed_gradient_is_the_identitys_times_minus_the_weight():
    with seeded(0):
        z = torch.randn(6, 5, dtype=torch.float64)
        head = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1)).double()
    gradients, values = [], []
    for layer in (nn.Identity(), GradientReversal(0.3)):
        leaf = z.clone().requires_grad_()
        out = head(layer(leaf)).sum()
        out.backward()
        gradients.append(leaf.grad)
        values.append(out.detach())
    assert torch.equal(values[0], values[1])
    assert torch.allclose(gradients[1], -0.3 * gradients[0], rtol=1e-12, atol=0)
    step = 1e-6 * torch.eye(5, dtype=torch.float64)[2]
    slope = (head(z + step).sum() - head(z - step).sum()) / 2e-6  # the identity's, by differences
    assert torch.allclose(gradients[1].sum(dim=0)[2], -0.3 * slope.detach(), rtol=1e-6)


def test_the_weight_rises_from_nothing_to_all():
    assert risen(0.3, 0.0) == 0
    assert risen(0.3, 0.1) == pytest.approx(0.3 * np.tanh(0.5))
    assert 0.98 < risen(1.0, 0.5) < risen(1.0, 1.0) < 1


def test_confusion_is_least_exactly_at_uniform():
    loss, rng = ConfusionLoss(), np.random.default_rng(0)
    assert float(loss(torch.full((3, 6), 4.0))) == pytest.approx(0, abs=1e-6)
    logits = torch.tensor(rng.normal(0, 0.05, (50, 6)))
    assert (torch.stack([loss(row[None]) for row in logits]) > 0).all()
    guess = torch.softmax(logits, dim=1)
    expected = torch.nn.functional.kl_div(guess.log(), torch.full_like(guess, 1 / 6), reduction="batchmean")
    assert float(loss(logits)) == pytest.approx(float(expected), rel=1e-9)
    level = torch.zeros(2, 6, requires_grad=True)
    loss(level).backward()
    assert level.grad.abs().max() < 1e-7


@pytest.mark.parametrize("method", ["alternate", "confusion"])
def test_each_step_leaves_the_other_side_untouched(method):
    with seeded(0):
        encoder, adversary = nn.Linear(5, 8), Adversary(8, 3)
        x, s = torch.randn(12, 5), torch.arange(12) % 3
    meet = METHODS[method](adversary, 0.5, steps=2, learning_rate=0.1)
    of_encoder, of_adversary = weights(encoder), weights(adversary)
    loss = meet.loss(encoder(x), s, 0.7)
    assert same(of_encoder, weights(encoder))
    assert not same(of_adversary, weights(adversary))
    assert encoder.weight.grad is None  # the adversary's steps sent nothing back
    met = weights(adversary)
    held = [p.grad.clone() for p in adversary.parameters()]
    loss.backward()
    assert encoder.weight.grad.abs().max() > 0
    assert same(met, weights(adversary))
    assert same(held, [p.grad for p in adversary.parameters()])


def test_alternation_makes_wrong_what_confusion_makes_uniform():
    with seeded(0):
        adversary, s = Adversary(4, 2), torch.tensor([0, 1, 1])
        z = torch.randn(3, 4, requires_grad=True)
    term = Alternation(adversary, 0.5, steps=1, learning_rate=1e-9).loss(z, s, 1.0)
    expected = -risen(0.5, 1.0) * nn.functional.cross_entropy(adversary(z), s)
    assert float(term.detach()) == pytest.approx(float(expected.detach()), rel=1e-4)
    joint = METHODS["multitask"](adversary, 0.5).loss(z, s, 0.0)
    assert float(joint.detach()) == pytest.approx(-float(expected.detach()) / risen(1.0, 1.0), rel=1e-4)


@pytest.mark.parametrize("method", list(METHODS))
def test_without_weight_it_is_the_single_task_bit_for_bit(method):
    X, y, who = made()
    alone = small(None).fit(X, y).decision_function(X)
    assert np.array_equal(small(method, adversary_weight=0).fit(X, y, nuisance=who).decision_function(X), alone)
    assert not np.array_equal(
        small(method, adversary_weight=1).fit(X, y, nuisance=who).decision_function(X), alone
    )


def test_persons_go_and_classes_stay():
    X, y, who = made(600)
    new = slice(300, None)
    told, right = {}, {}
    for method in ("multitask", "confusion", "alternate"):
        model = small(method, adversary_weight=1.0, epochs=25, validation_fraction=0.0)
        train = {name: values[:300] for name, values in X.items()}
        test = {name: values[new] for name, values in X.items()}
        model.fit(train, y[:300], nuisance=who[:300])
        told[method] = probe_report(model.embed(train), who[:300], model.embed(test), who[new]).accuracy
        right[method] = np.mean(model.predict(test) == y[new])
    assert told["multitask"] > 0.9
    assert all(told[method] < 0.75 * told["multitask"] for method in ("confusion", "alternate"))
    assert min(right.values()) > 0.8


def test_it_repeats_and_random_state_draws_the_encoder_anew():
    X, y, who = made()
    given = small()
    before = weights(given.encoder)
    first = given.fit(X, y, nuisance=who).decision_function(X)
    torch.rand(3)  # whatever the state outside
    assert np.array_equal(clone(given).fit(X, y, nuisance=who).decision_function(X), first)
    assert same(before, weights(given.encoder))
    assert not np.allclose(small(random_state=1).fit(X, y, nuisance=who).decision_function(X), first)
    assert np.array_equal(given.predict(X), first.argmax(axis=1))
    assert np.allclose(given.predict_proba(X).sum(axis=1), 1, atol=1e-5)
    swapped = {name: X[name] for name in reversed(X)}
    assert np.array_equal(given.decision_function(swapped), first)


def test_parameters_come_and_go():
    model = small("grl", adversary_weight=0.7, patience=4)
    found = model.get_params()
    assert (found["method"], found["adversary_weight"], found["patience"]) == ("grl", 0.7, 4)
    copied = clone(model).set_params(method=None)
    assert (copied.method, model.method) == (None, "grl")
    assert copied.encoder is not model.encoder
    assert copied.encoder.dims == {"audio": 7, "prosody": 4}


def test_an_epoch_is_kept_only_after_the_weight_has_risen():
    X, y, who = made()
    said = []
    model = small(epochs=8, validation_fraction=0.3, progress=lambda *told: said.append(told))
    model.fit(X, y, nuisance=who)
    assert [step for step, *_ in said] == list(range(1, 9))
    values = model.training_.values
    assert all(value < 0 for value in values[:4])
    assert model.training_.best_epoch >= 4
    assert all(
        0 < value <= 1 for value in small(None, epochs=3, validation_fraction=0.3).fit(X, y).training_.values
    )
    stopped = small(None, epochs=60, patience=2, learning_rate=0.05).fit(X, y)
    assert len(stopped.training_.values) < 60


def test_many_labels_one_array_and_an_encoder_of_ones_own():
    class Frames(nn.Module):
        embed_dim = 6

        def __init__(self):
            super().__init__()
            self.layer = nn.Conv1d(5, 6, 3)

        def forward(self, streams):
            return self.layer(streams["items"]).mean(dim=2)

    rng = np.random.default_rng(0)
    items, who = rng.normal(size=(40, 5, 9)), rng.integers(0, 3, 40)
    labels = np.stack([items[:, 0].mean(axis=1) > 0, np.zeros(40), who == 1], axis=1).astype(
        int
    )  # one never there
    model = DisentangledClassifier(Frames(), epochs=2, random_state=0).fit(items, labels, nuisance=who.astype(str))
    assert model.decision_function(items).shape == model.predict_proba(items).shape == (40, 3)
    assert set(np.unique(model.predict(items))) <= {0, 1}
    assert model.embed(items[:2]).shape == (2, 6)
    assert model.nuisance_classes_.tolist() == ["0", "1", "2"]
    t = limen.tune(labels[:, [0, 2]], model.decision_function(items)[:, [0, 2]], method="exact")
    assert len(t.values) == 2
    two = DisentangledClassifier(epochs=2, random_state=0).fit(items[:, 0], labels[:, 0], nuisance=who)
    assert two.decision_function(items[:, 0]).shape == (40,)
    with pytest.raises(limen.InputError, match="stream 'items' has items that are no rows of numbers"):
        DisentangledClassifier().fit(items, labels, nuisance=who)


def test_onnx_gives_the_same_by_name(tmp_path):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    X, y, who = made()
    model = small().fit(X, y, nuisance=who)
    model.to_onnx(tmp_path / "emotion.onnx")
    session = runtime.InferenceSession(str(tmp_path / "emotion.onnx"), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {name: values[:5].astype(np.float32) for name, values in X.items()})
    assert np.allclose(found, model.decision_function({k: v[:5] for k, v in X.items()}), atol=1e-5)
    with pytest.raises(limen.InputError, match="a model of sound has one input, not 2"):
        model.to_onnx(tmp_path / "other.onnx", rate=8000, labels=["a", "b", "c"])


def test_what_does_not_fit_is_said_in_words():
    X, y, who = made(20)
    hole = {**X, "audio": X["audio"].copy()}
    hole["audio"][3, 1] = np.nan
    short = {**X, "prosody": X["prosody"][:19]}
    for given, labels, nuisance, model, message in [
        (X, y, None, small(), "method='confusion' needs nuisance"),
        (X, y, np.zeros(20), small(), "nuisance has one class only, 0.0"),
        (X, y, who[:19], small(), "X has 20 items, nuisance has 19"),
        (X, y, np.eye(2)[who % 2], small(), "nuisance has 2 dimensions"),
        (
            X,
            y,
            np.where(np.arange(20) > 17, np.nan, who),
            small(),
            r"no value \(NaN or None\) in 2 of 20 items \(first: row 18",
        ),
        (X, y, np.array([None, *who[1:].astype(str)], object), small(), "in 1 of 20 items"),
        (hole, y, who, small(), r"stream 'audio' has NaN or inf in 1 of 20 rows \(first: row 3\)"),
        (short, y, who, small(), "streams of different lengths: 'audio' has 20, 'prosody' has 19 items"),
        ({}, y, who, small(), "X has no streams"),
        ({"audio": X["audio"]}, y, who, small(), "X lacks 'prosody'. Give the streams fitted on"),
        ({**X, "video": X["audio"]}, y, who, small(), "X has 'video' too many"),
        ({**X, "prosody": X["audio"]}, y, who, small(), r"stream 'prosody' has items of shape \(7,\); \(4,\)"),
        ({**X, "prosody": who}, y, who, small(), r"stream 'prosody' has shape \(20,\)"),
        (X, np.zeros(20), who, small(), "y has one class only"),
        (X, y, who, small("entropy"), "method='entropy' is not known"),
        (X, y, who, small(adversary_weight=-1), "adversary_weight=-1"),
        (X, y, who, small(adversary_steps=0), "adversary_steps=0"),
        (X, y, who, small(epochs=True), "epochs=True"),
        (X, y, who, DisentangledClassifier("mlp"), "encoder is str. Give a torch.nn.Module"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.fit(given, labels, nuisance=nuisance)
    with pytest.raises(limen.InputError, match=r"dims=\{'a': 0\}"):
        TwoStreamEncoder({"a": 0})
    with pytest.raises(limen.InputError, match=r"dims=\{\}"):
        TwoStreamEncoder({})


def test_probes_tell_what_is_there_and_nothing_of_permuted_persons():
    rng = np.random.default_rng(0)
    who = rng.integers(0, 5, 1200)
    Z = rng.normal(size=(1200, 8)) * 100 + 200 * np.eye(5)[who][:, [0, 1, 2, 3, 4, 0, 1, 2]]
    there = probe_report(Z[:400], who[:400], Z[400:], who[400:])
    assert there.accuracy == max(probe.accuracy for probe in there.probes) > 0.6
    scaled = probe_report(1e-5 * Z[:400] + 7, who[:400], 1e-5 * Z[400:] + 7, who[400:])
    assert [p.accuracy for p in scaled.probes] == pytest.approx([p.accuracy for p in there.probes], abs=0.02)
    mixed = rng.permutation(who)
    none = probe_report(Z[:400], mixed[:400], Z[400:], mixed[400:])
    assert all(abs(probe.accuracy - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 800) for probe in none.probes)
    assert none.uar_chance == 0.2
    common = np.bincount(mixed[:400]).argmax()
    assert none.chance == np.mean(mixed[400:] == common)
    ring = rng.normal(size=(600, 2))
    inside = (np.square(ring).sum(axis=1) < 1.4).astype(str)  # no line tells it
    linear, mlp = probe_report(ring[:300], inside[:300], ring[300:], inside[300:]).probes
    assert mlp.accuracy > 0.85 > linear.accuracy
    assert mlp.uar > 0.85


def test_a_probe_report_is_a_table():
    rng = np.random.default_rng(0)
    who = np.arange(40) % 2
    found = probe_report(rng.normal(size=(40, 2)), who, rng.normal(size=(30, 2)), who[:30], ["logistic"])
    assert str(found).splitlines()[0].split() == ["probe", "accuracy", "UAR"]
    assert "chance       0.500  0.500" in str(found)
    assert str(found).endswith("fitted on 40 items, tested on 30")
    assert found._repr_html_().count("<tr>") == 3


def test_probes_say_what_they_take():
    Z, s = np.zeros((6, 2)), np.array(["a", "b"] * 3)
    hole = Z.copy()
    hole[4, 0] = np.inf
    for given, message in [
        ((Z, s, Z, ["a"] * 5 + ["c"]), "s_te has 'c', which s_tr has not"),
        ((Z, ["a"] * 6, Z, ["a"] * 6), "s_tr has one value only"),
        ((Z, s, Z[:, :1], s), "Z_tr has 2 columns, Z_te 1"),
        ((hole, s, Z, s), "Z_tr has NaN or inf in row 4"),
        ((Z, s[:5], Z, s), r"Z_tr has shape \(6, 2\), s_tr \(5,\)"),
        ((Z, [1, 2, np.nan] * 2, Z, s), "s_tr has no value .* in 2 of 6 items"),
        ((Z, s, Z, s, ["forest"]), r"probes=\['forest'\] are not known"),
        ((Z, s, Z, s, []), r"probes=\[\]"),
    ]:
        with pytest.raises(limen.InputError, match=message):
            probe_report(*given)
