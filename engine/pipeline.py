"""Runs every station of one project, in one job that can be killed and resumed at any moment.

Each stage looks at the project and does what is missing; nothing is remembered outside the store. Knows the order of
the stations, and nothing of how a stage works or which prompt it is.
"""

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from engine.errors import DatasetError
from engine.folders import remember
from engine.jobs.context import JobContext
from engine.jobs.protocol import Note, StageStarted
from engine.paths import Home
from engine.project import Project
from engine.questions.sampling import spread
from engine.records.job import LIVE_STATES, Job
from engine.records.options import EvaluateOptions, GenerateOptions, JobOptions, ProjectSettings, TrainOptions
from engine.records.question import SPLITS, Question
from engine.records.run import Run, TrainingConfig
from engine.training.presets import Preset
from engine.wording import counted

MIN_TRAIN_ROWS = 8  # one step of the optimizer


class TooFewAcceptedError(DatasetError):
    """The rules accepted too few of the teacher's answers to train on."""


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """What each stage is to do. The base and the teacher are those of the project's settings."""

    train_questions: int | None  # None: all
    validation_questions: int | None
    test_questions: int | None
    generate: GenerateOptions
    training: TrainingConfig | Preset  # a preset chooses by the frozen answers, the base and the memory
    evaluate_samples: int
    max_answer_tokens: int
    regressions: bool = False  # also measure what training changed besides the rules


def open_or_make(
    home: Home, name: str, settings: ProjectSettings, fill: Callable[[Project], None], *, fresh: bool
) -> Project:
    """Return the project `name`, created and filled if it is missing or `fresh`, and make it the current one.

    `fill` runs in one transaction, so a project that has a prompt was filled completely.
    """
    from engine.jobs.control import stop_all

    folder = home.projects / name
    if not (folder / "project.db").exists():
        project = Project.create(folder, settings, home)
    else:
        project = Project.open(folder, home)
        if fresh:
            stop_all(project)
            project.delete()
            project = Project.create(folder, settings, home, again=True)
    if project.prompts.current() is None:
        started_at = time.monotonic()
        with project.transaction():
            fill(project)
            project.settings.write_timing("questions", time.monotonic() - started_at)
    remember(folder, home)
    return project


def ensure_job(project: Project, options: JobOptions) -> Job:
    """Return the project's one job of this kind: running, done, newly started, or resumed from what it has stored."""
    from engine.jobs import control
    from engine.jobs.liveness import mark_lost_jobs

    mark_lost_jobs(project)
    job = next((job for job, _ in project.jobs.of_kind(type(options))), None)
    if job is None:
        return project.start_job(options)
    if job.state == "done" or job.state in LIVE_STATES:
        return job
    return control.resume(project, job)


def chosen(questions: Iterable[Question], recipe: Recipe) -> list[Question]:
    """Return the recipe's share of the questions, spread evenly over each split."""
    rows = list(questions)
    limits = (recipe.train_questions, recipe.validation_questions, recipe.test_questions)
    found: list[Question] = []
    for split, limit in zip(SPLITS, limits, strict=True):
        found += spread([row for row in rows if row.split == split], limit)
    return found


def run_pipeline(context: JobContext, recipe: Recipe) -> Run:
    """Do what is missing up to the evaluation, and return the evaluated run. When resumed, continue from there.

    Raises `TooFewAcceptedError` if too few answers of the teacher pass the rules, and whatever a stage raises.
    """
    import engine.evaluation.job
    import engine.teachers.job
    import engine.training.job

    project = context.project
    settings = project.settings.read()
    trained = _trained_run(project)
    if trained is None:
        context.emit(StageStarted("examples"))
        engine.teachers.job.run(context, dataclasses.replace(recipe.generate, teacher=settings.teacher))
        context.emit(StageStarted("dataset"))
        dataset_sha256 = freeze_accepted(context, MIN_TRAIN_ROWS, 1)
        context.emit(StageStarted("run"))
        trained = _unfinished_run(project, dataset_sha256) or project.runs.add(
            dataset_sha256, configuration(project, recipe.training, settings.student_base)
        )
        engine.training.job.run(context, TrainOptions(trained.id))
    if project.evaluations.latest(trained.id, "test") is None:
        context.emit(StageStarted("evaluation"))
        engine.evaluation.job.run(
            context,
            EvaluateOptions(
                run_id=trained.id,
                temperature=settings.serving_temperature,
                samples=recipe.evaluate_samples,
                max_answer_tokens=recipe.max_answer_tokens,
                teacher=settings.other_teacher,
                regressions=recipe.regressions,
                judge=settings.judge,
            ),
        )
    return project.runs.get(trained.id)


def freeze_accepted(
    context: JobContext, train_rows: int = 0, validation_rows: int = 0, others: Sequence[Project] = ()
) -> str:
    """Let the rules decide, freeze the accepted answers, here and in `others`, and return the dataset's hash.

    Raises `TooFewAcceptedError` if fewer rows of a split than that would be frozen, and whatever freezing raises.
    """
    from engine.curation.automatic import check_examples
    from engine.curation.candidates import sort_out
    from engine.curation.freeze import freeze
    from engine.model.chat_format import ChatFormat
    from engine.model.locate import locate_base

    project = context.project
    decided = check_examples(project)
    context.emit(Note(f"The rules accepted {counted(decided.accepted, 'answer')} and rejected {decided.rejected:,}."))
    with project.snapshot():
        questions = project.questions.by_id()
        candidates = sort_out(project.examples.all(project.prompts.require().sha256), questions)
    accepted = Counter(question.split for _, question in candidates.chosen)
    if accepted["train"] < train_rows or accepted["validation"] < validation_rows:
        raise TooFewAcceptedError(
            "Too few answers pass every rule.",
            f"{accepted['train']} are left for training and {accepted['validation']} for validation; "
            f"at least {train_rows} and {validation_rows} are needed.",
            "Generate more samples.",
        )
    folder = locate_base(project.settings.read().student_base, project.home)
    dataset = freeze(project, ChatFormat.load(folder), others=others)
    context.write_timing("curate")
    return dataset.sha256


def configuration(project: Project, training: TrainingConfig | Preset, base: str) -> TrainingConfig:
    """Return how to train on the newest dataset: as given, or as a preset chooses.

    Raises `TrainingError` if the preset's choice does not fit into memory.
    """
    from engine.training.facts import read_basis
    from engine.training.presets import choose, supported_objective

    if isinstance(training, TrainingConfig):
        config = dataclasses.replace(training, base=base)
        return supported_objective(config, read_basis(project).facts(config))
    config = TrainingConfig(base=base)
    return choose(training, read_basis(project).facts(config), config).require_fit().config


def _trained_run(project: Project) -> Run | None:
    run = project.runs.latest()
    return run if run is not None and run.state == "done" else None


def _unfinished_run(project: Project, dataset_sha256: str) -> Run | None:
    run = project.runs.latest()
    return run if run is not None and run.dataset_sha256 == dataset_sha256 and run.state != "done" else None
