"""MetricLoss: values and gradients against limen's objectives, for every metric, average and edge."""

import copy
from re import escape

import numpy as np
import pytest

from limen import metrics
from limen.decisions import count_decisions
from limen.errors import InputError, UnsupportedError
from limen.objectives import objective
from limen.sources.door import as_source
from strategies import random_data

torch = pytest.importorskip("torch", reason="torch is not installed")

from limen.torch import MetricLoss, ThresholdLayer  # noqa: E402

compiles = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, while it compiles
BY_LABEL = {"name": "cost", "fp": [1.0, 2.0, 0.0], "fn": [3.0, 0.5, 1.0]}
OF_COUNTS = [name for name in metrics.METRICS if not metrics.get(name).of_whole_items]
EVERY = [*OF_COUNTS, {"name": "fbeta", "beta": 0.3}, {"name": "cost", "fp": 2.0, "fn": 0.5}, BY_LABEL]
every_metric = pytest.mark.parametrize("metric", EVERY, ids=str)
every_average = pytest.mark.parametrize("average", ["micro", "macro", "weighted"])


def tensors(problem):
    weight = None if problem.sample_weight is None else torch.tensor(problem.sample_weight)
    return torch.tensor(problem.y_score).double(), torch.tensor(problem.y_true), weight


def counted(problem, thresholds):
    source = as_source(problem.y_true, problem.y_score, sample_weight=problem.sample_weight)
    return count_decisions((source,), thresholds)


def loss_and_gradient(loss, problem, thresholds):
    """The loss of hard decisions, and its gradient by each decision."""
    scores, y_true, weight = tensors(problem)
    decisions = (scores >= torch.tensor(thresholds)).double().requires_grad_()
    value = loss(decisions, y_true, sample_weight=weight)
    value.backward()
    return value.item(), decisions.grad.numpy()


@every_metric
@every_average
@pytest.mark.parametrize("zero_division", [0.0, 1.0, 0.25])
def test_values_and_gradients_are_limens(metric, average, zero_division):
    """Columns that are all 0, all 1 or unknown, ties and weights among them."""
    of = objective(metric, average, zero_division)
    loss = MetricLoss(metric, average, zero_division=zero_division)
    for seed in range(24):
        problem = random_data(seed, most_items=6, n_labels=3 if metric is BY_LABEL else None)
        thresholds = np.full(problem.y_true.shape[1], [0.25, 0.5, np.inf][seed % 3])
        counts = [np.asarray(part, float) for part in counted(problem, thresholds)]
        value, gradient = loss_and_gradient(loss, problem, thresholds)
        assert value == pytest.approx(1 - of(*counts), abs=1e-12)
        by_tp, by_pp = of.gradient(*counts)
        weight = 1.0 if problem.sample_weight is None else problem.sample_weight[:, None]
        known = ~np.isnan(problem.y_true)
        expected = np.where(known, by_tp * (problem.y_true == 1) + by_pp, 0) * weight
        np.testing.assert_allclose(gradient, -expected, atol=1e-12)


def test_costs_for_another_number_of_labels():
    with pytest.raises(InputError, match="the cost fp has 3 values for 2 labels"):
        MetricLoss(BY_LABEL)(torch.zeros(4, 2), torch.zeros(4, 2))


@every_metric
@every_average
def test_gradcheck_of_soft_decisions(metric, average):
    generator = torch.Generator().manual_seed(0)
    y_pred = torch.rand(6, 3, generator=generator, dtype=torch.float64).requires_grad_()
    y_true = (torch.rand(6, 3, generator=generator) < 0.5).double()
    y_true[0, 0] = torch.nan
    weight = torch.rand(6, generator=generator, dtype=torch.float64)
    loss = MetricLoss(metric, average)
    assert torch.autograd.gradcheck(lambda p: loss(p, y_true, sample_weight=weight), (y_pred,))


def test_unknown_labels_do_not_count():
    y_pred = torch.rand(5, 3).requires_grad_()
    y_true = (torch.rand(5, 3) < 0.5).float()
    known = torch.rand(5, 3) < 0.7
    with_nan = torch.where(known, y_true, torch.nan)
    loss = MetricLoss("jaccard", "macro")
    results = []
    for truth, mask in ((with_nan, None), (y_true, known), (y_true.bool(), known), (with_nan, known)):
        y_pred.grad = None
        value = loss(y_pred, truth, mask=mask)
        value.backward()
        results.append((value.item(), y_pred.grad))
        assert not y_pred.grad[~known].any()
        assert torch.isfinite(y_pred.grad).all()
    for value, gradient in results[1:]:
        assert value == results[0][0]
        assert torch.equal(gradient, results[0][1])


