"""Summaries of data read once: bounds that hold, and a second reading that proves the optimum."""

import contextlib
import json

import numpy as np
import pytest
import scipy.sparse

import limen
from limen import Curves, InputError, curve_files
from limen.binned import keys_of, scores_of
from limen.curve_files import CURVES
from limen.datasets import spoken_tags
from limen.errors import MergeError, UnreadableError, UnsupportedError
from limen.streams import Summary, certified

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*without a positive item:limen.LimenWarning"),
    pytest.mark.filterwarnings("ignore:.*barely beyond 0 to 1:limen.LimenWarning"),
]
OBJECTIVES = [
    ("f1", "micro", 0.0),
    ("f1", "macro", 0.0),
    ("jaccard", "micro", 1.0),
    ("mcc", "micro", 0.0),
    ("mcc", "macro", 1.0),
    ({"name": "fbeta", "beta": 2}, "weighted", 0.0),
    ("balanced_accuracy", "macro", 0.0),
    ("g_mean", "macro", 0.0),
]


def scores(rng, shape, kind):
    logits = rng.normal(-2, 2, shape)
    if kind == "probabilities":
        return (1 / (1 + np.exp(-logits))).astype(np.float32)
    if kind == "half":
        return logits.astype(np.float16)
    if kind == "double":
        return logits
    if kind == "ties":
        return np.round(logits * 2).astype(np.float32) / 2  # with zeros of both signs
    if kind == "tiny":
        return rng.integers(-3, 4, shape).astype(np.float32) * np.float32(1e-45)
    if kind == "near one":
        return (1 - np.exp(-8 + logits) / 1e3).astype(np.float32)
    return np.full(shape, -0.5, np.float32)


KINDS = ["probabilities", "half", "double", "ties", "tiny", "near one", "constant"]


def data(seed, kind="probabilities", shape=(700, 3), unknown=0.0, weighted=False):
    rng = np.random.default_rng(seed)
    y_score = scores(rng, shape, kind)
    rank = y_score.astype(np.float64)
    rank = (rank - rank.mean()) / (rank.std() + 1e-300)
    y_true = (rng.random(shape) < 1 / (1 + np.exp(2 - 1.5 * rank))).astype(np.float32)
    if shape[1] > 2:
        y_true[:, 1] = 0  # a label without positives
    y_true[rng.random(shape) < unknown] = np.nan
    return y_true, y_score, rng.choice([0, 0.1, 1, 2.7], shape[0]) if weighted else None


def cut_up(arrays, ends):
    return [
        tuple(part for part in parts if part is not None)
        for parts in zip(
            *([None] * (len(ends) + 1) if array is None else np.split(array, ends) for array in arrays),
            strict=True,
        )
    ]


