"""The processes of a run: one, several that its job starts on this machine, or those that a launcher started.

A job's own process is always the first rank, so the store, the log and user requests know no other. The processes that
it starts are its children, in its process group, and end when it does. Knows nothing of what is trained.
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
from engine.training.clusters import RANK_PROCESS
from engine.training.ranks import ALONE, RankLost, Ranks, connected

_LEAVES_WITHIN_S = 10.0


def launched_ranks() -> Ranks | None:
    """Return this process's place among those that torchrun, or a compatible launcher, started; None if none did."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    if not all(os.environ.get(name, "").isdecimal() for name in names):
        return None
    rank, size, place, neighbours = (int(os.environ[name]) for name in names)
    return Ranks(rank, size, place, neighbours)


def planned_ranks(processes: int | None) -> Ranks:
    """Return the place of a job's own process in a run with `processes`, as given in `TrainOptions`."""
    if processes is None:
        return launched_ranks() or ALONE
    return Ranks(size=processes, neighbours=processes)


@contextmanager
def ranks_of(processes: int | None, context: JobContext) -> Iterator[Ranks]:
    """Yield the ranks of a job's run, connected while inside.

    Raises `TrainingError` if the others do not connect, or if one is lost while they work.
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
    """Bind the connections to loopback, because all processes are on this machine."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")


@contextmanager
def _started(ranks: Ranks, context: JobContext) -> Iterator[Ranks]:
    keep_to_loopback()
    folder = context.folder / "ranks"
    shutil.rmtree(folder, ignore_errors=True)
    make_private_folder(folder)
    command = [sys.executable, "-P", "-m", RANK_PROCESS, "--folder", str(folder), "--size", str(ranks.size)]
    if context.project.home.root is not None:
        command += ["--home", str(context.project.home.root)]
    # Nothing is written to a child's standard input: it closes when this process ends, and then the child exits too.
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
        raise TrainingError(lost.title, " ".join((lost.message, _exits_text(_ends(children)))), lost.next) from lost
    finally:
        _ends(children)
        shutil.rmtree(folder, ignore_errors=True)


def _ends(children: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    """Return the exit statuses of all children, after giving them some time to exit by themselves."""
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.wait(_LEAVES_WITHIN_S)
    for child in children:
        child.kill()
        if child.stdin is not None:
            child.stdin.close()
    return [child.wait() for child in children]


def _exits_text(statuses: Sequence[int]) -> str:
    """Describe how those that failed have ended."""
    return " ".join(
        f"Process {rank} of {len(statuses) + 1} was killed by signal {-status}."
        if status < 0
        else f"Process {rank} of {len(statuses) + 1} exited with status {status}."
        for rank, status in enumerate(statuses, start=2)
        if status
    )
