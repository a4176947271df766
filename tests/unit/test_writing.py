"""Files are written whole or not at all."""

import errno
import os
import stat
import subprocess
import sys
import time

import pytest

from limen.errors import FileError
from limen.files.writing import ABANDONED_S, HOST, is_temporary, write_atomically


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def refused(path, body=lambda temporary: None):
    with pytest.raises(FileError) as caught, write_atomically(path) as temporary:
        body(temporary)
    return str(caught.value)


def failing(number):
    def fail(*args):
        raise OSError(number, os.strerror(number))

    return fail


def test_writes_a_new_file(tmp_path):
    with write_atomically(str(tmp_path / "a.csv")) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".csv"
        temporary.write_text("new")
        assert not (tmp_path / "a.csv").exists()
    assert (tmp_path / "a.csv").read_text() == "new"
    assert listing(tmp_path) == ["a.csv"]


def test_replaces_an_old_file_and_keeps_its_permissions(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    path.chmod(0o640)
    with write_atomically(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_new_files_obey_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        with write_atomically(tmp_path / "a") as temporary:
            temporary.write_text("new")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_follows_a_link(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with write_atomically(tmp_path / "link") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_name_as_long_as_the_disk_allows(tmp_path):
    path = tmp_path / ("x" * 251 + ".csv")
    with write_atomically(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError, MemoryError])
def test_an_interrupted_run_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "a.csv"
    path.write_text("old")

    def interrupted():
        with write_atomically(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_text() == "old"
    assert listing(tmp_path) == ["a.csv"]


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "Free some space, or choose another disk."),
        (errno.EDQUOT, "Free some of your quota"),
        (errno.EACCES, "Choose a folder that you may write to."),
        (errno.EROFS, "Choose a disk that is not read-only."),
        (errno.EIO, "Check the path and the disk."),
    ],
)
def test_disk_errors(tmp_path, monkeypatch, number, advice):
    path = tmp_path / "a.csv"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", failing(number))
    message = refused(path, lambda temporary: temporary.write_text("new"))
    assert f"cannot write {path}: {os.strerror(number)}. The old file is untouched. {advice}" in message
    assert path.read_text() == "old"
    assert listing(tmp_path) == ["a.csv"]
    assert "No file was made." in refused(tmp_path / "b.csv")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file size limit")
def test_a_real_limit_of_the_system(tmp_path):
    """Whoever writes: text, DuckDB, numpy or h5py."""
    names = [f"tags.{ending}" for ending in ("csv", "parquet", "npy", "npz", "h5")]
    code = f"""
import resource
import numpy as np
from limen.errors import FileError
from limen.files.tags import write_tags
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
decisions = np.random.default_rng(0).random((3000, 100)) < 0.5
for name in {names}:
    try:
        write_tags(name, None, [f"label {{k}}" for k in range(100)], decisions)
    except FileError as error:
        print(error)
"""
    for name in names:
        (tmp_path / name).write_text("old")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert listing(tmp_path) == sorted(names)
    for name in names:
        assert f"cannot write {name}: File too large. The old file is untouched." in done.stdout
        assert (tmp_path / name).read_text() == "old"


def test_what_a_killed_run_left_behind_goes(tmp_path):
    code = """
import os, signal
from limen.files.writing import ABANDONED_S, HOST, is_temporary, write_atomically
with write_atomically("a.csv") as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path).returncode == -9
    (left,) = listing(tmp_path)
    of_a_living_run = left.replace(left.split("-")[2], str(os.getpid()))
    of_another_computer = left.replace(left.split("-")[1], "00000000")
    for name in (of_a_living_run, of_another_computer, ".limen-notes"):
        (tmp_path / name).write_text("half")
    with write_atomically(tmp_path / "b.csv") as temporary:
        temporary.write_text("new")
    assert listing(tmp_path) == sorted([of_a_living_run, of_another_computer, ".limen-notes", "b.csv"])


def test_missing_folder(tmp_path):
    message = refused(tmp_path / "no" / "a.csv")
    assert f"{tmp_path / 'no'} is no folder. Make it first" in message


def test_target_is_a_folder(tmp_path):
    assert "it is a folder. Give the name of a file." in refused(tmp_path)
    assert listing(tmp_path) == []


def test_target_is_a_device():
    assert "it is no regular file" in refused("/dev/null")


def test_target_is_write_protected(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("old")
    path.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda *args: False)  # root may write everywhere
    assert "it is write-protected. Choose another name, or chmod u+w it." in refused(path)


def test_name_too_long(tmp_path):
    assert "Choose a shorter name." in refused(tmp_path / ("x" * 300))


def test_what_another_computer_is_writing_stays(tmp_path):
    """Numbers of its processes say nothing here, so that only age tells whether anybody still writes."""
    other = "00000000" if HOST != "00000000" else "11111111"
    young, old = (tmp_path / f".limen-{other}-{number}-beef.curves" for number in (1, 2))
    ours, theirs = tmp_path / ".limen-notes.txt", tmp_path / f".limen-{HOST}-{os.getpid()}-beef.curves"
    for path in (young, old, ours, theirs):
        path.write_text("half")
    for path in (old, ours, theirs):
        os.utime(path, (time.time() - ABANDONED_S - 60,) * 2)
    with write_atomically(tmp_path / "a.curves") as temporary:
        temporary.write_text("whole")
        assert is_temporary(temporary.name)
    assert listing(tmp_path) == sorted(["a.curves", young.name, ours.name, theirs.name])
    assert [path.name for path in sorted(tmp_path.iterdir()) if is_temporary(path.name)] == sorted(
        [young.name, theirs.name]
    )