def exact_value(arrays, metric, average, zero_division=0.0):
    y_true, y_score, weight = arrays
    return limen.tune(
        y_true,
        y_score,
        sample_weight=weight,
        metric=metric,
        average=average,
        zero_division=zero_division,
        method="exact",
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_bounds_hold_and_a_second_reading_proves_the_optimum(kind, weighted):
    arrays = data(len(kind), kind, unknown=0.1, weighted=weighted)
    blocks = cut_up(arrays, [100, 101, 400])
    summary = Summary.of(iter(blocks), bins=4)
    curves = summary.curves()
    bounded = 0
    for metric, average, zero in OBJECTIVES:
        asked = {"metric": metric, "average": average, "zero_division": zero}
        best = exact_value(arrays, metric, average, zero)
        found = limen.tune(curves, method="exact", **asked)
        slack = 1e-12 if weighted else 0.0
        reached = limen.evaluate(arrays[0], arrays[1], found, sample_weight=arrays[2]).value
        assert found.value <= reached + slack
        assert reached <= best.value + slack
        if found.upper_bound is not None:
            assert best.value <= found.upper_bound + slack
            assert found.status in ("bounded", "optimal")
        bounded += found.status == "bounded"
        proven = limen.tune(certified(summary, blocks, **asked), method="exact", **asked)
        assert (proven.value == best.value) if not weighted else proven.value == pytest.approx(best.value, 1e-12)
        assert proven.status == best.status or weighted
        again = limen.evaluate(arrays[0], arrays[1], proven, sample_weight=arrays[2]).value
        assert again == pytest.approx(best.value, abs=1e-12)
    assert (bounded > 0) == (kind not in ("ties", "tiny", "constant")), "the bins are too fine for this test"


@pytest.mark.parametrize("kind", KINDS)
def test_counts_lie_between_the_bounds(kind):
    y_true, y_score, _ = data(3, kind, (400, 3), unknown=0.2)
    curves = Summary.of([(y_true, y_score)], bins=4).curves()
    least = curves.fp if curves.fp_least is None else curves.fp_least
    for k in range(3):
        own = slice(curves.offsets[k], curves.offsets[k + 1])
        for cut, tp, low, high, beneath in zip(
            *(part[own] for part in (curves.candidates.cuts, curves.tp, least, curves.fp, curves.beneath)),
            strict=True,
        ):
            kept, positive = y_score[:, k].astype(np.float64) >= cut, y_true[:, k] == 1
            assert tp == (kept & positive).sum()
            fp = (kept & (y_true[:, k] == 0)).sum()
            assert low <= fp <= high
            known = y_score[~np.isnan(y_true[:, k]), k].astype(np.float64)
            assert beneath >= known[known < cut].max(initial=-np.inf)
            assert beneath < cut
    assert curves.n_positive.tolist() == (y_true == 1).sum(axis=0).tolist()
    assert curves.n_known.tolist() == (~np.isnan(y_true)).sum(axis=0).tolist()


@pytest.mark.parametrize("kind", ["probabilities", "half", "double", "ties"])
def test_order_and_parts_change_nothing(kind):
    y_true, y_score, _ = data(5, kind, unknown=0.1)
    whole = Summary.of([(y_true, y_score)], bins=8)
    rng = np.random.default_rng(0)
    for trial in range(6):
        order = rng.permutation(len(y_true))
        ends = np.sort(rng.integers(0, len(y_true), 4))
        blocks = [b for b in cut_up((y_true[order], y_score[order], None), ends) if len(b[0])]
        parts = [Summary.of([block], bins=8) for block in blocks]
        while len(parts) > 1:
            a, b = (parts.pop(rng.integers(len(parts))) for _ in range(2))
            parts.append(b | a if trial % 2 else a | b)
        one_by_one = Summary(bins=8)
        for block in blocks:
            one_by_one.add(*block)
            one_by_one.labels  # noqa: B018 - counts what waits
        for other in (parts[0], one_by_one, Summary.of(blocks, bins=8)):
            assert other == whole
            assert other.curves() == whole.curves()
            assert np.array_equal(other.curves().beneath, whole.curves().beneath)


class FewTags(limen.metrics.Metric):
    """Of which no bound is known: it falls with every tag."""

    name = "few_tags"

    def __call__(self, tp, pp, p, n, zero_division=0.0):
        return limen.metrics.ratio(n - pp, n, zero_division)


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_of_a_metric_of_which_nothing_is_known_no_bound_is_told(average):
    y_true, y_score, _ = data(4)
    found = limen.tune(Summary.of([(y_true, y_score)], bins=4), metric=FewTags(), average=average, method="exact")
    assert (found.status, found.upper_bound) == ("local", None)
    assert "a true tag may cost" in found.reason
    exact = Summary.of([(y_true, y_score)], bins=4096)
    assert limen.tune(exact, metric=FewTags(), average="macro", method="exact").status == "optimal"


def test_weights_add_up_in_any_order():
    arrays = data(6, weighted=True)
    whole = Summary.of([arrays], bins=8)
    a, b = (Summary.of([block], bins=8) for block in cut_up(arrays, [300]))
    for united in (a | b, b | a):
        assert np.array_equal(united.curves().candidates.cuts, whole.curves().candidates.cuts)
        np.testing.assert_allclose(united.curves().fp, whole.curves().fp, rtol=1e-12)
    whole_weights = (*arrays[:2], np.arange(len(arrays[0])) % 4.0)
    a, b = (Summary.of([block], bins=8) for block in cut_up(whole_weights, [300]))
    assert (a | b) == (b | a) == Summary.of([whole_weights], bins=8)


def test_few_scores_are_kept_as_they_are():
    y_true, y_score, labels = spoken_tags()
    summary = Summary.of([(y_true, y_score)], labels=labels, bins=4096)
    curves, exact = summary.curves(), Curves.from_arrays(y_true, y_score, labels=labels)
    assert curves.fp_least is None
    assert curves.complete
    places = np.isin(curves.candidates.cuts, exact.candidates.cuts)
    assert places.sum() >= len(exact.tp)
    for average in ("micro", "macro"):
        found = limen.tune(curves, average=average, method="exact")
        whole = limen.tune(exact, average=average, method="exact")
        assert found.status == "optimal"
        assert (found.value, found.values.tolist()) == (whole.value, whole.values.tolist())


def test_zeros_of_both_signs_are_one_and_keys_rise_with_scores():
    for dtype in (np.float32, np.float64):
        rng = np.random.default_rng(0)
        some = rng.normal(0, 1, 1000).astype(dtype) * 10.0 ** rng.integers(-44, 30, 1000).astype(dtype)
        some = np.unique(np.concatenate([some, [0.0, np.finfo(dtype).smallest_subnormal]]).astype(dtype))
        keys = keys_of(some)
        assert (np.diff(keys.astype(object)) > 0).all()
        assert np.array_equal(scores_of(keys), some)
        assert keys_of(np.array([-0.0], dtype)) == keys_of(np.array([0.0], dtype))
    zeros = Summary.of([([[1], [0]], np.array([[-0.0], [0.0]], np.float32))]).curves()
    assert zeros.candidates.cuts.tolist() == [np.inf, 0.0]
    assert (zeros.tp.tolist(), zeros.fp.tolist()) == ([0, 1], [0, 1])


def test_five_rows_one_label():
    y_true, y_score = [0, 1, 0, 1, 0], [0.1, 0.5, 0.4, 0.8, 0.9]
    summary = Summary(["dog"])
    for row in zip(y_true, y_score, strict=True):
        summary.add([row[0]], [row[1]])
    found = limen.tune(summary.curves(), method="exact")
    assert (found.labels, found.status) == (("dog",), "optimal")
    assert found.values.tolist() == limen.tune(y_true, y_score, labels=["dog"], method="exact").values.tolist()


def test_many_labels():
    y_true, y_score, _ = data(7, shape=(40, 5000))
    summary = Summary.of(cut_up((y_true, y_score, None), [13]), bins=4)
    best = exact_value((y_true, y_score, None), "f1", "macro")
    found = limen.tune(summary.curves(), average="macro", method="exact")
    assert found.value <= best.value <= found.upper_bound
    proven = limen.tune(certified(summary, [(y_true, y_score)], average="macro"), average="macro", method="exact")
    assert (proven.status, proven.value) == ("optimal", best.value)


def test_scores_not_stored_are_below_every_cut():
    y_true, y_score, _ = data(8, shape=(300, 5))
    stored = y_score > 0.2
    dense = np.where(stored, y_score, -1).astype(np.float32)
    blocks = [
        (y_true[a : a + 60], scipy.sparse.csr_matrix(np.where(stored, y_score, 0)[a : a + 60]))
        for a in range(0, 300, 60)
    ]
    summary = Summary.of(blocks, bins=4)
    assert summary.curves().n_known.tolist() == [300] * 5
    best = exact_value((y_true, dense, None), "f1", "micro")
    found = limen.tune(summary.curves(), method="exact")
    assert found.value <= best.value <= found.upper_bound
    proven = limen.tune(certified(summary, blocks), method="exact")
    assert (proven.status, proven.value) == ("optimal", best.value)


def test_twice_the_bins_are_at_least_as_tight_and_the_doubt_is_small():
    rng = np.random.default_rng(1)
    y_true = rng.random((60_000, 2)) < [0.02, 0.3]
    y_score = rng.normal(np.where(y_true, 1.2, 0), 1).astype(np.float32)
    widths = []
    for bins in (8, 32, 128):
        summary = Summary.of([(y_true, y_score)], bins=bins)
        found = limen.tune(summary.curves(), method="exact")
        assert summary.nbytes < 2 * 2 * 33 * bins * 16
        widths.append(found.upper_bound - found.value)
        curves = summary.curves()
        doubt = (curves.fp - curves.fp_least) / np.maximum(curves.fp, 1)
        assert doubt[curves.fp >= 2 * bins].max() <= 6 / bins
    assert widths[0] > widths[1] > widths[2]
    assert widths[1] < 0.02


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_regularised_methods_are_as_good_as_on_scores(average):
    y_true, y_score, labels = spoken_tags()
    gaps = []
    for draw in range(3):
        order = np.random.default_rng(draw).permutation(len(y_true))
        tune, test = order[:2000], order[2000:]
        summary = Summary.of([(y_true[tune], y_score[tune])], labels=labels)
        on_bins = limen.tune(summary.curves(), average=average)
        on_scores = limen.tune(y_true[tune], y_score[tune], labels=labels, average=average)
        values = [limen.evaluate(y_true[test], y_score[test], t).value for t in (on_bins, on_scores)]
        gaps.append(values[0] - values[1])
        assert on_bins.method == "auto"
    assert np.mean(gaps) > -0.003


def test_curves_with_bounds_of_bins_are_kept_and_not_taken_for_more(tmp_path):
    y_true, y_score, _ = data(9)
    summary = Summary.of([(y_true, y_score)], bins=4)
    curves = summary.curves()
    assert not curves.complete
    assert curves.covered
    curves.save(tmp_path / "a.curves")
    found = Curves.load(tmp_path / "a.curves")
    assert found == curves
    assert found.covered
    assert limen.tune(found, method="exact").status == "bounded"
    both = curves + found
    assert both.covered
    assert limen.tune(both, method="exact").upper_bound == limen.tune(curves, method="exact").upper_bound
    other = Summary.of([(y_true, y_score + np.float32(0.01))], bins=4).curves()
    with pytest.raises(MergeError, match="not every positive score is a candidate"):
        curves + other
    some = curves.at(np.isinf(curves.candidates.cuts) | (np.arange(len(curves.tp)) % 2 == 0))
    assert limen.tune(some, method="exact").status == "local"


def test_a_file_holds_all(tmp_path):
    for kind, weighted in [("half", False), ("double", True), ("ties", False), ("probabilities", True)]:
        arrays = data(10, kind, weighted=weighted, unknown=0.1)
        summary = Summary.of([arrays if weighted else arrays[:2]], labels=["Hund, «1»", "b", "c"], bins=4)
        summary.save(tmp_path / "a.summary")
        found = Summary.load(tmp_path / "a.summary")
        assert found == summary
        assert found.curves() == summary.curves()
        assert found.labels == summary.labels
        more = data(11, kind, weighted=weighted)
        block = Summary.of([more if weighted else more[:2]], labels=["Hund, «1»", "b", "c"], bins=4)
        assert (found | block) == (summary | block)
    empty = Summary.of([([[np.nan]], [[0.5]])])
    empty.save(tmp_path / "empty.summary")
    assert Summary.load(tmp_path / "empty.summary") == empty


def test_damage_is_told(tmp_path):
    path = tmp_path / "a.summary"
    y_true, y_score, _ = data(2)
    Summary.of([(y_true, y_score)], bins=4).save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for trial in range(60):
        bad = bytearray(whole)
        if trial % 3 == 0:
            bad = bad[: rng.integers(len(bad))]
        else:
            bad[rng.integers(len(bad))] ^= 1 << rng.integers(8)
        if bytes(bad) == whole:
            continue
        path.write_bytes(bytes(bad))
        with contextlib.suppress(UnreadableError, InputError):
            assert Summary.load(path) == Summary.of([(y_true, y_score)], bins=4)
    Curves.from_arrays(y_true, y_score).save(path)
    with pytest.raises(InputError, match="is no file of a summary of data read once"):
        Summary.load(path)
    path.write_bytes(whole)
    with pytest.raises(InputError, match=f"is no file of {CURVES.holds}"):
        Curves.load(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bins": 2}, "more bins than 2 of each fineness"),
        ({"bins": 5}, "not of one bin|overlap"),
        ({"n_items": 3}, "fewer than are counted"),
        ({"n_positive": 0}, "more items than their label has"),
        ({"positive": 0}, "no bin|count items"),
        ({"highest_negative": 50}, "not of one bin|overlap"),
    ],
)
def test_files_that_contradict_themselves_are_refused(tmp_path, change, said):
    y_true, y_score, _ = data(2)
    path = tmp_path / "a.summary"
    Summary.of([(y_true, y_score)], bins=4).save(path)
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    header = json.loads(arrays.pop("header").tobytes())
    for key, value in change.items():
        if key in header:
            header[key] = value
        else:
            some = np.flatnonzero(np.isfinite(arrays[key]) & (arrays[key] > 0))
            arrays[key][some[: 1 if key != "n_positive" else None]] = value
    header["digest"] = curve_files.digest_of(header, arrays)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with path.open("wb") as file:
        np.savez(file, **arrays)
    with pytest.raises(InputError, match=f"was altered: .*({said})"):
        Summary.load(path)


