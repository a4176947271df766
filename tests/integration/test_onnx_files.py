"""ONNX models as files: real exports, weights beside them, and what cannot be used."""

import subprocess
import sys
import warnings
from contextlib import suppress

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx
from onnx import TensorProto, helper

import limen
from limen.errors import FileError, InputError, LimenError, UnreadableError
from limen.onnx import append_thresholds, export, read_thresholds, verify

from .onnx_models import built, run, tagger, thresholds, value, wide

DATA = "tagger.onnx.data"


@pytest.fixture
def folder(tmp_path):
    """A folder with thresholds and a model whose weights lie in a file of their own."""
    thresholds().save(tmp_path / "thresholds.json")
    onnx.save(linear(), tmp_path / "tagger.onnx", save_as_external_data=True, location=DATA, size_threshold=0)
    return tmp_path


def linear():
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Sigmoid", ["z"], ["y"])]
    weights = {"w": np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)}
    return built(nodes, [value("x", ["clips", 4])], [value("y", ["clips", 3])], weights)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)


class TestExport:
    def test_in_the_same_folder_the_weights_are_shared(self, folder):
        before = contents(folder)
        done = export(folder / "tagger.onnx", folder / "thresholds.json", folder / "out.onnx")
        after = contents(folder)
        assert {name: after[name] for name in before} == before
        assert set(after) - set(before) == {"out.onnx"}
        assert done.weight_files == ()
        assert (done.scores, done.opset, done.how) == ("'y' float32 (clips, 3)", 17, "y >= thresholds")
        assert (done.verified.n_items, done.verified.not_run) == (12, None)
        self.check(folder / "out.onnx", folder)

    def test_in_another_folder_they_are_copied(self, folder, tmp_path):
        other = tmp_path / "other"
        other.mkdir()
        done = export(folder / "tagger.onnx", thresholds(), other / "out.onnx", name="given")
        assert done.weight_files == (str(other / DATA),)
        assert (other / DATA).read_bytes() == (folder / DATA).read_bytes()
        self.check(other / "out.onnx", folder, "given")
        again = export(folder / "tagger.onnx", thresholds(), other / "again.onnx")
        assert again.weight_files == ()

    def check(self, path, folder, name="tags"):
        t = thresholds()
        y, tags = run(path, X, ["y", name])
        np.testing.assert_array_equal(y, run(folder / "tagger.onnx", X, ["y"])[0])
        np.testing.assert_array_equal(tags, t.decide(y))
        assert read_thresholds(path, name=name) == t
        assert verify(path, name=name).n_items == 12

    def test_other_weights_are_not_overwritten(self, folder, tmp_path):
        other = tmp_path / "other"
        other.mkdir()
        (other / DATA).write_bytes(b"precious")
        with pytest.raises(FileError, match=r"cannot write the weights .*: another file of this name is there"):
            export(folder / "tagger.onnx", thresholds(), other / "out.onnx")
        assert contents(other) == {DATA: b"precious"}

    def test_what_is_read_is_not_replaced(self, folder):
        before = contents(folder)
        for name in ("tagger.onnx", DATA, "thresholds.json"):
            with pytest.raises(InputError, match=rf"{name} is read to make the new model, and stays as it is"):
                export(folder / "tagger.onnx", folder / "thresholds.json", folder / "." / name)
        assert contents(folder) == before

    def test_a_check_that_fails_leaves_no_file(self, folder):
        before = contents(folder)
        with pytest.raises(InputError, match="the model does not take the inputs given"):
            export(folder / "tagger.onnx", thresholds(), folder / "out.onnx", inputs={"x": np.zeros((2, 5), "f4")})
        assert contents(folder) == before

    def test_a_link_to_the_model(self, folder, tmp_path):
        """As the caches of model hubs have them: the weights lie beside the link."""
        cache = tmp_path / "cache"
        cache.mkdir()
        (cache / "tagger.onnx").symlink_to(folder / "tagger.onnx")
        (cache / DATA).write_bytes((folder / DATA).read_bytes())
        (folder / DATA).unlink()
        assert export(cache / "tagger.onnx", thresholds(), cache / "out.onnx").verified.n_items == 12


