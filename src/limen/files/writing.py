"""Write files whole or not at all."""

from __future__ import annotations

import errno
import os
import platform
import re
import secrets
import stat
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from limen.errors import FileError


def _host() -> str:
    """Return a word for where process numbers mean the same: a computer, and in containers a part of it."""
    try:
        numbering = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        numbering = ""
    return f"{zlib.crc32(f'{platform.node()} {numbering}'.encode()):08x}"


HOST = _host()
ABANDONED_S = 7 * 24 * 3600.0
"""Age at which a temporary file of another computer is taken for one of a run that is over."""

TEMPORARY = re.compile(r"\.limen-([0-9a-f]{8})-(\d+)-[0-9a-f]{4}(\.|$)")

ADVICE = {
    errno.ENOSPC: "Free some space, or choose another disk.",
    errno.EDQUOT: "Free some of your quota, or choose another disk.",
    errno.EFBIG: "The file would be larger than allowed: choose another disk, or raise ulimit -f.",
    errno.EACCES: "Choose a folder that you may write to.",
    errno.EPERM: "Choose a folder that you may write to.",
    errno.EROFS: "Choose a disk that is not read-only.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}


@contextmanager
def write_atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to; it takes the place of ``path`` at the end.

    The data is on the disk before the name changes, so that a crash at any time leaves the old file or
    the new one. If the body raises, the temporary file goes and the old file stays; one that a killed run
    left in the folder goes when the next file is written there (of a run on another computer, after a week).
    Its name begins with ``.limen-``, so that a shell's ``*.curves`` does not find it; `is_temporary` tells. A
    symbolic link is followed; the permissions of an old file are kept.

    Raises
    ------
    FileError
        If the folder is missing, the target is no file or write-protected, or writing fails (`OSError`).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     note = Path(folder, "note.txt")
    ...     with write_atomically(note) as temporary:
    ...         _ = temporary.write_text("whole")
    ...     note.read_text()
    'whole'
    """
    target = Path(os.path.realpath(path))
    # Short, so that it fits wherever the target fits; with its ending, because some writers look at it.
    temporary = target.with_name(f".limen-{HOST}-{os.getpid()}-{secrets.token_hex(2)}{target.suffix}")
    try:
        _check_target(target, path)
        _remove_left_behind(target.parent)
        temporary.touch(exist_ok=False)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        temporary.replace(target)
    except OSError as error:
        raise _not_written(path, error.strerror or str(error), error.errno) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)


def is_temporary(name: str) -> bool:
    """Return whether a file of this name is being written, or was left by a run that was killed."""
    return TEMPORARY.match(name) is not None


def _remove_left_behind(folder: Path) -> None:
    """Remove the temporary files of runs that are over."""
    for path in folder.glob(".limen-*"):
        match = TEMPORARY.match(path.name)
        if match and (_is_over(int(match[2])) if match[1] == HOST else _is_abandoned(path)):
            with suppress(OSError):
                path.unlink()


def _is_over(process: int) -> bool:
    # Only POSIX can ask for a process; elsewhere asking ends it.
    return os.name == "posix" and not _runs(process)


def _is_abandoned(path: Path) -> bool:
    """Return whether a file of another computer, whose processes cannot be asked for, is old."""
    try:
        return time.time() - path.stat().st_mtime > ABANDONED_S
    except OSError:
        return False


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True


def _check_target(target: Path, path: str | os.PathLike[str]) -> None:
    if not target.parent.is_dir():
        raise FileError(
            f"cannot write {os.fspath(path)}: {target.parent} is no folder. Make it first, or check the path."
        )
    if target.is_dir():
        raise FileError(f"cannot write {os.fspath(path)}: it is a folder. Give the name of a file.")
    if target.exists() and not target.is_file():
        raise FileError(f"cannot write {os.fspath(path)}: it is no regular file. Give the name of a file.")
    if target.exists() and not os.access(target, os.W_OK):
        raise FileError(
            f"cannot write {os.fspath(path)}: it is write-protected. Choose another name, or chmod u+w it."
        )


def _not_written(path: str | os.PathLike[str], problem: str, number: int | None = None) -> FileError:
    """Return the error for a file that could not be written; ``number`` is the errno, if there is one."""
    kept = "The old file is untouched." if os.access(path, os.F_OK) else "No file was made."
    # What duckdb and HDF5 say has the system's words somewhere in it.
    number = number or next((known for known in ADVICE if os.strerror(known) in problem), None)
    problem = os.strerror(number) if number in ADVICE else problem
    advice = ADVICE.get(number or 0, "Check the path and the disk.")
    return FileError(f"cannot write {os.fspath(path)}: {problem}. {kept} {advice}")


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a power cut, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
