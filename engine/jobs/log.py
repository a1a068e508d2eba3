"""The event log: one JSON object per line of a job's `events.jsonl`, appended whole. Knows nothing of who reads it.

A line: `{"v": 1, "at": seconds since the epoch, "type": "Progress", …fields}`. Unknown fields are ignored and missing
ones take their defaults, so that logs of other versions stay readable; a line that cannot be read becomes a `Note`.
"""

import json
import os
import time
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import cast, get_args

from engine.errors import StoreError
from engine.jobs.protocol import PROTOCOL_VERSION, Event, Note, StampedEvent
from engine.paths import PRIVATE_FILE_MODE
from engine.records.run import WorstToken
from engine.redact import redact
from engine.store.dataclass_json import build

EVENTS_FILE = "events.jsonl"
_KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}


class EventLog:
    """The writing end of a job's event log. `append` may be called from any thread.

    Raises `OSError` if the file cannot be opened or written; the event is then lost, but the log stays readable.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / EVENTS_FILE
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE_MODE)
        self._unfinished = _ends_within_a_line(self._file)

    def append(self, event: Event, at: float | None = None) -> None:
        """Write `event`, stamped with `at` (now unless given), in one system call; secrets are masked."""
        line = encode_event(event, time.time() if at is None else at) + b"\n"
        # A writer that was killed, or a disk that was full, may have left half a line: the next must not join it.
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
    """Return `event` as one line without its newline; ASCII only, so that any text survives, even lone surrogates."""
    row = {"v": PROTOCOL_VERSION, "at": round(at, 3), "type": type(event).__name__, **_plain(event)}
    return json.dumps(row, separators=(",", ":")).encode()


def _plain(word: Event | WorstToken) -> dict[str, object]:
    """Return the fields of a dataclass as JSON values, with secrets masked."""
    row: dict[str, object] = {}
    for field in fields(word):
        value: object = getattr(word, field.name)
        if isinstance(value, tuple):
            value = [_plain(cast("WorstToken", item)) for item in value]
        row[field.name] = redact(value) if isinstance(value, str) else value
    return row


def decode_event(line: bytes, previous_at: float = 0.0) -> StampedEvent:
    """Return the event in `line`, or a `Note` on why this version cannot read it (stamped `previous_at` if needed)."""
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
    kind = _KINDS.get(name)
    if kind is None:
        return StampedEvent(stamp, Note(f"One event was skipped: this version does not know the type {name!r}."))
    try:
        return StampedEvent(stamp, build(kind, row))
    except StoreError as error:
        return StampedEvent(stamp, Note(f"One event of type {name!r} was skipped: {error.message}"))


def _ends_within_a_line(file: int) -> bool:
    size = os.fstat(file).st_size
    return size > 0 and os.pread(file, 1, size - 1) != b"\n"
