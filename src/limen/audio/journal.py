"""What is known of the outputs of a run that are done, whatever stopped it."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from limen.errors import FileError, InputError, UnreadableError, count
from limen.files.writing import write_atomically


@dataclass(frozen=True)
class Recording:
    """A file of sound, and the name that its output and its events have."""

    name: str
    path: Path
    n_bytes: int


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
        self.place, self.kind = manifest.parent, "folder"
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
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _leave(self) -> None:
        """Close the journal of a run that is refused; nothing is left of it."""
        self._file.close()
        with contextlib.suppress(OSError):
            if not self.path.stat().st_size:
                self.path.unlink()

    def is_done(self, recording: Recording) -> bool:
        """Return whether the output of a recording is there and whole."""
        entry = self.entries.get(recording.name)
        output = self.output(recording.name)
        if entry is None:
            return False
        if not self.is_there(recording.name):
            del self.entries[recording.name]
            return False
        if entry["bytes"] != recording.n_bytes:
            raise InputError(
                f"{recording.path} has {count(recording.n_bytes, 'byte')}, and had {entry['bytes']} when {output} "
                f"was made of it. Delete {output}, or choose another folder."
            )
        return True

    def is_there(self, name: str) -> bool:
        """Return whether there is an output of a recording that the journal lists."""
        return self.output(name).is_file()

    def add(self, recording: Recording, entry: Mapping[str, Any]) -> None:
        """Note that the output of a recording is done."""
        entry = {"file": recording.path.name, "bytes": recording.n_bytes, **entry}
        with self._lock:
            self.entries[recording.name] = entry
            self._write({recording.name: entry})

    def finish(self, skipped: Sequence[str]) -> None:
        """Write the manifest, and remove the journal."""
        entries = {name: self.entries[name] for name in sorted(self.entries) if self.is_there(name)}
        self.write_manifest(entries, skipped)
        with contextlib.suppress(OSError):
            self.path.unlink()

    def write_manifest(self, entries: Mapping[str, Any], skipped: Sequence[str]) -> None:
        """Write the manifest, whole or not at all."""
        content = {**self.settings, "recordings": entries}
        if skipped:
            content["skipped"] = sorted(skipped)
        with write_atomically(self.manifest) as temporary:
            temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def _only_one(self) -> None:
        try:
            import fcntl
        except ImportError:  # pragma: no cover - not on this system
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FileError(
                f"another run is writing to {self.place}. Wait for it, or choose another {self.kind}."
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
            raise InputError(f"{self.place} holds the results of another run: {self._differs(known)}.")
        self.resumed = known is not None
        if len(lines) == 1:
            self._write(self.settings)

    def _differs(self, known: Mapping[str, Any]) -> str:
        keys = [key for key in {**known, **self.settings} if known.get(key) != self.settings.get(key)]
        said = ", ".join(
            f"{key} {_short(known.get(key))} there, {_short(self.settings.get(key))} now" for key in keys[:3]
        )
        return f"{said}. Choose another {self.kind}, or delete that one"

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
