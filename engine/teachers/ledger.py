"""The cost of requests that leave no example: questions, reviews, verdicts, an arm's answers, chats, failed tries.

Costs are recorded as they arise, because spent money must be shown whatever becomes of what it bought, and a limit
stops further requests. Knows nothing of what is asked.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from engine.jobs.context import JobContext
from engine.project import Project
from engine.records.example import Usage
from engine.records.options import TeacherSpec
from engine.records.prompt import Message
from engine.teachers.budget import Budget

T = TypeVar("T")


def require_prices(project: Project, limit_usd: float | None, *models: TeacherSpec | None) -> None:
    """Raise `BudgetError` if there is a limit but no price is known for one of the models, before a job starts."""
    given = project.settings.read().prices
    for spec in models:
        if spec is not None and spec.kind == "endpoint":
            Budget.of(spec, given, limit_usd)


class Ledger:
    """The costs of one endpoint. With `context`, they count as its job's; a limit covers everything that job pays."""

    def __init__(
        self, project: Project, spec: TeacherSpec, context: JobContext | None = None, limit_usd: float | None = None
    ) -> None:
        """Raises `BudgetError` if a limit is set but no price is known."""
        self._project, self._spec, self._context, self._limited = project, spec, context, limit_usd is not None
        given, spent_usd = project.settings.read().prices, 0.0 if context is None else context.work.cost_usd
        self._budget = Budget.of(spec, given, limit_usd, spent_usd)

    def bill(self, usage: Usage) -> None:
        """Record what the endpoint bills, immediately and whether or not it gave an answer."""
        usd = self._budget.cost_usd(usage)
        self._budget.settle(0.0, usd)
        book(self._project, self._spec.name, replace(usage, cost_usd=usd), self._context)

    def groups(
        self, requests: Sequence[T], messages: Callable[[T], Sequence[Message]], max_tokens: int, size: int
    ) -> Iterator[Sequence[T]]:
        """Yield the requests in order, in groups of at most `size` that fit the limit even at their worst-case cost.

        A group must have ended before the next is taken; retries are not included. Raises `BudgetError` if not even one
        more request is affordable.
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
            self._budget.settle(held, 0.0)  # their actual cost was counted when it was billed
            start += count


def book(project: Project, teacher: str, usage: Usage, context: JobContext | None = None) -> None:
    """Record usage and cost immediately, even if no price is known: there is no example to record them with."""
    with project.transaction():
        project.spending.book_other(teacher, usage)
        if context is not None:
            context.write_work(cost_usd=usage.cost_usd)
