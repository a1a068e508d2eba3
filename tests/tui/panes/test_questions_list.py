"""The list of questions by its keys: search, filters, marks, adding, deleting and undo."""

import json
from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.paths import Home
from engine.project import Project
from engine.records.options import ProjectSettings, TeacherSpec
from engine.records.prompt import Message
from engine.records.question import Question
from engine.store.questions import QuestionTable
from tests.engine.teachers.hostile_server import good, served
from tests.hostile import control_characters, hostile
from tests.tui.panes.helpers import notified
from tests.tui.panes.questions_helpers import fill_in, open_pane, pane, stored_questions, text
from tests.tui.piloting import SIZES, field_error, form_aside, press_at_once, screen_text, until, wait_for_form
from tests.tui.seeds import PROMPT, add_examples, make_project, make_stage
from tui.app import DistillApp
from tui.screens.workspace.screen import WorkspaceScreen
from tui.services.questions import Where


async def test_deleting_answered_questions_needs_confirmation(home: Home) -> None:
    with make_project(home) as project:
        add_examples(project, 2)
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app, "48")
        await pilot.press("space", "space", "space")
        await until(pilot, lambda: "3 marked" in text(app))
        await pilot.press("D")
        await wait_for_form(pilot)
        await until(pilot, lambda: "3 questions with 2 answers" in form_aside(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))
        assert len(stored_questions(folder, home)) == 48
        await pilot.press("D")
        await wait_for_form(pilot)
        await pilot.press("right", "enter")
        await until(pilot, lambda: len(stored_questions(folder, home)) == 45)
        await until(
            pilot,
            lambda: notified(app, "Deleted 3 questions and 2 answers; the answers do not come back. u undoes it."),
        )
        await pilot.press("u")
        await until(pilot, lambda: len(stored_questions(folder, home)) == 48)
        assert "marked" not in text(app)


async def test_search_filters_while_typing_and_escape_restores_the_cursor(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "48")
        await pilot.press("j", "j", "j", "slash", *"fraud")
        await until(pilot, lambda: "8 questions listed" in text(app))
        await pilot.press("escape")
        await until(pilot, lambda: pane(app).state.where == Where(cursor=3) and pane(app).state.total == 48)
        await pilot.press("n")
        await until(pilot, lambda: notified(app, "No search is active"))
        await pilot.press("slash", *"loans", "enter", "j", "n", "n", "N")
        await until(pilot, lambda: "“loans”" in text(app) and pane(app).state.where.cursor == 2)
        await pilot.press("escape")
        await until(pilot, lambda: pane(app).state.where == Where(cursor=3) and pane(app).state.total == 48)


async def test_list_is_filtered_by_split_and_topic(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app, "48")
        await pilot.press("t")
        await until(pilot, lambda: "32 questions listed   train" in text(app))
        await pilot.press("T")
        await until(pilot, lambda: "Topics   6" in text(app))
        await pilot.press("j", "enter")
        await until(pilot, lambda: "8 questions listed   train   cards" in text(app))
        await pilot.press("t", "t", "t")
        await until(pilot, lambda: "No questions in this list." in text(app))
        await pilot.press("escape")
        await until(pilot, lambda: pane(app).state.total == 48)


async def test_range_and_all_listed_questions_are_marked(home: Home) -> None:
    folder = make_stage(home, "new")
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "48")
        await pilot.press("j", "v", "j", "j", "v")
        await until(pilot, lambda: pane(app).state.marks == {2, 3, 4})
        await pilot.press("asterisk")
        await until(pilot, lambda: len(pane(app).state.marks) == 48)
        await pilot.press("escape")
        assert not pane(app).state.marks
        await pilot.press("v", "escape")
        assert pane(app).state.range_from is None


async def test_delete_includes_the_open_range_and_marked_questions(home: Home) -> None:
    folder = make_stage(home, "new")
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "48")
        await pilot.press("space", "j", "v", "j", "j", "D")
        await until(pilot, lambda: len(stored_questions(folder, home)) == 44)
        assert [question.id for question in stored_questions(folder, home)][:3] == [2, 6, 7]
        await until(pilot, lambda: "44" in text(app))
        assert "marking a range" not in text(app)
        assert "marked" not in text(app)
        await pilot.press("u")
        await until(pilot, lambda: len(stored_questions(folder, home)) == 48)


async def test_typed_question_is_added_once_and_can_be_undone(home: Home) -> None:
    folder = make_stage(home, "new")
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "48")
        await pilot.press("a", "enter")
        await until(pilot, lambda: "Type a question" in field_error(app, "text"))
        await fill_in(pilot, app, text="Is it open on Sundays?", topic="hours")
        await until(pilot, lambda: len(stored_questions(folder, home)) == 49)
        assert (stored_questions(folder, home)[-1].topic, stored_questions(folder, home)[-1].split) == ("hours", None)
        await pilot.press("a")
        await fill_in(pilot, app, text="is it OPEN on sundays?")
        await until(pilot, lambda: notified(app, "already exists"))
        await pilot.press("u")
        await until(pilot, lambda: len(stored_questions(folder, home)) == 48)


