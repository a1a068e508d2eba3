"""Examples: one stored answer per key, with its current decision."""

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256

from engine.errors import NotFoundError
from engine.records.example import CuratedExample, Decision, Example, ExampleCounts, ExampleKey, Usage
from engine.records.rule import CheckResult
from engine.records.selection import Selection
from engine.store.clock import now_text
from engine.store.connection import Connection
from engine.store.dataclass_json import decode_all, encode_all
from engine.store.packing import pack_ids, unpack_ids
from engine.store.search import example_index
from engine.store.selection_sql import conditions
from engine.store.spending import SpendingTable
from engine.store.values import Value, Values

_KEY = "prompt_sha256, question_id, teacher, attempt"
_COLUMNS = (
    *_KEY.split(", "), "answer", "finish_reason", "teacher_kind", "token_ids", "prompt_tokens", "completion_tokens",
    "cached_tokens", "written_tokens", "cost_usd", "counted_here", "temperature", "seconds", "checks", "created_at",
)  # fmt: skip
_CURATED = """SELECT e.*, d.step, d.verdict, d.source, d.reason, d.created_at AS decided_at,
    f.step AS flag_step, f.reason AS flag_reason, f.created_at AS flagged_at
    FROM examples e LEFT JOIN decisions d ON d.id = e.decision_id LEFT JOIN decisions f ON f.id = e.flag_id"""
_EVERYTHING = Selection()