def test_what_is_refused():
    for bins in (3, 1.5, True):
        with pytest.raises(InputError, match="must be a whole number from 4"):
            Summary(bins=bins)
    with pytest.raises(InputError, match="has no items"):
        Summary().curves()
    with pytest.raises(InputError, match="has no items"):
        Summary.of(iter([]))
    with pytest.raises(InputError, match="Each chunk must be"):
        Summary.of(np.zeros((3, 2)))
    y_true, y_score, _ = data(1)
    summary = Summary.of([(y_true, y_score)])
    before = summary.curves()
    with pytest.raises(InputError, match="All blocks need one dtype"):
        summary.add(y_true, y_score.astype(np.float64))
    with pytest.raises(InputError, match="and the same parts"):
        summary.add(y_true, y_score, np.ones(len(y_true)))
    with pytest.raises(InputError, match="labels has 3 names, y_score has 2 columns"):
        summary.add(y_true[:, :2], y_score[:, :2])
    y_score[3, 1] = np.nan
    with pytest.raises(InputError, match=r"NaN in 1 of 3 labels \(first: '1', row 703\)"):
        summary.add(y_true, y_score)
    wide = np.zeros((400_000, 3), np.float32)
    wide[399_999, 2] = np.inf
    with pytest.raises(InputError, match=r"an infinite value in 1 of 3 labels \(first: '2', row 400699\)"):
        summary.add(np.zeros(wide.shape, np.int8), wide)
    assert summary.curves() == before
    with pytest.raises(MergeError, match="3 labels of float32 scores in 256 bins a fineness against"):
        summary | Summary.of([(y_true, np.zeros_like(y_score))], bins=8)
    with pytest.raises(InputError, match="zero for every item"):
        Summary.of([(y_true, np.zeros_like(y_score), np.zeros(len(y_true)))]).curves()
    assert repr(Summary()) == "Summary(no items)"
    assert summary != 3


