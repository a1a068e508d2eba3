"""The demo: the bundled prompt, and the recipe for running every station on it.

Knows nothing of how a station works, or of their order.
"""

import dataclasses
import json
from collections.abc import Iterator
from typing import cast

from engine.bundled import bundled_text
from engine.errors import DistillError
from engine.jobs.context import JobContext
from engine.jobs.protocol import Note, StageStarted
from engine.paths import Home
from engine.pipeline import Recipe, chosen, ensure_job, open_or_make, run_pipeline
from engine.project import Project
from engine.prompts.documents import parse_prompt
from engine.records.job import Job
from engine.records.options import DemoOptions, ExportOptions, GenerateOptions, ProjectSettings
from engine.records.prompt import Message
from engine.records.question import Question, Split
from engine.records.run import TrainingConfig
from engine.rules.documents import parse_rules
from engine.wording import counted

# Found by experiment on the bundled questions (README, “What the demo proves”).
_TRAINING = TrainingConfig(
    base="starter", epochs=1.5, learning_rate=1e-3, cross_entropy_weight=0.5, evaluations=3, general_fraction=0.1
)
_COMPARED = "gpt-5-mini"  # a hosted model that could answer with the demo's prompt
FULL = Recipe(
    train_questions=None,
    validation_questions=None,
    test_questions=None,
    generate=GenerateOptions(samples=2, temperature=0.7, max_answer_tokens=40),
    training=_TRAINING,
    evaluate_samples=3,
    max_answer_tokens=48,
    regressions=True,
)
QUICK = dataclasses.replace(
    FULL,
    train_questions=75,
    validation_questions=20,
    test_questions=30,
    generate=dataclasses.replace(FULL.generate, samples=1),
    training=dataclasses.replace(_TRAINING, epochs=2.5, evaluations=1, general_fraction=0.0),
    evaluate_samples=1,
    regressions=False,  # they would take a fifth of its three minutes
)


def open_demo(home: Home, *, quick: bool, fresh: bool) -> Project:
    """Return the demo's project, created if it is missing or `fresh`."""

    def fill(project: Project) -> None:
        project.prompts.set(parse_prompt(bundled_text("demo/prompt.yaml"), "the bundled prompt"), "bundled")
        project.rules.replace_all(parse_rules(bundled_text("demo/rules.yaml"), "the bundled rules"))
        project.questions.add(chosen(demo_questions(), QUICK if quick else FULL))

    return open_or_make(home, "demo-quick" if quick else "demo", ProjectSettings(), fill, fresh=fresh)


def ensure_demo_job(project: Project, *, quick: bool) -> Job:
    """Return the demo's one job: running, done, newly started, or resumed from what it has stored."""
    return ensure_job(project, DemoOptions(quick=quick))


def demo_questions() -> Iterator[Question]:
    """Yield the bundled questions with topic, gold label and split."""
    for line in bundled_text("demo/questions.jsonl").splitlines():
        row = cast("dict[str, str]", json.loads(line))
        yield Question(
            messages=(Message("user", row["text"]),),
            topic=row["topic"],
            label=row["label"],
            split=cast(Split, row["split"]),
            source="demo",
        )


def run(context: JobContext, options: DemoOptions) -> None:
    """Do what is missing, station by station; when resumed, continue from there. Raises whatever a stage raises."""
    project = context.project
    if not project.examples.count():
        context.emit(Note(verdict_before(project)))
    trained = run_pipeline(context, QUICK if options.quick else FULL)
    if options.export and not any(release.run_id == trained.id for release in project.releases.all()):
        from engine.releases.job import export

        context.emit(StageStarted("release"))
        export(context, ExportOptions(trained.id))


def verdict_before(project: Project) -> str:
    """Return whether distilling the prompt would pay off if a hosted model answered with it today.

    Stored like figures that the user gave, so that `distill-tui estimate` and the report say the same.
    """
    from engine.economics.outlook import outcome
    from engine.economics.stored_outcome import estimate_project
    from engine.economics.verdict import headline

    inputs = project.settings.cost_inputs()
    if not inputs.model:
        inputs = dataclasses.replace(inputs, model=_COMPARED)
    try:
        found, sha256 = estimate_project(project, inputs)
    except DistillError as error:  # the demo must not fail because of a price
        return f"Estimate: not available. {error.title} {error.message}"
    project.settings.write_cost(inputs, outcome(found, sha256))
    requests = counted(found.given.terms.requests_per_day, "request", ",g")
    asked = f"This assumes {requests} a day to {inputs.model} at list prices."
    return f"Estimate: {headline(found)} {asked} Details: distill-tui estimate --model {inputs.model}"
