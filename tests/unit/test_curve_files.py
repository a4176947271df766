"""Curves that last: files, merging with bounds, parts counted one by one, on the command line too."""

import json
import pickle
import zipfile
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import limen
from limen import Curves, curve_files
from limen.curves import merged
from limen.errors import MergeError, UnsupportedError
from limen.shards import Cuts, count_shard, merge_files
from shell import run
from strategies import smooth_data

NAMES = ("tp", "fp", "beneath", "n_positive", "n_known")


def random(seed, n_items=None, decimals=None, weighted=False):
    """Return labels, scores (many ties), and weights or None."""
    rng = np.random.default_rng(seed)
    n_items = n_items or int(rng.integers(4, 60))
    shape = (n_items, int(rng.integers(1, 5)))
    y_score = np.round(rng.random(shape), decimals or int(rng.integers(1, 4)))
    y_true = (rng.random(shape) < 0.7 * y_score).astype(np.int8)
    y_true[0] = 1  # no label without a positive: what is said of these has tests of its own
    return y_true, y_score, rng.integers(1, 4, n_items) / 4 if weighted else None


def alone(curves):
    return pickle.loads(pickle.dumps(curves))


def cut_up(problem, number):
    rows = np.array_split(np.arange(len(problem[0])), number)
    return [tuple(None if part is None else part[some] for part in problem) for some in rows]


def curves_of(part):
    return Curves.from_arrays(part[0], part[1], sample_weight=part[2])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_file_holds_all(tmp_path, dtype, weighted):
    y_true, y_score, weight = random(1, weighted=weighted)
    names = [f"Hund, «{k}»" for k in range(y_true.shape[1])]
    curves = Curves.from_arrays(y_true, y_score.astype(dtype), labels=names, sample_weight=weight)
    curves.save(tmp_path / "a.curves")
    found = Curves.load(tmp_path / "a.curves")
    assert found == curves
    assert (found.labels, found.dtype, found.n_items, found.complete) == (tuple(names), dtype, len(y_true), True)
    assert found.digest() == curves.digest()
    for name in NAMES:
        assert getattr(found, name).dtype == getattr(curves, name).dtype
    first = (tmp_path / "a.curves").read_bytes()
    curves.save(tmp_path / "a.curves")
    assert (tmp_path / "a.curves").read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["a.curves"]
    exact = limen.tune(found, method="exact")
    assert exact.status == "optimal"
    whole = limen.tune(y_true, y_score.astype(dtype), labels=names, sample_weight=weight, method="exact")
    assert np.array_equal(exact.values, whole.values)


def test_damage_is_told(tmp_path):
    path = tmp_path / "a.curves"
    curves_of(random(2)).save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    told = 0
    for trial in range(150):
        bad = bytearray(whole)
        if trial % 3 == 0:
            bad = bad[: rng.integers(len(bad))]
        else:
            for _ in range(trial % 4 + 1):
                bad[rng.integers(len(bad))] ^= 1 << rng.integers(8)
        path.write_bytes(bad)
        try:
            found = Curves.load(path)
        except limen.InputError as error:
            told += str(path) in str(error)
        else:  # a byte of the archive that says nothing, such as a date
            path.write_bytes(whole)
            assert found == Curves.load(path)
    assert told > 100
    path.write_bytes(b"")
    with pytest.raises(limen.InputError, match="is no file of curves"):
        Curves.load(path)
    with pytest.raises(limen.InputError, match="cannot read"):
        Curves.load(tmp_path / "none.curves")


