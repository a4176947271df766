"""Faults in tasks of the real Spark: a process is killed, once each."""

import os
import signal
import time
from pathlib import Path

from limen.engines.spark_parts import merge_group, summaries


def first(folder, name):
    """Whether this is the first call of this name, in whatever process."""
    try:
        (Path(folder) / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def kill(victim):
    """Kill this Python process, or the Java process of its executor."""
    pid = os.getpid()
    if victim == "executor":
        pid = parent(parent(pid))  # of the daemon that starts the Python processes
        assert "CoarseGrainedExecutorBackend" in Path(f"/proc/{pid}/cmdline").read_text()
    os.kill(pid, signal.SIGKILL)
    time.sleep(60)


def killed_once(folder, victim, when, plan, cuts, batches):
    """The summaries of a part; a process dies after the first of them was made in the pass."""
    for batch in summaries(plan, cuts, batches):
        yield batch
        if when == ("cuts" if cuts is None else "counts") and first(folder, f"{victim} {when}"):
            kill(victim)


def merged_killed_once(folder, victim, table):
    if first(folder, f"{victim} merge"):
        kill(victim)
    return merge_group(table)
