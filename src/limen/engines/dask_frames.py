"""Dask frames: the partitions of labels and scores that belong together, by id or by index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from limen.decisions import decide
from limen.engines.dask_arrays import lengths_of, sliced
from limen.engines.dask_parts import Like, Part, is_frame, said_at
from limen.engines.dask_sides import InPlace, Moved, Side, as_text, carrying, side_of
from limen.errors import InputError, UnsupportedError, count, examples
from limen.names import match
from limen.sources.columns import id_columns
from limen.sources.frames import Frame

Frames = dict[str, Any]
"""``y_true`` and ``y_score``, Dask frames both."""


def frame_parts(given: Mapping[str, Any], labels: tuple[str, ...] | None) -> tuple[list[Part], Like]:
    """Return the partitions of labels, scores and what belongs to the items, where either is a Dask frame.

    They are joined by id where both have an id column or a named index, else by what index there is. Partitions
    that hold the same items stay where they are; if not, Dask moves the rows.

    Raises
    ------
    InputError
        If names, ids or lengths do not match, or an id stands twice.
    UnsupportedError
        If there is a mask.
    """
    if "mask" in given:
        raise UnsupportedError(
            "mask goes with arrays. In a Dask frame of labels leave the cells of unknown labels empty (NaN)."
        )
    frames = _frames(given, labels)
    items = {name: _cut(name, data, frames["y_score"]) for name, data in given.items() if name not in frames}
    if _index_is_id(frames):
        frames = {name: frame.reset_index() for name, frame in frames.items()}
        sides = {name: side_of(frame, name, str(frame.columns[0])) for name, frame in frames.items()}
    else:
        ids = _id_columns(frames)
        sides = {name: side_of(frame, name, ids[name]) for name, frame in frames.items()}
    if labels is not None and labels != sides["y_score"].labels:
        raise InputError(
            "labels differs from the column names of y_score. Leave labels out, or select the columns in that "
            "order."
        )
    if sides["y_score"].id is None:
        frames["y_true"] = _aligned(frames["y_true"], frames["y_score"])
    elif not _alike(frames, sides):
        moved = _moved(frames, sides, items)
        return _parts(moved, {}), Like(None, Moved(tuple(items)))
    return _parts(frames, items), Like(None, InPlace(sides["y_true"], sides["y_score"]))


def _frames(given: Mapping[str, Any], labels: tuple[str, ...] | None) -> Frames:
    """Return labels and scores as two Dask frames."""
    frames = {}
    for name, other in (("y_true", "y_score"), ("y_score", "y_true")):
        data = given[name]
        if isinstance(data, pd.DataFrame | pd.Series):
            data = dd.from_pandas(data, npartitions=given[other].npartitions if name == "y_score" else 1)
        if not is_frame(data):
            raise InputError(
                f"{other} is a Dask frame and {name} a {type(data).__name__}. Give both as frames, which are "
                "joined by name, or both as arrays: frame.to_dask_array()."
            )
        if not hasattr(data, "columns") or data.ndim == 1:
            data = data.to_frame(labels[0] if labels else "0")
        frames[name] = data
    return frames


def _parts(frames: Frames, items: Mapping[str, list[Any]]) -> list[Part]:
    y_true, y_score = (frames[name].to_delayed() for name in ("y_true", "y_score"))
    return [
        Part(y_true[k], y_score[k], {name: pieces[k] for name, pieces in items.items()}, f"partition {k}")
        for k in range(len(y_score))
    ]


def _cut(name: str, data: Any, frame: Any) -> list[Any]:
    """Return one thing for each item, cut as the partitions of the scores; Dask's own must be cut so already."""
    if not dask.is_dask_collection(data):
        return sliced(name, data, lengths_of(list(frame.to_delayed())))
    found = list(np.ravel(data.to_delayed()))
    if len(found) != frame.npartitions:
        raise InputError(
            f"{name} has {count(len(found), 'part')} and y_score {count(frame.npartitions, 'partition')}. Take it "
            "from the same frame, or give an array of all items."
        )
    return found


def _id_columns(frames: Frames) -> dict[str, str | None]:
    """Return the name of the id column of each frame: text, or whole numbers under a name of ids in both."""
    found: dict[str, str | None] = {name: side_of(frame, name).id for name, frame in frames.items()}
    if found["y_true"] is None and found["y_score"] is None:
        shared = [
            {
                str(frame.columns[k])
                for k in id_columns([str(column) for column in frame.columns])
                if _whole(frame, k)
            }
            for frame in frames.values()
        ]
        both = sorted(shared[0] & shared[1])
        return dict.fromkeys(frames, both[0] if both else None)
    for name, other in (("y_true", "y_score"), ("y_score", "y_true")):
        if found[name] is None:
            raise InputError(
                f"{other} has ids (column {found[other]!r}) and {name} has none. Rows are joined by id, never by "
                "position: add an id column, or drop the other."
            )
    return found


def _whole(frame: Any, column: int) -> bool:
    return bool(pd.api.types.is_integer_dtype(frame.dtypes.iloc[column]))


