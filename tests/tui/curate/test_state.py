"""The state of the review without a terminal: cursor, quick decisions, filters, marks, attempts."""

from dataclasses import replace

import pytest

from engine.curation.again import Asked
from engine.records.job import Job, JobState
from engine.records.selection import Selection
from tui.screens.curate.state import ReviewState
from tui.services.review import ReviewPage, ReviewRow, Where


def row(number: int) -> ReviewRow:
    return ReviewRow(number, "q", "t", "a", "a", "undecided", by_person=False, reason="", checks=())


def state_over(count: int, where: Where = Where(), total: int = 0) -> ReviewState:  # noqa: B008 (frozen)
    state = ReviewState(where)
    state.ask()
    rows = tuple(map(row, range(count)))
    state.take(ReviewPage(where, rows, 0, total or count, newest_id=count - 1, prompt_sha256="p"), 0, 0.0)
    return state


def single_selections(*ids: int) -> list[Selection]:
    return [Selection(ids=(number,)) for number in ids]


def test_cursor_stays_in_the_list_and_missing_rows_are_requested() -> None:
    state = state_over(200, total=1000)
    assert not state.move(-5)
    assert state.where.cursor == 0
    assert not state.move(199)
    assert state.row is not None
    assert state.move(1)
    assert state.row is None
    state.move(5000)
    assert state.where.cursor == 999


def test_quick_decisions_apply_to_successive_answers() -> None:
    state = state_over(5)
    assert [state.decide("accepted") for _ in range(3)] == single_selections(0, 1, 2)
    state = state_over(5, Where("undecided"))
    assert [state.decide("accepted") for _ in range(6)] == [*single_selections(0, 1, 2, 3, 4), None]
    state = state_over(3, Where("accepted"))
    assert [state.decide("accepted"), state.decide("rejected"), state.decide("accepted")] == single_selections(0, 1, 2)


def test_only_the_latest_requested_window_is_used() -> None:
    state = state_over(3)
    state.ask()
    state.turn_filter()
    state.ask()
    state.take(ReviewPage(Where(), (row(1),), 0, 1), 0, 0.0)
    assert state.row is None
    state.take(ReviewPage(Where("undecided"), (row(7),), 0, 1), 0, 0.0)
    assert state.row == row(7)


def test_late_window_does_not_move_the_cursor_back() -> None:
    state = state_over(9)
    state.ask()
    state.move(4)
    state.take(ReviewPage(Where(), tuple(map(row, range(9))), 0, 9), 0, 0.0)
    assert state.where.cursor == 4
    state.ask()
    state.take(ReviewPage(Where(cursor=7), tuple(map(row, range(9))), 0, 9, sent=True), 0, 0.0)
    assert state.where.cursor == 7
    state.ask()
    state.take(ReviewPage(Where(cursor=7), (row(0),), 0, 1), 0, 0.0)
    assert state.where.cursor == 0, "not beyond the end"


def test_cursor_outside_the_window_needs_a_read() -> None:
    state = state_over(5, total=500)
    state.move(300)
    assert state.lacking
    state.ask()
    assert not state.lacking, "it has been requested"


def test_decision_applies_to_marks_first_and_clears_them() -> None:
    state = state_over(9, Where(topic="cards"))
    state.toggle_mark()
    assert state.where.cursor == 1, "marking moves to the next answer"
    state.move(2)
    state.toggle_range()
    state.move(2)
    assert state.marked == 4
    meant = state.decide("rejected")
    assert meant == Selection("p", topic="cards", ids=(0,), spans=((3, 5),))
    assert (state.marked, state.where.cursor, state.doing) == (0, 5, "4 rejected …")
    assert state.decide("rejected") == Selection(ids=(5,))


def test_changing_the_filter_clears_the_marks() -> None:
    state = state_over(9)
    state.mark_all()
    assert state.marked == 9
    assert state.turn_filter() == 0
    assert state.marked == 0


def test_refused_decision_returns_to_its_answer() -> None:
    state = state_over(5)
    state.ask()
    state.decide("accepted")
    assert state.where.cursor == 1
    state.take(None, 0, 0.0)
    assert state.where.cursor == 0