class TestAppend:
    def test_the_weights_are_in_the_result(self, folder):
        model = append_thresholds(folder / "tagger.onnx", folder / "thresholds.json")
        (folder / DATA).unlink()
        y, tags = run(model, X)
        np.testing.assert_array_equal(tags, thresholds().decide(y))

    def test_the_model_given_is_unchanged_and_its_outputs_are_kept(self):
        model = linear()
        before = model.SerializeToString()
        with_tags = append_thresholds(model, thresholds())
        assert model.SerializeToString() == before
        np.testing.assert_array_equal(run(with_tags, X, ["y"])[0], run(model, X, ["y"])[0])
        onnx.checker.check_model(with_tags, full_check=True)

    def test_columns_are_joined_by_name(self):
        t = thresholds([0.2, 0.4, 0.6])
        with_tags = append_thresholds(linear(), t, labels=["c", "a", "b"])
        found = read_thresholds(with_tags)
        assert found.labels == ("c", "a", "b")
        assert found.values.tolist() == [0.6, 0.2, 0.4]
        np.testing.assert_array_equal(found.counts.p, t.counts.p[[2, 0, 1]])
        y, tags = run(with_tags, X)
        np.testing.assert_array_equal(tags, y >= np.array([0.6, 0.2, 0.4]))

    def test_columns_of_other_names(self):
        words = (
            r"the model's columns and the thresholds name different labels: 'd' only in the model's columns, "
            "'c' only in the thresholds"
        )
        with pytest.raises(InputError, match=words):
            append_thresholds(linear(), thresholds(), labels=["d", "a", "b"])
        with pytest.raises(InputError, match="labels repeats 'c'\\. Every column needs"):
            append_thresholds(linear(), thresholds(), labels=["a", "b", "c", "c"])

    def test_a_model_with_none_of_the_standard_operators(self):
        options = {"coefficients": np.linspace(-1, 1, 12).tolist(), "intercepts": [0.0, 0.5, 1.0], "targets": 3}
        node = helper.make_node("LinearRegressor", ["x"], ["y"], domain="ai.onnx.ml", **options)
        sides = [value("x", ["clips", 4])], [value("y", ["clips", 3])]
        model = built([node], *sides, opset=0, more=[("ai.onnx.ml", 1)])
        t = thresholds([0.5, -0.25, 0.75])
        y, tags = run(append_thresholds(model, t), X)
        np.testing.assert_array_equal(tags, t.decide(y))

    def test_inputs_of_every_kind_are_made_up(self):
        kinds = [TensorProto.INT64, TensorProto.UINT8, TensorProto.BOOL, TensorProto.DOUBLE, TensorProto.FLOAT16]
        inputs = [value(f"x{k}", ["n", 3], kind) for k, kind in enumerate(kinds)]
        nodes = [helper.make_node("Cast", [f"x{k}"], [f"f{k}"], to=TensorProto.FLOAT) for k in range(len(kinds))]
        nodes.append(helper.make_node("Sum", [f"f{k}" for k in range(len(kinds))], ["y"]))
        model = built(nodes, inputs, [value("y", ["n", 3])])
        assert verify(append_thresholds(model, thresholds([-0.5, 0.5, 2.0]))).n_items == 12

    def test_a_size_that_the_model_takes_is_found(self):
        """Here time must be 64 steps at least; a size of 16 is refused."""
        nodes = [
            helper.make_node("Conv", ["x", "k"], ["c"]),
            helper.make_node("GlobalAveragePool", ["c"], ["g"]),
            helper.make_node("Squeeze", ["g", "axis"], ["s"]),
            helper.make_node("Sigmoid", ["s"], ["y"]),
        ]
        weights = {"k": np.ones((3, 1, 64), np.float32), "axis": [2]}
        model = built(nodes, [value("x", ["clips", 1, "time"])], [value("y", ["clips", 3])], weights)
        assert verify(append_thresholds(model, thresholds())).n_items == 12

    def test_what_cannot_be_run_is_said(self):
        cast = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)
        model = built([cast], [value("x", ["clips", 3], TensorProto.STRING)], [value("y", ["clips", 3])])
        t, inputs = thresholds(), {"x": np.array([["0.5", "0.2", "0.8"]])}
        found = verify(append_thresholds(model, t))
        assert found.n_items == 0
        assert found.not_run == "its input 'x' is tensor(string), which is not made up: give inputs"
        assert verify(append_thresholds(model, t, inputs=inputs), inputs=inputs).n_items == 1

    def test_a_model_that_gives_no_numbers(self):
        weights = {"nan": np.full((1, 3), np.nan, np.float32)}
        sides = [value("x", ["clips", 3])], [value("y", ["clips", 3])]
        model = built([helper.make_node("Add", ["x", "nan"], ["y"])], *sides, weights)
        assert verify(append_thresholds(model, thresholds())).not_run == "it gave no finite scores"


