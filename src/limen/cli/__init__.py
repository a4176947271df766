"""The command line: files in, thresholds and tags out."""

from __future__ import annotations

import _thread
import errno
import io
import os
import signal
import sys
import traceback
import warnings
from contextlib import suppress
from types import FrameType
from typing import NoReturn

import click

from limen.cli.about import demo, methods
from limen.cli.apply import apply_
from limen.cli.compare import compare, learning_curve_
from limen.cli.console import show_warning
from limen.cli.curves import candidates, curves, merge
from limen.cli.evaluate import evaluate
from limen.cli.export import birdnet_filter, export
from limen.cli.guarantee import guarantee
from limen.cli.guarantee_events import guarantee_events
from limen.cli.help import Group
from limen.cli.learn import learn
from limen.cli.monitor import monitor
from limen.cli.report import report_
from limen.cli.report_events import report_events
from limen.cli.sample import precision_at, sample
from limen.cli.score import score
from limen.cli.show import curve, show
from limen.cli.tag import tag
from limen.cli.tune import tune
from limen.cli.tune_events import tune_events
from limen.cli.words import forget, in_words, wrapped
from limen.errors import InputError, LimenError, UnsupportedError

WHOLE = "every output file is as it was before, or whole and new"
"""What is true at any moment: a signal may come just after the last file took its name."""

_signals: list[int] = []
"""Those that ended this run: a library may turn what their handlers raise into an error of its own."""


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="limen")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Decision thresholds for multi-label classifiers.

    \b
    limen demo                           see it work
    limen tune scores.csv labels.csv     find thresholds
    limen compare scores.csv labels.csv  methods on new data
    limen guarantee scores.csv labels.csv --precision 0.9
    limen report scores.csv labels.csv   look, change, save
    limen apply new.csv thresholds.json -o tags.csv
    """


COMMANDS = (
    tune,
    apply_,
    evaluate,
    compare,
    learning_curve_,
    score,
    tune_events,
    tag,
    guarantee,
    guarantee_events,
    sample,
    precision_at,
    monitor,
    candidates,
    curves,
    merge,
    show,
    curve,
    report_,
    report_events,
    export,
    birdnet_filter,
    learn,
    methods,
    demo,
)
for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Run the command line; say errors in one message, and exit 2 for bad input and 1 for the rest."""
    debug = "--debug" in sys.argv[1:]
    warnings.showwarning = show_warning
    forget()
    _signals.clear()
    before = {}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, as in the background
        before[signal.SIGINT] = signal.signal(signal.SIGINT, _interrupt)
    for name in ("SIGTERM", "SIGHUP"):  # files half written go, as after Ctrl-C
        if hasattr(signal, name):
            number = getattr(signal, name)
            before[number] = signal.signal(number, _stop)
    try:
        status = cli(standalone_mode=False)
        sys.stdout.flush()
        if isinstance(status, int):  # what a command ended with, such as an alarm
            sys.exit(status)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)
        click.echo(wrapped(said.getvalue().rstrip("\n")), err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _end_by_signal()
    except BrokenPipeError:  # the reader of a pipe has seen enough
        _close_stdout()
        sys.exit(0)
    except Exception as error:
        if debug:
            traceback.print_exc()
        if _signals:
            _end_by_signal()
        _explain(error)
    finally:
        if _signals:
            _end_quietly()
        else:  # what comes now finds nothing half written
            for number, handler in before.items():
                signal.signal(number, handler or signal.SIG_DFL)


def _end_quietly() -> None:
    """Let nothing interrupt the end that a signal asked for: what Python swallows while it ends is no news."""
    sys.unraisablehook = lambda _: None
    with suppress(KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    _signals.append(number)
    signal.default_int_handler(number, frame)


def _end_by_signal() -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if _signals and _signals[0] != signal.SIGINT:  # its handler has said it
        sys.exit(128 + _signals[0])
    _fail(f"interrupted; {WHOLE}", 130)


def _explain(error: Exception) -> NoReturn:
    """Say an error in a user's words and exit."""
    if isinstance(error, LimenError):
        _fail(in_words(str(error)), 2 if isinstance(error, InputError | UnsupportedError) else 1)
    if isinstance(error, MemoryError):
        _fail(f"not enough memory: {error}. Use fewer items or labels, or a larger machine.", 1)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT):
        _close_stdout()
        _fail(f"cannot write the output: {error.strerror}. Free some space, or choose another disk.", 1)
    _fail(
        f"this is a mistake in limen, not in your files: {type(error).__name__}: {error}. Run it again with "
        "limen --debug, and report what it prints.",
        1,
    )


def _fail(message: str, code: int) -> NoReturn:
    click.echo(wrapped(f"limen: {message}"), err=True)
    sys.exit(code)


def _stop(number: int, _frame: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)
    _signals.append(number)
    # Where C called Python, its end is swallowed with a traceback: it ends a moment later, without one.
    sys.unraisablehook = lambda _: _thread.interrupt_main()
    _fail(f"stopped by {signal.Signals(number).name}; {WHOLE}", 128 + number)


def _close_stdout() -> None:
    """Leave nothing to be written when Python ends: it would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
