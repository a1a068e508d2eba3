"""Decisions in the review by its keys: moving, deciding, marks, undo, and leaving."""

from pathlib import Path

import pytest
from textual.widgets import Input

from engine.curation.decisions import reject
from engine.paths import Home
from engine.project import Project
from engine.records.selection import Selection
from tests.tui.curate.review_helpers import (
    open_review,
    review_state,
    review_text,
    stored_examples,
    stored_states,
    wait_until_loaded,
)
from tests.tui.piloting import SIZES, footer, press_at_once, toast_text, until, wait_for_toast
from tui.app import DistillApp
from tui.screens.curate.screen import CurateScreen


def stored_sources(folder: Path, home: Home) -> list[str]:
    """Who decided each example, ordered by id; empty where nobody has."""
    return [row.decision.source if row.decision else "" for row in stored_examples(folder, home)]


@pytest.mark.parametrize("size", SIZES)
async def test_one_key_decides_and_moves_to_the_next_answer(home: Home, folder: Path, size: tuple[int, int]) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press("x")
        await until(pilot, lambda: review_state(app).where.cursor == 1)
        await pilot.press("j", "k", "a")
        await until(pilot, lambda: review_state(app).where.cursor == 2)
        assert stored_states(folder, home)[:2] == "ra"
        assert stored_sources(folder, home)[:2] == ["person", "person"]
        await pilot.press("u")
        await until(pilot, lambda: stored_sources(folder, home)[1] == "rules")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: stored_sources(folder, home)[1] == "person")


async def test_keys_jump_to_both_ends_of_the_list(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await wait_until_loaded(pilot, app)
        await pilot.press("G")
        await until(pilot, lambda: review_state(app).where.cursor == 19)
        await pilot.press("g")
        await until(pilot, lambda: review_state(app).where.cursor == 0)


async def test_keys_move_by_ten_answers(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press("ctrl+d")
        await until(pilot, lambda: review_state(app).where.cursor == 10)
        await pilot.press("j", "ctrl+u")
        await until(pilot, lambda: review_state(app).where.cursor == 1)


async def test_quick_keys_decide_one_answer_each(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press(*"xxxxxx")
        await until(pilot, lambda: review_state(app).awaited == 0)
        by_person = [row.decision.source == "person" for row in stored_examples(folder, home)[:7] if row.decision]
        assert by_person == [True] * 6 + [False]


async def test_keys_faster_than_the_store_decide_one_answer_each_beyond_the_window_that_was_read(
    home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.services.review.WINDOW", 6)
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await wait_until_loaded(pilot, app)
        press_at_once(app, *"xxxxxxxxxxxxxxxjxx")
        await until(pilot, lambda: stored_states(folder, home)[16:18] == "rr")
        decided = [
            row.decision is not None and row.decision.source == "person" for row in stored_examples(folder, home)
        ]
        assert decided == [*[True] * 15, False, *[True] * 2, *[False] * 2]


async def test_key_after_a_jump_acts_on_the_answer_that_it_leads_to(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await wait_until_loaded(pilot, app)
        press_at_once(app, "n", "x", "n", "n", "x")
        await until(pilot, lambda: stored_states(folder, home)[15:] == "ruuru")
        press_at_once(app, "u", "u", "a")
        await until(pilot, lambda: stored_states(folder, home)[15:] == "auuuu")


async def test_decision_in_another_terminal_is_shown(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await wait_until_loaded(pilot, app)
        await pilot.press("j")
        first = stored_examples(folder, home)[0].example.id
        with Project.open(folder, home) as project:
            reject(project, Selection(ids=(first,)))
        await until(pilot, lambda: "✗" in review_text(app).splitlines()[2])
        assert review_state(app).where.cursor == 1


async def test_next_undecided_is_found_and_rules_decide_the_rest(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press("n")
        await until(pilot, lambda: review_state(app).where.cursor == 15)
        await pilot.press("t")
        await until(pilot, lambda: review_state(app).total == 5 and "undecided  1 of 5" in review_text(app))
        await pilot.press("a")
        await until(pilot, lambda: review_state(app).total == 4)
        await pilot.press("c")
        await until(pilot, lambda: "Nothing in this list" in review_text(app))
        assert stored_examples(folder, home)[-1].state != "undecided"


async def test_failed_rule_check_is_reported(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        with Project.open(folder, home) as project:
            project.rules._connection.write("UPDATE rules SET check_json = 'x'")
        await pilot.press("c", "c")
        assert "● checking rules …" in review_text(app)
        await until(pilot, lambda: not review_state(app).checking)
        # The list cannot be read either, and is not requested endlessly.
        await until(pilot, lambda: review_state(app).awaited == 0 and review_state(app).failed)
        assert any(note.title == "Stored data cannot be read." for note in app._notifications)


async def test_truncated_answer_is_not_accepted_and_the_reason_is_shown(home: Home, folder: Path) -> None:
    with Project.open(folder, home) as project:
        project.examples._connection.write("UPDATE examples SET finish_reason = 'length' WHERE id = 1")
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press("a")
        await wait_for_toast(pilot, "ended by length")
        await until(pilot, lambda: review_state(app).where.cursor == 0)


async def test_marked_answers_are_decided_and_undone_in_one_step(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    before = stored_states(folder, home)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press("space", "j", "space", "j", "v", "j", "j")
        await until(pilot, lambda: "◆ 5 marked  range" in review_text(app))
        await pilot.press("space", "k", "space")  # the range stays marked, except for one answer
        await until(pilot, lambda: "◆ 4 marked" in review_text(app))
        await pilot.press("x")
        await wait_for_toast(pilot, "Rejected 4.")
        decided = [row for row in stored_examples(folder, home) if row.decision and row.decision.source == "person"]
        assert [row.example.id for row in decided] == [1, 3, 5, 7]
        assert not review_state(app).marks.any
        await pilot.press("u")
        await wait_for_toast(pilot, "Undone: 4 rejected.")
        assert stored_states(folder, home) == before
    app = DistillApp(home, folder)  # in a new session
    async with app.run_test(size=(80, 24)) as pilot:
        await open_review(pilot, app)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: stored_states(folder, home)[:7] == "rararar")


async def test_escape_clears_marks_before_it_closes_the_review(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press("asterisk")
        assert review_state(app).marked == 20
        await pilot.press("escape")
        assert review_state(app).marked == 0
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, CurateScreen))


@pytest.mark.parametrize("size", SIZES)
async def test_q_goes_back_instead_of_quitting(home: Home, folder: Path, size: tuple[int, int]) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_review(pilot, app)
        assert footer(app) == "a accept   x reject   e edit   u undo   esc back   ? help"
        await pilot.press("asterisk", "q")
        assert review_state(app).marked == 0
        await pilot.press("slash", "q")
        await until(pilot, lambda: app.screen.query_one(Input).value == "q")
        await pilot.press("escape", "q")
        await until(pilot, lambda: not isinstance(app.screen, CurateScreen))
        await until(pilot, lambda: footer(app).endswith("q quit"))
        assert app.return_value is None
        await pilot.press("q")
        await until(pilot, lambda: app.return_value == 0)


async def test_all_answers_of_a_list_are_decided_at_once(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press("t")
        await wait_until_loaded(pilot, app)
        await pilot.press("asterisk", "a")
        await until(pilot, lambda: stored_states(folder, home).endswith("aaaaa"))
        await until(pilot, lambda: "Nothing in this list" in review_text(app))
        assert "Accepted 5." in toast_text(app)
