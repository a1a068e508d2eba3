"""The event log: events survive the file, unreadable lines become notes, and killed writers damage only one line."""

import json
import os
import threading
import time
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.jobs.follow import MAX_BYTES_A_READ, Follower
from engine.jobs.log import EVENTS_FILE, EventLog, decode_event, encode_event
from engine.jobs.protocol import (
    AnswerDelta,
    AnswerEnded,
    AnswersFound,
    AnswerStarted,
    Event,
    Metrics,
    Note,
    Progress,
    PromptRead,
    SampleAnswer,
    Spent,
    StageStarted,
    StampedEvent,
    StateChanged,
    WorstTokens,
)
from engine.records.job import JobState
from engine.records.run import WorstToken
from engine.records.station import STATIONS
from engine.redact import MASK

_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
_NUMBER = st.floats(allow_nan=False)
_COUNT = st.integers(0, 2**53)
_WORST = st.builds(WorstToken, _NUMBER, _COUNT, _TEXT, _TEXT, _TEXT, _TEXT)
_EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(StateChanged, st.sampled_from(get_args(JobState)), _TEXT),
    st.builds(Progress, _COUNT, _COUNT, _TEXT, st.none() | _NUMBER),
    st.builds(AnswerStarted, _TEXT, _TEXT, _TEXT),
    st.builds(AnswerDelta, _TEXT, _TEXT),
    st.builds(PromptRead, _TEXT),
    st.builds(AnswerEnded, _TEXT, _TEXT, st.booleans(), _TEXT, _TEXT, st.booleans()),
    st.builds(AnswersFound, _TEXT, _COUNT, _COUNT),
    st.builds(Spent, _NUMBER, st.none() | _NUMBER, _COUNT, _COUNT),
    st.builds(Metrics, _COUNT, _NUMBER, st.dictionaries(_TEXT, _NUMBER, max_size=3), _TEXT),
    st.builds(SampleAnswer, _COUNT, _TEXT, _TEXT, st.booleans()),
    st.builds(WorstTokens, _COUNT, st.lists(_WORST, max_size=3).map(tuple)),
    st.builds(StageStarted, st.sampled_from(STATIONS)),
    st.builds(Note, _TEXT),
)


@given(_EVENTS, st.floats(0, 4e9))
def test_event_survives_encoding_and_decoding(event: Event, at: float) -> None:
    line = encode_event(event, at)
    assert b"\n" not in line
    assert decode_event(line) == StampedEvent(round(at, 3), event)


@given(_EVENTS, st.data())
def test_half_a_line_decodes_to_a_note(event: Event, data: st.DataObject) -> None:
    line = encode_event(event, 1.0)
    half = line[: data.draw(st.integers(1, len(line) - 1))]
    assert isinstance(decode_event(half, 7.0).event, Note)


@given(st.binary(max_size=60))
def test_any_bytes_decode_to_an_event(line: bytes) -> None:
    assert isinstance(decode_event(line), StampedEvent)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"v": 2}, "newer version"),
        ({"type": "Surprise"}, "'Surprise'"),
        ({"done": "many"}, "Progress.done should be int, not 'many'"),
        ({"done": None}, "Progress.done should be int"),
        ({"seconds_left": True}, "Progress.seconds_left should be float"),
    ],
)
def test_unreadable_event_becomes_a_note_that_names_the_problem(change: dict[str, object], text: str) -> None:
    row: dict[str, object] = {**json.loads(encode_event(Progress(1, 2), 5.0)), **change}
    stamped = decode_event(json.dumps(row).encode())
    assert stamped.at == 5.0
    assert isinstance(stamped.event, Note)
    assert text in stamped.event.text


@pytest.mark.parametrize("tokens", [7, "kl", [7], ["kl"], [{"kl": 1.0}], [{"kl": "x"}], None])
def test_unreadable_worst_tokens_become_a_note(tokens: object) -> None:
    line = json.dumps({"v": 1, "at": 3, "type": "WorstTokens", "step": 1, "tokens": tokens}).encode()
    assert isinstance(decode_event(line).event, Note)


def test_unknown_and_missing_fields_are_accepted() -> None:
    line = b'{"v":1,"at":3,"type":"Progress","done":1,"total":2,"mood":"good"}'
    assert decode_event(line) == StampedEvent(3.0, Progress(1, 2))


