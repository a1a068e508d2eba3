"""The examples pane without a screen: what a job's events become, and the lines that show it."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.jobs.protocol import (
    AnswerEnded,
    AnswerStarted,
    Event,
    Progress,
    Spent,
    StageStarted,
    StampedEvent,
    StateChanged,
)
from engine.records.example import ExampleCounts
from engine.records.job import JobState
from engine.records.options import ProjectSettings
from engine.records.station import Station, StationState
from tests.tui.seeds import PROMPT
from tui.panes.examples.drawing import draw
from tui.panes.examples.state import WallState
from tui.panes.view import View
from tui.panes.wall import in_order, last_lines
from tui.services.facts import Facts, Stream
from tui.services.job_view import JobView
from tui.widgets.lines import wrap


def job_view(*events: Event, state: JobState = "running") -> JobView:
    job = JobView(1, "generate")
    for at, event in enumerate((StateChanged(state), *events)):
        job.apply(StampedEvent(float(at), event))
    return job


def drawn_lines(
    job: JobView | None, width: int = 88, height: int = 36, counts: ExampleCounts | None = None
) -> list[str]:
    facts = Facts("p", "/p", ProjectSettings(), (), prompt=PROMPT, examples=counts or ExampleCounts())
    drawn = draw(View(facts, job, width, height), WallState())
    assert max(line.cell_length for line in drawn) <= width
    return [line.plain for line in drawn]


@pytest.mark.parametrize(
    ("state", "hint"),
    [
        ("ready", "4 the dataset is next: freeze the accepted answers"),
        ("stale", "4 the dataset is next: it is stale and needs freezing again"),
        ("done", "4 shows the dataset, where the accepted answers are frozen"),
        ("running", "4 shows the dataset, where the accepted answers are frozen"),
    ],
)
def test_hint_about_the_dataset_depends_on_its_state(state: StationState, hint: str) -> None:
    stations = (Station("dataset", state, 1, ""),)
    facts = Facts("p", "/p", ProjectSettings(), stations, prompt=PROMPT, examples=ExampleCounts(9, 9))
    assert hint in [line.plain for line in draw(View(facts, None, 88, 36), WallState())]


@pytest.mark.parametrize("undecided", [0, 3])
def test_newer_questions_are_answered_before_the_dataset_is_frozen_again(undecided: int) -> None:
    why = "1 newer question without an answer"
    stations = (Station("examples", "stale", 9, why), Station("dataset", "stale", 1, ""))
    counts = ExampleCounts(9 + undecided, 9, 0, undecided)
    facts = Facts("p", "/p", ProjectSettings(), stations, prompt=PROMPT, examples=counts)
    shown = [line.plain for line in draw(View(facts, None, 88, 36), WallState())]
    assert f"◐ stale: {why}   next: enter generate" in shown
    assert any("c reviews them" in line for line in shown) == bool(undecided)
    assert not any("freez" in line for line in shown)


def test_failures_are_counted_by_kind_and_apart_from_retries() -> None:
    job = job_view(
        AnswerStarted("1.0", "teacher", "q"),
        AnswerEnded("1.0", "", False, "slow", "stalled", again=True),
        AnswerStarted("1.0", "teacher", "q"),
        AnswerEnded("2.0", "", False, "no", "content_filter"),
        AnswerEnded("3.0", "", False, "no", "content_filter"),
        Progress(3, 9),
    )
    assert job.asked_again == {"stalled": 1}
    assert job.unanswered == {(2, 0): "content_filter", (3, 0): "content_filter"}
    shown = drawn_lines(job)
    assert "! 1 request retried: stalled answer   last: slow" in shown
    assert "✗ 2 without an answer: filtered questions" in shown
    job.apply(StampedEvent(9.0, AnswerEnded("2.0", "so", True)))
    assert list(job.unanswered) == [(3, 0)]
    assert job.answers_per_minute is None


def test_kinds_of_retries_come_before_the_last_error_which_is_cut() -> None:
    faults = ["server", "html", "server", "rate_limited", "rate_limited", "server"]
    job = job_view(
        *(AnswerEnded(f"{n}.0", "", False, f"HTTP 500: boom {n} {'and on ' * 20}", fault, again=True)
          for n, fault in enumerate(faults)),
    )  # fmt: skip
    words = "! 6 requests retried: 3 server errors, 2 rate limits, 1 web page"
    (line,) = (line for line in drawn_lines(job, 100) if "retried" in line)
    assert line.startswith(f"{words}   last: HTTP 500: boom 5")
    assert line.endswith("…")
    assert words in drawn_lines(job, 70)


def test_failures_do_not_count_as_answers() -> None:
    job = job_view(Progress(1, 19, failed=16))
    shown = drawn_lines(job)
    assert shown[0].strip() == "Examples   1 of 19 answered, 16 failed"
    assert shown[1].endswith(" 5\u00a0%")
    assert drawn_lines(job_view(Progress(1, 19)))[0].strip() == "Examples   1 of 19"


def test_later_answer_replaces_the_failed_row_of_its_question() -> None:
    job = job_view(
        AnswerStarted("7.0", "teacher", "How long?"),
        AnswerEnded("7.0", "", False, "The endpoint cannot be reached.", "unreachable"),
        AnswerStarted("8.0", "teacher", "How much?"),
        AnswerStarted("7.0", "teacher", "How long?"),
        AnswerEnded("7.0", "Two days.", True),
    )
    assert [(stream.name, stream.text) for stream in job.streams.values()] == [("8.0", ""), ("7.0", "Two days.")]
    assert not any("cannot be reached" in line for line in drawn_lines(job))


@pytest.mark.parametrize("state", ["failed", "stopped", "lost"])
def test_job_that_can_be_resumed_names_that_key_and_not_a_second_one(state: JobState) -> None:
    job = job_view(AnswerEnded("2.0", "", False, "no", "unreachable"), StateChanged(state))
    shown = drawn_lines(job, counts=ExampleCounts(5, 5))
    assert "r resumes the job: it asks for everything that has no answer" in shown
    assert not any(line.startswith("R ") for line in shown)


def test_unanswered_questions_stay_listed_while_an_update_trains() -> None:
    job = job_view(
        StageStarted("examples"),
        AnswerEnded("2.0", "", False, "no", "content_filter"),
        StageStarted("run"),
        AnswerEnded("distilled/2/0", "", False, "no", "refused"),
    )
    assert job.unanswered == {(2, 0): "content_filter"}
    for state in ("running", "done"):
        job.apply(StampedEvent(9.0, StateChanged(state)))
        shown = drawn_lines(job, counts=ExampleCounts(5, 5))
        assert "✗ 1 without an answer: filtered question" in shown
        assert "R asks again only what got no answer (1)" in shown
    job.apply(StampedEvent(9.0, StageStarted("examples")))
    assert not job.unanswered


def test_tokens_per_second_cover_the_last_half_minute_of_this_process() -> None:
    job = job_view()
    for at, tokens in ((0.0, 0), (100.0, 1_000), (110.0, 1_500), (120.0, 2_000)):
        job.apply(StampedEvent(at, Spent(0.0, None, 0, tokens)))
    assert job.tokens_per_second == pytest.approx(50.0)
    assert "50 tokens/s" in drawn_lines(job)[0]
    job.apply(StampedEvent(200.0, Spent(0.0, None, 0, 10)))
    assert job.tokens_per_second is None
    job.apply(StampedEvent(210.0, Spent(0.0, None, 0, 20)))
    assert "1 token/s" in drawn_lines(job)[0]


def test_spending_is_shown_against_the_budget_with_a_projection() -> None:
    drawn = "\n".join(drawn_lines(job_view(Progress(10, 40), Spent(0.5, 2.0, 10, 10))))
    assert "$0.50 of $2.00 spent   ≈ $2.00 in total" in drawn
    assert "! $1.90 of $2.00 spent" in "\n".join(drawn_lines(job_view(Progress(10, 40), Spent(1.9, 2.0, 10, 10)), 120))
    assert "spent" not in "\n".join(drawn_lines(job_view(Progress(10, 40), Spent(0.0, None, 10, 10))))


def test_paused_job_names_the_key_that_resumes_it() -> None:
    assert "‖ paused   r resumes it, x stops it" in drawn_lines(job_view(Progress(1, 2), state="paused"))


def test_partial_answers_of_a_failed_job_are_hidden() -> None:
    job = job_view(AnswerStarted("1.0", "teacher", "broken"), AnswerEnded("2.0", "whole", True))
    assert any("broken" in line for line in drawn_lines(job))
    job.apply(StampedEvent(9.0, StateChanged("failed")))
    shown = drawn_lines(job, counts=ExampleCounts(1, 0, 0, 1))
    assert not any("broken" in line for line in shown)
    assert any("whole" in line for line in shown)


@pytest.mark.parametrize(("passing", "count", "warned"), [(0, 10, True), (2, 10, True), (3, 10, False), (0, 9, False)])
def test_teacher_that_rarely_passes_the_rules_gets_a_warning(passing: int, count: int, warned: bool) -> None:
    answers = tuple(
        Stream(f"{n}", "teacher", "q", "a", "passed" if n < passing else "failed", "") for n in range(count)
    )
    facts = Facts(
        "p", "/p", ProjectSettings(), (), prompt=PROMPT, latest_answers=answers,
        examples=ExampleCounts(count, undecided=count),
    )  # fmt: skip
    for width in (50, 90):
        drawn = draw(View(facts, None, width, 36), WallState())
        assert max(line.cell_length for line in drawn) <= width
        shown = " ".join(line.plain.strip() for line in drawn)
        assert ("1 T tries a few questions." in shown) is warned
        assert ("None of these 10 answers passes every rule." in shown) is (warned and not passing)
    unanswered = dataclasses.replace(facts, latest_answers=tuple(dataclasses.replace(a, text="") for a in answers))
    assert not any("every rule" in line.plain for line in draw(View(unanswered, None, 90, 36), WallState()))
    one_accepted = dataclasses.replace(facts, examples=ExampleCounts(count, 1, undecided=count - 1))
    assert not any("every rule" in line.plain for line in draw(View(one_accepted, None, 90, 36), WallState()))


@given(st.text(st.sampled_from("ab \n\tü漢\u202e\x1b\r"), max_size=300), st.integers(5, 40), st.integers(1, 9))
def test_last_lines_equal_the_end_of_the_wrapped_text(text: str, width: int, room: int) -> None:
    whole = wrap(text.replace("\r\n", "\n"), width)
    assert last_lines(text, width, room)[-1:] == whole[-1:]
    if "\r" not in text:
        assert last_lines(text, width, room) == whole[-room:]


def test_last_lines_of_a_ten_megabyte_line() -> None:
    shown = last_lines("word " * 2_000_000 + "end", 40, 5)
    assert len(shown) == 5
    assert shown[-1].endswith("end")


def test_selected_answer_is_visible_among_64_streams() -> None:
    events: list[Event] = [AnswerStarted(f"{n}.0", "teacher", f"What about {n}?") for n in range(64)]
    job = job_view(*events, Progress(0, 64))
    state = WallState()
    streams = in_order(job.streams.values())
    state.move(streams, 50)
    facts = Facts("p", "/p", ProjectSettings(), (), prompt=PROMPT)
    shown = [line.plain for line in draw(View(facts, job, 78, 21), state)]
    assert len(shown) <= 21
    assert any(line.startswith("▌") and "What about 50?" in line for line in shown)


def test_cursor_follows_its_answer_when_the_order_changes() -> None:
    state = WallState()
    streams = [Stream(name, "teacher", name) for name in "abc"]
    state.move(streams, 1)
    streams[0].state = "passed"
    ordered = in_order(streams)
    assert [stream.name for stream in ordered] == ["b", "c", "a"]
    assert ordered[state.place(ordered)].name == "b"
    assert state.place([streams[2]]) == 0
    assert state.read is None
