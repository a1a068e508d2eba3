"""Jobs: stages that run in their own detached process. Knows nothing of processes."""

from dataclasses import dataclass
from typing import Literal

from engine.records.options import JobKind
from engine.records.station import StationName

JobState = Literal["waiting", "running", "paused", "done", "stopped", "failed", "lost"]
LIVE_STATES: tuple[JobState, ...] = ("waiting", "running", "paused")


@dataclass(frozen=True, slots=True)
class Job:
    """One job as the store knows it. A pid is only trusted together with its start time and the boot's id."""

    id: int
    kind: JobKind
    state: JobState
    options: str  # JSON of the stage's own options dataclass
    folder: str  # relative to the project
    stage: StationName  # the station at work; a job that conducts several moves from one to the next
    pid: int = 0
    pid_started_at: float = 0.0  # as the kernel tells it; only ever compared with itself
    boot_id: str = ""
    done: int = 0
    total: int = 0
    note: str = ""  # what it is doing, or why it waits, stopped or failed
    created_at: str = ""
    started_at: str = ""
    ended_at: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """What a job has done at one station, over all its processes. Waiting for a device and pausing are no work."""

    seconds: float = 0.0
    answers: int = 0  # that an evaluation asked for, or a generation stored; other jobs count none
    cost_usd: float = 0.0  # at list prices