async def test_undoing_an_import_of_an_earlier_session_needs_confirmation(home: Home) -> None:
    with make_project(home) as project:
        project.questions.add([Question((Message("user", f"late {n}"),), source="late.txt") for n in range(3)])
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "51")
        await pilot.press("u")
        await wait_for_form(pilot)
        warning = "The newest 3 questions from late.txt"
        await until(pilot, lambda: warning in form_aside(app))
        await pilot.press("right", "enter")
        await until(pilot, lambda: len(stored_questions(folder, home)) == 48)


async def test_questions_written_by_the_teacher_appear_in_the_list(home: Home) -> None:
    replies = "1. hours\n2. loans", "1. Is it open?\n2. When?", "1. Can I lend?"
    with served(*map(good, replies)) as server:
        spec = TeacherSpec("endpoint", "peer", server.url)
        with Project.create(home.projects / "desk", ProjectSettings(teacher=spec), home) as project:
            project.prompts.set(PROMPT)
            folder = project.folder
        app = DistillApp(home, folder)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await open_pane(pilot, app, "none yet")
            await pilot.press("s")
            await wait_for_form(pilot)
            await until(pilot, lambda: "21 requests for up to 200" in form_aside(app))
            await fill_in(pilot, app, topics="2", per_topic="2")
            await until(pilot, lambda: "Can I lend?" in text(app))
            await until(pilot, lambda: "loans" in text(app))
    assert [question.source for question in stored_questions(folder, home)] == ["synthesis"] * 3


async def test_teacher_needs_a_prompt_to_write_questions(home: Home) -> None:
    with Project.create(home.projects / "bare", home=home) as project:
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "once there is a prompt")
        await pilot.press("S", "T", "d", "D", "space", "asterisk", "G", "u")
        await until(pilot, lambda: notified(app, "Nothing to undo."))
        await pilot.press("s")
        await until(pilot, lambda: notified(app, "The teacher needs a prompt first"))


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_questions_are_escaped_on_screen(home: Home, size: tuple[int, int], tmp_path: Path) -> None:
    folder = make_stage(home, "hostile")
    with Project.open(folder, home) as project:
        turns = tuple(Message(role, hostile(role)) for role in ("user", "assistant", "user"))
        project.questions.add(
            [Question(turns, topic=hostile("topic"), source=hostile("source"), label=hostile("label"))]
        )
    (tmp_path / "q.jsonl").write_text(json.dumps({"text": hostile("brought"), "topic": hostile("topic")}) + "\n{x\n")
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app, "50")
        await pilot.press("G", "T", "escape", "m")
        await fill_in(pilot, app, path=str(tmp_path / "q.jsonl"))
        await until(pilot, lambda: "brought" in text(app))
        for keys in ((), ("enter",), ("escape",)):
            await pilot.press(*keys)
            await pilot.pause()
            assert not control_characters(screen_text(app))


async def test_failed_undo_can_be_retried(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with make_project(home) as project:
        folder, count = project.folder, len(project.questions.ids())

    def raise_busy(table: QuestionTable, removed: object) -> int:
        raise StoreError("The project is busy.", "Another process writes.", "Wait.")

    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "")
        await until(pilot, lambda: pane(app).state.row is not None)
        await pilot.press("D")
        await until(pilot, lambda: len(stored_questions(folder, home)) == count - 1 and bool(pane(app).state.steps))
        with monkeypatch.context() as patch:
            patch.setattr(QuestionTable, "put_back", raise_busy)
            await pilot.press("u")
            await until(pilot, lambda: "The project is busy." in [note.title for note in app._notifications])
        press_at_once(app, "u", "u")
        await until(pilot, lambda: len(stored_questions(folder, home)) == count)
        await until(pilot, lambda: notified(app, "Nothing to undo"))


@pytest.mark.parametrize("size", SIZES)
async def test_long_question_is_read_in_full(home: Home, size: tuple[int, int]) -> None:
    words = "\n".join(f"line {number} of a long question" for number in range(60))
    with make_project(home) as project:
        project.questions.add([Question((Message("user", words),), topic="long")])
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app, "49")
        await pilot.press("G")
        await until(pilot, lambda: "enter shows all" in text(app))
        assert "line 59 of" not in text(app)
        await pilot.press("enter")
        await until(pilot, lambda: "line 59 of a long question" in text(app) and "49 of 49" in text(app))
        await pilot.press("G")
        await until(pilot, lambda: "line 59 of" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "enter shows all" in text(app))
        await pilot.press("enter", "D")
        await until(pilot, lambda: len(stored_questions(folder, home)) == 48)
