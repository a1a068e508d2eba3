"""The review by its keys: what a key decides is in the store, and what was decided can be taken back."""

import dataclasses
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from engine.paths import Home
from engine.project import Project
from engine.records.example import CuratedExample
from engine.records.rule import Check, CheckResult, Rule
from tests.tui.seeds import PROMPT, add_examples, make_project, make_stage
from tests.tui.test_app import until
from tui.app import DistillApp
from tui.screens.curate.drawing import draw
from tui.screens.curate.screen import CurateScreen
from tui.screens.curate.state import ReviewState
from tui.services.review import ReviewPage, ReviewRow, Where

SIZES = [(80, 24), (120, 40)]


def page(app: DistillApp) -> str:
    return str(app.screen.query_one("#review", Static).visual) if isinstance(app.screen, CurateScreen) else ""


def reviewing(app: DistillApp) -> ReviewState:
    assert isinstance(app.screen, CurateScreen)
    return app.screen.state


async def opened(pilot: Pilot[int], app: DistillApp) -> None:
    await until(pilot, lambda: bool(app.screen.query("Pane")))
    await until(pilot, lambda: getattr(getattr(app.screen, "state", None), "facts", None) is not None)
    await pilot.press("c")
    await until(pilot, lambda: "Curate" in page(app))


def stored(folder: Path, home: Home) -> tuple[CuratedExample, ...]:
    with Project.open(folder, home) as project:
        return project.examples.all()


@pytest.fixture
def folder(home: Home) -> Path:
    """Twenty answers, the last five of them undecided."""
    with make_project(home) as project:
        add_examples(project, 15)
        decided = {row.example.id for row in project.examples.all()}
        add_examples(project, 20)
        project.decisions.undo()
        assert {row.example.id for row in project.examples.all() if row.state == "undecided"}.isdisjoint(decided)
        return project.folder


@pytest.mark.parametrize("size", SIZES)
async def test_one_key_decides_and_the_next_answer_comes_up(home: Home, folder: Path, size: tuple[int, int]) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("x")
        await until(pilot, lambda: reviewing(app).where.cursor == 1)
        await pilot.press("j", "k", "a")
        await until(pilot, lambda: reviewing(app).where.cursor == 2)
        rows = stored(folder, home)
        assert [(row.state, row.decision and row.decision.source) for row in rows[:2]] == [
            ("rejected", "person"),
            ("accepted", "person"),
        ]
        await pilot.press("u")
        await until(pilot, lambda: stored(folder, home)[1].decision.source == "rules")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: stored(folder, home)[1].decision.source == "person")


