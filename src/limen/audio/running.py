"""Many recordings, one output each: what is done is known, whatever stopped the run before."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from limen.audio.journal import Journal, Recording
from limen.errors import InputError, UnreadableError
from limen.events.formats.named import AUDIO_ENDINGS, recording_name

Tick = Callable[[float], None]
"""Says which share of a recording is done; raises `StoppedError` if the run is over."""


class StoppedError(Exception):
    """The run was stopped, by an error elsewhere or by the user."""


@dataclass
class Outcome:
    """What a run did: recordings done now, done before, and skipped with the reason."""

    done: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def find_recordings(paths: Sequence[str | os.PathLike[str]]) -> list[Recording]:
    """Return the recordings in files and folders, by name.

    A recording in a folder is called by its path within it, without the ending; a file by its name alone.

    Raises
    ------
    InputError
        If there are none, or two have one name.
    UnreadableError
        If a path does not exist.
    """
    found: dict[str, Recording] = {}
    for given in map(Path, paths):
        if given.is_dir():
            files = [
                (file, file.relative_to(given).as_posix())
                for file in sorted(given.rglob("*"))
                if file.suffix.lower() in AUDIO_ENDINGS and not file.name.startswith(".") and file.is_file()
            ]
            if not files:
                raise InputError(
                    f"{given} has no recordings. They end with {', '.join(AUDIO_ENDINGS)}; other files are given "
                    "by name."
                )
        elif given.exists():
            files = [(given, given.name)]
        else:
            raise UnreadableError(f"{given} does not exist. Check the path, and the folder you are in.")
        for file, within in files:
            name = recording_name(within)
            if name in found:
                raise InputError(
                    f"{found[name].path} and {file} would both be the recording {name!r}. Every recording needs a "
                    "name of its own: rename one, or run them into different folders."
                )
            found[name] = Recording(name, file, file.stat().st_size)
    return [found[name] for name in sorted(found)]


def run(
    recordings: Sequence[Recording],
    journal: Journal,
    work: Callable[[Recording, Tick], Mapping[str, Any]],
    *,
    jobs: int = 1,
    skip_bad: bool = False,
    progress: Callable[[float, float, str], None] | None = None,
) -> Outcome:
    """Do the work on recordings that are not done, and return what was done.

    Parameters
    ----------
    recordings : sequence of Recording
    journal : Journal
        Entered.
    work : callable
        Writes the output of a recording, whole or not at all, and returns what the manifest says of it.
        It may be called from several threads.
    jobs : int
        How many recordings at once; changes nothing but the time it takes.
    skip_bad : bool
        Leave recordings out that cannot be read; else the first of them ends the run, and what is done stays.
    progress : callable
        Is told bytes done, all bytes, and the recording last begun.

    Raises
    ------
    InputError
        If a recording is bad and not to be skipped.
    """
    outcome = Outcome()
    todo = []
    for recording in recordings:
        if journal.is_done(recording):
            outcome.before.append(recording.name)
        else:
            if journal.output(recording.name).exists() and not journal.resumed:
                raise InputError(
                    f"{journal.output(recording.name)} is there already, and no run of limen made it. Choose "
                    "another folder, or move it away."
                )
            todo.append(recording)
    state = _Progress(todo, progress)
    try:
        for recording, result in _results(todo, work, jobs, state):
            if isinstance(result, InputError) and skip_bad:
                outcome.skipped[recording.name] = str(result)
            elif isinstance(result, UnreadableError) and len(recordings) > 1:
                raise UnreadableError(f"{result} skip_bad=True (--skip-bad) leaves out all such.") from result
            elif isinstance(result, BaseException):
                raise result
            else:
                journal.add(recording, result)
                outcome.done.append(recording.name)
            state.end(recording)
    finally:
        state.stopped.set()
    journal.finish(list(outcome.skipped))
    return outcome


class _Progress:
    """How far the recordings are, in bytes: told from several threads."""

    def __init__(self, todo: Sequence[Recording], progress: Callable[[float, float, str], None] | None) -> None:
        self._tell, self._all = progress, float(sum(one.n_bytes for one in todo))
        self._done, self._shares = 0.0, dict[str, float]()
        self._lock = threading.Lock()
        self.stopped = threading.Event()

    def ticker(self, recording: Recording) -> Tick:
        """Return what the work on a recording tells how far it is."""

        def tick(share: float) -> None:
            if self.stopped.is_set():
                raise StoppedError
            with self._lock:
                self._shares[recording.name] = min(share, 1.0) * recording.n_bytes
                if self._tell is not None:
                    self._tell(self._done + sum(self._shares.values()), self._all, recording.name)

        return tick

    def end(self, recording: Recording) -> None:
        """Note that a recording is done, or skipped."""
        with self._lock:
            self._shares.pop(recording.name, None)
            self._done += recording.n_bytes
            if self._tell is not None:
                self._tell(self._done + sum(self._shares.values()), self._all, recording.name)


def _results(
    todo: Sequence[Recording],
    work: Callable[[Recording, Tick], Mapping[str, Any]],
    jobs: int,
    state: _Progress,
) -> Iterator[tuple[Recording, Any]]:
    """Give recordings as they are done, with what the work returned or raised."""

    def attempt(recording: Recording) -> Any:
        try:
            tick = state.ticker(recording)
            tick(0.0)
            return work(recording, tick)
        except Exception as error:
            return error

    if jobs == 1:
        for recording in todo:
            yield recording, attempt(recording)
        return
    waiting = iter(todo)
    with ThreadPoolExecutor(jobs) as pool:
        at_work: dict[Future[Any], Recording] = {}
        try:
            while True:
                for recording in waiting:
                    at_work[pool.submit(attempt, recording)] = recording
                    if len(at_work) == jobs:
                        break
                if not at_work:
                    return
                done, _ = wait(at_work, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=lambda one: at_work[one].name):
                    yield at_work.pop(future), future.result()
        finally:
            state.stopped.set()
