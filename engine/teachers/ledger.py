"""Books what requests cost that leave no example: questions, reviews, verdicts, an arm's answers, tries that failed.

Money that was spent stays told, whatever becomes of what it bought. Knows nothing of what was asked.
"""

from collections.abc import Callable

from engine.jobs.context import JobContext
from engine.project import Project
from engine.records.example import Usage
from engine.records.options import TeacherSpec
from engine.teachers.budget import Budget


def booking(project: Project, spec: TeacherSpec, context: JobContext | None = None) -> Callable[[Usage], None]:
    """What an endpoint is to call with all that it bills for; with `context`, its job is told to have paid it."""
    prices = Budget.of(spec, None)
    return lambda usage: book(project, spec.name, prices.cost_usd(usage), context)


def book(project: Project, teacher: str, usd: float, context: JobContext | None = None) -> None:
    """Keep at once that so much was paid: there is no answer to keep it with."""
    if not usd:
        return
    with project.transaction():
        project.spending.book_cost(teacher, usd)
        if context is not None:
            context.keep_work(cost_usd=usd)
