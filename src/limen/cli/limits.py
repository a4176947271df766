"""Options that say what decisions must keep, for commands that tune."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from limen.errors import InputError

SHARE = click.FloatRange(0, 1)


def constraint_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of constraints; it gets them as ``constraints``, a list for `limen.tune`."""

    @functools.wraps(command)
    def with_constraints(
        *,
        min_precision: float | None,
        min_recall: float | None,
        max_fpr: float | None,
        max_rate: float | None,
        max_tags: float | None,
        min_tags: float | None,
        per: str,
        threshold_range: tuple[float, float] | None,
        same: tuple[str, ...],
        at_most: tuple[str, ...],
        hierarchy: str | None,
        closed: bool,
        constraints: str | None,
        **others: Any,
    ) -> None:
        from limen import constraints as limits

        found: list[Any] = [] if constraints is None else list(limits.read_constraints(constraints))
        for value, make in (
            (min_precision, limits.MinPrecision),
            (min_recall, limits.MinRecall),
            (max_fpr, limits.MaxFalsePositiveRate),
            (max_tags, limits.MaxPredictions),
            (min_tags, limits.MinPredictions),
        ):
            if value is not None:
                found.append(make(value, per=per))  # type: ignore[arg-type]
        if max_rate is not None:
            found.append(limits.MaxPredictions(rate=max_rate, per=per))  # type: ignore[arg-type]
        if threshold_range is not None:
            found.append(limits.ThresholdRange(*threshold_range))
        found += [limits.SameThreshold(tuple(_names(text, "--same"))) for text in same]
        found += [limits.AtMost(*_pair(text), closed) for text in at_most]
        if hierarchy is not None:
            found.append(limits.Hierarchy.from_json(hierarchy, closed=closed))
        elif closed and not at_most:
            raise InputError("--closed needs --hierarchy or --at-most. Give one of them.")
        command(constraints=found, **others)

    options = (
        click.option("--min-precision", type=SHARE, help="Least precision of each label."),
        click.option("--min-recall", type=SHARE, help="Least recall of each label."),
        click.option("--max-fpr", type=SHARE, help="Greatest false positive rate of each label."),
        click.option("--max-rate", type=SHARE, help="Greatest share of items that get a label."),
        click.option("--max-tags", type=click.FloatRange(min=0), help="Most tags of each label, on these items."),
        click.option("--min-tags", type=click.FloatRange(min=0), help="Fewest tags of each label."),
        click.option(
            "--per",
            type=click.Choice(["label", "all"]),
            default="label",
            show_default=True,
            help="Whether these limits are for each label, or for all labels together.",
        ),
        click.option("--threshold-range", type=(float, float), help="Lowest and highest threshold."),
        click.option("--same", metavar="A,B", multiple=True, help="Labels that share a threshold."),
        click.option(
            "--at-most", metavar="PARENT,CHILD", multiple=True, help="The parent's threshold is no higher."
        ),
        click.option(
            "--hierarchy", metavar="FILE", help="The same for a tag tree, a .json file of id, name, child_ids."
        ),
        click.option("--closed", is_flag=True, help="What gets a child gets its parent too."),
        click.option("--constraints", metavar="FILE", help="Limits by label and more, from a .toml file."),
    )
    for option in reversed(options):
        with_constraints = option(with_constraints)
    return with_constraints


LIMITS = (
    "min_precision",
    "min_recall",
    "max_fpr",
    "max_rate",
    "max_tags",
    "min_tags",
    "per",
    "threshold_range",
    "same",
    "at_most",
    "hierarchy",
    "closed",
    "constraints",
    "infeasible",
    "hold",
)
"""What these options are called, for the help of a command."""
INFEASIBLE = click.option(
    "--infeasible",
    type=click.Choice(["error", "never", "status"]),
    default="error",
    show_default=True,
    help="Where a label cannot keep its limits: stop, never give it, or take what is nearest.",
)

HOLD = click.option(
    "--hold",
    type=click.FloatRange(0.5, 1, max_open=True),
    help="How often limits shall hold on new items, by methods with a reserve; default: 0.9.",
)


def _names(text: str, option: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if len(names) < 2:
        raise InputError(f"{option} {text!r} names {len(names)} label. Name two or more, separated by commas.")
    return names


def _pair(text: str) -> tuple[str, str]:
    names = _names(text, "--at-most")
    if len(names) != 2:
        raise InputError(f"--at-most {text!r} names {len(names)} labels. Name the parent, a comma, and the child.")
    return names[0], names[1]
