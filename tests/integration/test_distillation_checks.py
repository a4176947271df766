"""scikit-learn's checks of the tagger that learns from a teacher."""

import warnings

import pytest

pytest.importorskip("torch", reason="limen.learn needs torch: pip install 'limen[learn]'")
pytest.importorskip("sklearn", reason="limen.learn needs scikit-learn: pip install 'limen[learn]'")

from sklearn.exceptions import DataConversionWarning
from sklearn.utils.estimator_checks import estimator_checks_generator
from torch import nn

from limen.learn import DistilledTagger


def network(n_outputs):
    """A network for items of any length."""
    return nn.Sequential(nn.LazyBatchNorm1d(affine=False), nn.LazyLinear(16), nn.ReLU(), nn.Linear(16, n_outputs))


def checks():
    """Every check but those of array libraries."""
    tagger = DistilledTagger(
        network, method=None, epochs=20, learning_rate=0.02, batch_size=16, validation_fraction=0, random_state=0
    )
    for own, check in estimator_checks_generator(tagger):
        name = str(check.func.__name__)
        if "array_api" not in name:
            yield pytest.param(own, check, id=name)


@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learns_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataConversionWarning)  # of columns of classes, which the checks ask for
        check(estimator)