class ExampleTable:
    """The examples of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._spending = SpendingTable(connection)

    def add(self, examples: Sequence[Example]) -> int:
        """Store the examples with new keys, book their tokens and cost, and clear their in-flight keys; all or none.

        Returns how many were stored. If a question was deleted while it was being answered, only the cost is booked.
        """
        now = now_text()
        marks = ", ".join("?" * len(_COLUMNS))
        with self._connection.transaction():
            last = self._connection.number("SELECT max(id) FROM examples")
            stored = self._connection.write_many(
                f"""INSERT INTO examples ({", ".join(_COLUMNS)}) SELECT {marks}
                WHERE EXISTS (SELECT 1 FROM questions WHERE id = ?2) ON CONFLICT ({_KEY}) DO NOTHING""",
                [_row(example, now) for example in examples],
            )
            self._spending.book(last, self._without_question(examples))
            example_index(self._connection).learn("id > ?", (last,))
            self._learn_broken_rules("e.id > ?", (last,))
            self.clear_in_flight([example.key for example in examples])
        return stored

    def _without_question(self, examples: Sequence[Example]) -> list[Example]:
        """Return the examples whose questions have been deleted."""
        asked = json.dumps([example.key.question_id for example in examples])
        rows = self._connection.rows("SELECT id FROM questions WHERE id IN (SELECT value FROM json_each(?))", (asked,))
        there = {row[0] for row in rows}
        return [example for example in examples if example.key.question_id not in there]

    def all(self, prompt_sha256: str | None = None) -> tuple[CuratedExample, ...]:
        """Return all examples by id, optionally of one prompt."""
        where, values = ("", ()) if prompt_sha256 is None else (" WHERE e.prompt_sha256 = ?", (prompt_sha256,))
        return tuple(map(_curated, self._connection.rows(f"{_CURATED}{where} ORDER BY e.id", values)))

    def get(self, id: int) -> CuratedExample:
        """Return one example. Raises `NotFoundError`."""
        row = self._connection.row(f"{_CURATED} WHERE e.id = ?", (id,))
        if row is None:
            raise NotFoundError(f"There is no example {id}.", "", "See `distill-tui curate list`.")
        return _curated(row)

    def window(self, offset: int, limit: int, selection: Selection = _EVERYTHING) -> tuple[CuratedExample, ...]:
        """Return `limit` of the selected examples by id, starting at `offset`. A negative limit means all."""
        sql, values = window_query(selection)
        return tuple(map(_curated, self._connection.rows(sql, (*values, limit, offset))))

    def counts(self, prompt_sha256: str | None = None) -> ExampleCounts:
        """Count the examples in each state, optionally of one prompt."""
        where, values = ("", ()) if prompt_sha256 is None else (" WHERE prompt_sha256 = ?", (prompt_sha256,))
        rows = self._connection.rows(f"SELECT state, count(*) FROM examples{where} GROUP BY state", values)
        by_state: dict[str, int] = {row[0]: row[1] for row in rows}
        return ExampleCounts(
            total=sum(by_state.values()),
            accepted=by_state.get("accepted", 0),
            rejected=by_state.get("rejected", 0),
            undecided=by_state.get("undecided", 0),
            flagged=self.count(Selection(prompt_sha256, flagged=True)),
        )

    def count(self, selection: Selection = _EVERYTHING) -> int:
        """Count the selected examples."""
        where, values = conditions(selection)
        return self._connection.number(f"SELECT count(*) FROM examples e{where}", values)

    def position(self, id: int, selection: Selection = _EVERYTHING) -> int:
        """Return the offset of this example in `window`, present or not: how many of the selected precede it."""
        where, values = conditions(selection)
        where = f"{where} AND e.id < ?" if where else " WHERE e.id < ?"
        return self._connection.number(f"SELECT count(*) FROM examples e{where}", (*values, id))

    def next_after(self, id: int, selection: Selection, *, backwards: bool = False) -> int | None:
        """Return the id of the next (or previous) selected example, wrapping around; None if none is selected."""
        where, values = conditions(selection)
        sql = f"SELECT {'max' if backwards else 'min'}(e.id) FROM examples e{where}"
        beyond = f"{' AND' if where else ' WHERE'} e.id {'<' if backwards else '>'} ?"
        found = self._connection.value(f"{sql}{beyond}", (*values, id))
        found = self._connection.value(sql, values) if found is None else found
        return found if isinstance(found, int) else None

    def newest_id(self) -> int:
        """Return the id of the newest example, or 0."""
        return self._connection.number("SELECT max(id) FROM examples")

    def cut(self, selection: Selection) -> tuple[int, ...]:
        """Return the ids of the selected examples that did not end on their own and were not completed by a person."""
        where, values = conditions(selection)
        rows = self._connection.rows(
            f"""SELECT e.id FROM examples e{where or " WHERE 1"}
            AND e.finish_reason <> 'stop' AND e.edited_answer IS NULL ORDER BY e.id""",
            values,
        )
        return tuple(row[0] for row in rows)

    def attempts(self, question_ids: Sequence[int], prompt_sha256: str) -> dict[int, tuple[int, ...]]:
        """Return, per question that has examples, the ids of its examples, oldest first."""
        rows = self._connection.rows(
            # The plus keeps SQLite from using the prompt's index, which would scan all its rows for these few.
            """SELECT question_id, id FROM examples WHERE +prompt_sha256 = ?
            AND question_id IN (SELECT value FROM json_each(?)) ORDER BY id""",
            (prompt_sha256, json.dumps(list(question_ids))),
        )
        found: dict[int, tuple[int, ...]] = {}
        for question_id, example_id in rows:
            found[question_id] = (*found.get(question_id, ()), example_id)
        return found

    def next_attempts(self, question_ids: Sequence[int], prompt_sha256: str, teacher: str) -> dict[int, int]:
        """Return, per question, the number of this teacher's next attempt, from 0."""
        rows = self._connection.rows(
            """SELECT q.value, coalesce(max(e.attempt) + 1, 0) FROM json_each(?) q LEFT JOIN examples e
            ON e.question_id = q.value AND e.prompt_sha256 = ? AND e.teacher = ? GROUP BY q.value""",
            (json.dumps(list(question_ids)), prompt_sha256, teacher),
        )
        return {row[0]: row[1] for row in rows}

    def missing(self, asks: Sequence[tuple[int, int]], prompt_sha256: str, teacher: str) -> list[tuple[int, int]]:
        """Return the (question id, attempt) pairs among `asks` that this teacher has not answered."""
        rows = self._connection.rows(
            """SELECT json_extract(a.value, '$[0]') AS question, json_extract(a.value, '$[1]') AS number
            FROM json_each(?) a WHERE NOT EXISTS (SELECT 1 FROM examples e WHERE e.prompt_sha256 = ?
            AND e.question_id = question AND e.teacher = ? AND e.attempt = number)""",
            (json.dumps(asks), prompt_sha256, teacher),
        )
        return [(row[0], row[1]) for row in rows]

    def questions_of(self, selection: Selection) -> tuple[int, ...]:
        """Return the ids of the questions that the selected examples answer."""
        where, values = conditions(selection)
        rows = self._connection.rows(f"SELECT DISTINCT e.question_id FROM examples e{where} ORDER BY 1", values)
        return tuple(row[0] for row in rows)

    def broken_rules(self, selection: Selection) -> dict[int, int]:
        """Return, per rule, how many of the selected answers break it. Rules without any are left out."""
        where, values = conditions(selection)
        rows = self._connection.rows(
            f"""SELECT b.rule_id, count(*) FROM broken_rules b JOIN examples e ON e.id = b.example_id{where}
            GROUP BY b.rule_id""",
            values,
        )
        return {row[0]: row[1] for row in rows}

    def topics(self, selection: Selection) -> tuple[tuple[str, int], ...]:
        """Return each topic of the selected examples with their number, by name."""
        where, values = conditions(selection)
        rows = self._connection.rows(
            f"""SELECT t.topic, count(*) FROM examples e JOIN questions t ON t.id = e.question_id{where}
            GROUP BY t.topic ORDER BY t.topic""",
            values,
        )
        return tuple((row[0], row[1]) for row in rows)

    def accepted_sha256(self, prompt_sha256: str) -> str:
        """Return a hash of what is accepted for this prompt: the example ids and the edited answers."""
        ids = self._connection.value(
            """SELECT group_concat(id) FROM
            (SELECT id FROM examples WHERE prompt_sha256 = ? AND state = 'accepted' ORDER BY id)""",
            (prompt_sha256,),
        )
        edits = self._connection.rows(
            # CROSS JOIN: read the few edits first, by their index, instead of all accepted examples.
            """SELECT e.id, e.edited_answer FROM decisions d CROSS JOIN examples e ON e.id = d.example_id
            WHERE d.edited_answer IS NOT NULL AND e.decision_id = d.id
            AND e.prompt_sha256 = ? AND e.state = 'accepted' ORDER BY e.id""",
            (prompt_sha256,),
        )
        return sha256(repr((ids, [tuple(row) for row in edits])).encode("utf-8", "surrogatepass")).hexdigest()

    def set_checks(self, checks: Mapping[int, Sequence[CheckResult]]) -> None:
        """Store check results by example id, all or none. Raises `NotFoundError`."""
        with self._connection.transaction():
            for example_id, results in checks.items():
                values = (encode_all(results), example_id)
                if not self._connection.write("UPDATE examples SET checks = ? WHERE id = ?", values):
                    self.get(example_id)
                self._connection.write("DELETE FROM broken_rules WHERE example_id = ?", (example_id,))
                self._learn_broken_rules("e.id = ?", (example_id,))

    def _learn_broken_rules(self, where: str, values: Values) -> None:
        """Store which rules are broken by the examples that match `where`. None of them may be stored yet."""
        self._connection.write(
            f"""INSERT INTO broken_rules SELECT DISTINCT json_extract(c.value, '$.rule_id'), e.id
            FROM examples e, json_each(e.checks) c WHERE {where} AND NOT json_extract(c.value, '$.passed')""",
            values,
        )

    def record_in_flight(self, keys: Sequence[ExampleKey]) -> None:
        """Record the keys of requests in flight: after a kill, at most these are paid for twice."""
        sql = f"INSERT INTO in_flight ({_KEY}) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        self._connection.write_many(sql, [_values(key) for key in keys])

    def clear_in_flight(self, keys: Sequence[ExampleKey]) -> None:
        """Forget these requests: their answers are stored, or they failed without cost."""
        sql = "DELETE FROM in_flight WHERE prompt_sha256 = ? AND question_id = ? AND teacher = ? AND attempt = ?"
        self._connection.write_many(sql, [_values(key) for key in keys])

    def in_flight(self, among: Collection[ExampleKey] | None = None) -> int:
        """Count the requests in flight now, or when a generation was killed; optionally only `among` these keys."""
        keys = {ExampleKey(*row) for row in self._connection.rows(f"SELECT {_KEY} FROM in_flight")}
        return len(keys if among is None else keys.intersection(among))


