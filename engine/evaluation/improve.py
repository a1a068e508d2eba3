"""Which held-out questions call for more training: failed ones of validation, never of the test split."""

from engine.errors import NotFoundError
from engine.evaluation.answers import answers_of
from engine.evaluation.lapses import find_lapses
from engine.project import Project


def failed_validation(project: Project, limit: int) -> tuple[int, ...]:
    """Return up to `limit` validation questions where the student failed a rule that its reference passed, worst first.

    They are from the newest evaluation on the validation split. Raises NotFoundError if there is none.
    """
    evaluation = project.evaluations.latest(split="validation")
    if evaluation is None:
        raise NotFoundError(
            "There is no evaluation on the validation split.",
            "Test questions are not used: improving on them would make the proof worthless.",
            "Evaluate on the validation questions: distill-tui evaluate --split validation",
        )
    lapses = find_lapses(answers_of(project, evaluation).answers, evaluation.reference)
    return tuple(lapse.question_id for lapse in lapses if lapse.broken)[:limit]
