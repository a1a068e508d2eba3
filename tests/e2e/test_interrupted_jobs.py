"""Closed terminals and killed processes: no stored answer is lost or requested again, and training resumes."""

import os
import random
import signal
from pathlib import Path

import pexpect
import pytest

from engine.curation.freeze import freeze
from engine.errors import JobError
from engine.jobs import control
from engine.jobs.follow import Follower
from engine.jobs.liveness import mark_lost_jobs
from engine.jobs.protocol import AnswerEnded, AnswerStarted, Metrics, StampedEvent, StateChanged
from engine.model.chat_format import ChatFormat
from engine.paths import Home
from engine.project import Project
from engine.records.example import Decision, Example, ExampleKey
from engine.records.job import Job
from engine.records.options import GenerateOptions, TrainOptions
from engine.records.run import Run, TrainingConfig
from engine.training.checkpoints import CHECKPOINTS, steps_in
from tests.e2e.conftest import environment, until
from tests.e2e.terminal import PROGRAM

ANSWERS = 104  # 52 questions of the train and validation splits, two samples each


def start_in_terminal(home: Home, *args: str) -> pexpect.spawn:
    return pexpect.spawn(PROGRAM, list(args), env=environment(home), timeout=180, dimensions=(24, 80))


def newest_job(project: Project) -> Job:
    return project.jobs.all()[-1]


def job_ended(project: Project) -> bool:
    mark_lost_jobs(project)
    return newest_job(project).state not in ("waiting", "running", "paused")


def events_of(project: Project, job: Job) -> list[StampedEvent]:
    follower = Follower(project.folder / job.folder)
    events: list[StampedEvent] = []
    while new := follower.read_new():
        events += new
    return events


def kill_and_resume(project: Project, job: Job) -> None:
    """SIGKILL the job's process group, then resume the job."""
    os.killpg(project.jobs.get(job.id).pid, signal.SIGKILL)
    until(lambda: job_ended(project))
    assert project.jobs.get(job.id).state == "lost"
    control.resume(project, project.jobs.get(job.id))


def edit_and_freeze(project: Project) -> str:
    """Edit every first answer, since no rule accepts those of a random model, and freeze; the dataset's hash."""
    project.decisions.decide(
        [
            Decision(row.example.id, "edit", "person", edited_answer=f"yes {row.example.key.question_id}")
            for row in project.examples.all()
            if row.example.key.attempt == 0
        ]
    )
    return freeze(project, ChatFormat.load(Path(project.settings.read().student_base))).sha256


