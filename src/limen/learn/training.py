"""One training loop, and the seeds and devices that go with it."""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from limen.errors import InputError, require

require("torch", extra="learn", user="limen.learn")

import torch  # noqa: E402
from torch import nn  # noqa: E402

Progress = Callable[[int, int, str], None]
WARM = 0.1
"""The share of the steps in which the learning rate rises."""


class Training(NamedTuple):
    """What a training run was like.

    Attributes
    ----------
    losses : list of float
        Mean training loss of each epoch.
    values : list of float
        What the validation part gave after each epoch; empty without one.
    best_epoch : int
        Whose weights were kept, from 0: that of the best value, or the last.
    """

    losses: list[float]
    values: list[float]
    best_epoch: int


def train(
    module: nn.Module,
    loss_of: Callable[[torch.Tensor, float], torch.Tensor],
    n_items: int,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float = 0.0,
    seed: int = 0,
    value_of: Callable[[], float] | None = None,
    patience: int | None = None,
    progress: Progress | bool | None = None,
) -> Training:
    """Fit a module in place: AdamW, shuffled batches, a learning rate that rises and falls.

    Parameters
    ----------
    module : torch.nn.Module
        What is fitted: all its parameters that ask for gradients.
    loss_of : callable ``(items, done) -> tensor ()``
        The loss of a batch: an int64 tensor of item numbers, and the share of the steps that is done, from 0 to 1.
        Whatever else is to be stepped (an adversary, say) is stepped there.
    n_items : int
        Two or more.
    epochs, batch_size : int
        A last batch of one item joins the batch before: batch norm needs two.
    learning_rate, weight_decay : float
        The largest rate: it rises over the first tenth of the steps, then falls to 0 along a cosine.
    seed : int
        Of the order of the items.
    value_of : callable ``() -> float``, optional
        The value of the module in evaluation mode, larger is better, asked after each epoch. The weights of the
        best epoch are kept.
    patience : int, optional
        Epochs without a better value after which it stops.
    progress : callable ``(epoch, epochs, note)``, or True to print a line, optional

    Returns
    -------
    Training

    Raises
    ------
    InputError
        If the loss is no longer finite.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay)
    order = torch.Generator().manual_seed(seed)
    tell = printed() if progress is True else (progress or (lambda *_: None))
    starts = _starts(n_items, batch_size)
    steps, step = epochs * (len(starts) - 1), 0
    losses: list[float] = []
    values: list[float] = []
    best, kept = 0, None
    for epoch in range(epochs):
        module.train()
        shuffled, total = torch.randperm(n_items, generator=order), 0.0
        for start, stop in itertools.pairwise(starts):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate * _share(step, steps)
            loss = loss_of(shuffled[start:stop], step / steps)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += float(loss.detach()) * (stop - start)
            step += 1
        losses.append(total / n_items)
        if not math.isfinite(losses[-1]):
            raise InputError(
                f"the loss of epoch {epoch + 1} is {losses[-1]}: training ran away. Lower learning_rate "
                f"({learning_rate:g}) or the weights of the losses, or scale the input."
            )
        if value_of is not None:
            module.eval()
            with torch.no_grad():
                values.append(float(value_of()))
            if kept is None or values[-1] > values[best]:
                best, kept = epoch, copy.deepcopy(module.state_dict())
        note = f"loss {losses[-1]:.3f}" + (f", validation {values[-1]:.3f}" if values else "")
        tell(epoch + 1, epochs, note)
        if value_of is not None and patience is not None and epoch - best >= patience:
            tell(epochs, epochs, f"stopped after epoch {epoch + 1}: epoch {best + 1} was best")
            break
    module.eval()
    if kept is not None:
        module.load_state_dict(kept)
    return Training(losses, values, best if kept is not None else len(losses) - 1)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from this seed inside, and leave PyTorch's own state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def seed_of(random_state: object) -> int:
    """Return a seed from what scikit-learn takes as ``random_state``."""
    from sklearn.utils import check_random_state

    if isinstance(random_state, int | np.integer) and not isinstance(random_state, bool):
        return int(random_state)
    return int(check_random_state(random_state).randint(1 << 31))


def device_of(device: str | None) -> torch.device:
    """Return the device of this name; of none, a GPU if there is one, else the processor.

    Raises
    ------
    InputError
        If it is not there.
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device={device!r} is not there: {error}. Use 'cpu', or leave it out.") from error
    return found


def printed() -> Progress:
    """Return what writes a line of progress with the time left to the standard error stream."""
    begun = time.monotonic()

    def tell(step: int, steps: int, note: str) -> None:
        left = (time.monotonic() - begun) / step * (steps - step)
        end = "\n" if step == steps else ""
        print(f"\repoch {step} of {steps}, {note}, {left:.0f} s left \x1b[K", end=end, file=sys.stderr, flush=True)

    return tell


def _starts(n_items: int, batch_size: int) -> list[int]:
    """Return where batches begin, and the end."""
    if n_items < 2:
        raise InputError(f"there are {n_items} items to train on. Give two or more.")
    if batch_size < 2:
        raise InputError(f"batch_size={batch_size}: a batch needs 2 items or more.")
    starts = list(range(0, n_items, batch_size))
    if n_items - starts[-1] == 1 and len(starts) > 1:
        starts.pop()
    return [*starts, n_items]


def _share(step: int, steps: int) -> float:
    """Return the learning rate of a step as a share of the largest."""
    done = (step + 1) / (steps + 1)
    return done / WARM if done < WARM else (1 + math.cos(math.pi * (done - WARM) / (1 - WARM))) / 2
