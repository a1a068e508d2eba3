"""Jobs: stages that run in their own detached process. Knows nothing of processes."""

from dataclasses import dataclass
from typing import Literal

from engine.records.options import JobKind
from engine.records.station import StationName

JobState = Literal["waiting", "running", "paused", "done", "stopped", "failed", "lost"]
LIVE_STATES: tuple[JobState, ...] = ("waiting", "running", "paused")
TROUBLE: tuple[JobState, ...] = ("failed", "lost")


@dataclass(frozen=True, slots=True)
class Job:
    """One job as stored. A pid is trusted only together with the process's start time and the boot id."""

    id: int
    kind: JobKind
    state: JobState
    options: str  # JSON of the options dataclass for this kind
    folder: str  # relative to the project
    stage: StationName  # current station; a job with several stations moves from one to the next
    pid: int = 0
    pid_started_at: float = 0.0  # as the kernel reports it; only compared with the kernel's later reports
    boot_id: str = ""
    done: int = 0
    total: int = 0
    note: str = ""  # what it is doing, or why it is waiting, stopped or failed
    created_at: str = ""
    started_at: str = ""
    ended_at: str = ""

    @property
    def state_text(self) -> str:
        """The state as the end of a sentence about the job."""
        return {"failed": "failed", "lost": "was killed"}.get(self.state, f"is {self.state}")


def resume_command(job_id: int) -> str:
    """Return the command that resumes a job, as it is quoted in a sentence."""
    return f"`distill-tui jobs resume {job_id}`"


def resume_advice(job_id: int) -> str:
    """Return the sentence that ends the note of a job that can only be resumed."""
    return f"Resume it with {resume_command(job_id)}."


def state_word(state: JobState) -> str:
    """Return a job's state as shown to the user: the process of a lost job was killed."""
    return "killed" if state == "lost" else state


@dataclass(frozen=True, slots=True)
class Work:
    """A job's work at one station, over all its processes. Excludes waiting for a device and pauses."""

    seconds: float = 0.0
    answers: int = 0  # asked for by an evaluation, or stored by a generation; 0 for other jobs
    cost_usd: float = 0.0  # at given or list prices
