"""CurveAccumulator in one process: the curves of everything seen, bit for bit."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import limen
from limen import Curves
from limen.datasets import spoken_tags
from limen.errors import InputError, MergeError, UnsupportedError
from strategies import PATIENT, problems, smooth_data

torch = pytest.importorskip("torch", reason="torch is not installed")

import limen.torch.accumulator  # noqa: E402
from limen.torch import CurveAccumulator  # noqa: E402


def filled(y_true, y_score, size, *, sample_weight=None, labels=None, **options):
    accumulator = CurveAccumulator(labels)
    for first in range(0, len(y_score), size):
        rows = slice(first, first + size)
        weight = None if sample_weight is None else sample_weight[rows]
        parts = {key: value[rows] for key, value in options.items()}
        accumulator.update(y_true[rows], y_score[rows], sample_weight=weight, **parts)
    return accumulator


class TestCurves:
    @PATIENT
    @given(problems(), st.integers(1, 5))
    def test_those_of_all_items_at_once(self, problem, size):
        y_true, y_score, sample_weight = problem
        whole = Curves.from_arrays(y_true, y_score, sample_weight=sample_weight)
        found = filled(y_true, y_score, size, sample_weight=sample_weight).compute()
        assert found == whole
        assert found.complete
        assert found.digest() == whole.digest()

    @pytest.mark.parametrize("size", [1, 64, 5000])
    def test_large_data_in_many_blocks(self, size, monkeypatch):
        """Blocks of any size; the weights are fractions, summed in the order of the items."""
        monkeypatch.setattr(limen.torch.accumulator, "BLOCK_ELEMENTS", 1000)
        y_true, y_score, names = spoken_tags()
        y_true = np.where(np.random.default_rng(0).random(y_true.shape) < 0.1, np.nan, y_true)
        weight = np.random.default_rng(1).random(len(y_true))
        accumulator = filled(y_true[:600], y_score[:600], size, sample_weight=weight[:600], labels=names)
        assert accumulator.compute() == Curves.from_arrays(
            y_true[:600], y_score[:600], sample_weight=weight[:600], labels=names
        )
        assert accumulator.n_items == 600

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
    def test_tensors(self, dtype):
        problem = smooth_data(0)
        y_score = torch.tensor(problem.y_score).to(dtype).requires_grad_()
        y_true = torch.tensor(problem.y_true).to(dtype)
        y_true[3, 1] = torch.nan
        as_array = y_score.detach().float().numpy() if dtype == torch.bfloat16 else y_score.detach().numpy()
        found = filled(y_true, y_score, 7).compute()
        assert found == Curves.from_arrays(y_true.double().numpy(), as_array)
        assert found.dtype == as_array.dtype

    def test_masks_and_other_kinds_of_labels(self):
        problem = smooth_data(0)
        known = torch.rand(problem.y_true.shape) < 0.7
        whole = Curves.from_arrays(problem.y_true, problem.y_score, mask=known.numpy())
        for y_true in (problem.y_true, torch.tensor(problem.y_true).bool(), torch.tensor(problem.y_true).long()):
            assert filled(y_true, problem.y_score, 8, mask=known).compute() == whole
        tags = [[str(k) for k in np.flatnonzero(row)] for row in problem.y_true]
        plain = Curves.from_arrays(problem.y_true, problem.y_score)
        assert filled(tags, problem.y_score, 8, labels=["0", "1", "2"]).compute() == plain

    def test_a_single_label_in_one_dimension(self):
        accumulator = CurveAccumulator(["dog"])
        accumulator.update(torch.tensor([1, 0]), torch.tensor([0.5, 0.25]))
        assert accumulator.compute() == Curves.from_arrays([1, 0], np.float32([0.5, 0.25]), labels=["dog"])

    def test_a_copy_is_kept(self):
        y_score, y_true = torch.tensor([[0.5], [0.25]]), torch.tensor([[1], [0]])
        accumulator = CurveAccumulator()
        accumulator.update(y_true, y_score, sample_weight=(weight := torch.ones(2).double()))
        before = accumulator.compute()
        for part in (y_score, y_true, weight):
            part.zero_()
        assert accumulator.compute() == before

    def test_an_empty_batch_is_nothing(self):
        accumulator = CurveAccumulator()
        accumulator.update(torch.zeros(0, 3), torch.zeros(0, 3))
        assert accumulator.n_items == 0
        accumulator.update(torch.ones(2, 3), torch.rand(2, 3))
        accumulator.update(torch.zeros(0, 3), torch.zeros(0, 3))
        assert accumulator.n_items == 2

    def test_labels_bits_are_all_that_is_added_to_the_scores(self):
        y_true, y_score, _ = spoken_tags()
        accumulator = filled(y_true, y_score, 512)
        accumulator.compute()
        size = sum(part.nbytes for block in accumulator._blocks for part in block if part is not None)
        assert size == y_score.nbytes + y_true.size // 8


class TestAfterwards:
    @pytest.mark.parametrize("method", ["auto", "exact"])
    def test_every_method_tunes(self, method):
        """The curves know where the scores are."""
        y_true, y_score, names = (part[:400] if len(part) > 16 else part for part in spoken_tags())
        curves = filled(y_true, y_score, 50, labels=names).compute()
        found = limen.tune(curves, method=method, metric="f1", average="macro")
        expected = limen.tune(y_true, y_score, labels=names, method=method, metric="f1", average="macro")
        np.testing.assert_array_equal(found.values, expected.values)
        assert found.expected == expected.expected

    def test_curves_outlive_what_comes_after(self):
        y_true, y_score, _ = spoken_tags()
        accumulator = filled(y_true[:100], y_score[:100], 30)
        curves = accumulator.compute()
        expected = limen.tune(y_true[:100], y_score[:100])
        accumulator.update(y_true[100:], y_score[100:])
        assert accumulator.compute() == Curves.from_arrays(y_true, y_score)
        accumulator.reset()
        assert accumulator.n_items == 0
        np.testing.assert_array_equal(limen.tune(curves).values, expected.values)

    def test_reset_starts_anew(self):
        accumulator = filled(np.eye(2), np.eye(2), 1, labels=["a", "b"])
        accumulator.reset()
        accumulator.update(np.eye(2), np.eye(2, dtype=np.float32))
        assert accumulator.compute() == Curves.from_arrays(np.eye(2), np.eye(2, dtype="f4"), labels=["a", "b"])

    def test_merge_and_pickle(self):
        problem = smooth_data(0)
        first, second = (
            filled(problem.y_true[rows], problem.y_score[rows], 7) for rows in (slice(0, 20), slice(20, None))
        )
        whole = Curves.from_arrays(*problem[:2])
        merged = CurveAccumulator()
        for part in (first, pickle.loads(pickle.dumps(second)), CurveAccumulator()):
            merged.merge(part)
        assert merged.compute() == whole
        assert (first.n_items, second.n_items, merged.n_items) == (20, 40, 60)

    @pytest.mark.parametrize("kind", ["integer", "text"])
    def test_an_item_seen_again_counts_once(self, kind):
        problem = smooth_data(0)
        rows = np.concatenate([np.arange(60), [0, 5, 59, 5]])
        index = torch.tensor(rows) if kind == "integer" else np.array([f"clip {row}.wav" for row in rows])
        accumulator = filled(problem.y_true[rows], problem.y_score[rows], 9, index=index)
        assert accumulator.n_items == 64
        curves = accumulator.compute()
        assert curves == Curves.from_arrays(*problem[:2])
        assert curves.n_items == 60

    def test_what_is_shown(self):
        assert repr(CurveAccumulator()) == "CurveAccumulator(0 items)"
        assert repr(CurveAccumulator(["a", "b"])) == "CurveAccumulator(0 items, 2 labels)"
        assert repr(filled(np.eye(2), np.eye(2), 1)) == "CurveAccumulator(2 items, 2 labels)"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_on_a_gpu():
    y_true, y_score, _ = spoken_tags()
    on_gpu = torch.tensor(y_true).cuda(), torch.tensor(y_score).cuda()
    weight = torch.rand(len(y_true))
    found = filled(*on_gpu, 500, sample_weight=weight.cuda()).compute()
    assert found == Curves.from_arrays(y_true, y_score, sample_weight=weight.numpy())


class TestRefused:
    def test_nothing_added(self):
        for gather in ("curves", "scores", "nothing"):
            with pytest.raises(InputError, match=r"no items were added\. Call update"):
                CurveAccumulator().compute(gather=gather)

    def test_a_text_for_labels(self):
        with pytest.raises(InputError, match="labels is the text 'ab'"):
            CurveAccumulator("ab")

    def test_an_unknown_exchange(self):
        with pytest.raises(InputError, match="gather='all' is unknown"):
            CurveAccumulator().compute(gather="all")

    @pytest.mark.parametrize(
        ("batch", "options", "words"),
        [
            (([[1, 0]], [[np.nan, 0.5]]), {}, "y_score has NaN in 1 of 2 labels (first: 'a', row 2)"),
            (([[0.5, 0]], [[0.5, 0.5]]), {}, "y_true has 0.5 in label 'a', row 2"),
            (([[1]], [[0.5, 0.5]]), {}, "y_true has shape (1, 1), y_score (1, 2)"),
            (([[1, 0, 1]], [[0.5, 0.5, 0.5]]), {}, "labels has 2 names, y_score has 3 columns"),
            (
                ([[1, 0]], np.float32([[0.5, 0.5]])),
                {},
                "this batch has float32 scores, labels 'a', 'b', no weights,",
            ),
            (([[1, 0]], [[0.5, 0.5]]), {"sample_weight": [1.0]}, "weights, no indices; those before have float64"),
            (([[1, 0]], [[0.5, 0.5]]), {"sample_weight": [-1.0]}, "sample_weight has -1.0 in row 0"),
            (([[1, 0]], [[0.5, 0.5]]), {"index": [3]}, "integer indices; those before have float64 scores"),
            (
                ([[1, 0]], [[0.5, 0.5]]),
                {"index": [0.5]},
                "index has dtype float64 and shape (1,). It must be 1 int",
            ),
            (([[1, 0]], [[0.5, 0.5]]), {"index": [1, 2]}, "index has dtype int64 and shape (2,)."),
            (([[1, 0]], [[0.5, 0.5]]), {"mask": torch.ones(1, 2)}, "mask has dtype float32"),
        ],
    )
    def test_a_batch_and_nothing_is_added(self, batch, options, words):
        accumulator = filled(np.eye(2), np.eye(2), 1, labels=["a", "b"])
        with pytest.raises(InputError) as caught:
            accumulator.update(*batch, **options)
        assert words in str(caught.value)
        assert accumulator.compute() == Curves.from_arrays(np.eye(2), np.eye(2), labels=["a", "b"])

    def test_sparse_scores(self):
        sparse = pytest.importorskip("scipy.sparse")
        with pytest.raises(UnsupportedError, match="sparse scores cannot be accumulated"):
            CurveAccumulator().update(np.eye(2), sparse.csr_array(np.eye(2)))

    def test_weights_that_are_all_zero(self):
        accumulator = CurveAccumulator()
        accumulator.update([[1]], [[0.5]], sample_weight=[0.0])
        with pytest.raises(InputError, match="sample_weight is zero for every item"):
            accumulator.compute()
        accumulator.update([[1]], [[0.5]], sample_weight=[2.0])
        assert accumulator.compute().n_positive == [2.0]

    def test_merging_what_does_not_fit(self):
        first = filled(np.eye(2), np.eye(2), 1, labels=["a", "b"])
        for other, words in (
            (filled(np.eye(2), np.eye(2), 1), "labels '0', '1', no weights"),
            (filled(np.eye(2), np.eye(2, dtype="f4"), 1, labels=["a", "b"]), "another float32 scores"),
            (filled(np.eye(2), np.eye(2), 1, labels=["a", "b"], index=np.arange(2)), "integer indices"),
        ):
            with pytest.raises(MergeError, match="All parts need the same labels, dtype and kind") as caught:
                first.merge(other)
            assert words in str(caught.value)
        assert first.n_items == 2
        with pytest.raises(MergeError, match="this accumulator is for the labels 'x', the other for 'a', 'b'"):
            CurveAccumulator(["x"]).merge(first)


class TestKindsOfIndex:
    @pytest.mark.parametrize("lowest", [0, -1])
    def test_signed_and_unsigned_stay_distinct(self, lowest):
        """As float64, 2**53 and 2**53 + 1 would be one item."""
        signed = np.array([2**53, 2**53 + 1, lowest], np.int64)
        unsigned = np.array([2**53 + 2, 2**53 + 3, 2**53, 2**64 - 1], np.uint64)
        one, other = CurveAccumulator(), CurveAccumulator()
        one.update(np.array([[1], [0], [1]]), np.array([[0.9], [0.2], [0.4]]), index=signed)
        other.update(np.array([[1], [0], [1], [0]]), np.array([[0.8], [0.1], [0.9], [0.3]]), index=unsigned)
        one.merge(other)
        both = CurveAccumulator()
        both.update(np.array([[1], [0], [1]]), np.array([[0.9], [0.2], [0.4]]), index=signed)
        both.update(np.array([[1], [0], [1], [0]]), np.array([[0.8], [0.1], [0.9], [0.3]]), index=unsigned)
        rows = np.array([[1], [0], [1], [1], [0], [0]]), np.array([[0.9], [0.2], [0.4], [0.8], [0.1], [0.3]])
        assert one.compute() == both.compute() == Curves.from_arrays(*rows)

    def test_names_as_objects(self):
        pandas = pytest.importorskip("pandas")
        names = ["a", "b", "a"]
        y_true, y_score = np.array([[1], [0], [1]]), np.array([[0.9], [0.2], [0.9]])
        expected = Curves.from_arrays(y_true[:2], y_score[:2])
        for index in (pandas.Series(names), pandas.Series(names, dtype=object), np.array(names, object)):
            accumulator = CurveAccumulator()
            accumulator.update(y_true, y_score, index=index)
            assert accumulator.compute() == expected
        with pytest.raises(InputError, match="index has dtype object"):
            CurveAccumulator().update(y_true, y_score, index=np.array(["a", None, "b"], object))
