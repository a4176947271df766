"""What the commands read: files joined, options as objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from limen.cli import words
from limen.errors import InputError, UnreadableError, count, examples

if TYPE_CHECKING:
    from limen.cli.console import Progressing
    from limen.data import Data
    from limen.files.shards import Damaged
    from limen.sources.tables import Table
    from limen.thresholds import Thresholds


def refuse_to_replace(*outputs: str | None, inputs: tuple[str | None, ...]) -> None:
    """Raise `InputError` if an output is one of the inputs, or two outputs are one file."""
    from os.path import realpath

    seen = {realpath(file): file for name in inputs if name for file in _files_of(name)}
    for output in filter(None, outputs):
        path = realpath(output)
        if path in seen:
            raise InputError(
                f"{output} would replace {seen[path]}, which this command needs. Choose another name."
            )
        seen[path] = output


def _files_of(name: str) -> list[str]:
    """Return the files that an input reads: without the key of an array, all of a pattern, those in a query."""
    import glob
    import re
    from pathlib import Path

    file, _, query = name.removeprefix("duckdb:").partition("?") if name.startswith("duckdb:") else (name, "", "")
    without_key = re.sub(r"(\.(?:npz|h5|hdf5)):[^\\]+$", r"\1", file, flags=re.IGNORECASE)
    found = []
    for own in filter(None, {file, without_key, *re.findall(r"'([^']+)'", query)}):
        if not Path(own).exists():
            found += glob.glob(own, recursive=True)  # noqa: PTH207
        elif Path(own).is_dir():  # nothing is read from a folder's thresholds and reports
            found += [own, *(str(one) for one in Path(own).iterdir() if one.suffix not in (".json", ".html"))]
        else:
            found.append(own)
    return found


def read_data(
    scores: str,
    labels: str,
    groups: str | None = None,
    thresholds: Thresholds | float | None = None,
    extra: Literal["refuse", "ignore"] = "refuse",
    corrections: str | None = None,
    part: bool = False,
    skip_damaged: bool = False,
    in_blocks: bool = False,
) -> Data:
    """Return files of scores and of labels, joined by name and id, corrected and checked once.

    Long tables are read by DuckDB, larger than memory, where ``in_blocks`` tells that the command needs no ids.

    With thresholds, the columns are in their order, others left aside on request; files without names have theirs.
    A file of `limen sample`, with its answers, holds its scores itself. Damaged shards are left out on request.
    A ``part`` of data may be of one group.
    """
    from limen.data import as_data
    from limen.files.checked import is_checked
    from limen.files.reading import join, read_table
    from limen.thresholds import Thresholds

    words.call(y_score=scores, y_true=labels)
    if is_checked(labels):
        data = checked_data(labels)
        return data.in_order(thresholds.labels, extra=extra) if isinstance(thresholds, Thresholds) else data
    tuned = thresholds if isinstance(thresholds, Thresholds) else None
    if (
        in_blocks
        and not skip_damaged
        and groups is None
        and corrections is None
        and (streamed := _long_data(scores, labels)) is not None
    ):
        return streamed if tuned is None else streamed.in_order(tuned.labels, extra=extra)
    if skip_damaged:
        scored, annotated = _undamaged(scores, labels)
    else:
        scored, annotated = read_table(scores, kind="scores"), read_table(labels, kind="labels")
    of_sound = sound_of(scores) is not None and scored.ids is not None
    joined = join(scored, _of_recordings(annotated, scored) if of_sound else annotated)
    data = as_data(
        joined.y_true,
        joined.y_score,
        labels=joined.labels if joined.labels is not None or tuned is None else tuned.labels,
        ids=joined.ids,
        groups=None if groups is None else groups_of(groups, joined.ids, of_sound=of_sound, part=part),
        corrections=None if corrections is None else read_table(corrections, kind="labels"),
        first_row=1,
        part=part,
    )
    return data if tuned is None else data.in_order(tuned.labels, extra=extra)


def _undamaged(scores: str, labels: str) -> tuple[Table, Table]:
    """Return the tables of the shards that can be read, and say which cannot."""
    from limen.files.reading import read_files, readable_files

    of_scores, of_labels, damaged = readable_files(scores, labels)
    say_missing(damaged, len(of_scores) + len(damaged))
    return read_files(of_scores, scores, kind="scores"), read_files(of_labels, labels, kind="labels")


def say_missing(damaged: list[Damaged], n_shards: int) -> None:
    """Say which shards were left out, and how many items that is."""
    from limen.cli.console import say

    for shard in damaged:
        say(f"left out {shard.names[0]} and {shard.names[1]}: {shard.why}")
    if damaged:
        known = [shard.n_items for shard in damaged if shard.n_items is not None]
        unknown = "" if len(known) == len(damaged) else ", or more: some could not be read on either side"
        say(
            f"missing: {len(damaged)} of {count(n_shards, 'shard')}, {count(sum(known), 'item')}{unknown}. What "
            "follows is of the others alone."
        )


def watched(data: Data, bar: Progressing) -> Data:
    """Return data that show on a progress bar how far they are read, where they are read from files."""
    from dataclasses import replace

    from limen.sources.dense import DenseSource
    from limen.sources.matrix import Matrix, Watched

    source = getattr(data, "source", None)  # curves have none
    if not isinstance(source, DenseSource) or not isinstance(source.scores, Matrix):
        return data
    return replace(data, source=replace(source, scores=Watched(source.scores, bar.reading)))


def _long_data(scores: str, labels: str) -> Data | None:
    """Return data of scores in a long table, in Parquet or a database, while the command runs; else None."""
    import click

    from limen.engines.duckdb import opened
    from limen.engines.duckdb.rows import is_long
    from limen.files.reading import read_table

    if not is_long(scores, "scores"):
        return None
    y_true = labels if is_long(labels, "labels") else read_table(labels, kind="labels")
    return click.get_current_context().with_resource(opened(y_true, scores))


def checked_data(path: str, only: str | None = None) -> Data:
    """Return the answers in a file of `limen sample`, one item each; `limen.guarantees.answers` explains."""
    from limen.files.checked import read_checked
    from limen.guarantees import answers

    columns = read_checked(path)
    given = {name: columns[name] for name in ("drawn", "weight")}
    return answers(columns["label"], columns["score"], columns["value"], only=only, **given)


def in_order(table: Table, labels: tuple[str, ...], extra: Literal["refuse", "ignore"] = "refuse") -> Any:
    """Return the scores with columns in the order of these labels, by name where they are named."""
    if table.labels is None:
        if table.shape[1] != len(labels):
            raise InputError(
                f"{table.source} has {table.shape[1]} columns without names, the thresholds are for "
                f"{len(labels)} labels. Both must be the same labels in the same order."
            )
        return table.values
    return _by_name(table.values, table.labels, labels, table.source, extra=extra)


def _by_name(
    values: Any,
    names: tuple[str, ...],
    wanted: tuple[str, ...],
    source: str,
    other: str = "the thresholds",
    extra: Literal["refuse", "ignore"] = "refuse",
) -> Any:
    from limen.names import ADVICE, match
    from limen.sources.tables import select_columns

    aside = (
        " Or leave it aside with --extra ignore."
        if set(wanted) <= set(names) and other == "the thresholds"
        else ""
    )
    match(wanted, names, between=(other, source), extra=extra, advice=ADVICE + aside)
    return select_columns(values, names, wanted)


def sound_of(scores: str) -> dict[str, Any] | None:
    """Return how clip scores were made, ``clips`` and the model's settings, if `limen score --clips` did."""
    from limen.events.formats.clips import clips_of

    about = clips_of(scores)
    return None if about is None else {"clips": about["clips"], **(about["model"] or {})}


