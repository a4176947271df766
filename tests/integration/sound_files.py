"""Recordings of tones in noise, the events in them, and a small ONNX model that hears the tones."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from limen.audio import describe

RATE, FRAME = 16000, 640
LABELS = ("low", "high")
HERTZ = (500, 2000)
WINDOW, HOP = 25 * FRAME, 10 * FRAME


def tone_model(path, *, labels=LABELS, scale=40.0):
    """Write a model: a tone's amplitude in each frame of 40 ms, as a probability."""
    t = np.arange(FRAME) / RATE
    kernels = [f(2 * np.pi * hz * t) * 2 / FRAME for hz in HERTZ for f in (np.cos, np.sin)]
    weights = {
        "kernels": np.array(kernels, np.float32)[:, None],
        "pairs": np.kron(np.eye(2), np.ones((1, 2))).astype(np.float32)[:, :, None],
        "one": np.array([1], np.int64),
        "scale": np.array(scale, np.float32),
        "middle": np.array(0.15, np.float32),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["waveform", "one"], ["mono"]),
        helper.make_node("Conv", ["mono", "kernels"], ["parts"], strides=[FRAME]),
        helper.make_node("Mul", ["parts", "parts"], ["squares"]),
        helper.make_node("Conv", ["squares", "pairs"], ["power"]),
        helper.make_node("Sqrt", ["power"], ["amplitude"]),
        helper.make_node("Sub", ["amplitude", "middle"], ["above"]),
        helper.make_node("Mul", ["above", "scale"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["scores"]),
        helper.make_node("Transpose", ["scores"], ["frames"], perm=[0, 2, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "tones",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["n", WINDOW])],
        [helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["n", WINDOW // FRAME, 2])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    describe(
        path,
        rate=RATE,
        window=WINDOW,
        hop=HOP,
        frame_seconds=FRAME / RATE,
        labels=list(labels),
        activation="probability",
    )
    return path


def tones(seconds, events, *, rate=RATE, seed=0):
    """Return samples: noise, and tones where events (onset, offset, label) are."""
    rng = np.random.default_rng(seed)
    samples = rng.normal(0, 0.02, round(seconds * rate))
    t = np.arange(len(samples)) / rate
    for onset, offset, label in events:
        here = (t >= onset) & (t < offset)
        samples[here] += 0.3 * np.sin(2 * np.pi * HERTZ[LABELS.index(label)] * t[here])
    return samples.astype(np.float32)


def random_events(rng, seconds):
    """Return events that do not overlap, of 0.2 s and more, on a grid of 40 ms."""
    events, at = [], 0
    while (at := at + rng.integers(5, 30)) * 0.04 < seconds - 1.5:
        length = rng.integers(5, 25)
        events.append((at * 0.04, (at + length) * 0.04, LABELS[rng.integers(2)]))
        at += length
    return [(round(a, 2), round(b, 2), label) for a, b, label in events]


def write_recordings(folder, n=6, seconds=6.0):
    """Write recordings of several kinds, and return their events by name."""
    import soundfile

    rng, found = np.random.default_rng(7), {}
    for k in range(n):
        rate = (16000, 44100, 8000)[k % 3 if k % 3 < 2 else 0]
        name = f"site {k % 2}/take{k}"
        path = folder / f"{name}.{('wav', 'flac')[k % 2]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        found[name] = random_events(rng, seconds)
        soundfile.write(path, tones(seconds - 0.013 * k, found[name], rate=rate, seed=k), rate)
    return found


def write_annotations(path, events):
    """Write events by name as DCASE does."""
    lines = ["filename\tonset\toffset\tevent_label"]
    for name, own in events.items():
        lines += [f"{name}.wav\t{onset}\t{offset}\t{label}" for onset, offset, label in own] or [
            f"{name}.wav\t\t\t"
        ]
    path.write_text("\n".join(lines) + "\n")
