"""Terminals that close and processes that are killed: nothing accepted is lost, nothing stored is asked again."""

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


def in_terminal(home: Home, *words: str) -> pexpect.spawn:
    return pexpect.spawn(PROGRAM, list(words), env=environment(home), timeout=180, dimensions=(24, 80))


def newest(project: Project) -> Job:
    return project.jobs.all()[-1]


def ended(project: Project) -> bool:
    mark_lost_jobs(project)
    return newest(project).state not in ("waiting", "running", "paused")


def events_of(project: Project, job: Job) -> list[StampedEvent]:
    follower = Follower(project.folder / job.folder)
    events: list[StampedEvent] = []
    while new := follower.read_new():
        events += new
    return events


def kill_and_resume(project: Project, job: Job) -> None:
    """SIGKILL the job's process group, then take the job up again as a person would."""
    os.killpg(project.jobs.get(job.id).pid, signal.SIGKILL)
    until(lambda: ended(project))
    assert project.jobs.get(job.id).state == "lost"
    control.resume(project, project.jobs.get(job.id))


def curate_by_hand(project: Project) -> str:
    """A random model says nothing that a rule would accept: a person edits every first answer."""
    project.decisions.decide(
        [
            Decision(row.example.id, "edit", "person", edited_answer=f"yes {row.example.key.question_id}")
            for row in project.examples.all()
            if row.example.key.attempt == 0
        ]
    )
    return freeze(project, ChatFormat.load(Path(project.settings.read().student_base))).sha256


def test_a_generation_and_a_training_outlive_their_terminal(project: Project, home: Home) -> None:
    terminal = in_terminal(home, "generate", "--samples", "2", "--max-answer-tokens", "24", "--batch-rows", "4")
    until(lambda: bool(project.jobs.all()) and project.examples.counts().total > 0)
    terminal.close(force=True)
    until(lambda: ended(project))
    assert newest(project).state == "done", newest(project).note
    assert project.examples.counts().total == ANSWERS

    curate_by_hand(project)
    terminal = in_terminal(home, "train", "--epochs", "8", "--batch-rows", "4", "--evaluations", "2")
    until(lambda: newest(project).kind == "train" and newest(project).done > 2)
    terminal.close(force=True)
    until(lambda: ended(project))
    assert newest(project).state == "done", newest(project).note
    run = project.runs.all()[-1]
    assert (run.state, run.step) == ("done", run.steps)
    assert run.steps == 80
    assert (project.folder / run.folder / "adapter" / "adapter_model.safetensors").is_file()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_jobs_lose_nothing_and_ask_nothing_twice(project: Project, kills: int) -> None:
    chance = random.Random(kills)
    job = project.start_job(
        GenerateOptions(project.settings.read().teacher, samples=2, max_answer_tokens=24, batch_rows=4)
    )
    for kill in range(kills):
        stored = project.examples.counts().total
        wanted = stored + chance.randrange(1, max(2, ANSWERS // (kills + 2)))
        until(lambda wanted=wanted: project.examples.counts().total >= wanted or ended(project))
        assert not ended(project), f"the job ended before kill {kill}"
        kill_and_resume(project, job)
        assert project.examples.counts().total >= wanted
    until(lambda: ended(project))
    assert project.jobs.get(job.id).state == "done"
    assert project.examples.counts().total == ANSWERS
    asked_again = set()
    whole: set[str] = set()
    for stamped in events_of(project, job):
        match stamped.event:
            case AnswerEnded(stream):
                whole.add(stream)
            case AnswerStarted(stream) if stream in whole:
                asked_again.add(stream)
    assert not asked_again

    run = project.runs.add(
        curate_by_hand(project),
        TrainingConfig(
            project.settings.read().student_base, epochs=8.0, batch_rows=4, evaluations=2, checkpoint_every_s=0.2
        ),
    )
    job = project.start_job(TrainOptions(run.id))
    for kill in range(kills):
        wanted = (kill + 1) * 60 // (kills + 1)
        until(lambda wanted=wanted: last_step(project, job) >= wanted or ended(project))
        assert not ended(project), f"the training ended before kill {kill}"
        os.killpg(project.jobs.get(job.id).pid, signal.SIGKILL)
        until(lambda: ended(project))
        stands = project.runs.get(run.id)
        assert stands.state == "stopped"
        assert stands.step in steps_in(project.folder / run.folder / CHECKPOINTS), "it is known from where it goes on"
        control.resume(project, project.jobs.get(job.id))
    until(lambda: ended(project))
    assert project.jobs.get(job.id).state == "done", project.jobs.get(job.id).note
    trained = project.runs.get(run.id)
    assert (trained.state, trained.step, trained.steps) == ("done", 80, 80)
    steps = [e.event.step for e in events_of(project, job) if isinstance(e.event, Metrics) and "loss" in e.event.values]
    assert set(steps) == set(range(1, 81))
    assert len(steps) < 80 * (kills + 1), "no kill was followed by a continuation from a checkpoint"
    quiet = project.runs.add(run.dataset_sha256, run.config)
    project.start_job(TrainOptions(quiet.id))
    until(lambda: ended(project))
    assert last_adapter(project, quiet) == last_adapter(project, run), "a killed run ends bit for bit as a quiet one"


def test_a_paused_training_goes_on_where_it_stood(project: Project) -> None:
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
    run = project.runs.add(curate_by_hand(project), TrainingConfig(base, epochs=8.0, batch_rows=4, evaluations=2))
    job = project.start_job(TrainOptions(run.id))
    until(lambda: last_step(project, job) > 2)
    control.pause(project, project.jobs.get(job.id))
    until(lambda: project.jobs.get(job.id).state == "paused")
    stood_at = last_step(project, job)
    control.resume(project, project.jobs.get(job.id))
    until(lambda: ended(project))
    assert 2 < stood_at < 80
    assert (project.runs.get(run.id).state, project.runs.get(run.id).step) == ("done", 80)
    events = [stamped.event for stamped in events_of(project, job)]
    assert [e.state for e in events if isinstance(e, StateChanged)] == ["running", "paused", "running", "done"]
    steps = [event.step for event in events if isinstance(event, Metrics) and "loss" in event.values]
    assert steps == list(range(1, 81))


def last_adapter(project: Project, run: Run) -> bytes:
    return (project.folder / run.folder / "checkpoints/step-80/adapter/adapter_model.safetensors").read_bytes()


def last_step(project: Project, job: Job) -> int:
    return max((e.event.step for e in events_of(project, job) if isinstance(e.event, Metrics)), default=0)


def test_ctrl_c_stops_following_and_not_the_job(project: Project, home: Home) -> None:
    terminal = in_terminal(home, "generate", "--samples", "2", "--max-answer-tokens", "24", "--batch-rows", "4")
    until(lambda: bool(project.jobs.all()) and project.examples.counts().total > 0)
    terminal.sendintr()
    terminal.expect_exact("keeps running")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    until(lambda: ended(project))
    assert newest(project).state == "done"
    with pytest.raises(JobError):
        control.resume(project, newest(project))
