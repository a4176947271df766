"""One file for each shard: runs over folders of scores that go on where they stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limen.cli.console import progress, say
from limen.cli.inputs import read_data, say_missing
from limen.errors import InputError, UnreadableError, count

if TYPE_CHECKING:
    from limen.data import Data
    from limen.files.shards import Damaged


def is_folder(output: str) -> bool:
    """Return whether an output is a folder, with a file for each shard: there is one, or it ends with a slash."""
    return output.endswith(("/", "\\")) or Path(output).is_dir()


def each_shard(
    inputs: tuple[str, str],
    output: str,
    ending: str,
    make: Callable[[Data], Any],
    *,
    beside: str | None = None,
    groups: str | None = None,
    skip_damaged: bool = False,
) -> None:
    """Write what ``make`` returns for each pair of shards, unless an earlier run has, of the same files.

    Parameters
    ----------
    inputs : (str, str)
        Scores and labels, folders or patterns of as many files, paired by place.
    output : str
        The folder; a file is called as its scores, with this ending.
    ending : str
    make : callable
        From data to an object with ``save``.
    beside : str, optional
        A file on which all results depend.
    groups : str, optional
        A file of id and group, of all items.
    skip_damaged : bool
        Whether a shard that cannot be read is left out, and said at the end, or stops the run.

    Notes
    -----
    Beside each file lies a hidden one that says of which files, by size and time, it was made.
    """
    pairs, folder = _pairs(*inputs), Path(output)
    targets = [folder / f"{_stem(scores)}{ending}" for scores, _ in pairs]
    if len(set(targets)) < len(targets):
        twice = next(target for target in targets if targets.count(target) > 1)
        raise InputError(
            f"two files of scores have the same name, and both would be written to {twice}. Rename one."
        )
    folder.mkdir(parents=True, exist_ok=True)
    sums = None if beside is None else hashlib.sha256(Path(beside).read_bytes()).hexdigest()
    taken, damaged = 0, list[Any]()
    labels: tuple[str, ...] | None = None
    with progress("shards") as bar:
        for number, (pair, target) in enumerate(zip(pairs, targets, strict=True)):
            bar(number, len(pairs), pair[0])
            made_of = {"scores": _state(pair[0]), "labels": _state(pair[1]), "beside": sums}
            if groups is not None:
                made_of["groups"] = _state(groups)
            if _is_made_of(target, made_of):
                taken += 1
                continue
            try:
                data = read_data(*pair, groups, part=True)
                labels = labels or data.labels
                made = make(data.in_order(labels) if set(labels) == set(data.labels) else data)
            except UnreadableError as error:
                if not skip_damaged:
                    raise
                damaged.append(_damaged(pair, error))
                continue
            made.save(target)
            _write(_note(target), {**made_of, "made": _state(str(target))})
    say_missing(damaged, len(pairs))
    new = len(pairs) - taken - len(damaged)
    say(
        f"wrote {count(new, 'file')} to {output}" + (f", and took over {taken} of an earlier run" if taken else "")
    )


def _pairs(scores: str, labels: str) -> list[tuple[str, str]]:
    from limen.files.shards import shards_of

    sides = [shards_of(path) or [path] for path in (scores, labels)]
    if len(sides[0]) != len(sides[1]):
        raise InputError(
            f"{scores} is {count(len(sides[0]), 'file')} and {labels} {count(len(sides[1]), 'file')}. Files "
            "belong together by their place in the sorted list: both sides need as many."
        )
    return list(zip(*sides, strict=True))


def _stem(path: str) -> str:
    from limen.files.archives import split_key

    file, key = split_key(path)
    stem = file.name.removesuffix(".gz").rpartition(".")[0]
    return stem if key is None else f"{stem}.{key.replace('/', '.')}"


def _state(path: str) -> list[Any]:
    """Return what tells whether a file is as it was."""
    from limen.files.archives import split_key

    about = split_key(path)[0].stat()
    return [path, about.st_size, about.st_mtime_ns]


def _note(target: Path) -> Path:
    return target.with_name(f".{target.name}.json")


def _is_made_of(target: Path, made_of: dict[str, Any]) -> bool:
    """Return whether a file is there, as it was written, of just these files."""
    try:
        found = json.loads(_note(target).read_text("utf-8"))
        return bool(found == {**made_of, "made": _state(str(target))})
    except (OSError, ValueError):
        return False


def _write(path: Path, content: dict[str, Any]) -> None:
    from limen.files.writing import write_atomically

    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(content), "utf-8")


def _damaged(pair: tuple[str, str], error: UnreadableError) -> Damaged:
    from limen.files.reading import read_table
    from limen.files.shards import Damaged

    n_items = None
    for name, kind in zip(pair, ("scores", "labels"), strict=True):
        try:
            n_items = n_items or read_table(name, kind=kind).shape[0]  # type: ignore[arg-type]
        except InputError:
            continue
    return Damaged(pair, str(error), n_items)
