"""Examples: one stored completion a key, and the decision that stands about each."""

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from engine.errors import NotFoundError
from engine.records.example import CuratedExample, Decision, Example, ExampleKey, Usage
from engine.records.rule import CheckResult
from engine.records.selection import Selection
from engine.store.clock import now_text
from engine.store.connection import Connection, Value, Values
from engine.store.packing import pack_ids, unpack_ids
from engine.store.search import example_index
from engine.store.selecting import conditions
from engine.store.spending import SpendingTable
from engine.store.words_json import decode_all, encode_all

_KEY = "prompt_sha256, question_id, teacher, attempt"
_COLUMNS = (
    *_KEY.split(", "), "answer", "finish_reason", "teacher_kind", "token_ids", "prompt_tokens", "completion_tokens",
    "cached_tokens", "written_tokens", "cost_usd", "counted_here", "temperature", "seconds", "checks", "created_at",
)  # fmt: skip
_CURATED = """SELECT e.*, d.step, d.verdict, d.source, d.reason, d.created_at AS decided_at,
    f.step AS flag_step, f.reason AS flag_reason, f.created_at AS flagged_at
    FROM examples e LEFT JOIN decisions d ON d.id = e.decision_id LEFT JOIN decisions f ON f.id = e.flag_id"""
_EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class ExampleCounts:
    """How many examples there are, by what was decided about them."""

    total: int = 0
    accepted: int = 0
    rejected: int = 0
    undecided: int = 0
    flagged: int = 0

    @property
    def words(self) -> str:
        """What was decided, as people read it."""
        return f"{self.accepted} accepted, {self.rejected} rejected, {self.undecided} undecided"