def test_a_score_that_is_no_number_where_the_label_is_unknown():
    y_pred = torch.tensor([[torch.nan, 0.5]], requires_grad=True)
    value = MetricLoss()(y_pred, torch.tensor([[torch.nan, 1.0]]))
    value.backward()
    assert value.item() == pytest.approx(1 / 3)
    assert torch.isfinite(y_pred.grad).all()


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float16, torch.float64])
def test_labels_of_any_dtype(dtype):
    y_pred = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    value = MetricLoss()(y_pred, torch.tensor([[1, 0], [0, 1]]).to(dtype))
    assert value.item() == pytest.approx(0.2)
    assert value.dtype == torch.float32


def test_frames_are_items():
    y_pred, y_true = torch.rand(4, 5, 3), torch.rand(4, 5, 3) < 0.3
    weight = torch.rand(4, 5)
    loss = MetricLoss("f1", "macro")
    flat = loss(y_pred.reshape(20, 3), y_true.reshape(20, 3), sample_weight=weight.reshape(20))
    torch.testing.assert_close(loss(y_pred, y_true, sample_weight=weight), flat)


def test_sums_do_not_saturate_in_half_precision():
    """float16 cannot count beyond 2048."""
    y_pred = torch.ones(4099, 1).half().requires_grad_()
    y_true = torch.zeros(4099, 1).half()
    y_true[:2049] = 1
    value = MetricLoss("precision")(y_pred, y_true)
    assert value.item() == pytest.approx(1 - 2049 / 4099, abs=1e-7)
    assert value.dtype == torch.float32


def test_it_trains_under_autocast():
    layer = ThresholdLayer([0.5, 0.5], trainable=True)
    with torch.autocast("cpu", torch.bfloat16):
        scores = torch.sigmoid(torch.nn.Linear(3, 2)(torch.randn(8, 3)))
        value = MetricLoss()(layer(scores), torch.ones(8, 2))
    value.backward()
    assert torch.isfinite(layer.thresholds.grad).all()


class TestMemory:
    def batches(self, number=6):
        generator = torch.Generator().manual_seed(3)
        return [
            (
                torch.rand(5, 3, generator=generator).double(),
                (torch.rand(5, 3, generator=generator) < 0.3).double(),
            )
            for _ in range(number)
        ]

    def test_a_memory_of_1_is_the_metric_of_all_so_far(self):
        batches = self.batches()
        running, whole = MetricLoss("f1", "macro", memory=1.0), MetricLoss("f1", "macro")
        for k, (y_pred, y_true) in enumerate(batches, start=1):
            together = [torch.cat(part) for part in zip(*batches[:k], strict=True)]
            assert running(y_pred, y_true).item() == pytest.approx(whole(*together).item(), abs=1e-12)
        running.reset()
        assert running(*batches[0]).item() == whole(*batches[0]).item()

    @pytest.mark.parametrize("memory", [0.5, 0.9])
    def test_earlier_counts_decay(self, memory):
        batches = self.batches()
        loss = MetricLoss("mcc", "micro", memory=memory)
        values = [loss(*batch).item() for batch in batches]
        weight = [torch.full((5,), memory ** (len(batches) - 1 - k)).double() for k in range(len(batches))]
        y_pred, y_true = (torch.cat(part) for part in zip(*batches, strict=True))
        expected = MetricLoss("mcc", "micro")(y_pred, y_true, sample_weight=torch.cat(weight))
        assert values[-1] == pytest.approx(expected.item(), abs=1e-6)

    @pytest.mark.parametrize("memory", [0.5, 1.0])
    def test_the_gradient_is_that_of_a_batch_that_stands_for_all(self, memory):
        """Seeing the same batch again and again changes neither the value nor the gradient."""
        y_pred, y_true = self.batches()[0]
        loss = MetricLoss("f1", "macro", memory=memory)
        results = []
        for _ in range(4):
            leaf = y_pred.clone().requires_grad_()
            value = loss(leaf, y_true)
            value.backward()
            results.append((value.detach(), leaf.grad))
        for value, gradient in results[1:]:
            torch.testing.assert_close(value, results[0][0])
            torch.testing.assert_close(gradient, results[0][1])

    def test_a_batch_without_positives_has_a_gradient(self):
        """Alone it has none: F1 is 0 whatever is decided."""
        for memory, expected in ((0.0, False), (0.9, True)):
            loss = MetricLoss("f1", "macro", memory=memory)
            loss(torch.ones(4, 1), torch.ones(4, 1))
            leaf = torch.ones(4, 1, requires_grad=True)
            loss(leaf, torch.zeros(4, 1)).backward()
            assert leaf.grad.any().item() is expected
            assert (leaf.grad >= 0).all()

    def test_eval_mode_neither_uses_nor_changes_it(self):
        first, second, third = self.batches(3)
        loss, plain = MetricLoss(memory=0.9), MetricLoss()
        loss(*first)
        loss.eval()
        assert loss(*second).item() == plain(*second).item()
        loss.train()
        other = MetricLoss(memory=0.9)
        other(*first)
        assert loss(*third).item() == other(*third).item()

    def test_it_is_not_saved_and_not_rounded(self):
        batches = self.batches()
        loss = MetricLoss(memory=0.9)
        loss(*batches[0])
        assert not loss.state_dict()
        twin = copy.deepcopy(loss)
        assert loss.half()(*batches[1]) == twin(*batches[1])

    def test_two_batches_before_one_step_backward(self):
        first, second = self.batches(2)
        loss = MetricLoss(memory=0.5)
        leaf = first[0].clone().requires_grad_()
        (loss(leaf, first[1]) + loss(leaf, second[1])).backward()
        assert torch.isfinite(leaf.grad).all()

    def test_other_labels(self):
        loss = MetricLoss(memory=0.5)
        loss(torch.ones(2, 3), torch.ones(2, 3))
        with pytest.raises(InputError) as caught:
            loss(torch.ones(2, 2), torch.ones(2, 2))
        assert "this batch has 2 labels, those before had 3. Call reset() before other data." in str(caught.value)


