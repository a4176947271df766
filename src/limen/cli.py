"""The command line: files in, thresholds and tags out."""

from __future__ import annotations

import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from limen.cli_inputs import (
    LazyDecisions,
    groups_of,
    in_order,
    joined_in_order,
    metric_of,
    prevalence_of,
    read_both,
    thresholds_of,
    write_rows,
)
from limen.errors import InputError, LimenError, UnsupportedError, examples

if TYPE_CHECKING:
    from limen.io.joining import Joined
    from limen.thresholds import Thresholds

METRIC = click.option(
    "--metric", default="f1", show_default=True, help="f1, fbeta, mcc, ... `limen methods` lists all."
)
BETA = click.option("--beta", type=float, help="For fbeta: above 1 favours recall.")
COSTS = click.option(
    "--costs", metavar="FP,FN", help="For cost: of a false positive and of a false negative, like 1,5."
)
AVERAGE = click.option(
    "--average", type=click.Choice(["micro", "macro", "weighted"]), default="micro", show_default=True
)
ZERO_DIVISION = click.option(
    "--zero-division", type=float, default=0.0, show_default=True, help="What 0/0 counts as, from 0 to 1."
)
SEED = click.option("--seed", type=int, default=0, show_default=True, help="For whatever is drawn.")

FEW_POSITIVES = 20

FILES = """
\b
Files: .npy .npz .csv .tsv .parquet; wide (an id column and a column a label),
long (id, label, score) or tag lists (id, tag;tag). Columns are joined by label
name and rows by id. FILE.npz:KEY picks one array of an .npz file.
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="limen")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Decision thresholds for multi-label classifiers.

    \b
    limen demo                                     see it work on real data
    limen tune scores.csv labels.csv               find thresholds
    limen compare scores.csv labels.csv            which method is best on new data?
    limen apply new.csv thresholds.json -o tags.csv
    """


@cli.command(epilog=FILES)
@click.argument("scores")
@click.argument("labels")
@click.option("-o", "--output", default="thresholds.json", show_default=True, help="Where to write.")
@METRIC
@BETA
@COSTS
@AVERAGE
@click.option("--method", default="auto", show_default=True, help="`limen methods` lists all.")
@ZERO_DIVISION
@click.option(
    "--placement",
    type=click.Choice(["midpoint", "score"]),
    default="midpoint",
    show_default=True,
    help="Halfway between two scores, or at the lowest kept one.",
)
@click.option("--min-positive", type=float, default=0.0, help="auto: labels with fewer lean on all labels.")
@click.option("--groups", metavar="FILE", help="A file of id, group: folds do not divide groups.")
@click.option("--target-prevalence", metavar="FILE", help="A file of label, share of positives where it is used.")
@click.option("--adapt-to", metavar="SCORES", help="Unlabelled scores to estimate these shares from.")
@SEED
def tune(
    scores: str,
    labels: str,
    output: str,
    metric: str,
    beta: float | None,
    costs: str | None,
    average: str,
    method: str,
    zero_division: float,
    placement: Any,
    min_positive: float,
    groups: str | None,
    target_prevalence: str | None,
    adapt_to: str | None,
    seed: int,
) -> None:
    """Find the thresholds that serve a metric, and write them to a JSON file.

    \b
    limen tune scores.csv labels.csv
    limen tune scores.parquet tags.tsv --metric fbeta --beta 0.5 --average macro
    limen tune data.npz data.npz --method sgl -o sgl.json
    """
    import limen

    with _busy(f"reading {scores} and {labels}"):
        joined = read_both(scores, labels)
    with _progress(f"tuning ({method})") as tick:
        thresholds = limen.tune(
            joined.y_true,
            joined.y_score,
            labels=joined.labels,
            metric=metric_of(metric, beta, costs),
            average=average,
            method=method,
            zero_division=zero_division,
            placement=placement,
            min_positive=min_positive,
            groups=groups_of(groups, joined),
            target_prevalence=prevalence_of(target_prevalence, adapt_to, joined),
            random_state=seed,
            progress=lambda step, steps, value: tick(step, steps, f"{value:.4f}"),
        )
    thresholds.save(output)
    console = _console()
    _print_tuned(console, thresholds)
    if thresholds.never:
        console.print(f"never given: {examples(thresholds.never)}", markup=False)
    console.print(f"wrote {output} ({len(thresholds.labels)} labels)", markup=False)
    if thresholds.expected is None:
        console.print("That is the fit. What new data will give: limen compare, or limen evaluate.")


