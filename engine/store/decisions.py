"""The journal of decisions about examples. Undo and redo move whole steps, and survive a restart."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import NotFoundError
from engine.records.example import Decision, Verdict
from engine.records.selection import Selection
from engine.store.clock import now_text
from engine.store.connection import Connection
from engine.store.search import example_index
from engine.store.selection_sql import conditions

# A step is `applied`, `undone` (redo restores it), or `superseded`: undone, with other decisions made since then.
# Decisions are never removed from the journal; examples mirror their last applied decision and their last applied flag.
_FLAGS = "('flag', 'unflag')"
# Which of the selected examples a bulk verdict applies to. A cut answer is trained on only if a person completed it.
_DECIDES: dict[Verdict, str] = {
    "accept": "(e.finish_reason = 'stop' OR e.edited_answer IS NOT NULL)",
    "reject": "1",
    "flag": "1",
    "unflag": "e.flag_id IS NOT NULL",
}


@dataclass(frozen=True, slots=True)
class MovedStep:
    """A step that was undone or redone: how many decisions, and their verdict if it is the same for all."""

    decisions: int
    verdict: Verdict | None
    first_id: int  # the lowest example id in the step


class DecisionTable:
    """The decisions of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def decide(self, decisions: Sequence[Decision]) -> int:
        """Record `decisions` as one step and apply them. Steps that were undone before can no longer be redone.

        Returns the step's number, or 0 if there is nothing to decide. Raises `NotFoundError`, and changes nothing, if
        an example is unknown.
        """
        if not decisions:
            return 0
        now = now_text()
        with self._connection.transaction():
            self._refuse_unknown([decision.example_id for decision in decisions])
            step = self._begin_step()
            self._connection.write_many(
                """INSERT INTO decisions (step, example_id, verdict, source, edited_answer, reason, created_at)
                VALUES (?, ?, ?, ?, ?, ?, ?)""",
                [
                    (
                        step,
                        decision.example_id,
                        decision.verdict,
                        decision.source,
                        decision.edited_answer,
                        decision.reason,
                        decision.created_at or now,
                    )
                    for decision in decisions
                ],
            )
            self._settle(step)
        return step

    def decide_all(self, verdict: Verdict, selection: Selection, reason: str = "") -> int:
        """Record a person's verdict on all selected examples as one step; returns how many were decided.

        An answer keeps its current text, edited or not. Accepting skips answers that were cut; "edit" cannot be
        used as a bulk verdict. Raises `NotFoundError`, and changes nothing, if an id is unknown.
        """
        where, values = conditions(selection)
        chosen = f"FROM examples e{where or ' WHERE 1'} AND {_DECIDES[verdict]}"
        with self._connection.transaction():
            self._refuse_unknown(selection.ids)
            if self._connection.row(f"SELECT 1 {chosen} LIMIT 1", values) is None:
                return 0
            step = self._begin_step()
            words = "NULL" if verdict in ("flag", "unflag") else "e.edited_answer"
            count = self._connection.write(
                f"""INSERT INTO decisions (step, example_id, verdict, source, edited_answer, reason, created_at)
                SELECT ?, e.id, CASE WHEN ? = 'accept' AND e.edited_answer IS NOT NULL THEN 'edit' ELSE ? END,
                'person', {words}, ?, ? {chosen}""",
                (step, verdict, verdict, reason, now_text(), *values),
            )
            self._settle(step)
        return count

    def _begin_step(self) -> int:
        self._connection.write("UPDATE decision_steps SET state = 'superseded' WHERE state = 'undone'")
        return self._connection.insert(
            "INSERT INTO decision_steps SELECT coalesce(max(step), 0) + 1, 'applied' FROM decision_steps"
        )

    def undo(self) -> MovedStep | None:
        """Undo the last applied step. Returns it, or None if there is none."""
        return self._move("SELECT max(step) FROM decision_steps s WHERE state = 'applied'", "undone")

    def redo(self) -> MovedStep | None:
        """Redo the step that was undone last. Returns it, or None if there is none."""
        return self._move("SELECT min(step) FROM decision_steps s WHERE state = 'undone'", "applied")

    def by_person(self, prompt_sha256: str) -> dict[int, bool]:
        """Return, per example id of a prompt, whether its current decision was made by a person."""
        rows = self._connection.rows(
            """SELECT e.id, d.source = 'person' FROM examples e LEFT JOIN decisions d ON d.id = e.decision_id
            WHERE e.prompt_sha256 = ?""",
            (prompt_sha256,),
        )
        return {row[0]: bool(row[1]) for row in rows}

    def _refuse_unknown(self, ids: Sequence[int]) -> None:
        unknown = self._connection.value(
            "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM examples) LIMIT 1",
            (json.dumps(list(ids)),),
        )
        if unknown is not None:
            raise NotFoundError(
                f"There is no example {unknown!r}.",
                "Nothing was decided.",
                "See `distill-tui curate list`.",
            )

    def _move(self, choice: str, state: str) -> MovedStep | None:
        with self._connection.transaction():
            # Skip steps that are empty because their questions were deleted.
            step = self._connection.number(f"{choice} AND EXISTS (SELECT 1 FROM decisions d WHERE d.step = s.step)")
            if not step:
                return None
            self._connection.write("UPDATE decision_steps SET state = ? WHERE step = ?", (state, step))
            self._settle(step)
            row = self._connection.row(
                """SELECT count(*), CASE WHEN min(verdict) = max(verdict) THEN min(verdict) END, min(example_id)
                FROM decisions WHERE step = ?""",
                (step,),
            )
            return None if row is None else MovedStep(*row)

    def _settle(self, step: int) -> None:
        """Make the examples of `step` mirror their last applied decision and flag."""
        examples = "SELECT example_id FROM decisions WHERE step = ?"
        edited = f"id IN ({examples}) AND id IN (SELECT example_id FROM decisions WHERE edited_answer IS NOT NULL)"
        words = example_index(self._connection)
        words.forget(edited, (step,))
        applied = """FROM decisions d JOIN decision_steps s ON s.step = d.step
            WHERE d.example_id = examples.id AND s.state = 'applied'"""
        self._connection.write(
            f"""UPDATE examples SET
            decision_id = (SELECT d.id {applied} AND d.verdict NOT IN {_FLAGS} ORDER BY d.id DESC LIMIT 1),
            flag_id = (SELECT CASE d.verdict WHEN 'flag' THEN d.id END
                {applied} AND d.verdict IN {_FLAGS} ORDER BY d.id DESC LIMIT 1)
            WHERE id IN ({examples})""",
            (step,),
        )
        self._connection.write(
            f"""UPDATE examples SET (state, edited_answer) =
                (SELECT coalesce(max(CASE d.verdict WHEN 'reject' THEN 'rejected' ELSE 'accepted' END), 'undecided'),
                    max(d.edited_answer) FROM decisions d WHERE d.id = examples.decision_id)
            WHERE id IN ({examples})""",
            (step,),
        )
        words.learn(edited, (step,))
