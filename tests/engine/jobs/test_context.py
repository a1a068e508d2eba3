"""The context of a job: survives a full disk and a locked database, and reads commands without signals."""

import os
import threading
from collections.abc import Iterator

import pytest

from engine.errors import JobStopped
from engine.jobs.context import JobContext, StopFlag
from engine.jobs.control_file import write_command
from engine.jobs.follow import Follower
from engine.jobs.protocol import Note, Progress, StateChanged
from engine.paths import Home
from engine.project import Project
from tests.engine.jobs.support import options, wait_until


@pytest.fixture
def context(project: Project) -> Iterator[JobContext]:
    """The context of a job that no worker runs, over a database connection that never waits for a lock."""
    job = project.jobs.add(options("steps"))
    with Project.open(project.folder, Home.locate(), timeout_s=0.0) as impatient:
        context = JobContext(impatient, job)
        yield context
        context.close()


def test_state_is_stored_even_if_it_cannot_be_logged(context: JobContext, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError("disk full")

    monkeypatch.setattr(os, "write", full)
    context.emit(StateChanged("running"))
    assert context.project.jobs.get(context.job.id).state == "running"
    assert Follower(context.folder).read_new() == []


def test_events_lost_to_a_full_disk_are_counted(context: JobContext, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as disk:
        disk.setattr(os, "write", lambda file, data: 3)
        context.emit(Note("lost"))
        context.emit(Note("lost too"))
    context.emit(Note("kept"))
    events = [stamped.event for stamped in Follower(context.folder).read_new()]
    assert events == [Note("2 events could not be written to the log."), Note("kept")]


def test_locked_database_does_not_stop_the_stage(context: JobContext, project: Project) -> None:
    with project.transaction():
        context.emit(Progress(3, 10, "half way"))
        context.checkpoint()
    assert project.jobs.get(context.job.id).done == 0


def test_final_progress_is_stored(context: JobContext, project: Project) -> None:
    for done in range(1, 6):
        context.emit(Progress(done, 5, "answering"))
        context.checkpoint()
    context.emit(StateChanged("done"))
    job = project.jobs.get(context.job.id)
    assert (job.state, job.done, job.total, job.note) == ("done", 5, 5, "")
    assert job.ended_at


def test_progress_can_come_from_another_thread(context: JobContext, project: Project) -> None:
    thread = threading.Thread(target=context.emit, args=(Progress(4, 9),))
    thread.start()
    thread.join()
    context.checkpoint()
    assert project.jobs.get(context.job.id).done == 4


def test_stop_request_takes_effect_at_the_checkpoint(context: JobContext) -> None:
    context.checkpoint()
    assert not context.stop_requested
    write_command(context.folder, "stop")
    wait_until(lambda: context.stop_requested)
    assert not context.pause_requested
    with pytest.raises(JobStopped):
        context.checkpoint()


def test_stop_flag_stops_even_a_paused_job(project: Project) -> None:
    flag = StopFlag()
    context = JobContext(project, project.jobs.add(options("steps")), flag)
    write_command(context.folder, "pause")
    threading.Timer(0.3, lambda: setattr(flag, "up", True)).start()
    with pytest.raises(JobStopped):
        context.checkpoint()
    assert project.jobs.get(context.job.id).state == "paused"
    context.close()
