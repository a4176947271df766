"""The layouts of a table, recognised by the names of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from limen.sources.tables import Kind

# Column names are compared in lower case; the empty name is the index that pandas writes.
# fmt: off
ID_NAMES = frozenset({
    "", "unnamed: 0", "index", "__index_level_0__", "id", "ids", "uid", "uuid", "key", "name",
    "item", "item_id", "clip", "clip_id", "file", "file_id", "filename", "file_name", "fname",
    "filepath", "file_path", "path", "ytid", "youtube_id", "video_id", "segment_id", "sample", "sample_id",
    "recording", "recording_id", "track_id", "image_id", "doc_id", "patient_id",
})
LABEL_NAMES = frozenset({
    "label", "label_name", "tag", "tag_name", "class", "class_name", "category", "species",
    "common name", "common_name", "scientific name", "scientific_name",
})
TAGS_NAMES = frozenset({"tags", "labels", "classes", "categories", "positive_labels"})
SCORE_NAMES = frozenset({
    "score", "confidence", "probability", "prob", "proba", "value", "logit", "prediction", "y_score",
})
TRUTH_NAMES = frozenset({"value", "target", "truth", "present", "presence", "label_value", "y_true"})
# fmt: on

LAYOUTS: dict[Kind, str] = {
    "scores": "A wide file has an id column and a column of numbers for each label; a long file has exactly "
    "the columns id, label, score.",
    "labels": "A wide file has an id column and a column of 0/1 for each label; a long file has exactly the "
    "columns id, label or id, label, value; a tag list has id, tags.",
}


class Roles(NamedTuple):
    """What the columns of a file that is not wide mean, by position: item, label (or tags) and value."""

    layout: Literal["long", "pairs", "lists"]
    item: int
    label: int
    value: int | None = None


def roles_of(names: Sequence[str], kind: Kind) -> Roles | None:
    """Return what the columns mean if they are named as in a long file or a tag list; None for wide."""
    folded = [name.strip().casefold() for name in names]

    def only(wanted: frozenset[str]) -> int | None:
        found = [column for column, name in enumerate(folded) if name in wanted]
        return found[0] if len(found) == 1 else None

    item, label, tags = only(ID_NAMES), only(LABEL_NAMES), only(TAGS_NAMES)
    value = only(SCORE_NAMES if kind == "scores" else TRUTH_NAMES)
    if item is None:
        return None
    if len(folded) == 3 and label is not None and value is not None:
        return Roles("long", item, label, value)
    if len(folded) == 2 and kind == "labels":
        if label is not None:
            return Roles("pairs", item, label)
        if tags is not None:
            return Roles("lists", item, tags)
    return None


def look_like_data(names: Sequence[str]) -> bool:
    """Return whether all names are numbers, and not all whole: the first line of a file without header."""
    return all(map(_is_number, names)) and not all(name.isdecimal() for name in names)


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True