@cli.command(name="apply", epilog=FILES)
@click.argument("scores")
@click.argument("thresholds")
@click.option("-o", "--output", required=True, help="A .csv, .tsv, .parquet, .npy or .npz file.")
@click.option(
    "--layout",
    type=click.Choice(["tags", "wide", "long"]),
    default="tags",
    show_default=True,
    help="id and tag;tag, a 0/1 column a label, or a line a tag.",
)
def apply_(scores: str, thresholds: str, output: str, layout: Any) -> None:
    """Decide which labels each item gets, and write them.

    \b
    limen apply new_scores.csv thresholds.json -o tags.csv
    """
    from limen.io.files import read_table
    from limen.io.tags import write_tags
    from limen.thresholds import Thresholds

    chosen = Thresholds.load(thresholds)
    with _busy(f"reading {scores}"):
        table = read_table(scores, kind="scores")
    decisions = LazyDecisions(chosen, in_order(table, chosen))
    with _busy(f"writing {output}"):
        write_tags(output, table.ids, chosen.labels, decisions, layout=layout)
    items, given = decisions.shape[0], decisions.given
    _console().print(f"wrote {output}: {given} tags for {items} items ({given / items:.2f} an item)", markup=False)


@cli.command(epilog=FILES)
@click.argument("scores")
@click.argument("labels")
@click.argument("thresholds")
@click.option("--metric", help="Instead of the one tuned for.")
@BETA
@COSTS
@click.option("--average", type=click.Choice(["micro", "macro", "weighted"]), help="Instead of the one tuned for.")
@click.option("-o", "--output", help="Also write the table by label to this .csv file.")
@click.option("--baseline", metavar="THRESHOLDS", help="Compare with these, a file or a number.")
@click.option("--groups", metavar="FILE", help="A file of id, group: intervals resample groups.")
@click.option("--learning-curve", "curve", is_flag=True, help="Show how more labelled items would help.")
def evaluate(
    scores: str,
    labels: str,
    thresholds: str,
    metric: str | None,
    beta: float | None,
    costs: str | None,
    average: str | None,
    output: str | None,
    baseline: str | None,
    groups: str | None,
    curve: bool,
) -> None:
    """Measure thresholds on labelled data: the metric, and a table by label.

    THRESHOLDS is a file of `limen tune`, or one number for all labels.

    \b
    limen evaluate test_scores.csv test_labels.csv thresholds.json
    limen evaluate test_scores.csv test_labels.csv 0.5
    """
    import limen
    from limen.thresholds import Thresholds

    chosen = thresholds_of(thresholds)
    with _busy(f"reading {scores} and {labels}"):
        joined = read_both(scores, labels)
    names = joined.labels
    if isinstance(chosen, Thresholds):
        joined, names = joined_in_order(joined, chosen), chosen.labels
    result = limen.evaluate(
        joined.y_true,
        joined.y_score,
        chosen,
        labels=names,
        metric=None if metric is None else metric_of(metric, beta, costs),
        average=average,
        baseline=None if baseline is None else thresholds_of(baseline),
        groups=groups_of(groups, joined),
    )
    if output is not None:
        write_rows(output, result.table)
    _console().print(result)
    if curve:
        _print_learning_curve(joined, chosen, result, groups)
    if output is not None:
        _console().print(f"wrote {output}", markup=False)


