"""ThresholdLayer: decisions bit for bit, in every precision, saved and loaded, compiled, trained."""

import copy
import io
import math
import pickle
import shutil
import sysconfig
from pathlib import Path

import numpy as np
import pytest

import limen
from limen.datasets import spoken_tags
from limen.errors import InputError, UnsupportedError
from strategies import smooth_data, tuned

torch = pytest.importorskip("torch", reason="torch is not installed")

import limen.torch.exact  # noqa: E402
from limen.torch import ThresholdLayer, threshold  # noqa: E402

compiles = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, while it compiles
CAN_BUILD = shutil.which("g++") is not None and Path(sysconfig.get_path("include"), "Python.h").exists()
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@pytest.fixture(scope="module")
def spoken():
    return spoken_tags()


@pytest.fixture(scope="module")
def tuned_tags(spoken):
    y_true, y_score, names = spoken
    return limen.tune(y_true, y_score, labels=names, method="exact")


def saved(layer):
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


class TestDecisions:
    @pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
    @pytest.mark.parametrize("training", [False, True])
    def test_those_of_the_thresholds(self, spoken, dtype, training):
        y_true, y_score, names = spoken
        y_score = y_score.astype(dtype)
        thresholds = limen.tune(y_true, y_score, labels=names, method="exact")
        layer = ThresholdLayer(thresholds).train(training)
        decisions = layer(torch.from_numpy(y_score))
        assert decisions.dtype == torch.bool
        np.testing.assert_array_equal(decisions, thresholds.decide(y_score))
        assert layer.labels == names
        assert layer.thresholds.dtype == getattr(torch, str(thresholds.values.dtype))
        assert not list(layer.parameters())

    def test_never_always_and_not_a_number(self):
        layer = ThresholdLayer([math.inf, -math.inf, 0.5])
        scores = torch.tensor([[math.inf, -3e38, math.nan], [0.5, math.nan, 0.5]])
        assert layer(scores).tolist() == [[False, True, False], [False, False, True]]

    def test_leading_dimensions(self):
        scores = torch.rand(2, 5, 4, 3)
        layer = ThresholdLayer([0.2, 0.5, 0.8])
        assert torch.equal(layer(scores).reshape(-1, 3), layer(scores.reshape(-1, 3)))
        assert layer(scores[0, 0, 0]).shape == (3,)
        assert layer(scores[:0]).shape == (0, 5, 4, 3)

    def test_inputs_stay(self, tuned_tags):
        values = tuned_tags.values.copy()
        layer = ThresholdLayer(tuned_tags)
        layer.thresholds += 1
        np.testing.assert_array_equal(tuned_tags.values, values)
        array, tensor = np.array([0.5, 0.25]), torch.tensor([0.5, 0.25])
        for given in (array, tensor):
            layer = ThresholdLayer(given)
            layer.thresholds += 1
        assert array.tolist() == tensor.tolist() == [0.5, 0.25]
        array.setflags(write=False)
        assert torch.equal(ThresholdLayer(array).thresholds, tensor.double())


