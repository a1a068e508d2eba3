"""The evaluations of a project, the answers behind one of them, and the inputs of a new one.

Every function is work for `StoreService.ask`, done on the store's thread, but for the words of the command that writes
the report.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import NotFoundError
from engine.evaluation.answers import answers_of
from engine.evaluation.improve import failed_validation
from engine.evaluation.lapses import Lapse, find_lapses
from engine.project import REPORT, Project
from engine.records.evaluation import ArmAnswer, Evaluation
from engine.records.options import ProjectSettings
from engine.records.question import SPLITS, Question, Split
from engine.records.run import Run

FAILED_OFFERED = 200  # failed questions, as many as the command line takes


@dataclass(frozen=True, slots=True)
class EvaluationAnswers:
    """The arms' answers in one evaluation, and where the student falls behind, worst question first."""

    evaluation_id: int = 0
    lapses: tuple[Lapse, ...] = ()
    questions: Mapping[int, Question] = field(default_factory=dict)
    answers: Mapping[tuple[int, int], tuple[ArmAnswer, ...]] = field(default_factory=dict)  # by question and sample


@dataclass(frozen=True, slots=True)
class EvaluationBasis:
    """The inputs of a new evaluation. `runs` have an adapter, newest first."""

    runs: tuple[Run, ...]
    questions: Mapping[Split, int]
    evaluations: tuple[Evaluation, ...]
    settings: ProjectSettings
    rubrics: int = 0  # rules decided by a judge


def report_words(folder: Path, run_id: int) -> list[str]:
    """The command that writes the report of a run into the project's folder."""
    return ["report", "--run", str(run_id), "--html", str(folder / REPORT), "--force"]


def read_answers(project: Project, evaluation: Evaluation) -> EvaluationAnswers:
    """Read the answers of one evaluation."""
    found = answers_of(project, evaluation)
    answers: dict[tuple[int, int], tuple[ArmAnswer, ...]] = {}
    for answer in found.answers:
        place = answer.question_id, answer.sample
        answers[place] = (*answers.get(place, ()), answer)
    return EvaluationAnswers(evaluation.id, find_lapses(found.answers, evaluation.reference), found.questions, answers)


def read_failed(project: Project) -> tuple[int, ...] | None:
    """Find the validation questions that the student fails, worst first; None: validation was never evaluated."""
    try:
        return failed_validation(project, FAILED_OFFERED)
    except NotFoundError:
        return None


def basis_of_evaluation(project: Project) -> EvaluationBasis:
    """Read the inputs of a new evaluation."""
    with project.snapshot():
        runs = tuple(run for run in reversed(project.runs.all()) if run.has_adapter)
        questions = {split: project.questions.count(split) for split in SPLITS}
        rubrics = sum(rule.needs_judge for rule in project.rules.all())
        evaluations, settings = project.evaluations.all(), project.settings.read()
        return EvaluationBasis(runs, questions, evaluations, settings, rubrics)