def test_no_secret_reaches_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILL_TUI_API_KEY_EXAMPLE_ORG", "canary-0123456789")
    with EventLog(tmp_path) as log:
        log.append(Note("refused: canary-0123456789"))
        log.append(WorstTokens(1, (WorstToken(1.0, 1, "canary-0123456789", "a", "b", "c"),)))
        log.append(AnswerEnded("a", "line\nsk-abcdefghijklmnopqrstuvwxyz", passed=False))
    written = (tmp_path / EVENTS_FILE).read_text()
    assert "canary" not in written
    assert "sk-abc" not in written
    assert Follower(tmp_path).read_new()[0].event == Note(f"refused: {MASK}")


def test_torn_line_does_not_damage_the_next(tmp_path: Path) -> None:
    with EventLog(tmp_path) as log:
        log.append(Note("whole"))
    path = tmp_path / EVENTS_FILE
    with path.open("ab") as file:
        file.write(encode_event(Note("torn by SIGKILL"), 1.0)[:-3])
    with EventLog(tmp_path) as log:
        log.append(Note("after"))
    notes = [stamped.event for stamped in Follower(tmp_path).read_new()]
    assert notes == [Note("whole"), Note("One event was cut short when its writer was killed."), Note("after")]


def test_log_is_readable_only_by_its_owner(tmp_path: Path) -> None:
    EventLog(tmp_path).close()
    assert (tmp_path / EVENTS_FILE).stat().st_mode & 0o777 == 0o600


def test_concurrent_writers_do_not_mix_their_lines(tmp_path: Path) -> None:
    def write(name: str) -> None:
        with EventLog(tmp_path) as log:
            for number in range(200):
                log.append(AnswerDelta(name, f"{number} " + "x" * 300))

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    follower = Follower(tmp_path)
    events: list[StampedEvent] = []
    while found := follower.read_new():
        events += found
    for name in "abc":
        numbers = [
            int(s.event.text.split()[0]) for s in events if isinstance(s.event, AnswerDelta) and s.event.stream == name
        ]
        assert numbers == list(range(200))
    assert len(events) == 600


def test_follower_waits_for_the_file_and_for_whole_lines(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    assert follower.read_new() == []
    line = encode_event(Note("snow ❄ man"), 2.0) + b"\n"
    with (tmp_path / EVENTS_FILE).open("ab", buffering=0) as file:
        file.write(line[:20])
        assert follower.read_new() == []
        file.write(line[20:] + line[:5])
        assert follower.read_new() == [StampedEvent(2.0, Note("snow ❄ man"))]
        assert follower.read_new() == []
        file.write(line[5:])
        assert follower.read_new() == [StampedEvent(2.0, Note("snow ❄ man"))]


def test_follower_reads_bounded_pieces_and_misses_nothing(tmp_path: Path) -> None:
    with EventLog(tmp_path) as log:
        for number in range(300):
            log.append(Note(f"{number} " + "y" * 100))
    follower = Follower(tmp_path)
    pieces = []
    while found := follower.read_new(max_bytes=1000):
        pieces.append(found)
    assert max(map(len, pieces)) <= 10
    notes = [stamped.event.text for piece in pieces for stamped in piece if isinstance(stamped.event, Note)]
    assert [int(note.split()[0]) for note in notes] == list(range(300))


def test_line_longer_than_a_piece_arrives_whole(tmp_path: Path) -> None:
    answer = "z" * 5000
    with EventLog(tmp_path) as log:
        log.append(AnswerEnded("a", answer, passed=True))
        log.append(Note("next"))
    follower = Follower(tmp_path)
    events: list[StampedEvent] = []
    while len(events) < 2:
        events += follower.read_new(max_bytes=700)
    assert events[0].event == AnswerEnded("a", answer, passed=True)


def test_two_followers_read_the_same_events(tmp_path: Path) -> None:
    first, second = Follower(tmp_path), Follower(tmp_path)
    seen: list[StampedEvent] = []
    with EventLog(tmp_path) as log:
        for number in range(50):
            log.append(Progress(number, 50))
            seen += first.read_new()
    assert second.read_new() == seen
    assert len(seen) == 50


def test_one_read_of_a_large_log_takes_under_50_ms(tmp_path: Path) -> None:
    with (tmp_path / EVENTS_FILE).open("wb") as file:
        line = encode_event(AnswerDelta("stream-12", "a few words of an answer "), 1.0) + b"\n"
        file.write(line * (3 * MAX_BYTES_A_READ // len(line)))
    follower = Follower(tmp_path)
    slowest = 0.0
    while True:
        before = time.thread_time()
        if not follower.read_new():
            break
        slowest = max(slowest, time.thread_time() - before)
    assert follower.offset == os.path.getsize(tmp_path / EVENTS_FILE)  # noqa: PTH202
    assert slowest < 0.05
