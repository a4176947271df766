"""Thresholds in the config.json of real transformers models, and on the outputs of real pipelines."""

import json
import math
import os
import warnings
from functools import partial

import numpy as np
import pytest

import limen
from limen.errors import FileError, InputError, LimenWarning, UnreadableError
from limen.exports.huggingface import PostProcessor, labels_of, read_thresholds, write_thresholds
from strategies import thresholds_at

LABELS = ("kind", "café", "rude", "spam", "never", "dull", "odd")
TEXTS = ["a b", "c", "d e f", "g g g g", "a c e g", "b", "f e d c b a", "a"]


def one(values, labels=LABELS, dtype=np.float32):
    return thresholds_at(values, labels, dtype)


CUTS = [0.25, 0.5, 0.1, 0.9, math.inf, 0.3, 0.4]


@pytest.fixture(scope="module")
def transformers():
    os.environ["HF_HUB_OFFLINE"] = "1"
    pytest.importorskip("torch")
    module = pytest.importorskip("transformers")
    module.utils.logging.disable_progress_bar()
    return module


def config_options(labels, **others):
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {name: k for k, name in enumerate(labels)},
        "problem_type": "multi_label_classification",
        **others,
    }


def tiny(**others):
    return {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8, **others}


def saved(model, folder):
    """A model of random weights, whose scores differ."""
    import torch

    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.7)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def text_model(transformers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefg"]
    (folder / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder)
    options = tiny(vocab_size=len(words), max_position_embeddings=16, **config_options(LABELS))
    return saved(transformers.BertForSequenceClassification(transformers.BertConfig(**options)), folder)


@pytest.fixture(scope="module")
def audio_model(transformers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("audio")
    layers = {"conv_dim": (8, 8), "conv_stride": (5, 2), "conv_kernel": (10, 3), "num_feat_extract_layers": 2}
    options = tiny(num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2, classifier_proj_size=8, **layers)
    config = transformers.Wav2Vec2Config(**options, **config_options(LABELS))
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return saved(transformers.Wav2Vec2ForSequenceClassification(config), folder)


@pytest.fixture
def config(tmp_path):
    """A config.json as transformers writes it, without the model."""
    content = {
        "architectures": ["BertForSequenceClassification"],
        "id2label": {str(k): name for k, name in enumerate(LABELS)},
        "layer_norm_eps": 1e-12,
        "problem_type": "multi_label_classification",
        "transformers_version": "5.0.0",
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def clips():
    return list(np.random.default_rng(0).normal(size=(6, 1600)).astype("f4"))


def scores_of(outputs, labels=LABELS):
    by_name = [{entry["label"]: entry["score"] for entry in item} for item in outputs]
    return np.array([[item[name] for name in labels] for item in by_name], np.float32)


def given_of(outputs):
    return [{entry["label"] for entry in item} for item in outputs]


def check_pipeline(pipe, inputs):
    """The post-processor gives what `decide` gives, for thresholds that are scores of the data."""
    outputs = pipe(inputs)
    # Labels of the thresholds stand in another order than those of the model.
    labels = LABELS[::-1]
    scores = scores_of(outputs, labels)
    y_true = np.random.default_rng(1).random(scores.shape) < 0.4
    y_true[:, labels.index("never")] = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LimenWarning)
        t = limen.tune(y_true, scores, labels=labels, method="exact", placement="score")
    assert t.values.dtype == np.float32
    assert t.never
    decisions = t.decide(scores)
    assert (scores == t.values).any(), "no tie is put to the test"
    expected = [{labels[k] for k in np.flatnonzero(row)} for row in decisions]
    process = PostProcessor(t)
    found = process(outputs)
    assert given_of(found) == expected
    for item, kept in zip(outputs, found, strict=True):
        order = [entry["label"] for entry in item]
        assert [entry["label"] for entry in kept] == [name for name in order if name in given_of([kept])[0]]
        for entry in kept:
            assert entry["score"] == next(x["score"] for x in item if x["label"] == entry["label"])
            assert entry["threshold"] == t.values[labels.index(entry["label"])]
            assert type(entry["threshold"]) is float
    assert process(outputs[0]) == found[0]
    assert outputs == pipe(inputs), "the outputs were changed"
    return t


def test_real_models_and_pipelines(transformers, text_model, audio_model, tmp_path):
    """In one test, because importing transformers takes long."""
    check_text_classification(transformers, text_model)
    audio = transformers.pipeline("audio-classification", model=str(audio_model), top_k=None)
    # Asked for, since older ones took the softmax of every audio model.
    check_pipeline(partial(audio, function_to_apply="sigmoid"), clips())
    check_outputs_of_the_best_labels_only_are_refused(transformers, text_model, audio_model)
    check_a_softmax_is_noticed(transformers, text_model, audio_model)
    check_thresholds_travel_with_the_model(transformers, text_model, tmp_path)
    assert labels_of(transformers.BertConfig(num_labels=3)) == ("LABEL_0", "LABEL_1", "LABEL_2")


def check_text_classification(transformers, text_model):
    pipe = transformers.pipeline("text-classification", model=str(text_model), top_k=None)
    process = PostProcessor(check_pipeline(pipe, TEXTS))
    one_item = transformers.pipeline("text-classification", model=str(text_model))(TEXTS[0], top_k=None)
    assert isinstance(one_item[0], dict)
    assert process(one_item) == process([one_item])[0]


def check_outputs_of_the_best_labels_only_are_refused(transformers, text_model, audio_model):
    process = PostProcessor(one(CUTS))
    audio = transformers.pipeline("audio-classification", model=str(audio_model))
    with pytest.raises(InputError, match=r"item 0 have 5 of 7 labels; .* left out. Run the .* top_k=None"):
        process(audio(clips()[0], top_k=5))
    text = transformers.pipeline("text-classification", model=str(text_model))
    with pytest.raises(InputError, match=r"item 0 have 1 of 7 labels"):
        process(text(TEXTS[0]))
    with pytest.raises(InputError, match=r"item 0 (repeat|have)"):
        process(text(TEXTS))


def check_a_softmax_is_noticed(transformers, text_model, audio_model):
    process = PostProcessor(one(CUTS))
    for task, model, inputs in (
        ("text-classification", text_model, TEXTS),
        ("audio-classification", audio_model, clips()),
    ):
        pipe = transformers.pipeline(task, model=str(model), top_k=None, function_to_apply="softmax")
        outputs = pipe(inputs)
        with pytest.warns(LimenWarning, match='sum to 1, as after a softmax.*function_to_apply="sigmoid"'):
            kept = process(outputs)
        assert PostProcessor(one(CUTS), softmax=True)(outputs) == kept
        process(pipe(inputs, function_to_apply="sigmoid"))


def check_thresholds_travel_with_the_model(transformers, text_model, tmp_path):
    model = transformers.AutoModelForSequenceClassification.from_pretrained(text_model)
    with pytest.raises(InputError, match=r"the config has no 'limen_thresholds'. Write them with limen.exports"):
        read_thresholds(model.config)
    model.save_pretrained(tmp_path / "mine")
    t = one(CUTS, LABELS)
    assert labels_of(model.config) == labels_of(tmp_path / "mine") == LABELS
    assert write_thresholds(tmp_path / "mine", t) == tmp_path / "mine" / "config.json"
    config = transformers.AutoConfig.from_pretrained(tmp_path / "mine")
    assert config.thresholds == {
        name: None if cut == math.inf else float(np.float32(cut)) for name, cut in zip(LABELS, CUTS, strict=True)
    }
    assert read_thresholds(config) == read_thresholds(tmp_path / "mine") == t
    again = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "mine")
    again.save_pretrained(tmp_path / "again")
    assert read_thresholds(tmp_path / "again") == t
    for name, parameter in model.state_dict().items():
        assert parameter.equal(again.state_dict()[name])


class TestConfig:
    def test_all_else_is_kept_as_it_stood(self, config):
        before = config.read_text()
        t = one(CUTS, LABELS[::-1])
        write_thresholds(config, t)
        after = config.read_text()
        assert after.startswith(before.rstrip().removesuffix("}").rstrip() + ",")
        assert after.isascii()
        assert after.endswith("}\n")
        content = json.loads(after)
        assert list(content["thresholds"]) == list(LABELS)
        assert content["thresholds"]["odd"] == 0.25
        assert content["limen_thresholds"] == t.to_dict()
        assert read_thresholds(config.parent) == t

    @pytest.mark.parametrize("indent", ["\t", 4, None])
    def test_its_way_of_writing_is_kept(self, config, indent):
        content = json.loads(config.read_text())
        config.write_text(json.dumps(content, indent=indent, ensure_ascii=False), encoding="utf-8")
        write_thresholds(config, one(CUTS))
        text = config.read_text(encoding="utf-8")
        assert "café" in text
        content = json.loads(text)
        assert text == json.dumps(content, indent=indent or 2, ensure_ascii=False) + "\n"

    def test_thresholds_of_limen_are_replaced(self, config):
        write_thresholds(config, one([0.5] * 7))
        write_thresholds(config, one(CUTS))
        assert read_thresholds(config) == one(CUTS)

    @pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
    def test_numbers_are_kept_exactly(self, config, dtype):
        limits = np.finfo(dtype)
        values = np.array([0.1, limits.min, limits.smallest_subnormal, -0.0, np.inf, 1 / 3, limits.max], dtype)
        write_thresholds(config, one(values, dtype=dtype))
        read = read_thresholds(config)
        assert read.values.dtype == dtype
        assert read.values.tobytes() == values.tobytes()

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ({}, "the config has no 'id2label'. It names the model's labels by number"),
            ({"id2label": {}}, "the config has no 'id2label'"),
            (
                {"id2label": {"0": "a", "2": "b"}},
                "ids of 'id2label' are '0', '2'. They must be the numbers from 0 to 1.",
            ),
            ({"id2label": {"0": "a", "one": "b"}}, "They must be the numbers from 0 to 1"),
            ({"id2label": {"0": "a", "01": "b"}}, "They must be the numbers from 0 to 1"),
            ({"id2label": {0: "a", "0": "b"}}, "They must be the numbers from 0 to 1"),
            ({"id2label": {False: "a", True: "b"}}, "They must be the numbers from 0 to 1"),
            ({"id2label": {"0": "a", "1": 7}}, "'id2label' has the names '7', which are no text"),
            ({"id2label": {"0": "a", "1": "a"}}, "'id2label' repeats 'a'. Every label needs a name of its own."),
        ],
    )
    def test_ids_that_are_no_numbers_or_names_that_are_no_names(self, content, message):
        with pytest.raises(InputError, match=message):
            labels_of(content)

    def test_ten_labels_are_in_the_order_of_numbers(self):
        assert labels_of({"id2label": {str(k): f"l{k}" for k in sorted(range(11), key=str)}})[2] == "l2"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (b"", "is no config.json: Expecting value"),
            (b"[1]", "is no config.json: it is a list. It must be an object."),
            (b'{"id2label": {"0": "a", "0": "b"}}', "is no config.json: it repeats '0'. Save the model again."),
            (b"\xff", "is no config.json: it is not UTF-8 text"),
            (b"{}", "config.json: the config has no 'id2label'"),
            (
                b'{"id2label": {"0": "a"}}',
                "only in 'id2label', 'kind', 'café', 'rude', 'spam', 'never' and 2 more only",
            ),
        ],
    )
    def test_files_that_are_no_config_stay_as_they_are(self, config, text, message):
        config.write_bytes(text)
        with pytest.raises(InputError, match=message):
            write_thresholds(config, one(CUTS))
        assert config.read_bytes() == text
        assert [path.name for path in config.parent.iterdir()] == ["config.json"]

    def test_labels_are_joined_by_name(self, config):
        t = one(CUTS, (*LABELS[:-1], "Odd"))
        before = config.read_bytes()
        message = (
            "name different labels: 'odd' only in 'id2label', 'Odd' only in the thresholds. Tune on this model's"
        )
        with pytest.raises(InputError, match=message):
            write_thresholds(config, t)
        with pytest.raises(InputError, match="'spam', 'never', 'dull', 'odd' only in 'id2label'\\. Tune on"):
            write_thresholds(config, one(CUTS[:3], LABELS[:3]))
        assert config.read_bytes() == before

    def test_thresholds_of_somebody_else_are_not_replaced(self, config):
        text = json.dumps({**json.loads(config.read_text()), "thresholds": [0.5]})
        config.write_text(text)
        with pytest.raises(InputError, match=r"has 'thresholds' that limen did not write. Rename that key first."):
            write_thresholds(config, one(CUTS))
        assert config.read_text() == text

    def test_missing_and_unwritable_files(self, config):
        with pytest.raises(
            UnreadableError, match=r"cannot read .*nowhere: No such file.*save_pretrained makes one"
        ):
            labels_of(config.parent / "nowhere")
        (config.parent / "config.json").rename(config.parent / "other.json")
        (config.parent / "config.json").symlink_to(config.parent / "gone" / "config.json")
        with pytest.raises(UnreadableError, match="cannot read"):
            write_thresholds(config.parent, one(CUTS))
        if os.geteuid() != 0:
            (config.parent / "other.json").chmod(0o400)
            with pytest.raises(FileError, match="write-protected"):
                write_thresholds(config.parent / "other.json", one(CUTS))

    def test_what_is_no_config(self):
        with pytest.raises(InputError, match=r"config is a list \(\['a'\]\). It must be a model's folder"):
            labels_of(["a"])

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                lambda c: c["thresholds"].update(kind=0.75),
                "'thresholds' and 'limen_thresholds' .* differ for 'kind'",
            ),
            (
                lambda c: c["thresholds"].pop("never"),
                "differ for 'never'. One was altered: write the thresholds again",
            ),
            (lambda c: c["thresholds"].update(more=0.5), "differ for 'more'. One"),
            (lambda c: c.pop("thresholds"), "differ for 'kind', 'café', 'rude', 'spam', 'never' and 2 more"),
            (lambda c: c["limen_thresholds"].update(schema_version=99), "the file has schema version 99"),
            (
                lambda c: c["id2label"].update({"0": "nice"}),
                "'nice' only in 'id2label', 'kind' only in the thresholds",
            ),
        ],
    )
    def test_altered_thresholds_are_refused(self, config, change, message):
        write_thresholds(config, one(CUTS))
        content = json.loads(config.read_text())
        change(content)
        with pytest.raises(InputError, match=message):
            read_thresholds(content)


