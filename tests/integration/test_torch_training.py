"""Trained thresholds: full batches, mini-batches, with a head; against limen's own SGL and exact optimum."""

import numpy as np
import pytest

import limen
from limen.datasets import spoken_tags
from limen.errors import InputError, UnsupportedError
from limen.solvers import SurrogateGradient
from strategies import data, random_data, smooth_data, tuned

torch = pytest.importorskip("torch", reason="torch is not installed")

import limen.torch.fitting  # noqa: E402
from limen.torch import SHAPES, MetricLoss, ThresholdLayer, fit_thresholds  # noqa: E402


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads that wait for a busy processor cost more than they give to small problems."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def fitted(problem, **options):
    weight = None if problem.sample_weight is None else torch.tensor(problem.sample_weight)
    return fit_thresholds(
        torch.tensor(problem.y_true), torch.tensor(problem.y_score), sample_weight=weight, **options
    )


def assert_alike(fit, thresholds, **tolerance):
    np.testing.assert_allclose(fit.thresholds.double().numpy(), thresholds.values, **tolerance)
    np.testing.assert_allclose(fit.history.numpy(), thresholds.history, **tolerance)


class TestFit:
    """Of all scores at once: the solver's steps, without its bins."""

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("of", [("f1", "micro"), ("mcc", "macro"), ("recall", "weighted")])
    def test_the_solvers_iterates(self, shape, of):
        metric, average = of
        for seed in range(3):
            problem = smooth_data(seed)
            options = {"surrogate": shape, "slope": 20.0, "epochs": 15, "learning_rate": 0.02}
            fit = fitted(problem, metric=metric, average=average, **options)
            solver = SurrogateGradient(bins=None, **options)
            assert_alike(fit, tuned(problem, metric=metric, average=average, method=solver), atol=1e-9)
            assert len(set(fit.history.tolist())) > 3

    @pytest.mark.parametrize("metric", ["f1", "g_mean", "kappa", {"name": "cost", "fp": 2.0}])
    def test_ties_weights_and_unknown_labels(self, metric):
        for seed in range(30):
            y_true, y_score, weight = random_data(seed, dtype="f8")
            problem = data(y_true, np.clip(y_score, 0, 1), weight)
            solver = SurrogateGradient(bins=None, epochs=5)
            assert_alike(
                fitted(problem, metric=metric, average="macro", epochs=5),
                tuned(problem, metric=metric, average="macro", method=solver),
                atol=1e-7,
            )

    @pytest.mark.parametrize("keep", ["last", "best"])
    def test_scores_at_the_start_are_given(self, keep):
        """On ties of the objective, too, the iterate kept is the solver's."""
        for seed in range(20):
            y_true, y_score, weight = random_data(seed, dtype="f8")
            problem = data(y_true, np.clip(y_score, 0, 1), weight)
            options = {"start": 0.25, "epochs": 4, "learning_rate": 0.001, "keep": keep}
            solver = SurrogateGradient(bins=None, **options)
            assert_alike(fitted(problem, **options), tuned(problem, method=solver), atol=1e-9)

    def test_scores_are_compared_with_the_thresholds_that_are_returned(self):
        """0.7 in float32 is below 0.7 in float64."""
        fit = fit_thresholds(torch.ones(1, 1), torch.tensor([[0.7]]), start=0.7, epochs=1, learning_rate=1e-12)
        assert fit.thresholds.item() == np.float32(0.7)
        assert fit.history.tolist() == [1, 1]

    def test_a_mask_hides_as_nan_does(self):
        problem = smooth_data(0)
        known = torch.rand(problem.y_true.shape) < 0.7
        y_true, y_score = torch.tensor(problem.y_true), torch.tensor(problem.y_score)
        first = fit_thresholds(y_true, y_score, mask=known, epochs=5)
        second = fit_thresholds(torch.where(known, y_true, torch.nan), y_score, epochs=5)
        assert torch.equal(first.thresholds, second.thresholds)
        assert torch.equal(first.history, second.history)
        third = fit_thresholds(y_true.bool(), y_score, mask=known, epochs=5)
        assert torch.equal(first.thresholds, third.thresholds)

    def test_float32_at_the_papers_settings(self):
        y_true, y_score, names = spoken_tags()
        fit = fit_thresholds(torch.tensor(y_true), torch.tensor(y_score))
        thresholds = limen.tune(y_true, y_score, labels=names, method=SurrogateGradient(bins=None))
        assert_alike(fit, thresholds, atol=2e-5)
        assert fit.thresholds.dtype == torch.float32
        assert len(fit.history) == 101

    @pytest.mark.parametrize("keep", ["last", "best"])
    @pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
    def test_the_history_belongs_to_the_thresholds(self, keep, dtype):
        for seed in range(3):
            problem = smooth_data(seed)
            y_true, y_score = torch.tensor(problem.y_true), torch.tensor(problem.y_score).to(dtype)
            fit = fit_thresholds(y_true, y_score, keep=keep, learning_rate=0.1, epochs=30)
            layer = ThresholdLayer(fit.thresholds)
            value = 1 - MetricLoss()(layer(y_score).double(), y_true)
            kept = fit.history[-1] if keep == "last" else fit.history.max()
            assert value.item() == pytest.approx(kept.item(), abs=1e-14)

    def test_a_start_for_each_label(self):
        problem = smooth_data(0)
        start = [0.2, 0.4, 0.6]
        fit = fitted(problem, start=torch.tensor(start), epochs=3)
        solver = SurrogateGradient(bins=None, start=start, epochs=3)
        assert_alike(fit, tuned(problem, method=solver), atol=1e-6)

    def test_blocks_of_any_size(self, monkeypatch):
        problem = random_data(3, n_items=8, n_labels=3, dtype="f8", weighted=True, unknown=True)
        whole = fitted(problem, epochs=4)
        monkeypatch.setattr(limen.torch.fitting, "BLOCK_ELEMENTS", {"cpu": 7})
        parts = fitted(problem, epochs=4)
        torch.testing.assert_close(parts.thresholds, whole.thresholds)
        torch.testing.assert_close(parts.history, whole.history)

    def test_within_no_grad_and_inference_mode(self):
        problem = smooth_data(0)
        expected = fitted(problem, epochs=3)
        for mode in (torch.no_grad, torch.inference_mode):
            with mode():
                assert torch.equal(fitted(problem, epochs=3).thresholds, expected.thresholds)
        y_score = torch.tensor(problem.y_score, requires_grad=True)
        fit = fit_thresholds(torch.tensor(problem.y_true), y_score, epochs=3)
        assert not fit.thresholds.requires_grad
        assert y_score.grad is None
        assert torch.equal(fit.thresholds, expected.thresholds)

    def test_inputs_stay(self):
        problem = random_data(1, n_items=8, n_labels=2, unknown=True, weighted=True)
        parts = [torch.tensor(part) for part in problem]
        before = [part.clone() for part in parts]
        fit_thresholds(parts[0], parts[1], sample_weight=parts[2], epochs=2)
        for part, kept in zip(parts, before, strict=True):
            torch.testing.assert_close(part, kept, rtol=0, atol=0, equal_nan=True)

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
    def test_on_a_gpu(self):
        y_true, y_score, _ = spoken_tags()
        fits = [
            fit_thresholds(torch.tensor(y_true).to(device), torch.tensor(y_score).to(device))
            for device in ("cpu", "cuda")
        ]
        assert fits[1].thresholds.is_cuda
        torch.testing.assert_close(fits[1].thresholds.cpu(), fits[0].thresholds, atol=1e-4, rtol=0)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            (
                {"y_score": torch.rand(4)},
                "y_true has shape (4, 2), y_score (4,) and dtype torch.float32. Both must",
            ),
            ({"y_score": torch.ones(4, 2).long()}, "and scores floating-point"),
            ({"y_true": torch.rand(0, 2), "y_score": torch.rand(0, 2)}, "with at least one of each"),
            (
                {"y_score": torch.tensor([[0.5, torch.nan]] * 4)},
                "y_score has nan in label '1', row 0. Scores must",
            ),
            (
                {"y_true": torch.tensor([[0.5, 1]] * 4)},
                "y_true has 0.5 in label '0', row 0. Labels must be 0, 1, or",
            ),
            ({"y_true": torch.full((4, 2), 2)}, "y_true has 2 in label '0', row 0."),
            ({"mask": torch.ones(4, 2)}, "mask has dtype torch.float32 and shape (4, 2). It must be bool"),
            ({"sample_weight": torch.ones(3)}, "sample_weight has shape (3,) and must be (4,): one finite weight"),
            ({"sample_weight": -torch.ones(4)}, "for each item, not negative."),
            ({"start": [0.1] * 3}, "start has shape (3,) for 2 labels. Give one finite number, or one for each"),
            ({"start": float("inf")}, "start has shape () for 2 labels."),
            ({"surrogate": "relu"}, "surrogate='relu' is unknown"),
            ({"slope": 0.0}, "slope=0.0 is not usable"),
            ({"epochs": 0}, "epochs=0 is not usable"),
            ({"keep": "first"}, "keep='first' is unknown"),
            ({"metric": {"name": "cost", "fp": [1, 2, 3]}}, "the cost fp has 3 values for 2 labels"),
        ],
    )
    def test_refused(self, changes, words):
        arguments = {"y_true": torch.ones(4, 2), "y_score": torch.rand(4, 2), **changes}
        with pytest.raises(InputError) as caught:
            fit_thresholds(arguments.pop("y_true"), arguments.pop("y_score"), **arguments)
        assert words in str(caught.value)

    def test_whole_items_are_not_counted(self):
        with pytest.raises(
            UnsupportedError, match="This fit is of counts by label; subset accuracy needs whole items"
        ):
            fit_thresholds(torch.ones(4, 2), torch.rand(4, 2), metric="subset_accuracy")


