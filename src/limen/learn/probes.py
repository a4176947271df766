"""What frozen embeddings tell of a nuisance: fresh classifiers, fitted on some items and tested on others."""

# ruff: noqa: N803, N806 - Z is what the equations call it

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, examples, require

require("sklearn", extra="learn", user="limen.learn")

from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.metrics import balanced_accuracy_score  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

PROBES: dict[str, Callable[[int], Any]] = {
    "logistic": lambda seed: LogisticRegression(max_iter=1000),
    "mlp": lambda seed: MLPClassifier((64,), alpha=1e-2, max_iter=200, random_state=seed),
}


class Probe(NamedTuple):
    """What one probe found.

    Attributes
    ----------
    name : str
    accuracy : float
        Share of the test items whose nuisance it tells.
    uar : float
        Unweighted average recall: the mean over the nuisance's values of that share.
    """

    name: str
    accuracy: float
    uar: float


class ProbeReport(NamedTuple):
    """What probes found, as a table when printed.

    Attributes
    ----------
    probes : list of Probe
    chance : float
        Accuracy without the embedding: share in the test part of the value most frequent in the training part.
    uar_chance : float
        Unweighted average recall without the embedding: one over the number of values.
    n_train, n_test : int
        Items.
    """

    probes: list[Probe]
    chance: float
    uar_chance: float
    n_train: int
    n_test: int

    @property
    def accuracy(self) -> float:
        """The stronger probe's accuracy: what the embedding is known to tell."""
        return max(probe.accuracy for probe in self.probes)

    @property
    def uar(self) -> float:
        """The stronger probe's unweighted average recall."""
        return max(probe.uar for probe in self.probes)

    def rows(self) -> list[tuple[str, str, str]]:
        """Return the rows of the table: probe, accuracy, unweighted average recall."""
        found = [*self.probes, Probe("chance", self.chance, self.uar_chance)]
        return [(probe.name, f"{probe.accuracy:.3f}", f"{probe.uar:.3f}") for probe in found]

    def __str__(self) -> str:
        lines = [("probe", "accuracy", "UAR"), *self.rows()]
        width = max(len(line[0]) for line in lines)
        table = [f"{name:{width}}  {accuracy:>8}  {uar:>5}" for name, accuracy, uar in lines]
        return "\n".join([*table, f"fitted on {self.n_train} items, tested on {self.n_test}"])

    def _repr_html_(self) -> str:
        head = "<tr><th>probe</th><th>accuracy</th><th>UAR</th></tr>"
        body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in self.rows())
        return f"<table>{head}{body}</table><p>fitted on {self.n_train} items, tested on {self.n_test}</p>"


def probe_report(
    Z_tr: Any,
    s_tr: Any,
    Z_te: Any,
    s_te: Any,
    probes: Sequence[str] = ("logistic", "mlp"),
    *,
    random_state: int = 0,
) -> ProbeReport:
    """Return how well fresh probes tell the nuisance from embeddings.

    Parameters
    ----------
    Z_tr, Z_te : float array-like (n_items, embed_dim)
        Embeddings that are fixed: to fit probes on, and to test them on. Scaled by the training part.
    s_tr, s_te : array-like (n_items,)
        The nuisance, such as the person: those of the test part are in the training part, too.
    probes : sequence of {"logistic", "mlp"}
        A linear one, and one with a hidden layer of 64 units.
    random_state : int
        Of the second.

    Raises
    ------
    InputError
        If they do not fit each other, or the test part has persons that no probe could have learned.

    Notes
    -----
    Test on items that differ from the training part in all but the nuisance (other texts, say): a probe that
    recognises the text finds its speaker. How far down is good depends on what the wanted labels alone tell of the
    nuisance: where persons have different emotions, an embedding of nothing but emotion tells some.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> who = rng.integers(0, 2, 400)
    >>> Z = rng.normal(0, 1, (400, 4)) + 1.5 * who[:, None]
    >>> print(probe_report(Z[:200], who[:200], Z[200:], who[200:], probes=["logistic"]))
    probe     accuracy    UAR
    logistic     0.905  0.899
    chance       0.550  0.500
    fitted on 200 items, tested on 200
    """
    unknown = [name for name in probes if name not in PROBES]
    if unknown or not probes:
        raise InputError(f"probes={list(probes)} are not known. Choose from {examples(PROBES)}.")
    Z_tr, s_tr = _part(Z_tr, s_tr, "tr")
    Z_te, s_te = _part(Z_te, s_te, "te")
    if Z_tr.shape[1] != Z_te.shape[1]:
        raise InputError(f"Z_tr has {Z_tr.shape[1]} columns, Z_te {Z_te.shape[1]}. Give both from one encoder.")
    values, counts = np.unique(s_tr, return_counts=True)
    if len(values) < 2:
        raise InputError(f"s_tr has one value only, {values[0]!r}. There is nothing to tell: give two or more.")
    strange = sorted(set(s_te.tolist()) - set(s_tr.tolist()))
    if strange:
        raise InputError(
            f"s_te has {examples(strange)}, which s_tr has not: a probe cannot tell whom it never met. Split by "
            "something else, such as texts, so that both parts have the same persons."
        )
    found = []
    for name in probes:
        probe = make_pipeline(StandardScaler(), PROBES[name](random_state))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a probe that is nearly fitted measures as well
            guess = probe.fit(Z_tr, s_tr).predict(Z_te)
        found.append(Probe(name, float(np.mean(guess == s_te)), float(balanced_accuracy_score(s_te, guess))))
    chance = float(np.mean(s_te == values[counts.argmax()]))
    return ProbeReport(found, chance, 1 / len(values), len(s_tr), len(s_te))


def check_known(s: NDArray[Any], name: str) -> None:
    """Refuse values (n_items,) that are None or NaN.

    Raises
    ------
    InputError
        If there are some.
    """
    unknown = [row for row, value in enumerate(s.tolist()) if value is None or value != value]
    if unknown:
        raise InputError(
            f"{name} has no value (NaN or None) in {len(unknown)} of {len(s)} items (first: row {unknown[0]}). "
            "Give one for each item, or drop those without."
        )


def _part(Z: Any, s: Any, name: str) -> tuple[NDArray[np.float64], NDArray[Any]]:
    Z, s = np.asarray(Z, np.float64), np.asarray(s)
    if Z.ndim != 2 or 0 in Z.shape or s.shape != (len(Z),):
        raise InputError(
            f"Z_{name} has shape {Z.shape}, s_{name} {s.shape}. Give a row of Z and a value of s for each item."
        )
    if not np.isfinite(Z).all():
        row = int(np.flatnonzero(~np.isfinite(Z).all(axis=1))[0])
        raise InputError(f"Z_{name} has NaN or inf in row {row}. Embeddings must be finite: mend or drop them.")
    check_known(s, f"s_{name}")
    return Z, s
