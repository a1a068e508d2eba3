"""Questions: message lists, unique by their normalised text, each in at most one split."""

import hashlib
import json
import sqlite3
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.errors import NotFoundError
from engine.records.prompt import Message, messages_to_json
from engine.records.question import Question, QuestionFilter, Split
from engine.store.clock import now_text
from engine.store.connection import Connection
from engine.store.dataclass_json import decode_all
from engine.store.search import example_index, match_query, question_index
from engine.store.values import Value


@dataclass(frozen=True, slots=True)
class AddedQuestions:
    """How many questions were new, and how many were duplicates of stored ones or of each other."""

    added: int
    duplicates: int
    at: str = field(default="", compare=False)  # time of storing, shared by all that were stored together


@dataclass(frozen=True, slots=True)
class RemovedQuestion:
    """A removed question, with everything needed to restore it."""

    question: Question
    created_at: str


@dataclass(frozen=True, slots=True)
class TopicCounts:
    """Numbers of a topic's questions, by split. Key None: not split yet."""

    topic: str
    splits: Mapping[Split | None, int]

    @property
    def total(self) -> int:
        return sum(self.splits.values())


@dataclass(frozen=True, slots=True)
class Coverage:
    """A set of questions: their number, their total length, and how many of the wanted answers are stored."""

    questions: int
    characters: int
    answers: int


_ALL = QuestionFilter()
_COLUMNS = "normal_sha256, messages, text, topic, source, label, split, created_at"
# Ids are passed as one JSON value, so that their number is not limited.
_AMONG = "IN (SELECT value FROM json_each(?))"


