"""The data that come with limen."""

import numpy as np

from limen.datasets import spoken_tags


def test_spoken_tags_are_whole():
    y_true, y_score, labels = spoken_tags()
    assert y_true.shape == y_score.shape == (4000, 16)
    assert len(set(labels)) == 16
    assert set(np.unique(y_true)) == {0, 1}
    assert y_score.dtype == np.float32
    assert 0 <= y_score.min() < y_score.max() <= 1
    assert y_true.any(axis=0).all()
