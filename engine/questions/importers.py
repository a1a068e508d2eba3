"""Questions from files, standard input, `datasets` folders and hub names.

Every row becomes a question or a refusal with its line and reason; nothing is cut, and a file that is broken as a whole
is an error. Twins are the store's affair. Knows nothing of projects.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from engine.errors import NotFoundError, UsageError
from engine.paths import expand
from engine.questions.lines import Line, read_lines
from engine.questions.rows import Columns, RefusedError, RowReader
from engine.questions.tables import csv_rows, folder_rows, hub_rows, parquet_rows
from engine.records.question import Question
from engine.wording import counted

MAX_ROWS = 1_000_000
STANDARD_INPUT = "standard input"

_FORMATS = (
    "Formats: .txt (a question a line), .jsonl, .csv, .tsv, .parquet, a `datasets` folder, a hub name, - for stdin."
)
_TEXT_SUFFIXES = (".txt", ".text")
_JSONL_SUFFIXES = (".jsonl", ".ndjson")
_CSV_SUFFIXES = (".csv", ".tsv")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")

_Rows = Iterator[tuple[int, Mapping[str, object] | str]]  # a text is the reason why the row is refused


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that is no question: its line (or row) from 1, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What was read, what was refused, and what a person should know about the rest."""

    questions: tuple[Question, ...]
    refused: tuple[RefusedRow, ...]
    notes: tuple[str, ...] = ()


def import_questions(
    source: str,
    *,
    text_column: str | None = None,
    topic_column: str | None = None,
    label_column: str | None = None,
    limit: int | None = None,
) -> ImportResult:
    """Read questions from `source`: a file, a folder, a hub name, or `-`. At most `limit` of them, if given.

    Raises NotFoundError where nothing is there, and UsageError for a file that is empty, broken as a whole or has more
    than `MAX_ROWS` rows.
    """
    columns = Columns(text_column, topic_column, label_column)
    notes: list[str] = []
    if source == "-":
        return _collect(_stream_rows(sys.stdin.buffer, STANDARD_INPUT), columns, STANDARD_INPUT, limit, notes)
    path = expand(source)
    if path.is_dir():
        return _collect(folder_rows(path, columns, notes), columns, path.resolve().name, limit, notes)
    if path.is_file():
        return _read_file(path, columns, limit, notes)
    known = (*_TEXT_SUFFIXES, *_JSONL_SUFFIXES, *_CSV_SUFFIXES, ".parquet")
    if _HUB_NAME.fullmatch(source) and path.suffix.lower() not in known:
        return _collect(hub_rows(source, columns, notes), columns, source, limit, notes)
    raise NotFoundError(f"There is no {source}", "It is neither a file nor a folder nor a hub name.", _FORMATS)


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
                raise UsageError(f"{path.name} cannot be read", f"{suffix} is no format for questions.", _FORMATS)
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
            notes.append(f"stopped at the limit of {limit}; there is more")
            break
        if count >= MAX_ROWS:
            raise UsageError(f"{source} is too large", f"It has more than {MAX_ROWS:,} rows.", "Give a limit.")
        try:
            if isinstance(row, str):
                raise RefusedError(row)
            questions.append(reader.read(row))
        except RefusedError as error:
            refused.append(RefusedRow(line, str(error)))
    if not questions and not refused:
        raise UsageError(f"There is no question in {source}", "It is empty.", "Give a file with a question a line.")
    if reader.dropped_system:
        notes.append(f"dropped {counted(reader.dropped_system, 'system message')}: a question has none")
    if reader.dropped_answers:
        notes.append(f"dropped {counted(reader.dropped_answers, 'last answer')}: the teacher answers anew")
    return ImportResult(tuple(questions), tuple(refused), tuple(notes))


def _stream_rows(stream: BinaryIO, source: str) -> _Rows:
    """Lines of text or of JSON, by how the first one that is not blank begins."""
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
        return f"no JSON: {error.msg} at character {error.pos + 1}"
    except RecursionError:
        return "nested too deeply"
    except ValueError as error:  # an integer of more digits than Python converts
        return f"no JSON: {error}"
    return value if isinstance(value, dict) else "no JSON object"
