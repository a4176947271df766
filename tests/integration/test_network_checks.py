"""scikit-learn's checks of estimators around a network."""

# ruff: noqa: N803, N806 - X is what scikit-learn calls it

import warnings

import pytest

pytest.importorskip("torch", reason="limen.learn needs torch: pip install 'limen[learn]'")
pytest.importorskip("sklearn", reason="limen.learn needs scikit-learn: pip install 'limen[learn]'")

import torch
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.estimator_checks import estimator_checks_generator
from torch import nn

from limen.learn.networks import NetworkClassifier, read_targets
from limen.learn.training import seed_of, seeded, train


class Plain(NetworkClassifier):
    """The least that an estimator around a network does."""

    def __init__(self, device=None, random_state=None):
        self.device = device
        self.random_state = random_state

    def fit(self, X, y):
        X = self._read(X, reset=True)
        targets = read_targets(y, len(X))
        self.classes_, self._multilabel = targets.classes, targets.multilabel
        place, seed = self._place(), seed_of(self.random_state)
        with seeded(seed):
            n_hidden, n_outputs = 16, len(self.classes_)
            network = nn.Sequential(
                nn.BatchNorm1d(X.shape[1], affine=False),
                nn.Linear(X.shape[1], n_hidden),
                nn.ReLU(),
                nn.Linear(n_hidden, n_outputs),
            )
        self.network_, loss = network.to(place), targets.loss()
        items, values = torch.as_tensor(X, device=place), torch.as_tensor(targets.values, device=place)
        train(
            network,
            lambda rows, _: loss(network(items[rows]), values[rows]),
            len(X),
            epochs=20,
            batch_size=16,
            learning_rate=0.02,
            seed=seed,
        )
        return self


ESTIMATORS = {"plain": Plain(random_state=0)}


def checks():
    """Every check but those of array libraries."""
    for name, estimator in ESTIMATORS.items():
        for own, check in estimator_checks_generator(estimator):
            said = str(check.func.__name__)
            if "array_api" not in said:
                yield pytest.param(own, check, id=f"{name}-{said}")


@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learns_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataConversionWarning)  # of columns of classes, which the checks ask for
        check(estimator)