class ExampleTable:
    """The examples of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._spending = SpendingTable(connection)

    def add(self, examples: Sequence[Example]) -> int:
        """Store those whose key is new, book their tokens and cost, and take their keys out of flight; all or none.

        Returns how many were stored: a question that was removed while it was answered leaves no example, only what
        the answer cost.
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
            self._spending.book(last, self._homeless(examples))
            example_index(self._connection).learn("id > ?", (last,))
            self._learn_broken_rules("e.id > ?", (last,))
            self.clear_in_flight([example.key for example in examples])
        return stored

    def _homeless(self, examples: Sequence[Example]) -> list[Example]:
        """Those whose questions were removed."""
        asked = json.dumps([example.key.question_id for example in examples])
        rows = self._connection.rows("SELECT id FROM questions WHERE id IN (SELECT value FROM json_each(?))", (asked,))
        there = {row[0] for row in rows}
        return [example for example in examples if example.key.question_id not in there]

    def all(self, prompt_sha256: str | None = None) -> tuple[CuratedExample, ...]:
        """All examples by id, or those of one prompt."""
        where, values = ("", ()) if prompt_sha256 is None else (" WHERE e.prompt_sha256 = ?", (prompt_sha256,))
        return tuple(map(_curated, self._connection.rows(f"{_CURATED}{where} ORDER BY e.id", values)))

    def get(self, id: int) -> CuratedExample:
        """One example. Raises `NotFoundError`."""
        row = self._connection.row(f"{_CURATED} WHERE e.id = ?", (id,))
        if row is None:
            raise NotFoundError(
                "There is no such example.", f"No example has the number {id}.", "See `distill-tui curate list`."
            )
        return _curated(row)

    def window(self, offset: int, limit: int, selection: Selection = _EVERYTHING) -> tuple[CuratedExample, ...]:
        """`limit` of the selected examples by id, from the `offset`-th on; a negative limit means all."""
        sql, values = window_query(selection)
        return tuple(map(_curated, self._connection.rows(sql, (*values, limit, offset))))

    def counts(self, prompt_sha256: str | None = None) -> ExampleCounts:
        """How many examples there are in each state, of all prompts or of one."""
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
        """How many examples are selected."""
        where, values = conditions(selection)
        return self._connection.number(f"SELECT count(*) FROM examples e{where}", values)

    def position(self, id: int, selection: Selection = _EVERYTHING) -> int:
        """The offset at which `window` shows this example, or would: how many of the selected stand before it."""
        where, values = conditions(selection)
        where = f"{where} AND e.id < ?" if where else " WHERE e.id < ?"
        return self._connection.number(f"SELECT count(*) FROM examples e{where}", (*values, id))

    def next_after(self, id: int, selection: Selection, *, backwards: bool = False) -> int | None:
        """The number of the first selected example after this one, or before it; from the other end where none is."""
        where, values = conditions(selection)
        sql = f"SELECT {'max' if backwards else 'min'}(e.id) FROM examples e{where}"
        beyond = f"{' AND' if where else ' WHERE'} e.id {'<' if backwards else '>'} ?"
        found = self._connection.value(f"{sql}{beyond}", (*values, id))
        found = self._connection.value(sql, values) if found is None else found
        return found if isinstance(found, int) else None

    def newest_id(self) -> int:
        """The number of the example that came last; 0 where there is none."""
        return self._connection.number("SELECT max(id) FROM examples")

    def cut(self, selection: Selection) -> tuple[int, ...]:
        """The numbers of the selected examples that did not end by themselves and that no person ended."""
        where, values = conditions(selection)
        rows = self._connection.rows(
            f"""SELECT e.id FROM examples e{where or " WHERE 1"}
            AND e.finish_reason <> 'stop' AND e.edited_answer IS NULL ORDER BY e.id""",
            values,
        )
        return tuple(row[0] for row in rows)

    def attempts(self, question_ids: Sequence[int], prompt_sha256: str) -> dict[int, tuple[int, ...]]:
        """For each of these questions the numbers of its examples, in the order in which they came."""
        rows = self._connection.rows(
            # The plus keeps SQLite from looking through all rows of the prompt for these few.
            """SELECT question_id, id FROM examples WHERE +prompt_sha256 = ?
            AND question_id IN (SELECT value FROM json_each(?)) ORDER BY id""",
            (prompt_sha256, json.dumps(list(question_ids))),
        )
        found: dict[int, tuple[int, ...]] = {}
        for question_id, example_id in rows:
            found[question_id] = (*found.get(question_id, ()), example_id)
        return found

    def next_attempts(self, question_ids: Sequence[int], prompt_sha256: str, teacher: str) -> dict[int, int]:
        """For each of these questions the attempt that this teacher has not made yet, from 0."""
        rows = self._connection.rows(
            """SELECT q.value, coalesce(max(e.attempt) + 1, 0) FROM json_each(?) q LEFT JOIN examples e
            ON e.question_id = q.value AND e.prompt_sha256 = ? AND e.teacher = ? GROUP BY q.value""",
            (json.dumps(list(question_ids)), prompt_sha256, teacher),
        )
        return {row[0]: row[1] for row in rows}

    def missing(self, asks: Sequence[tuple[int, int]], prompt_sha256: str, teacher: str) -> list[tuple[int, int]]:
        """Those of these (question id, attempt) that this teacher has not answered."""
        rows = self._connection.rows(
            """SELECT json_extract(a.value, '$[0]') AS question, json_extract(a.value, '$[1]') AS number
            FROM json_each(?) a WHERE NOT EXISTS (SELECT 1 FROM examples e WHERE e.prompt_sha256 = ?
            AND e.question_id = question AND e.teacher = ? AND e.attempt = number)""",
            (json.dumps(asks), prompt_sha256, teacher),
        )
        return [(row[0], row[1]) for row in rows]

    def questions_of(self, selection: Selection) -> tuple[int, ...]:
        """The numbers of the questions that the selected examples answer."""
        where, values = conditions(selection)
        rows = self._connection.rows(f"SELECT DISTINCT e.question_id FROM examples e{where} ORDER BY 1", values)
        return tuple(row[0] for row in rows)

    def broken_rules(self, prompt_sha256: str) -> dict[int, int]:
        """How many answers to this prompt break each rule; rules that none breaks are left out."""
        rows = self._connection.rows(
            """SELECT b.rule_id, count(*) FROM broken_rules b JOIN examples e ON e.id = b.example_id
            WHERE e.prompt_sha256 = ? GROUP BY b.rule_id""",
            (prompt_sha256,),
        )
        return {row[0]: row[1] for row in rows}

    def accepted_sha256(self, prompt_sha256: str) -> str:
        """The hash of what is accepted of this prompt: which examples, and which words a person changed."""
        ids = self._connection.value(
            """SELECT group_concat(id) FROM
            (SELECT id FROM examples WHERE prompt_sha256 = ? AND state = 'accepted' ORDER BY id)""",
            (prompt_sha256,),
        )
        edits = self._connection.rows(
            # CROSS JOIN: the few edits first, by their own index, instead of all that is accepted.
            """SELECT e.id, e.edited_answer FROM decisions d CROSS JOIN examples e ON e.id = d.example_id
            WHERE d.edited_answer IS NOT NULL AND e.decision_id = d.id
            AND e.prompt_sha256 = ? AND e.state = 'accepted' ORDER BY e.id""",
            (prompt_sha256,),
        )
        return sha256(repr((ids, [tuple(row) for row in edits])).encode("utf-8", "surrogatepass")).hexdigest()

    def stored_between(self, teacher: str, start: str, end: str) -> int:
        """How many answers of a teacher were stored from one time to another."""
        return self._connection.number(
            "SELECT count(*) FROM examples WHERE teacher = ? AND created_at BETWEEN ? AND ?", (teacher, start, end)
        )

    def set_checks(self, checks: Mapping[int, Sequence[CheckResult]]) -> None:
        """Keep what the rules' checks found, by example, all or none. Raises `NotFoundError`."""
        with self._connection.transaction():
            for example_id, results in checks.items():
                values = (encode_all(results), example_id)
                if not self._connection.write("UPDATE examples SET checks = ? WHERE id = ?", values):
                    self.get(example_id)
                self._connection.write("DELETE FROM broken_rules WHERE example_id = ?", (example_id,))
                self._learn_broken_rules("e.id = ?", (example_id,))

    def _learn_broken_rules(self, where: str, values: Values) -> None:
        """Note which rules are broken by the examples that meet `where`, of which none is noted."""
        self._connection.write(
            f"""INSERT INTO broken_rules SELECT DISTINCT json_extract(c.value, '$.rule_id'), e.id
            FROM examples e, json_each(e.checks) c WHERE {where} AND NOT json_extract(c.value, '$.passed')""",
            values,
        )

    def record_in_flight(self, keys: Sequence[ExampleKey]) -> None:
        """Remember what is being asked for: after a kill, these at most are paid for twice."""
        sql = f"INSERT INTO in_flight ({_KEY}) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        self._connection.write_many(sql, [_values(key) for key in keys])

    def clear_in_flight(self, keys: Sequence[ExampleKey]) -> None:
        """Forget what was asked for: it was stored, or failed in a way that costs nothing."""
        sql = "DELETE FROM in_flight WHERE prompt_sha256 = ? AND question_id = ? AND teacher = ? AND attempt = ?"
        self._connection.write_many(sql, [_values(key) for key in keys])

    def in_flight(self, among: Collection[ExampleKey] | None = None) -> int:
        """How many answers are being asked for, or were when a generation was killed; only of these, where given."""
        keys = {ExampleKey(*row) for row in self._connection.rows(f"SELECT {_KEY} FROM in_flight")}
        return len(keys if among is None else keys.intersection(among))


def window_query(selection: Selection) -> tuple[str, tuple[Value, ...]]:
    """The statement behind `window`, with all its values but limit and offset."""
    where, values = conditions(selection)
    # Rows that are only passed over cost an entry of an index each, not the row with its decision.
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
