"""`limen learn`: training methods end to end, from data to thresholds and a report."""

from __future__ import annotations

import click

from limen.cli.console import progress, say
from limen.cli.help import Command, Group
from limen.cli.options import SEED


@click.group(cls=Group, short_help="Run training methods end to end.")
def learn() -> None:
    """Run training methods end to end: data, training, scores, thresholds, report.

    \b
    limen learn recipes
    limen learn run sketch --data DIR
    """


@learn.command(cls=Command)
def recipes() -> None:
    """List the recipes, and the files each reads."""
    from limen.display import TextTable
    from limen.learn.recipes import RECIPES, get

    rows = [(name, get(name).WHAT, ", ".join(get(name).DATA)) for name in RECIPES]
    headings = ("recipe", "what it shows", "reads")
    say(TextTable("", headings, rows, text=headings))


@learn.command(cls=Command, short_help="Run a recipe.")
@click.argument("recipe")
@click.option("--data", metavar="DIR", required=True, help="The folder with the recipe's files.")
@click.option("-o", "--output", metavar="DIR", help="Where to write; limen-RECIPE, if left out.")
@SEED
def run(recipe: str, data: str, output: str | None, seed: int) -> None:
    """Run a recipe end to end, and print what it reached and what it had to reach.

    Steps that an earlier run with the same output folder finished are not done again.

    \b
    limen learn run sketch --data DIR -o sketch
    """
    from limen.display import TextTable
    from limen.learn.recipes import run as cook

    with progress(recipe) as tick:
        outcome = cook(recipe, data, output or f"limen-{recipe}", seed, tick)
    say(
        TextTable(
            outcome.title,
            outcome.headings,
            outcome.rows,
            names=outcome.headings[:2],
            optional=tuple(reversed(outcome.headings[3:])),
        )
    )
    for note in outcome.notes:
        say(note)
    missed = sum(not check.passed for check in outcome.checks)
    rows = [(*check[:3], "" if check.passed else "not reached") for check in outcome.checks]
    title = "Acceptance: all reached" if not missed else f"Acceptance: {missed} of {len(rows)} not reached"
    headings = ("what", "required", "measured", "verdict")
    say("", TextTable(title, headings, rows, text=("what", "required", "verdict")))
    say(f"wrote {', '.join(map(str, outcome.files))}")