@cli.command(epilog=FILES)
@click.argument("scores")
@click.argument("labels")
@click.option(
    "--methods", default="fixed:0.5,shared,sgl,exact,auto", show_default=True, help="Separated by commas."
)
@METRIC
@BETA
@COSTS
@AVERAGE
@ZERO_DIVISION
@click.option("--cv", type=int, default=5, show_default=True, help="Number of folds.")
@click.option("--repeats", type=int, default=1, show_default=True, help="How often folds are drawn.")
@click.option("--groups", metavar="FILE", help="A file of id, group: items of a group stay together.")
@click.option("--jobs", type=int, default=1, show_default=True, help="Tunings at a time.")
@SEED
def compare(
    scores: str,
    labels: str,
    methods: str,
    metric: str,
    beta: float | None,
    costs: str | None,
    average: str,
    zero_division: float,
    cv: int,
    repeats: int,
    groups: str | None,
    jobs: int,
    seed: int,
) -> None:
    """Compare methods on items they were not tuned on.

    \b
    limen compare scores.csv labels.csv
    limen compare scores.csv labels.csv --methods fixed:0.5,exact --average macro --cv 10
    """
    import limen

    with _busy(f"reading {scores} and {labels}"):
        joined = read_both(scores, labels)
    with _progress("comparing") as tick:
        result = limen.compare(
            joined.y_true,
            joined.y_score,
            labels=joined.labels,
            methods=[name.strip() for name in methods.split(",") if name.strip()],
            metric=metric_of(metric, beta, costs),
            average=average,
            zero_division=zero_division,
            cv=cv,
            repeats=repeats,
            groups=groups_of(groups, joined),
            n_jobs=jobs,
            random_state=seed,
            progress=tick,
        )
    _console().print(result)


@cli.command(name="learning-curve", epilog=FILES)
@click.argument("scores")
@click.argument("labels")
@click.option("--method", default="auto", show_default=True, help="`limen methods` lists all.")
@METRIC
@BETA
@COSTS
@AVERAGE
@ZERO_DIVISION
@click.option("--cv", type=int, default=5, show_default=True, help="Number of folds.")
@click.option("--groups", metavar="FILE", help="A file of id, group: folds do not divide groups.")
@SEED
def learning_curve_(
    scores: str,
    labels: str,
    method: str,
    metric: str,
    beta: float | None,
    costs: str | None,
    average: str,
    zero_division: float,
    cv: int,
    groups: str | None,
    seed: int,
) -> None:
    """Show how the metric on new items grows with the number of items tuned on.

    \b
    limen learning-curve scores.csv labels.csv
    """
    from limen.learning_curve import learning_curve

    with _busy(f"reading {scores} and {labels}"):
        joined = read_both(scores, labels)
    with _progress("tuning") as tick:
        result = learning_curve(
            joined.y_true,
            joined.y_score,
            labels=joined.labels,
            method=method,
            metric=metric_of(metric, beta, costs),
            average=average,
            zero_division=zero_division,
            cv=cv,
            groups=groups_of(groups, joined),
            random_state=seed,
            progress=tick,
        )
    _console().print(result)


@cli.command()
def methods() -> None:
    """List the methods and the metrics."""
    from limen.display import rich_table
    from limen.metrics import METRICS
    from limen.solvers import METHODS

    console = _console()
    rows = [(name, what) for name, (_, what) in METHODS.items()]
    console.print(rich_table("", ("method", "what it does"), rows, text=("method", "what it does")))
    console.print(f"metrics: {', '.join(METRICS)}")
    console.print("averages: micro, macro, weighted")


