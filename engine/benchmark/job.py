"""One benchmark prompt as a project and a job: the same recipe for every base, run station by station.

Knows the recipe, and nothing of how a station works.
"""

import dataclasses
import re

from engine.benchmark.prompts import BenchmarkPrompt
from engine.errors import UsageError
from engine.jobs.context import JobContext
from engine.jobs.protocol import Note
from engine.paths import Home
from engine.pipeline import Recipe, TooFewAcceptedError, chosen, open_or_make, run_pipeline
from engine.project import Project
from engine.records.options import BenchOptions, GenerateOptions, ProjectSettings

# Answers are sampled and evaluated at the serving temperature; the preset chooses training by data, base and memory.
FULL = Recipe(
    train_questions=None,
    validation_questions=None,
    test_questions=None,
    generate=GenerateOptions(samples=3, temperature=0.7, max_answer_tokens=256),
    training="balanced",
    evaluate_samples=3,
    max_answer_tokens=256,
)
QUICK = dataclasses.replace(
    FULL,
    train_questions=40,
    validation_questions=8,
    test_questions=36,
    generate=dataclasses.replace(FULL.generate, samples=2),
    training="fast",
    evaluate_samples=1,
)


def recipe_of(*, quick: bool) -> Recipe:
    """Return the settings of each stage."""
    return QUICK if quick else FULL


def project_name(benchmark: BenchmarkPrompt, settings: ProjectSettings, *, quick: bool) -> str:
    """Name the project of this prompt, base and teacher: `bench-desk`, plus whatever is not the starter."""
    others = [] if settings.student_base == "starter" else [settings.student_base]
    if settings.other_teacher is not None:
        others.append(settings.teacher.model)
    tails = [re.sub(r"[^A-Za-z0-9._-]", "-", other.rstrip("/").rpartition("/")[2]) for other in others]
    ending = "-quick" if quick else ""  # long names are cut before it, so quick and full results never share a project
    return "-".join(["bench", benchmark.name, *tails])[: 100 - len(ending)] + ending


def open_benchmark(
    home: Home, benchmark: BenchmarkPrompt, settings: ProjectSettings, *, quick: bool, fresh: bool
) -> Project:
    """Open the project of this prompt, base and teacher; create it if it is not there, or again when `fresh`.

    Raises UsageError if a project of this name was made from other data, or with another base or teacher.
    """

    def fill(project: Project) -> None:
        project.prompts.set(benchmark.prompt, f"benchmark {benchmark.name} {benchmark.data_sha256[:12]}")
        project.rules.replace_all(benchmark.rules)
        project.questions.add(chosen(benchmark.questions, recipe_of(quick=quick)))

    project = open_or_make(home, project_name(benchmark, settings, quick=quick), settings, fill, fresh=fresh)
    asked = {question.text for question in benchmark.questions}
    same_data = (
        project.prompts.require() == benchmark.prompt
        and [(rule.text, rule.check) for rule in project.rules.all()]
        == [(rule.text, rule.check) for rule in benchmark.rules]
        and all(question.text in asked for question in project.questions.all())
    )
    if not same_data or dataclasses.replace(project.settings.read(), prices=()) != settings:  # prices change no result
        what = "another base or teacher" if same_data else "other data"
        name = project.name
        project.close()
        raise UsageError(
            f"Cannot reuse the project {name}",
            f"It was made with {what}.",
            "Add --fresh to delete it and start over, or --home DIR to keep both.",
        )
    return project


def run(context: JobContext, options: BenchOptions) -> None:
    """Do what is missing, station by station. Raises what a stage raises; a resumed job continues at that stage.

    If too few of the teacher's answers pass the rules to train on them, that is a result, not a failure.
    """
    try:
        run_pipeline(context, recipe_of(quick=options.quick))
    except TooFewAcceptedError as error:
        context.emit(Note(f"{error.title} {error.message} There is nothing to distil from this teacher."))
