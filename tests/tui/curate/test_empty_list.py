"""In an empty list, every key that needs an answer explains why there is none and what to do."""

import pytest
from textual.pilot import Pilot

from engine.paths import Home
from engine.project import Project
from engine.records.prompt import Message, Prompt
from tests.tui.curate.review_helpers import make_reviewed_project, open_review, review_state, review_text
from tests.tui.piloting import SIZES, until
from tests.tui.seeds import make_stage
from tui.actions import ACTIONS
from tui.app import DistillApp

# These actions work without an answer.
WORK_WITHOUT_ANSWERS = {"undo", "redo", "filter", "choose", "search", "back"}
WORK_IN_EMPTY_FILTERS = {"check"}  # checks the answers in all lists


async def messages_by_action(pilot: Pilot[int], app: DistillApp, excluded: set[str]) -> dict[str, str]:
    """Press the keys of all but the excluded actions; return the resulting messages by action."""
    messages: dict[str, str] = {}
    for action in ACTIONS["curate"]:
        if action.id not in excluded:
            app.clear_notifications()
            await pilot.press(action.keys.split(",")[0])
            await until(pilot, lambda: len(app._notifications) > 0)
            messages[action.id] = " ".join(note.message for note in app._notifications)
    return messages


@pytest.mark.parametrize("size", SIZES)
async def test_every_key_explains_that_there_are_no_answers_yet(home: Home, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_review(pilot, app)
        assert "The teacher has not answered yet." in review_text(app)
        assert "esc 3 enter   generate answers" in review_text(app)
        assert "distill-tui generate" in review_text(app)
        messages = await messages_by_action(pilot, app, WORK_WITHOUT_ANSWERS)
        assert set(messages.values()) == {"The teacher has not answered yet; esc 3 enter generate answers."}
        assert len(messages) == len(ACTIONS["curate"]) - len(WORK_WITHOUT_ANSWERS)
        await pilot.press("t", "a")  # the same in other lists
        await until(
            pilot, lambda: review_state(app).where.state == "undecided" and "not answered yet" in review_text(app)
        )


async def test_answers_to_an_older_prompt_are_named_with_the_ways_on(home: Home) -> None:
    folder = make_reviewed_project(home)
    with Project.open(folder, home) as project:
        project.prompts.set(Prompt((Message("system", "Answer for another bank."),)))
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await until(pilot, lambda: "20 answers are to an older version of the prompt." in review_text(app))
        assert "esc 3 enter   generate answers to this version" in review_text(app)
        assert "esc 1 v       go back to that version: b makes it current" in review_text(app)
        await pilot.press("escape", "1", "v", "j", "b")
        await pilot.press("c")
        await until(pilot, lambda: "5 ○" in review_text(app))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("t t t t", "Nothing in this list: flagged; t next filter, T choose topic or rule."),
        ("slash u n h e a r d enter", "Nothing in this list: “unheard”; esc back to the previous list."),
    ],
)
async def test_every_key_explains_that_the_filter_matches_nothing(home: Home, keys: str, message: str) -> None:
    app = DistillApp(home, make_reviewed_project(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press(*keys.split())
        await until(pilot, lambda: "Nothing in this list" in review_text(app))
        messages = await messages_by_action(pilot, app, WORK_WITHOUT_ANSWERS | WORK_IN_EMPTY_FILTERS)
        assert set(messages.values()) == {message}
