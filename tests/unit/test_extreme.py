"""Very many labels: sparse data stay sparse, memory is taken for some labels at a time, files are compact."""

import json
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest
from scipy import sparse

import limen
from limen import influence
from limen.data import as_data
from limen.errors import InputError, LimenError, LimenWarning, UnreadableError, UnsupportedError
from limen.folds import content_keys, deal
from limen.solvers import panels
from limen.sources.by_label import ByLabel
from limen.sources.dense import DenseSource
from limen.sources.sparse import SparseRows, SparseSource
from shell import run


def random_data(seed=0, n_items=60, n_labels=7, dtype=np.float32, stored=0.5, unknown=0.0):
    """Return sparse labels, some of them unknown, and sparse scores, of which some are 0 or negative."""
    rng = np.random.default_rng(seed)
    y_true = (rng.random((n_items, n_labels)) < 0.25).astype(float)
    y_true[:, -1] = 0  # a label without positives
    y_true[rng.random(y_true.shape) < unknown] = np.nan
    scores = np.round(rng.normal(size=y_true.shape) + np.nan_to_num(y_true), 1).astype(dtype)
    keep = rng.random(y_true.shape) < stored
    keep[:, -2] = False  # a label that is never scored
    keep[:3] = False  # items without scores
    row, column = np.nonzero(keep)
    y_score = sparse.csr_array(sparse.coo_array((scores[row, column], (row, column)), shape=scores.shape))
    return sparse.csr_array(y_true), y_score


def dense_twin(source):
    """Return the same data as rows, where what is not stored has the score -inf."""
    blocks = list(source.dense_blocks())
    scores, truth = (np.concatenate([getattr(b, name) for b in blocks]) for name in ("scores", "truth"))
    return DenseSource(scores, np.where(truth < 0, np.nan, truth), None, source.weight, source.labels)


def source_of(seed=0, weight=None, **options):
    return as_data(*random_data(seed, **options), sample_weight=weight).source


def weights(seed, n_items=60):
    return np.random.default_rng(seed).integers(0, 3, n_items) * 0.5 + 0.25 * (seed % 2)


@pytest.mark.parametrize("seed", range(6))
def test_pairs_are_what_is_stored_on_either_side(seed):
    source = source_of(seed, weights(seed), unknown=0.1)
    scores, truth, weight = np.full((60, 7), -np.inf, np.float32), np.zeros((60, 7), np.int8), []
    for rows, block, own in source.pairs():
        scores[block.row + rows.start, block.label] = block.scores
        truth[block.row + rows.start, block.label] = block.truth
        weight.append(own)
    dense = dense_twin(source)
    assert np.array_equal(scores, dense.scores)
    assert np.array_equal(truth, np.nan_to_num(dense.truth, nan=-1))
    assert np.array_equal(np.concatenate(weight), source.weight)
    assert np.array_equal(
        content_keys(source, np.arange(7, dtype=np.uint64)), content_keys(dense, np.arange(7, dtype=np.uint64))
    )
    assert np.array_equal(deal(source, [0.5, 0.5], None, 0), deal(dense, [0.5, 0.5], None, 0))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("weighted", [False, True])
def test_data_kept_label_by_label_count_alike(seed, weighted, monkeypatch):
    monkeypatch.setattr("limen.sources.blocks.BLOCK_ELEMENTS", 40)
    source = source_of(seed, weights(seed) if weighted else None, unknown=0.1)
    turned = source.by_label()
    assert isinstance(turned, ByLabel)
    labels = tuple(source.labels[k] for k in (4, 1, 6))
    rows = np.flatnonzero(np.random.default_rng(seed).random(60) < 0.6)
    cases = [
        (source, turned),
        (source.select(labels), turned.select(labels)),
        (source.copied(rows), turned.take(rows)),
        (source.copied(rows), SparseRows(source, rows)),
        (source.copied(rows).select(labels), SparseRows(source, rows).select(labels).by_label().by_item()),
    ]
    for one, other in cases:
        assert limen.Curves.from_source(one) == limen.Curves.from_source(other)
        assert (one.labels, one.n_items, one.weighted, one.dtype) == (
            other.labels,
            other.n_items,
            other.weighted,
            other.dtype,
        )
        pair = [np.concatenate([b.scores for b in s.dense_blocks()]) for s in (one, other)]
        assert np.array_equal(*pair)