def altered(path, change, *, signed=True):
    """Write a file of curves anew, with a change to its header and arrays, and the digest of the change."""
    with np.load(path) as stored:
        arrays = dict(stored)
    header = json.loads(arrays["header"].tobytes())
    del arrays["header"]
    change(header, arrays)
    if signed:
        header["digest"] = curve_files.digest_of(header, arrays)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with path.open("wb") as file:
        np.savez(file, **arrays)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h, a: h.update(version=9), "is of version 9; this limen knows 1. Upgrade"),
        (lambda h, a: h.update(schema="else"), "is no file of curves"),
        (lambda h, a: h.update(n_items=1), "it says 1 item, fewer than are counted"),
        (lambda h, a: h.update(n_items="many"), "n_items is 'many'"),
        (lambda h, a: h.update(labels=["x"] * len(h["labels"])), "'x'"),
        (lambda h, a: h.pop("complete"), "complete"),
        (lambda h, a: a.pop("fp"), "it has the arrays"),
        (lambda h, a: a.update(tp=a["tp"].astype(np.int32)), "counts of int32"),
        (lambda h, a: a.update(tp=a["tp"][:-1]), "tp is int64 of shape"),
        (lambda h, a: a.update(tp=a["tp"][::-1].copy()), "tp is not from 0"),
        (lambda h, a: a.update(fp=a["fp"] + 1), "fp is not from 0"),
        (lambda h, a: a.update(cuts=a["cuts"][::-1].copy()), "begin with never"),
        (lambda h, a: a["cuts"].__setitem__(1, -9), "cuts do not fall"),
        (lambda h, a: a["beneath"].__setitem__(0, np.nan), "is not below it"),
        (lambda h, a: a["beneath"].fill(-np.inf), "lower than the items counted there"),
        (lambda h, a: a["sizes"].__setitem__(0, 1), "candidates, and there are"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path, change, words):
    path = tmp_path / "a.curves"
    curves_of((*random(3, 40)[:2], None)).save(path)
    altered(path, change)
    with pytest.raises(limen.InputError, match=words):
        Curves.load(path)


def test_what_does_not_contradict_itself_is_refused_as_well(tmp_path):
    path, other = tmp_path / "a.curves", tmp_path / "b.curves"
    curves_of((*random(3, 40)[:2], None)).save(path)
    curves_of((*random(3, 40)[:2], None)).save(other)
    altered(path, lambda _, arrays: None, signed=False)
    assert Curves.load(path) == Curves.load(other)
    altered(path, lambda header, _: header.update(n_items=header["n_items"] + 1), signed=False)
    with pytest.raises(limen.InputError, match=r"a\.curves was altered: its digest"):
        Curves.load(path)
    altered(other, lambda header, _: header["labels"].reverse(), signed=False)
    with pytest.raises(limen.InputError, match=r"b\.curves was altered: its digest"):
        Curves.load(other)


def test_nothing_is_unpickled(tmp_path):
    path = tmp_path / "a.curves"
    curves_of(random(2)).save(path)
    with zipfile.ZipFile(path, "a") as archive, archive.open("evil.npy", "w") as member:
        np.lib.format.write_array(member, np.array([print], object), allow_pickle=True)
    with pytest.raises(limen.InputError, match="cannot be read as a file of curves"):
        Curves.load(path)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_merging_without_data_brackets_the_truth(seed, weighted):
    problem = random(seed, weighted=weighted)
    whole = curves_of(problem)
    parts = [alone(curves_of(part)) for part in cut_up(problem, 3)]
    for found in (merged(parts), parts[0] + (parts[1] + parts[2]), parts[2] + parts[0] + parts[1]):
        assert found.candidates == whole.candidates
        assert np.allclose(found.tp, whole.tp, rtol=1e-12)
        assert (found.optimistic.fp <= whole.fp + 1e-9).all()
        assert (found.fp >= whole.fp - 1e-9).all()
        assert (found.beneath >= whole.beneath).all()
        best = limen.tune(whole, method="exact")
        for average in ("micro", "macro"):
            best = limen.tune(whole, method="exact", average=average)
            t = limen.tune(found, method="exact", average=average)
            real = limen.evaluate(*problem[:2], t, sample_weight=problem[2], metric="f1", average=average).value
            assert t.value <= real + 1e-9
            assert real <= best.value + 1e-9
            assert best.value <= t.upper_bound + 1e-9
            assert t.status == ("optimal" if t.value >= t.upper_bound else "bounded")