class TestRefused:
    @pytest.mark.parametrize(
        ("model", "options", "words"),
        [
            (
                wide(),
                {},
                r"the model has 2 outputs that may be the scores: 'a' float32 \(clips, 3\), 'b' float32 \(clip",
            ),
            (tagger(), {"scores": "z"}, r"the model has no output 'z'. Choose one of: 'y' float32 \(clips, 3\)"),
            (tagger(), {"name": "x"}, "the model has something named 'x' already. Choose another name"),
            (tagger(), {"name": ""}, "the name of an output is empty"),
            (
                tagger(dims=("n", 4)),
                {},
                r"the output 'y' float32 \(n, 4\) has 4 columns, the thresholds are for 3 label",
            ),
            (wide(dims=("n", 2)), {}, r"no output with scores of 3 labels: 'a' float32 \(n, 2\) has 2 columns"),
            (tagger(dims=()), {}, r"'y' float32 \(\) is one number. Scores must be \(..., n_labels\)"),
            (tagger(dtype=TensorProto.INT64), {}, r"'y' int64 \(clips, 3\) has no scores. They must be float16"),
            (tagger(dims=(3, "n", 2)), {}, r"is \(labels, items, 2\), as scikit-learn gives it for forests"),
            (tagger(opset=6), {}, r"the model has opset 6. It must be 7 or later: onnx.version_converter.convert"),
            (tagger(opset=999), {}, r"the model has opset 999; onnx .* knows up to .* Upgrade it"),
        ],
    )
    def test_models_that_do_not_fit(self, model, options, words):
        with pytest.raises(InputError, match=words):
            append_thresholds(model, thresholds(), **options)

    def test_many_outputs_are_listed_in_part(self):
        with pytest.raises(
            InputError, match=r"12 outputs that may be the scores: .* and 4 more. Name one with scores="
        ):
            append_thresholds(wide("abcdefghijkl"), thresholds())

    def test_maps_of_scikit_learn(self):
        number = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
        maps = helper.make_sequence_type_proto(helper.make_map_type_proto(TensorProto.INT64, number))
        node = helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2])
        sides = [value("x", ["clips", 3])], [helper.make_value_info("y", maps)]
        with pytest.raises(InputError, match=r"the output 'y' is no tensor. .* options=\{'zipmap': False\}"):
            append_thresholds(built([node], *sides, more=[("ai.onnx.ml", 1)]), thresholds())

    def test_a_shape_that_does_not_follow(self):
        inputs = [value("x", ["clips", 3]), value("shape", ["rank"], TensorProto.INT64)]
        model = built([helper.make_node("Reshape", ["x", "shape"], ["y"])], inputs, [value("y", None)])
        words = r"the output 'y' float32 has an unknown number of dimensions. Scores"
        with pytest.raises(InputError, match=words):
            append_thresholds(model, thresholds())

    def test_an_invalid_model(self):
        model = tagger()
        model.graph.node[0].input[0] = "nowhere"
        with pytest.raises(InputError, match=r"the model is no valid ONNX model: .*nowhere"):
            append_thresholds(model, thresholds())

    def test_weights_that_were_not_loaded(self, folder):
        model = onnx.load(folder / "tagger.onnx", load_external_data=False)
        with pytest.raises(InputError, match="the model's weights lie in files of their own, and were not loaded"):
            append_thresholds(model, thresholds())

    def test_files_that_are_no_models(self, folder):
        with pytest.raises(UnreadableError, match=r"cannot read .*none.onnx: No such file"):
            append_thresholds(folder / "none.onnx", thresholds())
        with pytest.raises(UnreadableError, match=r"thresholds.json is no ONNX model, or is cut short"):
            append_thresholds(folder / "thresholds.json", thresholds())
        whole = (folder / "tagger.onnx").read_bytes()
        (folder / "half.onnx").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(UnreadableError, match=r"half.onnx is no ONNX model"):
            append_thresholds(folder / "half.onnx", thresholds())
        (folder / "empty.onnx").touch()
        with pytest.raises(UnreadableError, match=r"empty.onnx is no ONNX model: it has no graph"):
            append_thresholds(folder / "empty.onnx", thresholds())

    def test_weights_that_are_missing_or_cut_short(self, folder):
        (folder / DATA).write_bytes((folder / DATA).read_bytes()[:-1])
        with pytest.raises(UnreadableError, match=rf"keeps weights in '{DATA}', which is cut short"):
            read_thresholds(folder / "tagger.onnx")
        (folder / DATA).unlink()
        with pytest.raises(UnreadableError, match=rf"keeps weights in '{DATA}', which is missing"):
            read_thresholds(folder / "tagger.onnx")

    @pytest.mark.parametrize(
        ("key", "entry", "words"),
        [
            ("location", f"../{DATA}", rf"keeps weights in '../{DATA}', which is outside its folder"),
            ("offset", "x", "tagger.onnx is damaged: invalid literal for int"),
        ],
    )
    def test_weights_elsewhere_or_nowhere(self, folder, key, entry, words):
        model = onnx.load(folder / "tagger.onnx", load_external_data=False)
        next(found for found in model.graph.initializer[0].external_data if found.key == key).value = entry
        onnx.save(model, folder / "tagger.onnx")
        with pytest.raises(UnreadableError, match=words):
            append_thresholds(folder / "tagger.onnx", thresholds())

    @pytest.mark.filterwarnings("ignore:Ignoring unknown external data key")  # by onnx
    def test_models_with_damage_anywhere_are_refused_in_words(self, folder):
        rng, whole = np.random.default_rng(0), (folder / "tagger.onnx").read_bytes()
        for _ in range(150):
            damaged = bytearray(whole)
            for at in rng.integers(0, len(whole), rng.integers(1, 4)):
                damaged[at] = rng.integers(256)
            (folder / "bad.onnx").write_bytes(damaged)
            with suppress(LimenError):
                append_thresholds(folder / "bad.onnx", thresholds(), verify=False)

    def test_names_that_are_no_text(self, folder):
        whole = (folder / "tagger.onnx").read_bytes()
        (folder / "bad.onnx").write_bytes(whole.replace(b"clips", b"cl\xffps"))
        with pytest.raises(UnreadableError, match=r"bad.onnx is damaged: a name in it is no UTF-8 text"):
            append_thresholds(folder / "bad.onnx", thresholds())

    def test_inputs_of_other_names(self):
        with pytest.raises(InputError, match="the inputs given are 'wave'; the model needs 'x'"):
            append_thresholds(linear(), thresholds(), inputs={"wave": X})

    def test_a_provider_that_is_not_there(self):
        with pytest.raises(InputError, match=r"this onnxruntime has no 'AbacusExecutionProvider'. Choose of: "):
            verify(append_thresholds(linear(), thresholds()), providers=["AbacusExecutionProvider"])

    def test_an_opset_that_the_runtime_does_not_know(self):
        version = onnx.defs.onnx_opset_version()
        try:
            run(tagger(opset=version), X[:, :3], ["y"])
        except Exception:
            with pytest.raises(
                InputError, match=r"onnxruntime cannot run the comparison .* Upgrade it, or leave the"
            ):
                append_thresholds(tagger(opset=version), thresholds())
        else:
            append_thresholds(tagger("Sigmoid", opset=version), thresholds())


