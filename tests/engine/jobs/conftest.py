"""A project, and jobs whose stages are those of `steps_worker`."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine.jobs import launch
from engine.jobs.liveness import is_alive
from engine.paths import Home
from engine.project import Project
from engine.records.job import Job
from engine.records.options import GenerateOptions, TeacherSpec

STAGES_FOLDER = str(Path(__file__).parent)
Start = Callable[..., Job]


def wait_until(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.01)


def options(stage: str, steps: int = 10) -> GenerateOptions:
    return GenerateOptions(teacher=TeacherSpec(model=stage), limit=steps)


@pytest.fixture
def project(private_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """An open project; whatever of its jobs still runs at the end of the test is killed."""
    monkeypatch.setattr(launch, "WORKER_MODULE", "steps_worker")
    monkeypatch.setenv("PYTHONPATH", STAGES_FOLDER)
    home = Home.locate()
    with Project.create(home.projects / "tone", home=home) as project:
        yield project
        for job in project.jobs.all():
            if is_alive(job):
                with suppress(ProcessLookupError):
                    os.killpg(job.pid, signal.SIGKILL)
