"""What a job told before anybody watched is taken in as one and shown at once; what is new is told as it comes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import cast

import pytest
from textual.message import Message
from textual.widget import Widget

from engine.jobs.follow import MAX_BYTES_A_READ, Follower
from engine.jobs.log import EVENTS_FILE, EventLog, encode_event
from engine.jobs.protocol import Note, StampedEvent
from tui.services import follower
from tui.services.follower import FollowerService, JobEvents, PastRead


class Notes:
    """A view that keeps the texts of notes."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def apply(self, stamped: StampedEvent) -> None:
        self.texts.append(cast("Note", stamped.event).text)


class Told:
    """Keeps what is posted to it."""

    def __init__(self) -> None:
        self.messages: Queue[Message] = Queue()

    def post_message(self, message: Message) -> bool:
        self.messages.put(message)
        return True

    def past(self) -> list[str]:
        message = self.messages.get(timeout=20)
        assert isinstance(message, PastRead)
        return cast("Notes", message.view).texts

    def new(self) -> list[str]:
        message = self.messages.get(timeout=20)
        assert isinstance(message, JobEvents)
        return [cast("Note", stamped.event).text for stamped in message.events]


@contextmanager
def following(folder: Path, begin: Callable[[], Notes] = Notes) -> Iterator[Told]:
    told = Told()
    service = FollowerService(3, folder, cast("Widget", told), begin)
    try:
        yield told
    finally:
        service.close()


def write(folder: Path, count: int) -> list[str]:
    texts = [f"{number} {'x' * 200}" for number in range(count)]
    with EventLog(folder) as log:
        for text in texts:
            log.append(Note(text))
    return texts


@pytest.mark.parametrize("count", [0, 1, 2_000])
def test_the_past_is_one_and_what_is_new_comes_after_it(tmp_path: Path, count: int) -> None:
    texts = write(tmp_path, count) if count else []
    with following(tmp_path) as told:
        assert told.past() == texts
        assert write(tmp_path, 1) == told.new()


def test_what_is_written_while_the_past_is_read_belongs_to_it(tmp_path: Path) -> None:
    texts = write(tmp_path, 1_000)

    class Late(Notes):
        def apply(self, stamped: StampedEvent) -> None:
            if not self.texts:
                texts.extend(write(tmp_path, 1_000))
            super().apply(stamped)

    with following(tmp_path, Late) as told:
        assert told.past() == texts


def test_after_a_long_sleep_what_was_missed_is_the_past_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "_NEW_BYTES", 4096)
    texts = write(tmp_path, 10)
    with following(tmp_path) as told:
        assert told.past() == texts
        line = encode_event(Note("x" * 8192), 1.0) + b"\n"
        with (tmp_path / EVENTS_FILE).open("ab") as file:
            file.write(line)
        assert told.past() == [*texts, "x" * 8192]


def test_a_log_that_cannot_be_read_for_a_while_is_read_when_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, failures, read_new = write(tmp_path, 3), [OSError(116, "Stale file handle")], Follower.read_new

    def stale(self: Follower, max_bytes: int = MAX_BYTES_A_READ) -> list[StampedEvent]:
        if failures:
            raise failures.pop()
        return read_new(self, max_bytes)

    monkeypatch.setattr(Follower, "read_new", stale)
    with following(tmp_path) as told:
        assert told.past() == texts
        assert write(tmp_path, 1) == told.new()


def test_a_log_that_fills_its_last_piece_is_told_to_be_over(tmp_path: Path) -> None:
    line = encode_event(Note(""), 1.0)
    note = Note("x" * (MAX_BYTES_A_READ - len(line) - 1))
    (tmp_path / EVENTS_FILE).write_bytes(encode_event(note, 1.0) + b"\n")
    read = Follower(tmp_path)
    assert [stamped.event for stamped in read.read_new()] == [note]
    assert read.behind
    assert read.read_new() == []
    assert not read.behind
    with following(tmp_path) as told:
        assert told.past() == [note.text]


def test_nothing_waits_in_a_log_that_is_gone(tmp_path: Path) -> None:
    write(tmp_path, 1)
    read = Follower(tmp_path)
    assert read.read_new(8) == []
    assert read.behind
    (tmp_path / EVENTS_FILE).unlink()
    assert read.read_new() == []
    assert not read.behind