def test_bounds_are_told_apart_and_last(tmp_path):
    problem = random(5, 200, 3)
    parts = [alone(curves_of(part)) for part in cut_up(problem, 4)]
    found = merged(parts)
    assert (found.fp > found.optimistic.fp).any()
    found.save(tmp_path / "a.curves")
    assert Curves.load(tmp_path / "a.curves") == found
    assert Curves.load(tmp_path / "a.curves") != found.optimistic
    assert found.digest() != found.optimistic.digest()
    t = limen.tune(found, method="exact")
    assert t.status == "bounded"
    assert "between bounds only" in t.reason
    assert "is possible" in t.summary()
    with pytest.raises(UnsupportedError, match="constraints need exact counts"):
        limen.tune(found, method="exact", constraints=[limen.constraints.MinPrecision(0.5)])
    auto = limen.tune(found)
    assert auto.status == "local"
    assert auto.upper_bound == t.upper_bound
    assert auto.value <= t.upper_bound


@pytest.mark.parametrize("seed", range(8))
def test_parts_counted_at_the_cuts_of_all_are_the_whole(seed, tmp_path):
    problem = random(seed, 60)
    parts = [limen.data.as_data(*part[:2]) for part in cut_up(problem, 3)]
    for number, part in enumerate(parts):
        Cuts.of(part).save(tmp_path / f"{number}.candidates")
    names = sorted(tmp_path.glob("*.candidates"))
    cuts = merge_files(names[::-1])
    assert cuts.candidates == merge_files(names).candidates
    whole = count_shard(limen.data.as_data(*problem[:2]))
    for number, part in enumerate(parts):
        count_shard(part, cuts).save(tmp_path / f"{number}.curves")
    found = merge_files([tmp_path / f"{k}.curves" for k in (2, 0, 1)])
    assert found == whole
    assert found.digest() == whole.digest()
    assert found.complete
    exact = limen.tune(*problem[:2], method="exact")
    assert np.array_equal(limen.tune(found, method="exact").values, exact.values)
    assert np.array_equal(limen.tune(found).values, limen.tune(alone(whole)).values)
    outside = limen.data.as_data([[1] * problem[0].shape[1]], [[0.987654] * problem[0].shape[1]])
    with pytest.raises(limen.InputError, match="the candidates lack positive scores of these data"):
        count_shard(outside, cuts)


def test_auto_on_counts_does_what_it_does_on_scores():
    problem = smooth_data(0, 400)[:2]
    half = len(problem[0]) // 2
    tuning, new = ([part[some] for part in problem] for some in (slice(half), slice(half, None)))
    whole = limen.tune(*tuning)
    counts = limen.tune(alone(Curves.from_arrays(*tuning)))
    assert counts.method == "auto"
    assert counts.expected is None
    assert counts.expected_reason == "the curves hold no folds"
    folds = limen.tune(alone(count_shard(limen.data.as_data(*tuning))))
    at = [limen.evaluate(*new, t, metric="f1").value for t in (whole, counts, folds)]
    assert max(at) - min(at) < 0.01
    assert limen.evaluate(*tuning, counts, metric="f1").value == counts.value
    assert folds.half == whole.half
    np.testing.assert_allclose(folds.gains[0], limen.evaluate(*tuning, folds, metric="f1").gains[0], atol=1e-12)
    assert folds.expected.value == pytest.approx(whole.expected.value, abs=0.02)
    widths = [t.expected.high - t.expected.low for t in (folds, whole)]
    assert 0.5 < widths[0] / widths[1] < 2
    assert folds.expected_gain.value == pytest.approx(whole.expected_gain.value, abs=0.02)


class Elsewhere:
    """Data that an engine holds: they can be counted, not read."""

    def __init__(self, source):
        self.source = source
        self.labels, self.dtype = source.labels, source.dtype
        self.n_items, self.weighted = source.n_items, source.weighted

    def counts(self, candidates):
        return self.source.counts(candidates)

    def candidates(self):
        return self.source.candidates()

    def totals(self, before=None):
        return self.source.totals(before)


