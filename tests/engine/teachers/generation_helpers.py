"""Helpers that run the generation stage in tests and read what it reported."""

import threading
import time
from collections import Counter
from pathlib import Path
from typing import TypedDict, Unpack

from engine.jobs.context import JobContext, StopFlag
from engine.jobs.control_file import write_command
from engine.jobs.follow import Follower
from engine.jobs.protocol import Event
from engine.project import Project
from engine.records.job import Job
from engine.records.options import GenerateOptions, TeacherSpec
from engine.records.question import Split
from engine.store.jobs import options_of_job
from engine.teachers.job import run
from tests.engine.jobs.support import wait_until
from tests.engine.teachers.hostile_server import HostileServer


class Changes(TypedDict, total=False):
    """The options of a generation that tests change."""

    splits: tuple[Split, ...]
    samples: int
    max_answer_tokens: int
    limit: int
    concurrency: int
    batch_rows: int
    max_cost_usd: float
    stop_when_accepted: bool
    asks: tuple[tuple[int, int], ...]


def endpoint_options(server: HostileServer, **changes: Unpack[Changes]) -> GenerateOptions:
    return GenerateOptions(TeacherSpec("endpoint", "peer", server.url), **changes)


def generate(project: Project, options: GenerateOptions, stop: StopFlag | None = None) -> list[Event]:
    """Run a new generation job in this process and return its events."""
    job = project.jobs.add(options)
    run_stage(project, job, stop)
    return events_of(project, job)


def run_stage(project: Project, job: Job, stop: StopFlag | None = None) -> None:
    """Run the stage of a generation job in this process."""
    context = JobContext(project, job, stop)
    try:
        options = options_of_job(job)
        assert isinstance(options, GenerateOptions)
        run(context, options)
    finally:
        context.close()


def events_of(project: Project, job: Job) -> list[Event]:
    return [stamped.event for stamped in Follower(project.folder / job.folder).read_new()]


def request_counts(server: HostileServer) -> Counter[str]:
    """The number of requests for each question."""
    return Counter(request.question for request in server.requests)


class PausedOnce:
    """A user who pauses the job, and resumes it shortly after it has paused."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.is_paused = False

    def pause(self) -> None:
        write_command(self._folder, "pause")
        threading.Thread(target=self._resume_when_paused).start()

    def _resume_when_paused(self) -> None:
        wait_until(lambda: b'"paused"' in (self._folder / "events.jsonl").read_bytes())
        self.is_paused = True
        time.sleep(0.2)
        self.is_paused = False
        write_command(self._folder, "run")


def wait_for_end(project: Project, job_id: int) -> None:
    wait_until(lambda: project.jobs.get(job_id).state not in ("waiting", "running", "paused"), 60)