def test_a_second_reading_of_other_data_is_refused():
    y_true, y_score, _ = data(1)
    summary = Summary.of([(y_true, y_score)], bins=4)
    assert limen.tune(summary.curves(), method="exact").status == "bounded"
    with pytest.raises(InputError, match="the blocks have 600 items, the summary 700 items"):
        certified(summary, [(y_true[:600], y_score[:600])])
    with pytest.raises(InputError, match="the chunks are not the data of the summary"):
        certified(summary, [(y_true, y_score[::-1])])
    with pytest.raises(InputError, match="a block has float64 scores"):
        certified(summary, [(y_true, y_score.astype(np.float64))])
    once = certified(summary, iter([(y_true, y_score)]))
    assert limen.tune(once, method="exact").status == "optimal"
    assert limen.tune(certified(summary, lambda: iter([(y_true, y_score)])), method="exact").status == "optimal"


def test_blocks_are_not_kept_nor_changed():
    y_true, y_score, _ = data(12)
    summary, kept = Summary(bins=8), (y_true.copy(), y_score.copy())
    summary.add(y_true, y_score)
    assert np.array_equal(y_true, kept[0], equal_nan=True)
    assert np.array_equal(y_score, kept[1])
    y_score[:], y_true[:] = 0, 0
    assert summary == Summary.of([kept], bins=8)


