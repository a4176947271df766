"""Wrong options, outputs that are inputs, full disks, read-only folders, and commands that are killed."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from faults_cases import ONNX, Outcome, Trial, bring, pick
from faults_files import LABELS, Draw
from faults_options import BOTH, COMMANDS, ENDINGS, OPTIONS, READ
from faults_run import readable, run, snapshot
from limen.cli import main


def options(draw: Draw, base: Path, folder: Path) -> Trial:
    bring(base, folder, *READ)
    commands, given, values = pick(draw, OPTIONS)
    value, takes = pick(draw, values)
    command = pick(draw, commands)
    arguments = [*COMMANDS[command], *given.split(), value]
    if command in ("apply", "birdnet-filter", "onnx") and "-o" not in arguments:
        arguments += ["-o", f"out{ENDINGS[command][0]}"]
    return Trial(
        f"{given} {value[:40]!r}", arguments, ("",), lambda _: "", refuse=takes is False, accept=takes is True
    )


def same_files(draw: Draw, base: Path, folder: Path) -> Trial:
    """Make an output an input, by whatever name."""
    bring(base, folder, *READ)
    command = pick(draw, ENDINGS)
    arguments = list(COMMANDS[command])
    if command in ("tune", "evaluate", "compare") and draw.random() < 0.3:
        arguments += ["--groups", "groups.csv"]
    target = pick(draw, [part for part in arguments if (folder / part).exists()])
    spelling = pick(draw, ["plain", "dotted", "absolute", "symbolic", "hard"])
    name = {"dotted": f"./x/../{target}", "absolute": str(folder / target)}.get(spelling, target)
    if spelling == "dotted":
        (folder / "x").mkdir()
    if spelling in ("symbolic", "hard"):
        name = f"link{Path(target).suffix}"
        link = Path(folder / name)
        link.symlink_to(target) if spelling == "symbolic" else link.hardlink_to(folder / target)

    def judge(outcome: Outcome) -> str:
        # A hard link is replaced, and the input stays as it was; BirdNET's detections may be filtered in place.
        harmless = spelling == "hard" or (command == "birdnet-filter" and target == "detections.csv")
        return "" if harmless else "an input was replaced"

    return Trial(
        f"-o {spelling} {target}",
        [*arguments, "-o", name],
        ("",),
        judge,
        protected=() if spelling != "hard" else (target,),
    )


def disks(draw: Draw, base: Path, folder: Path) -> Trial:
    """Fill the disk, or bound the size of files, while an old file stands there."""
    bring(base, folder, *READ)
    command = pick(draw, ENDINGS)
    name = f"out{pick(draw, ENDINGS[command])}"
    arguments = [
        *COMMANDS[command],
        *(["--layout", pick(draw, ["tags", "wide", "long"])] if command == "apply" else []),
    ]
    whole = rerun_size(folder, [*arguments, "-o", name], name)
    most = int(draw.integers(0, whole + 200))

    def judge(outcome: Outcome) -> str:
        return (
            ""
            if len(outcome.files.get(name, disk_file(folder, name))) <= most or most >= whole
            else "a file larger than the disk"
        )

    if os.getuid() or draw.random() < 0.5:
        if draw.random() < 0.5:
            (folder / name).write_bytes(b"old")
        return Trial(f"files of at most {most} bytes", [*arguments, "-o", name], (name,), judge, most_bytes=most)
    disk = folder / "disk"
    disk.mkdir()
    pages = int(draw.integers(1, 5 + whole // 4096))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={4 * pages}k", "tmpfs", disk], check=True)
    if draw.random() < 0.5:
        (disk / name).write_bytes(b"old")
    filled = int(draw.integers(0, 4096 * pages))
    with contextlib.suppress(OSError):
        (disk / "filler").write_bytes(bytes(filled))
    after = unmounted(disk)
    return Trial(
        f"a disk of {pages} pages, {filled} filled",
        [*arguments, "-o", f"disk/{name}"],
        (name,),
        lambda _: "",
        after=after,
    )


def disk_file(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes() if (folder / name).exists() else b""


def rerun_size(folder: Path, arguments: list[str], name: str) -> int:
    """Return the size of what a command writes; the file goes."""
    done = run(folder, *arguments)
    size = len(done.files.get(name, b""))
    for made in done.files:
        (folder / made).unlink()
    return size


def unmounted(disk: Path) -> Any:
    return lambda: subprocess.run(["umount", "-l", disk], check=True)


def folders(draw: Draw, base: Path, folder: Path) -> Trial:
    """Give an output that cannot be written."""
    bring(base, folder, *READ)
    command = pick(draw, ENDINGS)
    name = f"out{pick(draw, ENDINGS[command])}"
    place = folder / "place"
    place.mkdir()
    sort = pick(draw, ["read-only", "read-only", "old read-only", "a folder", "dangling", "loop", "pipe"])
    after = None
    if sort in ("read-only", "old read-only"):
        if sort == "old read-only":
            (place / name).write_bytes(b"old")
        if os.getuid() == 0:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], check=True)
            if sort == "old read-only":
                (place / name).write_bytes(b"old")
            subprocess.run(["mount", "-o", "remount,ro", place], check=True)
            after = unmounted(place)
        else:
            place.chmod(0o555)
            after = lambda: place.chmod(0o755)  # noqa: E731
    elif sort == "a folder":
        (place / name).mkdir()
    elif sort == "dangling":
        (place / name).symlink_to("gone/file")
    elif sort == "loop":
        (place / name).symlink_to(name)
    else:
        os.mkfifo(place / name)
    arguments = [*COMMANDS[command], "-o", f"place/{name}"]
    return Trial(f"{sort} output", arguments, (name, "place"), lambda _: "", refuse=sort != "loop", after=after)


KILLED = {
    "apply": (
        ["apply", "big.npz", "exact.json", "--layout", "wide"], (".csv", ".tsv", ".parquet", ".npy",
        ".npz", ".h5"),
    ),
    "tune": (["tune", *BOTH], (".json",)),
    "report": (["report", *BOTH, "exact.json", "--no-compare"], (".html",)),
    "evaluate": (["evaluate", *BOTH, "exact.json"], (".csv",)),
    "sql": (["export", "sql", "exact.json"], (".sql",)),
    "onnx": ([*ONNX, "model.onnx", "exact.json"], (".onnx",)),
    "birdnet-filter": (["birdnet-filter", "detections.csv", "exact.json"], (".csv",)),
}  # fmt: skip


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


def killed(draw: Draw, base: Path, folder: Path, limit: float) -> tuple[str, str, str]:
    """Kill a command at a random moment, and return class, what was done and what is wrong."""
    bring(base, folder, "scores.npz", "labels.npz", "exact.json", "model.onnx", "detections.csv")
    number = pick(draw, [signal.SIGKILL, signal.SIGTERM, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
    command = pick(draw, KILLED)
    arguments, endings = KILLED[command]
    name = f"out{pick(draw, endings)}"
    arguments = [*arguments, "-o", name]
    if command == "apply":
        rows = 30_000
        scores = np.random.default_rng(4).random((rows, len(LABELS)), np.float32)
        np.savez(folder / "big.npz", scores=scores, names=LABELS, ids=np.arange(rows).astype(str))
    errors = folder.parent / f"{folder.name}.errors"
    begun = time.monotonic()
    ended(start(folder, arguments, errors), limit)
    took = time.monotonic() - begun
    if not (folder / name).exists():
        return "odd", " ".join(arguments), f"nothing was written: {errors.read_text(errors='replace')[-300:]}"
    whole = (folder / name).read_bytes()
    old = b"old" if draw.random() < 0.7 else b""
    (folder / name).unlink()
    if old:
        (folder / name).write_bytes(old)
    before = snapshot(folder)
    child = start(folder, arguments, errors)
    watch = draw.random() < 0.6
    end = time.monotonic() + (took * 2 if watch else draw.random() * took * 1.1)
    while time.monotonic() < end and not (watch and any(".limen-" in one for one in os.listdir(folder))):  # noqa: PTH208
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break
    if watch:
        time.sleep(draw.random() * 0.03)
    what = f"{number.name} {'while writing' if watch else 'at any time'}: {' '.join(arguments)}"
    os.kill(child, number)
    status = ended(child, limit)
    if status is None:
        return "hang", what, "not ended by the signal"
    complained = errors.read_text(errors="replace")
    errors.unlink()
    found = wrong_after(folder, name, before, whole, old, number, status, complained)
    if not found and number == signal.SIGKILL and strays(folder):
        ended(start(folder, arguments, errors), limit)
        left = strays(folder)
        return ("odd", what, f"left by a killed run, and by the next one: {left}") if left else ("right", what, "")
    if found:
        return ("traceback" if "Traceback" in complained else "silent" if found[0] == "!" else "odd"), what, found
    return ("right" if status == 0 else "clear"), what, ""


def strays(folder: Path) -> list[str]:
    return [name for name in snapshot(folder) if ".limen-" in name]


def wrong_after(
    folder: Path,
    name: str,
    before: dict[str, bytes],
    whole: bytes,
    old: bytes,
    number: int,
    status: int,
    said: str,
) -> str:
    """Return what is wrong after a kill, or ""; "!" first if a file was lost."""
    after = snapshot(folder)
    here = after.pop(name, b"")
    if here != old and not same(name, here, whole):
        return f"! {name} is neither the old file nor the new one"
    if "no output file was changed" in said and here != old:
        return "says that no output file was changed, and the new one is there"
    if "Traceback" in said:
        return f"Traceback: {said.splitlines()[-1]}"
    left = [one for one in after if one not in before]
    if number != signal.SIGKILL and left:
        return f"left behind: {left}, status {status}"
    if any(after.get(one) != data for one, data in before.items() if one != name):
        return "! an input was changed"
    return ""


def same(name: str, here: bytes, whole: bytes) -> bool:
    if not here:
        return False
    if name.endswith((".json", ".html")):
        return bool(readable(name, here) == readable(name, whole))
    return here == whole or (name.endswith((".npz", ".h5", ".parquet")) and len(here) == len(whole))


def lost_output(draw: Draw, base: Path, folder: Path, limit: float) -> tuple[str, str, str]:
    """Run a command whose standard output is full, closed or gone."""
    bring(base, folder, *READ)
    command = pick(draw, [key for key in COMMANDS if key not in ("auto", "apply", "birdnet-filter", "onnx")])
    sort = pick(draw, ["full", "closed", "gone"])
    arguments = [sys.executable, "-m", "limen", *COMMANDS[command]]
    what = f"standard output {sort}: {' '.join(COMMANDS[command])}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    read, write = os.pipe()
    os.close(read)
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        target = {"full": full.fileno(), "gone": write, "closed": None}[sort]
        shell = arguments if target is not None else ["sh", "-c", '"$@" >&-', "sh", *arguments]
        try:
            done = subprocess.run(
                shell,
                cwd=folder,
                env=environment,
                stdout=target,
                stderr=subprocess.PIPE,
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "hang", what, ""
    os.close(write)
    text = done.stderr.decode("utf-8", "replace")
    if "Traceback" in text or "Exception ignored" in text:
        return "traceback", what, text.strip().splitlines()[-1]
    if sort == "full" and done.returncode == 0:
        return "silent", what, "nothing could be said, and the exit status is 0"
    if sort == "full" and not text.startswith("limen: "):
        return "odd", what, f"status {done.returncode}, said {text[:100]!r}"
    return ("clear" if done.returncode else "right"), what, ""


@contextlib.contextmanager
def new_folder(parent: Path, name: str) -> Iterator[Path]:
    folder = parent / name
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
