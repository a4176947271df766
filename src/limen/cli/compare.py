"""`limen compare` and `limen learning-curve`: what to expect on new data."""

from __future__ import annotations

from typing import Any

import click

from limen.cli.console import busy, progress, say
from limen.cli.help import Command
from limen.cli.inputs import read_data, watched
from limen.cli.limits import HOLD, LIMITS, constraint_options
from limen.cli.options import CORRECTIONS, FILES, GROUPS, SEED, objective_options

SECTIONS = {
    "What to serve": ("metric", "beta", "costs", "average", "zero_division"),
    "What to keep": tuple(name for name in LIMITS if name != "infeasible"),
    "Data": ("groups", "corrections"),
    "How": ("methods", "cv", "repeats", "jobs", "seed"),
}


@click.command(cls=Command, sections=SECTIONS, epilog=FILES, short_help="Compare methods on new items.")
@click.argument("scores")
@click.argument("labels")
@click.option(
    "--methods",
    help="By commas; default: fixed:0.5, shared, sgl, exact and auto, or those for averages over items.",
)
@objective_options
@click.option("--cv", type=click.IntRange(min=2), default=5, show_default=True, help="Number of folds.")
@click.option(
    "--repeats", type=click.IntRange(min=1), default=1, show_default=True, help="How often folds are drawn."
)
@CORRECTIONS
@constraint_options
@HOLD
@GROUPS
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Tunings at a time; all cores where that pays, if left out."
)
@SEED
def compare(
    scores: str,
    labels: str,
    methods: str | None,
    objective: dict[str, Any],
    cv: int,
    repeats: int,
    corrections: str | None,
    constraints: list[Any],
    hold: float | None,
    groups: str | None,
    jobs: int | None,
    seed: int,
) -> None:
    """Compare methods on items they were not tuned on.

    \b
    limen compare scores.csv labels.csv
    limen compare scores.csv labels.csv --methods fixed:0.5,exact --average macro --cv 10
    """
    import limen

    with busy(f"reading {scores} and {labels}"):
        data = read_data(scores, labels, groups, corrections=corrections)
    if data.corrected:
        say(str(data.corrected))
    with progress("comparing") as tick:
        result = limen.compare(
            watched(data, tick),
            methods=None if methods is None else [name.strip() for name in methods.split(",") if name.strip()],
            **objective,
            cv=cv,
            repeats=repeats,
            constraints=constraints,
            hold=hold,
            n_jobs=jobs,
            random_state=seed,
            progress=tick,
        )
    say(result)


@click.command(name="learning-curve", cls=Command, epilog=FILES, short_help="Would more labelled items help?")
@click.argument("scores")
@click.argument("labels")
@click.option("--method", default="auto", show_default=True, help="`limen methods` lists all.")
@objective_options
@click.option("--cv", type=click.IntRange(min=2), default=5, show_default=True, help="Number of folds.")
@GROUPS
@SEED
def learning_curve_(
    scores: str,
    labels: str,
    method: str,
    objective: dict[str, Any],
    cv: int,
    groups: str | None,
    seed: int,
) -> None:
    """Show how the metric on new items grows with the number of items tuned on.

    \b
    limen learning-curve scores.csv labels.csv
    """
    from limen.learning_curve import learning_curve

    with busy(f"reading {scores} and {labels}"):
        data = read_data(scores, labels, groups)
    with progress("tuning") as tick:
        result = learning_curve(
            data,
            method=method,
            **objective,
            cv=cv,
            random_state=seed,
            progress=tick,
        )
    say(result)
