"""Dense arrays of every layout, dtype and origin count alike, bit for bit."""

import numpy as np
import pytest

import limen
from limen.curves import Curves
from limen.errors import InputError
from oracle import naive
from strategies import SCORE_DTYPES, Data, data, random_data, recounted, tuned

SEEDS = range(12)


def plain(seed, dtype=np.float64, **options):
    return random_data(seed, n_items=9, n_labels=3, dtype=dtype, **options)


def curves_of(y_true, y_score, sample_weight=None, **options):
    return Curves.from_arrays(y_true, y_score, sample_weight=sample_weight, **options)


def strided(array):
    """The same values, every second element of a larger array in both directions, backwards in one."""
    wide = np.full((2 * array.shape[0], 2 * array.shape[1]), 7, array.dtype)
    wide[::2, ::2] = array[::-1]
    return wide[::2, ::2][::-1]


LAYOUTS = {
    "fortran": np.asfortranarray,
    "strided": strided,
    "list": lambda array: array.tolist(),
    "tuple of rows": lambda array: tuple(map(tuple, array.tolist())),
    "array of a subclass": lambda array: array.view(np.recarray),
    "writable copy": np.array,
    "broadcast": lambda array: np.broadcast_to(array[np.newaxis], (1, *array.shape))[0],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", SEEDS)
def test_layouts(seed, layout):
    problem = plain(seed)
    changed = LAYOUTS[layout]
    for y_true, y_score in (
        (changed(problem.y_true), problem.y_score),
        (problem.y_true, changed(problem.y_score)),
        (changed(problem.y_true), changed(problem.y_score)),
    ):
        assert curves_of(y_true, y_score, problem.sample_weight) == curves_of(*problem)


@pytest.mark.parametrize("dtype", SCORE_DTYPES)
@pytest.mark.parametrize("seed", range(4))
def test_memory_maps(tmp_path, seed, dtype):
    problem = plain(seed, dtype)
    np.save(tmp_path / "truth.npy", problem.y_true)
    np.save(tmp_path / "score.npy", problem.y_score)
    y_true, y_score = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("truth", "score"))
    assert isinstance(y_score, np.memmap)
    assert curves_of(y_true, y_score, problem.sample_weight) == curves_of(*problem)
    t = tuned(problem)
    np.testing.assert_array_equal(t.decide(y_score), t.decide(problem.y_score))


@pytest.mark.parametrize("dtype", SCORE_DTYPES)
def test_scores_of_the_other_byte_order(dtype):
    problem = plain(0, dtype)
    swapped = problem.y_score.astype(problem.y_score.dtype.newbyteorder())
    assert curves_of(problem.y_true, swapped, problem.sample_weight) == curves_of(*problem)
    t = tuned(problem)
    np.testing.assert_array_equal(t.decide(swapped), t.decide(problem.y_score))


@pytest.mark.parametrize("kind", ["?", "u1", "i1", "i8", "u8", "f2", "f4", "f8", "g", ">f8", ">f4", ">i4", ">u2"])
@pytest.mark.parametrize("seed", range(4))
def test_labels_of_every_dtype(seed, kind):
    problem = plain(seed, unknown=False)
    assert curves_of(problem.y_true.astype(kind), *problem[1:]) == curves_of(*problem)


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
@pytest.mark.parametrize("seed", range(4))
def test_unknown_labels_of_every_float_dtype(seed, kind):
    problem = plain(seed, unknown=True)
    assert curves_of(problem.y_true.astype(kind), *problem[1:]) == curves_of(*problem)


@pytest.mark.parametrize("dtype", SCORE_DTYPES)
@pytest.mark.parametrize("seed", SEEDS)
def test_scores_of_every_float_dtype_count_as_the_oracle_does(seed, dtype):
    """Scores that float64 tells apart may be ties in float16: limen counts in the dtype it was given."""
    rng = np.random.default_rng(seed)
    y_score = (0.5 + rng.integers(-3, 4, (9, 2)) * 2.0**-12).astype(dtype)
    problem = data(rng.integers(0, 2, (9, 2)), y_score)
    t = tuned(problem)
    assert t.values.dtype == dtype
    counts = [tuple(label) for label in zip(*(part.tolist() for part in t.counts), strict=True)]
    assert counts == recounted(problem, t.values)
    assert naive.value("f1", "micro", counts) == naive.best("f1", "micro", *problem[:2])[0]


@pytest.mark.parametrize("kind", ["i8", "u1", "?", "i2"])
def test_whole_scores_become_float64(kind):
    y_true, y_score = np.array([[0], [1], [1], [0]]), np.array([[0], [1], [1], [1]])
    t = limen.tune(y_true, y_score.astype(kind), method="exact")
    assert (t.values.dtype, t.values.tolist()) == (np.float64, [0.5])
    assert curves_of(y_true, y_score.astype(kind)) == curves_of(y_true, y_score.astype(float))


