"""What teachers and judges have cost, by name: money that was spent stays spent, whatever becomes of the answers."""

import json
from collections.abc import Sequence

from engine.records.example import Example
from engine.store.connection import Connection


class SpendingTable:
    """The spending of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def book(self, after_id: int, homeless: Sequence[Example]) -> None:
        """Add the examples that were stored after this one, and those that were paid for and have no place to stand.

        To be called in the transaction that stored them.
        """
        paid = [
            (each.key.teacher, each.usage.prompt_tokens, each.usage.completion_tokens, each.usage.cost_usd)
            for each in homeless
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

    def book_cost(self, teacher: str, cost_usd: float) -> None:
        """Add what a request cost that left no example: its tokens tell nothing of how long answers are."""
        self._connection.write(
            """INSERT INTO spending (teacher, answers, prompt_tokens, completion_tokens, cost_usd)
            VALUES (?, 0, 0, 0, ?)
            ON CONFLICT (teacher) DO UPDATE SET cost_usd = cost_usd + excluded.cost_usd""",
            (teacher, cost_usd),
        )

    def usd(self) -> float:
        """What all that was asked has cost, but for talks; removing answers later gives no money back."""
        value = self._connection.value("SELECT total(cost_usd) FROM spending")
        return value if isinstance(value, float) else 0.0

    def answer_tokens_of(self, teacher: str) -> float | None:
        """The mean tokens of a teacher's answers, or None before the first."""
        value = self._connection.value(
            "SELECT total(completion_tokens) / nullif(sum(answers), 0) FROM spending WHERE teacher = ?", (teacher,)
        )
        return float(value) if isinstance(value, int | float) else None

    def mean_answer_tokens(self) -> float | None:
        """The mean length of all answers that were ever paid for; None before there was one."""
        value = self._connection.value("SELECT total(completion_tokens) / nullif(sum(answers), 0) FROM spending")
        return value if isinstance(value, float) else None
