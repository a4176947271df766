"""A small network that learns from labels, and from what a larger one, trained before, makes of the items."""

# ruff: noqa: N803, N806 - X is what scikit-learn calls it

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, examples, require

require("torch", extra="learn", user="limen.learn.distillation")
require("sklearn", extra="learn", user="limen.learn.distillation")

import torch  # noqa: E402
from sklearn.base import clone  # noqa: E402
from torch import nn  # noqa: E402

from limen.learn.lessons import LESSONS, Lesson, Watched, evaluating, teach  # noqa: E402
from limen.learn.networks import NetworkClassifier, Targets, held_out, read_targets, scores_of  # noqa: E402
from limen.learn.training import seed_of, seeded, train  # noqa: E402


class DistilledTagger(NetworkClassifier):
    """A network for many labels that also learns from a trained one.

    Fits ``loss(labels) + weight * loss(teacher)``. The teacher runs once over the items, in evaluation mode; it is
    neither trained nor copied, and not needed for predictions.

    Parameters
    ----------
    student : torch.nn.Module, or callable ``n_outputs -> torch.nn.Module``
        Items (n, ...) to logits (n, n_outputs). A module is copied, and starts from the weights it has; a
        callable, such as ``functools.partial(SmallCNN, channels=9)``, is called under the seed.
    teacher : torch.nn.Module or fitted estimator, optional
        Takes the same items. For "kd" any classifier with ``predict_proba`` will do. `sklearn.base.clone` keeps it
        as it is.
    layer : str or (str, str)
        The submodule whose output is compared, of student and teacher: its path, or the end of one if only one
        ends so. The last block of convolutions is a good choice; pooled vectors are none.
    method : {"iusp", "sp", "kd", None} or sequence of these
        Compares which frames of an item are alike (`IntraUtteranceSimilarityLoss`), which items of a batch are
        (`SimilarityPreservingLoss`), or logits (`LogitLoss`). None learns from labels only.
    weight : float or sequence of float
        Of the teacher's loss, or of each. Try decades: losses of large Gram matrices are small.
    temperature : float
        Of "kd".
    time_dim : int
        The axis of frames in what the layer gives, of "iusp".
    time_shift : float
        Up to so large a share of their length, 0 to 0.5, the items of a batch are rolled along their last axis in
        training.
    epochs, batch_size : int
    learning_rate, weight_decay : float
        Of AdamW; the rate rises, then falls to 0.
    validation_fraction : float
        The share of the items to validate on: the epoch with the least loss of labels there is kept. 0 keeps the
        last.
    patience : int, optional
        Epochs without a smaller validation loss after which it stops.
    device : str, optional
        A GPU if there is one, else the processor.
    random_state : int, RandomState or None
    verbose : bool
        Whether a line of progress is printed.

    Attributes
    ----------
    network_ : torch.nn.Module
        The student, in evaluation mode.
    classes_ : ndarray
    training_ : limen.learn.training.Training
        Losses of the epochs.
    n_features_in_ : int

    Notes
    -----
    After Chang, Kao, Sun and Wang (Interspeech 2020) and Tung and Mori (ICCV 2019). With t frames "iusp" keeps a
    matrix (t, t) for each item; "sp" one matrix (n_items, n_items), and for a moment all activations of the
    teacher.
    With ``time_shift`` a batch is rolled as one, and what was kept with it: the teacher does not run again.

    Examples
    --------
    >>> import functools, numpy as np
    >>> from limen.learn.backbones import SmallCNN
    >>> rng = np.random.default_rng(0)
    >>> Y = rng.integers(0, 2, (60, 2))
    >>> X = rng.standard_normal((60, 1, 8, 12)) + 2 * Y[:, :1, None, None]
    >>> teacher = DistilledTagger(functools.partial(SmallCNN, channels=4), method=None, random_state=0).fit(X, Y)
    >>> tagger = DistilledTagger(functools.partial(SmallCNN, channels=2), teacher, epochs=3, random_state=0)
    >>> tagger.fit(X, Y).predict_proba(X).shape
    (60, 2)
    """

    def __init__(
        self,
        student: Any,
        teacher: Any = None,
        *,
        layer: str | Sequence[str] = "features",
        method: str | Sequence[str] | None = "iusp",
        weight: float | Sequence[float] = 10.0,
        temperature: float = 2.0,
        time_dim: int = -1,
        time_shift: float = 0.0,
        epochs: int = 15,
        batch_size: int = 32,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        validation_fraction: float = 0.1,
        patience: int | None = 5,
        device: str | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.student = student
        self.teacher = teacher
        self.layer = layer
        self.method = method
        self.weight = weight
        self.temperature = temperature
        self.time_dim = time_dim
        self.time_shift = time_shift
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """Return the estimator fitted.

        Parameters
        ----------
        X : float array-like (n_items, ...)
            As the student and the teacher take them: spectra (n, 1, n_bands, n_frames), or waves (n, n_samples).
        y : array-like (n_items, n_labels) of 0 and 1, or (n_items,) of classes

        Raises
        ------
        InputError
            If a parameter does not fit, or student, teacher, items and labels do not fit each other.
        """
        self._check()
        X = self._read(X, reset=True)
        targets = read_targets(y, len(X))
        self.classes_, self._multilabel = targets.classes, targets.multilabel
        seed = seed_of(self.random_state)
        rows, validate = held_out(len(X), self.validation_fraction, seed)
        held = X[validate], torch.as_tensor(targets.values[validate])
        with seeded(seed):
            network = self._new(len(self.classes_)).to(self._place())
            self._train(network, X[rows], targets._replace(values=targets.values[rows]), held, seed)
        self.network_ = network
        return self

    def _train(
        self,
        network: nn.Module,
        X: NDArray[np.float32],
        targets: Targets,
        held: tuple[Any, torch.Tensor],
        seed: int,
    ) -> None:
        """Train a new network on items, and keep the best by those held out."""
        place = self._place()
        names, weights = self._methods(), self._weights()
        ours, theirs = (self.layer, self.layer) if isinstance(self.layer, str) else self.layer
        of_layer = any(LESSONS[name].of_layer for name in names)
        items, values = torch.as_tensor(X, device=place), torch.as_tensor(targets.values, device=place)
        loss, draws = targets.loss(), torch.Generator().manual_seed(seed)
        with Watched(network, ours if of_layer or self.time_shift else None, "student") as student:
            with evaluating(network):
                trial = student.checked(items[:2], len(targets.classes))
            settings = {name: getattr(self, name) for name in ("temperature", "time_dim")}
            lessons: list[Lesson] = [LESSONS[name](trial, targets.multilabel, **settings) for name in names]
            if lessons:
                teach(self.teacher, lessons, X, layer=theirs if of_layer else None, targets=targets, device=place)
            n_frames = trial.activations.shape[self.time_dim] if self.time_shift else 1
            most = int(self.time_shift * n_frames)

            def loss_of(batch: torch.Tensor, done: float) -> torch.Tensor:
                by = int(torch.randint(-most, most + 1, (), generator=draws)) if most else 0
                seen = student(items[batch].roll(round(by * X.shape[-1] / n_frames), -1) if by else items[batch])
                total: torch.Tensor = loss(seen.logits, values[batch])
                for lesson, weight in zip(lessons, weights, strict=True):
                    total = total + weight * lesson.loss(batch, seen, by / n_frames)
                return total

            def value_of() -> float:
                return -float(loss(torch.as_tensor(scores_of(network, held[0])), held[1]))

            self.training_ = train(
                network,
                loss_of,
                len(X),
                epochs=self.epochs,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                seed=seed,
                value_of=value_of if len(held[1]) else None,
                patience=self.patience,
                progress=True if self.verbose else None,
            )

    def __sklearn_clone__(self) -> Self:
        """Return an unfitted copy that has the same teacher."""
        given = self.get_params(deep=False)
        return type(self)(
            **{name: value if name == "teacher" else clone(value, safe=False) for name, value in given.items()}
        )

    def _new(self, n_outputs: int) -> nn.Module:
        """Return a network to train: a copy of the one given, or a new one."""
        if isinstance(self.student, nn.Module):
            return copy.deepcopy(self.student)
        found = self.student(n_outputs) if callable(self.student) else None
        if not isinstance(found, nn.Module):
            raise InputError(
                f"student={self.student!r} gives no network. Give a torch.nn.Module, or a callable that makes one "
                "from the number of labels."
            )
        return found

    def _methods(self) -> list[str]:
        return [self.method] if isinstance(self.method, str) else list(self.method or ())

    def _weights(self) -> list[float]:
        weights = [float(weight) for weight in np.ravel(self.weight)]
        return weights * len(self._methods()) if np.ndim(self.weight) == 0 else weights

    def _check(self) -> None:
        """Check the parameters that nothing else checks."""
        methods, weights = self._methods(), self._weights()
        if set(methods) - set(LESSONS) or len(set(methods)) < len(methods):
            raise InputError(
                f"method={self.method!r}: use {examples(LESSONS)}, several of them once each, or None for labels "
                "only."
            )
        if methods and self.teacher is None:
            raise InputError(f"method={self.method!r} needs a teacher. Give one, or method=None.")
        if len(weights) != len(methods) or not all(math.isfinite(weight) and weight >= 0 for weight in weights):
            raise InputError(
                f"weight={self.weight!r}: give one number of 0 or more for all methods, or one for each of "
                f"{methods}."
            )
        if not isinstance(self.layer, str) and len(self.layer) != 2:
            raise InputError(f"layer={self.layer!r}: give one name, or two, for student and teacher.")
        if not 0 <= self.time_shift <= 0.5:
            raise InputError(f"time_shift={self.time_shift!r}: it is a share of the items' length, 0 to 0.5.")
        if self.epochs < 1:
            raise InputError(f"epochs={self.epochs!r}: it is 1 or more.")
