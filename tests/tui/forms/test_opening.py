"""Forms that are known of only after a while open where they were asked for, and nowhere else."""

from collections.abc import Callable
from threading import Event

import pytest
from textual.pilot import Pilot

from engine.errors import UsageError
from engine.paths import Home
from tests.tui.curate.reviewing import make_reviewed, settled
from tests.tui.curate.reviewing import opened as reviewing
from tests.tui.piloting import SIZES, open_app, pane_of, reach, shown, until, workspace
from tests.tui.seeds import make_stage
from tui.app import DistillApp
from tui.forms.screen import FormScreen
from tui.keys import key_of
from tui.panes.evaluation.pane import EvaluationPane
from tui.panes.examples.pane import ExamplesPane
from tui.panes.pane import Pane
from tui.panes.questions.pane import QuestionsPane
from tui.panes.run.pane import RunPane
from tui.screens.curate.narrow import NarrowScreen
from tui.screens.help.screen import HelpScreen
from tui.screens.workspace.updating import PLAN
from tui.services.program import CommandEnded
from tui.services.questions import DRAW, LOOK, AnswersStand
from tui.services.review import FiltersRead


async def told(pilot: Pilot[int], words: str) -> None:
    await until(pilot, lambda: any(words in note.message for note in pilot.app._notifications))


def forms(app: DistillApp) -> int:
    return sum(isinstance(screen, FormScreen) for screen in app.screen_stack)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("kind", "ask", "keys"),
    [
        (RunPane, RunPane.action_train, "Press 5 t to open it"),
        (ExamplesPane, ExamplesPane.action_generate, "Press 3 enter to open it"),
        (EvaluationPane, EvaluationPane.action_evaluate, "Press 6 e to open it"),
    ],
)
async def test_a_form_does_not_open_over_another_pane(
    home: Home, kind: type[Pane], ask: Callable[[Pane], None], keys: str, size: tuple[int, int]
) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=size, notifications=True) as pilot:
        await reach(pilot, int(key_of(f"workspace.{kind.place}")), kind, lambda: bool(pane_of(app, kind).view))
        await pilot.press("8")
        await until(pilot, lambda: shown(app) == "cost")
        ask(pane_of(app, kind))  # what it waits for comes when the person has gone on
        await told(pilot, keys)
        assert not forms(app)


async def test_neither_over_help_nor_over_words_that_are_typed(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await reach(pilot, 5, RunPane, lambda: bool(pane_of(app, RunPane).view))
        await pilot.press("slash", "s")
        pane_of(app, RunPane).action_train()
        await told(pilot, "Press 5 t to open it")
        await pilot.press("t", "escape", "question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        app.clear_notifications()
        pane_of(app, RunPane).action_train()
        await told(pilot, "Press 5 t to open it")
        assert not forms(app)


async def test_a_plan_and_what_questions_ask_wait_for_their_keys(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await reach(pilot, 2, QuestionsPane, lambda: pane_of(app, QuestionsPane).state.page is not None)
        questions = pane_of(app, QuestionsPane)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        workspace(app).action_update()
        workspace(app).on_command_ended(CommandEnded(PLAN, {"text": "From 1 to 2"}, None))
        await told(pilot, "Press B to open it")
        wrong = UsageError("A file", "has no questions", "Choose another.")
        questions._looked_with = {"path": "a", "validation": "1", "test": "1", "seed": "0"}
        for name, keys in ((LOOK, "Press 2 i to open it"), (DRAW, "Press 2 S to open it")):
            app.clear_notifications()
            questions.post_message(CommandEnded(name, None, wrong))
            await told(pilot, keys)
            await told(pilot, "has no questions")
        questions.post_message(AnswersStand((1,), 1))
        await told(pilot, "Press 2 D to open it")
        assert not forms(app)


async def test_what_the_list_is_narrowed_to_is_asked_once(home: Home) -> None:
    app = open_app(home, make_reviewed(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await reviewing(pilot, app)
        await settled(pilot, app)
        review, came = app.screen, Event()
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, NarrowScreen) and app.screen.is_mounted)
        review.post_message(FiltersRead((), ()))  # the answer to a key that was pressed twice
        review.call_later(came.set)
        await until(pilot, came.is_set)
        assert sum(isinstance(screen, NarrowScreen) for screen in app.screen_stack) == 1
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is review)