async def test_keys_pressed_at_once_decide_one_answer_each(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press(*"xxxxxx")
        await until(pilot, lambda: reviewing(app).awaited == 0)
        by_person = [row.decision.source == "person" for row in stored(folder, home)[:7] if row.decision]
        assert by_person == [True] * 6 + [False]


async def test_the_next_undecided_is_found_and_rules_decide_the_rest(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("n")
        await until(pilot, lambda: reviewing(app).where.cursor == 15)
        await pilot.press("t")
        await until(pilot, lambda: reviewing(app).total == 5 and "undecided only" in page(app))
        await pilot.press("a")
        await until(pilot, lambda: reviewing(app).total == 4)
        await pilot.press("v")
        await until(pilot, lambda: "Nothing in this list." in page(app))
        await pilot.press("n")
        await until(pilot, lambda: stored(folder, home)[-1].state != "undecided")


async def test_words_are_looked_for_and_let_go(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("slash", *"transfers", "enter")
        await until(pilot, lambda: 0 < reviewing(app).total < 20 and "«transfers»" in page(app))
        await pilot.press("slash", "escape")
        assert isinstance(app.screen, CurateScreen)
        await pilot.press("G")
        assert reviewing(app).where.cursor == reviewing(app).total - 1
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, CurateScreen))


async def test_a_cut_answer_is_not_accepted_and_the_reason_is_told(home: Home, folder: Path) -> None:
    with Project.open(folder, home) as project:
        project.examples._connection.write("UPDATE examples SET finish_reason = 'length' WHERE id = 1")
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("a")
        await until(pilot, lambda: any("ended by length" in note.message for note in app._notifications))
        await until(pilot, lambda: reviewing(app).where.cursor == 0)


async def test_an_edit_in_a_persons_editor_is_stored(home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.screens.curate.screen.edit_text", lambda text: text.replace("Please", "Do"))
    monkeypatch.setattr(DistillApp, "suspend", lambda self: __import__("contextlib").nullcontext())
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("e")
        await until(pilot, lambda: ". Do call the desk." in stored(folder, home)[0].answer)
        await until(pilot, lambda: "edited" in page(app))


async def test_without_answers_the_review_says_how_to_get_some(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "distill-tui generate" in page(app))
        await pilot.press("a", "x", "e", "n", "j", "G")
        assert app.is_running


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_answers_are_shown_and_never_obeyed(home: Home, size: tuple[int, int]) -> None:
    folder = make_stage(home, "hostile")
    with Project.open(folder, home) as project:
        hostile = project.questions.all()[-1]
        project.prompts.set(PROMPT)
        add_examples(project, 3)
        answer = "[@click=app.quit]x[/] \x1b]52;c;aGk=\x07\x9b31m\u202eevil"
        project.examples._connection.write(
            "UPDATE examples SET answer = ?, question_id = ? WHERE id = 1", (answer, hostile.id)
        )
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "[@click=app.quit]x" in page(app))
        text = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert not any((ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 for char in text)
        assert "\u202e" not in text


def row(number: int) -> ReviewRow:
    return ReviewRow(number, "q", "t", "a", "a", "undecided", by_person=False, reason="", checks=())


def state_over(count: int, where: Where = Where(), total: int = 0) -> ReviewState:  # noqa: B008 (frozen)
    state = ReviewState(where)
    state.ask()
    state.take(ReviewPage(where, tuple(map(row, range(count))), 0, total or count), 0, 0.0)
    return state


def test_the_cursor_stays_in_the_list_and_asks_for_what_it_does_not_hold() -> None:
    state = state_over(200, total=1000)
    assert not state.move(-5)
    assert state.where.cursor == 0
    assert not state.move(199)
    assert state.row is not None
    assert state.move(1)
    assert state.row is None
    state.move(5000)
    assert state.where.cursor == 999


def test_decisions_faster_than_the_store_each_meet_the_next_answer() -> None:
    state = state_over(5)
    assert [state.decide("accepted") for _ in range(3)] == [0, 1, 2]
    state = state_over(5, Where("undecided"))
    assert [state.decide("accepted") for _ in range(6)] == [0, 1, 2, 3, 4, None]
    state = state_over(3, Where("accepted"))
    assert [state.decide("accepted"), state.decide("rejected"), state.decide("accepted")] == [0, 1, 2]


def test_of_several_windows_only_the_last_is_taken() -> None:
    state = state_over(3)
    state.ask()
    state.turn_filter()
    state.ask()
    state.take(ReviewPage(Where(), (row(1),), 0, 1), 0, 0.0)
    assert state.row is None
    state.take(ReviewPage(Where("undecided"), (row(7),), 0, 1), 0, 0.0)
    assert state.row == row(7)


def test_the_pace_is_of_the_last_minutes() -> None:
    state = ReviewState()
    for second in range(0, 60, 6):
        state.take(ReviewPage(), 1, float(second))
    assert state.a_minute == pytest.approx(10.0)
    state.take(ReviewPage(), 0, 1000.0)
    assert state.a_minute is None


def test_a_long_answer_says_that_it_goes_on_and_rules_are_named_by_their_number() -> None:
    long = dataclasses.replace(row(1), answer="word " * 900, checks=(CheckResult(7, False, "too long"),))
    page = ReviewPage(Where(), (long,), 0, 1, rules=(Rule(7, "Be brief", Check("length", unit="words", max=9)),))
    lines = [line.plain for line in draw(ReviewState(Where(), page), 78, 20)]
    assert len(lines) <= 20
    assert any("more lines; e shows all" in line for line in lines)
    assert any("7 Be brief: too long" in line for line in lines)
