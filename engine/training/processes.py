"""Which processes a run has: one, several that its job starts on this machine, or those that a launcher has started.

A job's own process is always the first rank, so the store, the log and the person's wishes know no other. Those it
starts are its children, in its process group, and end when it does. Knows nothing of what is trained.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from engine.errors import TrainingError
from engine.jobs.context import JobContext
from engine.paths import make_private_folder
from engine.training.ranks import ALONE, RankLost, Ranks, connected

MEMBER_MODULE = "engine.training.member"
_LEAVES_WITHIN_S = 10.0


def launched_ranks() -> Ranks | None:
    """This process's place among those that torchrun, or what speaks like it, has started; None where none did."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    if not all(os.environ.get(name, "").isdecimal() for name in names):
        return None
    rank, size, place, neighbours = (int(os.environ[name]) for name in names)
    return Ranks(rank, size, place, neighbours)


def planned_ranks(processes: int | None) -> Ranks:
    """The place of a job's own process in a run with so many `processes`, as `TrainOptions` says it."""
    if processes is None:
        return launched_ranks() or ALONE
    return Ranks(size=processes, neighbours=processes)


@contextmanager
def ranks_of(processes: int | None, context: JobContext) -> Iterator[Ranks]:
    """The ranks of a job's run, connected while inside.

    Raises `TrainingError` where the others do not come, and where one is lost while they work.
    """
    ranks = planned_ranks(processes)
    if ranks.size == 1:
        yield ranks
    elif processes is None:
        with connected(ranks) as joined:
            yield joined
    else:
        with _started(ranks, context) as joined:
            yield joined


def keep_to_loopback() -> None:
    """Let no other machine reach the connections of processes that are all on this one."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")


@contextmanager
def _started(ranks: Ranks, context: JobContext) -> Iterator[Ranks]:
    keep_to_loopback()
    folder = context.folder / "ranks"
    shutil.rmtree(folder, ignore_errors=True)
    make_private_folder(folder)
    command = [sys.executable, "-P", "-m", MEMBER_MODULE, "--folder", str(folder), "--size", str(ranks.size)]
    if context.project.home.root is not None:
        command += ["--home", str(context.project.home.root)]
    # Nothing is written to a child's standard input: its end tells the child that this process has ended.
    children = [
        subprocess.Popen([*command, "--rank", str(rank)], stdin=subprocess.PIPE) for rank in range(1, ranks.size)
    ]

    def while_waiting() -> None:
        context.checkpoint()
        if any(child.poll() is not None for child in children):
            raise RankLost("A process of the run did not start.", "", "See the end of the job's log for the reason.")

    try:
        with connected(ranks, folder, while_waiting) as joined:
            yield joined
    except RankLost as lost:
        raise TrainingError(lost.title, " ".join((lost.message, _told(_ends(children)))), lost.next) from lost
    finally:
        _ends(children)
        shutil.rmtree(folder, ignore_errors=True)


def _ends(children: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    """The exit statuses of all, after giving them a while to leave by themselves."""
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.wait(_LEAVES_WITHIN_S)
    for child in children:
        child.kill()
        if child.stdin is not None:
            child.stdin.close()
    return [child.wait() for child in children]


def _told(statuses: Sequence[int]) -> str:
    """How those that failed have ended."""
    return " ".join(
        f"Process {rank} of {len(statuses) + 1} was ended by signal {-status}."
        if status < 0
        else f"Process {rank} of {len(statuses) + 1} ended with status {status}."
        for rank, status in enumerate(statuses, start=2)
        if status
    )
