"""Many recordings, one output each: what is done is known, whatever stopped the run before."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from limen.errors import FileError, InputError, UnreadableError, count, examples
from limen.events.formats.named import AUDIO_ENDINGS, recording_name
from limen.files.writing import write_atomically

Tick = Callable[[float], None]
"""Says which share of a recording is done; raises `StoppedError` if the run is over."""


class StoppedError(Exception):
    """The run was stopped, by an error elsewhere or by the user."""


@dataclass(frozen=True)
class Recording:
    """A file of sound, and the name that its output and its events have."""

    name: str
    path: Path
    n_bytes: int


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


class Journal:
    """The folder that outputs go to, and what is known of those that are done.

    A recording is done when its output has its name and a line of the journal says so; the line also says how
    large the recording was. At the end the journal becomes the manifest, which lists all recordings by name: the
    same bytes, whether the run was stopped or not. Both begin with the settings; a run with others is refused.

    Parameters
    ----------
    manifest : Path
        Where the manifest is, or will be.
    settings : mapping
        All that outputs depend on, as plain JSON.
    output : callable
        Gives the path of the output of a recording's name.

    Raises
    ------
    InputError
        If the folder was made with other settings, has an output that no journal knows, or a recording changed.
    FileError
        If another run is writing there.
    """

    def __init__(self, manifest: Path, settings: Mapping[str, Any], output: Callable[[str], Path]) -> None:
        self.manifest, self.settings, self.output = manifest, json.loads(json.dumps(settings)), output
        self.path = manifest.with_name(f".{manifest.name}.part")
        self.entries: dict[str, dict[str, Any]] = {}
        self.resumed = False
        """Whether a run with these settings was here before; what it left unlisted may be written anew."""
        self._lock = threading.Lock()

    def __enter__(self) -> Journal:
        self.manifest.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.path, "a+b")  # noqa: PTH123
        try:
            self._only_one()
            self._read()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def is_done(self, recording: Recording) -> bool:
        """Return whether the output of a recording is there and whole."""
        entry = self.entries.get(recording.name)
        output = self.output(recording.name)
        if entry is None:
            return False
        if not output.is_file():
            del self.entries[recording.name]
            return False
        if entry["bytes"] != recording.n_bytes:
            raise InputError(
                f"{recording.path} has {count(recording.n_bytes, 'byte')}, and had {entry['bytes']} when {output} "
                f"was made of it. Delete {output}, or choose another folder."
            )
        return True

    def add(self, recording: Recording, entry: Mapping[str, Any]) -> None:
        """Note that the output of a recording is done."""
        entry = {"file": recording.path.name, "bytes": recording.n_bytes, **entry}
        with self._lock:
            self.entries[recording.name] = entry
            self._write({recording.name: entry})

    def finish(self, skipped: Sequence[str]) -> None:
        """Write the manifest, and remove the journal."""
        entries = {name: self.entries[name] for name in sorted(self.entries) if self.output(name).is_file()}
        content = {**self.settings, "recordings": entries}
        if skipped:
            content["skipped"] = sorted(skipped)
        with write_atomically(self.manifest) as temporary:
            temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _only_one(self) -> None:
        try:
            import fcntl
        except ImportError:  # pragma: no cover - not on this system
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FileError(
                f"another run is writing to {self.manifest.parent}. Wait for it, or choose another folder."
            ) from error

    def _read(self) -> None:
        known: dict[str, Any] | None = None
        if self.manifest.is_file():
            try:
                known = json.loads(self.manifest.read_text(encoding="utf-8"))
                self.entries.update(known.pop("recordings"))
                known.pop("skipped", None)
            except (OSError, ValueError, KeyError, AttributeError) as error:
                raise UnreadableError(
                    f"{self.manifest} cannot be read ({error}). Delete it to begin anew, or choose another folder."
                ) from error
        self._file.seek(0)
        lines = self._file.read().split(b"\n")
        for number, line in enumerate(lines[:-1]):  # a line cut short was of a recording in work
            with contextlib.suppress(ValueError, TypeError):
                content = json.loads(line)
                if number == 0:
                    known = content
                else:
                    self.entries.update(content)
        if lines[-1]:
            self._file.write(b"\n")
        if known is not None and known != self.settings:
            raise InputError(f"{self.manifest.parent} holds the results of another run: {self._differs(known)}.")
        self.resumed = known is not None
        if len(lines) == 1:
            self._write(self.settings)

    def _differs(self, known: Mapping[str, Any]) -> str:
        keys = [key for key in {**known, **self.settings} if known.get(key) != self.settings.get(key)]
        said = ", ".join(
            f"{key} {_short(known.get(key))} there, {_short(self.settings.get(key))} now" for key in keys[:3]
        )
        return f"{said}. Choose another folder, or delete that one"

    def _write(self, content: Mapping[str, Any]) -> None:
        try:
            self._file.write(json.dumps(content, ensure_ascii=False).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise FileError(f"cannot write {self.path}: {error.strerror}. Free some space.") from error


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


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


def said_skipped(outcome: Outcome) -> str:
    """Return which recordings were skipped, in a sentence."""
    names = examples(outcome.skipped, most=len(outcome.skipped))
    return f"skipped {count(len(outcome.skipped), 'recording')}: {names}"