class TestPrecision:
    """A threshold that is moved to the precision of the scores is moved past some of them."""

    CUTS = (0.30000001, 0.7, 1e-9, 7e4)

    @pytest.mark.parametrize("trainable", [False, True])
    @pytest.mark.parametrize("wide", [torch.float32, torch.float64])
    def test_casting_the_model_moves_no_threshold(self, wide, trainable):
        cuts = torch.tensor(self.CUTS, dtype=wide)
        model = torch.nn.Sequential(torch.nn.Linear(2, 4), ThresholdLayer(cuts, trainable=trainable)).eval()
        for cast in (
            lambda m: m.half(),
            lambda m: m.bfloat16(),
            lambda m: m.double(),
            lambda m: m.to(torch.float16),
            lambda m: m.to("cpu", torch.bfloat16),
            lambda m: m.type(torch.float16),
        ):
            model = cast(model)
            assert torch.equal(model[1].thresholds.detach(), cuts)
            dtype = model[0].weight.dtype
            scores = cuts.to(dtype).expand(1, 4)
            np.testing.assert_array_equal(model[1](scores)[0], scores[0].double() >= cuts.double())
        assert isinstance(model[1].thresholds, torch.nn.Parameter) is trainable
        assert model.half()(torch.ones(3, 2).half()).shape == (3, 4)

    def test_autocast(self):
        layer = ThresholdLayer(torch.tensor([0.7]))
        linear = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.ones_(linear.weight)
        with torch.autocast("cpu", torch.bfloat16):
            scores = linear(torch.tensor([[0.7]]))
            decisions = layer(scores)
        assert scores.dtype == torch.bfloat16
        assert decisions.item() is (scores.item() >= float(np.float32(0.7)))

    def test_a_device_without_float64(self, monkeypatch):
        """As on Apple's GPUs: float32, rounded up, decides float32 scores alike."""
        monkeypatch.setattr(limen.torch.exact, "WITHOUT_FLOAT64", {"cpu"})
        cuts = np.array([*self.CUTS, 1e300, math.inf])
        layer = ThresholdLayer(cuts)
        scores = torch.tensor(cuts[:4], dtype=torch.float32)
        scores = torch.stack(
            [scores, torch.nextafter(scores, torch.tensor(1e9)), torch.nextafter(scores, -scores)]
        )
        scores = torch.cat([scores, torch.full((3, 2), 3e38)], dim=1)
        before = layer(scores)
        layer.to("cpu")
        assert layer.thresholds.dtype == torch.float32
        assert (layer.thresholds.double().numpy() >= cuts).all()
        assert torch.equal(layer(scores), before)


class TestState:
    def test_round_trip(self, spoken, tuned_tags):
        layer = ThresholdLayer(tuned_tags)
        other = ThresholdLayer(0.5, labels=tuned_tags.labels)
        other.load_state_dict(saved(layer))
        assert torch.equal(other.thresholds, layer.thresholds)
        assert other.labels == layer.labels == tuned_tags.labels
        assert all(isinstance(part, torch.Tensor) for part in layer.state_dict().values())

    def test_inside_a_model(self, tuned_tags):
        def model(layer):
            return torch.nn.ModuleDict({"head": torch.nn.Linear(4, 16), "decide": layer})

        first, second = model(ThresholdLayer(tuned_tags)), model(ThresholdLayer(0.5, n_labels=16))
        second.load_state_dict(saved(first))
        assert second["decide"].labels == tuned_tags.labels
        assert torch.equal(second["decide"].thresholds, first["decide"].thresholds)

    @pytest.mark.parametrize("assign", [False, True])
    @pytest.mark.parametrize("trainable", [False, True])
    def test_the_dtype_of_the_state_is_kept(self, assign, trainable):
        """Copied into float32, 0.3 would be another number."""
        layer = ThresholdLayer(np.array([0.3, math.inf]), trainable=trainable)
        other = ThresholdLayer(torch.tensor([0.5, 0.5]), trainable=trainable)
        other.load_state_dict(saved(layer), assign=assign)
        assert other.thresholds.dtype == torch.float64
        assert other.thresholds.tolist() == [0.3, math.inf]
        assert isinstance(other.thresholds, torch.nn.Parameter) is trainable

    def test_from_a_trained_layer_to_a_fixed_one(self):
        trained = ThresholdLayer(0.25, labels=["a", "b"], trainable=True)
        fixed = ThresholdLayer(0.5, labels=["a", "b"])
        fixed.load_state_dict(saved(trained))
        assert fixed(torch.tensor([[0.25, 0.2]])).tolist() == [[True, False]]

    @pytest.mark.parametrize(
        ("labels", "words"),
        [
            (["a", "c"], "the state has 2 labels, this layer 2 labels (labels not here: 'b')"),
            (["b", "a"], "(the same names in another order, or fewer)"),
            (["a", "b", "c"], "the state has 2 labels, this layer 3 labels (the same names"),
        ],
    )
    def test_other_labels_are_refused_and_nothing_is_changed(self, labels, words):
        state = saved(ThresholdLayer([0.1, 0.2], labels=["a", "b"]))
        other = ThresholdLayer(0.5, labels=labels)
        for strict in (True, False):
            with pytest.raises(InputError, match="build the layer for the state's labels") as caught:
                other.load_state_dict(state, strict=strict)
            assert words in str(caught.value)
            assert other.labels == tuple(labels)
            assert set(other.thresholds.tolist()) == {0.5}

    def test_a_state_without_names_needs_the_same_number(self):
        state = saved(ThresholdLayer([0.1, 0.2]))
        named = ThresholdLayer(0.5, labels=["a", "b"])
        named.load_state_dict(state)
        assert named.labels == ("a", "b")
        with pytest.raises(RuntimeError, match="size mismatch"):
            ThresholdLayer(0.5, n_labels=3).load_state_dict(state)

    def test_a_state_without_this_layer(self):
        layer = ThresholdLayer([0.1])
        with pytest.raises(RuntimeError, match="Missing key"):
            layer.load_state_dict({})
        layer.load_state_dict({"thresholds": torch.tensor([0.5])}, strict=False)
        assert layer.thresholds.tolist() == [0.5]

    @pytest.mark.parametrize("trainable", [False, True])
    def test_copied_and_pickled(self, trainable):
        layer = ThresholdLayer([0.1, 0.2], labels=["a", "b"], trainable=trainable, learn_slope=trainable)
        for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            assert other.labels == layer.labels
            assert torch.equal(other.thresholds, layer.thresholds)
            assert other.thresholds.data_ptr() != layer.thresholds.data_ptr()
            assert repr(other) == repr(layer)