WITHOUT = """
import sys
sys.modules["onnxruntime"] = None
import limen.onnx
from onnx import TensorProto, helper
x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in "xy")
graph = helper.make_graph([helper.make_node("Sigmoid", ["x"], ["y"])], "g", [x], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
t = limen.Thresholds.load(sys.argv[1])
limen.onnx.append_thresholds(model, t, verify=False)
print("added")
limen.onnx.append_thresholds(model, t)
"""


def test_onnxruntime_is_needed_for_verifying_only(tmp_path):
    thresholds([0.5]).save(tmp_path / "t.json")
    command = [sys.executable, "-c", WITHOUT, tmp_path / "t.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout == "added\n"
    assert 'limen.onnx needs onnxruntime, which is not installed: pip install "limen[onnx]"' in done.stderr


def test_a_network_of_torch(tmp_path):
    """From a network that is trained, exported and tagged: the tags in torch and in onnxruntime."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    generator = torch.Generator().manual_seed(0)

    class Tagger(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution = torch.nn.Conv1d(1, 8, 9, stride=4)
            self.linear = torch.nn.Linear(8, 5)

        def forward(self, wave):
            frames = torch.relu(self.convolution(wave[:, None]))
            return torch.sigmoid(self.linear(frames.mean(-1)))

    network = Tagger().eval()
    waves = torch.randn(300, 400, generator=generator) * torch.rand(300, 1, generator=generator)
    scores = network(waves).detach()
    truth = (scores > scores.median(0).values).int()
    t = limen.tune(truth, scores, labels=list("abcde"), method="exact")
    with warnings.catch_warnings():
        # torch's exporter, about its own parts.
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
        torch.onnx.export(
            network,
            (waves[:2],),
            tmp_path / "tagger.onnx",
            input_names=["wave"],
            output_names=["clipwise"],
            dynamic_shapes=({0: "clips", 1: "samples"},),
            dynamo=True,
            verbose=False,
        )
    done = export(tmp_path / "tagger.onnx", t, tmp_path / "out.onnx")
    assert done.verified.not_run is None
    y, tags = run(tmp_path / "out.onnx", waves.numpy(), ["clipwise", "tags"])
    np.testing.assert_array_equal(tags, t.decide(y))
    near = np.abs(y - t.values) < 1e-6
    np.testing.assert_array_equal(tags[~near], t.decide(scores)[~near])
