"""Answers that an older prompt was given, kept as answers to a newer one: the same words, paid for once."""

from collections.abc import Sequence

from engine.records.rule import CheckResult
from engine.store.clock import now_text
from engine.store.connection import Connection
from engine.store.search import example_index
from engine.store.words_json import encode_all

_KEPT = (
    "question_id, teacher, attempt, answer, finish_reason, teacher_kind, token_ids, completion_tokens, counted_here, "
    "temperature, seconds"
)


class CarriedTable:
    """Where an answer came from, for those that were carried over from an older prompt."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def carry(self, prompt_sha256: str, answers: Sequence[tuple[int, Sequence[CheckResult]]]) -> dict[int, int]:
        """Keep these examples, each with what the rules find in it now, as answers to this prompt; all or none.

        A key that is stored already is left as it is, and nothing is booked. Returns new example → old example of
        those that were stored.
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
