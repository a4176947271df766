"""Where what is drawn comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError


def as_seed(random_state: Any) -> int:
    """Return a whole number from 0 that seeds everything drawn.

    Parameters
    ----------
    random_state : int from 0, None, numpy Generator or RandomState
        None draws anew each time; a generator is asked for one number.

    Raises
    ------
    InputError
        If it is none of these, or below 0.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(1 << 32))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(1 << 31))
    if isinstance(random_state, int | np.integer) and not isinstance(random_state, bool) and random_state >= 0:
        return int(random_state)
    raise InputError(
        f"random_state={random_state!r} is not usable. Give a whole number from 0, None or a numpy Generator."
    )


def name_keys(names: Sequence[str], random_state: int) -> NDArray[np.uint64]:
    """Return a number for each name (n_names,) and seed, from which what a label draws follows."""
    salt = random_state.to_bytes(16, "little")
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8, salt=salt).digest() for name in names)
    return np.frombuffer(digests, "<u8").astype(np.uint64)
