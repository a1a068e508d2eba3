"""Answers to an older prompt, reused for a newer one: the same text, paid for only once."""

from collections.abc import Sequence

from engine.records.rule import CheckResult
from engine.store.clock import now_text
from engine.store.connection import Connection
from engine.store.dataclass_json import encode_all
from engine.store.search import example_index

_KEPT = (
    "question_id, teacher, attempt, answer, finish_reason, teacher_kind, token_ids, completion_tokens, counted_here, "
    "temperature, seconds"
)


class CarriedTable:
    """The carried answers of one project, each with the example that it was copied from."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def carry(self, prompt_sha256: str, answers: Sequence[tuple[int, Sequence[CheckResult]]]) -> dict[int, int]:
        """Store copies of these examples, with their current check results, as answers to this prompt; all or none.

        A key that is already stored is left unchanged. No cost is booked. Returns new id → old id for the stored ones.
        """
        now = now_text()
        with self._connection.transaction():
            last = self._connection.number("SELECT max(id) FROM examples")
            self._connection.write_many(
                f"""INSERT INTO examples ({_KEPT}, prompt_sha256, prompt_tokens, cached_tokens, written_tokens,
                cost_usd, checks, created_at, carried_from)
                SELECT {_KEPT}, ?, 0, 0, 0, 0.0, ?, ?, id FROM examples WHERE id = ?
                ON CONFLICT (prompt_sha256, question_id, teacher, attempt) DO NOTHING""",
                [(prompt_sha256, encode_all(checks), now, example_id) for example_id, checks in answers],
            )
            example_index(self._connection).learn("id > ?", (last,))
            rows = self._connection.rows("SELECT id, carried_from FROM examples WHERE id > ? ORDER BY id", (last,))
        return {row[0]: row[1] for row in rows}
