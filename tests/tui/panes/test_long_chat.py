"""A long chat never holds up the screen: its turns are laid out once, and many of them on another thread."""

from collections.abc import Callable
from threading import current_thread, main_thread

import pytest
from rich.markdown import Markdown
from textual.pilot import Pilot

from engine.paths import Home
from engine.project import Project
from engine.records.chat import Chat, ChatReply, ChatTurn
from tests.tui.panes.chat_helpers import chat, open_chat
from tests.tui.piloting import open_app, pane_text, until, wait_for_text
from tests.tui.seeds import make_stage
from tui.panes.chat import markdown
from tui.panes.chat.markdown import markdown_lines
from tui.services.chat import ReplyGrew

ARMS = ("prompted", "run-1")


def turns(count: int, words: int = 200) -> tuple[ChatTurn, ...]:
    def reply(number: int, arm: str) -> ChatReply:
        return ChatReply(arm, f"Answer {number} of {arm}. " + "word " * words)

    return tuple(ChatTurn(f"Question {n}?", reply(n, ARMS[0]), reply(n, ARMS[1])) for n in range(count))


@pytest.fixture
def laid_out(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each answer that is laid out, whether the screen waits for it."""
    recorded: list[bool] = []

    def record(text: str, *, hyperlinks: bool, code_theme: str) -> Markdown:
        recorded.append(current_thread() is main_thread())
        return Markdown(text, hyperlinks=hyperlinks, code_theme=code_theme)

    monkeypatch.setattr(markdown, "Markdown", record)
    markdown_lines.cache_clear()
    return recorded


def is_at_end(pilot: Pilot[int]) -> Callable[[], bool]:
    return lambda: chat(pilot.app).max_scroll_y > 0 and chat(pilot.app).is_vertical_scroll_end


async def test_restored_and_resized_chat_is_laid_out_beside_the_screen(home: Home, laid_out: list[bool]) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.settings.write_chat(Chat(ARMS, turns(12)))
    app = open_app(home, folder)
    async with app.run_test(size=(120, 40)) as pilot:
        await open_chat(pilot)
        await until(pilot, lambda: "Answer 11 of run-1." in pane_text(app))
        await until(pilot, is_at_end(pilot))
        assert pane_text(app).count("> Question") == 12
        assert laid_out == [False] * 24
        laid_out.clear()
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: len(laid_out) == 24)
        await until(pilot, lambda: max(map(len, pane_text(app).splitlines())) <= 80)
        await until(pilot, is_at_end(pilot))
        assert not any(laid_out)


async def test_finished_answers_are_not_laid_out_again_while_another_grows(home: Home, laid_out: list[bool]) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.settings.write_chat(Chat(ARMS, turns(140, words=1)))
    app = open_app(home, folder)
    async with app.run_test(size=(120, 40)) as pilot:
        await open_chat(pilot)
        await until(pilot, lambda: "Answer 139 of run-1." in pane_text(app))
        pane = chat(app)
        pane.state.ask("And now?")
        laid_out.clear()
        for words in ("It", "It is", "It is so"):
            pane.post_message(ReplyGrew(pane._ticket, 0, words))
            await wait_for_text(pilot, pane_text, f"{words} ")
        assert not laid_out