@pytest.mark.parametrize(("n_items", "n_labels"), [(5, 1), (60, 3), (130, 1), (2000, 12)])
@pytest.mark.parametrize("options", [{}, {"average": "macro"}, {"method": "smoothed"}, {"method": "bagged"}])
@pytest.mark.parametrize("grouped", [False, True])
def test_counted_elsewhere_in_parts_all_is_as_at_hand(n_items, n_labels, options, grouped):
    rng = np.random.default_rng(n_items)
    y_true = (rng.random((n_items, n_labels)) < 0.2).astype(np.int8)
    y_true[0] = 1
    y_score = np.clip(0.3 * y_true + 0.7 * rng.random(y_true.shape), 0, 1).astype(np.float32)
    groups = np.array([f"clip {k}" for k in rng.integers(0, 3 + n_items // 4, n_items)]) if grouped else None
    here = limen.tune(y_true, y_score, groups=groups, **options)
    parts = []
    for rows in np.array_split(rng.permutation(n_items), 4):
        given = {} if groups is None else {"groups": groups[np.sort(rows)]}
        rows = np.sort(rows)
        parts.append(limen.data.as_data(y_true[rows], y_score[rows], part=True, **given))
    cuts = Cuts.of(parts[0])
    for part in parts[1:]:
        cuts = cuts | Cuts.of(part)
    curves = merged([alone(count_shard(part, cuts)) for part in parts[::-1]])
    curves = replace(curves, sources=(Elsewhere(limen.data.as_data(y_true, y_score).source),))
    there = limen.tune(curves, **options)
    assert np.array_equal(there.values, here.values)
    assert (there.value, there.half, there.digest, there.scale) == (here.value, here.half, here.digest, here.scale)
    assert all(map(np.array_equal, there.counts, here.counts))
    assert (there.expected is None) == (options.get("method") is not None)


def test_folds_last_and_are_checked(tmp_path):
    problem = random(5, 200, 9)
    parts = [limen.data.as_data(*part[:2]) for part in cut_up(problem, 3)]
    cuts = Cuts.of(parts[0]) | Cuts.of(parts[1]) | Cuts.of(parts[2])
    cuts.save(tmp_path / "all.candidates")
    cuts = Cuts.load(tmp_path / "all.candidates")
    for number, part in enumerate(parts):
        count_shard(part, cuts).save(tmp_path / f"{number}.curves")
    found = merge_files([tmp_path / f"{k}.curves" for k in (2, 0, 1)])
    whole = alone(count_shard(limen.data.as_data(*problem[:2])))
    a, b = limen.tune(found), limen.tune(whole)
    assert np.array_equal(a.values, b.values)
    assert (a.expected, a.expected_gain, a.half) == (b.expected, b.expected_gain, b.half)
    own = merged([alone(count_shard(part)) for part in parts])
    assert own.folds is None
    assert limen.tune(own).expected_reason == "the curves hold no folds"
    path = tmp_path / "0.curves"
    whole_file = path.read_bytes()
    for change, words in [
        (lambda h, a: a["folds_n_items"].__setitem__(0, 99), "its folds are not all its items"),
        (lambda h, a: a["folds_n_positive"].__setitem__((0, 0), 99), "its folds do not add up"),
        (lambda h, a: a["folds_half"].__setitem__((0, 0), 999), "counts at 0.5 are above"),
        (lambda h, a: a["folds_squares"].__setitem__((0, 0, 0), np.nan), "squares of weights"),
        (lambda h, a: a.update(folds_tp=a["folds_tp"][:, ::-1].copy()), "in its folds"),
        (lambda h, a: a.pop("folds_half"), "some of the counts by fold are missing"),
        (lambda h, a: a.update(folds_tp=a["folds_tp"][:, :-1]), "folds_tp is int64 of shape"),
        (lambda h, a: h.pop("grouped"), "grouped"),
    ]:
        altered(path, change)
        with pytest.raises(limen.InputError, match=words):
            Curves.load(path)
        path.write_bytes(whole_file)


def test_groups_stay_in_one_fold_whatever_the_part():
    rng = np.random.default_rng(3)
    y_true, y_score, _ = random(3, 400)
    groups = np.array([f"recording {k}" for k in rng.integers(0, 150, 400)])
    parts = [
        limen.data.as_data(y_true[rows], y_score[rows], groups=groups[rows])
        for rows in (slice(200), slice(200, 400))
    ]
    cuts = Cuts.of(parts[0]) | Cuts.of(parts[1])
    with pytest.raises(limen.InputError, match="the data have no groups, and the candidates were found with"):
        count_shard(limen.data.as_data(y_true, y_score), cuts)
    with pytest.raises(MergeError, match="some of these candidates were found with groups"):
        cuts | Cuts.of(y_true, y_score)
    found = merged([alone(count_shard(part, cuts)) for part in parts])
    whole = count_shard(limen.data.as_data(y_true, y_score, groups=groups))
    for name in ("tp", "fp", "n_positive", "n_known", "n_items", "half"):
        np.testing.assert_array_equal(getattr(found.folds, name), getattr(whole.folds, name))
    one = limen.data.as_data(y_true[:5], y_score[:5], groups=["a"] * 5, part=True)
    assert count_shard(one).folds.grouped


@pytest.mark.parametrize("average", ["micro", "macro", "weighted", "none"])
@pytest.mark.parametrize("grouped", [False, True])
def test_evaluate_on_curves(average, grouped):
    rng = np.random.default_rng(4)
    y_true, y_score, _ = random(4, 400, 12)
    names = [f"tag {k}" for k in range(y_true.shape[1])]
    groups = rng.integers(0, 90, 400) if grouped else None
    data = limen.data.as_data(y_true, y_score, labels=names, groups=groups)
    curves = alone(count_shard(data))
    t = limen.tune(*[part[:200] for part in (y_true, y_score)], labels=names, method="exact")
    here = limen.evaluate(data, None, t, average=average)
    there = limen.evaluate(curves, None, t, average=average)
    assert all(map(np.array_equal, here.counts[:1], there.counts[:1]))
    if average == "none":
        assert (there.value <= here.value + 1e-12).all()
        return
    low, high = there.bounds or (there.value, there.value)
    assert low <= here.value <= high
    assert there.interval is None or there.bounds is None
    at = limen.tune(curves, method="exact", placement="score")
    here, there = (
        limen.evaluate(data, None, at, average=average),
        limen.evaluate(curves, None, at, average=average),
    )
    assert (here.value, here.on_tuning_data, there.bounds) == (there.value, True, None)
    assert here.states == there.states or grouped
    width = [found.interval[1] - found.interval[0] for found in (here, there)]
    assert 0.5 < width[0] / width[1] < 2
    here, there = (limen.evaluate(some, None, at, average=average, baseline=0.5) for some in (data, curves))
    assert there.difference is None or there.difference.value == pytest.approx(here.difference.value, abs=0.02)
    with pytest.raises(limen.InputError, match="Give them alone"):
        limen.evaluate(curves, y_score, at)
    with pytest.raises(UnsupportedError, match="needs whole items"):
        limen.evaluate(curves, None, at, average="samples")
    with pytest.raises(limen.InputError, match="tag 0"):
        limen.evaluate(alone(Curves.from_arrays(y_true, y_score)), None, at)


def test_evaluate_joins_labels_by_name():
    y_true, y_score, _ = random(4, 400, 12)
    names = [f"tag {k}" for k in range(y_true.shape[1])]
    t = limen.tune(y_true, y_score, labels=names, constraints=[limen.constraints.MinRecall(0.2)], method="exact")
    turned = slice(None, None, -1)
    curves = alone(Curves.from_arrays(y_true[:, turned], y_score[:, turned], labels=names[turned]))
    found = limen.evaluate(curves, None, t)
    assert (found.value, found.on_tuning_data, found.bounds) == (t.value, True, None)
    assert found.labels == tuple(names[turned])
    assert [entry["holds"] for entry in found.constraints] == [True]


def test_files_that_do_not_go_together(tmp_path):
    a, b = random(1, 30), random(2, 30)
    Curves.from_arrays(*a[:2]).save(tmp_path / "a.curves")
    Curves.from_arrays(a[0], a[1].astype(np.float32)).save(tmp_path / "b.curves")
    Curves.from_arrays(*a[:2], sample_weight=np.ones(30) / 2).save(tmp_path / "w.curves")
    Cuts.of(*b[:2]).save(tmp_path / "c.candidates")
    with pytest.raises(MergeError, match=r"b\.curves does not go with .*a\.curves: it has .* float32 scores"):
        merge_files([tmp_path / "a.curves", tmp_path / "b.curves"])
    with pytest.raises(limen.InputError, match=r"c\.candidates holds candidates, .*a\.curves curves"):
        merge_files([tmp_path / "a.curves", tmp_path / "c.candidates"])
    with pytest.raises(MergeError, match="some of these curves count weights"):
        merge_files([tmp_path / "a.curves", tmp_path / "w.curves"])


def test_on_the_command_line(tmp_path):
    y_true, y_score = smooth_data(1, 90)[:2]
    np.savez(tmp_path / "all.npz", scores=y_score, labels=y_true)
    edges = np.linspace(0, len(y_true), 4).astype(int)
    for k, (start, stop) in enumerate(pairwise(edges)):
        np.savez(tmp_path / f"{k}.npz", scores=y_score[start:stop], labels=y_true[start:stop])
        run("candidates", f"{k}.npz", f"{k}.npz", "-o", f"{k}.candidates", cwd=tmp_path, check=0)
        run("curves", f"{k}.npz", f"{k}.npz", "-o", f"own{k}.curves", cwd=tmp_path, check=0)
    run("merge", *(f"{k}.candidates" for k in range(3)), "-o", "all.candidates", cwd=tmp_path, check=0)
    for k in range(3):
        options = ("--candidates", "all.candidates", "-o", f"{k}.curves")
        run("curves", f"{k}.npz", f"{k}.npz", *options, cwd=tmp_path, check=0)
    done = run("merge", *(f"{k}.curves" for k in range(3)), "-o", "all.curves", cwd=tmp_path, check=0)
    assert "between bounds" not in done.stdout
    done = run("merge", *(f"own{k}.curves" for k in range(3)), "-o", "bounded.curves", cwd=tmp_path, check=0)
    assert "false positives are known between bounds" in done.stdout
    run("tune", "--curves", "all.curves", "--method", "exact", "-o", "a.json", cwd=tmp_path, check=0)
    run("tune", "all.npz", "all.npz", "--method", "exact", "-o", "b.json", cwd=tmp_path, check=0)
    a, b = (limen.Thresholds.load(tmp_path / name) for name in ("a.json", "b.json"))
    assert np.array_equal(a.values, b.values)
    assert (a.value, a.status) == (b.value, "optimal")
    done = run("evaluate", "--curves", "all.curves", "a.json", "-o", "table.csv", cwd=tmp_path, check=0)
    assert "the 90 items tuned on" in " ".join(done.stdout.split())
    done = run("evaluate", "--curves", "bounded.curves", "0.5", cwd=tmp_path, check=0)
    assert " at least, " in done.stdout
    run("evaluate", "--curves", "all.curves", "all.npz", "a.json", cwd=tmp_path, check=2)
    run("evaluate", "a.json", cwd=tmp_path, check=2)
    done = run("tune", "--curves", "bounded.curves", "--method", "exact", cwd=tmp_path, check=0)
    assert "% is possible" in done.stdout or "proven optimal" in done.stdout
    for command, words in [
        (("tune", "all.npz", "all.npz", "--curves", "all.curves"), "--curves takes the place of the data"),
        (("tune",), "Missing argument"),
        (("tune", "--curves", "all.npz"), "is no file of curves"),
        (("tune", "--curves", "all.curves", "-o", "all.curves"), "would replace all.curves"),
        (("merge", "0.curves", "0.curves", "-o", "x.curves"), "a file is named twice"),
        (("curves", "0.npz", "0.npz", "--candidates", "0.curves", "-o", "x.curves"), "is no file of candidates"),
        (("curves", "0.npz", "0.npz", "--candidates", "1.candidates", "-o", "x.curves"), "lack positive scores"),
    ]:
        assert words in " ".join(run(*command, cwd=tmp_path, check=2).stderr.split())
    assert not (tmp_path / "x.curves").exists()
