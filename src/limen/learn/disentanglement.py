"""Classifiers whose embedding is kept from telling a nuisance, such as who speaks."""

# ruff: noqa: N803, N806 - X is what scikit-learn calls it

from __future__ import annotations

import copy
import math
import os
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, examples, require

require("torch", extra="learn", user="limen.learn")

import torch  # noqa: E402
from sklearn.utils.validation import check_is_fitted  # noqa: E402
from torch import nn  # noqa: E402

from limen.learn.adversaries import METHODS, Adversary, Multitask  # noqa: E402
from limen.learn.networks import NetworkClassifier, Targets, held_out, read_targets, scores_of  # noqa: E402
from limen.learn.probes import check_known  # noqa: E402
from limen.learn.streams import Streams, TwoStreamEncoder, read_streams  # noqa: E402
from limen.learn.training import Progress, seed_of, seeded, train  # noqa: E402


class DisentangledClassifier(NetworkClassifier):
    """A classifier of one thing (an emotion) whose embedding says little of another (who speaks).

    ``z = encoder(X)``; a linear layer gives the logits of ``y`` from z; an adversary guesses the nuisance from z
    while training, and is not part of the fitted network.

    Parameters
    ----------
    encoder : torch.nn.Module, optional
        Takes a dict of streams, float32 (n, ...), and gives (n, embed_dim); has an attribute ``embed_dim``. It is
        copied. One with a method ``reset_parameters`` is drawn anew from ``random_state``; another starts from its
        weights. Without one: `TwoStreamEncoder` for the streams of X, which are then rows of numbers.
    method : {"confusion", "alternate", "grl", "multitask"} or None
        How the embedding meets the adversary: its guess is made uniform; or wrong, in turns; or wrong, by a
        reversed gradient in one step; ``"multitask"`` helps it instead, and None has no adversary: the two
        baselines.
    adversary_weight : float
        Of the adversary's term beside the loss of ``y``, from 0. For an adversary it rises with training.
    adversary_steps : int
        Steps of the adversary for each of the encoder, of ``"confusion"`` and ``"alternate"``.
    adversary_learning_rate : float
        Of these steps. An adversary that is too slow is fooled instead of beaten: the embedding then tells *more*.
    epochs, batch_size : int
    learning_rate, weight_decay : float
        As `torch.optim.AdamW` has them.
    validation_fraction : float
        Share of the items that choose the epoch by their likelihood; 0 keeps the last.
    patience : int, optional
        Epochs without a better one after which training stops.
    progress : callable ``(epoch, epochs, note)``, or True to print a line, optional
    device : str, optional
        As PyTorch names it; a GPU if there is one.
    random_state : int, RandomState or None

    Attributes
    ----------
    network_ : torch.nn.Module
        The streams, in the order of ``streams_``, to logits.
    encoder_ : torch.nn.Module
        Its encoder.
    streams_ : list of str
    classes_ : ndarray
    nuisance_classes_ : ndarray
        Not there without an adversary.
    training_ : Training
        Loss and validation value of each epoch.

    Notes
    -----
    That the adversary fails says nothing: it may be beaten while the embedding tells as much as before. Measure
    with fresh probes, `probe_report`. The methods are gradient reversal (Ganin and Lempitsky, 2015), adversarial
    alternation, and confusion with the uniform distribution; the equations are in `limen.learn.adversaries`.

    While the weight of an adversary rises, later epochs are preferred, so that none is kept that has not met it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y, who = rng.integers(0, 3, 300), rng.integers(0, 4, 300)
    >>> X = {"audio": np.eye(3)[y] + rng.normal(0, 0.1, (300, 3)), "prosody": np.eye(4)[who]}
    >>> model = DisentangledClassifier(epochs=10, random_state=0).fit(X, y, nuisance=who)
    >>> model.decision_function(X).shape, model.embed(X).shape
    ((300, 3), (300, 64))
    """

    def __init__(
        self,
        encoder: nn.Module | None = None,
        *,
        method: str | None = "confusion",
        adversary_weight: float = 0.1,
        adversary_steps: int = 3,
        adversary_learning_rate: float = 1e-2,
        epochs: int = 60,
        batch_size: int = 32,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
        validation_fraction: float = 0.1,
        patience: int | None = None,
        progress: Progress | bool | None = None,
        device: str | None = None,
        random_state: Any = None,
    ) -> None:
        self.encoder = encoder
        self.method = method
        self.adversary_weight = adversary_weight
        self.adversary_steps = adversary_steps
        self.adversary_learning_rate = adversary_learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.progress = progress
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any, nuisance: Any = None) -> Self:
        """Return the estimator fitted.

        Parameters
        ----------
        X : dict of str to float array-like (n_items, ...), or one array-like
            Streams, one row for each item in each.
        y : array-like (n_items,) of classes, or (n_items, n_labels) of 0 and 1
        nuisance : array-like (n_items,)
            What the embedding is not to tell, such as the person; two or more of them. Not needed without an
            adversary.

        Raises
        ------
        InputError
            If a parameter, X, y or the nuisance does not fit.
        """
        self._check_parameters()
        streams = read_streams(X)
        n_items = len(next(iter(streams.values())))
        targets = read_targets(y, n_items)
        persons = None if self.method is None else self._read_nuisance(nuisance, n_items)
        seed, device = seed_of(self.random_state), self._place()
        with seeded(seed):
            network = _Network(self._made_encoder(streams), list(streams), len(targets.classes))
            adversary = None if persons is None else Adversary(network.embed_dim, len(persons.classes))
        self._fit(network.to(device), adversary, streams, targets, persons, seed)
        self.network_, self.encoder_, self.streams_ = network, network.encoder, list(streams)
        self.classes_, self._multilabel = targets.classes, targets.multilabel
        self._item_shape: Any = {name: values.shape[1:] for name, values in streams.items()}
        if persons is not None:
            self.nuisance_classes_ = persons.classes
        return self

    def embed(self, X: Any) -> NDArray[np.float32]:
        """Return embeddings (n_items, embed_dim) of the items."""
        check_is_fitted(self, "network_")
        network: Any = self.network_
        return scores_of(_Embedding(network), *read_streams(X, self._item_shape).values())

    def to_onnx(self, path: str | os.PathLike[str], **sound: Any) -> None:
        """Write the network as an ONNX model, checked against PyTorch on made items; an input for each stream.

        Parameters
        ----------
        path : path
        **sound
            ``rate`` and ``labels``, for `limen.audio` and ``limen tag``, where X is one array of windows of sound
            and the encoder has a front end.

        Raises
        ------
        InputError
            If both differ by more than single precision explains.
        """
        super().to_onnx(path, **sound)

    def _logits(self, X: Any) -> NDArray[np.float32]:
        check_is_fitted(self, "network_")
        return scores_of(self.network_, *read_streams(X, self._item_shape).values())

    def _fit(
        self,
        network: _Network,
        adversary: Adversary | None,
        streams: Streams,
        targets: Targets,
        persons: Targets | None,
        seed: int,
    ) -> None:
        """Train network and adversary in place."""
        device = next(network.parameters()).device
        rows, held = held_out(len(targets.values), float(self.validation_fraction), seed)
        X = [torch.as_tensor(values, device=device) for values in streams.values()]
        y = torch.as_tensor(targets.values, device=device)
        of_y, trained, meet = targets.loss(), nn.ModuleList([network]), None
        if adversary is not None and persons is not None:
            s = torch.as_tensor(persons.values, device=device)
            meet = METHODS[str(self.method)](
                adversary.to(device),
                self.adversary_weight,
                self.adversary_steps,
                self.adversary_learning_rate,
                self.weight_decay,
            )
            if meet.joint:
                trained.append(adversary)
        chosen = torch.as_tensor(rows, device=device)
        done_by_now = 0.0

        def loss_of(items: torch.Tensor, done: float) -> torch.Tensor:
            nonlocal done_by_now
            done_by_now, own = done, chosen[items.to(device)]
            z = network.embed(*(values[own] for values in X))
            loss: torch.Tensor = of_y(network.head(z), y[own])
            return loss if meet is None else loss + meet.loss(z, s[own], done)

        def value_of() -> float:
            # The geometric mean of the probabilities of what is true, from 0 to 1; below 0 while the weight rises.
            if meet is not None and type(meet) is not Multitask and done_by_now < RISEN:
                return done_by_now - 1.0
            return math.exp(-float(of_y(network(*(values[held] for values in X)), y[held])))

        with seeded(seed):
            self.training_ = train(
                trained,
                loss_of,
                len(rows),
                epochs=self.epochs,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                seed=seed,
                value_of=value_of if len(held) else None,
                patience=self.patience,
                progress=self.progress,
            )

    def _made_encoder(self, streams: Streams) -> nn.Module:
        if self.encoder is None:
            flat = {name: values.shape[1] for name, values in streams.items() if values.ndim == 2}
            if len(flat) < len(streams):
                raise InputError(
                    f"stream {next(iter(set(streams) - set(flat)))!r} has items that are no rows of numbers. Give "
                    "an encoder made for them."
                )
            return TwoStreamEncoder(flat)
        if not isinstance(self.encoder, nn.Module) or not hasattr(self.encoder, "embed_dim"):
            raise InputError(
                f"encoder is {type(self.encoder).__name__}. Give a torch.nn.Module with an attribute embed_dim, "
                "such as limen.learn.TwoStreamEncoder, or leave it out."
            )
        if isinstance(self.encoder, TwoStreamEncoder):
            expected = {name: (dim,) for name, dim in self.encoder.dims.items()}
            read_streams(streams, expected)
        made = copy.deepcopy(self.encoder)
        redraw = getattr(made, "reset_parameters", None)
        if callable(redraw):
            redraw()
        return made

    def _read_nuisance(self, nuisance: Any, n_items: int) -> Targets:
        if nuisance is None:
            raise InputError(
                f"method={self.method!r} needs nuisance: for each item what the embedding is not to tell, such as "
                "the person. Give it to fit, or use method=None."
            )
        values = np.asarray(nuisance)
        if values.ndim != 1:
            raise InputError(
                f"nuisance has {values.ndim} dimensions. Give one value for each item, such as the person."
            )
        check_known(values, "nuisance")
        return read_targets(values, n_items, "nuisance")

    def _check_parameters(self) -> None:
        if self.method is not None and self.method not in METHODS:
            raise InputError(f"method={self.method!r} is not known. Choose one of {examples(METHODS)}, or None.")
        if isinstance(self.adversary_weight, bool) or not 0 <= float(self.adversary_weight) < math.inf:
            raise InputError(f"adversary_weight={self.adversary_weight!r} is not usable. Give a number from 0.")
        for name in ("adversary_steps", "epochs"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise InputError(f"{name}={value!r} is not usable. Give a whole number from 1.")


RISEN = 0.5
"""Share of the training after which an adversary's weight has risen (to 0.99)."""


class _Network(nn.Module):
    """Streams in a fixed order, through the encoder, to logits."""

    def __init__(self, encoder: nn.Module, names: list[str], n_outputs: int) -> None:
        super().__init__()
        self.encoder, self.names = encoder, names
        self.embed_dim: int = encoder.embed_dim  # type: ignore[assignment]
        self.head = nn.Linear(self.embed_dim, n_outputs)

    def embed(self, *streams: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.encoder(dict(zip(self.names, streams, strict=True)))
        return found

    def forward(self, *streams: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.embed(*streams))
        return found


class _Embedding(nn.Module):
    """A network up to its embedding."""

    def __init__(self, network: _Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, *streams: torch.Tensor) -> torch.Tensor:
        return self.network.embed(*streams)
