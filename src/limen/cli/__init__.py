"""The command line: files in, thresholds and tags out."""

from __future__ import annotations

import signal
import sys
import traceback
import warnings

import click

from limen.cli.about import demo, methods
from limen.cli.apply import apply_
from limen.cli.compare import compare, learning_curve_
from limen.cli.console import show_warning
from limen.cli.evaluate import evaluate
from limen.cli.export import birdnet_filter, export
from limen.cli.onnx import onnx_
from limen.cli.report import report_
from limen.cli.show import curve, show
from limen.cli.tune import tune
from limen.errors import InputError, LimenError, UnsupportedError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="limen")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Decision thresholds for multi-label classifiers.

    \b
    limen demo                                     see it work on real data
    limen tune scores.csv labels.csv               find thresholds
    limen compare scores.csv labels.csv            which method is best on new data?
    limen report scores.csv labels.csv             look at thresholds, change them, save them
    limen apply new.csv thresholds.json -o tags.csv
    """


COMMANDS = (
    tune,
    apply_,
    evaluate,
    compare,
    learning_curve_,
    show,
    curve,
    report_,
    export,
    birdnet_filter,
    onnx_,
    methods,
    demo,
)
for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Run the command line; say errors in one message, and exit 2 for bad input and 1 for the rest."""
    debug = "--debug" in sys.argv[1:]
    warnings.showwarning = show_warning
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