class QuestionTable:
    """The questions of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, questions: Iterable[Question]) -> AddedQuestions:
        """Store the questions that are new. Their ids are ignored."""
        now = now_text()
        rows = [_row(question, now) for question in questions]
        with self._connection.transaction():
            last = self._connection.number("SELECT max(id) FROM questions")
            added = self._connection.write_many(
                f"INSERT INTO questions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (normal_sha256) DO NOTHING",
                rows,
            )
            question_index(self._connection).learn("id > ?", (last,))
        return AddedQuestions(added, len(rows) - added, now if added else "")

    def new_among(self, questions: Sequence[Question]) -> tuple[bool, ...]:
        """Return, per question, whether `add` would store it."""
        hashes = [normal_sha256(question.messages) for question in questions]
        rows = self._connection.rows(
            f"SELECT normal_sha256 FROM questions WHERE normal_sha256 {_AMONG}", (json.dumps(hashes),)
        )
        seen = {row[0] for row in rows}
        new: list[bool] = []
        for sha256 in hashes:
            new.append(sha256 not in seen)
            seen.add(sha256)
        return tuple(new)

    def all(self, split: Split | None = None, topic: str | None = None) -> tuple[Question, ...]:
        """Return all questions by id, optionally of one split, one topic, or both."""
        where, values = _where(split=split, topic=topic)
        return tuple(map(_question, self._connection.rows(f"SELECT * FROM questions{where} ORDER BY id", values)))

    def by_id(self, split: Split | None = None) -> dict[int, Question]:
        """Return the questions of `all` as a dict by id."""
        return {question.id: question for question in self.all(split)}

    def get(self, id: int) -> Question:
        """Return one question. Raises `NotFoundError`."""
        row = self._connection.row("SELECT * FROM questions WHERE id = ?", (id,))
        if row is None:
            raise NotFoundError(f"There is no question {id}.", "", "See `distill-tui questions list`.")
        return _question(row)

    def count(self, split: Split | None = None) -> int:
        """Count the questions, optionally of one split."""
        where, values = _where(split=split)
        return self._connection.number(f"SELECT count(*) FROM questions{where}", values)

    def split_counts(self) -> dict[Split | None, int]:
        """Count the questions of each split; key None: not split yet. Empty splits are left out."""
        return {row[0]: row[1] for row in self._connection.rows("SELECT split, count(*) FROM questions GROUP BY split")}

    def set_splits(self, splits: Mapping[int, Split | None]) -> None:
        """Set or clear the split of each question.

        Raises `NotFoundError`, and changes nothing, if an id is unknown.
        """
        with self._connection.transaction():
            for question_id, split in splits.items():
                if self._connection.write("UPDATE questions SET split = ? WHERE id = ?", (split, question_id)) == 0:
                    self.get(question_id)

    def remove(self, ids: Iterable[int]) -> int:
        """Delete questions with their examples, decisions and arms' answers; returns how many were deleted.

        Frozen datasets are untouched, because runs were trained on them. The search index is rebuilt and freed pages
        are overwritten, so that the text does not remain in the file.
        """
        example_words, question_words = example_index(self._connection), question_index(self._connection)
        among = (json.dumps(list(ids)),)
        with self._connection.transaction():
            example_words.forget(f"question_id {_AMONG}", among)
            question_words.forget(f"id {_AMONG}", among)
            removed = self._connection.write(f"DELETE FROM questions WHERE id {_AMONG}", among)
            example_words.compact()
            question_words.compact()
        return removed

    def take_out(self, ids: Iterable[int]) -> tuple[RemovedQuestion, ...]:
        """Delete questions as `remove` does; returns what `put_back` needs. Their examples cannot be restored."""
        wanted = json.dumps(sorted(set(ids)))
        with self._connection.transaction():
            rows = self._connection.rows(f"SELECT * FROM questions WHERE id {_AMONG} ORDER BY id", (wanted,))
            taken = tuple(RemovedQuestion(_question(row), row["created_at"]) for row in rows)
            self.remove(removed.question.id for removed in taken)
        return taken

    def put_back(self, questions: Sequence[RemovedQuestion]) -> int:
        """Restore removed questions with their id, split and time, unless stored again since; returns how many."""
        with self._connection.transaction():
            new = self.new_among([removed.question for removed in questions])
            back = [removed for removed, is_new in zip(questions, new, strict=True) if is_new]
            self._connection.write_many(
                f"INSERT INTO questions (id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(removed.question.id, *_row(removed.question, removed.created_at)) for removed in back],
            )
            question_index(self._connection).learn(
                f"id {_AMONG}", (json.dumps([removed.question.id for removed in back]),)
            )
        return len(back)

    def ids(self, listed: QuestionFilter = _ALL, offset: int = 0, limit: int | None = None) -> tuple[int, ...]:
        """Return the ids of the listed questions, in order."""
        where, values = _listed(listed)
        sql = f"SELECT id FROM questions{where} ORDER BY id LIMIT ? OFFSET ?"
        rows = self._connection.rows(sql, (*values, -1 if limit is None else limit, offset))
        return tuple(row[0] for row in rows)

    def ids_added(self, at: str) -> tuple[int, ...]:
        """Return the ids of the remaining questions that were stored together at this time."""
        return tuple(row[0] for row in self._connection.rows("SELECT id FROM questions WHERE created_at = ?", (at,)))

    def newest_of_one_source(self) -> tuple[int, ...]:
        """Return the ids of the newest questions that share one source, back to the last one from elsewhere."""
        rows = self._connection.rows(
            """WITH newest AS (SELECT source FROM questions ORDER BY id DESC LIMIT 1)
            SELECT id FROM questions WHERE id > coalesce(
                (SELECT max(id) FROM questions WHERE source <> (SELECT source FROM newest)), 0) ORDER BY id"""
        )
        return tuple(row[0] for row in rows)

    def examples_of(self, ids: Iterable[int], prompt_sha256: str | None = None) -> dict[int, int]:
        """Count the examples of each question, optionally of one prompt. Questions without any are left out."""
        where, values = ("", ()) if prompt_sha256 is None else (" AND prompt_sha256 = ?", (prompt_sha256,))
        rows = self._connection.rows(
            f"SELECT question_id, count(*) FROM examples WHERE question_id {_AMONG}{where} GROUP BY question_id",
            (json.dumps(list(ids)), *values),
        )
        return {row[0]: row[1] for row in rows}

    def groups(self, splits: Sequence[Split]) -> dict[int, tuple[Split, str]]:
        """Return the split and topic of each question in these splits, by id."""
        sql = "SELECT id, split, topic FROM questions WHERE split IN (SELECT value FROM json_each(?)) ORDER BY id"
        return {row[0]: (row[1], row[2]) for row in self._connection.rows(sql, (json.dumps(list(splits)),))}

    def coverage(self, ids: Iterable[int], prompt_sha256: str, teacher: str, samples: int) -> Coverage:
        """Return how many of the wanted answers to these questions a teacher has given."""
        chosen = (json.dumps(list(ids)),)
        row = self._connection.row(
            f"""SELECT count(*), total((
                SELECT total(length(json_extract(m.value, '$.content'))) FROM json_each(messages) m))
            FROM questions WHERE id {_AMONG}""",
            chosen,
        )
        answers = self._connection.number(
            f"""SELECT count(*) FROM examples
            WHERE question_id {_AMONG} AND prompt_sha256 = ? AND teacher = ? AND attempt < ?""",
            (*chosen, prompt_sha256, teacher, samples),
        )
        return Coverage(row[0], int(row[1]), answers) if row is not None else Coverage(0, 0, 0)

    def topics(self) -> tuple[tuple[str, int], ...]:
        """Return each topic with its number of questions, by name. Questions without a topic count as the topic ""."""
        rows = self._connection.rows("SELECT topic, count(*) FROM questions GROUP BY topic ORDER BY topic")
        return tuple((row[0], row[1]) for row in rows)

    def topic_splits(self) -> tuple[TopicCounts, ...]:
        """Return each topic with its questions counted by split, by name."""
        found: dict[str, dict[Split | None, int]] = {}
        # One pass over the table: with the index on topics, each row would be looked up separately.
        sql = "SELECT topic, split, count(*) FROM questions NOT INDEXED GROUP BY topic, split ORDER BY topic"
        for row in self._connection.rows(sql):
            found.setdefault(row[0], {})[row[1]] = row[2]
        return tuple(TopicCounts(topic, splits) for topic, splits in found.items())

    def window(self, offset: int, limit: int, listed: QuestionFilter = _ALL) -> tuple[Question, ...]:
        """Return `limit` of the listed questions by id, starting at `offset`."""
        where, values = _listed(listed)
        # Skipped rows then cost only an index entry each, if there is an index, not the whole row.
        shown = f"SELECT id FROM questions{where} ORDER BY id LIMIT ? OFFSET ?"
        sql = f"SELECT * FROM questions WHERE id IN ({shown}) ORDER BY id"
        return tuple(map(_question, self._connection.rows(sql, (*values, limit, offset))))

    def matching(self, listed: QuestionFilter) -> int:
        """Count all questions that `window` pages through."""
        where, values = _listed(listed)
        return self._connection.number(f"SELECT count(*) FROM questions{where}", values)

    def unanswered(self, prompt_sha256: str) -> int:
        """Count the train and validation questions without an example of this prompt."""
        return self._connection.number(
            """SELECT count(*) FROM questions q WHERE split IN ('train', 'validation')
            AND NOT EXISTS (SELECT 1 FROM examples e WHERE e.prompt_sha256 = ? AND e.question_id = q.id)""",
            (prompt_sha256,),
        )

    def newer_than_examples(self, prompt_sha256: str) -> int:
        """Count the train and validation questions without an example, newer than this prompt's last example."""
        return self._connection.number(
            """SELECT count(*) FROM questions q WHERE split IN ('train', 'validation')
            AND created_at > (SELECT created_at FROM examples WHERE prompt_sha256 = ? ORDER BY id DESC LIMIT 1)
            AND NOT EXISTS (SELECT 1 FROM examples e WHERE e.prompt_sha256 = ? AND e.question_id = q.id)""",
            (prompt_sha256, prompt_sha256),
        )