class TestTraining:
    def test_gradients_in_training_and_bool_in_eval(self):
        layer = ThresholdLayer([0.5, 0.25], trainable=True, surrogate="triangle", slope=2.0)
        scores = torch.tensor([[0.5, 0.1], [0.4, 0.6]], requires_grad=True)
        decisions = layer(scores)
        assert decisions.tolist() == [[1, 0], [0, 1]]
        decisions.sum().backward()
        expected = threshold(scores, layer.thresholds, surrogate="triangle", slope=2.0)
        by_hand = torch.autograd.grad(expected.sum(), (scores, layer.thresholds))
        assert torch.equal(scores.grad, by_hand[0])
        assert torch.equal(layer.thresholds.grad, by_hand[1])
        layer.eval()
        assert layer(scores).dtype == torch.bool
        assert torch.equal(layer(scores), decisions.bool())
        with torch.no_grad():
            assert not layer.train()(scores).requires_grad

    def test_a_smooth_forward(self):
        layer = ThresholdLayer([0.5], trainable=True, slope=2.0, smooth=True)
        assert layer(torch.tensor([[0.5]])).item() == 0.5
        assert layer.eval()(torch.tensor([[0.5]])).item() is True

    def test_slopes_of_their_own(self):
        layer = ThresholdLayer(0.5, n_labels=2, trainable=True, slope=3.0, learn_slope=True)
        assert [name for name, _ in layer.named_parameters()] == ["thresholds", "slope"]
        layer(torch.tensor([[0.6, 0.3]])).sum().backward()
        assert (layer.slope.grad * torch.tensor([1, -1]) > 0).all()
        other = ThresholdLayer(0.1, n_labels=2, trainable=True, learn_slope=True)
        other.load_state_dict(saved(layer))
        assert other.slope.tolist() == [3.0, 3.0]

    def test_half_thresholds_are_trained_in_float32(self):
        layer = ThresholdLayer(torch.tensor([0.5, 0.3], dtype=torch.float16), trainable=True)
        assert layer.thresholds.dtype == torch.float32
        assert torch.equal(layer.thresholds.half(), torch.tensor([0.5, 0.3], dtype=torch.float16))
        optimiser = torch.optim.Adam(layer.parameters(), lr=1e-5)
        layer(torch.tensor([[0.5, 0.3]]).half()).sum().backward()
        optimiser.step()
        assert (layer.thresholds.half() == torch.tensor([0.5, 0.3]).half()).all()
        assert (layer.thresholds > torch.tensor([0.5, 0.3]).half()).all()

    def test_never_stays_never(self):
        layer = ThresholdLayer([math.inf, 0.5], trainable=True, learn_slope=True)
        optimiser = torch.optim.Adam(layer.parameters(), lr=0.1)
        for _ in range(3):
            optimiser.zero_grad()
            layer(torch.tensor([[0.9, 0.5]])).sum().backward()
            optimiser.step()
        assert layer.thresholds[0] == math.inf
        assert layer.thresholds[1] > 0.5
        assert torch.isfinite(layer.slope).all()


