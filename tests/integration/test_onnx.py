"""Tags of an ONNX model are the decisions of the thresholds, bit for bit, in onnxruntime."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import limen
from limen.errors import InputError, LimenError, UnsupportedError
from limen.onnx import append_thresholds, read_thresholds, verify
from limen.onnx.lowest_given import as_tuned
from strategies import SCORE_DTYPES, grid

from .onnx_models import KINDS, NEWEST, all_float16, built, run, tagger, thresholds, value, wide

DTYPES = list(KINDS)
VALUES = (0.3, np.inf, 0.5, 1e-7, np.finfo(np.float64).min, -0.0)


def ties(t, dtype):
    """Each threshold rounded to ``dtype``, the numbers beside it, and the shared grid of hard scores."""
    with np.errstate(over="ignore"):
        near = t.values.astype(dtype)
        beside = [np.nextafter(near, np.array(towards, dtype)) for towards in (-np.inf, np.inf)]
    scores = np.concatenate([[near, *beside], np.repeat(np.array(grid(dtype))[:, np.newaxis], len(near), 1)])
    return np.where(np.isfinite(scores), scores, np.array(0.5, dtype)).astype(dtype)


OPSETS = [7, 11, 12, 17, NEWEST]
PAIRS = [(dtype, opset, DTYPES[(i + j) % 3]) for i, dtype in enumerate(DTYPES) for j, opset in enumerate(OPSETS)]


@pytest.mark.parametrize(("dtype", "opset", "tuned"), PAIRS)
def test_every_opset_and_dtype(dtype, opset, tuned):
    values = np.array(VALUES)
    values[4] = np.finfo(tuned).min
    t = thresholds(values, tuned)
    scores = ties(t, dtype)
    with_tags = append_thresholds(tagger(dtype=dtype, dims=("clips", 6), opset=opset), t, verify=False)
    y, tags = run(with_tags, scores)
    np.testing.assert_array_equal(y, scores)
    np.testing.assert_array_equal(tags, t.decide(scores))
    found = verify(with_tags)
    assert found.n_items == 12
    assert found.n_every == (len(all_float16()) if dtype == "float16" else 0)


@settings(deadline=None, max_examples=15)
@given(st.data(), st.sampled_from(SCORE_DTYPES), st.sampled_from(DTYPES))
def test_random_thresholds_their_ties_and_all_scores_of_float16(data, tuned, dtype):
    width = np.dtype(tuned).itemsize * 8
    finite = st.one_of(st.floats(-2, 2), st.floats(width=width, allow_nan=False, allow_infinity=False)).map(tuned)
    t = thresholds(data.draw(st.lists(finite, min_size=3, max_size=3)), tuned)
    scores = np.repeat(all_float16()[:, np.newaxis], 3, axis=1) if dtype == "float16" else ties(t, dtype)
    _, tags = run(append_thresholds(tagger(dtype=dtype), t, verify=False), scores)
    np.testing.assert_array_equal(tags, t.decide(scores))


@pytest.mark.parametrize("opset", [7, NEWEST])
def test_float16_is_compared_as_it_is_given(opset):
    """onnxruntime computes float16 in float32; what it compares must be what it rounds for the output."""
    x = np.random.default_rng(0).normal(size=(4000, 8)).astype(np.float16)
    model = tagger("Sigmoid", "float16", ("clips", 8), opset=opset)
    y = run(model, x, ["y"])[0]
    t = thresholds(y[0], np.float16)
    scores, tags = run(append_thresholds(model, t), x)
    np.testing.assert_array_equal(scores, y)
    np.testing.assert_array_equal(tags, t.decide(scores))


def test_what_is_not_a_number_gets_no_tag():
    t = thresholds([np.finfo(np.float64).min, np.inf, 0.5])
    for opset in (11, 17):
        _, tags = run(append_thresholds(tagger(opset=opset), t), np.full((2, 3), [[np.nan], [np.inf]], np.float32))
        assert tags.tolist() == [[False, False, False], [True, False, True]]


class TestShapes:
    @pytest.mark.parametrize("dims", [(3,), (1, 3), ("clips", 3), ("clips", "frames", 3), (2, 1, 4, 3)])
    def test_labels_are_the_last_dimension(self, dims):
        t = thresholds([-0.5, 0.25, 0.75])
        model = append_thresholds(tagger(dims=dims), t)
        shape = [5 if isinstance(dim, str) else dim for dim in dims]
        scores = np.random.default_rng(0).choice([-0.5, 0.25, 0.5, 0.75], shape).astype(np.float32)
        _, tags = run(model, scores)
        assert tags.shape == scores.shape
        np.testing.assert_array_equal(tags.reshape(-1, 3), t.decide(scores.reshape(-1, 3)))
        assert model.graph.output[1].type.tensor_type.shape == model.graph.output[0].type.tensor_type.shape

    @pytest.mark.parametrize("dims", [("clips",), (4,), ("clips", 1)])
    def test_one_label(self, dims):
        scores = np.array([0.25, -0.5, 0.75, -0.75], np.float32).reshape([4, *dims[1:]])
        _, tags = run(append_thresholds(tagger(dims=dims), thresholds([-0.5])), scores)
        np.testing.assert_array_equal(tags, scores >= -0.5)

    def test_many_labels(self):
        t = thresholds(np.linspace(0, 1, 1100))
        found = verify(append_thresholds(tagger("Sigmoid", "float16", ("clips", 1100)), t))
        assert (found.n_every, found.n_ties) == (0, 15 * 1100)

    def test_columns_that_the_model_does_not_say_are_seen(self):
        given = {"x": np.zeros((2, 3), np.float32)}
        model = append_thresholds(tagger("Softsign", dims=("clips", "labels")), thresholds(), inputs=given)
        assert model.graph.output[1].type.tensor_type.shape.dim[1].dim_value == 3
        with pytest.raises(InputError, match=r"'y' turned out to have 1 column, the thresholds are for 3 labels"):
            append_thresholds(
                tagger(dims=("clips", "labels")), thresholds(), inputs={"x": np.zeros((2, 1), np.float32)}
            )

    def test_columns_that_cannot_be_seen(self):
        model = tagger("Identity", TensorProto.BFLOAT16, ("clips", "labels"))
        with pytest.raises(
            InputError, match=r"how many columns 'y' has, and cannot be run to see \(its input 'x' is"
        ):
            append_thresholds(model, thresholds(), verify=False)

    @pytest.mark.parametrize("columns", [1, 4])
    def test_a_shape_that_is_not_true(self, columns):
        """One column is stretched to three by any runtime; four cannot be compared at all."""
        model = tagger("Sigmoid", dims=("clips", columns), shown=("clips", 3))
        with pytest.raises(
            InputError, match=rf"'y' turned out to have {columns} column.?, the thresholds are for 3"
        ):
            append_thresholds(model, thresholds())

    def test_a_shape_that_is_not_true_and_was_not_looked_at(self):
        model = tagger("Sigmoid", dims=("clips", 1), shown=("clips", 3))
        words = r"'y' has the shape \(3, 1\), and the model says 'y' float32 \(clips, 3\). Correct what"
        with pytest.raises(InputError, match=words):
            verify(append_thresholds(model, thresholds(), verify=False))

    @pytest.mark.parametrize("dims", [("clips", "labels"), ("clips", "frames", "labels")])
    def test_columns_may_be_as_many_as_an_input_has(self, dims):
        model = append_thresholds(tagger("Sigmoid", dims=dims), thresholds())
        assert model.graph.output[1].type.tensor_type.shape.dim[-1].dim_value == 3
        assert verify(model).not_run is None

    def test_a_shape_left_out_is_inferred(self):
        model = tagger("Sigmoid")
        model.graph.output[0].type.tensor_type.ClearField("shape")
        with_tags = append_thresholds(model, thresholds())
        assert with_tags.graph.output[1].type.tensor_type.shape.dim[1].dim_value == 3
        assert not model.graph.output[0].type.tensor_type.HasField("shape")


class TestLogits:
    VALUES = (0.5, 0.25, 1e-9, 1 - 2**-24, 1.0, 0.0, np.inf)

    @pytest.mark.parametrize("tuned", DTYPES)
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_thresholds_are_moved(self, dtype, tuned):
        t = thresholds(self.VALUES, tuned)
        model = append_thresholds(tagger(dtype=dtype, dims=("clips", 7)), t, model_gives="logits")
        logits = np.random.default_rng(0).normal(scale=8, size=(2000, 7)).astype(dtype)
        y, tags = run(model, logits)
        np.testing.assert_array_equal(y, logits)
        np.testing.assert_array_equal(tags, t.decide(as_tuned(logits, tuned, "logits")))

    def test_rare_labels_are_lost_by_the_sigmoid_of_the_runtime_and_kept_by_logits(self):
        t = thresholds([1e-8], np.float32)
        logits = np.array([[-18.4], [-18.5]], np.float32)
        assert np.all(1 / (1 + np.exp(-logits.astype(float))) >= [[1e-8], [0]])
        model = append_thresholds(tagger(dims=("clips", 1)), t, model_gives="logits")
        assert run(model, logits)[1].tolist() == [[True], [False]]
        probabilities = run(tagger("Sigmoid", dims=("clips", 1)), logits, ["y"])[0]
        assert probabilities.tolist() == [[0.0], [0.0]]

    def test_the_sigmoid_can_be_an_output(self):
        t = thresholds()
        model = append_thresholds(tagger(), t, model_gives="logits", sigmoid="p")
        logits = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
        y, p, tags = run(model, logits, ["y", "p", "tags"])
        np.testing.assert_array_equal(y, logits)
        np.testing.assert_allclose(p, 1 / (1 + np.exp(-logits)), atol=1e-6)
        np.testing.assert_array_equal(tags, t.decide(p))

    def test_a_model_of_probabilities_for_thresholds_of_logits(self):
        t = thresholds([0.0, -3.0, 40.0, np.inf])
        model = append_thresholds(tagger("Sigmoid", dims=("clips", 4)), t, model_gives="probabilities")
        p, tags = run(model, np.random.default_rng(0).normal(scale=3, size=(500, 4)).astype(np.float32))
        np.testing.assert_array_equal(tags, t.decide(np.log(p) - np.log1p(-p.astype(float))))

    def test_probabilities_without_a_logit(self):
        model = tagger("HardSigmoid", dims=("clips", 2))
        t = thresholds([30.0, np.inf])
        _, tags = run(
            append_thresholds(model, t, model_gives="probabilities"), np.array([[9.0] * 2, [-9.0] * 2], "f4")
        )
        assert tags.tolist() == [[True, False], [False, False]]

    def test_logits_taken_for_probabilities_are_noticed(self):
        noticed = r"'y' gave scores from -.* If these are logits, and the thresholds"
        with pytest.warns(limen.LimenWarning, match=noticed):
            append_thresholds(tagger(dims=("clips", 3)), thresholds())

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"model_gives": "odds"}, "model_gives='odds' is unknown"),
            (
                {"sigmoid": "p"},
                r"sigmoid='p' \(--sigmoid\) adds the sigmoid of logits, and the model is said to give scores",
            ),
        ],
    )
    def test_arguments_that_do_not_go_together(self, options, words):
        with pytest.raises(InputError, match=words):
            append_thresholds(tagger(), thresholds(), **options)

    def test_probabilities_taken_for_logits(self):
        with pytest.raises(InputError, match="'y' comes from a Sigmoid: it has probabilities"):
            append_thresholds(tagger("Sigmoid"), thresholds(), model_gives="logits")

    def test_thresholds_that_are_no_probabilities(self):
        with pytest.raises(InputError, match=r"the threshold of 'b' is -1.5, which is no probability"):
            append_thresholds(tagger(), thresholds([0.5, -1.5, 0.5]), model_gives="logits")


class TestRulesByItem:
    @pytest.mark.parametrize("rule", ["top-k:1", "top-k:2", "top-k:5", "mcut"])
    @pytest.mark.parametrize(("dtype", "opset"), [("float16", 17), ("float32", NEWEST), ("float64", 12)])
    def test_ties_and_all(self, rule, dtype, opset):
        t = thresholds(np.full(5, -1.0), dtype, rule)
        # Not the ends of the range, whose distance is infinite.
        few = np.array(grid(dtype)[:-2])
        scores = np.random.default_rng(0).choice(few, (400, 5))
        model = append_thresholds(tagger(dtype=dtype, dims=("clips", 5), opset=opset), t)
        np.testing.assert_array_equal(run(model, scores)[1], t.decide(scores))

    def test_logits_get_their_sigmoid(self):
        t = thresholds([0.0] * 3, rule="mcut")
        model = append_thresholds(tagger(), t, model_gives="logits")
        logits = np.random.default_rng(0).normal(scale=4, size=(200, 3)).astype(np.float32)
        p, tags = run(model, logits, ["probabilities", "tags"])
        np.testing.assert_array_equal(tags, t.decide(p))

    def test_frames(self):
        t = thresholds([0.0] * 3, rule="top-k:2")
        scores = np.random.default_rng(0).random((2, 7, 3)).astype(np.float32)
        tags = run(append_thresholds(tagger(dims=("clips", "frames", 3)), t), scores)[1]
        np.testing.assert_array_equal(tags.reshape(-1, 3), t.decide(scores.reshape(-1, 3)))

    def test_what_cannot_be(self):
        t = thresholds([0.0] * 3, rule="mcut")
        with pytest.raises(
            InputError, match=r"has opset 11; the rule 'mcut' needs 12 or later: onnx.version_conv"
        ):
            append_thresholds(tagger(opset=11), t)
        with pytest.raises(UnsupportedError, match="the rule 'mcut' compares an item's logits, and 'y' has prob"):
            append_thresholds(tagger(), t, model_gives="probabilities")
        with pytest.raises(
            InputError, match=r"'y' has one dimension; the rule 'top-k:1' needs two: \(n_items, 1\)"
        ):
            append_thresholds(tagger(dims=("clips",)), thresholds([0.0], rule="top-k:1"))


class TestBfloat16:
    def test_every_score_is_decided_alike(self):
        found = verify(append_thresholds(tagger(dtype=TensorProto.BFLOAT16), thresholds()))
        assert (found.n_every, found.n_items) == (65280, 0)
        assert "its input 'x' is tensor(bfloat16), which is not made up" in found.not_run
        assert "NOT the whole model" in str(found)

    @pytest.mark.parametrize("gives", ["logits", "probabilities"])
    def test_moved(self, gives):
        verify(append_thresholds(tagger(dtype=TensorProto.BFLOAT16), thresholds(), model_gives=gives))

    def test_the_whole_model(self):
        cast = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.BFLOAT16)
        model = built([cast], [value("x", ["clips", 3])], [value("y", ["clips", 3], TensorProto.BFLOAT16)])
        assert verify(append_thresholds(model, thresholds([0.5, -0.25, 0.75]))).n_items == 12


class TestMetadata:
    def test_labels_and_thresholds_come_back(self):
        t = replace(thresholds(), labels=("Hund", "chat 🐈", "<b>"))
        model = tagger("Sigmoid")
        model.metadata_props.add(key="author", value="me")
        with_tags = append_thresholds(model, t)
        held = {entry.key: entry.value for entry in with_tags.metadata_props}
        assert held["author"] == "me"
        assert json.loads(held["limen.tags.labels"]) == ["Hund", "chat 🐈", "<b>"]
        assert limen.Thresholds.from_dict(json.loads(held["limen.tags.thresholds"])) == t
        assert json.loads(held["limen.tags.comparison"]) == {
            "scores": "y",
            "decided_on": "y",
            "model_gives": "scores",
            "how": "y >= thresholds",
            "limen": limen.__version__,
        }
        assert read_thresholds(with_tags) == t

    def test_two_heads(self):
        species, calls = thresholds(), thresholds([0.125, 0.5, 2.5])
        model = append_thresholds(wide(), species, scores="a", name="species", verify=False)
        model = append_thresholds(model, calls, scores="b", name="calls")
        assert read_thresholds(model, name="species") == species
        assert read_thresholds(model, name="calls") == calls
        x = np.array([[0.5, 0.5, 0.5]], np.float32)
        assert [tags.tolist() for tags in run(model, x, ["species", "calls"])] == [
            [[True, True, False]],
            [[True, True, False]],
        ]
        with pytest.raises(
            InputError, match=r"no thresholds for an output 'tags' \(it has some for: 'species', 'calls'"
        ):
            read_thresholds(model)

    def test_altered(self):
        model = append_thresholds(tagger("Sigmoid"), thresholds())
        held = {entry.key: entry for entry in model.metadata_props}
        for altered in ("{}", "[", held["limen.tags.comparison"].value.replace('"scores", "how', '"odds", "how')):
            held["limen.tags.comparison"].value = altered
            with pytest.raises(InputError, match="the comparison described in the model was altered"):
                verify(model)
        held["limen.tags.thresholds"].value = "[]"
        with pytest.raises(InputError, match="the thresholds in the model were altered: this is not a thresholds"):
            read_thresholds(model)

    def test_stale_metadata_is_replaced(self):
        model = append_thresholds(tagger("Sigmoid"), thresholds([0.1, 0.1, 0.1]))
        del model.graph.output[1:]
        del model.graph.node[1:]
        t = thresholds()
        assert read_thresholds(append_thresholds(model, t)) == t


class TestSabotage:
    """A comparison that is wrong in one place only is found."""

    def comparison(self, t=None, **options):
        model = append_thresholds(tagger("Sigmoid", **options), t or thresholds())
        return model, next(n for n in model.graph.node if "tags" in n.output), model.graph.node

    def test_greater_for_greater_or_equal(self):
        model, node, _ = self.comparison()
        node.op_type = "Greater"
        with pytest.raises(
            LimenError, match=r"'a' gets no tag at 0.5 and should get one \(rule >=, threshold 0.5\)"
        ):
            verify(model)

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("towards", [-np.inf, np.inf])
    def test_one_threshold_off_by_one_bit(self, dtype, towards):
        model, node, nodes = self.comparison(dtype=dtype)
        constant = next(n for n in nodes if n.output[0] == node.input[1]).attribute[0].t
        values = numpy_helper.to_array(constant).copy()
        step = np.float16 if dtype == "float16" else values.dtype.type
        values[2] = np.nextafter(step(values[2]), step(towards))
        constant.CopyFrom(numpy_helper.from_array(values))
        with pytest.raises(LimenError, match=r"'c' gets .* at 0.7\d+ and should get .* decisions differ"):
            verify(model)

    def test_float16_without_the_cast_to_float64(self):
        model, node, nodes = self.comparison(dtype="float16", dims=("clips", 64), t=thresholds([0.5] * 64))
        cast = next(n for n in nodes if n.op_type == "Cast")
        cast.attribute[0].i = TensorProto.FLOAT
        constant = next(n for n in nodes if n.output[0] == node.input[1]).attribute[0].t
        constant.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(constant).astype(np.float32)))
        with pytest.raises(LimenError, match=r"and should get .* \(rule >=, threshold 0\.\d+\)"):
            verify(model)

    def test_last_of_equals(self):
        model, _, nodes = self.comparison(thresholds([0.0] * 3, rule="top-k:1"))
        next(n for n in nodes if n.op_type == "TopK").attribute.append(helper.make_attribute("largest", 0))
        with pytest.raises(LimenError, match=r"\(rule top-k:1"):
            verify(model)

    def test_other_thresholds(self):
        model = append_thresholds(tagger("Sigmoid"), thresholds())
        with pytest.raises(LimenError, match="'b' gets a tag at"):
            verify(model, thresholds([0.5, 0.5, 0.75]))
        with pytest.raises(
            InputError, match=r"the thresholds are for 'a', 'b', the columns of the model are 'a', 'b', "
        ):
            verify(model, thresholds([0.5, 0.5]))

    def test_tags_that_come_from_elsewhere(self):
        model, node, _ = self.comparison()
        node.input[0] = "x"
        with pytest.raises(InputError, match="'tags' is not decided from 'y' alone, but also from 'x'"):
            verify(model)

    def test_a_comparison_made_in_another_way(self):
        model, node, nodes = self.comparison()
        node.output[0] = "early"
        nodes.append(helper.make_node("Identity", ["early"], ["tags"]))
        with pytest.raises(InputError, match=r"'tags' is not compared as limen does it. Export the model again"):
            verify(model)

    def test_constants_may_have_become_initializers(self):
        model, _, nodes = self.comparison(thresholds([0.5, 0.25, np.inf]))
        for constant in [n for n in nodes if n.op_type == "Constant"]:
            tensor = constant.attribute[0].t
            tensor.name = constant.output[0]
            model.graph.initializer.append(tensor)
            nodes.remove(constant)
        assert verify(model).n_items == 12

    def test_an_output_that_is_gone(self):
        model = append_thresholds(tagger("Sigmoid"), thresholds())
        del model.graph.output[0]
        with pytest.raises(InputError, match="the model has no output 'y', which its metadata names"):
            verify(model)
