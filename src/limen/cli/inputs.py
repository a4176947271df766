"""What the commands read: files joined, options as objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from limen.errors import InputError, examples

if TYPE_CHECKING:
    from limen.sources.tables import Joined, Table
    from limen.thresholds import Thresholds


def refuse_to_replace(*outputs: str | None, inputs: tuple[str | None, ...]) -> None:
    """Raise `InputError` if an output is one of the inputs, or two outputs are one file."""
    from pathlib import Path

    seen = {Path(name).resolve(): name for name in inputs if name and Path(name).exists()}
    for output in filter(None, outputs):
        path = Path(output).resolve()
        if path in seen:
            raise InputError(
                f"{output} would replace {seen[path]}, which this command needs. Choose another name."
            )
        seen[path] = output


def read_both(scores: str, labels: str) -> Joined:
    """Return a file of scores and a file of labels, joined by name and id."""
    from limen.files.reading import join, read_table

    return join(read_table(scores, kind="scores"), read_table(labels, kind="labels"))


def in_order(table: Table, thresholds: Thresholds) -> Any:
    """Return the scores with columns in the order of the thresholds, by name where they are named."""
    if table.labels is None:
        if table.shape[1] != len(thresholds.labels):
            raise InputError(
                f"{table.source} has {table.shape[1]} columns without names, the thresholds are for "
                f"{len(thresholds.labels)} labels. Both must be the same labels in the same order."
            )
        return table.values
    return _by_name(table.values, table.labels, thresholds.labels, table.source)


def _by_name(
    values: Any, names: tuple[str, ...], wanted: tuple[str, ...], source: str, other: str = "the thresholds"
) -> Any:
    from limen.sources.tables import select_columns

    missing, extra = [x for x in wanted if x not in set(names)], [x for x in names if x not in set(wanted)]
    if missing or extra:
        raise InputError(
            f"{source} and {other} name different labels: {examples(missing) or 'none'} only in {other}, "
            f"{examples(extra) or 'none'} only in the scores. Rename or drop what is not shared."
        )
    return select_columns(values, names, wanted)


def read_for(scores: str, labels: str, thresholds: Thresholds | float | None) -> Joined:
    """Return a file of scores and one of labels, joined; columns in the order of the thresholds, if any."""
    from dataclasses import replace

    from limen.thresholds import Thresholds

    joined = read_both(scores, labels)
    if not isinstance(thresholds, Thresholds):
        return joined
    if joined.labels is None:
        return replace(joined, labels=thresholds.labels)
    y_score = _by_name(joined.y_score, joined.labels, thresholds.labels, "the scores file")
    y_true = _by_name(joined.y_true, joined.labels, thresholds.labels, "the labels file")
    return replace(joined, y_score=y_score, y_true=y_true, labels=thresholds.labels)


def only_label(joined: Joined, label: str) -> Joined:
    """Return the joined files with the column of one label; labels without names are called 0, 1, ..."""
    from dataclasses import replace

    from limen.sources.tables import select_columns

    names = joined.labels or tuple(str(k) for k in range(joined.y_score.shape[1]))
    if label not in names:
        raise InputError(f"the files have no label {label!r}. They have {examples(names)}.")
    y_score = select_columns(joined.y_score, names, (label,))
    y_true = select_columns(joined.y_true, names, (label,))
    return replace(joined, y_score=y_score, y_true=y_true, labels=(label,))


def groups_of(path: str | None, joined: Joined) -> list[str] | None:
    """Return the group of each item, from a file of id and group."""
    from limen.files.pairs import read_pairs

    if path is None:
        return None
    if joined.ids is None:
        raise InputError("--groups needs ids in the scores and labels files. Add an id column.")
    group = read_pairs(path, joined.ids, "group")
    missing = [name for name in joined.ids if name not in group]
    if missing:
        raise InputError(f"{path} has no group for {examples(missing)}. Every item needs one.")
    return [group[name] for name in joined.ids]


def prevalence_of(path: str | None, adapt_to: str | None, joined: Joined) -> Any:
    """Return shares of positives by label from a file, or estimated from unlabelled scores."""
    from limen.files.pairs import read_pairs
    from limen.files.reading import read_table

    if path is not None and adapt_to is not None:
        raise InputError("--target-prevalence and --adapt-to both say the shares of positives. Use one.")
    names = joined.labels or tuple(str(k) for k in range(joined.y_score.shape[1]))
    if path is not None:
        shares = {name: number_of(share) for name, share in read_pairs(path, names, "share").items()}
        wrong = [name for name, share in shares.items() if share is None]
        if wrong:
            raise InputError(f"{path} has no number for {examples(wrong)}. Shares lie from 0 to 1.")
        return shares
    if adapt_to is None:
        return None
    from limen.shift import estimate_prevalence

    table = read_table(adapt_to, kind="scores")
    scores = table.values
    if table.labels is not None and joined.labels is not None:
        scores = _by_name(scores, table.labels, names, table.source, "the labelled data")
    return estimate_prevalence(joined.y_true, joined.y_score, scores, labels=names)


def metric_of(name: str, beta: float | None, costs: str | None) -> Any:
    """Return the metric that the options name."""
    if beta is not None:
        if name != "fbeta":
            raise InputError(f"--beta goes with --metric fbeta, not with {name}.")
        return {"name": name, "beta": beta}
    if costs is not None:
        parts = [number_of(part) for part in costs.split(",")]
        if name != "cost" or len(parts) != 2 or None in parts:
            raise InputError(f"--costs {costs} with --metric {name}. Write --metric cost --costs 1,5.")
        return {"name": name, "fp": parts[0], "fn": parts[1]}
    return name


def number_of(text: str) -> float | None:
    """Return the number that a text is, or None."""
    try:
        return float(text)
    except ValueError:
        return None


def thresholds_of(text: str) -> Thresholds | float:
    """Return the number that a text is, or the thresholds in the file of that name."""
    from limen.thresholds import Thresholds

    number = number_of(text)
    if number is not None and number != number:
        raise InputError("the threshold is NaN. Give a number (inf: never), or a file of limen tune.")
    return Thresholds.load(text) if number is None else number


def write_rows(output: str, rows: list[dict[str, Any]]) -> None:
    """Write rows as CSV, whole or not at all."""
    import csv

    from limen.files.writing import write_atomically

    with (
        write_atomically(output) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


class LazyDecisions:
    """Decisions in blocks of rows, as `write_tags` asks for them."""

    def __init__(self, thresholds: Thresholds, scores: Any) -> None:
        self.thresholds, self.scores, self.given = thresholds, scores, 0
        self.shape = (int(scores.shape[0]), int(scores.shape[1]))

    def __getitem__(self, rows: slice) -> Any:
        import numpy as np

        from limen.sources.arrays import CSR

        if isinstance(self.scores, CSR):
            kept = self.thresholds.decide(self.scores.rows(rows.start, min(rows.stop, self.shape[0])))
            block = np.zeros(kept.shape, bool)
            block[kept.row_of_entries(), kept.indices] = True
        else:
            block = self.thresholds.decide(self.scores[rows])
        self.given += int(block.sum())
        return block
