"""Wrong options, outputs that are inputs, full disks, read-only folders, and standard output that is lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from faults_cases import Outcome, Trial, bring, pick
from faults_files import Draw
from faults_options import COMMANDS, ENDINGS, OPTIONS, READ
from faults_run import run


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