def test_generation_and_training_survive_a_closed_terminal(project: Project, home: Home) -> None:
    terminal = start_in_terminal(home, "generate", "--samples", "2", "--max-answer-tokens", "24", "--batch-rows", "4")
    until(lambda: bool(project.jobs.all()) and project.examples.counts().total > 0)
    terminal.close(force=True)
    until(lambda: job_ended(project))
    assert newest_job(project).state == "done", newest_job(project).note
    assert project.examples.counts().total == ANSWERS

    edit_and_freeze(project)
    terminal = start_in_terminal(home, "train", "--epochs", "8", "--batch-rows", "4", "--evaluations", "2")
    until(lambda: newest_job(project).kind == "train" and newest_job(project).done > 2)
    terminal.close(force=True)
    until(lambda: job_ended(project))
    assert newest_job(project).state == "done", newest_job(project).note
    run = project.runs.all()[-1]
    assert (run.state, run.step) == ("done", run.steps)
    assert run.steps == 80
    assert (project.folder / run.folder / "adapter" / "adapter_model.safetensors").is_file()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_jobs_resume_without_losing_or_repeating_work(project: Project, kills: int) -> None:
    rng = random.Random(kills)
    job = project.start_job(
        GenerateOptions(project.settings.read().teacher, samples=2, max_answer_tokens=24, batch_rows=4)
    )
    for kill in range(kills):
        stored = project.examples.counts().total
        wanted = stored + rng.randrange(1, max(2, ANSWERS // (kills + 2)))

        def answered(wanted: int = wanted) -> bool:
            return project.examples.counts().total >= wanted or job_ended(project)

        until(answered)
        assert not job_ended(project), f"the job ended before kill {kill}"
        kill_and_resume(project, job)
        assert project.examples.counts().total >= wanted
    until(lambda: job_ended(project))
    assert project.jobs.get(job.id).state == "done"
    assert project.examples.counts().total == ANSWERS
    asked_again = set()
    finished: set[str] = set()
    for stamped in events_of(project, job):
        match stamped.event:
            case AnswerEnded(stream, again=False):
                finished.add(stream)
            case AnswerStarted(stream) if stream in finished:
                asked_again.add(stream)
    assert not asked_again

    run = project.runs.add(
        edit_and_freeze(project),
        TrainingConfig(
            project.settings.read().student_base, epochs=8.0, batch_rows=4, evaluations=2, checkpoint_every_s=0.2
        ),
    )
    job = project.start_job(TrainOptions(run.id))
    for kill in range(kills):
        wanted = (kill + 1) * 60 // (kills + 1)

        def advanced(wanted: int = wanted) -> bool:
            return last_step(project, job) >= wanted or job_ended(project)

        until(advanced)
        assert not job_ended(project), f"the training ended before kill {kill}"
        os.killpg(project.jobs.get(job.id).pid, signal.SIGKILL)
        until(lambda: job_ended(project))
        stopped_run = project.runs.get(run.id)
        assert stopped_run.state == "stopped"
        assert stopped_run.step in steps_in(project.folder / run.folder / CHECKPOINTS), (
            "the stored step is one to resume from"
        )
        control.resume(project, project.jobs.get(job.id))
    until(lambda: job_ended(project))
    assert project.jobs.get(job.id).state == "done", project.jobs.get(job.id).note
    trained = project.runs.get(run.id)
    assert (trained.state, trained.step, trained.steps) == ("done", 80, 80)
    steps = [e.event.step for e in events_of(project, job) if isinstance(e.event, Metrics) and "loss" in e.event.values]
    assert set(steps) == set(range(1, 81))
    assert len(steps) < 80 * (kills + 1), "no kill was followed by a resume from a checkpoint"
    uninterrupted = project.runs.add(run.dataset_sha256, run.config)
    project.start_job(TrainOptions(uninterrupted.id))
    until(lambda: job_ended(project))
    assert last_adapter(project, uninterrupted) == last_adapter(project, run), (
        "a killed run ends with the same weights, bit for bit, as an uninterrupted one"
    )


def test_paused_training_resumes_at_its_step(project: Project) -> None:
    prompt = project.prompts.current()
    assert prompt is not None
    project.examples.add(
        [
            Example(ExampleKey(prompt.prompt.sha256, question.id, "a person", 0), "?", "stop", "endpoint")
            for question in project.questions.all()
            if question.split != "test"
        ]
    )
    base = project.settings.read().student_base
    run = project.runs.add(edit_and_freeze(project), TrainingConfig(base, epochs=8.0, batch_rows=4, evaluations=2))
    job = project.start_job(TrainOptions(run.id))
    until(lambda: last_step(project, job) > 2)
    control.pause(project, project.jobs.get(job.id))
    until(lambda: project.jobs.get(job.id).state == "paused")
    paused_at = last_step(project, job)
    control.resume(project, project.jobs.get(job.id))
    until(lambda: job_ended(project))
    assert 2 < paused_at < 80
    assert (project.runs.get(run.id).state, project.runs.get(run.id).step) == ("done", 80)
    events = [stamped.event for stamped in events_of(project, job)]
    assert [e.state for e in events if isinstance(e, StateChanged)] == ["running", "paused", "running", "done"]
    steps = [event.step for event in events if isinstance(event, Metrics) and "loss" in event.values]
    assert steps == list(range(1, 81))


def last_adapter(project: Project, run: Run) -> bytes:
    return (project.folder / run.folder / "checkpoints/step-80/adapter/adapter_model.safetensors").read_bytes()


def last_step(project: Project, job: Job) -> int:
    return max((e.event.step for e in events_of(project, job) if isinstance(e.event, Metrics)), default=0)


def test_ctrl_c_stops_following_but_not_the_job(project: Project, home: Home) -> None:
    terminal = start_in_terminal(home, "generate", "--samples", "2", "--max-answer-tokens", "24", "--batch-rows", "4")
    until(lambda: bool(project.jobs.all()) and project.examples.counts().total > 0)
    terminal.sendintr()
    terminal.expect_exact("keeps running")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    until(lambda: job_ended(project))
    assert newest_job(project).state == "done"
    with pytest.raises(JobError):
        control.resume(project, newest_job(project))