def with_sound(thresholds: Thresholds, scores: str) -> Thresholds:
    """Return thresholds that know how the clip scores that they were tuned on were made, for `limen tag`."""
    from dataclasses import replace

    sound = sound_of(scores)
    return thresholds if sound is None else replace(thresholds, details={**thresholds.details, "sound": sound})


def _of_recordings(labels: Table, scores: Table) -> Table:
    """Return labels whose ids, which may be names of files, are the recordings of the scores."""
    from dataclasses import replace

    from limen.events.formats.named import Recordings, recording_name

    if labels.ids is None or scores.ids is None:
        return labels
    known = Recordings(scores.ids)
    found = [known.find(recording_name(name)) for name in labels.ids]
    ids = (own[0] if len(own) == 1 else name for own, name in zip(found, labels.ids, strict=True))
    return replace(labels, ids=tuple(ids))


def groups_of(path: str, ids: tuple[str, ...] | None, *, of_sound: bool = False, part: bool = False) -> list[str]:
    """Return the group of each item, from a file of id and group; of recordings, ids may be names of files.

    Of a ``part`` of data, the file may have more ids.
    """
    from limen.files.pairs import read_pairs

    if ids is None:
        raise InputError("--groups needs ids in the scores and labels files. Add an id column.")
    if of_sound:
        return recording_groups(path, ids)
    group = read_pairs(path, ids, "group", extra="ignore" if part else "refuse")
    missing = [name for name in ids if name not in group]
    if missing:
        raise InputError(f"{path} has no group for {examples(missing)}. Every item needs one.")
    return [group[name] for name in ids]


