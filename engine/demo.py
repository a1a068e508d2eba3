"""The demo: conducts every station on the bundled prompt, in one job that can be killed and taken up at any moment.

Each stage looks at the project and does what is missing; nothing is remembered beside the store. Knows the order
of the stations and the demo's recipe, and nothing of how a stage works.
"""

import dataclasses
import json
import time
from collections.abc import Iterator
from typing import cast

from engine.bundled import bundled_text
from engine.errors import DatasetError
from engine.folders import remember
from engine.jobs.context import JobContext
from engine.jobs.protocol import Note, StageStarted
from engine.paths import Home
from engine.project import Project
from engine.prompts.documents import parse_prompt
from engine.records.job import LIVE_STATES, Job
from engine.records.options import DemoOptions, EvaluateOptions, GenerateOptions, ProjectSettings, TrainOptions
from engine.records.prompt import Message
from engine.records.question import SPLITS, Question, Split
from engine.records.run import Run, TrainingConfig
from engine.rules.documents import parse_rules


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """What the demo asks of each stage; found by experiment on the bundled questions (README, «The demo»)."""

    train_questions: int | None  # None: all
    validation_questions: int | None
    test_questions: int | None
    generate: GenerateOptions
    training: TrainingConfig
    evaluate_samples: int
    max_answer_tokens: int


FULL = Recipe(
    train_questions=None,
    validation_questions=None,
    test_questions=None,
    generate=GenerateOptions(samples=2, temperature=0.7, max_answer_tokens=40, batch_rows=48),
    training=TrainingConfig(base="starter", epochs=1.5, learning_rate=1e-3, cross_entropy_weight=0.3, evaluations=3),
    evaluate_samples=3,
    max_answer_tokens=48,
)
QUICK = dataclasses.replace(
    FULL,
    train_questions=75,
    validation_questions=20,
    test_questions=30,
    generate=dataclasses.replace(FULL.generate, samples=1),
    training=dataclasses.replace(FULL.training, epochs=2.5, evaluations=1),
    evaluate_samples=1,
)


def open_demo(home: Home, *, quick: bool, fresh: bool) -> Project:
    """The demo's project, made if it is not there, or made again when `fresh`."""
    folder = home.projects / ("demo-quick" if quick else "demo")
    if (folder / "project.db").exists():
        project = Project.open(folder, home)
        if not fresh:
            remember(folder, home)
            return project
        project.delete(force=True)
    project = Project.create(folder, ProjectSettings(), home)
    remember(folder, home)
    started_at = time.monotonic()
    project.prompts.set(parse_prompt(bundled_text("demo/prompt.yaml"), "the bundled prompt"), "bundled")
    project.rules.replace_all(parse_rules(bundled_text("demo/rules.yaml"), "the bundled rules"))
    project.questions.add(_chosen(demo_questions(), QUICK if quick else FULL))
    project.settings.add_timing("questions", time.monotonic() - started_at)
    return project


def ensure_demo_job(project: Project, *, quick: bool) -> Job:
    """The demo's one job: running, done, started, or taken up again from what it has stored."""
    from engine.jobs import control
    from engine.jobs.liveness import reap

    reap(project)
    job = max((job for job in project.jobs.all() if job.kind == "demo"), key=lambda row: row.id, default=None)
    if job is None:
        return project.start_job(DemoOptions(quick=quick))
    if job.state == "done" or job.state in LIVE_STATES:
        return job
    return control.resume(project, job)


def demo_questions() -> Iterator[Question]:
    """The bundled questions with topic, gold label and split."""
    for line in bundled_text("demo/questions.jsonl").splitlines():
        row = cast("dict[str, str]", json.loads(line))
        yield Question(
            messages=(Message("user", row["text"]),),
            topic=row["topic"],
            label=row["label"],
            split=cast(Split, row["split"]),
            source="demo",
        )


def _chosen(questions: Iterator[Question], recipe: Recipe) -> list[Question]:
    """The recipe's share of the questions, spread evenly over each split."""
    rows = list(questions)
    chosen: list[Question] = []
    limits = (recipe.train_questions, recipe.validation_questions, recipe.test_questions)
    for split, limit in zip(SPLITS, limits, strict=True):
        of_split = [row for row in rows if row.split == split]
        count = len(of_split) if limit is None else min(limit, len(of_split))
        chosen += [of_split[index * len(of_split) // count] for index in range(count)]
    return chosen


def run(context: JobContext, options: DemoOptions) -> None:
    """Do what is missing, station by station. Raises what a stage raises; taken up again, it goes on there."""
    import engine.evaluation.job
    import engine.teachers.job
    import engine.training.job

    project, recipe = context.project, QUICK if options.quick else FULL
    trained = _trained_run(project)
    if trained is None:
        context.emit(StageStarted("examples"))
        engine.teachers.job.run(context, recipe.generate)
        context.emit(StageStarted("dataset"))
        dataset_sha256 = _freeze(context)
        context.emit(StageStarted("run"))
        trained = _unfinished_run(project, dataset_sha256) or project.runs.add(dataset_sha256, recipe.training)
        engine.training.job.run(context, TrainOptions(trained.id))
    if project.evaluations.latest(trained.id) is None:
        context.emit(StageStarted("evaluation"))
        engine.evaluation.job.run(
            context,
            EvaluateOptions(
                run_id=trained.id,
                temperature=project.settings.read().serving_temperature,
                samples=recipe.evaluate_samples,
                max_answer_tokens=recipe.max_answer_tokens,
            ),
        )
    if options.export and not any(release.run_id == trained.id for release in project.releases.all()):
        from engine.releases.export import export

        context.emit(StageStarted("release"))
        export(project, project.runs.get(trained.id), "adapter", None, home=context.project.home)


def _freeze(context: JobContext) -> str:
    """Let the rules decide, freeze what they accepted, and return the dataset's hash."""
    from engine.curation.automatic import check_examples
    from engine.curation.freeze import freeze
    from engine.model.chat_format import ChatFormat
    from engine.model.locate import locate_base

    project = context.project
    started_at = time.monotonic()
    decided = check_examples(project)
    context.emit(Note(f"The rules accepted {decided.accepted} and rejected {decided.rejected} answers."))
    folder = locate_base(project.settings.read().student_base, context.project.home)
    dataset = freeze(project, ChatFormat.load(folder))
    if not dataset.split("validation"):
        raise DatasetError(
            "No validation answer was accepted.",
            "Training needs some to choose its best step.",
            "Generate more samples.",
        )
    project.settings.add_timing("curate", time.monotonic() - started_at)
    return dataset.sha256


def _trained_run(project: Project) -> Run | None:
    run = project.runs.latest()
    return run if run is not None and run.state == "done" else None


def _unfinished_run(project: Project, dataset_sha256: str) -> Run | None:
    run = project.runs.latest()
    return run if run is not None and run.dataset_sha256 == dataset_sha256 and run.state != "done" else None
