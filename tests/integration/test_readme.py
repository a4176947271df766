"""The README's Python runs as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest

from limen.datasets import spoken_tags

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def names():
    linear_model = pytest.importorskip("sklearn.linear_model")
    multiclass = pytest.importorskip("sklearn.multiclass")
    pytest.importorskip("torch")
    y_true, y_score, _ = spoken_tags()
    rng = np.random.default_rng(0)
    features = rng.normal(size=(120, 3))
    y = (features[:, :2] + rng.normal(size=(120, 2)) > 0).astype(int)
    return {
        "y_true": y_true[:400],
        "y_score": y_score[:400],
        "new_scores": y_score[400:420],
        "y_test": y_true[400:800],
        "test_scores": y_score[400:800],
        "classifier": multiclass.OneVsRestClassifier(linear_model.LogisticRegression()),
        "X": features,
        "y": y,
        "X_test": features[:10],
    }


def test_every_block_runs_in_order(names, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert len(BLOCKS) >= 3
    for block in BLOCKS:
        exec(compile(block, str(README), "exec"), names)
    assert "expect" in capsys.readouterr().out
    assert (tmp_path / "thresholds.json").is_file()
    assert names["tuner"].predict(names["X_test"]).shape == (10, 2)
    assert names["layer"].labels == names["t"].labels
    names["validation"].update(names["y_true"], names["y_score"])
    assert names["validation"].compute().labels == names["t"].labels
