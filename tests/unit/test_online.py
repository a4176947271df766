"""`limen.online.Accumulator` against counting the items that count from scratch."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import limen
from limen.curves import Curves
from limen.errors import InputError, LimenWarning, MergeError, UnreadableError, UnsupportedError
from limen.online import Accumulator


def stream(n=1000, n_labels=5, seed=0, dtype=np.float32):
    draw = np.random.default_rng(seed)
    s = draw.random((n, n_labels)).round(2).astype(dtype)  # ties
    y = (draw.random((n, n_labels)) < s).astype(float)
    y[draw.random(y.shape) < 0.05] = np.nan
    return y, s


def fed(one, y, s, step=33, **others):
    for k in range(0, len(y), step):
        part = slice(k, k + step)
        one.update(y[part], s[part], **{name: value[part] for name, value in others.items()})
    return one


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_last_items_are_counted_as_from_scratch_after_each_batch(dtype):
    y, s = stream(400, dtype=dtype)
    one = Accumulator(window=57)
    for k in range(0, 400, 23):
        one.update(y[k : k + 23], s[k : k + 23])
        end = min(k + 23, 400)
        start = max(0, end - 57)
        assert one.curves() == Curves.from_arrays(y[start:end], s[start:end])
        assert one.n_items == end - start
    assert one.n_seen == 400
    assert sum(len(block.scores) for block in one._blocks) <= 57 * 1.125 + 23


def test_a_span_of_time_in_any_order():
    y, s = stream()
    time = np.random.default_rng(1).permutation(1000) // 3 / 2.0  # ties, and late items
    one = fed(Accumulator(span=20.0), y, s, time=time)
    order = np.argsort(time, kind="stable")
    order = order[time[order] > time.max() - 20.0]
    assert one.curves() == Curves.from_arrays(y[order], s[order])
    dates = np.datetime64("2026-03-01") + (time * 2).astype(int)
    by_date = fed(Accumulator(span=40 * 86400.0), y, s, time=dates)
    assert by_date.curves() == one.curves()


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_half_lives_are_weights_and_what_is_forgotten_weighs_nothing(timed, weighted):
    y, s = stream(2000)
    own = np.random.default_rng(2).random(2000) if weighted else np.ones(2000)
    given = {"sample_weight": own} if weighted else {}
    time = np.arange(2000) / 4.0
    one = fed(Accumulator(half_life=10.0 if timed else 40), y, s, **given, **({"time": time} if timed else {}))
    weight = own * 0.5 ** (np.arange(1999, -1, -1.0) / 40)
    n = one.n_items
    assert one.curves() == Curves.from_arrays(y[-n:], s[-n:], sample_weight=weight[-n:])
    assert weight[:-n].sum() <= 2e-4 * weight.sum()
    assert n <= 14 * 40


def test_thresholds_follow_a_stream_that_drifts():
    """Scores fall half way; thresholds of the last items follow, those of all do not."""
    y, s = stream(4000, dtype=np.float64)
    y = np.nan_to_num(y)
    s[2000:] = s[2000:] ** 3
    one = fed(Accumulator(window=800), y[:3500], s[:3500], step=250)
    now = limen.tune(one.curves())
    assert now.method == "auto"
    ever = limen.tune(y[:3500], s[:3500])
    new = y[3500:], s[3500:]
    assert limen.evaluate(*new, now).value > limen.evaluate(*new, ever).value + 0.01
    assert limen.evaluate(one.data(), None, now).n_items == 800


def test_weighted_curves_tune_and_say_why_not_once_their_data_are_gone(tmp_path):
    one = fed(Accumulator(half_life=100), *stream(600))
    assert limen.tune(one.curves()).expected is not None  # the scores are at hand
    one.curves().save(tmp_path / "stream.curves")
    alone = Curves.load(tmp_path / "stream.curves")
    assert limen.tune(alone, method="exact").status == "optimal"
    with pytest.raises(UnsupportedError, match="these curves count weights and have no data"):
        limen.tune(alone)


def test_merging_is_by_time_or_one_after_the_other():
    y, s = stream()
    time = np.random.default_rng(3).permutation(1000).astype(float)
    for given in ({"window": 130}, {"span": 130.0}, {"half_life": 20.0}):
        parts = [fed(Accumulator(**given), y[k::3], s[k::3], time=time[k::3]) for k in range(3)]
        whole = parts[0]
        for part in parts[1:]:
            whole.merge(part)
        assert whole.n_seen == 1000
        assert whole.curves() == fed(Accumulator(**given), y, s, time=time).curves()
    one, other = fed(Accumulator(window=50), y[:80], s[:80]), fed(Accumulator(window=50), y[80:120], s[80:120])
    one.merge(other)
    assert one.curves() == Curves.from_arrays(y[70:120], s[70:120])
    one.merge(Accumulator(window=50))
    assert one.n_items == 50
    empty = Accumulator(window=50)
    empty.merge(one)
    assert empty.curves() == one.curves()
    for wrong in (
        fed(Accumulator(window=51), y, s),
        fed(Accumulator(window=50), y[:, :2], s[:, :2]),
        fed(Accumulator(window=50), y, s.astype(np.float64)),
        fed(Accumulator(window=50), y, s, time=time),
    ):
        with pytest.raises(MergeError, match="All parts need the same labels, dtype and settings"):
            one.merge(wrong)
    with pytest.raises(MergeError, match="All parts need"):
        Accumulator(labels=list("vwxyz"), window=50).merge(one)


@pytest.mark.parametrize("given", [{"window": 90}, {"span": 9.0}, {"half_life": 30.0}])
def test_pickled_and_saved_it_goes_on(given, tmp_path):
    y, s = stream(500)
    time, weight = np.arange(500) / 10, np.linspace(1, 2, 500)
    one = fed(Accumulator(list("abcde"), **given), y[:300], s[:300], time=time[:300], sample_weight=weight[:300])
    one.save(tmp_path / "stream.npz")
    others = [Accumulator.load(tmp_path / "stream.npz"), pickle.loads(pickle.dumps(one))]
    for each in (one, *others):
        fed(each, y[300:], s[300:], time=time[300:], sample_weight=weight[300:])
    for other in others:
        assert other.curves() == one.curves()
        assert repr(other) == repr(one)
    content = (tmp_path / "stream.npz").read_bytes()
    for bad in (content[:-40], b"nothing", content[:1000] + b"\0" * 50 + content[1050:]):
        (tmp_path / "bad.npz").write_bytes(bad)
        with pytest.raises(UnreadableError, match=r"bad\.npz cannot be read as a file of an accumulator"):
            Accumulator.load(tmp_path / "bad.npz")
    np.savez(tmp_path / "other.npz", scores=s)
    with pytest.raises(UnreadableError, match="cannot be read as a file of an accumulator"):
        Accumulator.load(tmp_path / "other.npz")
    with pytest.raises(UnreadableError, match=r"cannot read .*none\.npz: No such file"):
        Accumulator.load(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "nothing says what counts. Give one of window, span and half_life"),
        ({"window": 5, "span": 1.0}, "window, span says what counts"),
        ({"window": 0}, "window=0 is not usable. It must be a whole number from 1"),
        ({"window": 2.5}, "window=2.5 is not usable"),
        ({"span": -1.0}, "span=-1.0 is not usable. It must be a number above 0"),
        ({"half_life": np.inf}, "half_life=inf is not usable"),
        ({"labels": "ab", "window": 5}, "labels is the text 'ab'"),
    ],
)
def test_settings_that_cannot_be_are_refused(given, said):
    with pytest.raises(InputError, match=said):
        Accumulator(**given)


def test_batches_that_cannot_be_are_refused_and_nothing_is_added():
    y, s = stream(50)
    one = fed(Accumulator(window=20), y, s)
    before = one.curves()
    bad = s[:5].copy()
    bad[1, 2] = np.nan
    for batch, said in (
        ((y[:5], bad), r"NaN in 1 of 5 labels .first: '2', row 51"),
        ((y[:5], s[:5].astype(float)), "this batch has float64 scores"),
        ((y[:5, :2], s[:5, :2]), "labels has 5 names, y_score has 2 columns"),
    ):
        with pytest.raises(InputError, match=said):
            one.update(*batch)
    with pytest.raises(InputError, match="weights"):
        one.update(y[:5], s[:5], sample_weight=np.ones(5))
    with pytest.raises(InputError, match=r"time has shape \(3,\) for 5 items"):
        one.update(y[:5], s[:5], time=[1, 2, 3])
    with pytest.raises(InputError, match=r"time has dtype <U1"):
        one.update(y[:5], s[:5], time=list("abcde"))
    with pytest.raises(InputError, match="span needs the time of each item"):
        Accumulator(span=1.0).update(y, s)
    from scipy.sparse import csr_array

    with pytest.raises(UnsupportedError, match="sparse scores cannot be accumulated"):
        one.update(y[:5], csr_array(s[:5]))
    assert one.curves() == before
    one.update(y[:0], s[:0])
    assert one.curves() == before


def test_odd_streams():
    with pytest.raises(InputError, match="no items were added"):
        Accumulator(window=5).curves()
    one = fed(Accumulator(window=3), np.array([[1.0], [0], [1], [0], [1]]), np.full((5, 1), 0.5), step=1)
    assert one.curves() == Curves.from_arrays([[1], [0], [1]], np.full((3, 1), 0.5))
    nothing = fed(Accumulator(window=3), np.zeros((5, 2)), np.full((5, 2), 0.5))
    with pytest.warns(LimenWarning, match="without a positive"):
        assert (limen.tune(nothing.curves(), method="exact").values == np.inf).all()
    silent = fed(Accumulator(window=3), *stream(9), sample_weight=np.zeros(9))
    with pytest.raises(InputError, match="sample_weight is zero for every item that counts"):
        silent.curves()
    many = fed(Accumulator(window=500), *stream(700, 1), step=1)  # single items are joined to blocks
    assert len(many._blocks) <= 64
    assert repr(many) == (
        "Accumulator(window=500, float32 scores, labels '0', no weights, no times; 500 items of 700)"
    )