@cli.command()
@click.option("-o", "--output", default="thresholds.json", show_default=True, help="Where to write.")
@SEED
def demo(output: str, seed: int) -> None:
    """Tune on one half of a real audio-tagging data set, measure on the other."""
    from limen.demo import refuse_to_replace, run

    with _progress("comparing methods") as tick:
        comparison, thresholds = run(seed, tick)
    refuse_to_replace(output, thresholds)
    thresholds.save(output)
    gained = comparison["auto"].held_out - comparison["fixed:0.5"].held_out
    console = _console()
    console.print(
        "Spoken tags: 4 000 two-second mixtures of real spoken digits; 16 tags (ten\n"
        "digits, six speakers); scores of a small neural network. Half of the clips\n"
        "to tune on, the other half to measure.\n"
    )
    console.print(comparison)
    console.print(
        f"\nThe default method, auto, beats 0.5 by {100 * gained:.1f} points of micro-F1 on clips it\n"
        "was not tuned on."
    )
    console.print(f"Wrote {output}.\n\nNow your own files:", markup=False)
    console.print("  limen tune scores.csv labels.csv        find thresholds (or npy, parquet)")
    console.print("  limen compare scores.csv labels.csv     what to expect on new data")
    console.print("  limen apply new.csv thresholds.json -o tags.csv")


def main() -> None:
    """Run the command line; say errors in one message, and exit 2 for bad input and 1 for the rest."""
    debug = "--debug" in sys.argv[1:]
    warnings.showwarning = _show_warning
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        click.echo("limen: interrupted; no output file was changed", err=True)
        sys.exit(130)
    except LimenError as error:
        if debug:
            traceback.print_exc()
        click.echo(f"limen: {error}", err=True)
        sys.exit(2 if isinstance(error, InputError | UnsupportedError) else 1)


def _print_learning_curve(joined: Joined, chosen: Any, result: Any, groups: str | None) -> None:
    """Show what tuning on ever more of the same items gives, by the method that made the thresholds."""
    from limen.learning_curve import learning_curve

    with _progress("tuning") as tick:
        curve = learning_curve(
            joined.y_true,
            joined.y_score,
            labels=joined.labels,
            method=getattr(chosen, "method", "auto"),
            metric=result.metric,
            average=result.average,
            groups=groups_of(groups, joined),
            progress=tick,
        )
    _console().print(curve)


def _print_tuned(console: Any, thresholds: Thresholds) -> None:
    """Say what was tuned, what to expect, and what is poorly known."""
    if thresholds.expected is None:
        console.print(thresholds.summary(), markup=False)
        return
    value, low, high = (100 * number for number in thresholds.expected)
    console.print(
        f"{thresholds.objective}: fits {100 * thresholds.value:.1f} %, expect {value:.1f} % on new items "
        f"(95 % {low:.1f} to {high:.1f})",
        markup=False,
    )
    weights = thresholds.details.get("weights", {})
    mixture = ", ".join(f"{100 * share:.0f} % {name}" for name, share in weights.items() if share >= 0.005)
    console.print(f"chosen by cross-fitting: {mixture}", markup=False)
    leaning = thresholds.details.get("leaning_on_pool", [])
    if 0 < len(leaning) < len(thresholds.labels):
        console.print(f"leaning on all labels: {examples(leaning)}", markup=False)
    few = [x for x, p in zip(thresholds.labels, thresholds.counts.p, strict=True) if p < FEW_POSITIVES]
    if few:
        console.print(f"fewer than {FEW_POSITIVES} positives, annotate more: {examples(few)}", markup=False)


def _console(*, stderr: bool = False) -> Any:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


@contextmanager
def _busy(what: str) -> Iterator[None]:
    console = _console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """Give a function ``(step, steps, note)`` that moves a progress bar on stderr."""
    from rich.progress import Progress

    console = _console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)

        def tick(step: int, steps: int, note: str) -> None:
            bar.update(task, completed=step, total=steps, description=f"{what}: {note}")

        yield tick


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    click.echo(f"limen: warning: {message}", err=True)


if __name__ == "__main__":
    main()
