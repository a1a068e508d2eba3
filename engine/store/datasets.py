"""Frozen datasets, named by their content hash, which is verified when they are read."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256 as new_sha256

from engine.errors import DatasetError, NotFoundError
from engine.records.dataset import Dataset, DatasetPrompt, DatasetRow, DatasetSummary, OtherPrompt
from engine.records.options import TeacherSpec
from engine.records.prompt import messages_to_json
from engine.records.rule import Rule
from engine.store.clock import now_text
from engine.store.connection import Connection
from engine.store.dataclass_json import decode, decode_all, encode, encode_all
from engine.store.examples import ExampleTable
from engine.store.packing import pack_flags, pack_ids, unpack_flags, unpack_ids
from engine.store.rules import RuleTable

_SUMMARY = "sha256, prompt_sha256, base, train, validation, created_at"


def dataset_sha256(
    prompt_sha256: str, base: str, rows: Iterable[DatasetRow], others: Sequence[DatasetPrompt] = ()
) -> str:
    """Return the content hash that names a dataset, over its prompts, its base, and every field of every row in order.

    For `others` it includes the questions, because the project itself only stores its own.
    """
    content = new_sha256(f"{prompt_sha256}\n{base}\n".encode())
    for other in others:
        content.update(f"{other.prompt.sha256} {len(other.questions)}\n".encode())
        for question in other.questions:
            content.update(f"{question.id} {messages_to_json(question.messages)}\n".encode("utf-8", "surrogatepass"))
    for row in rows:
        lengths = f"{len(row.question_ids)} {len(row.completion_ids)} {len(row.fixed)}"
        whose = f" {row.prompt_index}" if row.prompt_index else ""  # so that single-prompt datasets keep their hashes
        content.update(f"{row.example_id} {row.question_id} {row.split} {row.edited_from} {lengths}{whose}\n".encode())
        content.update(pack_ids(row.question_ids) + pack_ids(row.completion_ids) + pack_flags(row.fixed))
    return content.hexdigest()


class DatasetTable:
    """The datasets of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, dataset: Dataset, accepted_sha256: str | None = None, rules: Sequence[Rule] | None = None) -> None:
        """Store a frozen dataset as the latest one. If its content is stored already, only mark it as frozen now.

        `accepted_sha256` is the value of `ExampleTable.accepted_sha256`, and `rules` are the project's rules, at the
        time when the examples were read for freezing; None: read them now. Raises `DatasetError` if the name is not
        the hash of the content.
        """
        _verify(dataset)
        position = "(SELECT coalesce(max(position), 0) + 1 FROM datasets)"
        train, validation = _counts(dataset.rows)
        with self._connection.transaction():
            accepted = accepted_sha256 or ExampleTable(self._connection).accepted_sha256(dataset.prompt_sha256)
            held = encode_all(RuleTable(self._connection).all() if rules is None else rules)
            frozen_at = dataset.created_at or now_text()
            moved = self._connection.write(
                f"""UPDATE datasets SET position = {position}, accepted_sha256 = ?, rules = ?, created_at = ?
                WHERE sha256 = ?""",
                (accepted, held, frozen_at, dataset.sha256),
            )
            if moved:
                return
            number = self._connection.insert(
                f"""INSERT INTO datasets
                (sha256, position, prompt_sha256, base, accepted_sha256, train, validation, created_at, rules)
                VALUES (?, {position}, ?, ?, ?, ?, ?, ?, ?)""",
                (
                    dataset.sha256,
                    dataset.prompt_sha256,
                    dataset.base,
                    accepted,
                    train,
                    validation,
                    frozen_at,
                    held,
                ),
            )
            self._connection.write_many(
                "INSERT INTO dataset_rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        number,
                        place,
                        row.example_id,
                        row.question_id,
                        row.split,
                        row.edited_from,
                        pack_ids(row.question_ids),
                        pack_ids(row.completion_ids),
                        pack_flags(row.fixed),
                        row.prompt_index,
                    )
                    for place, row in enumerate(dataset.rows)
                ),
            )
            for index, other in enumerate(dataset.others, start=1):
                counts = _counts([row for row in dataset.rows if row.prompt_index == index])
                self._connection.write(
                    "INSERT INTO dataset_prompts VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (number, index, other.project, other.prompt.sha256, *counts, encode(other)),
                )

    def get(self, sha256: str) -> Dataset:
        """Return the dataset with this hash. Raises `NotFoundError`, or `DatasetError` if its content has changed."""
        with self._connection.snapshot():
            head = self._connection.row("SELECT * FROM datasets WHERE sha256 = ?", (sha256,))
            if head is None:
                raise NotFoundError(
                    f"There is no dataset with the hash {sha256}.",
                    "",
                    "`distill-tui curate freeze` makes one.",
                )
            rows = self._connection.rows(
                "SELECT * FROM dataset_rows WHERE dataset_id = ? ORDER BY position", (head["id"],)
            )
            others = self._connection.rows(
                "SELECT taught FROM dataset_prompts WHERE dataset_id = ? ORDER BY prompt_index", (head["id"],)
            )
        dataset = Dataset(
            sha256=head["sha256"],
            prompt_sha256=head["prompt_sha256"],
            base=head["base"],
            rows=tuple(map(_row, rows)),
            created_at=head["created_at"],
            others=tuple(decode(DatasetPrompt, row["taught"]) for row in others),
        )
        _verify(dataset)
        return dataset

    def latest(self) -> DatasetSummary | None:
        """Return the dataset that was frozen last, or None."""
        return next(iter(self._summaries("DESC LIMIT 1")), None)

    def require_latest(self) -> DatasetSummary:
        """The dataset that was frozen last. Raises `NotFoundError` if there is none."""
        if (found := self.latest()) is None:
            raise NotFoundError("There is no dataset to train on.", "", "Freeze one: distill-tui curate freeze")
        return found

    def all(self) -> tuple[DatasetSummary, ...]:
        """Return all datasets; the last one was frozen last."""
        return self._summaries("")

    def _summaries(self, order: str) -> tuple[DatasetSummary, ...]:
        with self._connection.snapshot():
            rows = self._connection.rows(f"SELECT {_SUMMARY}, id FROM datasets ORDER BY position {order}")
            others = self._connection.rows(
                """SELECT dataset_id, project, prompt_sha256, train, validation FROM dataset_prompts
                ORDER BY dataset_id, prompt_index"""
            )
        found: dict[int, list[OtherPrompt]] = {}
        for dataset_id, *values in others:
            found.setdefault(dataset_id, []).append(OtherPrompt(*values))
        summaries = ((number, DatasetSummary(*values)) for *values, number in rows)
        return tuple(replace(summary, others=tuple(found.get(number, ()))) for number, summary in summaries)

    def rules_of(self, sha256: str) -> tuple[Rule, ...] | None:
        """Return the rules that this dataset was last frozen with; None if unknown."""
        value = self._connection.value("SELECT rules FROM datasets WHERE sha256 = ?", (sha256,))
        return decode_all(Rule, value) if isinstance(value, str) else None

    def teacher_of(self, sha256: str) -> TeacherSpec | None:
        """Return the teacher of most of the answers to the project's own questions; None if the answers are gone."""
        row = self._connection.row(
            """SELECT e.teacher_kind, e.teacher FROM datasets d JOIN dataset_rows r ON r.dataset_id = d.id
            JOIN examples e ON e.id = r.example_id WHERE d.sha256 = ? AND r.prompt_index = 0
            GROUP BY e.teacher_kind, e.teacher ORDER BY count(*) DESC, min(e.id)""",
            (sha256,),
        )
        return None if row is None else TeacherSpec.named(row["teacher_kind"], row["teacher"])

    def frozen_from(self, sha256: str) -> str:
        """Return the `ExampleTable.accepted_sha256` that this dataset was last frozen from; empty if unknown."""
        value = self._connection.value("SELECT accepted_sha256 FROM datasets WHERE sha256 = ?", (sha256,))
        return value if isinstance(value, str) else ""


def _verify(dataset: Dataset) -> None:
    actual = dataset_sha256(dataset.prompt_sha256, dataset.base, dataset.rows, dataset.others)
    if actual != dataset.sha256:
        raise DatasetError(
            "The dataset does not match its hash.",
            f"It is named {dataset.sha256[:12]}, but its content hashes to {actual[:12]}.",
            "Freeze it again with `distill-tui curate freeze`.",
        )


def _counts(rows: Iterable[DatasetRow]) -> tuple[int, int]:
    """Return the numbers of training and validation rows."""
    splits = [row.split for row in rows]
    return splits.count("train"), splits.count("validation")


def _row(row: sqlite3.Row) -> DatasetRow:
    return DatasetRow(
        example_id=row["example_id"],
        question_id=row["question_id"],
        split=row["split"],
        question_ids=unpack_ids(row["question_ids"]),
        completion_ids=unpack_ids(row["completion_ids"]),
        edited_from=row["edited_from"],
        fixed=unpack_flags(row["fixed"]),
        prompt_index=row["prompt_index"],
    )
