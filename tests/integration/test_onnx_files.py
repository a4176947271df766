"""ONNX models as files: real exports, weights beside them, and what cannot be used."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx
from onnx import TensorProto, helper, numpy_helper

import limen
from limen.errors import FileError, InputError, UnreadableError
from limen.onnx import append_thresholds, export, read_thresholds, verify

from .onnx_models import run, tagger, thresholds, wide

DATA = "tagger.onnx.data"


@pytest.fixture
def folder(tmp_path):
    """A folder with thresholds and a model whose weights lie in a file of their own."""
    thresholds().save(tmp_path / "thresholds.json")
    onnx.save(linear(), tmp_path / "tagger.onnx", save_as_external_data=True, location=DATA, size_threshold=0)
    return tmp_path


def linear():
    weights = numpy_helper.from_array(np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3), "w")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["clips", 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["clips", 3])
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Sigmoid", ["z"], ["y"])]
    graph = helper.make_graph(nodes, "linear", [x], [y], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


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

    def test_a_folder_that_is_not_there(self, folder):
        with pytest.raises(FileError, match=r"cannot write .*: .* is no folder"):
            export(folder / "tagger.onnx", thresholds(), folder / "missing" / "out.onnx")

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

    def test_without_verifying(self, folder):
        done = export(folder / "tagger.onnx", thresholds(), folder / "out.onnx", verify=False)
        assert done.verified is None

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
            r"the model's 3 columns and the 3 thresholds have different labels: 'd' only among the columns, "
            "'c' only among the thresholds"
        )
        with pytest.raises(InputError, match=words):
            append_thresholds(linear(), thresholds(), labels=["d", "a", "b"])
        with pytest.raises(InputError, match="the model's 4 columns and the 3 thresholds"):
            append_thresholds(linear(), thresholds(), labels=["a", "b", "c", "c"])

    def test_a_model_with_none_of_the_standard_operators(self):
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["clips", 4])
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["clips", 3])
        node = helper.make_node(
            "LinearRegressor",
            ["x"],
            ["y"],
            domain="ai.onnx.ml",
            coefficients=[float(c) for c in np.linspace(-1, 1, 12)],
            intercepts=[0.0, 0.5, 1.0],
            targets=3,
        )
        graph = helper.make_graph([node], "g", [x], [y])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("ai.onnx.ml", 1)], ir_version=8)
        t = thresholds([0.5, -0.25, 0.75])
        y, tags = run(append_thresholds(model, t), X)
        np.testing.assert_array_equal(tags, t.decide(y))

    def test_inputs_of_every_kind_are_made_up(self):
        kinds = [TensorProto.INT64, TensorProto.UINT8, TensorProto.BOOL, TensorProto.DOUBLE, TensorProto.FLOAT16]
        inputs = [helper.make_tensor_value_info(f"x{k}", kind, ["n", 3]) for k, kind in enumerate(kinds)]
        nodes = [helper.make_node("Cast", [f"x{k}"], [f"f{k}"], to=TensorProto.FLOAT) for k in range(len(kinds))]
        nodes.append(helper.make_node("Sum", [f"f{k}" for k in range(len(kinds))], ["y"]))
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])
        graph = helper.make_graph(nodes, "g", inputs, [y])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        assert verify(append_thresholds(model, thresholds([-0.5, 0.5, 2.0]))).n_items == 12

    def test_a_size_that_the_model_takes_is_found(self):
        """Here time must be 64 steps at least; a size of 16 is refused."""
        kernel = numpy_helper.from_array(np.ones((3, 1, 64), np.float32), "k")
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["clips", 1, "time"])
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["clips", 3])
        nodes = [
            helper.make_node("Conv", ["x", "k"], ["c"]),
            helper.make_node("GlobalAveragePool", ["c"], ["g"]),
            helper.make_node("Squeeze", ["g", "axis"], ["s"]),
            helper.make_node("Sigmoid", ["s"], ["y"]),
        ]
        axis = numpy_helper.from_array(np.array([2]), "axis")
        graph = helper.make_graph(nodes, "g", [x], [y], [kernel, axis])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        assert verify(append_thresholds(model, thresholds())).n_items == 12

    def test_what_cannot_be_run_is_said(self):
        x = helper.make_tensor_value_info("x", TensorProto.STRING, ["clips", 3])
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["clips", 3])
        graph = helper.make_graph([helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)], "g", [x], [y])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        t = thresholds()
        found = verify(append_thresholds(model, t))
        assert found.n_items == 0
        assert found.not_run == "its input 'x' is tensor(string), which is not made up: give inputs"
        with_tags = append_thresholds(model, t, inputs={"x": np.array([["0.5", "0.2", "0.8"]])})
        assert verify(with_tags, inputs={"x": np.array([["0.5", "0.2", "0.8"]])}).n_items == 1

    def test_a_model_that_gives_no_numbers(self):
        nan = numpy_helper.from_array(np.full((1, 3), np.nan, np.float32), "nan")
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["clips", 3])
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["clips", 3])
        graph = helper.make_graph([helper.make_node("Add", ["x", "nan"], ["y"])], "g", [x], [y], [nan])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
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
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["clips", 3])
        y = helper.make_value_info(
            "y",
            helper.make_sequence_type_proto(
                helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
            ),
        )
        node = helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2])
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)]
        model = helper.make_model(helper.make_graph([node], "g", [x], [y]), opset_imports=opsets, ir_version=8)
        with pytest.raises(InputError, match=r"the output 'y' is no tensor. .* options=\{'zipmap': False\}"):
            append_thresholds(model, thresholds())

    def test_a_shape_that_does_not_follow(self):
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["clips", 3])
        shape = helper.make_tensor_value_info("shape", TensorProto.INT64, ["rank"])
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        graph = helper.make_graph([helper.make_node("Reshape", ["x", "shape"], ["y"])], "g", [x, shape], [y])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        with pytest.raises(
            InputError, match=r"the output 'y' float32 has an unknown number of dimensions. Scores"
        ):
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

    def test_weights_elsewhere(self, folder):
        model = onnx.load(folder / "tagger.onnx", load_external_data=False)
        for entry in model.graph.initializer[0].external_data:
            if entry.key == "location":
                entry.value = f"../{DATA}"
        (folder / "tagger.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(UnreadableError, match=rf"keeps weights in '../{DATA}', which is outside its folder"):
            append_thresholds(folder / "tagger.onnx", thresholds())

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
sys.modules[{!r}] = None
import limen.onnx
from onnx import TensorProto, helper
x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in "xy")
graph = helper.make_graph([helper.make_node("Sigmoid", ["x"], ["y"])], "g", [x], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
t = limen.tune([[0], [1]], [[0.2], [0.8]], method="exact")
limen.onnx.append_thresholds(model, t, verify=False)
print("added")
limen.onnx.append_thresholds(model, t)
"""


@pytest.mark.parametrize(("package", "said"), [("onnx", ""), ("onnxruntime", "added\n")])
def test_a_package_that_is_missing_is_named(package, said):
    """onnxruntime is needed for verifying only."""
    command = [sys.executable, "-c", WITHOUT.format(package)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout == said
    assert f'limen.onnx needs {package}, which is not installed: pip install "limen[onnx]"' in done.stderr


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
