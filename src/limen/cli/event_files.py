"""What `limen show` and `limen evaluate` say of files of events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from limen.cli.console import busy, say
from limen.errors import InputError, UnreadableError, count, examples


def is_of_events(path: str) -> bool:
    """Return whether a file has thresholds of events; what is wrong with other files is said elsewhere."""
    from limen.thresholds_file import EVENTS_SCHEMA

    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("schema") == EVENTS_SCHEMA


def show_events(path: str) -> None:
    """Say what is known of thresholds of events."""
    from limen.events import EventThresholds

    chosen = EventThresholds.load(path)
    say(chosen)
    for sentence in chosen.said_constraints():
        say(sentence)
    if chosen.promise is not None:
        say(f"promised: {chosen.promise.said()}")
        say(f"by {chosen.promise.basis()}")
    say(f"counts are those of the {count(chosen.n_recordings, 'recording')} tuned on ({hours(chosen.hours)})")
    if chosen.never:
        say(f"never given, whatever the score: {examples(chosen.never)}")


def evaluate_events(
    scores: str,
    annotations: str,
    thresholds: str,
    *,
    groups: str | None,
    extra: Any,
    seed: int,
    output: str | None,
) -> None:
    """Measure thresholds of events on a folder of scores and annotations."""
    from limen.cli.inputs import write_rows
    from limen.constraints import said_outcome
    from limen.events import EventThresholds, evaluate
    from limen.events.formats import read_events, read_scores
    from limen.promises import held

    chosen = EventThresholds.load(thresholds)
    with busy(f"reading {scores} and {annotations}"):
        found = read_scores(scores)
        annotated = read_events(annotations, scores=found, extra=extra)
        found = found.take(annotated.recordings)
    result = evaluate(
        annotated,
        chosen.decide(found),
        chosen.criterion,
        durations=found,
        metric=chosen.metric,
        average=chosen.average,
        zero_division=chosen.zero_division,
        groups=None if groups is None else recording_groups(groups, found.names),
        random_state=seed,
    )
    say(result)
    false = (result.counts.pp - result.counts.tp).sum() / found.hours
    say(f"{false:.3g} false {result.criterion.noun}s an hour, in {hours(found.hours)}")
    for entry in chosen.outcomes(result.counts, found.hours):
        say(f"{said_outcome(entry, 'events')} (on these recordings)")
    if chosen.promise is not None:
        say(f"promised: {chosen.promise.said()}")
        say(held(chosen.promised(result.counts, found.hours), "recordings"))
    if output is not None:
        heads = result.shown().headings
        write_rows(output, [dict(zip(heads, row, strict=True)) for row in result.shown().rows])
        say(f"wrote {output}")


def hours(number: float) -> str:
    """Return a length of sound as people say it."""
    return f"{number:.3g} h" if number >= 0.1 else f"{number * 60:.2g} min"


def recording_groups(path: str, names: tuple[str, ...]) -> list[str]:
    """Return the group of each recording, from a file of recording and group; names may be those of files."""
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
