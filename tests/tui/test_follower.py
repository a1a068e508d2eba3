"""What a job told before anybody watched is read at once, and known as the past until what is new has come."""

import threading
from pathlib import Path
from typing import cast

import pytest
from textual.message import Message
from textual.widget import Widget

from engine.jobs.follow import MAX_BYTES_A_READ, Follower
from engine.jobs.log import EVENTS_FILE, EventLog, encode_event
from engine.jobs.protocol import Note
from tui.services.follower import FollowerService, JobTold


class Told:
    """Keeps what is posted to it."""

    def __init__(self) -> None:
        self.messages: list[JobTold] = []
        self.is_new = threading.Event()

    def post_message(self, message: Message) -> bool:
        assert isinstance(message, JobTold)
        self.messages.append(message)
        if not message.past:
            self.is_new.set()
        return True


def write(folder: Path, count: int) -> list[str]:
    texts = [f"{number} {'x' * 200}" for number in range(count)]
    with EventLog(folder) as log:
        for text in texts:
            log.append(Note(text))
    return texts


@pytest.mark.parametrize("count", [1, 2_000])
def test_the_past_is_told_as_such_and_what_is_new_as_new(tmp_path: Path, count: int) -> None:
    texts = write(tmp_path, count)
    told = Told()
    service = FollowerService(3, tmp_path, cast("Widget", told))
    try:
        assert told.is_new.wait(10)
        notes = [cast("Note", stamped.event).text for message in told.messages for stamped in message.events]
        assert notes == texts
        assert [message.past for message in told.messages] == [True] * (len(told.messages) - 1) + [False]
        assert len(told.messages) > count / 1_000, "a piece is bounded"
        told.is_new.clear()
        write(tmp_path, 1)
        assert told.is_new.wait(10)
    finally:
        service.close()


def test_a_log_that_fills_its_last_piece_is_told_to_be_over(tmp_path: Path) -> None:
    line = encode_event(Note(""), 1.0)
    note = Note("x" * (MAX_BYTES_A_READ - len(line) - 1))
    (tmp_path / EVENTS_FILE).write_bytes(encode_event(note, 1.0) + b"\n")
    follower = Follower(tmp_path)
    assert [stamped.event for stamped in follower.read_new()] == [note]
    assert follower.behind
    assert follower.read_new() == []
    assert not follower.behind
    told = Told()
    service = FollowerService(3, tmp_path, cast("Widget", told))
    try:
        assert told.is_new.wait(10)
        assert [(len(message.events), message.past) for message in told.messages] == [(1, True), (0, False)]
    finally:
        service.close()
