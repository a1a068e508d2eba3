"""The update as a job, with stand-ins for the stages: what it asks and trains, and that a stopped one goes on."""

import dataclasses
from collections.abc import Sequence

import pytest

import engine.evaluation.job
import engine.teachers.job
import engine.training.job
import engine.updates.job
from engine.errors import JobStopped, NotFoundError, UsageError
from engine.jobs.context import JobContext
from engine.jobs.follow import read_all
from engine.jobs.protocol import Note
from engine.pipeline import configuration
from engine.project import Project
from engine.records.dataset import Dataset, DatasetPrompt, DatasetRow
from engine.records.job import Job
from engine.records.options import (
    EvaluateOptions,
    GenerateOptions,
    JobOptions,
    ServeOptions,
    TrainOptions,
    UpdateOptions,
)
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.records.run import TrainingConfig
from engine.store.datasets import dataset_sha256
from engine.training.presets import USUAL
from engine.updates.begin import begin_update, require_idle
from tests.engine.updates.bank import NEW, OLD, SHORT, answer, change, freeze
from tests.tui.seeds import add_job

PLAINLY = UpdateOptions()


@pytest.fixture
def stages(project: Project, monkeypatch: pytest.MonkeyPatch) -> list[JobOptions]:
    """What the stages were asked to do, in order; they do just enough for the next one."""
    asked: list[JobOptions] = []

    def teach(context: JobContext, options: GenerateOptions) -> None:
        asked.append(options)
        answer(context.project, NEW, {question: SHORT for question, _ in options.asks})

    def train(context: JobContext, options: TrainOptions) -> None:
        asked.append(options)
        context.project.runs.update(options.run_id, state="done")

    monkeypatch.setattr(engine.teachers.job, "run", teach)
    monkeypatch.setattr(engine.training.job, "run", train)
    monkeypatch.setattr(engine.evaluation.job, "run", lambda _context, options: asked.append(options))
    monkeypatch.setattr(engine.updates.job, "freeze_accepted", lambda context, others: freeze(context.project))
    first = project.runs.add(project.datasets.require_latest().sha256, TrainingConfig("starter", epochs=2.0))
    project.runs.update(first.id, state="done")
    return asked


def stopped(context: JobContext, options: TrainOptions) -> None:
    """A training that is stopped at once."""
    raise JobStopped("The job was stopped.", f"Run {options.run_id}.", "Go on.")


def carry_out(project: Project, options: UpdateOptions = PLAINLY, job: Job | None = None) -> Job:
    """As a new job, or as one that is taken up again."""
    job = job or project.jobs.add(options)
    context = JobContext(project, job)
    project.jobs.update(job.id, state="failed")
    try:
        engine.updates.job.run(context, options)
        project.jobs.update(job.id, state="done")
    finally:
        context.close()
    return job


def test_only_the_touched_is_asked_and_training_goes_on_from_the_earlier_run(
    project: Project, stages: list[JobOptions]
) -> None:
    plan = change(project)
    carry_out(project)
    asks, training, evaluation = stages
    assert isinstance(asks, GenerateOptions)
    assert [question for question, _ in asks.asks] == [question for question, _ in plan.asks] == [1, 2, 3]
    assert training == TrainOptions(2)
    made = project.runs.get(2).config
    assert (made.initial_run_id, made.epochs) == (1, 0.5)
    assert isinstance(evaluation, EvaluateOptions)
    assert evaluation.run_id == 2