def window_query(selection: Selection) -> tuple[str, tuple[Value, ...]]:
    """Return the statement behind `window`, with all its values except limit and offset."""
    where, values = conditions(selection)
    # Skipped rows then cost only an index entry each, not the whole row with its decision.
    shown = f"SELECT e.id FROM examples e{where} ORDER BY e.id LIMIT ? OFFSET ?"
    return f"{_CURATED} WHERE e.id IN ({shown}) ORDER BY e.id", values


def _values(key: ExampleKey) -> tuple[Value, ...]:
    return key.prompt_sha256, key.question_id, key.teacher, key.attempt


def _row(example: Example, now: str) -> tuple[Value, ...]:
    usage = example.usage
    return (
        *_values(example.key),
        example.answer,
        example.finish_reason,
        example.teacher_kind,
        None if example.token_ids is None else pack_ids(example.token_ids),
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.cached_tokens,
        usage.written_tokens,
        usage.cost_usd,
        usage.counted_here,
        example.temperature,
        example.seconds,
        encode_all(example.checks),
        example.created_at or now,
    )


def _curated(row: sqlite3.Row) -> CuratedExample:
    example = Example(
        key=ExampleKey(row["prompt_sha256"], row["question_id"], row["teacher"], row["attempt"]),
        answer=row["answer"],
        finish_reason=row["finish_reason"],
        teacher_kind=row["teacher_kind"],
        token_ids=None if row["token_ids"] is None else unpack_ids(row["token_ids"]),
        usage=Usage(
            prompt_tokens=row["prompt_tokens"],
            completion_tokens=row["completion_tokens"],
            cached_tokens=row["cached_tokens"],
            written_tokens=row["written_tokens"],
            cost_usd=row["cost_usd"],
            counted_here=bool(row["counted_here"]),
        ),
        temperature=row["temperature"],
        seconds=row["seconds"],
        checks=decode_all(CheckResult, row["checks"]),
        created_at=row["created_at"],
        id=row["id"],
        carried_from=row["carried_from"],
    )
    decision = flag = None
    if row["decision_id"] is not None:
        decision = Decision(
            example_id=row["id"],
            verdict=row["verdict"],
            source=row["source"],
            edited_answer=row["edited_answer"],
            reason=row["reason"],
            step=row["step"],
            created_at=row["decided_at"],
        )
    if row["flag_id"] is not None:
        flag = Decision(
            example_id=row["id"],
            verdict="flag",
            source="person",
            reason=row["flag_reason"],
            step=row["flag_step"],
            created_at=row["flagged_at"],
        )
    return CuratedExample(example, decision, flag)