@compiles
@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_compiled_whole(memory):
    results = []
    for compile_it in (False, True):
        torch.compiler.reset()
        loss = MetricLoss("mcc", "macro", memory=memory)
        layer = ThresholdLayer([0.3, 0.6], trainable=True, slope=5.0)

        def step(scores, y_true, loss=loss, layer=layer):
            return loss(layer(scores), y_true)

        run = torch.compile(step, fullgraph=True, backend="aot_eager") if compile_it else step
        generator = torch.Generator().manual_seed(0)
        for _ in range(3):
            scores, y_true = torch.rand(20, 2, generator=generator), torch.rand(20, 2, generator=generator)
            value = run(scores, (y_true < scores).float())
            value.backward()
        results.append((value.detach(), layer.thresholds.grad))
    for eager, graph in zip(*results, strict=True):
        torch.testing.assert_close(graph, eager)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@every_metric
def test_on_a_gpu(metric):
    y_pred, y_true = torch.rand(50, 3), torch.rand(50, 3) < 0.3
    loss = MetricLoss(metric, "macro", memory=0.5)
    on_gpu = copy.deepcopy(loss).cuda()
    for _ in range(2):
        torch.testing.assert_close(on_gpu(y_pred.cuda(), y_true.cuda()).cpu(), loss(y_pred, y_true))


def test_inputs_stay():
    y_pred, y_true, weight = torch.rand(4, 2), torch.tensor([[1.0, torch.nan]] * 4), torch.rand(4)
    before = [part.clone() for part in (y_pred, y_true, weight)]
    MetricLoss()(y_pred, y_true, sample_weight=weight, mask=torch.ones(4, 2, dtype=torch.bool))
    for part, kept in zip((y_pred, y_true, weight), before, strict=True):
        torch.testing.assert_close(part, kept, rtol=0, atol=0, equal_nan=True)


def test_what_is_shown():
    assert repr(MetricLoss()) == "MetricLoss(micro F1)"
    assert repr(MetricLoss("mcc", "macro", memory=0.9)) == "MetricLoss(macro MCC, memory=0.9)"


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("f3",), {}, "metric='f3' is unknown"),
        ((), {"zero_division": 2}, "zero_division=2 is not usable"),
        ((), {"memory": 1.5}, "memory=1.5 is not usable. It must be a share from 0 to 1."),
        ((), {"memory": float("nan")}, "memory=nan is not usable"),
    ],
)
def test_refused_arguments(arguments, options, words):
    with pytest.raises(InputError, match=escape(words)):
        MetricLoss(*arguments, **options)


def test_whole_items_are_not_counted():
    with pytest.raises(UnsupportedError, match="This loss is of counts by label; samples F1 needs whole items"):
        MetricLoss("f1", "samples")


@pytest.mark.parametrize(
    ("y_true", "options", "words"),
    [
        (torch.zeros(4), {}, "y_pred has shape (4, 2), y_true (4,). Both must be (..., n_labels)."),
        (torch.tensor([[0.0, -1.0]] * 4), {}, "y_true has -1 in label '1', row 0. Labels must be 0, 1, or NaN"),
        (torch.full((4, 2), 2), {}, "y_true has 2 in label '0', row 0."),
        (torch.zeros(4, 2, requires_grad=True), {}, "y_true asks for gradients. The order is (y_pred, y_true)"),
        (
            torch.zeros(4, 2),
            {"mask": torch.ones(4, 2)},
            "mask has dtype torch.float32 and shape (4, 2). It must be",
        ),
        (torch.zeros(4, 2), {"mask": torch.ones(4, dtype=torch.bool)}, "bool of shape (4, 2), True where"),
        (
            torch.zeros(4, 2),
            {"sample_weight": torch.ones(4, 1)},
            "sample_weight has shape (4, 1). It must be (4,):",
        ),
    ],
)
def test_refused_tensors(y_true, options, words):
    with pytest.raises(InputError, match=escape(words)):
        MetricLoss()(torch.zeros(4, 2), y_true, **options)
