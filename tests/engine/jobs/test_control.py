"""Pause, resume, stop and kill: the store and the log always agree on what happened."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable

import pytest

from engine.errors import JobError
from engine.folders import DATABASE
from engine.jobs import control
from engine.jobs.control_file import read_command
from engine.jobs.devices import Holder, Ticket
from engine.jobs.follow import follow
from engine.jobs.identity import ProcessIdentity
from engine.jobs.launch import launch
from engine.jobs.liveness import is_alive, mark_lost_jobs, read_holder
from engine.jobs.locks import FileLock
from engine.jobs.protocol import StateChanged
from engine.pipeline import open_or_make
from engine.project import Project
from engine.projects import delete
from engine.records.job import Job, JobState
from engine.records.options import ProjectSettings, TrainOptions
from engine.records.prompt import Message, Prompt
from tests.engine.jobs.support import options, wait_until
from tests.tui.seeds import add_job


def _state(project: Project, job: Job) -> JobState:
    return project.jobs.get(job.id).state


def _wait_for(project: Project, job: Job, state: JobState) -> None:
    wait_until(lambda: _state(project, job) == state)


def _wait_for_note(project: Project, job: Job, note: str) -> None:
    wait_until(lambda: project.jobs.get(job.id).note == note)


def _steps(project: Project, job: Job) -> list[str]:
    path = project.folder / job.folder / "facts"
    return path.read_text().splitlines() if path.exists() else []


def _states(project: Project, job: Job) -> list[str]:
    events = follow(project, job.id)  # waits for the log line of a state that is already stored
    return [stamped.event.state for stamped in events if isinstance(stamped.event, StateChanged)]


def _open_gate(project: Project, job: Job) -> None:
    (project.folder / job.folder / "gate").touch()


def _set_prompt(project: Project) -> None:
    project.prompts.set(Prompt((Message("system", "Be kind."),)))


def test_paused_job_makes_no_progress_until_resumed(project: Project) -> None:
    job = project.start_job(options("gated", 20))
    wait_until(lambda: len(_steps(project, job)) == 10)
    control.pause(project, job)
    _wait_for(project, job, "paused")
    assert "jobs resume 1" in project.jobs.get(job.id).note
    _open_gate(project, job)
    time.sleep(0.2)
    assert len(_steps(project, job)) == 10
    control.resume(project, job)
    list(follow(project, job.id))
    assert _steps(project, job) == [str(step) for step in range(20)]
    assert _states(project, job) == ["running", "paused", "running", "done"]


@pytest.mark.parametrize("paused_first", [False, True])
def test_stopped_job_resumes_where_it_stopped(project: Project, *, paused_first: bool) -> None:
    job = project.start_job(options("gated", 20))
    wait_until(lambda: len(_steps(project, job)) == 10)
    if paused_first:
        control.pause(project, job)
        _wait_for(project, job, "paused")
    control.stop(project, job)
    _wait_for(project, job, "stopped")
    stopped = project.jobs.get(job.id)
    assert stopped.ended_at
    _open_gate(project, job)
    again = control.resume(project, stopped)
    assert again.pid not in (0, stopped.pid)
    assert list(follow(project, job.id))[-1].event == StateChanged("done")
    assert _steps(project, job) == [str(step) for step in range(20)]
    assert project.jobs.get(job.id).options == job.options


@pytest.mark.parametrize("other_command", [control.pause, control.keep])
def test_stop_request_cannot_be_replaced_by_another(
    project: Project, other_command: Callable[[Project, Job], Job]
) -> None:
    job = project.start_job(options("stubborn"))
    wait_until(lambda: bool(_steps(project, job)))
    project.jobs.update(job.id, stage="run")
    control.stop(project, job)
    with pytest.raises(JobError, match="already stopping"):
        other_command(project, job)
    assert read_command(project.folder / job.folder) == "stop"
    assert control.stop(project, job).state == "running", "a repeated stop request is accepted"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_and_sigint_stop_the_job(project: Project, number: signal.Signals) -> None:
    job = project.start_job(options("steps", 100_000))
    wait_until(lambda: len(_steps(project, job)) > 5)
    os.kill(job.pid, signal.SIGHUP)
    os.kill(job.pid, number)
    _wait_for(project, job, "stopped")
    assert _states(project, job) == ["running", "stopped"]


def test_stop_without_force_waits_for_a_checkpoint(project: Project) -> None:
    job = project.start_job(options("stubborn"))
    wait_until(lambda: bool(_steps(project, job)))
    assert control.stop(project, job).state == "running"
    with pytest.raises(JobError, match="about to stop"):
        control.resume(project, job)
    time.sleep(0.2)
    assert is_alive(project.jobs.get(job.id))


def test_forced_stop_ends_a_job_that_reaches_no_checkpoint(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_DIES_WITHIN_S", 0.2)
    job = project.start_job(options("stubborn"))
    wait_until(lambda: bool(_steps(project, job)))
    ended = control.stop(project, job, force=True, grace_s=0.1)
    assert ended.state == "stopped"
    assert "by force" in ended.note
    wait_until(lambda: not is_alive(ended))
    assert _states(project, job) == ["running", "stopped"]


@pytest.mark.parametrize("damaged", [False, True])
def test_forced_deletion_of_a_project_ends_its_jobs(
    project: Project, monkeypatch: pytest.MonkeyPatch, *, damaged: bool
) -> None:
    monkeypatch.setattr(control, "_DIES_WITHIN_S", 0.5)
    jobs = [project.start_job(options("stubborn")), project.start_job(options("gated", 20))]
    wait_until(lambda: all(_steps(project, job) for job in jobs))
    if damaged:
        for suffix in ("-shm", "-wal"):
            (project.folder / f"project.db{suffix}").unlink()
        (project.folder / DATABASE).write_text("nonsense " * 100)
    delete(project.folder, project.home, force=True)
    assert not any(is_alive(job) for job in jobs)
    assert not project.folder.exists()


def test_recreated_project_has_no_job_of_the_old_one(project: Project) -> None:
    job = project.start_job(options("gated", 20))
    wait_until(lambda: bool(_steps(project, job)))
    with open_or_make(project.home, project.name, ProjectSettings(), _set_prompt, fresh=True) as again:
        assert not is_alive(job)
        assert again.jobs.all() == ()


def test_finished_job_cannot_be_controlled(project: Project) -> None:
    job = project.start_job(options("steps", 1))
    list(follow(project, job.id))
    for act in (control.pause, control.stop):
        with pytest.raises(JobError, match="It is done"):
            act(project, job)
    with pytest.raises(JobError, match="It is done"):
        control.resume(project, job)


def test_killed_job_is_marked_lost_and_can_be_resumed(project: Project) -> None:
    job = project.start_job(options("gated", 20))
    wait_until(lambda: len(_steps(project, job)) == 10)
    os.kill(job.pid, signal.SIGKILL)
    last = list(follow(project, job.id))[-1].event
    assert isinstance(last, StateChanged)
    assert last.state == "lost"
    assert "jobs resume 1" in last.note
    assert mark_lost_jobs(project) == ()
    _open_gate(project, job)
    control.resume(project, job)
    assert list(follow(project, job.id))[-1].event == StateChanged("done")
    assert _states(project, job) == ["running", "lost", "running", "done"]


def test_job_killed_at_random_moments_completes_every_step_once(project: Project) -> None:
    rng = random.Random(20)
    job = project.start_job(options("gated", 300))
    for _ in range(5):
        time.sleep(rng.uniform(0, 0.3))
        os.kill(job.pid, signal.SIGKILL)
        wait_until(lambda: bool(mark_lost_jobs(project)))
        assert _state(project, job) == "lost"
        job = control.resume(project, job)
    _open_gate(project, job)
    assert list(follow(project, job.id))[-1].event == StateChanged("done")
    assert _steps(project, job) == [str(step) for step in range(300)]
    assert [state for state in _states(project, job) if state != "running"] == ["lost"] * 5 + ["done"]


def test_reused_pid_does_not_make_a_job_look_alive(project: Project) -> None:
    job = project.start_job(options("steps", 100_000))
    os.kill(job.pid, signal.SIGKILL)
    # The pid of a process that is certainly alive, with the start time of the dead one.
    project.jobs.update(job.id, pid=os.getpid())
    wait_until(lambda: bool(mark_lost_jobs(project)))
    assert _state(project, job) == "lost"


def test_job_that_is_about_to_start_is_not_lost(project: Project) -> None:
    job = project.jobs.add(options("steps", 1))
    assert mark_lost_jobs(project) == ()
    launch(project.folder, job, project.home)
    list(follow(project, job.id))
    assert _state(project, job) == "done"


def test_job_that_never_started_is_lost(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    job = project.jobs.add(options("steps", 1))
    monkeypatch.setattr("engine.jobs.liveness._STARTS_WITHIN_S", 0.0)
    assert [lost.id for lost in mark_lost_jobs(project)] == [job.id]


def test_job_that_holds_its_lock_is_not_marked_lost(project: Project) -> None:
    job = project.start_job(options("stubborn"))
    assert read_holder(project.folder / job.folder / "lock") == ProcessIdentity(
        job.pid, job.pid_started_at, job.boot_id
    )
    assert is_alive(job)
    project.jobs.update(job.id, pid_started_at=1.0)
    assert not is_alive(project.jobs.get(job.id))
    assert mark_lost_jobs(project) == ()
    project.jobs.update(job.id, pid_started_at=job.pid_started_at)


def test_worker_starts_after_another_held_its_lock_briefly(project: Project) -> None:
    job = project.jobs.add(options("steps", 1))
    folder = project.folder / job.folder
    folder.mkdir(parents=True)
    lock = FileLock.take(folder / "lock")
    assert lock is not None
    threading.Timer(1.0, lock.release).start()
    launch(project.folder, job, project.home)
    assert project.jobs.get(job.id).pid


def test_jobs_wait_for_the_device_in_order_and_name_its_holder(project: Project) -> None:
    ticket = Ticket.draw(project.home.state, "cpu", Holder(9, "train", "other"))
    first, second, third = (project.start_job(options("on_device", 3)) for _ in range(3))
    for job, note in ((first, ""), (second, ", 1 more before this job"), (third, ", 2 more before this job")):
        _wait_for(project, job, "waiting")
        _wait_for_note(project, job, f"job 9 (train) of other holds cpu{note}")
    control.stop(project, second)
    _wait_for(project, second, "stopped")
    _wait_for_note(project, third, "job 9 (train) of other holds cpu, 1 more before this job")
    ticket.give_back()
    for job in (first, third):
        list(follow(project, job.id))
        assert _state(project, job) == "done"
    assert project.jobs.get(first.id).ended_at < project.jobs.get(third.id).ended_at
    assert _states(project, first) == ["running", "waiting", "running", "done"]


def test_job_paused_in_the_queue_lets_others_pass(project: Project) -> None:
    ticket = Ticket.draw(project.home.state, "cpu", Holder(9, "train", "other"))
    first, second = (project.start_job(options("on_device", 3)) for _ in range(2))
    _wait_for_note(project, first, "job 9 (train) of other holds cpu")
    _wait_for_note(project, second, "job 9 (train) of other holds cpu, 1 more before this job")
    control.pause(project, first)
    _wait_for(project, first, "paused")
    ticket.give_back()
    list(follow(project, second.id))
    assert _state(project, second) == "done"
    assert _state(project, first) == "paused"
    control.resume(project, first)
    list(follow(project, first.id))
    assert _state(project, first) == "done"


def test_killed_holder_frees_the_device(project: Project) -> None:
    first = project.start_job(options("on_device", 100_000))
    wait_until(lambda: bool(_steps(project, first)))
    second = project.start_job(options("on_device", 3))
    _wait_for_note(project, second, "job 1 (generate) of tone holds cpu")
    os.kill(first.pid, signal.SIGKILL)
    list(follow(project, second.id))
    assert _state(project, second) == "done"


def test_keep_request_is_accepted_only_while_training(project: Project) -> None:
    job = add_job(project, TrainOptions(1), "waiting")
    with pytest.raises(JobError, match="is not training now"):
        control.keep(project, job)  # still waiting
    project.jobs.update(job.id, state="running", stage="examples")
    with pytest.raises(JobError, match="at the examples"):
        control.keep(project, job)
    project.jobs.update(job.id, stage="run")
    control.keep(project, job)
    assert read_command(project.folder / job.folder) == "keep"
    project.jobs.update(job.id, state="done")
    with pytest.raises(JobError, match="not running"):
        control.keep(project, job)
