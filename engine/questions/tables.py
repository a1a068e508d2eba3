"""Rows of CSV, Parquet, and `datasets` folders and hub names; only the columns that are asked for.

`datasets` and `pyarrow` are imported where they are needed, never with this module. Nothing remote is executed.
"""

import contextlib
import csv
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Protocol, cast

from engine.errors import NotFoundError, UsageError
from engine.questions.lines import Line
from engine.questions.rows import MAX_QUESTION_CHARACTERS, Columns

_BATCH_ROWS = 1_000
_PREFERRED_SPLIT = "train"


def csv_rows(lines: Iterator[Line], columns: Columns, source: str) -> Iterator[tuple[int, Mapping[str, object] | str]]:
    """(line, row), or (line, why it is refused). The first row names the columns; `,`, `;` or tab separates.

    Raises UsageError for a broken file: quotes, encoding, a field too long, a header that is missing or ambiguous.
    """
    first = next(lines, None)
    if first is None:
        raise UsageError(f"{source} cannot be read", "It is empty.", "Give a file whose first row names the columns.")
    header_text = _text_of(first, source)
    delimiter = max(",;\t", key=header_text.count)
    texts = (_text_of(line, source) for line in chain([first], lines))
    with _field_limit(MAX_QUESTION_CHARACTERS):
        reader = csv.reader(texts, delimiter=delimiter, strict=True)
        try:
            header = [name.strip() for name in next(reader)]
            if len(set(header)) < len(header):
                raise UsageError(f"{source} cannot be read", f"Two columns have one name: {header}.", "Rename one.")
            wanted = columns.wanted(header)
            for fields in reader:
                if not any(fields):
                    continue
                if len(fields) != len(header):
                    yield reader.line_num, f"{len(fields)} fields where the header has {len(header)}"
                    continue
                row = dict(zip(header, fields, strict=True))
                yield reader.line_num, {name: row[name] for name in wanted}
        except csv.Error as error:
            raise UsageError(
                f"{source} cannot be read", f"Line {reader.line_num}: {error}.", "Mend the line, or save the file anew."
            ) from error


def parquet_rows(path: Path, columns: Columns) -> Iterator[tuple[int, Mapping[str, object]]]:
    """(row from 1, row). Raises UsageError where the file is no Parquet."""
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
    # Texts and dates are decoded as they are read: what is none raises as Python's own types do.
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise UsageError(
            f"{path.name} cannot be read", f"{str(error).rstrip('.')}.", "Give a whole Parquet file."
        ) from error


class _Table(Protocol):
    """What is used of a `datasets.Dataset` or an iterable one."""

    features: Mapping[str, object] | None
    column_names: list[str] | None

    def select_columns(self, column_names: list[str]) -> "_Table": ...

    def __iter__(self) -> Iterator[dict[str, object]]: ...


def folder_rows(path: Path, columns: Columns, notes: list[str]) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Rows of a folder that `datasets` saved. Of several splits `train`, else the first; `notes` says which."""
    import datasets

    try:
        loaded: object = datasets.load_from_disk(str(path))
        yield from _table_rows(_one_split(loaded, notes), columns)
    except UsageError:
        raise
    except Exception as error:  # the library takes the folder's files to be whole and sound
        raise UsageError(
            f"{path.name} is no folder of questions",
            f"{type(error).__name__}: {str(error)[:300].rstrip('.')}.",
            "Give a file, or a folder that `datasets` saved.",
        ) from error


def hub_rows(name: str, columns: Columns, notes: list[str]) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Rows of a data set on the hub, streamed; data files only, a loading script is refused by `datasets` itself."""
    import datasets

    try:
        loaded: object = datasets.load_dataset(name, streaming=True)
        yield from _table_rows(_one_split(loaded, notes), columns)
    except UsageError:
        raise
    except Exception as error:  # the library passes on whatever its transports raise
        raise NotFoundError(
            f"{name} is neither a file here nor a data set that can be reached",
            f"{type(error).__name__}: {str(error)[:300].rstrip('.')}.",
            "Check the name and the connection.",
        ) from error


def _one_split(loaded: object, notes: list[str]) -> _Table:
    if not isinstance(loaded, dict):
        return cast("_Table", loaded)
    names = [str(name) for name in loaded]
    if not names:
        raise UsageError("The data set is empty", "It has no split.", "Give another one.")
    chosen = _PREFERRED_SPLIT if _PREFERRED_SPLIT in names else names[0]
    if len(names) > 1:
        notes.append(f"read split {chosen}; not read: {', '.join(name for name in names if name != chosen)}")
    return cast("_Table", loaded[chosen])


def _table_rows(table: _Table, columns: Columns) -> Iterator[tuple[int, Mapping[str, object]]]:
    import datasets

    wanted = columns.wanted(table.column_names or [])
    features = table.features or {}
    classes = {name: feature for name, feature in features.items() if isinstance(feature, datasets.ClassLabel)}
    for number, row in enumerate(table.select_columns(wanted), 1):
        # Class labels are stored as numbers; their names are what a rule's label can be compared with.
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
        raise UsageError(f"{source} cannot be read", f"Line {line.number}: {line.problem}.", "Mend the line.")
    return line.text


@contextlib.contextmanager
def _field_limit(characters: int) -> Iterator[None]:
    before = csv.field_size_limit(characters)
    try:
        yield
    finally:
        csv.field_size_limit(before)
