"""`limen tune`: from files to thresholds."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

import click

from limen.cli.console import busy, progress, say, say_next
from limen.cli.help import Command
from limen.cli.inputs import prevalence_of, read_data, refuse_to_replace, watched, with_sound
from limen.cli.limits import HOLD, INFEASIBLE, LIMITS, constraint_options
from limen.cli.options import CORRECTIONS, FILES, GROUPS, MEDIA, SEED, SKIP, objective_options
from limen.cli.states import MOST, attention
from limen.errors import InputError, count, examples, percent
from limen.unscored import said_unscored

if TYPE_CHECKING:
    from limen.thresholds import Thresholds

KINDS = {"probability": "probabilities", "logit": "logits", "real": "real numbers", None: "numbers"}


SECTIONS = {
    "What to serve": ("metric", "beta", "costs", "average", "zero_division"),
    "What to keep": LIMITS,
    "Data": ("curves", "groups", "corrections", "skip_damaged", "target_prevalence", "adapt_to"),
    "How": ("method", "min_positive", "placement", "seed"),
    "What to write": ("output", "report", "media", "verbose"),
}


@click.command(cls=Command, sections=SECTIONS, epilog=FILES, short_help="Find thresholds that serve a metric.")
@click.argument("scores", required=False)
@click.argument("labels", required=False)
@click.option("--curves", metavar="FILE", help="Instead of scores and labels: a file of limen curves, or merge.")
@click.option(
    "-o", "--output", default="thresholds.json", show_default=True, help="Where to write; .npz: compactly."
)
@objective_options
@click.option("--method", default="auto", show_default=True, help="`limen methods` lists all.")
@click.option(
    "--placement",
    type=click.Choice(["midpoint", "score"]),
    default="midpoint",
    show_default=True,
    help="Halfway between two scores, or at the lowest kept one.",
)
@click.option(
    "--min-positive", type=click.FloatRange(min=0), default=0.0, help="auto: labels with fewer lean on all labels."
)
@CORRECTIONS
@SKIP
@constraint_options
@INFEASIBLE
@HOLD
@GROUPS
@click.option("--target-prevalence", metavar="FILE", help="A file of label, share of positives where it is used.")
@click.option("--report", metavar="FILE", help="Also write a report to look at, an .html file.")
@MEDIA
@click.option("--adapt-to", metavar="SCORES", help="Unlabelled scores to estimate these shares from.")
@SEED
@click.option("-v", "--verbose", is_flag=True, help="Also say what the method chose, and why.")
def tune(
    scores: str | None,
    labels: str | None,
    curves: str | None,
    output: str,
    objective: dict[str, Any],
    method: str,
    placement: Any,
    min_positive: float,
    corrections: str | None,
    skip_damaged: bool,
    constraints: list[Any],
    infeasible: Any,
    hold: float | None,
    groups: str | None,
    target_prevalence: str | None,
    report: str | None,
    media: str | None,
    adapt_to: str | None,
    seed: int,
    verbose: bool,
) -> None:
    """Find the thresholds that serve a metric, and write them to a JSON file.

    \b
    limen tune scores.csv labels.csv
    limen tune scores.parquet tags.tsv --metric fbeta --beta 0.5 --average macro
    limen tune data.npz data.npz --method sgl -o sgl.json
    limen tune scores.csv labels.csv --report report.html
    limen tune scores.csv labels.csv --min-precision 0.9 --same "Cat,Dog"
    limen tune --curves all.curves
    """
    import limen

    options = {"placement": placement, "min_positive": min_positive, "constraints": constraints}
    options |= {"infeasible": infeasible, "hold": hold, "random_state": seed}
    if curves is not None:
        beside = {
            "scores": scores,
            "labels": labels,
            "--groups": groups,
            "--corrections": corrections,
            "--report": report,
            "--media": media,
            "--adapt-to": adapt_to,
            "--target-prevalence": target_prevalence,
        }
        if given := [name for name, value in beside.items() if value is not None]:
            raise InputError(
                f"--curves takes the place of the data, and {examples(given)} need them. Give one or the other."
            )
        refuse_to_replace(output, inputs=(curves,))
        with busy(f"tuning on {curves}"):
            thresholds = limen.tune(limen.Curves.load(curves), **objective, method=method, **options)
        output = _compact_if_large(output, thresholds, (curves,))
        thresholds.save(output)
        _print_tuned(thresholds)
        if verbose:
            _print_details(thresholds)
        say(f"wrote {output} ({count(len(thresholds.labels), 'label')})")
        return
    if scores is None or labels is None:
        raise click.UsageError("Missing argument 'SCORES' or 'LABELS'. (Or give --curves FILE.)")
    if media is not None and report is None:
        raise InputError(
            "--media goes with --report: it is seen there. Name the report, like --report report.html."
        )
    refuse_to_replace(output, report, inputs=(scores, labels, groups, corrections, target_prevalence, adapt_to))
    with busy(f"reading {scores} and {labels}"):
        data = read_data(
            scores, labels, groups, corrections=corrections, skip_damaged=skip_damaged, in_blocks=report is None
        )
        prevalence = prevalence_of(target_prevalence, adapt_to, data)
    if data.corrected:
        say(str(data.corrected))
    if media is not None:
        from limen.reporting.media import Media

        Media.of(media, data.ids)  # what is wrong with it is said before the work
    with progress(f"tuning ({method})") as tick:
        thresholds = limen.tune(
            watched(data, tick),
            **objective,
            method=method,
            **options,
            target_prevalence=prevalence,
            progress=lambda step, steps, value: tick(step, steps, "" if isnan(value) else f"{value:.4f}"),
        )
    thresholds = with_sound(thresholds, scores)
    output = _compact_if_large(
        output, thresholds, (scores, labels, groups, corrections, target_prevalence, adapt_to)
    )
    thresholds.save(output)
    _print_tuned(thresholds)
    if verbose:
        _print_details(thresholds)
    for sentence in thresholds.said_constraints():
        say(sentence)
    say(f"wrote {output} ({count(len(thresholds.labels), 'label')})")
    if report is not None:
        with progress("report") as tick:
            files = {"scores": scores, "labels": labels, "groups": groups, "thresholds": output}
            limen.report(
                watched(data, tick),
                None,
                thresholds,
                report,
                files=files,
                media=media,
                random_state=seed,
                progress=tick,
            )
        say(f"wrote {report}: open it in a browser")
    _print_next(thresholds, scores, labels, output, report)


def _compact_if_large(output: str, thresholds: Thresholds, inputs: tuple[str | None, ...]) -> str:
    """Return the name to write to: of very many labels that of a compact file, unless a name was given."""
    from limen.thresholds_file import LARGE

    if len(thresholds.labels) <= LARGE or _given("output"):
        return output
    compact = f"{output.removesuffix('.json')}.npz"
    refuse_to_replace(compact, inputs=inputs)
    return compact


def _print_tuned(thresholds: Thresholds) -> None:
    """Say what was tuned, what to expect on new items, and which labels need somebody."""
    metric, objective, half = thresholds.metric, thresholds.objective, ""
    if thresholds.half is not None and thresholds.scale == "probability":
        half = f"; 0.5 gives {metric.said(thresholds.half)} there"
    if thresholds.expected is None:
        say(f"{thresholds.summary()}{half}")
    else:
        value, low, high = thresholds.expected
        say(f"{objective.said(thresholds.value)} on the {count(thresholds.n_items, 'item')} tuned on")
        gain, expected = thresholds.expected_gain, f"expect {metric.said(value)}"
        if half and gain is not None:
            at_half = f"0.5 gives {metric.said(value - gain.value)}"
            unclear = ": no clear gain" if gain.low <= 0 <= gain.high else ""
            say(f"{at_half}; {expected} ({metric.said_gain(*gain)}{unclear}) on new items")
        else:
            say(f"{expected} ({metric.said_span(low, high)}) on new items")
    if lacking := said_unscored(thresholds.details.get("unscored")):
        say(lacking)
    lines = attention(thresholds)
    say("weakest, on the items tuned on:" if lines else "no label has a warning on the items tuned on")
    for line in lines:
        say(f"  {line}")


def _print_details(thresholds: Thresholds) -> None:
    """Say what is known of how the thresholds came about."""
    if thresholds.expected is not None:
        value, *ends = thresholds.expected
        metric = thresholds.metric
        say(f"expected: {metric.said(value)}, the mean over new data ({metric.said_span(*ends)})")
    say(f"status: {thresholds.status}{'; ' if thresholds.reason else ''}{thresholds.reason}")
    say(f"scores: taken for {KINDS[thresholds.scale]}, {thresholds.values.dtype}")
    details = dict(thresholds.details)
    if weights := details.pop("weights", None):
        say(f"mixed of: {', '.join(f'{name} {percent(share)}' for name, share in weights.items())}")
    for key, value in details.items():
        say(f"{key.replace('_', ' ')}: {_plain(value)}")


def _plain(value: Any) -> str:
    """Return a number, a text, or a list or a dict of them, as people read it."""
    if isinstance(value, dict):
        return "; ".join(f"{key} {_plain(part)}" for key, part in value.items())
    if isinstance(value, list):
        named = bool(value) and isinstance(value[0], str)
        return (
            examples(value)
            if named
            else ", ".join(map(_plain, value[:MOST])) + (" ..." if value[MOST:] else "") or "none"
        )
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _print_next(thresholds: Thresholds, scores: str, labels: str, output: str, report: str | None) -> None:
    """Say how to go on, in a command on the user's own files."""
    from limen.reporting.limits import is_shown

    if thresholds.expected is None and not thresholds.expected_reason:
        say("what new items will give was not measured: the method does not cross-fit. This measures it:")
        methods = list(dict.fromkeys(("fixed:0.5", thresholds.method)))
        shared = _given("metric", "beta", "costs", "average", "zero_division", "groups", "seed")
        say_next("limen", "compare", scores, labels, "--methods", ",".join(methods), *shared)
    elif report is None and is_shown(thresholds.rule) and not thresholds.objective.needs_items:
        say_next("limen", "report", scores, labels, output, *_given("groups", "seed"))
    elif report is None:  # A report shows cuts by label and what counts by label give.
        say_next("limen", "evaluate", "new_scores.csv", "new_labels.csv", output)


def _given(*names: str) -> list[str]:
    """Return those of these options that the user gave, as they would be given again."""
    context = click.get_current_context()
    return [
        word
        for name in names
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        for word in (f"--{name.replace('_', '-')}", str(context.params[name]))
    ]
