"""The surrogate step on tensors: forward and backward against closed forms, and torch's own checks."""

import math
import warnings

import numpy as np
import pytest

from limen.errors import InputError
from limen.solvers.surrogate import SURROGATES
from strategies import grid

torch = pytest.importorskip("torch", reason="torch is not installed")

from limen.decisions import rounded_up  # noqa: E402
from limen.torch import SHAPES, decide, threshold  # noqa: E402

every_shape = pytest.mark.parametrize("shape", SHAPES)
FLOATS = ("float16", "bfloat16", "float32", "float64")
compiles = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, while it compiles


def scores_and_thresholds(seed=0, n_items=7, n_labels=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(n_items, n_labels, generator=generator, dtype=torch.float64).to(dtype)
    thresholds = torch.rand(n_labels, generator=generator, dtype=torch.float64).to(dtype)
    return scores.requires_grad_(), thresholds.requires_grad_()


def closed_form(shape, scores, thresholds, slope):
    x = scores.detach().double().numpy() - thresholds.detach().double().numpy()
    return x, SURROGATES[shape](slope * x)


def test_the_shapes_are_those_of_the_solver():
    assert list(SHAPES) == list(SURROGATES)


@every_shape
def test_derivatives_are_those_of_the_solver(shape):
    u = torch.tensor([-1e9, -30.0, -3.0, -1.0, -0.999, -0.5, -0.0, 0.0, 0.5, 1.0, 1.001, 3.0, 30.0, 1e9]).double()
    np.testing.assert_allclose(SHAPES[shape].derivative(u), SURROGATES[shape](u.numpy()), rtol=1e-12, atol=1e-300)


@every_shape
def test_steps_rise_from_0_to_1(shape):
    u = torch.cat([torch.tensor([-math.inf, -1e6]), torch.linspace(-5, 5, 1001), torch.tensor([1e6, math.inf])])
    step = SHAPES[shape].step(u.double())
    assert step[0] == 0
    assert step[-1] == 1
    assert SHAPES[shape].step(torch.zeros(1)) == 0.5
    assert (step.diff() >= 0).all()


class TestForward:
    @pytest.mark.parametrize("of_scores", FLOATS)
    @pytest.mark.parametrize("of_thresholds", FLOATS)
    def test_pairs_of_dtypes_are_compared_exactly(self, of_scores, of_thresholds):
        """Neighbours of every kind: as the real numbers that they are."""
        numbers = [float(x) for dtype in ("f2", "f4", "f8") for x in grid(dtype)]
        numbers += [0.3, math.nextafter(0.3, 1), 0.7, 0.29999998211860657, 0.300048828125]
        scores = torch.tensor(numbers, dtype=torch.float64).to(getattr(torch, of_scores))
        scores = scores[scores.isfinite()]
        cuts = torch.tensor(numbers, dtype=torch.float64).to(getattr(torch, of_thresholds))
        found = decide(scores[:, None].expand(-1, len(cuts)), cuts)
        assert found.dtype == torch.bool
        expected = np.array([[s >= t and t < math.inf for t in cuts.tolist()] for s in scores.tolist()])
        np.testing.assert_array_equal(found, expected)
        soft = threshold(scores[:, None].expand(-1, len(cuts)), cuts)
        assert soft.dtype == (torch.float64 if "float64" in (of_scores, of_thresholds) else torch.float32)
        np.testing.assert_array_equal(soft.numpy(), expected)

    def test_a_threshold_without_dimensions_is_not_rounded(self):
        """torch alone would compare in float16, where both are the same."""
        above = torch.tensor(0.5001)
        assert above.half() == 0.5
        assert not decide(torch.tensor([0.5]).half(), above)

    def test_inputs_stay(self):
        scores, thresholds = scores_and_thresholds()
        before = scores.detach().clone(), thresholds.detach().clone()
        threshold(scores, thresholds).sum().backward()
        assert torch.equal(scores, before[0])
        assert torch.equal(thresholds, before[1])


class TestBackward:
    @every_shape
    @pytest.mark.parametrize("slope", [1.0, 50.0])
    def test_the_closed_form(self, shape, slope):
        scores, thresholds = scores_and_thresholds()
        slopes = torch.full((3,), slope, dtype=torch.float64, requires_grad=True)
        upstream = torch.linspace(-1, 2, scores.numel(), dtype=torch.float64).reshape(scores.shape)
        for steepness in (slope, slopes):
            scores.grad = thresholds.grad = None
            decisions = threshold(scores, thresholds, surrogate=shape, slope=steepness)
            assert set(decisions.detach().unique().tolist()) <= {0.0, 1.0}
            decisions.backward(upstream)
            x, f = closed_form(shape, scores, thresholds, slope)
            by_score = upstream.numpy() * slope * f
            np.testing.assert_allclose(scores.grad, by_score, rtol=1e-12)
            np.testing.assert_allclose(thresholds.grad, -by_score.sum(axis=0), rtol=1e-12)
        np.testing.assert_allclose(slopes.grad, (upstream.numpy() * x * f).sum(axis=0), rtol=1e-12)

    @every_shape
    def test_the_smooth_step_has_the_same_gradient(self, shape):
        gradients = []
        for smooth in (False, True):
            scores, thresholds = scores_and_thresholds()
            threshold(scores, thresholds, surrogate=shape, slope=5.0, smooth=smooth).sum().backward()
            gradients.append((scores.grad, thresholds.grad))
        assert torch.equal(gradients[0][0], gradients[1][0])
        assert torch.equal(gradients[0][1], gradients[1][1])

    @every_shape
    def test_gradcheck_of_the_smooth_step(self, shape):
        scores, thresholds = scores_and_thresholds()
        slopes = torch.tensor([2.0, 1.0, 7.0], dtype=torch.float64, requires_grad=True)

        def smooth(s, t, b):
            return threshold(s, t, surrogate=shape, slope=b, smooth=True)

        assert torch.autograd.gradcheck(smooth, (scores, thresholds, slopes))
        assert torch.autograd.gradcheck(
            lambda s, t: threshold(s, t, surrogate=shape, slope=3.0, smooth=True), (scores, thresholds)
        )

    @pytest.mark.parametrize("shape", ["sigmoid", "arctan"])
    def test_twice_differentiable_where_the_shape_is(self, shape):
        scores, thresholds = scores_and_thresholds()
        assert torch.autograd.gradgradcheck(
            lambda s, t: threshold(s, t, surrogate=shape, slope=3.0, smooth=True), (scores, thresholds)
        )

    def test_the_peak_of_the_papers_sigmoid(self):
        """Slope 50: 50 / 4 at the threshold."""
        scores = torch.full((1, 1), 0.3, requires_grad=True)
        threshold(scores, torch.tensor([0.3])).backward()
        assert scores.grad.item() == 12.5

    def test_used_twice_in_one_graph(self):
        scores, thresholds = scores_and_thresholds()
        first = threshold(scores, thresholds, slope=5.0)
        (first.sum() + threshold(scores, thresholds, slope=5.0).sum()).backward()
        twice = thresholds.grad
        scores, thresholds = scores_and_thresholds()
        threshold(scores, thresholds, slope=5.0).sum().backward()
        torch.testing.assert_close(twice, 2 * thresholds.grad)

    @every_shape
    @pytest.mark.parametrize("learned", [False, True])
    def test_infinite_distances_have_no_gradient(self, shape, learned):
        scores = torch.tensor([[0.5, -math.inf]], requires_grad=True)
        thresholds = torch.tensor([math.inf, 0.5], requires_grad=True)
        slope = torch.full((2,), 50.0, requires_grad=True) if learned else 50.0
        for smooth in (False, True):
            decisions = threshold(scores, thresholds, surrogate=shape, slope=slope, smooth=smooth)
            torch.testing.assert_close(decisions, torch.zeros(1, 2), atol=1e-30, rtol=0)
            decisions.sum().backward()
        for leaf in (scores, thresholds, slope) if learned else (scores, thresholds):
            assert not leaf.grad.any()

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_precision_is_differentiated_in_float32(self, dtype):
        scores, thresholds = scores_and_thresholds(dtype=dtype)
        decisions = threshold(scores, thresholds, slope=5.0)
        (decisions.sum() * 1e-9).backward()
        assert scores.grad.dtype == thresholds.grad.dtype == dtype
        _, f = closed_form("sigmoid", scores, thresholds, 5.0)
        small = torch.tensor(5.0 * f * 1e-9)
        torch.testing.assert_close(scores.grad, small.to(dtype))
        assert decisions.dtype == torch.float32

    def test_gradients_of_counts_survive_half_precision(self):
        """1 / counts is below what float16 can hold; the way to a float32 parameter has no float16 on it."""
        scores = torch.full((1, 1), 0.5).half()
        thresholds = torch.tensor([0.5], requires_grad=True)
        (threshold(scores, thresholds).sum() / 1e9).backward()
        assert thresholds.grad.item() == pytest.approx(-12.5e-9)


class TestTransforms:
    def test_vmap_and_grad(self):
        scores, thresholds = scores_and_thresholds()
        scores, thresholds = scores.detach(), thresholds.detach()

        def total(t, s):
            return threshold(s, t, slope=5.0).sum()

        by_item = torch.func.vmap(torch.func.grad(total), in_dims=(None, 0))(thresholds, scores)
        _, f = closed_form("sigmoid", scores, thresholds, 5.0)
        np.testing.assert_allclose(by_item, -5.0 * f, rtol=1e-12)
        by_label = torch.func.vmap(lambda s, t: threshold(s, t), in_dims=(1, 0), out_dims=1)(scores, thresholds)
        assert torch.equal(by_label, threshold(scores, thresholds))


@pytest.mark.parametrize("wide", ["f4", "f8"])
@pytest.mark.parametrize("narrow", ["f2", "f4"])
def test_rounding_up_decides_alike(wide, narrow):
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        numbers = np.array([*grid("f8"), *rng.normal(size=200), 7e4, -7e4, 1e-9, -1e-9, np.inf], wide)
        scores = np.concatenate([numbers.astype(narrow), np.array(grid(narrow))])
    scores = scores[np.isfinite(scores)]
    rounded = rounded_up(numbers, narrow)
    assert rounded.dtype == narrow
    wanted = scores[:, None].astype("f8") >= numbers.astype("f8")
    np.testing.assert_array_equal(scores[:, None] >= rounded, wanted)


def test_an_unknown_shape():
    with pytest.raises(InputError, match="surrogate='relu' is unknown"):
        threshold(torch.zeros(1, 1), torch.zeros(1), surrogate="relu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@every_shape
def test_on_a_gpu(shape):
    results = []
    for device in ("cpu", "cuda"):
        scores, thresholds = (part.detach().to(device).requires_grad_() for part in scores_and_thresholds())
        decisions = threshold(scores, thresholds, surrogate=shape)
        decisions.sum().backward()
        results.append([part.detach().cpu() for part in (decisions, scores.grad, thresholds.grad)])
    assert torch.equal(results[0][0], results[1][0])
    torch.testing.assert_close(results[0][1:], results[1][1:])
