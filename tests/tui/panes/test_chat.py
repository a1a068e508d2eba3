"""The chat pane: against a real server over a tiny model, the question field, and how it looks."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import RenderableType
from textual import events
from textual._compositor import Compositor, CompositorUpdate
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from engine.jobs import control
from engine.paths import Home
from engine.project import Project
from tests.hostile import control_characters, hostile
from tests.trained import make_tiny_adapter, make_tiny_base, make_trained_project
from tests.tui.panes.chat_helpers import chat, converse, open_chat, turn_is_finished
from tests.tui.panes.helpers import notified
from tests.tui.piloting import footer, open_app, pane_text, screen_text, until, wait_for_text
from tests.tui.seeds import make_stage
from tui.app import DistillApp
from tui.panes.chat.pane import ChatPane
from tui.panes.chat.question import QuestionField
from tui.services.chat import ReplyGrew
from tui.settings import Settings


@pytest.fixture
def trained_project(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with a trained run; its server is stopped at the end of the test."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    base = make_tiny_base(tmp_path / "base")
    with make_trained_project(home, base, make_tiny_adapter(base, tmp_path / "adapter", seed=1)) as project:
        folder = project.folder
    yield folder
    with Project.open(folder, home) as project:
        for job in project.jobs.live():
            control.stop(project, job, force=True, grace_s=5.0)


@pytest.mark.timeout(200)
async def test_blind_question_is_answered_by_both_arms_and_voted_on(trained_project: Path, home: Home) -> None:
    app = open_app(home, trained_project)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_chat(pilot)
        assert chat(app).state.arms == ("prompted", "run-1")
        await pilot.press("b", "enter", *"why", "enter")
        await until(pilot, lambda: turn_is_finished(app), seconds=120)
        turn = chat(app).state.turn
        assert turn is not None
        assert turn.comparable, [reply.error for reply in turn.replies.values()]
        await pilot.press("R")
        await until(pilot, lambda: chat(app).state.turn is not turn and turn_is_finished(app), seconds=60)
        assert [each.question for each in chat(app).state.turns] == ["why"]
        assert "run-1" not in pane_text(app).partition("> why")[2]
        await pilot.press("left")
        await until(pilot, lambda: chat(app).standing.votes == 1)
        assert "run-1" in pane_text(app).partition("> why")[2]
        await pilot.press("t")
        await until(pilot, lambda: notified(app, "Added to the training"))
    with Project.open(trained_project, home) as project:
        (vote,) = project.votes.between("prompted", "run-1")
        assert (vote.choice, vote.blind, vote.messages[-1].content) == ("left", True, "why")
        assert [q.split for q in project.questions.all() if q.text == "why"] == ["train"]
        assert [job.kind for job in project.jobs.live()] == ["serve"]  # the server keeps running


@pytest.mark.timeout(200)
async def test_escape_stops_both_answers(trained_project: Path, home: Home) -> None:
    app = open_app(home, trained_project)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_chat(pilot)
        await pilot.press("enter", *"why", "enter")
        await until(pilot, lambda: bool(chat(app).state.turns), seconds=60)
        await pilot.press("escape")
        await until(pilot, lambda: turn_is_finished(app))
        assert [reply.error for reply in chat(app).state.turns[-1].replies.values()] == ["Stopped.", "Stopped."]


async def test_server_start_failure_ends_the_turn_with_the_reason(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(project: Project) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.serving.client.ensure_server", refused)
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_chat(pilot)
        await pilot.press("enter", *"why", "enter")
        await until(pilot, lambda: turn_is_finished(app))
        assert "No space left on device" in pane_text(app)
        title = "The operating system reported an error."
        await until(pilot, lambda: [note.title for note in app._notifications] == [title])


STATES = ["empty", "waiting", "streaming", "done", "blind", "failed"]
CASES = [pytest.param(state, size, id=f"{state}-{size[0]}") for size in ((120, 40), (80, 24)) for state in STATES]


@pytest.mark.parametrize(("state", "size"), CASES)
@pytest.mark.usefixtures("fixed_meter")
def test_chat_matches_its_snapshot(
    snap_compare: Callable[..., bool], home: Home, state: str, size: tuple[int, int]
) -> None:
    folder = make_stage(home, "done")

    async def settle(pilot: Pilot[int]) -> None:
        await open_chat(pilot)
        converse(pilot.app, state)
        await pilot.pause(0.3)

    assert snap_compare(DistillApp(home, folder), terminal_size=size, run_before=settle)


async def test_hostile_answers_are_escaped_on_screen(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_chat(pilot)
        turn = chat(app).state.ask(hostile("why"))
        for reply in turn.replies.values():
            reply.text, reply.done = hostile("answer"), reply.arm == "prompted"
            reply.error = "" if reply.arm == "prompted" else hostile("error")
        chat(app).state.note = hostile("note")
        chat(app).redraw()
        await pilot.pause(0.3)
        assert not control_characters(screen_text(app))
        assert "[@click=app.quit]" in screen_text(app)


async def test_multiline_question_is_typed_while_the_chat_scrolls(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_chat(pilot)
        for _ in range(6):
            converse(app, "done")
            chat(app).state.turns[-1].voted = "tie"
        await until(pilot, lambda: chat(app).max_scroll_y > 0 and chat(app).is_vertical_scroll_end)
        await pilot.press("enter", *"one", "ctrl+j", *"two", "pageup")
        await until(pilot, lambda: not chat(app).is_vertical_scroll_end)
        field = app.screen.query_one(QuestionField)
        assert field.text == "one\ntwo"
        assert field.has_focus
        await pilot.press("pagedown", "pagedown", "pagedown")
        await until(pilot, lambda: chat(app).is_vertical_scroll_end)
        await pilot.press("pageup", "ctrl+end")
        await until(pilot, lambda: chat(app).is_vertical_scroll_end)
        await pilot.press("pageup", "home", "end")
        await until(pilot, lambda: field.cursor_location == (1, 3))
        assert not chat(app).is_vertical_scroll_end, "end goes to the end of the line first"
        await pilot.press("end")
        await until(pilot, lambda: chat(app).is_vertical_scroll_end)
        await pilot.press("escape")
        await until(pilot, lambda: chat(app).has_focus)
        assert field.text == "one\ntwo"


async def test_custom_keys_work_in_the_question_field(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(ChatPane, "on_question_field_sent", lambda _pane, message: sent.append(message.text))
    keys = {"asking.send": "ctrl+g", "asking.newline": "f6"}
    app = DistillApp(home, make_stage(home, "done"), Settings(keys=keys))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_chat(pilot)
        await pilot.press("enter", *"one", "f6", *"two", "enter", *"three")
        field = app.screen.query_one(QuestionField)
        await until(pilot, lambda: field.text == "one\ntwo\nthree")
        await until(pilot, lambda: "^g send   f6 new line" in footer(app))
        await pilot.press("ctrl+g")
        await until(pilot, lambda: sent == ["one\ntwo\nthree"])


async def test_fast_typing_loses_no_key(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_chat(pilot)
        for key in ("i", *"why is i"):
            app.post_message(events.Key(key, key))  # without waiting for the previous one
        await until(pilot, lambda: app.screen.query_one(QuestionField).text == "why is i")


def unwrapped(app: App[int]) -> str:
    """The text of the visible pane as one line."""
    return " ".join(pane_text(app).split())


def recording_render(sent: list[int]) -> Callable[..., object]:
    """A render function that records how much each update sends."""
    draw = Compositor.render_update

    def record(
        compositor: Compositor, full: bool = False, screen_stack: list[Screen[object]] | None = None
    ) -> RenderableType | None:
        update = draw(compositor, full, screen_stack)
        if isinstance(update, CompositorUpdate) and compositor.root is not None:
            sent.append(len(update.render_segments(compositor.root.app.console)))
        return update

    return record


async def test_growing_answers_stay_visible_without_redrawing_the_whole_page(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_chat(pilot)
        pane = chat(app)
        pane.state.ask("And then?")
        pane.redraw()
        await until(pilot, lambda: "And then?" in pane_text(app))
        sent: list[int] = []
        monkeypatch.setattr(Compositor, "render_update", recording_render(sent))
        answer, ends = "", set()
        for step in range(40):
            answer += f"Step {step} of it goes on a line. "
            for arm in (0, 1):
                pane.post_message(ReplyGrew(pane._ticket, arm, answer))
            await wait_for_text(pilot, unwrapped, f"Step {step} of")
            await until(pilot, lambda: pane.is_vertical_scroll_end)
            ends.add(pane.max_scroll_y)
        whole = len(app.screen._compositor.render_full_update().render_segments(app.console))
        assert max(ends) > 20  # rows were added, one or two per step
        assert len(ends) < 12
        assert sum(sent) < 40 * whole / 2
        assert max(sent) < whole  # nothing beside the page is redrawn

        for size in ((70, 21), (110, 30), (80, 24)):  # resizing keeps the end in view
            await pilot.resize_terminal(*size)
            await until(pilot, lambda: pane.is_vertical_scroll_end and pane.max_scroll_y > 0)
        await pilot.press("pageup")
        await until(pilot, lambda: not pane.is_vertical_scroll_end)
        position = pane.scroll_offset.y
        pane.post_message(ReplyGrew(pane._ticket, 0, answer + "the last words " * 100))
        await until(pilot, lambda: pane.max_scroll_y > max(ends))
        assert pane.scroll_offset.y == position
        await pilot.press("end")
        await until(pilot, lambda: pane.is_vertical_scroll_end)
