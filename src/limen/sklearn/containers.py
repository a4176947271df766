"""Outputs as frames with a column for each label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from limen.errors import InputError
from limen.sources.frames import is_frame

CONTAINERS = ("default", "pandas", "polars")


def check_container(name: str) -> None:
    """Raise `InputError` unless outputs can be given in the container of this name."""
    if name not in CONTAINERS:
        raise InputError(f"transform={name!r} is unknown. Use {', '.join(map(repr, CONTAINERS))}.")


def framed(values: NDArray[Any], labels: Sequence[str], container: str, items: Any) -> Any:
    """Return values (n_items, n_labels) as a frame; a pandas one has the index of pandas items."""
    columns = {name: values[:, k] for k, name in enumerate(labels)}
    if container == "pandas":
        import pandas

        return pandas.DataFrame(columns, index=items.index if is_frame(items) and hasattr(items, "iloc") else None)
    import polars

    return polars.DataFrame({name: one.tolist() if one.dtype == object else one for name, one in columns.items()})
