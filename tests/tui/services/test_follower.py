"""Following a job's log: past events arrive as one message, new ones as they are written."""

from collections.abc import Iterator
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
from engine.records.job import Job
from engine.records.options import JobKind
from tui.services import follower
from tui.services.follower import FollowerService, JobEvents, PastRead


class Notes:
    """A view that collects the texts of notes."""

    def __init__(self, job_id: int, kind: JobKind) -> None:
        self.texts: list[str] = []

    def apply(self, stamped: StampedEvent) -> None:
        self.texts.append(cast("Note", stamped.event).text)


class Recorder:
    """A message target that keeps what is posted to it."""

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
def following(folder: Path, view: type[Notes] = Notes) -> Iterator[Recorder]:
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(follower, "JobView", view)
        service = FollowerService(Job(3, "train", "running", "{}", "jobs/3", "run"), folder, cast("Widget", recorder))
        try:
            yield recorder
        finally:
            service.close()


def write(folder: Path, count: int) -> list[str]:
    texts = [f"{number} {'x' * 200}" for number in range(count)]
    with EventLog(folder) as log:
        for text in texts:
            log.append(Note(text))
    return texts


@pytest.mark.parametrize("count", [0, 1, 2_000])
def test_past_events_arrive_as_one_message_before_new_ones(tmp_path: Path, count: int) -> None:
    texts = write(tmp_path, count) if count else []
    with following(tmp_path) as recorder:
        assert recorder.past() == texts
        assert write(tmp_path, 1) == recorder.new()


def test_events_written_while_the_past_is_read_belong_to_it(tmp_path: Path) -> None:
    texts = write(tmp_path, 1_000)

    class Late(Notes):
        def apply(self, stamped: StampedEvent) -> None:
            if not self.texts:
                texts.extend(write(tmp_path, 1_000))
            super().apply(stamped)

    with following(tmp_path, Late) as recorder:
        assert recorder.past() == texts


def test_large_backlog_is_read_as_a_new_past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "_NEW_BYTES", 4096)
    texts = write(tmp_path, 10)
    with following(tmp_path) as recorder:
        assert recorder.past() == texts
        line = encode_event(Note("x" * 8192), 1.0) + b"\n"
        with (tmp_path / EVENTS_FILE).open("ab") as file:
            file.write(line)
        assert recorder.past() == [*texts, "x" * 8192]


def test_log_is_read_after_a_temporary_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, failures, read_new = write(tmp_path, 3), [OSError(116, "Stale file handle")], Follower.read_new

    def stale(self: Follower, max_bytes: int = MAX_BYTES_A_READ) -> list[StampedEvent]:
        if failures:
            raise failures.pop()
        return read_new(self, max_bytes)

    monkeypatch.setattr(Follower, "read_new", stale)
    with following(tmp_path) as recorder:
        assert recorder.past() == texts
        assert write(tmp_path, 1) == recorder.new()


def test_log_of_exactly_one_read_is_known_to_be_complete(tmp_path: Path) -> None:
    line = encode_event(Note(""), 1.0)
    note = Note("x" * (MAX_BYTES_A_READ - len(line) - 1))
    (tmp_path / EVENTS_FILE).write_bytes(encode_event(note, 1.0) + b"\n")
    read = Follower(tmp_path)
    assert [stamped.event for stamped in read.read_new()] == [note]
    assert read.behind
    assert read.read_new() == []
    assert not read.behind
    with following(tmp_path) as recorder:
        assert recorder.past() == [note.text]


def test_deleted_log_has_nothing_left_to_read(tmp_path: Path) -> None:
    write(tmp_path, 1)
    read = Follower(tmp_path)
    assert read.read_new(8) == []
    assert read.behind
    (tmp_path / EVENTS_FILE).unlink()
    assert read.read_new() == []
    assert not read.behind
