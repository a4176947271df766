"""A run whose output is one table: a score for each recording and label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from limen.audio.journal import Journal
from limen.errors import InputError, UnreadableError
from limen.events.formats.clips import beside, check_clip_table, write_clip_table
from limen.files.reading import read_table


class ClipJournal(Journal):
    """What is known of a table of clip scores: until all are there, the journal holds them itself.

    Parameters
    ----------
    table : Path
        A .csv, .tsv or .parquet file; it is written at the end, and read when a run goes on with more recordings.
    settings : mapping
        As `limen.events.formats.clips.clip_settings` gives them.

    Raises
    ------
    InputError
        As `Journal` does, or if the file cannot hold the labels.
    """

    def __init__(self, table: Path, settings: Mapping[str, Any]) -> None:
        self.labels = tuple(settings["labels"])
        check_clip_table(table, self.labels)
        super().__init__(beside(table), settings, lambda name: table)
        self.table, self.place, self.kind = table, table, "name"

    def __enter__(self) -> ClipJournal:
        super().__enter__()
        try:
            self._scores_of_table()
        except BaseException:
            self._leave()
            raise
        return self

    def is_there(self, name: str) -> bool:
        """Return whether the scores of a recording are known."""
        return "scores" in self.entries[name]

    def write_manifest(self, entries: Mapping[str, Any], skipped: Sequence[str]) -> None:
        """Write the table, and then what is said of it, without the scores."""
        scores = np.array([entry["scores"] for entry in entries.values()], np.float32)
        write_clip_table(self.table, list(entries), self.labels, scores.reshape(-1, len(self.labels)))
        said = {name: {key: entry[key] for key in entry if key != "scores"} for name, entry in entries.items()}
        super().write_manifest(said, skipped)

    def _scores_of_table(self) -> None:
        """Take over the scores of recordings that an earlier run has finished; others are scored anew."""
        waiting = [name for name, entry in self.entries.items() if "scores" not in entry]
        if not waiting or not self.table.is_file():
            return
        try:
            found = read_table(self.table, kind="scores")
        except (InputError, UnreadableError):
            return
        if found.labels != self.labels or found.ids is None or not isinstance(found.values, np.ndarray):
            return
        row = {name: k for k, name in enumerate(found.ids)}
        for name in waiting:
            if name in row:
                values = np.asarray(found.values[row[name]], np.float32)
                self.entries[name]["scores"] = [float(value) for value in values]
