"""Questions: message lists, unique by their normalised text, each in at most one split."""

import hashlib
import sqlite3
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.errors import NotFoundError
from engine.records.prompt import Message, messages_from_json, messages_to_json
from engine.records.question import Question, Split
from engine.store.clock import now_text
from engine.store.connection import Connection, Value
from engine.store.search import example_index, match_query, question_index


@dataclass(frozen=True, slots=True)
class AddedQuestions:
    """How many questions were new, and how many were there already (or twice in what was brought)."""

    added: int
    duplicates: int


class QuestionTable:
    """The questions of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, questions: Iterable[Question]) -> AddedQuestions:
        """Store those that are new; the ids that they bring are not used."""
        now = now_text()
        rows = [
            (
                normal_sha256(question.messages),
                messages_to_json(question.messages),
                question.text,
                question.topic,
                question.source,
                question.label,
                question.split,
                now,
            )
            for question in questions
        ]
        with self._connection.transaction():
            last = self._connection.number("SELECT max(id) FROM questions")
            added = self._connection.write_many(
                """INSERT INTO questions (normal_sha256, messages, text, topic, source, label, split, created_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (normal_sha256) DO NOTHING""",
                rows,
            )
            question_index(self._connection).learn("id > ?", (last,))
        return AddedQuestions(added, len(rows) - added)

    def all(self, split: Split | None = None, topic: str | None = None) -> tuple[Question, ...]:
        """All questions by id, or those of one split, of one topic, or of both."""
        where, values = _where(split=split, topic=topic)
        return tuple(map(_question, self._connection.rows(f"SELECT * FROM questions{where} ORDER BY id", values)))

    def get(self, id: int) -> Question:
        """One question. Raises `NotFoundError`."""
        row = self._connection.row("SELECT * FROM questions WHERE id = ?", (id,))
        if row is None:
            raise NotFoundError(
                "There is no such question.", f"No question has the number {id}.", "See `distill-tui questions list`."
            )
        return _question(row)

    def count(self, split: Split | None = None) -> int:
        """How many questions there are, or are in one split."""
        where, values = _where(split=split)
        return self._connection.number(f"SELECT count(*) FROM questions{where}", values)

    def split_counts(self) -> dict[Split | None, int]:
        """How many questions each split holds; None: those not split yet. Splits without questions are left out."""
        return {row[0]: row[1] for row in self._connection.rows("SELECT split, count(*) FROM questions GROUP BY split")}

    def set_splits(self, splits: Mapping[int, Split]) -> None:
        """Put each question into its split. Raises `NotFoundError` for an unknown id; then nothing is changed."""
        with self._connection.transaction():
            for question_id, split in splits.items():
                if self._connection.write("UPDATE questions SET split = ? WHERE id = ?", (split, question_id)) == 0:
                    self.get(question_id)

    def remove(self, ids: Iterable[int]) -> int:
        """Really delete questions with their examples, decisions and arms' answers; returns how many there were.

        Frozen datasets are untouched: they stay what their runs were trained on. The search index is written anew
        and freed pages are overwritten, so that the words do not linger in the file.
        """
        example_words, question_words = example_index(self._connection), question_index(self._connection)
        removed = 0
        with self._connection.transaction():
            for question_id in ids:
                example_words.forget("question_id = ?", (question_id,))
                question_words.forget("id = ?", (question_id,))
                removed += self._connection.write("DELETE FROM questions WHERE id = ?", (question_id,))
            example_words.compact()
            question_words.compact()
        return removed

    def topics(self) -> tuple[tuple[str, int], ...]:
        """Each topic with its number of questions, by name; questions without a topic count under an empty name."""
        rows = self._connection.rows("SELECT topic, count(*) FROM questions GROUP BY topic ORDER BY topic")
        return tuple((row[0], row[1]) for row in rows)

    def window(self, offset: int, limit: int, search: str = "") -> tuple[Question, ...]:
        """`limit` questions by id from the `offset`-th on, or of those whose last message holds the searched words."""
        query = match_query(search)
        where = " WHERE id IN (SELECT rowid FROM questions_fts WHERE questions_fts MATCH ?)" if query else ""
        values: Sequence[Value] = (query, limit, offset) if query else (limit, offset)
        rows = self._connection.rows(f"SELECT * FROM questions{where} ORDER BY id LIMIT ? OFFSET ?", values)
        return tuple(map(_question, rows))

    def newer_than_examples(self, prompt_sha256: str) -> int:
        """How many questions to learn from came after this prompt's last example and have none."""
        return self._connection.number(
            """SELECT count(*) FROM questions q WHERE split IS NOT 'test'
            AND created_at > (SELECT created_at FROM examples WHERE prompt_sha256 = ? ORDER BY id DESC LIMIT 1)
            AND NOT EXISTS (SELECT 1 FROM examples e WHERE e.prompt_sha256 = ? AND e.question_id = q.id)""",
            (prompt_sha256, prompt_sha256),
        )


def normal_sha256(messages: Sequence[Message]) -> str:
    """What makes two questions the same: all messages with their roles, in NFKC, casefolded, white space collapsed."""
    normal = [
        Message(message.role, " ".join(unicodedata.normalize("NFKC", message.content).casefold().split()))
        for message in messages
    ]
    return hashlib.sha256(messages_to_json(normal).encode("utf-8", "surrogatepass")).hexdigest()


def _where(**columns: str | None) -> tuple[str, tuple[str, ...]]:
    asked = {name: value for name, value in columns.items() if value is not None}
    where = " WHERE " + " AND ".join(f"{name} = ?" for name in asked) if asked else ""
    return where, tuple(asked.values())


def _question(row: sqlite3.Row) -> Question:
    return Question(
        messages=messages_from_json(row["messages"]),
        topic=row["topic"],
        source=row["source"],
        label=row["label"],
        split=row["split"],
        id=row["id"],
    )
