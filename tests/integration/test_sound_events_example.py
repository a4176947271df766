"""The demonstration with sound events: parts that share no recording, exact event times, all of it in short."""

import csv
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "sound_events"
SOUNDS = Path(__file__).parent / "sounds"


@pytest.fixture(scope="module")
def example():
    """Give the modules of the example that need no torch."""
    pytest.importorskip("soundfile")
    pytest.importorskip("soxr")
    sys.path.insert(0, str(EXAMPLE))
    try:
        yield {name: importlib.import_module(name) for name in ("sources", "mixing", "recordings")}
    finally:
        sys.path.remove(str(EXAMPLE))
        for name in ("sources", "mixing", "recordings"):
            sys.modules.pop(name, None)


@pytest.mark.parametrize("data", ["digits.npz", "environment.zip"])
def test_parts_share_no_source_and_each_has_every_label(example, data):
    found = example["sources"].load(SOUNDS / data)
    parts = [{sound.source for sound in found.parts[part]} for part in ("model", "tune", "test")]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    for part in ("model", "tune", "test"):
        assert {label for sound in found.parts[part] for label in sound.labels} == set(range(len(found.labels)))
    if data == "environment.zip":
        folds = {part: {sound.source.split("/")[1][0] for sound in found.parts[part]} for part in found.parts}
        assert folds == {"model": {"3"}, "tune": {"4"}, "test": {"5"}}
    else:
        takes = {part: {sound.source.split("_")[2] for sound in found.parts[part]} for part in found.parts}
        assert takes == {"model": {"0", "1", "2"}, "tune": {"3"}, "test": {"4"}}


def test_events_are_where_the_sound_is(example):
    """Without noise, what is not silent is just what the events say, to the sample."""
    found = example["sources"].load(SOUNDS / "digits.npz")
    mixing = example["mixing"]
    quiet = pytest.MonkeyPatch()
    quiet.setattr(mixing, "_noise", lambda n, rng: np.zeros(n, np.float32))
    try:
        made = [mixing.mix(found, found.parts["model"], 4.0, np.random.default_rng(seed)) for seed in range(20)]
    finally:
        quiet.undo()
    for one in made:
        said = np.zeros(len(one.pcm), bool)
        for label, onset, offset in one.events:
            assert 0 <= onset < offset <= len(one.pcm)
            others = [(o, f) for k, o, f in one.events if k == label and (o, f) != (onset, offset)]
            assert all(offset < o or f < onset for o, f in others)
            said[onset:offset] = True
        heard = np.flatnonzero(np.abs(one.pcm) > 1e-6)
        assert said[heard].all()
        assert said[heard[0] - 2 : heard[0]].sum() <= 2
        assert np.abs(one.pcm).max() <= 0.98
    assert sum(len(one.events) for one in made) > 20


def test_groups_share_no_source(example, tmp_path):
    recordings = example["recordings"]
    found = example["sources"].load(SOUNDS / "digits.npz")
    groups = recordings._dealt_out(found.parts["model"])
    names = [{sound.source for sound in group} for group in groups]
    assert len(groups) == recordings.N_GROUPS
    assert sum(map(len, names)) == len(set.union(*names)) == len(found.parts["model"])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Give the output folder and the words of the whole demonstration, run in a few seconds."""
    for package in ("torch", "onnx", "onnxruntime", "soundfile", "soxr"):
        pytest.importorskip(package)
    output = tmp_path_factory.mktemp("events")
    command = [sys.executable, str(EXAMPLE), str(SOUNDS / "digits.npz"), "-o", str(output)]
    command += ["--train-seconds", "3", "--soundscapes", "12", "--seconds", "6"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return output, done.stdout


def test_the_whole_demonstration(run):
    output, said = run
    assert "agree to" in said
    for method in ("0.5, median 9", "shared cut", "cut by label", "shared setting", "exact", "auto"):
        assert method in said
    import onnxruntime

    session = onnxruntime.InferenceSession(output / "tagger.onnx")
    described = json.loads(session.get_modelmeta().custom_metadata_map["limen.audio"])
    assert described["rate"] == 8000
    assert described["labels"] == ["1", "7", "george", "theo"]
    with (output / "test.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert {row["event_label"] for row in rows} <= {"1", "7", "george", "theo", ""}
    assert len(list((output / "tags").iterdir())) == 12


def test_scores_are_what_torch_gives(run):
    """The exported graph, log-mel and all, is run by limen on the windows that torch was given."""
    _output, said = run
    apart = float(said.split("agree to ")[1].split(".\n")[0].rstrip("."))
    assert apart <= 2e-6
