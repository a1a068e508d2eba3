"""The time worked on a job: the sum over its processes, stored as it goes, without pauses."""

from types import SimpleNamespace

import pytest

from engine.jobs.context import JobContext
from engine.jobs.protocol import Progress, StageStarted, StateChanged
from engine.project import Project
from tests.engine.jobs.support import options


class Clock:
    """A monotonic clock that the test advances."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("engine.jobs.stopwatch.time", SimpleNamespace(monotonic=lambda: self.now))

    def after(self, seconds: float, context: JobContext) -> float:
        """Advance the clock and return the seconds that the context has counted."""
        self.now += seconds
        return context.work.seconds


def test_time_of_a_killed_process_counts_for_its_job(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    job = project.jobs.add(options("steps"))
    killed = JobContext(project, job)
    killed.emit(StateChanged("running"))
    clock.now += 20.0
    with project.transaction():
        killed.write_work(3)
    clock.now += 10.0
    killed.emit(Progress(3, 9))
    killed.checkpoint()  # the last time that is stored
    clock.now += 400.0  # killed: nothing more is stored
    again = JobContext(project, project.jobs.get(job.id))
    again.emit(StateChanged("running"))
    assert clock.after(5.0, again) == pytest.approx(35.0)
    again.write_work(2)
    again.close()
    assert again.work.answers == 5
    assert JobContext(project, project.jobs.add(options("steps"))).work.seconds == 0.0


def test_idle_time_is_not_counted_and_stations_are_timed_separately(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    job = project.jobs.add(options("steps"))
    context = JobContext(project, job)
    context.emit(StateChanged("running"))
    for state in ("waiting", "paused"):
        clock.now += 3.0
        context.emit(StateChanged(state, "Another holds the device."))
        clock.now += 1000.0
        context.emit(StateChanged("running"))
    assert clock.after(1.0, context) == pytest.approx(7.0)
    context.emit(StageStarted("run"))
    assert clock.after(2.0, context) == pytest.approx(2.0)
    context.emit(StateChanged("stopped"))
    clock.now += 500.0
    context = JobContext(project, project.jobs.get(job.id))
    context.emit(StateChanged("running"))
    assert clock.after(4.0, context) == pytest.approx(6.0)
    context.emit(StageStarted("examples"))
    assert clock.after(1.0, context) == pytest.approx(8.0)
    context.emit(StateChanged("done"))
    assert {name: work.seconds for name, work in project.jobs.work(job.id).items()} == pytest.approx(
        {"examples": 8.0, "run": 6.0}
    )