class TestBackToLimen:
    @pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
    def test_values_and_the_artefact_decide_alike(self, dtype):
        problem = smooth_data(0, dtype=dtype)
        cuts = np.array([0.3, 0.7, np.inf])
        layer = ThresholdLayer(cuts, labels=["a", "b", "c"])
        y_score = np.concatenate([problem.y_score, np.minimum(cuts, 2).astype(dtype)[None]])
        y_true = np.concatenate([problem.y_true, np.ones((1, 3))])
        decisions = layer(torch.from_numpy(y_score)).numpy()
        thresholds = layer.to_thresholds(y_true, y_score, metric="jaccard", average="macro")
        np.testing.assert_array_equal(thresholds.decide(y_score), decisions)
        assert thresholds.labels == layer.labels
        assert (str(thresholds.metric), thresholds.average, thresholds.method) == (
            "Jaccard", "macro", "trained in PyTorch",
        )  # fmt: skip
        assert thresholds.status == "local"
        report = limen.evaluate(
            y_true, y_score, layer.values(dtype), metric="jaccard", average="macro", labels=layer.labels
        )
        assert report.value == thresholds.value
        np.testing.assert_array_equal(report.counts.tp, thresholds.counts.tp)
        assert layer.values(dtype).dtype == thresholds.values.dtype == dtype
        assert limen.Thresholds.from_dict(thresholds.to_dict()) == thresholds
        assert torch.equal(ThresholdLayer(thresholds)(torch.from_numpy(y_score)), torch.from_numpy(decisions))

    def test_tensors_and_weights(self):
        layer = ThresholdLayer([0.5], trainable=True)
        thresholds = layer.to_thresholds(
            torch.tensor([[1], [0], [1]]),
            torch.tensor([[0.9], [0.6], [0.1]]).requires_grad_(),
            sample_weight=torch.tensor([2.0, 1.0, 5.0]),
            mask=torch.tensor([[True], [True], [False]]),
        )
        assert thresholds.value == 0.8
        assert thresholds.counts.n == [3]

    def test_values_of_their_own_dtype(self):
        assert ThresholdLayer([0.5, 0.25]).values().dtype == np.float32
        values = ThresholdLayer(torch.tensor([0.3]).bfloat16()).values()
        assert values.dtype == np.float32
        assert values[0] == torch.tensor([0.3]).bfloat16().float().item()
        values = (layer := ThresholdLayer(np.array([0.3]))).values()
        assert values.dtype == np.float64
        values[0] = 9
        assert layer.thresholds.item() == 0.3