def test_what_can_be_read_once_is_sent_here():
    with pytest.raises(InputError, match=r"limen\.streams\.Summary, which reads once"):
        Curves.from_chunks(iter([([[1]], [[0.5]])]))


def test_tune_reads_an_iterator_once():
    y_true, y_score, labels = spoken_tags()
    summary = Summary.of([(y_true, y_score)], labels=labels)

    def blocks():
        for start in range(0, 4000, 300):
            yield y_true[start : start + 300], y_score[start : start + 300]

    for method in ("exact", "auto"):
        found, same = limen.tune(blocks(), labels=labels, method=method), limen.tune(summary, method=method)
        assert found.values.tolist() == same.values.tolist()
        assert (found.labels, found.n_items) == (labels, 4000)
        assert found.upper_bound >= limen.tune(y_true, y_score, method="exact").value
    for given in ({"labels": labels}, {"sample_weight": np.ones(4000)}):
        with pytest.raises(InputError, match="Give them alone"):
            limen.tune(summary, **given)


def test_thresholds_are_judged_between_bounds():
    y_true, y_score, _ = data(13, shape=(3000, 4))
    y_true[:, 0] = y_score[:, 0] > np.sort(y_score[:, 0])[-9]  # fewer positives than bins
    for k in (2, 3):
        y_true[:, k] *= np.random.default_rng(k).random(3000) < 0.02
    curves = Summary.of([(y_true, y_score)], bins=32).curves()
    assert curves.complete
    assert curves.fp_least is not None
    for cut in (0.05, 0.2, 0.5, 0.9):
        values = np.full(4, cut, np.float32)
        tags, kept = curves.tags_at(values), y_score >= values
        assert np.array_equal(tags.tp, (kept & (y_true == 1)).sum(axis=0))
        fp = (kept & (y_true == 0)).sum(axis=0)
        assert (tags.fp_least <= fp).all()
        assert (fp <= tags.fp).all()
    with pytest.raises(UnsupportedError, match="not all the positive scores"):
        limen.evaluate(Summary.of([data(13)[:2]], bins=4).curves(), None, 0.5)
