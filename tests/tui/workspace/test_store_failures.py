"""A failed read is reported in place of its content, with the key that retries it."""

from collections.abc import Callable

import pytest
from textual.message_pump import MessagePump

from engine.errors import StoreError
from engine.folders import DATABASE
from engine.paths import Home
from engine.project import Project
from tests.tui.panes.measured_projects import make_compared
from tests.tui.piloting import SIZES, footer, open_app, pane_of, pane_text, shown, text_of, until, wait_for_toast
from tests.tui.seeds import make_stage
from tui.panes.evaluation.pane import EvaluationPane
from tui.panes.pane import Pane
from tui.panes.prompt.advice_views import ProposalsView
from tui.panes.prompt.own_answer import OwnAnswerView
from tui.panes.prompt.pane import PromptPane
from tui.panes.prompt.versions_view import VersionsView
from tui.panes.questions.pane import QuestionsPane
from tui.panes.release.pane import ReleasePane
from tui.panes.run.pane import RunPane
from tui.services.store import StoreFailed, StoreService

DISK_ERROR = StoreError("The project cannot be read.", "The disk is gone.", "Put it back.")
CARRY_OUT = StoreService.carry_out


def fail_for(monkeypatch: pytest.MonkeyPatch, kind: type[MessagePump]) -> None:
    """Whatever a target of this kind asks the store for fails, until `CARRY_OUT` is put back."""

    def carry_out(service: StoreService, work: Callable[[Project], object], target: MessagePump) -> None:
        if isinstance(target, kind):
            target.post_message(StoreFailed(DISK_ERROR))
        else:
            CARRY_OUT(service, work, target)

    monkeypatch.setattr(StoreService, "carry_out", carry_out)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("kind", "pane", "keys", "hint", "retry_keys", "content"),
    [
        (QuestionsPane, QuestionsPane, "2", "2 reads again", "2", "Question 1 about"),
        (ReleasePane, ReleasePane, "7", "7 reads again", "7", "exported, newest first"),
        (VersionsView, PromptPane, "1 v", "esc v reads again", "escape v", "Versions   1"),
        (ProposalsView, PromptPane, "1 P", "esc P reads again", "escape P", "Proposed rules"),
        (OwnAnswerView, PromptPane, "1 R t x", "", "y", "Starts with a risk score"),
    ],
)
async def test_read_error_stays_until_the_named_key_retries(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    kind: type[MessagePump],
    pane: type[Pane],
    keys: str,
    hint: str,
    retry_keys: str,
    content: str,
) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        fail_for(monkeypatch, kind)
        await pilot.press(*keys.split())
        await until(pilot, lambda: "The disk is gone." in text_of(app, pane) and hint in text_of(app, pane))
        monkeypatch.setattr(StoreService, "carry_out", CARRY_OUT)
        await pilot.press(*retry_keys.split())
        await until(pilot, lambda: content in text_of(app, pane))
        assert "The disk is gone." not in pane_text(app)


@pytest.mark.parametrize(
    ("key", "kind", "is_read"),
    [
        ("5", RunPane, lambda pane: bool(pane.state.rows)),
        ("6", EvaluationPane, lambda pane: bool(pane.state.evaluations) and pane.state.answers.evaluation_id == 2),
    ],
)
async def test_key_of_the_shown_pane_reads_again_what_failed(
    home: Home, monkeypatch: pytest.MonkeyPatch, key: str, kind: type[Pane], is_read: Callable[[Pane], bool]
) -> None:
    fail_for(monkeypatch, kind)
    app = open_app(home, make_compared(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        await pilot.press("9", key)
        await until(pilot, lambda: bool(app.screen.query(kind)) and pane_of(app, kind)._unread)
        assert not is_read(pane_of(app, kind))
        monkeypatch.setattr(StoreService, "carry_out", CARRY_OUT)
        await pilot.press(key)
        await until(pilot, lambda: is_read(pane_of(app, kind)))


async def test_no_run_is_deleted_while_none_could_be_read(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        fail_for(monkeypatch, MessagePump)
        await pilot.press("5")
        await wait_for_toast(pilot, "The disk is gone.")
        await until(pilot, lambda: "Run 1" in text_of(app, RunPane))
        await pilot.press("equals_sign", "D")
        await wait_for_toast(pilot, "No run is listed.")


async def test_footer_of_a_broken_project_leads_to_the_others(home: Home) -> None:
    folder = make_stage(home, "new")
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: shown(app) != "")
        assert "projects" not in footer(app)
    (folder / DATABASE).write_text("nonsense " * 100)
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: footer(app) == "o projects   ? help   q quit")
