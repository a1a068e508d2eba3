"""The event log: one JSON object a line of a job's `events.jsonl`, appended whole. Knows nothing of who reads it.

A line: `{"v": 1, "at": seconds since the epoch, "type": "Progress", …fields}`. Unknown fields are ignored and absent
ones take their defaults, so that logs of other versions stay readable; a line that cannot be read becomes a `Note`.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar, cast, get_args, get_type_hints

from engine.jobs.protocol import PROTOCOL_VERSION, Event, Note, StampedEvent
from engine.paths import PRIVATE_FILE_MODE
from engine.records.job import JobState
from engine.records.run import WorstToken
from engine.records.station import StationName
from engine.redact import redact

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

EVENTS_FILE = "events.jsonl"
Word = TypeVar("Word", bound="DataclassInstance")


class EventLog:
    """The writing end of a job's event log. `append` may be called from any thread.

    Raises `OSError` where the file cannot be opened or written; an event is then lost, the log stays readable.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / EVENTS_FILE
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE_MODE)
        self._unfinished = _ends_within_a_line(self._file)

    def append(self, event: Event, at: float | None = None) -> None:
        """Write `event`, stamped with `at` (now unless given), in one system call; secrets are masked."""
        line = encode_event(event, time.time() if at is None else at) + b"\n"
        # A writer that was killed, or a disk that was full, may have left half a line: the next must not glue to it.
        whole = b"\n" + line if self._unfinished else line
        self._unfinished = True
        written = os.write(self._file, whole)
        if written != len(whole):
            raise OSError(f"only {written} of {len(whole)} bytes of an event were written")
        self._unfinished = False

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def encode_event(event: Event, at: float) -> bytes:
    """`event` as one line without its newline; ASCII only, so that any text, lone surrogates too, survives."""
    row = {"v": PROTOCOL_VERSION, "at": round(at, 3), "type": type(event).__name__, **_plain(event)}
    return json.dumps(row, separators=(",", ":")).encode()


def _plain(word: Event | WorstToken) -> dict[str, object]:
    """The fields of a dataclass as JSON knows them, secrets masked."""
    row: dict[str, object] = {}
    for field in fields(word):
        value: object = getattr(word, field.name)
        if isinstance(value, tuple):
            value = [_plain(cast("WorstToken", item)) for item in value]
        row[field.name] = redact(value) if isinstance(value, str) else value
    return row


def decode_event(line: bytes, previous_at: float = 0.0) -> StampedEvent:
    """The event in `line`, or a `Note` that says why this version cannot read it (stamped `previous_at` if need be)."""
    try:
        parsed: object = json.loads(line)
    except ValueError:
        return StampedEvent(previous_at, Note("One event was cut short when its writer was killed."))
    row = cast("dict[str, object]", parsed) if isinstance(parsed, dict) else {}
    at = row.get("at")
    stamp = float(at) if isinstance(at, int | float) else previous_at
    version = row.get("v")
    if not isinstance(version, int) or version > PROTOCOL_VERSION:
        return StampedEvent(stamp, Note("One event was skipped: a newer version of the program wrote it."))
    name = str(row.get("type"))
    decoder = _DECODERS.get(name)
    if decoder is None:
        return StampedEvent(stamp, Note(f"One event was skipped: this version does not know the type {name!r}."))
    try:
        return StampedEvent(stamp, decoder(row))
    except (TypeError, ValueError) as error:
        return StampedEvent(stamp, Note(f"One event of type {name!r} was skipped: {error}."))


def _ends_within_a_line(file: int) -> bool:
    size = os.fstat(file).st_size
    return size > 0 and os.pread(file, 1, size - 1) != b"\n"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _number_or_none(value: object) -> float | None:
    return None if value is None else _number(value)


def _one_of(words: object) -> Callable[[object], object]:
    def read(value: object) -> object:
        if value not in get_args(words):
            raise ValueError(f"{value!r} is none of {', '.join(get_args(words))}")
        return value

    return read


def _numbers_by_name(value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no table of numbers")
    return {_text(name): _number(number) for name, number in cast("dict[object, object]", value).items()}


def _worst_tokens(value: object) -> tuple[WorstToken, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return tuple(_WORST_TOKEN(cast("Mapping[str, object]", item)) for item in value)


_READERS: Mapping[object, Callable[[object], object]] = {
    str: _text,
    int: _whole,
    float: _number,
    bool: _truth,
    float | None: _number_or_none,
    JobState: _one_of(JobState),
    StationName: _one_of(StationName),
    dict[str, float]: _numbers_by_name,
    tuple[WorstToken, ...]: _worst_tokens,
}


def _decoder(kind: type[Word]) -> Callable[[Mapping[str, object]], Word]:
    hints = get_type_hints(kind)
    readers = {field.name: (_READERS[hints[field.name]], field.default is MISSING) for field in fields(kind)}

    def decode(row: Mapping[str, object]) -> Word:
        values: dict[str, object] = {}
        for name, (read, required) in readers.items():
            if name in row:
                values[name] = read(row[name])
            elif required:
                raise ValueError(f"it has no {name!r}")
        return kind(**values)

    return decode


_WORST_TOKEN = _decoder(WorstToken)
_DECODERS: dict[str, Callable[[Mapping[str, object]], Event]] = {
    kind.__name__: _decoder(kind) for kind in get_args(Event)
}
