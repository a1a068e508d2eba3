"""The jobs of a project with how long each has worked, and what one printed. Pieces of work for `StoreService.ask`."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from textual.message import Message

from engine.jobs.launch import LOG_FILE
from engine.jobs.wishes import read_wish
from engine.project import Project
from engine.records.job import LIVE_STATES, Job

LOG_BYTES = 100_000  # of the end of a log, as many as are read


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job. `ending`: it was asked to stop, and has not yet."""

    job: Job
    seconds: float  # of work, over all its processes
    ending: bool = False


class JobsRead(Message):
    """All jobs were read: what lives first, then the newest."""

    def __init__(self, rows: tuple[JobRow, ...]) -> None:
        super().__init__()
        self.rows = rows


class LogRead(Message):
    """The end of what a job printed was read. The text is foreign."""

    def __init__(self, job_id: int, text: str) -> None:
        super().__init__()
        self.job_id = job_id
        self.text = text


def read_jobs(project: Project) -> JobsRead:
    """All jobs."""
    with project.snapshot():
        jobs = project.jobs.all()
        worked = {job.id: sum(work.seconds for work in project.jobs.work(job.id).values()) for job in jobs}
    rows = [JobRow(job, worked[job.id], _is_ending(project, job)) for job in jobs]
    return JobsRead(tuple(sorted(rows, key=lambda row: (row.job.state not in LIVE_STATES, -row.job.id))))


def log_reader(job: Job) -> Callable[[Project], LogRead]:
    """Work that reads the end of what the job printed; nothing where it printed nothing."""

    def read(project: Project) -> LogRead:
        return LogRead(job.id, _end_of(project.folder / job.folder / LOG_FILE))

    return read


def _is_ending(project: Project, job: Job) -> bool:
    return job.state in LIVE_STATES and read_wish(project.folder / job.folder) == "stop"


def _end_of(path: Path) -> str:
    """The last lines, whole."""
    with suppress(OSError), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - LOG_BYTES, 0))
        text = file.read().decode("utf-8", errors="replace")
        return text.partition("\n")[2] if size > LOG_BYTES else text
    return ""