class TestCompiled:
    @compiles
    @pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
    def test_whole_graph(self, dtype):
        cuts = torch.tensor([0.3, 0.7, math.inf], dtype=torch.float64)
        layer = ThresholdLayer(cuts)
        compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
        scores = torch.cat([cuts[:2].to(dtype), torch.tensor([1.0], dtype=dtype)]).expand(2, 3)
        assert torch.equal(compiled(scores), layer(scores))

    @compiles
    @pytest.mark.parametrize("smooth", [False, True])
    def test_training(self, smooth):
        gradients = []
        for compile_it in (False, True):
            layer = ThresholdLayer([0.3, 0.7], trainable=True, learn_slope=True, smooth=smooth)
            run = torch.compile(layer, fullgraph=True, backend="aot_eager") if compile_it else layer
            run(torch.linspace(0, 1, 20).reshape(10, 2)).square().sum().backward()
            gradients.append((layer.thresholds.grad, layer.slope.grad))
        torch.testing.assert_close(*gradients)

    @compiles
    def test_exported(self):
        model = torch.nn.Sequential(torch.nn.Linear(3, 2), ThresholdLayer(np.array([0.3, np.inf]))).eval()
        scores = torch.rand(5, 3)
        exported = torch.export.export(model, (scores,)).module()
        assert torch.equal(exported(scores), model(scores))

    @compiles
    @pytest.mark.skipif(not CAN_BUILD, reason="no C++ compiler, or no headers of Python, for inductor here")
    def test_inductor(self):
        layer = ThresholdLayer(np.array([0.3, 0.7, np.inf]), trainable=False)
        scores = torch.tensor([[0.3, 0.7, 1.0], [0.30000001, 0.69999999, 9.0]], dtype=torch.float32)
        assert torch.equal(torch.compile(layer, fullgraph=True)(scores), layer(scores))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("dtype", FLOATS)
def test_on_a_gpu(spoken, tuned_tags, dtype):
    scores = torch.from_numpy(spoken[1]).to(dtype)
    layer = ThresholdLayer(tuned_tags)
    expected = layer(scores)
    assert torch.equal(layer.cuda().half()(scores.cuda()).cpu(), expected)
    np.testing.assert_array_equal(layer.values(), tuned_tags.values)


def test_what_is_shown():
    layer = ThresholdLayer(0.5, n_labels=4)
    assert repr(layer) == "ThresholdLayer(4 labels ('0', '1', '2' and 1 more))"
    layer = ThresholdLayer([0.5], labels=["dog"], trainable=True, slope=2)
    assert repr(layer) == "ThresholdLayer(1 label ('dog'); trainable, hard forward, sigmoid of slope 2)"
    layer = ThresholdLayer([0.5], trainable=True, smooth=True, learn_slope=True, surrogate="arctan")
    assert "trainable, smooth forward, arctan of a slope learned by label" in repr(layer)


class TestRefused:
    @pytest.mark.parametrize(
        ("thresholds", "options", "words"),
        [
            (0.5, {}, "thresholds is the single number 0.5. Say for how many labels: n_labels, or labels"),
            (
                [0.5, 0.5],
                {"labels": ["a"]},
                "thresholds has 2 values, labels says 1 label. Give one number, or one",
            ),
            ([0.5, 0.5], {"n_labels": 3}, "thresholds has 2 values, n_labels says 3 labels."),
            (0.5, {"labels": ["a"], "n_labels": 2}, "thresholds has 1 value, n_labels says 2 labels."),
            ([0.5, math.nan], {"labels": ["a", "b"]}, "thresholds has NaN for 'b'. A threshold is a number, or"),
            ([math.nan], {}, "thresholds has NaN for '0'"),
            ([[0.5]], {}, "thresholds has shape (1, 1). Give one number for each label."),
            ([], {}, "thresholds has shape (0,)."),
            (["a"], {}, "thresholds are not numbers"),
            ([0.5, 0.5], {"labels": ["a", "a"]}, "labels repeats 'a'. Every label needs a name of its own."),
            ([0.5], {"labels": "a"}, "labels is the text 'a'. Give a sequence of label names."),
            ([0.5], {"surrogate": "relu"}, "surrogate='relu' is unknown."),
            ([0.5], {"slope": 0}, "slope=0 is not usable. It must be a finite number above 0."),
            ([0.5], {"slope": math.nan}, "slope=nan is not usable."),
            ([0.5], {"learn_slope": True}, "learn_slope goes with trainable=True"),
        ],
    )
    def test_arguments(self, thresholds, options, words):
        with pytest.raises(InputError) as caught:
            ThresholdLayer(thresholds, **options)
        assert words in str(caught.value)

    def test_names_twice(self, tuned_tags):
        with pytest.raises(InputError, match="labels are in the thresholds already"):
            ThresholdLayer(tuned_tags, labels=tuned_tags.labels)

    @pytest.mark.parametrize("method", ["top-k:1", "mcut"])
    def test_rules_by_item(self, method):
        thresholds = tuned(smooth_data(0), method=method)
        with pytest.raises(UnsupportedError) as caught:
            ThresholdLayer(thresholds)
        assert f"these thresholds have the rule '{method}', which decides by item. Use Thresholds.decide" in str(
            caught.value
        )

    @pytest.mark.parametrize(
        "scores", [torch.zeros(2, 3), torch.zeros(2), torch.zeros(()), torch.zeros(2, 1, dtype=torch.int64)]
    )
    def test_scores(self, scores):
        with pytest.raises(InputError) as caught:
            ThresholdLayer([0.5], labels=["dog"])(scores)
        assert f"scores have dtype {scores.dtype} and shape {tuple(scores.shape)}." in str(caught.value)
        assert "of shape (..., 1): one column for each label ('dog')." in str(caught.value)