@pytest.mark.parametrize("how", ["plain", "weights", "groups", "both"])
def test_sparse_data_give_what_dense_ones_give(how):
    """Every pair is stored, so that both are the same problem."""
    y_true, y_score = random_data(3, stored=1.1, unknown=0.05)
    y_true, y_score = y_true.toarray(), y_score.toarray()
    y_score[:, -2], y_score[:3] = 0.5, 0.25
    full = sparse.csr_array(sparse.coo_array((y_score.ravel(), np.divmod(np.arange(420), 7)), shape=(60, 7)))
    given = {}
    if how in ("weights", "both"):
        given["sample_weight"] = weights(1)
    if how in ("groups", "both"):
        given["groups"] = np.arange(60) // 4
    for average in ("micro", "macro"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LimenWarning)
            one, other = (limen.tune(y_true, s, average=average, **given) for s in (y_score, full))
        assert np.array_equal(one.values, other.values)
        assert one.expected == other.expected
        np.testing.assert_allclose(one.gains, other.gains, rtol=1e-9, atol=1e-12)
        a, b = (limen.evaluate(y_true, s, one, **given) for s in (y_score, full))
        assert a.interval == b.interval
        assert a.states == b.states


@pytest.mark.parametrize("average", ["macro", "weighted"])
@pytest.mark.parametrize(
    "given", [{}, {"groups": np.arange(600) // 5}, {"sample_weight": np.arange(600) % 3 + 0.5}]
)
def test_intervals_to_first_order_are_those_of_counts(average, given, monkeypatch):
    y_true, y_score = random_data(1, n_items=600, n_labels=40, stored=0.8)
    plain = limen.evaluate(y_true, y_score, 0.6, average=average, baseline=0.4, **given)
    monkeypatch.setattr(influence, "MANY_LABELS", 10)
    quick = limen.evaluate(y_true, y_score, 0.6, average=average, baseline=0.4, **given)
    assert quick.value == plain.value
    width = plain.interval[1] - plain.interval[0]
    np.testing.assert_allclose(quick.interval, plain.interval, atol=0.15 * width)
    np.testing.assert_allclose(quick.difference, plain.difference, atol=0.15 * width)


@pytest.fixture
def few_in_a_panel(monkeypatch):
    for module in ("limen.solvers.panels", "limen.solvers.exact", "limen.spread_by_unit", "limen.influence"):
        monkeypatch.setattr(f"{module}.MANY_LABELS", 16)


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_panels_do_as_well_as_all_labels_together(average, few_in_a_panel, monkeypatch):
    y_true, y_score = random_data(5, n_items=3000, n_labels=60, stored=0.7)
    tuned, new = slice(0, 1500), slice(1500, 3000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LimenWarning)
        dealt = limen.tune(y_true[tuned], y_score[tuned], average=average)
        again = limen.tune(
            y_true[tuned][:, ::-1],
            y_score[tuned][:, ::-1],
            average=average,
            labels=list(map(str, range(59, -1, -1))),
        )
        monkeypatch.setattr(panels, "MANY_LABELS", 1 << 13)
        whole = limen.tune(y_true[tuned], y_score[tuned], average=average)
    assert dealt.details["panels"] == 8
    assert "panels" not in whole.details
    assert np.array_equal(again.values[::-1], dealt.values)  # whatever the order of the labels
    held = [limen.evaluate(y_true[new], y_score[new], t).value for t in (dealt, whole)]
    assert held[0] > held[1] - 0.01
    assert dealt.expected.low - 0.02 < held[0] < dealt.expected.high + 0.02


@pytest.mark.parametrize("metric", ["f1", "mcc", {"name": "cost", "fp": list(range(1, 41)), "fn": 3}])
@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
def test_panels_on_odd_data(metric, average, few_in_a_panel):
    for seed, given in enumerate(({}, {"sample_weight": weights(1)}, {"groups": np.arange(60) // 7})):
        y_true, y_score = random_data(seed, n_labels=40, dtype=(np.float32, np.float64)[seed % 2], unknown=0.1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LimenWarning)
            t = limen.tune(y_true, y_score, metric=metric, average=average, **given)
            exact = limen.tune(y_true, y_score, metric=metric, average=average, method="exact", **given)
        assert np.isfinite(t.value)
        assert t.value <= exact.value + 1e-9
        assert len(t.labels) == 40
    with pytest.warns(LimenWarning, match="39 labels without a positive item"):
        single = limen.tune(sparse.csr_array(np.eye(1, 40)), sparse.csr_array(np.eye(1, 40)), average=average)
    assert single.expected is None


def test_of_very_many_labels_exact_is_the_best_of_each(few_in_a_panel):
    y_true, y_score = random_data(2, n_labels=40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LimenWarning)
        t = limen.tune(y_true, y_score, average="macro", method="exact")
        alone = [limen.tune(y_true[:, [k]], y_score[:, [k]], method="exact").values[0] for k in range(40)]
    assert t.values.tolist() == alone
    assert t.status == "optimal"


def test_a_score_that_is_no_number_is_named(few_in_a_panel):
    y_true, y_score = random_data(2, n_labels=40)
    y_score.data[7] = np.nan
    with pytest.raises(InputError, match="y_score has NaN"):
        limen.tune(y_true, y_score)


MEMORY = """
import sys, warnings
import numpy as np
from scipy import sparse
import limen
warnings.simplefilter("ignore")
def resident(name):
    return 1024 * int(open("/proc/self/status").read().split(name + ":")[1].split()[0])
def made(n_items, n_labels):
    rng = np.random.default_rng(0)
    column = (n_labels * rng.random((n_items, 40)) ** 3).astype(np.int32)
    parts = rng.random(column.size, np.float32), column.ravel(), np.arange(0, column.size + 1, 40)
    scores = sparse.csr_array(parts, shape=(n_items, n_labels))
    scores.sum_duplicates()
    true = scores.copy()
    true.data = (rng.random(len(true.data)) < 0.5 * true.data ** 4).astype(np.int8)
    true.eliminate_zeros()
    return true, scores
limen.tune(*made(300, 200), method="exact", average=sys.argv[1])
idle = resident("VmRSS")
true, scores = made(150_000, 60_000)
t = limen.tune(true, scores, method="exact", average=sys.argv[1])
size = sum(x.nbytes for m in (true, scores) for x in (m.data, m.indices, m.indptr))
print((resident("VmHWM") - idle) / size, t.value)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_of_exact_thresholds_is_bounded():
    """Making the data takes twice their size; dense rows of 60 000 labels would take 36 GB."""
    found = subprocess.run([sys.executable, "-c", MEMORY, "micro"], capture_output=True, text=True, check=True)
    assert float(found.stdout.split()[0]) < 6


NAMES = ["Speech", "<b>Hängebrücke ☃", 'quote " and \\ and \n line', "nul \0"]


@pytest.fixture(scope="module")
def tuned():
    y_true, y_score = random_data(1, n_labels=4, stored=0.9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LimenWarning)
        return limen.tune(y_true, y_score, labels=NAMES)


class TestCompactFiles:
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    @pytest.mark.parametrize("method", ["exact", "auto", "fixed:0.5", "top-k:2"])
    @pytest.mark.parametrize("weight", [None, np.full(40, 0.5)])
    def test_they_hold_what_json_holds(self, tmp_path, dtype, method, weight):
        rng = np.random.default_rng(0)
        y_score = rng.random((40, 4)).astype(dtype)
        y_true = rng.random((40, 4)) < y_score / 2
        y_true[:, 2] = False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LimenWarning)
            t = limen.tune(y_true, y_score, method=method, labels=NAMES, sample_weight=weight)
        t.save(tmp_path / "t.npz")
        found = limen.Thresholds.load(tmp_path / "t.npz")
        assert found == t
        assert found.values.tobytes() == t.values.tobytes()
        assert found.counts.tp.dtype == t.counts.tp.dtype
        first = (tmp_path / "t.npz").read_bytes()
        t.save(tmp_path / "t.npz")
        assert (tmp_path / "t.npz").read_bytes() == first
        assert [path.name for path in tmp_path.iterdir()] == ["t.npz"]

    def test_damage_is_told(self, tmp_path, tuned):
        path = tmp_path / "t.npz"
        tuned.save(path)
        whole = path.read_bytes()
        rng = np.random.default_rng(0)
        said = []
        for trial in range(150):
            bad = bytearray(whole)
            if trial % 3 == 0:
                bad = bad[: rng.integers(len(bad))]
            else:
                for _ in range(trial % 4 + 1):
                    bad[rng.integers(len(bad))] ^= 1 << rng.integers(8)
            path.write_bytes(bad)
            try:
                found = limen.Thresholds.load(path)
            except LimenError as error:
                said.append(str(error))
            else:
                assert found == tuned
        assert all(str(path) in words for words in said)
        assert len(said) > 100

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"p": lambda p: p + 1000}, "cannot be, of 60 items"),
            ({"p": lambda p: -p - 1}, "cannot be"),
            ({"p": lambda p: p.astype(np.float32)}, "'p' is float32|'tp' is int64"),
            ({"threshold": lambda t: t * np.nan}, "a threshold is no number"),
            ({"threshold": lambda t: t - np.inf}, "a threshold is no number"),
            ({"threshold": lambda t: t.astype(np.float64)}, "'threshold' is float64"),
            ({"threshold": lambda t: t[:-1]}, "of shape"),
            ({"range": lambda r: r[::-1] + np.array([[1], [0]], r.dtype)}, "Its lower end must come first"),
            ({"gain": lambda g: g[::-1] + 1}, "It must be a value, and the lower and the upper end"),
            ({"names": lambda n: n[:-1]}, "do not end where"),
            ({"names": lambda n: n | 0x80}, "no UTF-8 text"),
            ({"name_ends": lambda n: n[::-1]}, "do not end where"),
            ({"name_ends": lambda n: n[:0]}, "no labels"),
            ({"more": lambda _: np.zeros(3)}, "it was altered|It was altered"),
            ({"tp": None}, "lacks the array 'tp'"),
            ({"header": {"schema_version": 99}}, "Upgrade limen"),
            ({"header": {"labels": []}}, "has 'labels'"),
            ({"header": {"value": 2.0}}, "'value' is 2.0"),
            ({"header": {"odd": 1}}, "has unknown 'odd'"),
            ({"header": {"schema": "https://limen.dev/schema/curves"}}, "is no file of thresholds"),
        ],
    )
    def test_what_is_altered_is_refused(self, tmp_path, tuned, change, words):
        path = tmp_path / "t.npz"
        tuned.save(path)
        with np.load(path) as archive:
            arrays = dict(archive)
        header = json.loads(arrays["header"].tobytes())
        for key, how in change.items():
            if key == "header":
                header.update(how)
                arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
            elif how is None:
                del arrays[key]
            else:
                arrays[key] = how(arrays.get(key))
        np.savez(path, **arrays)
        with pytest.raises(InputError, match=words):
            limen.Thresholds.load(path)

    def test_another_archive(self, tmp_path):
        np.savez(tmp_path / "scores.npz", scores=np.zeros((3, 2)))
        with pytest.raises(InputError, match=r"is no file of thresholds\. Give one of limen tune"):
            limen.Thresholds.load(tmp_path / "scores.npz")
        with zipfile.ZipFile(tmp_path / "odd.npz", "w") as archive:
            archive.writestr("header.npy", b"no array")
        with pytest.raises(UnreadableError, match=r"odd\.npz"):
            limen.Thresholds.load(tmp_path / "odd.npz")
        with pytest.raises(UnreadableError, match="cannot read"):
            limen.Thresholds.load(tmp_path / "none.npz")

    def test_size_decides_where_no_form_is_asked_for(self, tmp_path, tuned, monkeypatch):
        tuned.save(tmp_path / "a")
        assert json.loads((tmp_path / "a").read_text())["labels"]
        monkeypatch.setattr("limen.thresholds.LARGE", 3)
        tuned.save(tmp_path / "b")
        assert (tmp_path / "b").read_bytes()[:2] == b"PK"
        with pytest.warns(LimenWarning, match="Give a name that ends with .npz"):
            tuned.save(tmp_path / "c.json")
        assert all(limen.Thresholds.load(tmp_path / name) == tuned for name in ("a", "b", "c.json"))

    def test_commands_take_them(self, tmp_path, tuned):
        rng = np.random.default_rng(0)
        np.savez(
            tmp_path / "d.npz", scores=rng.random((9, 4)), labels=rng.random((9, 4)) < 0.5, names=[*NAMES[:3], "d"]
        )
        run("tune", "d.npz", "d.npz", "-o", "t.npz", cwd=tmp_path, check=0)
        run("tune", "d.npz", "d.npz", "-o", "t.json", cwd=tmp_path, check=0)
        for command in (("show",), ("evaluate", "d.npz", "d.npz"), ("apply", "d.npz")):
            more = ("-o", "tags.csv") if command[0] == "apply" else ()
            one, other = (run(*command, name, *more, cwd=tmp_path, check=0).stdout for name in ("t.npz", "t.json"))
            assert one == other


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Thresholds of 70 000 labels, saved."""
    y_true, y_score = random_data(1, n_items=20, n_labels=70_000, stored=0.002)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LimenWarning)
        t = limen.tune(y_true, y_score, method="exact", average="macro")
    folder = tmp_path_factory.mktemp("large")
    t.save(folder / "t")
    return t, folder, (y_true, y_score)


def test_tables_of_very_many_labels_are_short(large):
    t, folder, (y_true, y_score) = large
    assert limen.Thresholds.load(folder / "t") == t
    shown = run("show", "t", cwd=folder, check=0).stdout
    assert "and 69 940 more labels; these have most positives; --most shows more" in shown
    assert shown.count("\n") < 100
    assert "and 69 995 more labels" in run("show", "t", "--most", "5", "--sort", "f1", cwd=folder, check=0).stdout
    assert len(t.shown().rows) == 60
    assert "shown are the 60 labels with most positives of 70 000 labels" in t.shown().title
    found = limen.evaluate(y_true, y_score, t)
    assert len(found.shown().rows) == 60
    assert len(found.table) == 70_000
    with pytest.raises(UnsupportedError, match="at most 20 000 labels of them; these data have 70 000 labels"):
        limen.report(y_true, y_score, t, folder / "r.html", methods=())


def test_sparse_sources_are_not_made_dense(monkeypatch):
    """Neither tuning nor evaluating asks for rows of all labels."""

    def refuse(_):
        raise AssertionError("dense rows of sparse data")

    monkeypatch.setattr(SparseSource, "dense_blocks", refuse)
    for given in ({}, {"sample_weight": weights(1)}, {"groups": np.arange(60) // 7}):
        y_true, y_score = random_data(4, n_labels=9)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LimenWarning)
            monkeypatch.setattr(influence, "MANY_LABELS", 5)
            for average in ("micro", "macro"):
                t = limen.tune(y_true, y_score, average=average, **given)
                limen.evaluate(y_true, y_score, t, baseline=0.5, **given)
            limen.evaluate(y_true, y_score, t, average="samples", **given)
