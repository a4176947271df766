"""Generalized zero-shot classification from sound and pictures: classes that were described, never shown.

After AVGZSLNet (Mazumder, Singh, Parida, Namboodiri; arXiv 2005.13402).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

import limen
from limen.errors import InputError, LimenWarning, count, examples, require

require("torch", extra="learn", user="limen.learn")
require("sklearn", extra="learn", user="limen.learn")

import torch  # noqa: E402
from sklearn.base import BaseEstimator  # noqa: E402
from sklearn.utils.validation import check_is_fitted  # noqa: E402
from torch import nn  # noqa: E402

from limen.learn.exporting import export  # noqa: E402
from limen.learn.networks import scores_of  # noqa: E402
from limen.learn.training import Progress, Training, device_of, seed_of, seeded, train  # noqa: E402
from limen.learn.zeroshot_networks import (  # noqa: E402
    AVGZSLNet,
    CompositeTripletLoss,
    CrossModalDecoderLoss,
    Scores,
    Views,
)
from limen.learn.zeroshot_report import balanced, classes_of  # noqa: E402

GIVEN = {"both": ("audio", "video"), "audio": ("audio",), "video": ("video",)}
"""Which views an item can have at prediction."""


class AudioVisualZeroShotClassifier(BaseEstimator):  # type: ignore[misc]
    """Classes from sound and pictures, also such that were only described.

    Sounds, pictures and class texts are embedded in one space, where an item lies near the text of its class; the
    score of a class is the negative distance to its text. At prediction sound or picture may be missing.

    Parameters
    ----------
    embed_dim, hidden_dim : int
        Sizes within `AVGZSLNet`.
    dropout : float
    margin : float
        Of the triplets.
    decoder : bool
        Whether `CrossModalDecoderLoss` is added to `CompositeTripletLoss`.
    epochs, batch_size : int
    learning_rate, weight_decay : float
    patience : int, optional
        Epochs without a better validation value after which a fit stops; needs a ``validation_fraction``.
    validation_fraction : float
        Share of the items that choose the epoch, by mean per-class recall among seen classes; not trained on.
    seen_penalty : {"hm"} or float
        What is taken from the scores of seen classes, which else win too often. "hm" tunes it without an item of
        an unseen class: a first network is fitted without a quarter of the seen classes, which play the unseen
        ones, and `limen.solvers.GroupOffset` finds what is best for the harmonic mean of both groups' mean
        per-class recall, for each way of giving views. It takes a second fit. 0.0 takes nothing.
    random_state : int, RandomState or None
    device : str, optional
        Of PyTorch; a GPU if there is one.
    verbose : bool or callable ``(epoch, epochs, note)``
        Whether progress is printed, or what is called.

    Attributes
    ----------
    network_ : AVGZSLNet
    classes_ : int ndarray (n_classes,)
        Rows of ``class_text``.
    seen_ : bool ndarray (n_classes,)
    seen_penalty_ : dict of float
        By what is given: "both", "audio", "video".
    balanced_on_ : tuple of int
        The seen classes that played the unseen ones; empty where nothing was tuned.
    training_ : Training
        Of the last fit.

    Notes
    -----
    The loss is `CompositeTripletLoss` plus `CrossModalDecoderLoss`, unweighted; each item is paired with one of
    another class, drawn anew in each batch. Texts are brought to length 1. Means and spreads are of seen items.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> text = np.eye(4) + 0.1
    >>> y = rng.integers(0, 4, 400)
    >>> audio = text[y] @ rng.normal(size=(4, 8)) + 0.3 * rng.normal(size=(400, 8))
    >>> video = text[y] @ rng.normal(size=(4, 6)) + 0.3 * rng.normal(size=(400, 6))
    >>> clf = AudioVisualZeroShotClassifier(epochs=3, hidden_dim=16, seen_penalty=0.0, random_state=0)
    >>> some = y < 3
    >>> clf = clf.fit(audio[some], video[some], y[some], text, seen_classes=[0, 1, 2])
    >>> clf.decision_function(audio=audio).shape, clf.rank(3, video=video).shape
    ((400, 4), (400,))
    """

    def __init__(
        self,
        *,
        embed_dim: int = 64,
        hidden_dim: int = 256,
        dropout: float = 0.2,
        margin: float = 1.0,
        decoder: bool = True,
        epochs: int = 50,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        patience: int | None = None,
        validation_fraction: float = 0.0,
        seen_penalty: str | float = "hm",
        random_state: Any = None,
        device: str | None = None,
        verbose: bool | Progress = False,
    ) -> None:
        self.embed_dim = embed_dim
        self.hidden_dim = hidden_dim
        self.dropout = dropout
        self.margin = margin
        self.decoder = decoder
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.seen_penalty = seen_penalty
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    def fit(
        self,
        audio: ArrayLike,
        video: ArrayLike,
        y: ArrayLike,
        class_text: ArrayLike,
        seen_classes: ArrayLike | None = None,
    ) -> Self:
        """Return the classifier fitted.

        Parameters
        ----------
        audio, video : float array-like (n_items, n_features)
            Of the same items.
        y : int array-like (n_items,)
            The class of each: a row of ``class_text``.
        class_text : float array-like (n_classes, n_text)
            A description of each class, unseen ones too: a word vector, attributes.
        seen_classes : int array-like, optional
            Which may be trained on: items of others are left out, with a warning. Those in ``y``, if left out.

        Raises
        ------
        InputError
            If the parts do not fit together, or there are fewer than two seen classes (three for
            ``seen_penalty="hm"``).
        """
        self._check_parameters()
        text = _finite(class_text, "class_text")
        if not (np.linalg.norm(text, axis=1) > 0).all():
            row = int(np.flatnonzero(np.linalg.norm(text, axis=1) == 0)[0])
            raise InputError(f"class_text has only zeros in row {row}: it describes no class. Describe it.")
        items = {"audio": _finite(audio, "audio"), "video": _finite(video, "video")}
        y = classes_of(y, len(text))
        for name, part in items.items():
            if len(part) != len(y):
                raise InputError(f"{name} has {count(len(part), 'item')}, y has {len(y)}. Give one row for each.")
        seen = np.zeros(len(text), bool)
        seen[np.unique(y) if seen_classes is None else classes_of(seen_classes, len(text), "seen_classes")] = True
        if not seen[y].all():
            warnings.warn(
                f"{count(int((~seen[y]).sum()), 'item')} of classes that are not seen were left out: classes "
                f"{examples(np.unique(y[~seen[y]]).tolist())}. They take no part in training.",
                LimenWarning,
                stacklevel=2,
            )
        items, y = {name: part[seen[y]] for name, part in items.items()}, y[seen[y]]
        shown = np.unique(y)
        needed = 3 if self.seen_penalty == "hm" else 2
        if len(shown) < needed:
            raise InputError(
                f"y has items of {count(len(shown), 'seen class')}. Give items of {needed} or more"
                + ("." if needed == 2 else ", or a number as seen_penalty.")
            )
        self.classes_, self.seen_ = np.arange(len(text)), seen
        self._text = text / np.linalg.norm(text, axis=1, keepdims=True)
        self._sizes = {name: part.shape[1] for name, part in items.items()}
        seed = seed_of(self.random_state)
        self.balanced_on_: tuple[int, ...] = ()
        if self.seen_penalty == "hm":
            self.seen_penalty_ = self._tuned(items, y, shown, seed)
        else:
            self.seen_penalty_ = dict.fromkeys(GIVEN, float(self.seen_penalty))
        self.network_, self.training_ = self._fitted(items, y, seed)
        return self

    def decision_function(
        self, audio: ArrayLike | None = None, video: ArrayLike | None = None
    ) -> NDArray[np.float32]:
        """Return the scores of the items: larger is nearer.

        Parameters
        ----------
        audio, video : float array-like (n_items, n_features), optional
            One or both. The scores of both are sums, so that thresholds and penalties go with what is given.

        Returns
        -------
        float32 ndarray (n_items, n_classes)
            Negative distances, 0 or less, before ``seen_penalty_``; columns in the order of ``class_text``.

        Raises
        ------
        InputError
            If none is given, or they do not fit.
        """
        check_is_fitted(self, "network_")
        given, items = self._read(audio, video)
        return self._scores(self.network_, given, items)

    def predict(self, audio: ArrayLike | None = None, video: ArrayLike | None = None) -> NDArray[np.int64]:
        """Return the class of each item (n_items,), after ``seen_penalty_`` was taken from seen classes."""
        scores = self.decision_function(audio, video)
        given, _ = self._read(audio, video)
        return np.asarray((scores - self.seen_penalty_[given] * self.seen_).argmax(axis=1))

    def rank(
        self, class_index: int, audio: ArrayLike | None = None, video: ArrayLike | None = None
    ) -> NDArray[np.int64]:
        """Return the numbers of the items, the nearest to a class's text first."""
        scores = self.decision_function(audio, video)
        if not 0 <= class_index < scores.shape[1]:
            raise InputError(f"class_index={class_index}: there are classes 0 to {scores.shape[1] - 1}.")
        return np.argsort(-scores[:, class_index], kind="stable")

    def balance(
        self, y: ArrayLike, audio: ArrayLike | None = None, video: ArrayLike | None = None
    ) -> limen.Thresholds:
        """Return thresholds tuned on labelled items of seen and unseen classes, and keep their penalty.

        For those who have items of unseen classes to tune on. What was not given keeps its penalty.

        Parameters
        ----------
        y : int array-like (n_items,)
        audio, video : as for ``decision_function``

        Returns
        -------
        Thresholds
            Of the rule "argmax": ``decide`` gives each item one class.
        """
        scores = self.decision_function(audio, video)
        given, _ = self._read(audio, video)
        tuned = balanced(classes_of(y, len(self.classes_)), scores, self.seen_)
        self.seen_penalty_ = {**self.seen_penalty_, given: tuned.details["offsets"]["seen"]}
        return tuned

    def to_onnx(
        self,
        path: str | os.PathLike[str],
        given: str = "both",
        *,
        front: nn.Module | None = None,
        n_samples: int | None = None,
        **sound: Any,
    ) -> None:
        """Write what gives the scores as an ONNX model, checked against PyTorch on made items.

        Parameters
        ----------
        path : path
        given : {"both", "audio", "video"}
            What the model takes: features (n, n_features); of both, those of the sound first.
        front : torch.nn.Module, optional
            What makes features (n, n_audio) of waves (n, n_samples), for ``given="audio"``: part of the model.
        n_samples : int, optional
            Of a wave; goes with ``front``.
        **sound
            ``rate`` and ``labels``, for ``limen tag``: with ``front``.

        Raises
        ------
        InputError
            If both differ by more than single precision explains, or the arguments do not fit.
        """
        check_is_fitted(self, "network_")
        if given not in GIVEN:
            raise InputError(f"given={given!r} is not known. Choose one of {examples(GIVEN)}.")
        if (front is None) != (n_samples is None) or (front is not None and given != "audio"):
            raise InputError("front and n_samples go together, with given='audio'. Give all three, or none.")
        if front is None and sound:
            raise InputError("rate and labels describe sound: give a front end and n_samples with them.")
        network = Scores(self.network_, self._points(), GIVEN[given])
        size = (sum(self._sizes[name] for name in GIVEN[given]),) if n_samples is None else (n_samples,)
        export(network if front is None else nn.Sequential(front, network), path, size, **sound)

    def _check_parameters(self) -> None:
        numbers = {
            "margin": (self.margin, 0, np.inf),
            "validation_fraction": (self.validation_fraction, 0, 1),
            "epochs": (self.epochs, 1, np.inf),
        }
        for name, (value, low, high) in numbers.items():
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float | np.number)
                or not low <= value < high
            ):
                raise InputError(
                    f"{name}={value!r} is not usable. Give a number from {low}"
                    + ("." if high == np.inf else f", below {high}.")
                )
        penalty = self.seen_penalty
        if penalty != "hm" and (isinstance(penalty, str | bool) or not np.isfinite(penalty)):
            raise InputError(f"seen_penalty={penalty!r} is not usable. Give 'hm', or a number.")
        if self.patience is not None and not self.validation_fraction:
            raise InputError("patience needs items to validate on: give a validation_fraction above 0.")

    def _read(self, audio: ArrayLike | None, video: ArrayLike | None) -> tuple[str, NDArray[np.float32]]:
        """Return which views are given, and their features side by side."""
        parts = {
            name: _finite(part, name) for name, part in (("audio", audio), ("video", video)) if part is not None
        }
        if not parts:
            raise InputError("neither audio nor video is given. Give one of them, or both.")
        for name, part in parts.items():
            if part.shape[1] != self._sizes[name]:
                raise InputError(
                    f"{name} has {part.shape[1]} features, {self._sizes[name]} were fitted. Give the same."
                )
        if len({len(part) for part in parts.values()}) > 1:
            raise InputError(
                f"audio has {len(parts['audio'])} items, video {len(parts['video'])}. Give the same items."
            )
        return "both" if len(parts) == 2 else next(iter(parts)), np.concatenate(list(parts.values()), axis=1)

    def _points(self) -> torch.Tensor:
        return torch.as_tensor(self._text, device=device_of(self.device))

    def _scores(self, network: AVGZSLNet, given: str, items: NDArray[np.float32]) -> NDArray[np.float32]:
        return scores_of(Scores(network, self._points(), GIVEN[given]), items)

    def _tuned(
        self, items: Mapping[str, NDArray[np.float32]], y: NDArray[np.int64], shown: NDArray[np.int64], seed: int
    ) -> dict[str, float]:
        """Return the penalty for each way of giving views, of a network that did not see some of the classes."""
        rng = np.random.default_rng([seed, 1])
        held = rng.permutation(shown)[: min(max(1, round(len(shown) / 4)), len(shown) - 2)]
        self.balanced_on_ = tuple(sorted(held.tolist()))
        without = ~np.isin(y, held)
        mine = np.flatnonzero(without)
        kept, quarter = _held_out(y[mine], 0.25, seed)
        to_fit, to_tune = mine[kept], np.concatenate([mine[quarter], np.flatnonzero(~without)])
        network, _ = self._fitted({name: part[to_fit] for name, part in items.items()}, y[to_fit], seed)
        found = {}
        for given, views in GIVEN.items():
            scores = self._scores(network, given, np.concatenate([items[name][to_tune] for name in views], axis=1))
            place = np.searchsorted(shown, y[to_tune])
            tuned = balanced(place, scores[:, shown], ~np.isin(shown, held))
            found[given] = float(tuned.details["offsets"]["seen"])
        return found

    def _fitted(
        self, items: Mapping[str, NDArray[np.float32]], y: NDArray[np.int64], seed: int
    ) -> tuple[AVGZSLNet, Training]:
        """Return a network fitted on items."""
        device = device_of(self.device)
        kept, held = _held_out(y, self.validation_fraction, seed)
        tensors = {name: torch.as_tensor(part[kept], device=device) for name, part in items.items()}
        mine, text = y[kept], self._points()
        with seeded(seed):
            network = AVGZSLNet(
                self._sizes["audio"],
                self._sizes["video"],
                text.shape[1],
                self.embed_dim,
                self.hidden_dim,
                self.dropout,
            ).to(device)
            network.standardise(tensors["audio"], tensors["video"])
            triplets, rebuilding = CompositeTripletLoss(self.margin), CrossModalDecoderLoss(self.margin)
            others, own = _Others(mine, seed), torch.as_tensor(mine)

            def loss_of(rows: torch.Tensor, done: float) -> torch.Tensor:
                at = torch.cat([rows, others.of(rows)])  # items, and others of other classes
                texts, at = text[own[at].to(device)], at.to(device)
                views = network(texts, tensors["audio"][at], tensors["video"][at])
                loss: torch.Tensor = triplets(*_halves(views))
                if self.decoder:
                    decoded = Views(*map(network.decode, views))
                    loss = loss + rebuilding(*_halves(decoded), texts[: len(rows)])
                return loss

            def value_of() -> float:
                views = np.concatenate([items[name][held] for name in GIVEN["both"]], axis=1)
                shown = np.unique(mine)
                scores = self._scores(network, "both", views)[:, shown]
                right = shown[scores.argmax(axis=1)] == y[held]
                return float(np.mean([right[y[held] == one].mean() for one in np.unique(y[held])]))

            training = train(
                network,
                loss_of,
                len(mine),
                epochs=self.epochs,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                seed=seed,
                value_of=value_of if len(held) else None,
                patience=self.patience,
                progress=self.verbose,
            )
        return network, training