def normal_sha256(messages: Sequence[Message]) -> str:
    """Return the hash that is equal for equal questions: roles and texts, in NFKC, casefolded, whitespace collapsed."""
    normal = [
        Message(message.role, " ".join(unicodedata.normalize("NFKC", message.content).casefold().split()))
        for message in messages
    ]
    return hashlib.sha256(messages_to_json(normal).encode("utf-8", "surrogatepass")).hexdigest()


def _where(**columns: str | None) -> tuple[str, tuple[str, ...]]:
    asked = {name: value for name, value in columns.items() if value is not None}
    where = " WHERE " + " AND ".join(f"{name} = ?" for name in asked) if asked else ""
    return where, tuple(asked.values())


def _listed(listed: QuestionFilter) -> tuple[str, tuple[str, ...]]:
    """Return the WHERE clause of a filter, with a leading space or empty, and its values."""
    conditions: list[str] = []
    values: list[str] = []
    if listed.split is not None:
        conditions.append("split IS NULL" if listed.split == "unsplit" else "split = ?")
        values += [listed.split] if listed.split != "unsplit" else []
    if listed.topic is not None:
        conditions.append("topic = ?")
        values.append(listed.topic)
    if query := match_query(listed.search):
        found = "SELECT rowid FROM questions_fts WHERE questions_fts MATCH ?"
        topics = "SELECT topic FROM (SELECT DISTINCT topic FROM questions) WHERE instr(folded(topic), ?)"
        conditions.append(f"(id IN ({found}) OR topic IN ({topics}))")
        values += [query, listed.search.strip().casefold()]
    return (" WHERE " + " AND ".join(conditions) if conditions else ""), tuple(values)


def _row(question: Question, created_at: str) -> tuple[Value, ...]:
    return (
        normal_sha256(question.messages),
        messages_to_json(question.messages),
        question.text,
        question.topic,
        question.source,
        question.label,
        question.split,
        created_at,
    )


def _question(row: sqlite3.Row) -> Question:
    return Question(
        messages=decode_all(Message, row["messages"]),
        topic=row["topic"],
        source=row["source"],
        label=row["label"],
        split=row["split"],
        id=row["id"],
    )
