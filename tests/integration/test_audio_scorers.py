"""Models of sound: ONNX with what it says of itself, Hugging Face, and the campaign of mutated recordings."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from limen.audio import CallableScorer, HuggingFaceScorer, OnnxScorer, describe, score
from limen.errors import InputError, LimenWarning, UnreadableError

soundfile = pytest.importorskip("soundfile")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("soxr")

RATE, WINDOW, FRAME = 8000, 4000, 400
ABOUT = {
    "rate": RATE,
    "window": WINDOW,
    "hop": WINDOW // 2,
    "frame_seconds": FRAME / RATE,
    "labels": ["loud", "louder"],
    "activation": "logit",
}
FAULTS = Path(__file__).parents[2] / "benchmarks" / "audio_faults.py"


def loudness(windows):
    """Return twice the power of each frame, and half of it: what the model of `model_file` computes."""
    power = (windows.reshape(len(windows), -1, FRAME) ** 2).mean(axis=2)
    return np.stack([2 * power, 0.5 * power], axis=2)


@pytest.fixture
def model_file(tmp_path):
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    shape = onnx.numpy_helper.from_array(np.array([0, WINDOW // FRAME, FRAME], np.int64), "shape")
    weight = onnx.numpy_helper.from_array(np.array([[[2, 0.5]]], np.float32), "weight")
    nodes = [
        helper.make_node("Reshape", ["samples", "shape"], ["frames"]),
        helper.make_node("Mul", ["frames", "frames"], ["squares"]),
        helper.make_node("ReduceMean", ["squares"], ["power"], axes=[2], keepdims=1),
        helper.make_node("Mul", ["power", "weight"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "loudness",
        [helper.make_tensor_value_info("samples", kind, ["n", WINDOW])],
        [helper.make_tensor_value_info("scores", kind, ["n", WINDOW // FRAME, 2])],
        [shape, weight],
    )
    path = tmp_path / "loudness.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_described_model_scores_a_recording_as_the_function_it_computes(model_file, tmp_path):
    describe(model_file, **ABOUT)
    describe(model_file, **ABOUT)  # once more changes nothing
    scorer = OnnxScorer(model_file)
    assert (scorer.rate, scorer.window, scorer.hop, scorer.frame_seconds) == (RATE, WINDOW, WINDOW // 2, 0.05)
    assert (scorer.labels, scorer.activation) == (("loud", "louder"), "logit")
    assert len(onnx.load(model_file).metadata_props) == 1
    pcm = np.random.default_rng(0).normal(0, 0.2, (3 * 44100 + 11, 2))
    soundfile.write(tmp_path / "noise.flac", pcm, 44100)
    for pooling in ("mean", "max", "noisy-or", "centre"):
        found = score(tmp_path / "noise.flac", scorer, pooling)
        assert found.shape == (61, 2)
        expected = score(tmp_path / "noise.flac", CallableScorer(loudness, **ABOUT), pooling)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert OnnxScorer(model_file, hop=WINDOW).hop == WINDOW


def test_a_model_that_does_not_say_what_it_needs(model_file):
    with pytest.raises(InputError, match=r"loudness\.onnx does not say its rate, window, hop, .*describe"):
        OnnxScorer(model_file)
    assert OnnxScorer(model_file, **ABOUT).labels == ("loud", "louder")
    describe(model_file, **ABOUT)
    with pytest.raises(InputError, match=r"says rate=8000, and 16000 is given"):
        OnnxScorer(model_file, rate=16000)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"labels": ["loud"]}, "2 scores for a frame, and (has )?1 labels"),
        ({"window": 8000}, "takes windows of 4000 samples"),
        ({"hop": 2100}, r"hop=2100 samples is 5\.25 frames"),
        ({"hop": 8000}, "hop=8000 samples, window=4000"),
        ({"rate": 0}, "rate=0"),
        ({"frame_seconds": float("nan")}, "frame_seconds=nan"),
        ({"labels": ["loud", "loud"]}, "labels repeats 'loud'"),
        ({"labels": "ab"}, "labels"),
        ({"labels": []}, "labels is empty"),
        ({"activation": "softmax"}, "activation='softmax' is unknown"),
    ],
)
def test_descriptions_that_contradict(model_file, changed, said):
    before = model_file.read_bytes()
    with pytest.raises(InputError, match=said):
        describe(model_file, **{**ABOUT, **changed})
    assert model_file.read_bytes() == before
    with pytest.raises(InputError):
        OnnxScorer(model_file, **{**ABOUT, **changed})


def whole_windows(path, *, named=("clipwise",)):
    """Write a model that gives one score for a window and label: the mean power, and half of it."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weight = onnx.numpy_helper.from_array(np.array([[2, 0.5]], np.float32), "weight")
    nodes = [
        helper.make_node("Mul", ["samples", "samples"], ["squares"]),
        helper.make_node("ReduceMean", ["squares"], ["power"], axes=[1], keepdims=1),
        *(helper.make_node("Mul", ["power", "weight"], [name]) for name in named),
        helper.make_node("Identity", ["samples"], ["embedding"]),
    ]
    outputs = [helper.make_tensor_value_info(name, kind, ["n", 2]) for name in named]
    outputs.insert(0, helper.make_tensor_value_info("embedding", kind, ["n", WINDOW]))
    inputs = [helper.make_tensor_value_info("samples", kind, ["n", WINDOW])]
    graph = helper.make_graph(nodes, "clips", inputs, outputs, [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.mark.parametrize("hop", [WINDOW, 2000, 1000, 1500])
def test_a_model_of_whole_windows_may_overlap_them(tmp_path, hop):
    path = whole_windows(tmp_path / "clips.onnx")
    describe(path, **{**ABOUT, "hop": WINDOW, "frame_seconds": WINDOW / RATE})
    scorer = OnnxScorer(path).with_hop(hop)
    assert scorer.description == OnnxScorer(path, hop=hop).description
    assert scorer.frame_seconds == hop / RATE
    pcm = np.random.default_rng(0).normal(0, 0.2, 2 * RATE).astype(np.float32) * np.linspace(0, 1, 2 * RATE)
    soundfile.write(tmp_path / "a.wav", pcm, RATE, subtype="FLOAT")
    found = score(tmp_path / "a.wav", scorer, "max")
    starts = range(0, max(1, len(pcm) - WINDOW + hop), hop)
    power = [(np.resize(np.pad(pcm[s : s + WINDOW], (0, WINDOW)), WINDOW) ** 2).mean() for s in starts]
    covers = int(WINDOW / hop + 0.5)
    expected = [max(power[max(k - covers + 1, 0) : k + 1]) for k in range(-(-len(pcm) // hop))]
    np.testing.assert_allclose(found, np.outer(expected, [2, 0.5]), rtol=1e-5)


def test_a_model_that_does_not_say_how_long_a_frame_is(model_file, tmp_path):
    """The length is derived from what the model gives, and told; the metadata is the truth where there is some."""
    about = {key: value for key, value in ABOUT.items() if key != "frame_seconds"}
    with pytest.warns(LimenWarning, match=r"for a window of 0\.5 s 10 frames, taken to be 0\.05 s each"):
        assert OnnxScorer(model_file, **about).frame_seconds == 0.05
    clips = whole_windows(tmp_path / "clips.onnx")
    with pytest.warns(LimenWarning, match=r"for a window of 0\.5 s one score, for all of it"):
        assert OnnxScorer(clips, **about).frame_seconds == 0.25
    describe(model_file, **ABOUT)
    assert OnnxScorer(model_file).frame_seconds == 0.05
    with pytest.raises(InputError, match=r"says frame_seconds=0\.05, and 0\.1 is given"):
        OnnxScorer(model_file, frame_seconds=0.1)
    for unclear in (whole_windows(tmp_path / "two.onnx", named=("a", "b")),):
        with pytest.raises(InputError, match="name the output"):
            OnnxScorer(unclear, **ABOUT)
        with pytest.warns(LimenWarning):
            assert OnnxScorer(unclear, **about, output="b").hop == WINDOW // 2


def test_files_that_are_no_models(tmp_path, model_file):
    with pytest.raises(UnreadableError, match=r"gone\.onnx: there is no such file"):
        OnnxScorer(tmp_path / "gone.onnx", **ABOUT)
    (tmp_path / "odd.onnx").write_bytes(b"odd")
    with pytest.raises(UnreadableError, match=r"odd\.onnx is no ONNX model that onnxruntime runs"):
        OnnxScorer(tmp_path / "odd.onnx", **ABOUT)
    with pytest.raises(InputError, match=r"has no output 'tags'\. It has 'scores'"):
        OnnxScorer(model_file, **ABOUT, output="tags")
    describe(model_file, **ABOUT)
    altered = onnx.load(model_file)
    altered.metadata_props[0].value = "{}"
    onnx.save(altered, model_file)
    with pytest.raises(InputError, match="was altered"):
        OnnxScorer(model_file)
    altered.metadata_props[0].value = '{"version": 2}'
    onnx.save(altered, model_file)
    with pytest.raises(InputError, match="described by version 2"):
        OnnxScorer(model_file)


@pytest.fixture(scope="module")
def hugging_face():
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = transformers.Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8, 8),
        conv_stride=(5, 4),
        conv_kernel=(10, 8),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        classifier_proj_size=8,
        id2label={0: "dog", 1: "rain", 2: "wind"},
        label2id={"dog": 0, "rain": 1, "wind": 2},
    )
    return transformers, config, transformers.Wav2Vec2FeatureExtractor(sampling_rate=RATE)


def test_a_classifier_of_hugging_face_gives_log_odds(hugging_face, tmp_path):
    import torch

    transformers, config, extractor = hugging_face
    torch.manual_seed(0)
    model = transformers.Wav2Vec2ForSequenceClassification(config)
    scorer = HuggingFaceScorer(model, extractor, window_seconds=0.5, hop_seconds=0.25)
    assert (scorer.labels, scorer.hop, scorer.frame_seconds) == (("dog", "rain", "wind"), 2000, 0.25)
    windows = np.random.default_rng(0).normal(0, 0.1, (2, WINDOW)).astype(np.float32)
    inputs = extractor(list(windows), sampling_rate=RATE, return_tensors="pt")
    with torch.inference_mode():
        logits = model(**inputs).logits
    p = 1 / (1 + np.exp(-scorer(windows).astype(float)))
    np.testing.assert_allclose(p, torch.softmax(logits, -1).numpy(), atol=1e-6)
    model.config.problem_type = "multi_label_classification"
    several = HuggingFaceScorer(model, extractor, window_seconds=0.5)
    np.testing.assert_allclose(several(windows), logits.numpy(), atol=1e-6)
    model.config.problem_type = None
    soundfile.write(tmp_path / "a.wav", windows.ravel(), RATE)
    found = score(tmp_path / "a.wav", scorer, "max")
    middle = scorer(windows.ravel()[None, 2000:6000])[0]
    first, last = scorer(windows)
    expected = [first, np.maximum(first, middle), np.maximum(middle, last), last]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_frame_classifier_of_hugging_face(hugging_face):
    transformers, config, extractor = hugging_face
    model = transformers.Wav2Vec2ForAudioFrameClassification(config)
    windows = np.zeros((1, WINDOW), np.float32)
    frames = HuggingFaceScorer(model, extractor, window_seconds=0.5, frame_seconds=20 / RATE)
    assert frames(windows).shape == (1, 198, 3)
    with pytest.raises(InputError, match=r"logits \(1, 198, 3\)\. Give frame_seconds"):
        HuggingFaceScorer(model, extractor, window_seconds=0.5)(windows)


def test_what_hugging_face_scorers_refuse(hugging_face):
    transformers, config, extractor = hugging_face
    model = transformers.Wav2Vec2ForSequenceClassification(config)
    with pytest.raises(InputError, match="hop=4800 samples, window=4000"):
        HuggingFaceScorer(model, extractor, window_seconds=0.5, hop_seconds=0.6)
    with pytest.raises(InputError, match="has no sampling_rate"):
        HuggingFaceScorer(model, object(), window_seconds=0.5)
    with pytest.raises(InputError, match=r"has no config\.id2label"):
        HuggingFaceScorer(object(), extractor, window_seconds=0.5)
    with pytest.raises(InputError, match="window_seconds=0"):
        HuggingFaceScorer(model, extractor, window_seconds=0)


def test_no_mutated_recording_loses_sound_without_a_word():
    command = [sys.executable, str(FAULTS), "--inputs", "48", "--seed", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
