"""The update job with fake stages: what it asks and trains, how it resumes, and that one runs at a time."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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
from tests.engine.updates.bank_project import (
    NEW_PROMPT,
    OLD_PROMPT,
    SHORT_ANSWER,
    add_answers,
    add_dataset,
    change_rule,
)
from tests.tui.seeds import add_job

DEFAULTS = UpdateOptions()


@pytest.fixture
def stages(project: Project, monkeypatch: pytest.MonkeyPatch) -> list[JobOptions]:
    """The options that the fake stages received, in order; each stage does just enough for the next one."""
    received: list[JobOptions] = []

    def generate(context: JobContext, options: GenerateOptions) -> None:
        received.append(options)
        add_answers(context.project, NEW_PROMPT, {question: SHORT_ANSWER for question, _ in options.asks})

    def train(context: JobContext, options: TrainOptions) -> None:
        received.append(options)
        context.project.runs.update(options.run_id, state="done")

    monkeypatch.setattr(engine.teachers.job, "run", generate)
    monkeypatch.setattr(engine.training.job, "run", train)
    monkeypatch.setattr(engine.evaluation.job, "run", lambda _context, options: received.append(options))
    monkeypatch.setattr(engine.updates.job, "freeze_accepted", lambda context, others: add_dataset(context.project))
    first = project.runs.add(project.datasets.require_latest().sha256, TrainingConfig("starter", epochs=2.0))
    project.runs.update(first.id, state="done")
    return received


@contextmanager
def training_stops() -> Iterator[None]:
    """Make every training stop at once."""

    def stop(context: JobContext, options: TrainOptions) -> None:
        raise JobStopped("The job was stopped.", f"Run {options.run_id}.", "Resume it.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.training.job, "run", stop)
        yield


def run_update(project: Project, options: UpdateOptions = DEFAULTS, job: Job | None = None) -> Job:
    """Run an update as a new job, or resume `job`."""
    job = job or project.jobs.add(options)
    context = JobContext(project, job)
    project.jobs.update(job.id, state="failed")
    try:
        engine.updates.job.run(context, options)
        project.jobs.update(job.id, state="done")
    finally:
        context.close()
    return job


def test_only_affected_answers_are_asked_and_training_continues_the_earlier_run(
    project: Project, stages: list[JobOptions]
) -> None:
    plan = change_rule(project)
    run_update(project)
    generation, training, evaluation = stages
    assert isinstance(generation, GenerateOptions)
    assert [question for question, _ in generation.asks] == [question for question, _ in plan.asks] == [1, 2, 3]
    assert training == TrainOptions(2)
    config = project.runs.get(2).config
    assert (config.initial_run_id, config.epochs) == (1, 0.5)
    assert isinstance(evaluation, EvaluateOptions)
    assert evaluation.run_id == 2


def test_prompts_of_other_projects_in_the_dataset_are_frozen_again(
    project: Project, stages: list[JobOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    other_prompt = DatasetPrompt(NEW_PROMPT, (Question((Message("user", "Open?"),), id=1),), project="shop")
    row = DatasetRow(1, 1, "train", (1,), (2,), 1, (False,))
    rows = (row, dataclasses.replace(row, prompt_index=1))
    sha256 = dataset_sha256(OLD_PROMPT.sha256, "starter", rows, (other_prompt,))
    project.datasets.add(Dataset(sha256, OLD_PROMPT.sha256, "starter", rows, others=(other_prompt,)))
    change_rule(project)
    with pytest.raises(NotFoundError, match="shop"):
        run_update(project)
    assert not stages, "no stage was started"
    Project.create(project.home.projects / "shop", None, project.home).close()
    frozen_with: list[str] = []

    def record_and_freeze(context: JobContext, others: Sequence[Project]) -> None:
        frozen_with.extend(other.name for other in others)
        add_dataset(context.project)

    monkeypatch.setattr(engine.updates.job, "freeze_accepted", record_and_freeze)
    run_update(project)
    assert frozen_with == ["shop"]


def test_epochs_and_training_from_scratch_can_be_chosen(project: Project, stages: list[JobOptions]) -> None:
    change_rule(project)
    run_update(project, UpdateOptions(epochs=3.0, from_scratch=True))
    config = project.runs.get(2).config
    assert (config.initial_run_id, config.epochs) == (None, 3.0)
    assert stages[1] == TrainOptions(2)


def test_usual_preset_is_used_if_no_earlier_run_is_done(project: Project, stages: list[JobOptions]) -> None:
    change_rule(project)
    project.runs.update(1, state="failed")  # there is no adapter to continue from
    run_update(project)
    config = project.runs.get(2).config
    assert config.initial_run_id is None
    assert config == configuration(project, USUAL, config.base)
    assert config.general_fraction > 0


def test_new_update_continues_the_run_of_a_stopped_one(project: Project, stages: list[JobOptions]) -> None:
    change_rule(project)
    with training_stops(), pytest.raises(JobStopped):
        run_update(project)
    stages_before = len(stages)
    project.jobs.update(project.jobs.all()[-1].id, state="stopped")
    run_update(project)
    assert stages[stages_before] == TrainOptions(2), "no answer is asked again, and no second run is created"
    assert project.runs.count() == 2
    assert not [answers for answers in stages[stages_before:] if isinstance(answers, GenerateOptions)]


def test_stopped_update_does_not_resume_with_another_prompt(project: Project, stages: list[JobOptions]) -> None:
    """Otherwise its log would mix two runs."""
    change_rule(project)
    with training_stops(), pytest.raises(JobStopped):
        run_update(project)
    old, stages_before = project.jobs.all()[-1], len(stages)
    change_rule(project, Prompt((Message("system", "You answer for a bank. Use at most 3 words."),)), 3)
    with pytest.raises(UsageError, match=r"is for an older state of the project.*`distill-tui update`"):
        run_update(project, job=old)
    assert len(stages) == stages_before, "no stage was started"
    assert project.runs.count() == 2
    change_rule(project)
    run_update(project, job=project.jobs.get(old.id))
    assert [project.runs.get(2).state, stages[stages_before]] == ["done", TrainOptions(2)], (
        "it resumes with its own prompt"
    )


def test_update_continues_a_run_that_was_stopped_several_times(project: Project, stages: list[JobOptions]) -> None:
    change_rule(project)
    with training_stops():
        with pytest.raises(JobStopped):
            run_update(project)
        training = project.jobs.add(TrainOptions(2))
        project.jobs.update(training.id, state="stopped")
        for _ in range(2):  # the update that continues the run is stopped too
            with pytest.raises(JobStopped):
                run_update(project, job=project.jobs.all()[-1] if project.jobs.all()[-1].kind == "update" else None)
    run_update(project, job=project.jobs.all()[-1])
    assert project.runs.get(2).state == "done"
    assert project.runs.count() == 2


def test_missing_answers_are_reported_with_the_next_step(
    project: Project, stages: list[JobOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = change_rule(project)

    def answer_one(context: JobContext, options: GenerateOptions) -> None:
        add_answers(context.project, NEW_PROMPT, {1: SHORT_ANSWER})

    monkeypatch.setattr(engine.teachers.job, "run", answer_one)
    job = run_update(project)
    assert plan.to_ask == 3
    notes = [row.event.text for row in read_all(project.folder / job.folder) if isinstance(row.event, Note)]
    assert (
        "2 of 3 answers did not arrive: the student is trained without them. Ask again after this update: "
        "distill-tui generate --question 2 --question 3; then distill-tui curate check, distill-tui curate freeze "
        "and distill-tui update."
    ) in notes


def test_update_is_refused_while_another_job_is_active(project: Project, stages: list[JobOptions]) -> None:
    change_rule(project)
    for options in (ServeOptions(), GenerateOptions()):
        add_job(project, options, "running")
    for start in (run_update, begin_update):
        with pytest.raises(UsageError, match="Another job is active"):
            start(project, DEFAULTS)
    assert stages == []
    assert project.jobs.all()[-1].kind == "update", "the refused job was not stored"
    for job in project.jobs.all()[1:]:
        project.jobs.update(job.id, state="stopped")
    lost = project.jobs.add(GenerateOptions())
    project.jobs.update(lost.id, state="running", pid=1, pid_started_at=1.0, boot_id="an earlier boot")
    run_update(project)
    assert project.runs.count() == 2


def test_running_update_is_returned_instead_of_starting_another(project: Project) -> None:
    older, younger = (add_job(project, DEFAULTS, "running") for _ in range(2))
    assert begin_update(project, DEFAULTS) == older
    require_idle(project, lambda job: job.id >= older.id)
    with pytest.raises(UsageError, match=f"Job {older.id} "):
        require_idle(project, lambda job: job.id >= younger.id)
