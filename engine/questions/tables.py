"""Rows of CSV and Parquet files, `datasets` folders and hub data sets, with only the columns needed.

`datasets` and `pyarrow` are imported only when needed, never with this module. No remote code is executed.
"""

import contextlib
import csv
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Protocol, cast

from engine.errors import NotFoundError, UsageError
from engine.questions.lines import Line
from engine.questions.rows import MAX_QUESTION_CHARACTERS, Columns, Placing, split_named
from engine.records.question import SPLITS

_BATCH_ROWS = 1_000
_SAVED_AS = ("dataset_dict.json", "state.json")  # a folder of several splits, or of one


def csv_rows(lines: Iterator[Line], columns: Columns, source: str) -> Iterator[tuple[int, Mapping[str, object] | str]]:
    """Iterate over (line, row) or (line, reason for refusal). The first row is the header; `,`, `;` or tab separates.

    Raises UsageError for a malformed file: quotes, encoding, a field that is too long, a missing or ambiguous header.
    """
    first = next(lines, None)
    if first is None:
        raise UsageError(f"{source} cannot be read", "It is empty.", "The first row must contain the column names.")
    header_text = _text_of(first, source)
    delimiter = max(",;\t", key=header_text.count)
    texts = (_text_of(line, source) for line in chain([first], lines))
    with _field_limit(MAX_QUESTION_CHARACTERS):
        reader = csv.reader(texts, delimiter=delimiter, strict=True)
        try:
            header = [name.strip() for name in next(reader)]
            if len(set(header)) < len(header):
                raise UsageError(
                    f"{source} cannot be read", f"Two columns have the same name: {header}.", "Rename one."
                )
            wanted = columns.wanted(header)
            for fields in reader:
                if not any(fields):
                    continue
                if len(fields) != len(header):
                    yield reader.line_num, f"{len(fields)} fields, but the header has {len(header)}"
                    continue
                row = dict(zip(header, fields, strict=True))
                yield reader.line_num, {name: row[name] for name in wanted}
        except csv.Error as error:
            raise UsageError(
                f"{source} cannot be read", f"Line {reader.line_num}: {error}.", "Fix the line, or save the file again."
            ) from error


def parquet_rows(path: Path, columns: Columns) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Iterate over (row number from 1, row). Raises UsageError if the file is not valid Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        wanted = columns.wanted(file.schema_arrow.names)
        number = 0
        for batch in file.iter_batches(_BATCH_ROWS, columns=wanted):
            for row in cast("list[dict[str, object]]", batch.to_pylist()):
                number += 1
                yield number, row
    # Texts and dates are decoded while reading: invalid values raise Python's own exceptions.
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise UsageError(
            f"{path.name} cannot be read", f"{str(error).rstrip('.')}.", "Use a complete Parquet file."
        ) from error


class _Table(Protocol):
    """The used parts of a `datasets.Dataset` or `IterableDataset`."""

    features: Mapping[str, object] | None
    column_names: list[str] | None

    def select_columns(self, column_names: list[str]) -> "_Table": ...

    def __iter__(self) -> Iterator[dict[str, object]]: ...


def folder_rows(path: Path, columns: Columns, notes: list[str]) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Iterate over a folder saved by `datasets`. Of several parts, one is read, with a note."""
    if not any((path / name).is_file() for name in _SAVED_AS):
        raise UsageError(
            f"{path.resolve()} is not a folder of questions",
            f"It contains neither {' nor '.join(_SAVED_AS)}, so `datasets` did not save it.",
            "Name one of its files, or a folder saved by `datasets`.",
        )
    import datasets

    try:
        loaded: object = datasets.load_from_disk(str(path))
        yield from _table_rows(_one_part(loaded, columns.split, notes), columns)
    except UsageError:
        raise
    except Exception as error:  # the library assumes that the folder's files are valid
        raise UsageError(
            f"{path.resolve()} is not a folder of questions",
            f"{type(error).__name__}: {str(error)[:300].rstrip('.')}.",
            "Use a file, or a folder saved by `datasets`.",
        ) from error


def hub_rows(name: str, columns: Columns, notes: list[str]) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Stream the rows of a data set on the hub. Only data files: `datasets` itself refuses loading scripts."""
    import datasets

    try:
        loaded: object = datasets.load_dataset(name, streaming=True)
        yield from _table_rows(_one_part(loaded, columns.split, notes), columns)
    except UsageError:
        raise
    except Exception as error:  # the library passes on any error of its transports
        raise NotFoundError(
            f"{name} is neither a file nor a reachable data set",
            f"{type(error).__name__}: {str(error)[:300].rstrip('.')}.",
            "Check the name and your connection.",
        ) from error


def _one_part(loaded: object, split: Placing, notes: list[str]) -> _Table:
    """Return the only part, the one called like `split`, or else the training part or the first, with a note."""
    if not isinstance(loaded, dict):
        return cast("_Table", loaded)
    names = [str(name) for name in loaded]
    if not names:
        raise UsageError("The data set is empty", "It has no parts.", "Choose another one.")
    wanted = split if split in SPLITS else "train"
    chosen = next((name for name in names if split_named(name) == wanted), None)
    if chosen is None and split in SPLITS and len(names) > 1:
        raise UsageError(
            f"The data set has no {split} part", f"Its parts: {', '.join(names)}.", "Choose another split."
        )
    chosen = chosen or names[0]
    others = [name for name in names if name != chosen]
    if others:
        known = [each for each in SPLITS if each in map(split_named, others)]
        way = f" (import with the split {' or '.join(known)} to read it)" if known else ""
        notes.append(f"read part {chosen}; not read: {', '.join(others)}{way}")
    return cast("_Table", loaded[chosen])


def _table_rows(table: _Table, columns: Columns) -> Iterator[tuple[int, Mapping[str, object]]]:
    import datasets

    wanted = columns.wanted(table.column_names or [])
    features = table.features or {}
    classes = {name: feature for name, feature in features.items() if isinstance(feature, datasets.ClassLabel)}
    for number, row in enumerate(table.select_columns(wanted), 1):
        # Class labels are stored as numbers, but a rule's label is compared with their names.
        yield (
            number,
            {
                name: classes[name].int2str(value)
                if name in classes and isinstance(value, int) and value >= 0
                else value
                for name, value in row.items()
            },
        )


def _text_of(line: Line, source: str) -> str:
    if line.text is None:
        raise UsageError(f"{source} cannot be read", f"Line {line.number}: {line.problem}.", "Fix the line.")
    return line.text


@contextlib.contextmanager
def _field_limit(characters: int) -> Iterator[None]:
    before = csv.field_size_limit(characters)
    try:
        yield
    finally:
        csv.field_size_limit(before)