@pytest.mark.parametrize("seed", SEEDS)
def test_one_dimension_is_one_label(seed):
    problem = random_data(seed, n_items=7, n_labels=1)
    y_true, y_score = problem.y_true[:, 0], problem.y_score[:, 0]
    assert curves_of(y_true, y_score, problem.sample_weight) == curves_of(*problem)
    t = tuned(Data(y_true, y_score, problem.sample_weight))
    assert t.decide(y_score).shape == (7,)
    np.testing.assert_array_equal(t.decide(y_score), t.decide(problem.y_score)[:, 0])


@pytest.mark.parametrize("seed", SEEDS)
def test_masked_arrays(seed):
    """A masked label is unknown, whatever value lies under the mask."""
    problem = plain(seed, unknown=True)
    hidden = np.isnan(problem.y_true)
    for filler in (0, 1):
        y_true = np.ma.MaskedArray(np.where(hidden, filler, problem.y_true).astype(int), hidden)
        assert curves_of(y_true, *problem[1:]) == curves_of(*problem)
    shown = np.where(hidden, 0, problem.y_true)
    assert curves_of(np.ma.MaskedArray(shown), *problem[1:]) == curves_of(shown, *problem[1:])


def test_a_masked_array_hides_values_that_are_no_labels():
    """This is how numpy makes them: np.ma.masked_equal(y_true, -1) keeps the -1 under the mask."""
    problem = plain(3, unknown=True)
    coded = np.where(np.isnan(problem.y_true), -1, problem.y_true).astype(int)
    assert curves_of(np.ma.masked_equal(coded, -1), *problem[1:]) == curves_of(*problem)


def test_a_mask_hides_values_that_are_no_labels():
    problem = plain(3, unknown=True)
    known = ~np.isnan(problem.y_true)
    coded = np.where(known, problem.y_true, -1).astype(int)
    assert curves_of(coded, *problem[1:], mask=known) == curves_of(*problem)


def test_a_mask_adds_to_nan_and_to_a_masked_array():
    y_true = np.array([[np.nan], [1.0], [0.0], [1.0]])
    known = np.array([[True], [False], [True], [True]])
    expected = curves_of([[np.nan], [np.nan], [0.0], [1.0]], [[1.0], [2], [3], [4]])
    assert curves_of(y_true, [[1.0], [2], [3], [4]], mask=known) == expected
    masked = np.ma.MaskedArray([[0], [1], [0], [1]], [[True], [False], [False], [False]])
    assert curves_of(masked, [[1.0], [2], [3], [4]], mask=known) == expected


def test_masked_scores_are_refused():
    """There is no rule for a score that is missing; the number under the mask is none."""
    y_score = np.ma.MaskedArray([[0.5], [0.25]], [[True], [False]])
    with pytest.raises(InputError):
        curves_of([[1], [0]], y_score)


class Tensor:
    """What limen needs of a torch tensor that may be on another device and part of a graph."""

    def __init__(self, array, steps=("detach", "cpu")):
        self.array, self.steps, self.dtype = array, steps, f"torch.{array.dtype}"

    def _after(self, step):
        assert self.steps[0] == step
        return Tensor(self.array, self.steps[1:])

    def detach(self):
        return self._after("detach")

    def cpu(self):
        return self._after("cpu")

    def numpy(self):
        assert not self.steps, "numpy() of a tensor needs detach() and cpu() first"
        return self.array


def test_what_looks_like_a_tensor():
    problem = plain(0)
    assert curves_of(Tensor(problem.y_true), Tensor(problem.y_score), problem.sample_weight) == curves_of(*problem)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_tensors(dtype):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    problem = plain(0, unknown=False)
    y_score = torch.tensor(problem.y_score).to(getattr(torch, dtype)).requires_grad_()
    as_numpy = y_score.detach().float().numpy() if dtype == "bfloat16" else y_score.detach().numpy()
    y_true = torch.tensor(problem.y_true)
    assert curves_of(y_true, y_score) == curves_of(problem.y_true, as_numpy)
    t = limen.tune(y_true, y_score, method="fixed:0.3")
    assert t.decide(y_score).dtype == bool


class Exchanged:
    """An array of another library, of which nothing is known but the exchange protocol."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


@pytest.mark.parametrize("dtype", SCORE_DTYPES)
def test_arrays_that_speak_dlpack(dtype):
    problem = plain(1, dtype=dtype)
    y_score, y_true = Exchanged(problem.y_score.copy()), Exchanged(problem.y_true.copy())
    assert curves_of(y_true, y_score) == curves_of(*problem[:2])
    t = limen.tune(y_true, y_score, method="fixed:0.3")
    np.testing.assert_array_equal(t.decide(y_score), t.decide(problem.y_score))


def test_curves_are_equal_only_if_all_of_them_is():
    problem = plain(5, weighted=False, unknown=False)
    curves = curves_of(*problem)
    flipped = problem.y_true.copy()
    flipped[0, 0] = 1 - flipped[0, 0]
    assert curves != curves_of(flipped, problem.y_score)
    assert curves != curves_of(problem.y_true, problem.y_score, labels=list("abc"))
    assert curves != curves_of(problem.y_true, problem.y_score.astype(np.float32))
    assert curves != 3
