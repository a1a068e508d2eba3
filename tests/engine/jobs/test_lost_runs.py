"""The run of a job whose process is gone: how it ended, and how long it was trained."""

import pytest

from engine.jobs import control
from engine.jobs.liveness import mark_lost_jobs
from engine.project import Project
from engine.records.dataset import Dataset
from engine.records.options import SweepOptions, TrainOptions
from engine.records.prompt import Message, Prompt
from engine.records.run import Run, TrainingConfig
from engine.store.datasets import dataset_sha256
from tests.engine.jobs.support import options
from tests.tui.seeds import add_job


def _new_run(project: Project) -> Run:
    prompt_sha256 = project.prompts.set(Prompt((Message("system", "Be kind."),))).prompt.sha256
    dataset = Dataset(dataset_sha256(prompt_sha256, "starter", ()), prompt_sha256, "starter", ())
    project.datasets.add(dataset)
    return project.runs.add(dataset.sha256, TrainingConfig(base="starter"))


def test_run_of_a_killed_job_is_stopped(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    run, other = (_new_run(project) for _ in range(2))
    job = project.jobs.add(TrainOptions(run.id))
    project.runs.add_job(run.id, job.id)
    project.runs.update(run.id, state="running")
    project.runs.update(other.id, state="paused")
    monkeypatch.setattr("engine.jobs.liveness._STARTS_WITHIN_S", 0.0)
    mark_lost_jobs(project)
    stopped = project.runs.get(run.id)
    assert (stopped.state, stopped.reason) == ("stopped", "Its process was killed.")
    assert project.runs.get(other.id).state == "paused"
    assert project.jobs.get(job.id).state == "lost"


def test_run_of_a_killed_job_has_the_time_that_was_worked(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier, run = (_new_run(project) for _ in range(2))
    first, sweep = project.jobs.add(TrainOptions(run.id)), project.jobs.add(SweepOptions(()))
    for run_id, job in ((run.id, first), (earlier.id, sweep), (run.id, sweep)):
        project.runs.add_job(run_id, job.id)
    project.runs.update(earlier.id, state="done", train_s=250.0)
    project.runs.update(run.id, state="running", train_s=30.0)
    for job, worked_s in ((first, 40.0), (sweep, 1150.0)):
        project.jobs.write_work(job.id, "run", worked_s, 0)
    project.jobs.write_work(sweep.id, "evaluation", 500.0, 0)
    project.jobs.update(first.id, state="stopped")
    monkeypatch.setattr("engine.jobs.liveness._STARTS_WITHIN_S", 0.0)
    mark_lost_jobs(project)
    killed = project.runs.get(run.id)
    assert (killed.state_word, killed.train_s) == ("killed", 40.0 + 1150.0 - 250.0)
    assert project.runs.get(earlier.id).train_s == 250.0


def test_run_stopped_by_force_is_called_stopped_like_its_job(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_DIES_WITHIN_S", 0.2)
    run = _new_run(project)
    job = project.start_job(options("stubborn"))
    project.runs.add_job(run.id, job.id)
    project.runs.update(run.id, state="running")
    assert control.stop(project, job, force=True, grace_s=0.1).state == "stopped"
    ended = project.runs.get(run.id)
    assert (ended.state_word, ended.reason) == ("stopped", "Stopped by force.")


def test_run_of_a_killed_job_stays_running_if_another_job_trains_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _new_run(project)
    killed, other = project.jobs.add(TrainOptions(run.id)), add_job(project, TrainOptions(run.id), "running")
    for job in (killed, other):
        project.runs.add_job(run.id, job.id)
    project.runs.update(run.id, state="running")
    monkeypatch.setattr("engine.jobs.liveness._STARTS_WITHIN_S", 0.0)
    assert [lost.id for lost in mark_lost_jobs(project)] == [killed.id]
    assert project.runs.get(run.id).state == "running"
