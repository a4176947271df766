"""Commands run in this process, or in a copy of it, as a shell would run them, and what they left behind."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import io
import json
import os
import re
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from limen.cli import main

PIPE_BYTES = 1 << 20
LEFT_OUT = {"created", "versions"}


@dataclass
class Outcome:
    """What a command said and left; ``error`` is what it raised, if it raised."""

    code: int | None
    said: str
    complained: str
    error: str = ""
    files: dict[str, bytes] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Return whether both succeeded alike: the same words and the same files, but for names and times."""
        return isinstance(other, Outcome) and self.code == other.code and self.content() == other.content()

    __hash__ = None  # type: ignore[assignment]

    def content(self) -> Any:
        """Return what does not depend on times and names."""
        return plain(self.said), {name: readable(name, data) for name, data in self.files.items()}

    def messages(self) -> list[str]:
        """Return the complaints that are no warnings."""
        text = re.sub(r"(?m)^(Usage:|Try ).*\n|^\n", "", self.complained)
        parts = re.split(r"(?m)^(?=limen: |Error: )", text)
        return [part for part in parts if part.strip() and not part.startswith("limen: warning:")]


def plain(text: str) -> str:
    """Return text without times, runs of spaces and the names of what was read."""
    text = re.sub(r"\b\d[\d.]*(e-\d+)? (ms|s)\b", "<time>", text)
    text = re.sub(r"'?(duckdb:)?(scores|labels|groups|shares)[\w.]*(\?[^\s']*)?'?", "<file>", text)
    text = re.sub(r"/\S*/", "<folder>", text)
    return re.sub("[ ─━\n]+", " ", text)


def readable(name: str, data: bytes) -> Any:
    """Return the content of a file as far as it does not depend on the time."""
    if name.endswith(".json"):
        content = json.loads(data)
        return (
            {key: value for key, value in content.items() if key not in LEFT_OUT}
            if isinstance(content, dict)
            else content
        )
    if name.endswith(".html"):
        text = data.decode()
        return plain(re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\+00:00|Z| UTC)?", "<time>", text))
    return data


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"<no file>"
        for path in sorted(folder.rglob("*"))
    }


@contextlib.contextmanager
def captured() -> Iterator[list[str]]:
    """Give a list that holds all that was written to standard output and error at the end."""
    said: list[str] = []
    ends, kept, old = [os.pipe(), os.pipe()], [os.dup(1), os.dup(2)], (sys.stdout, sys.stderr)
    for number, (_, write) in enumerate(ends, 1):
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(write, False)
        os.dup2(write, number)
        os.close(write)
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(os.fdopen(os.dup(number), "wb", 0), "utf-8", "replace", write_through=True)
        for number in (1, 2)
    )
    try:
        yield said
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.close()
        sys.stdout, sys.stderr = old
        for number, ((read, _), saved) in enumerate(zip(ends, kept, strict=True), 1):
            os.dup2(saved, number)
            os.close(saved)
            with os.fdopen(read, "rb") as text:
                said.append(text.read().decode("utf-8", "replace"))


def run(folder: Path, *arguments: str, most_bytes: int | None = None) -> Outcome:
    """Run a command in a folder; files that it makes or changes are in the outcome."""
    before = snapshot(folder)
    code, error = 0, ""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with (
        contextlib.chdir(folder),
        mock.patch.object(sys, "argv", ["limen", *arguments]),
        mock.patch.dict(os.environ, {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}),
        warnings.catch_warnings(),
        captured() as said,
    ):
        warnings.simplefilter("default")
        try:
            if most_bytes is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, limits[1]))
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
        except BaseException as found:
            place = traceback.extract_tb(found.__traceback__)
            ours = [frame for frame in place if "limen" in frame.filename] or place
            error = (
                f"{type(found).__name__}: {str(found)[:200]} ({Path(ours[-1].filename).name}:{ours[-1].lineno})"
            )
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    after = snapshot(folder)
    changed = {name: data for name, data in after.items() if before.get(name) != data}
    changed.update({name: b"<gone>" for name in before if name not in after})
    return Outcome(code, said[0], said[1], error, changed)


def start(folder: Path, arguments: list[str], complaints: Path) -> int:
    """Start a command in a process of its own, a copy of this one, and return its number."""
    child = os.fork()
    if child:
        return child
    code = 70
    atexit._clear()  # what this process does at its end, such as removing its folders, is not the child's
    try:
        os.chdir(folder)
        out = os.open(complaints, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(out, 2)
        sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        sys.argv = ["limen", *arguments]
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
            code = 71
        atexit._run_exitfuncs()
    except KeyboardInterrupt:  # before limen began, or after its end
        code = 130
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def ended(child: int, limit: float) -> int | None:
    """Return the exit status of a child, or None if it had to be ended after ``limit`` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None
