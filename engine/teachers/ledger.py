"""What requests cost that leave no example: questions, reviews, verdicts, an arm's answers, talks, tries that failed.

It is booked as it comes, for money that was spent stays told whatever becomes of what it bought, and no more is asked
for than a limit allows. Knows nothing of what is asked.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from engine.jobs.context import JobContext
from engine.project import Project
from engine.records.example import Usage
from engine.records.options import EvaluateOptions, TeacherSpec
from engine.records.prompt import Message
from engine.teachers.budget import Budget

T = TypeVar("T")


def require_prices(options: EvaluateOptions) -> None:
    """Raise `BudgetError` where an evaluation has a limit, and of the teacher or the judge no price is known."""
    for spec in (options.teacher, options.judge):
        if spec is not None and spec.kind == "endpoint":
            Budget.of(spec, options.max_cost_usd)


class Ledger:
    """Of one endpoint. With `context`, its job is told to have paid; a limit is of all that this job pays."""

    def __init__(
        self, project: Project, spec: TeacherSpec, context: JobContext | None = None, limit_usd: float | None = None
    ) -> None:
        """Raises `BudgetError` where a limit is set and no price is known."""
        self._project, self._spec, self._context, self._limited = project, spec, context, limit_usd is not None
        self._budget = Budget.of(spec, limit_usd, 0.0 if context is None else context.work.cost_usd)

    def bill(self, usage: Usage) -> None:
        """Keep what the endpoint bills for: at once, whatever came of it."""
        usd = self._budget.cost_usd(usage)
        self._budget.settle(0.0, usd)
        book(self._project, self._spec.name, replace(usage, cost_usd=usd), self._context)

    def groups(
        self, requests: Sequence[T], messages: Callable[[T], Sequence[Message]], max_tokens: int, size: int
    ) -> Iterator[Sequence[T]]:
        """The requests in their order, as many at a time as the limit allows where each is as dear as it can be, and at
        most `size`. The next ones are handed out when the last have ended; retries are not reckoned with.

        Raises `BudgetError` where not even one more may be asked.
        """
        from engine.teachers.endpoint import count_messages  # the client library takes a second to import

        start = 0
        while start < len(requests):
            count, held = 0, 0.0
            for request in requests[start : start + size]:
                tokens = count_messages(messages(request), self._spec.model) if self._limited else 0
                worst = self._budget.worst_usd(tokens, max_tokens)
                if not self._budget.hold(worst):
                    break
                count, held = count + 1, held + worst
            if not count:
                raise self._budget.spent_error()
            yield requests[start : start + count]
            self._budget.settle(held, 0.0)  # what they cost was settled when it was billed
            start += count


def book(project: Project, teacher: str, usage: Usage, context: JobContext | None = None) -> None:
    """Keep at once what was asked and paid, also where no price is known: there is no example to keep it with."""
    with project.transaction():
        project.spending.book_other(teacher, usage)
        if context is not None:
            context.keep_work(cost_usd=usage.cost_usd)
