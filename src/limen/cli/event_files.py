"""What `limen show` and `limen evaluate` say of files of events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from limen.cli.console import busy, say
from limen.cli.inputs import recording_groups, write_rows
from limen.errors import count, examples


def is_of_events(path: str) -> bool:
    """Return whether a file has thresholds of events; what is wrong with other files is said elsewhere."""
    from limen.thresholds_file import EVENTS_SCHEMA, SCHEMA

    try:
        with Path(path).open(encoding="utf-8") as file:
            if f'"{SCHEMA}"' in file.read(1 << 10):  # so that a large file is not read twice
                return False
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
