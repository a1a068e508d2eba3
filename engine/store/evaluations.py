"""Evaluations: the arms' answers as they finish, and the results at the end."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from engine.records.evaluation import ArmAnswer, ArmScore, Evaluation
from engine.records.question import Split
from engine.records.regressions import ProbeKind
from engine.records.rule import CheckResult
from engine.store.clock import now_text
from engine.store.connection import Connection
from engine.store.dataclass_json import decode, decode_all, encode, encode_all


class EvaluationTable:
    """The evaluations of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_answers(
        self, run_id: int, evaluation_key: str, answers: Sequence[ArmAnswer], source_sha256: str = ""
    ) -> None:
        """Store answers of a running evaluation.

        Existing answers stay unchanged, except errors, which are replaced. Answers to a question that was deleted in
        the meantime are dropped. `evaluation_key` identifies the run, its step and the options, so that a killed
        evaluation resumes where it was; `source_sha256` identifies everything that determines these answers except
        question and sample, or is empty if unknown.
        """
        self._connection.write_many(
            """INSERT INTO arm_answers (evaluation_key, arm, question_id, sample, run_id, answer, finish_reason, checks,
            prompt_tokens, completion_tokens, source_sha256) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
            WHERE EXISTS (SELECT 1 FROM questions WHERE id = ?3)
            ON CONFLICT (evaluation_key, arm, question_id, sample) DO UPDATE SET run_id = excluded.run_id,
            answer = excluded.answer, finish_reason = excluded.finish_reason, checks = excluded.checks,
            prompt_tokens = excluded.prompt_tokens, completion_tokens = excluded.completion_tokens,
            source_sha256 = excluded.source_sha256 WHERE arm_answers.finish_reason = 'error'""",
            [
                (
                    evaluation_key,
                    answer.arm,
                    answer.question_id,
                    answer.sample,
                    run_id,
                    answer.answer,
                    answer.finish_reason,
                    encode_all(answer.checks),
                    answer.prompt_tokens,
                    answer.completion_tokens,
                    source_sha256,
                )
                for answer in answers
            ],
        )

    def add_verdicts(
        self, run_id: int, evaluation_key: str, judge: str, verdicts: Sequence[tuple[ArmAnswer, CheckResult]]
    ) -> None:
        """Store what `judge` found in answers: per answer a rule, whether it passes, and the reason as its note.

        Verdicts on answers whose question was deleted in the meantime are dropped.
        """
        self._connection.write_many(
            """INSERT INTO verdicts (evaluation_key, judge, arm, question_id, sample, rule_id, passed, reason, run_id)
            SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM questions WHERE id = ?4)
            ON CONFLICT DO NOTHING""",
            [
                (evaluation_key, judge, a.arm, a.question_id, a.sample, found.rule_id, found.passed, found.note, run_id)
                for a, found in verdicts
            ],
        )

    def answers(self, evaluation_key: str, judge: str = "") -> tuple[ArmAnswer, ...]:
        """Return the answers of one evaluation by arm, question and sample, with verdicts by `judge`."""
        judged: dict[tuple[str, int, int], list[CheckResult]] = {}
        for row in self._connection.rows(
            "SELECT * FROM verdicts WHERE evaluation_key = ? AND judge = ?", (evaluation_key, judge)
        ):
            found = CheckResult(row["rule_id"], bool(row["passed"]), "" if row["passed"] else row["reason"])
            judged.setdefault((row["arm"], row["question_id"], row["sample"]), []).append(found)
        rows = self._connection.rows(
            "SELECT * FROM arm_answers WHERE evaluation_key = ? ORDER BY arm, question_id, sample", (evaluation_key,)
        )
        return tuple(
            replace(answer, checks=tuple(sorted((*answer.checks, *more), key=lambda check: check.rule_id)))
            if (more := judged.get((answer.arm, answer.question_id, answer.sample), ()))
            else answer
            for answer in map(_answer, rows)
        )

    def add_probe_answers(self, run_id: int, source_sha256: str, kind: ProbeKind, answers: Sequence[ArmAnswer]) -> None:
        """Store new answers to probes, whose `question_id` is the probe's number.

        `source_sha256` identifies everything else that determines them, so that other evaluations can reuse them.
        """
        self._connection.write_many(
            """INSERT INTO probe_answers (evaluation_key, kind, arm, number, run_id, answer) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (evaluation_key, kind, arm, number) DO NOTHING""",
            [(source_sha256, kind, answer.arm, answer.question_id, run_id, encode(answer)) for answer in answers],
        )

    def probe_answers(self, source_sha256: str, kind: ProbeKind) -> tuple[ArmAnswer, ...]:
        """Return one source's answers to probes of one kind, by number. Checks used the rules of that time."""
        rows = self._connection.rows(
            "SELECT answer FROM probe_answers WHERE evaluation_key = ? AND kind = ? ORDER BY arm, number",
            (source_sha256, kind),
        )
        return tuple(decode(ArmAnswer, row[0]) for row in rows)

    def answers_from(self, source_sha256: str) -> tuple[ArmAnswer, ...]:
        """Return the first answer to each question and sample from this source, in any evaluation and arm.

        The checks used the rules of that time. Errors are left out: the endpoint may answer now.
        """
        rows = self._connection.rows(
            """SELECT *, min(rowid) FROM arm_answers WHERE source_sha256 = ? AND source_sha256 <> ''
            AND finish_reason <> 'error' GROUP BY question_id, sample""",
            (source_sha256,),
        )
        return tuple(map(_answer, rows))

    def score_of(self, source_sha256: str) -> ArmScore | None:
        """Return the newest score of an arm with answers from this source and a measured speed, or None."""
        rows = self._connection.rows(
            "SELECT DISTINCT evaluation_key, arm FROM arm_answers WHERE source_sha256 = ?", (source_sha256,)
        )
        found = {tuple(row) for row in rows}
        scores = (
            score
            for evaluation in reversed(self.all())
            for arm, score in evaluation.arms
            if (evaluation.answers_key, arm) in found and score.ttft_ms_p50
        )
        return next(scores, None)

    def add(self, evaluation: Evaluation) -> Evaluation:
        """Store a finished evaluation; returns it with its id and time. Raises `StoreError` for an unknown run."""
        dated = replace(evaluation, created_at=evaluation.created_at or now_text())
        number = self._connection.insert(
            "INSERT INTO evaluations (run_id, created_at, evaluation) VALUES (?, ?, ?)",
            (dated.run_id, dated.created_at, encode(dated)),
        )
        return replace(dated, id=number)

    def latest(self, run_id: int | None = None, split: Split | None = None) -> Evaluation | None:
        """Return the newest evaluation, optionally of one run or on one split; None if there is none."""
        where = "WHERE run_id = coalesce(?, run_id) ORDER BY id DESC LIMIT ?"
        limit = 1 if split is None else -1
        for row in self._connection.rows(f"SELECT id, evaluation FROM evaluations {where}", (run_id, limit)):
            evaluation = _evaluation(row)
            if split in (None, evaluation.split):
                return evaluation
        return None

    def all(self) -> tuple[Evaluation, ...]:
        """Return all evaluations, oldest first."""
        return tuple(map(_evaluation, self._connection.rows("SELECT id, evaluation FROM evaluations ORDER BY id")))

    def count(self) -> int:
        """Return the number of evaluations."""
        return self._connection.number("SELECT count(*) FROM evaluations")


def _evaluation(row: sqlite3.Row) -> Evaluation:
    return replace(decode(Evaluation, row["evaluation"]), id=row["id"])


def _answer(row: sqlite3.Row) -> ArmAnswer:
    return ArmAnswer(
        arm=row["arm"],
        question_id=row["question_id"],
        sample=row["sample"],
        answer=row["answer"],
        finish_reason=row["finish_reason"],
        checks=decode_all(CheckResult, row["checks"]),
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=row["completion_tokens"],
    )