class TestOutputs:
    PROCESS = PostProcessor(one([0.5, 0.25], ("dog", "cat")))

    @pytest.mark.parametrize(
        ("outputs", "message"),
        [
            ({"label": "dog", "score": 0.5}, "the outputs are a dict .* They must be a list of"),
            ("dog", "the outputs are a str"),
            (["dog"], "the outputs of item 0 are a str"),
            ([[{"label": "dog"}]], "the outputs of item 0 are a list"),
            ([[{"label": "dog", "score": "high"}]], "the outputs of item 0 are a list"),
            ([[{"label": ["dog"], "score": 0.5}]], "the outputs of item 0 are a list"),
            ([[]], "the outputs of item 0 have 0 of 2 labels; 'dog', 'cat' left out"),
            (
                [[{"label": "dog", "score": 0.5}, {"label": "cow", "score": 0.5}]],
                "item 0 have 'cow', for which there is no threshold. Use the thresholds of this model.",
            ),
            (
                [[{"label": "dog", "score": 0.5}, {"label": "cat", "score": math.nan}]],
                "y_score has NaN",
            ),
        ],
    )
    def test_outputs_of_another_form(self, outputs, message):
        with pytest.raises(InputError, match=message):
            self.PROCESS(outputs)

    def test_raw_logits_are_noticed(self):
        outputs = [{"label": "dog", "score": -2.5}, {"label": "cat", "score": 3.25}]
        with pytest.warns(
            LimenWarning, match=r'reach from -2.5 to 3.25, as raw logits do.*function_to_apply="sigm'
        ):
            assert [entry["label"] for entry in self.PROCESS(outputs)] == ["cat"]
        on_logits = PostProcessor(one([-1.0, math.inf], ("dog", "cat")))
        assert on_logits(outputs) == []
        rounded = [{"label": "dog", "score": 1.0 + 1e-6}, {"label": "cat", "score": 0.125}]
        assert [entry["label"] for entry in self.PROCESS(rounded)] == ["dog"]

    def test_a_label_that_is_repeated(self):
        with pytest.raises(InputError, match=r"item 0 repeat 'dog'. Run the pipeline with top_k=None; otherwise"):
            self.PROCESS([{"label": "dog", "score": 0.5}, {"label": "dog", "score": 0.25}])

    def test_a_single_label_at_1_is_no_softmax(self):
        kept = PostProcessor(one([0.5], ["dog"]))([{"label": "dog", "score": 1.0}])
        assert kept == [{"label": "dog", "score": 1.0, "threshold": 0.5}]

    def test_no_items(self):
        assert self.PROCESS([]) == []

    def test_further_entries_are_kept(self):
        outputs = [{"score": 0.25, "label": "cat", "index": 1}, {"score": 0.25, "label": "dog", "index": 0}]
        assert self.PROCESS(outputs) == [{"score": 0.25, "label": "cat", "index": 1, "threshold": 0.25}]