class TestLayerAndLoss:
    """The same with torch's own autograd and Adam."""

    @pytest.mark.parametrize("shape", ["sigmoid", "triangle"])
    def test_full_batches_are_the_solvers_iterates(self, shape):
        problem = smooth_data(0)
        y_true, y_score = torch.tensor(problem.y_true), torch.tensor(problem.y_score)
        start = torch.full((3,), 0.3, dtype=torch.float64)
        layer = ThresholdLayer(start, trainable=True, surrogate=shape)
        loss = MetricLoss("f1", "micro")
        optimiser = torch.optim.Adam(layer.parameters(), lr=0.01)
        for _ in range(25):
            optimiser.zero_grad()
            loss(layer(y_score), y_true).backward()
            optimiser.step()
        expected = tuned(problem, method=SurrogateGradient(bins=None, epochs=25, surrogate=shape))
        np.testing.assert_allclose(layer.values(), expected.values, atol=1e-9)
        np.testing.assert_array_equal(layer.eval()(y_score), expected.decide(problem.y_score))

    def test_learned_slopes_are_the_solvers(self):
        problem = smooth_data(1)
        y_true, y_score = torch.tensor(problem.y_true), torch.tensor(problem.y_score)
        layer = ThresholdLayer(torch.full((3,), 0.3).double(), trainable=True, learn_slope=True)
        optimiser = torch.optim.Adam(layer.parameters(), lr=0.01)
        for _ in range(10):
            optimiser.zero_grad()
            MetricLoss()(layer(y_score), y_true).backward()
            optimiser.step()
        start = torch.full((3,), 0.3).double().tolist()
        solver = SurrogateGradient(bins=None, epochs=10, learn_slope=True, start=start)
        np.testing.assert_allclose(layer.values(), tuned(problem, method=solver).values, atol=1e-9)
        assert (layer.slope != 50).all()

    @pytest.mark.parametrize(("average", "memory"), [("micro", 0.0), ("macro", 0.95)])
    def test_mini_batches_come_as_far_as_full_ones(self, average, memory):
        y_true, y_score, names = spoken_tags()
        labels, scores = torch.tensor(y_true), torch.tensor(y_score)
        layer = ThresholdLayer(0.3, labels=names, trainable=True)
        loss = MetricLoss("f1", average, memory=memory)
        optimiser = torch.optim.Adam(layer.parameters(), lr=0.01)
        torch.manual_seed(0)
        for epoch in range(8):
            optimiser.param_groups[0]["lr"] = 0.01 / (1 + epoch)
            for rows in torch.randperm(len(labels)).split(128):
                optimiser.zero_grad()
                loss(layer(scores[rows]), labels[rows]).backward()
                optimiser.step()
        reached = layer.to_thresholds(labels, scores, average=average).value
        full = limen.tune(y_true, y_score, labels=names, method="sgl", average=average).value
        best = limen.tune(y_true, y_score, labels=names, method="exact", average=average).value
        fixed = limen.tune(y_true, y_score, labels=names, method="fixed:0.3", average=average).value
        assert reached > full - 0.004
        assert fixed + 0.01 < reached < best

    def test_a_head_and_its_thresholds_together(self):
        """Handwritten digits with tags: the digit, even, prime and large."""
        datasets = pytest.importorskip("sklearn.datasets")
        digits = datasets.load_digits()
        features = torch.tensor(digits.data, dtype=torch.float32) / 16
        digit = torch.tensor(digits.target)
        tags = torch.stack(
            [
                *(digit == k for k in range(10)),
                digit % 2 == 0,
                torch.isin(digit, torch.tensor([2, 3, 5, 7])),
                digit > 4,
            ],
            dim=1,
        )
        torch.manual_seed(0)
        order = torch.randperm(len(digit))
        train, test = order[:1200], order[1200:]
        head = torch.nn.Sequential(torch.nn.Linear(64, tags.shape[1]), torch.nn.Sigmoid())
        layer = ThresholdLayer(0.9, n_labels=tags.shape[1], trainable=True, slope=10.0)
        model = torch.nn.Sequential(head, layer)
        loss = MetricLoss("f1", "macro", memory=0.8)
        optimiser = torch.optim.Adam(
            [{"params": head.parameters(), "lr": 0.03}, {"params": layer.parameters(), "lr": 0.005}]
        )

        def held_out():
            with torch.no_grad():
                decisions = model.eval()(features[test])
            model.train()
            return limen.objectives.objective("f1", "macro")(*_counts(decisions, tags[test]))

        before = held_out()
        start = head[0].weight.detach().clone()
        for _ in range(30):
            for rows in train[torch.randperm(len(train))].split(100):
                optimiser.zero_grad()
                loss(model(features[rows]), tags[rows]).backward()
                optimiser.step()
        assert before < 0.1
        assert held_out() > 0.8
        assert ((head[0].weight - start).abs() > 0.01).any(dim=1).all()
        assert (layer.thresholds != 0.9).all()

    def test_the_head_learns_through_fixed_thresholds(self):
        """Whatever the layer does in eval mode, the function lets the scores learn alone."""
        scores = torch.tensor([[0.2], [0.3]], requires_grad=True)
        cuts = torch.tensor([0.5])
        MetricLoss("recall")(limen.torch.threshold(scores, cuts, slope=5.0), torch.ones(2, 1)).backward()
        assert (scores.grad < 0).all()


def _counts(decisions, truth):
    decisions, truth = decisions.numpy(), truth.numpy()
    n = np.full(truth.shape[1], len(truth))
    return (decisions & truth).sum(axis=0), decisions.sum(axis=0), truth.sum(axis=0), n
