"""What teachers and judges have cost, by name. Spending stays recorded, whatever happens to the answers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields

from engine.records.example import Example, Usage
from engine.store.connection import Connection


@dataclass(frozen=True, slots=True)
class TeacherSpending:
    """Requests to one teacher or judge, and their cost: answers that became examples, and other requests (questions,
    reviews, verdicts, an arm's answers, chats, failed attempts).
    """

    teacher: str
    cost_usd: float
    answers: int
    prompt_tokens: int
    completion_tokens: int
    other_requests: int
    other_prompt_tokens: int
    other_completion_tokens: int
    other_counted_here: int  # other requests whose tokens are estimated, because the server sent no counts


_COLUMNS = ", ".join(field.name for field in fields(TeacherSpending))


class SpendingTable:
    """The spending of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def book(self, after_id: int, without_question: Sequence[Example]) -> None:
        """Add the examples stored after `after_id`, and the paid ones that could not be stored (`without_question`).

        Call this in the transaction that stored them.
        """
        paid = [
            (each.key.teacher, each.usage.prompt_tokens, each.usage.completion_tokens, each.usage.cost_usd)
            for each in without_question
        ]
        self._connection.write(
            """INSERT INTO spending (teacher, answers, prompt_tokens, completion_tokens, cost_usd)
            SELECT teacher, count(*), sum(prompt_tokens), sum(completion_tokens), total(cost_usd) FROM (
                SELECT teacher, prompt_tokens, completion_tokens, cost_usd FROM examples WHERE id > ?
                UNION ALL SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
                    json_extract(value, '$[3]') FROM json_each(?)) WHERE true GROUP BY teacher
            ON CONFLICT (teacher) DO UPDATE SET
                answers = answers + excluded.answers, prompt_tokens = prompt_tokens + excluded.prompt_tokens,
                completion_tokens = completion_tokens + excluded.completion_tokens,
                cost_usd = cost_usd + excluded.cost_usd""",
            (after_id, json.dumps(paid)),
        )

    def book_other(self, teacher: str, usage: Usage) -> None:
        """Add a request that produced no example. Counted separately, so as not to distort the mean answer length."""
        counts = (usage.prompt_tokens, usage.completion_tokens, int(usage.counted_here))
        self._connection.write(
            """INSERT INTO spending (teacher, answers, prompt_tokens, completion_tokens, cost_usd,
            other_requests, other_prompt_tokens, other_completion_tokens, other_counted_here)
            VALUES (?, 0, 0, 0, ?, 1, ?, ?, ?)
            ON CONFLICT (teacher) DO UPDATE SET cost_usd = cost_usd + excluded.cost_usd,
                other_requests = other_requests + 1,
                other_prompt_tokens = other_prompt_tokens + excluded.other_prompt_tokens,
                other_completion_tokens = other_completion_tokens + excluded.other_completion_tokens,
                other_counted_here = other_counted_here + excluded.other_counted_here""",
            (teacher, usage.cost_usd, *counts),
        )

    def all(self) -> tuple[TeacherSpending, ...]:
        """Return the spending per teacher and judge, by name."""
        rows = self._connection.rows(f"SELECT {_COLUMNS} FROM spending ORDER BY teacher")
        return tuple(TeacherSpending(*row) for row in rows)

    def usd(self) -> float:
        """Return the total cost of all requests, including those whose answers were deleted."""
        value = self._connection.value("SELECT total(cost_usd) FROM spending")
        return value if isinstance(value, float) else 0.0

    def mean_answer_tokens(self, teacher: str | None = None) -> float | None:
        """Return the mean number of tokens of the answers of a teacher, or of all teachers; None without any."""
        value = self._connection.value(
            "SELECT total(completion_tokens) / nullif(sum(answers), 0) FROM spending WHERE ? IS NULL OR teacher = ?",
            (teacher, teacher),
        )
        return value if isinstance(value, float) else None