class TestStates:
    def test_on_the_meta_device(self):
        layer = ThresholdLayer([0.1, 0.2], labels=["dog", "cat"])
        with torch.device("meta"):
            empty = ThresholdLayer([0.1, 0.2], labels=["dog", "cat"])
            assert ThresholdLayer(0.5, n_labels=2, trainable=True).thresholds.is_meta
            with pytest.raises(InputError, match="NaN for '1'"):
                ThresholdLayer([0.1, math.nan])
            with pytest.raises(InputError, match=r"single number 0\.5"):
                ThresholdLayer(0.5)
        assert empty.thresholds.is_meta
        empty.load_state_dict(layer.state_dict(), assign=True)
        assert torch.equal(empty.thresholds, layer.thresholds)
        assert ThresholdLayer(empty.thresholds.to("meta")).n_labels == 2

    @pytest.mark.parametrize("assign", [False, True])
    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_precision_into_a_trainable_layer_is_float32(self, dtype, assign):
        state = ThresholdLayer(torch.tensor([0.1, 0.7], dtype=dtype)).state_dict()
        layer = ThresholdLayer([0.5, 0.5], trainable=True)
        layer.load_state_dict(state, assign=assign)
        assert layer.thresholds.dtype == torch.float32
        assert torch.equal(layer.thresholds, state["thresholds"].float())

    @pytest.mark.parametrize("assign", [False, True])
    @pytest.mark.parametrize("trainable", [False, True])
    def test_a_failed_load_changes_nothing(self, trainable, assign):
        layer = ThresholdLayer([0.25, 0.75], trainable=trainable)
        other = ThresholdLayer(torch.tensor([0.1, 0.2, 0.3]).double(), labels=["a", "b", "c"]).state_dict()
        fewer = {"_extra_state": ThresholdLayer([0.1, 0.2], labels=["a", "b"]).state_dict()["_extra_state"]}
        kept = layer.thresholds
        for state in (other, fewer):
            with pytest.raises(RuntimeError, match="thresholds"):
                layer.load_state_dict(state, assign=assign)
            assert layer.labels == ("0", "1")
            assert layer.thresholds is kept
            assert layer.thresholds.dtype == torch.float32
            assert layer.thresholds.tolist() == [0.25, 0.75]

    def test_scores_that_are_no_tensor(self):
        with pytest.raises(InputError, match=r"type ndarray.*takes a tensor"):
            ThresholdLayer([0.1, 0.2])(np.zeros((3, 2), np.float32))