def recording_groups(path: str, names: tuple[str, ...]) -> list[str]:
    """Return the group of each recording, from a file of recording and group; names may be those of files."""
    from pathlib import Path

    from limen.events.formats.named import Recordings, recording_name
    from limen.files.text import numbered_rows

    if not Path(path).is_file():
        raise UnreadableError(f"{path} does not exist. Check the path, and the folder you are in.")
    known, group = Recordings(names), dict[str, str]()
    for line, cells in list(numbered_rows(Path(path)))[1:]:
        if len(cells) != 2 or not all(map(str.strip, cells)):
            raise InputError(f"{path}, line {line}: a file of groups has two columns, recording and group.")
        for name in known.find(recording_name(cells[0])):
            if group.setdefault(name, cells[1].strip()) != cells[1].strip():
                raise InputError(f"{path}, line {line}: {name!r} is in two groups. Every recording needs one.")
    if missing := [name for name in names if name not in group]:
        raise InputError(f"{path} has no group for {examples(missing)}. Every recording needs one.")
    return [group[name] for name in names]


def prevalence_of(path: str | None, adapt_to: str | None, data: Data) -> Any:
    """Return shares of positives by label from a file, or estimated from unlabelled scores."""
    from limen.files.pairs import read_pairs
    from limen.files.reading import read_table

    if path is not None and adapt_to is not None:
        raise InputError("--target-prevalence and --adapt-to both say the shares of positives. Use one.")
    if path is not None:
        shares = {name: number_of(share) for name, share in read_pairs(path, data.labels, "share").items()}
        wrong = [name for name, share in shares.items() if share is None or not 0 <= share <= 1]
        if wrong:
            raise InputError(f"{path} has no share from 0 to 1 for {examples(wrong)}. Every label needs one.")
        return shares
    if adapt_to is None:
        return None
    from limen.shift import estimate_prevalence

    words.call(new_scores=adapt_to)
    table = read_table(adapt_to, kind="scores")
    scores = table.values
    if table.labels is not None:
        scores = _by_name(scores, table.labels, data.labels, table.source, "the labelled data")
    return estimate_prevalence(data, None, scores)


def metric_of(name: str, beta: float | None, costs: str | None) -> Any:
    """Return the metric that the options name."""
    if name == "fbeta" and beta is None:
        raise InputError("--metric fbeta needs --beta: above 1 favours recall, below 1 precision.")
    if beta is not None:
        if name != "fbeta":
            raise InputError(f"--beta goes with --metric fbeta, not with {name}.")
        return {"name": name, "beta": beta}
    if costs is not None:
        parts = [number_of(part) for part in costs.split(",")]
        if name != "cost" or len(parts) != 2 or None in parts:
            raise InputError(f"--costs {costs} with --metric {name}. Write --metric cost --costs 1,5.")
        if not any(parts):
            raise InputError(f"--costs {costs}: no mistake costs anything. At least one cost must be above 0.")
        return {"name": name, "fp": parts[0], "fn": parts[1]}
    return name


def number_of(text: str) -> float | None:
    """Return the number that a text is, or None; as in files, ``1_0`` and digits beyond ASCII are none."""
    try:
        return float(text) if "_" not in text and text.isascii() and text.isprintable() else None
    except ValueError:
        return None


def thresholds_of(text: str, *, called: str = "the thresholds") -> Thresholds | float:
    """Return the number that a text is, or the thresholds in the file of that name."""
    from limen.thresholds import Thresholds

    number = number_of(text)
    if number is not None and number != number:
        raise InputError("the threshold is NaN. Give a number (inf: never), or a file of limen tune.")
    if number is not None:
        return number
    words.call(**{called: text})
    return Thresholds.load(text)


def write_rows(output: str, rows: list[dict[str, Any]]) -> None:
    """Write rows as CSV, whole or not at all."""
    import csv

    from limen.files.text import spelled
    from limen.files.writing import write_atomically

    with (
        write_atomically(output) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({key: spelled(cell) if isinstance(cell, str) else cell for key, cell in row.items()})


class LazyDecisions:
    """Decisions in blocks of rows, as `write_tags` asks for them."""

    def __init__(
        self, scores: Any, labels: tuple[str, ...], values: Any, rule: str, bar: Progressing | None = None
    ) -> None:
        self.scores, self.chosen, self.given, self.bar = scores, (labels, values, rule), 0, bar
        self.shape = (int(scores.shape[0]), int(scores.shape[1]))

    def __getitem__(self, rows: slice) -> Any:
        import numpy as np

        from limen.decisions import decide
        from limen.sources.arrays import CSR

        if isinstance(self.scores, CSR):
            stop = min(rows.stop, self.shape[0])
            kept = decide(self.scores.rows(rows.start, stop), *self.chosen, first_row=rows.start + 1)
            block = np.zeros(kept.shape, bool)
            block[kept.row_of_entries(), kept.indices] = True
        else:
            block = decide(self.scores[rows], *self.chosen, first_row=rows.start + 1)
        self.given += int(block.sum())
        if self.bar is not None:
            self.bar(rows.start, self.shape[0])
        return block