class _Others:
    """For each item one of another class, all other classes alike."""

    def __init__(self, y: NDArray[np.int64], seed: int) -> None:
        _, number = np.unique(y, return_inverse=True)
        self.number = torch.as_tensor(number)
        self.order = torch.argsort(self.number, stable=True)
        self.size = torch.bincount(self.number)
        self.first = torch.cumsum(self.size, 0) - self.size
        self.draw = torch.Generator().manual_seed(seed + 1)

    def of(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the numbers of the other items."""
        shift = torch.randint(1, len(self.size), rows.shape, generator=self.draw)
        other = (self.number[rows] + shift) % len(self.size)
        place = torch.rand(rows.shape, generator=self.draw) * self.size[other]
        return self.order[self.first[other] + place.long().clamp_max(self.size[other] - 1)]


def _halves(views: Views) -> tuple[Views, Views]:
    """Return the first half of the rows of all views, and the second."""
    first, second = zip(*(view.chunk(2) for view in views), strict=True)
    return Views(*first), Views(*second)


def _held_out(y: NDArray[np.int64], fraction: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of the items to train on and to validate on: the same share of each class, one stays."""
    rng, held = np.random.default_rng([seed, 2]), np.zeros(len(y), bool)
    for one in np.unique(y):
        own = rng.permutation(np.flatnonzero(y == one))
        held[own[: min(round(fraction * len(own)), len(own) - 1)]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def _finite(values: Any, name: str) -> NDArray[np.float32]:
    found = np.asarray(values, np.float32)
    if found.ndim != 2 or 0 in found.shape:
        raise InputError(f"{name} has shape {found.shape}. Give (n, n_features), one row or more.")
    if not np.isfinite(found).all():
        row = int(np.flatnonzero(~np.isfinite(found).all(axis=1))[0])
        raise InputError(f"{name} has NaN or inf in row {row}. It must be finite: mend or drop the row.")
    return found
