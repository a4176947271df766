"""The command line as a user runs it: in this process, or as the installed command where that matters."""

import contextlib
import csv
import io
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from unittest import mock

LIMEN = str(Path(sys.executable).with_name("limen"))


def run(*arguments, cwd, check=None, env=None, **options):
    """Run limen; a process of its own (a second of imports) is only made for its options, such as limits."""
    command = [LIMEN, *map(str, arguments)]
    if options:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False, env=env, **options
        )
    else:
        done = _within(command, cwd, env or {})
    if check is not None:
        assert done.returncode == check, done.stderr
    assert "Traceback" not in done.stderr
    return done


def _within(command, cwd, env):
    from limen.cli import main

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.object(sys, "argv", command),
        # Else click calls the program "python -m pytest".
        mock.patch.object(sys.modules["__main__"], "__package__", None),
        mock.patch.dict(os.environ, env),
        warnings.catch_warnings(),
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        warnings.simplefilter("default", UserWarning)
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
    for number, handler in handlers.items():
        signal.signal(number, handler)
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


def write_csv(path, header, rows, delimiter=","):
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(header)
        writer.writerows(rows)
