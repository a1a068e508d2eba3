"""Which held-out questions ask for more training: those of validation that failed. Never of the test split."""

from engine.errors import NotFoundError
from engine.evaluation.answers import answers_of
from engine.evaluation.lapses import find_lapses
from engine.project import Project


def failed_validation(project: Project, limit: int) -> tuple[int, ...]:
    """Up to `limit` validation questions where the student broke a rule that its reference kept, the worst first.

    Of the newest evaluation on the validation split. Raises NotFoundError where there is none.
    """
    evaluation = project.evaluations.latest(split="validation")
    if evaluation is None:
        raise NotFoundError(
            "Nothing was evaluated on the validation split.",
            "Test questions stay unseen: improving on them would make the proof worthless.",
            "Measure it: distill-tui evaluate --split validation",
        )
    lapses = find_lapses(answers_of(project, evaluation).answers, evaluation.reference)
    return tuple(lapse.question_id for lapse in lapses if lapse.broken)[:limit]
