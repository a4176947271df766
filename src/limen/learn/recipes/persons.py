"""Problems with a label and a nuisance: what they are split into, and one fit of a method on one of them."""

# ruff: noqa: N806 - X and Z are what the equations call them

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.learn import DisentangledClassifier, TwoStreamEncoder, probe_report
from limen.learn.recipes import acoustics, emodb, fsdd
from limen.learn.streams import items_of

Rows = NDArray[np.int64]
EPOCHS = {"EmoDB": 60, "FSDD": 36}
"""Of a fit."""


class Split(NamedTuple):
    """Rows to train on and to test on, and folds of the former: rows to fit on and to validate on."""

    train: Rows
    test: Rows
    folds: list[tuple[Rows, Rows]]


class Problem(NamedTuple):
    """Items of two streams, their classes, and whose they are.

    Attributes
    ----------
    name : str
    X : dict of str to float32 ndarray (n_items, dim)
    y, person : ndarray (n_items,)
    splits : list of Split
    epochs : int
        Of a fit.
    """

    name: str
    X: dict[str, NDArray[np.float32]]
    y: NDArray[Any]
    person: NDArray[np.str_]
    splits: list[Split]
    epochs: int


class Fit(NamedTuple):
    """What a fit came to on rows it did not see.

    Attributes
    ----------
    accuracy : float
        Of the classes.
    logistic, mlp : float
        Accuracy of fresh probes of the person.
    uar : float
        Unweighted average recall of the better of them.
    seconds : float
        Of the fit.
    scores : list of list of float
        Logits of the rows it was tested on.
    """

    accuracy: float
    logistic: float
    mlp: float
    uar: float
    seconds: float
    scores: list[list[float]]


def emotions(folder: Path, seed: int = 0) -> Problem:
    """Return EmoDB: three splits of seven texts to train on and three to test on; two folds of the seven.

    Each fold validates on two texts of its own, and is trained on the other five.
    """
    found = emodb.load(folder)
    splits = []
    for tested in emodb.splits(found.text, 3, 3, seed):
        train = np.flatnonzero(~tested)
        names = np.random.default_rng(seed + 1).permutation(np.unique(found.text[train]))
        held = [np.isin(found.text[train], part) for part in (names[:2], names[2:4])]
        folds = [(train[~part], train[part]) for part in held]
        splits.append(Split(train, np.flatnonzero(tested), folds))
    return Problem(
        "EmoDB", _streams(found.waves, emodb.RATE), found.emotion, found.speaker, splits, EPOCHS["EmoDB"]
    )


def digits(folder: Path) -> Problem:
    """Return FSDD: takes from 25 to train on, 0 to 14 to test on, 15 to 24 to validate on."""
    found = fsdd.load(folder)
    test, validate, train = (
        np.flatnonzero((found.take >= low) & (found.take < high)) for low, high in ((0, 15), (15, 25), (25, 1000))
    )
    split = Split(np.sort(np.concatenate([train, validate])), test, [(train, validate)])
    return Problem("FSDD", _streams(found.waves, fsdd.RATE), found.digit, found.speaker, [split], EPOCHS["FSDD"])


def fitted(problem: Problem, rows: Rows, others: Rows, method: str | None, weight: float, seed: int) -> Fit:
    """Return what a method, fitted on some rows, comes to on others.

    The probes are fitted on the embeddings of the rows that it was fitted on, and tested on the others'.
    """
    X, y, s = problem.X, problem.y, problem.person
    encoder = TwoStreamEncoder({name: values.shape[1] for name, values in X.items()}, 64)
    model = DisentangledClassifier(
        encoder,
        method=method,
        adversary_weight=weight,
        epochs=problem.epochs,
        validation_fraction=0,
        random_state=seed,
    )
    start = time.perf_counter()
    model.fit(items_of(X, rows), y[rows], nuisance=s[rows])
    seconds = time.perf_counter() - start
    held = items_of(X, others)
    told = probe_report(model.embed(items_of(X, rows)), s[rows], model.embed(held), s[others], random_state=seed)
    logistic, mlp = (probe.accuracy for probe in told.probes)
    scores = model.decision_function(held).astype(float).round(4).tolist()
    right = float(np.mean(model.predict(held) == y[others]))
    return Fit(right, logistic, mlp, told.uar, seconds, scores)


def _streams(waves: Sequence[NDArray[np.float32]], rate: int) -> dict[str, NDArray[np.float32]]:
    return {"audio": acoustics.cepstra(waves, rate), "prosody": acoustics.prosody(waves, rate)}