def test_selected_attempt_is_dropped_when_the_cursor_row_changes() -> None:
    state = ReviewState()
    listed = replace(row(5), attempts=(5, 8))
    state.ask()
    state.take(ReviewPage(Where(), (listed, row(6)), 0, 2), 0, 0.0)
    assert state.turn_attempt(1) == 8
    state.ask()
    state.take(ReviewPage(Where(), (listed, row(6)), 0, 2), 0, 0.0)
    assert state.other_id == 8
    state.ask()
    state.take(ReviewPage(Where(), (replace(row(6), attempts=(6, 9)),), 0, 1), 0, 0.0)
    assert state.row is state.listed is not None
    assert state.turn_attempt(1) == 9


def test_window_is_used_after_a_failed_request() -> None:
    state = state_over(3)
    state.take(None, 0, 0.0)
    state.ask()
    state.take(ReviewPage(Where(), (row(7),), 0, 1), 0, 0.0)
    assert state.row == row(7)


def test_filters_cycle_and_keep_the_current_example() -> None:
    state = state_over(5, Where(rule=2))
    state.move(3)
    assert state.turn_filter() == 3
    seen = [(state.where.state, state.where.flagged, state.where.rule)]
    for _ in range(4):
        state.turn_filter()
        seen.append((state.where.state, state.where.flagged, state.where.rule))
    assert seen == [
        ("undecided", False, 2), ("accepted", False, 2), ("rejected", False, 2), (None, True, 2), (None, False, 2),
    ]  # fmt: skip


def test_leaving_a_search_returns_to_where_the_first_one_started() -> None:
    state = state_over(9)
    state.move(4)
    assert state.leave_search() is None
    state.look_for(" one ")
    state.look_for("two")
    assert state.where == Where(search="two")
    assert state.leave_search() == 4
    assert (state.where.search, state.leave_search()) == ("", None)
    state.look_for("three")
    assert state.look_for("  ") == 0, "the previous list has not been read yet"
    assert state.where.search == ""


def test_attempts_cycle_and_only_the_selected_one_is_shown() -> None:
    state = state_over(1)
    assert state.turn_attempt(1) is None
    listed = replace(row(5), attempts=(5, 8, 9))
    state.ask()
    state.take(ReviewPage(Where(), (listed, row(6)), 0, 2), 0, 0.0)
    assert state.turn_attempt(1) == 8
    assert state.row is None, "an attempt is decided only once it is shown"
    assert state.decide("accepted") is None
    assert state.turn_attempt(1) == 9
    state.show_attempt(row(8))
    assert state.row is None
    state.show_attempt(row(9))
    assert state.row == row(9)
    assert state.turn_attempt(1) is None
    assert state.row == listed
    state.turn_attempt(-1)
    state.show_attempt(row(9))
    assert state.decide("accepted") == Selection(ids=(9,))
    assert state.row == row(6), "the next answer shows its own first attempt"


@pytest.mark.parametrize(
    ("job_id", "job_state", "missing", "answered", "expected"),
    [
        (1, "done", 0, 2, "2 new answers; n goes to the next undecided."),
        (1, "done", 0, 1, "1 new answer; n goes to the next undecided."),
        (1, "failed", 2, 0, "2 did not arrive: job 1 failed."),
        (1, "stopped", 1, 1, "1 new answer; n goes to the next undecided. 1 did not arrive: job 1 stopped."),
        (1, "running", 1, 1, ""),
        (2, "done", 0, 2, ""),
    ],
)
def test_result_of_asking_again_is_reported_when_complete(
    job_id: int, job_state: JobState, missing: int, answered: int, expected: str
) -> None:
    def page(number: int, now: JobState, open_count: int, count: int) -> ReviewPage:
        job = Job(number, "generate", now, "", "", "examples")
        return ReviewPage(asked=Asked(job, frozenset(range(open_count)), count))

    state = ReviewState()
    messages = []
    for shown in (page(1, "running", 2, 0), page(job_id, job_state, missing, answered)):
        state.ask()
        messages.append(state.take(shown, 0, 0.0))
    assert messages == ["", expected]


def test_decisions_per_minute_cover_the_last_minutes() -> None:
    state = ReviewState()
    for tenth in range(3):
        state.take(ReviewPage(), 1, tenth / 10)
    assert state.a_minute is None, "three quick decisions are too few"
    state = ReviewState()
    for second in range(0, 60, 6):
        state.take(ReviewPage(), 1, float(second))
    assert state.a_minute == pytest.approx(10.0)
    state.take(ReviewPage(), 0, 1000.0)
    assert state.a_minute is None
