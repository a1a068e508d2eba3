"""Questions from files, standard input, `datasets` folders and hub names.

Every row becomes a question or a refusal with its line and reason; nothing is cut. A file that cannot be read at all is
an error. Duplicates are left to the store. Knows nothing of projects.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from engine.errors import NotFoundError, UsageError
from engine.paths import expand
from engine.questions.lines import Line, read_lines
from engine.questions.rows import Columns, Placing, RefusedError, RowReader
from engine.questions.tables import csv_rows, folder_rows, hub_rows, parquet_rows
from engine.records.question import SPLITS, Question
from engine.wording import counted, json_fault

MAX_ROWS = 1_000_000
STANDARD_INPUT = "standard input"

_FORMATS = (
    "Formats: .txt (one question per line), .jsonl, .csv, .tsv, .parquet, a `datasets` folder, a hub name, - for stdin."
)
_TEXT_SUFFIXES = (".txt", ".text")
_JSONL_SUFFIXES = (".jsonl", ".ndjson")
_CSV_SUFFIXES = (".csv", ".tsv")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")

_Rows = Iterator[tuple[int, Mapping[str, object] | str]]  # a string is the reason for refusing the row


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that is not a question: its line (or row) from 1, and the reason."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The questions read, the rows refused, and notes for the user."""

    questions: tuple[Question, ...]
    refused: tuple[RefusedRow, ...]
    notes: tuple[str, ...] = ()


def import_questions(
    source: str,
    *,
    text_column: str | None = None,
    topic_column: str | None = None,
    label_column: str | None = None,
    split: Placing = "file",
    limit: int | None = None,
) -> ImportResult:
    """Read up to `limit` questions from `source`: a file, a folder, a hub name, or `-`.

    Of a data set in several parts, one is read: the one that is called like `split`, else the training part.

    Raises NotFoundError if the source does not exist, and UsageError for a file that is empty, cannot be read, or has
    more than `MAX_ROWS` rows.
    """
    columns = Columns(text_column, topic_column, label_column, split)
    notes: list[str] = []
    if source == "-":
        return _collect(_stream_rows(sys.stdin.buffer, STANDARD_INPUT), columns, STANDARD_INPUT, limit, notes)
    path = expand(source)
    if path.is_dir():
        return _collect(folder_rows(path, columns, notes), columns, path.resolve().name, limit, notes)
    if path.is_file():
        return _read_file(path, columns, limit, notes)
    known = (*_TEXT_SUFFIXES, *_JSONL_SUFFIXES, *_CSV_SUFFIXES, ".parquet")
    if path.parent.name and path.parent.is_dir():  # a mistyped path: nothing is asked of the hub
        raise NotFoundError(f"There is no {source}", f"The folder {path.parent} does not hold it.", _FORMATS)
    if _HUB_NAME.fullmatch(source) and path.suffix.lower() not in known:
        return _collect(hub_rows(source, columns, notes), columns, source, limit, notes)
    raise NotFoundError(f"There is no {source}", "It is not a file, a folder or a hub name.", _FORMATS)


def _read_file(path: Path, columns: Columns, limit: int | None, notes: list[str]) -> ImportResult:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _collect(parquet_rows(path, columns), columns, path.name, limit, notes)
    try:
        with path.open("rb") as stream:
            rows: _Rows
            if suffix in _CSV_SUFFIXES:
                rows = csv_rows(read_lines(stream, path.name), columns, path.name)
            elif suffix in _JSONL_SUFFIXES:
                rows = _jsonl_rows(read_lines(stream, path.name))
            elif suffix in _TEXT_SUFFIXES:
                rows = _text_rows(read_lines(stream, path.name))
            elif not suffix:
                rows = _stream_rows(stream, path.name)
            else:
                raise UsageError(f"{path.name} cannot be read", f"{suffix} is not a format for questions.", _FORMATS)
            return _collect(rows, columns, path.name, limit, notes)
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read", f"{error.strerror or error}.", "Check the file.") from error


def _collect(
    rows: Iterator[tuple[int, Mapping[str, object]]] | _Rows,
    columns: Columns,
    source: str,
    limit: int | None,
    notes: list[str],
) -> ImportResult:
    reader = RowReader(columns, source)
    questions: list[Question] = []
    refused: list[RefusedRow] = []
    for count, (line, row) in enumerate(rows):
        if limit is not None and len(questions) >= limit:
            notes.append(f"stopped at the limit of {limit}; there are more rows")
            break
        if count >= MAX_ROWS:
            raise UsageError(f"{source} is too large", f"It has more than {MAX_ROWS:,} rows.", "Set a limit.")
        try:
            if isinstance(row, str):
                raise RefusedError(row)
            questions.append(reader.read(row))
        except RefusedError as error:
            refused.append(RefusedRow(line, str(error)))
    if not questions and not refused:
        raise UsageError(f"There is no question in {source}", "It is empty.", "Use a file with one question per line.")
    if reader.dropped_system:
        notes.append(f"dropped {counted(reader.dropped_system, 'system message')}: questions have none")
    if reader.dropped_answers:
        notes.append(f"dropped {counted(reader.dropped_answers, 'last answer')}: the teacher answers again")
    if columns.split == "file" and any(question.split for question in questions):
        notes.append(f"splits as in {source}: {_by_split(questions)}")
    return ImportResult(tuple(questions), tuple(refused), tuple(notes))


def _by_split(questions: Sequence[Question]) -> str:
    counts = Counter(question.split for question in questions)
    return ", ".join(f"{counts[name]:,} {name or 'without one'}" for name in (*SPLITS, None) if counts[name])


def _stream_rows(stream: BinaryIO, source: str) -> _Rows:
    """Read lines of text or JSON, depending on the start of the first line that is not blank."""
    lines = read_lines(stream, source)
    blank: list[Line] = []
    for line in lines:
        blank.append(line)
        if line.text is None or line.text.strip():
            break
    is_json = bool(blank) and (blank[-1].text or "").lstrip().startswith("{")
    every = chain(blank, lines)
    return _jsonl_rows(every) if is_json else _text_rows(every)


def _text_rows(lines: Iterator[Line]) -> _Rows:
    for line in lines:
        if line.text is None:
            yield line.number, line.problem
        elif line.text.strip():
            yield line.number, {"text": line.text}


def _jsonl_rows(lines: Iterator[Line]) -> _Rows:
    for line in lines:
        if line.text is None:
            yield line.number, line.problem
        elif line.text.strip():
            yield line.number, _read_object(line.text)


def _read_object(text: str) -> Mapping[str, object] | str:
    try:
        value: object = json.loads(text.rstrip("\r\n"))
    except json.JSONDecodeError as error:
        return f"invalid JSON: {json_fault(error)} at character {error.pos + 1}"
    except RecursionError:
        return "nested too deeply"
    except ValueError as error:  # an integer with too many digits for Python
        return f"invalid JSON: {error}"
    return value if isinstance(value, dict) else "not a JSON object"
