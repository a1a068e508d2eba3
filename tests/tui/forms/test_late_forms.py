"""Forms that need data first open only if the user is still where they were requested."""

from collections.abc import Callable, Sequence
from threading import Event

import pytest

from engine.errors import UsageError
from engine.paths import Home
from tests.tui.curate.review_helpers import make_reviewed_project, open_review, wait_until_loaded
from tests.tui.piloting import SIZES, go_to_pane, open_app, pane_of, shown, until, wait_for_toast, workspace
from tests.tui.seeds import make_stage
from tui.app import DistillApp
from tui.forms.screen import FormScreen
from tui.keys import key_of
from tui.panes.evaluation.pane import EvaluationPane
from tui.panes.examples.pane import ExamplesPane
from tui.panes.pane import Pane
from tui.panes.questions.forms import LATER
from tui.panes.questions.pane import QuestionsPane
from tui.panes.run.pane import RunPane
from tui.screens.curate.narrow import NarrowScreen
from tui.screens.curate.screen import CurateScreen
from tui.screens.help.screen import HelpScreen
from tui.services import program
from tui.services.program import Answer
from tui.services.questions import AnswersStand
from tui.services.review import Filters


def open_forms(app: DistillApp) -> int:
    return sum(isinstance(screen, FormScreen) for screen in app.screen_stack)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("kind", "open_form", "keys"),
    [
        (RunPane, RunPane.action_train, "Press 5 t to open it"),
        (ExamplesPane, ExamplesPane.action_generate, "Press 3 enter to open it"),
        (EvaluationPane, EvaluationPane.action_evaluate, "Press 6 e to open it"),
    ],
)
async def test_form_does_not_open_over_another_pane(
    home: Home, kind: type[Pane], open_form: Callable[[Pane], None], keys: str, size: tuple[int, int]
) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=size, notifications=True) as pilot:
        await go_to_pane(pilot, int(key_of(f"workspace.{kind.place}")), kind, lambda: bool(pane_of(app, kind).view))
        await pilot.press("8")
        await until(pilot, lambda: shown(app) == "cost")
        open_form(pane_of(app, kind))  # its data arrives after the user has left the pane
        await wait_for_toast(pilot, keys)
        assert not open_forms(app)


async def test_form_does_not_open_over_help_or_a_search(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await go_to_pane(pilot, 5, RunPane, lambda: bool(pane_of(app, RunPane).view))
        await pilot.press("slash", "s")
        pane_of(app, RunPane).action_train()
        await wait_for_toast(pilot, "Press 5 t to open it")
        await pilot.press("t", "escape", "question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        app.clear_notifications()
        pane_of(app, RunPane).action_train()
        await wait_for_toast(pilot, "Press 5 t to open it")
        assert not open_forms(app)


async def test_results_of_commands_open_no_form_over_help(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def carry_out(words: Sequence[str], *_: object) -> Answer:
        if words[0] == "questions":
            raise UsageError("A file", "has no questions", "Choose another.")
        return {"text": "From 1 to 2"}

    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await go_to_pane(pilot, 2, QuestionsPane, lambda: pane_of(app, QuestionsPane).state.page is not None)
        questions = pane_of(app, QuestionsPane)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        monkeypatch.setattr(program, "carry_out", carry_out)
        workspace(app).action_update()
        await wait_for_toast(pilot, "Press B to open it")
        asked = dict.fromkeys(("path", "text", "topic", "label", "limit"), "a")
        given = {**asked, "split": LATER, "validation": "1", "test": "1", "seed": "0"}
        for preview, key in ((questions._look, "m"), (questions._draw_splits, "S")):
            app.clear_notifications()
            preview(given)
            await wait_for_toast(pilot, f"Press 2 {key} to open it")
            await wait_for_toast(pilot, "has no questions")
        questions._tell(AnswersStand((1,), 1))
        await wait_for_toast(pilot, "Press 2 D to open it")
        assert not open_forms(app)


async def test_filter_choice_opens_once(home: Home) -> None:
    app = open_app(home, make_reviewed_project(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await wait_until_loaded(pilot, app)
        review, handled = app.screen, Event()
        assert isinstance(review, CurateScreen)
        await pilot.press("T")
        await until(pilot, lambda: isinstance(app.screen, NarrowScreen) and app.screen.is_mounted)
        review.call_later(review._offer, Filters((), ()))  # as after a second press of the key
        review.call_later(handled.set)
        await until(pilot, handled.is_set)
        assert sum(isinstance(screen, NarrowScreen) for screen in app.screen_stack) == 1
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is review)