def _index_is_id(frames: Frames) -> bool:
    """Return whether both indexes mean something, and it is not known which values each partition has."""
    indexes = [frame._meta.index for frame in frames.values()]
    named = all(index.name is not None or not pd.api.types.is_integer_dtype(index.dtype) for index in indexes)
    return named and not all(frame.known_divisions for frame in frames.values())


def _aligned(y_true: Any, y_score: Any) -> Any:
    """Return labels whose partitions hold the index values of those of the scores."""
    if y_true.known_divisions and y_score.known_divisions:
        if y_true.divisions == y_score.divisions:
            return y_true
        kinds = [type(frame.divisions[0]).__name__ for frame in (y_score, y_true)]
        try:
            y_true.divisions[0] < y_score.divisions[0]  # noqa: B015
        except TypeError as error:
            raise InputError(
                f"the index of y_score is of {kinds[0]}, that of y_true of {kinds[1]}. Rows are joined by index: "
                "make both of one kind, or give both frames an id column."
            ) from error
        return y_true.repartition(divisions=y_score.divisions, force=True)
    if y_true.npartitions != y_score.npartitions:
        raise InputError(
            f"y_score has {count(y_score.npartitions, 'partition')} and y_true {y_true.npartitions}, and neither "
            "ids nor known divisions tell which rows belong together. Give both frames an id column."
        )
    return y_true


def _alike(frames: Frames, sides: Mapping[str, Side]) -> bool:
    """Return whether each partition has the ids of its counterpart: one pass over the ids.

    Raises
    ------
    InputError
        If an id stands in two partitions.
    """
    y_true, y_score = [frames[name][sides[name].id] for name in ("y_true", "y_score")]
    if y_true.npartitions != y_score.npartitions:
        return False
    pairs = zip(y_true.to_delayed(), y_score.to_delayed(), strict=True)
    same = [dask.delayed(_same_ids)(*pair) for pair in pairs]
    by_id = y_score.to_frame().shuffle(on=y_score.name)
    twice = [dask.delayed(_twice)(part) for part in by_id.to_delayed()]
    found, several = dask.compute(same, twice)
    if names := [name for part in several for name in part]:
        raise InputError(
            f"y_score repeats {count(len(names), 'id')}: {examples(sorted(names))}. Every item needs one row and "
            "an id of its own."
        )
    return bool(all(found))


def _same_ids(one: pd.Series, other: pd.Series) -> bool:
    """Return whether two partitions have the same ids, in any order; counting makes sure, name by name."""
    a, b = (np.sort(pd.util.hash_pandas_object(as_text(ids), index=False)) for ids in (one, other))
    return np.array_equal(a, b)


def _twice(part: pd.DataFrame) -> list[str]:
    """Return the ids that a partition has more than once."""
    ids = part.iloc[:, 0].dropna()
    return [str(name) for name in ids[ids.duplicated()].unique()]


def _moved(frames: Frames, sides: Mapping[str, Side], items: Mapping[str, list[Any]]) -> Frames:
    """Return both frames after Dask has moved the rows of an id to one place."""
    number, prepared, moved = max(frame.npartitions for frame in frames.values()), dask.delayed(carrying), {}
    for name, frame in frames.items():
        own = items if name == "y_score" else {}
        parts = [
            prepared(part, sides[name], {item: pieces[k] for item, pieces in own.items()}, f"partition {k}")
            for k, part in enumerate(frame.to_delayed())
        ]
        meta = carrying(frame._meta, sides[name], dict.fromkeys(own, ()), "")
        whole = dd.from_delayed(parts, meta=meta, verify_meta=False)
        moved[name] = whole.shuffle(on=sides[name].id, npartitions=number)
    return moved


def decide_frame(y_score: Any, labels: tuple[str, ...], values: NDArray[Any], rule: str) -> Any:
    """Return decisions on a Dask frame as another: its ids, if they are a column, and one column for each label.

    A single column gives a single column.
    """
    frame = y_score if y_score.ndim == 2 else y_score.to_frame(labels[0])
    match(labels, [str(name) for name in frame.columns], between=("the thresholds", "y_score"), extra="ignore")
    rest = frame[[name for name in frame.columns if str(name) not in set(labels)]]
    columns = Frame(rest._meta_nonempty.iloc[:1], "y_score", "scores")
    item = columns.item_column()
    whole = [k for k in id_columns(columns.names) if _whole(rest, k)]
    ids = list(rest.columns[[item] if item is not None else whole[:1]])
    meta = frame._meta[ids].assign(**dict.fromkeys(labels, np.zeros(0, bool)))
    decided = frame.map_partitions(_decided, labels, values, rule, ids, meta=meta)
    return decided if y_score.ndim == 2 else decided[labels[0]]


def _decided(
    frame: pd.DataFrame,
    labels: tuple[str, ...],
    values: NDArray[Any],
    rule: str,
    ids: list[Any],
    partition_info: Any = None,
) -> pd.DataFrame:
    with said_at("" if partition_info is None else f"partition {partition_info['number']}"):
        decisions = decide(frame, labels, values, rule) if len(frame) else np.zeros((0, len(labels)), bool)
    return pd.concat([frame[ids], pd.DataFrame(decisions, frame.index, list(labels))], axis=1)