def test_the_other_prompts_that_the_student_knows_are_frozen_again(
    project: Project, stages: list[JobOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    taught = DatasetPrompt(NEW, (Question((Message("user", "Open?"),), id=1),), project="shop")
    row = DatasetRow(1, 1, "train", (1,), (2,), 1, (False,))
    rows = (row, dataclasses.replace(row, prompt_index=1))
    sha256 = dataset_sha256(OLD.sha256, "starter", rows, (taught,))
    project.datasets.add(Dataset(sha256, OLD.sha256, "starter", rows, others=(taught,)))
    change(project)
    with pytest.raises(NotFoundError, match="shop"):
        carry_out(project)
    assert not stages, "and nothing was asked for"
    Project.create(project.home.projects / "shop", None, project.home).close()
    frozen: list[str] = []

    def freeze_with(context: JobContext, others: Sequence[Project]) -> None:
        frozen.extend(other.name for other in others)
        freeze(context.project)

    monkeypatch.setattr(engine.updates.job, "freeze_accepted", freeze_with)
    carry_out(project)
    assert frozen == ["shop"]


def test_a_person_chooses_the_epochs_and_the_base(project: Project, stages: list[JobOptions]) -> None:
    change(project)
    carry_out(project, UpdateOptions(epochs=3.0, from_scratch=True))
    made = project.runs.get(2).config
    assert (made.initial_run_id, made.epochs) == (None, 3.0)
    assert stages[1] == TrainOptions(2)


def test_where_nothing_was_trained_before_the_usual_preset_chooses(project: Project, stages: list[JobOptions]) -> None:
    change(project)
    project.runs.update(1, state="failed")  # no adapter to go on from
    carry_out(project)
    made = project.runs.get(2).config
    assert made.initial_run_id is None
    assert made == configuration(project, USUAL, made.base)
    assert made.general_fraction > 0


def test_what_was_stopped_goes_on_where_it_ended(
    project: Project, stages: list[JobOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(project)
    train = engine.training.job.run
    monkeypatch.setattr(engine.training.job, "run", stopped)
    with pytest.raises(JobStopped):
        carry_out(project)
    asked = len(stages)
    monkeypatch.setattr(engine.training.job, "run", train)
    project.jobs.update(project.jobs.all()[-1].id, state="stopped")
    carry_out(project)
    assert stages[asked] == TrainOptions(2), "nothing is asked again, and no second run is made"
    assert project.runs.count() == 2
    assert not [answers for answers in stages[asked:] if isinstance(answers, GenerateOptions)]


def test_an_update_that_trained_does_not_go_on_with_another_prompt(
    project: Project, stages: list[JobOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its log would be of two runs."""
    change(project)
    train = engine.training.job.run
    monkeypatch.setattr(engine.training.job, "run", stopped)
    with pytest.raises(JobStopped):
        carry_out(project)
    monkeypatch.setattr(engine.training.job, "run", train)
    old, asked = project.jobs.all()[-1], len(stages)
    change(project, Prompt((Message("system", "You answer for a bank. Use at most 3 words."),)), 3)
    with pytest.raises(UsageError, match=r"is for an older state of the project.*`distill-tui update`"):
        carry_out(project, job=old)
    assert len(stages) == asked, "nothing was asked"
    assert project.runs.count() == 2
    change(project)
    carry_out(project, job=project.jobs.get(old.id))
    assert [project.runs.get(2).state, stages[asked]] == ["done", TrainOptions(2)], "with its own prompt it does"


def test_a_run_that_a_training_had_begun_is_gone_on_with_whenever_it_is_taken_up(
    project: Project, stages: list[JobOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(project)
    train = engine.training.job.run
    monkeypatch.setattr(engine.training.job, "run", stopped)
    with pytest.raises(JobStopped):
        carry_out(project)
    training = project.jobs.add(TrainOptions(2))
    project.jobs.update(training.id, state="stopped")
    for _ in range(2):  # the update that goes on with it is stopped too
        with pytest.raises(JobStopped):
            carry_out(project, job=project.jobs.all()[-1] if project.jobs.all()[-1].kind == "update" else None)
    monkeypatch.setattr(engine.training.job, "run", train)
    carry_out(project, job=project.jobs.all()[-1])
    assert project.runs.get(2).state == "done"
    assert project.runs.count() == 2


def test_what_the_teacher_refused_is_told_with_the_next_step(
    project: Project, stages: list[JobOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = change(project)

    def refuse(context: JobContext, options: GenerateOptions) -> None:
        answer(context.project, NEW, {1: SHORT})

    monkeypatch.setattr(engine.teachers.job, "run", refuse)
    job = carry_out(project)
    assert plan.to_ask == 3
    notes = [told.event.text for told in read_all(project.folder / job.folder) if isinstance(told.event, Note)]
    assert (
        "2 of 3 answers did not arrive: the student is trained without them. Ask again after this update: "
        "distill-tui generate --question 2 --question 3; then distill-tui curate check, distill-tui curate freeze "
        "and distill-tui update."
    ) in notes


def test_two_jobs_do_not_change_one_project_at_once(project: Project, stages: list[JobOptions]) -> None:
    change(project)
    for options in (ServeOptions(), GenerateOptions()):
        add_job(project, options, "running", [])
    for begin in (carry_out, begin_update):
        with pytest.raises(UsageError, match="Another job is active"):
            begin(project, PLAINLY)
    assert stages == []
    assert project.jobs.all()[-1].kind == "update", "the second was not even stored"
    for job in project.jobs.all()[1:]:
        project.jobs.update(job.id, state="stopped")
    gone = project.jobs.add(GenerateOptions())
    project.jobs.update(gone.id, state="running", pid=1, pid_started_at=1.0, boot_id="an earlier boot")
    carry_out(project)
    assert project.runs.count() == 2


def test_an_update_that_is_at_work_is_found(project: Project) -> None:
    older, younger = (add_job(project, PLAINLY, "running", []) for _ in range(2))
    assert begin_update(project, PLAINLY) == older
    require_idle(project, lambda job: job.id >= older.id)
    with pytest.raises(UsageError, match=f"Job {older.id} "):
        require_idle(project, lambda job: job.id >= younger.id)
