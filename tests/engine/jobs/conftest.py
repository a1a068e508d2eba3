"""A project whose jobs run the stages of `steps_worker`."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.jobs import launch
from engine.jobs.liveness import is_alive
from engine.paths import Home
from engine.project import Project
from engine.records.job import Job
from tests.engine.jobs.support import STAGES_FOLDER


@pytest.fixture
def project(private_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """An open project; jobs that are still running at the end of the test are killed."""
    monkeypatch.setattr(launch, "WORKER_MODULE", "steps_worker")
    monkeypatch.setenv("PYTHONPATH", STAGES_FOLDER)
    home = Home.locate()
    with Project.create(home.projects / "tone", home=home) as project:
        yield project
        jobs: tuple[Job, ...] = ()
        with suppress(StoreError):  # a test that deletes the project ends its jobs itself
            jobs = project.jobs.all()
        for job in jobs:
            if is_alive(job):
                with suppress(ProcessLookupError):
                    os.killpg(job.pid, signal.SIGKILL)
