"""The mouse: a click selects a row, shows a station or presses a footer key; the wheel moves the cursor or scrolls."""

import pytest
from textual.events import MouseScrollDown, MouseScrollUp
from textual.geometry import Offset
from textual.pilot import Pilot
from textual.widget import Widget

from engine.paths import Home
from tests.tui.curate.review_helpers import (
    make_reviewed_project,
    open_review,
    review_page,
    review_state,
    wait_until_loaded,
)
from tests.tui.panes.measured_projects import make_compared
from tests.tui.piloting import SIZES, footer, go_to_pane, open_app, pane_of, shown, until
from tests.tui.seeds import make_stage
from tui.panes.evaluation.pane import EvaluationPane
from tui.panes.prompt.pane import PromptPane
from tui.panes.prompt.rules_view import RulesView
from tui.panes.questions.pane import QuestionsPane
from tui.screens.curate.screen import CurateScreen
from tui.screens.help.screen import HelpScreen
from tui.screens.workspace.rail import Rail, Spine
from tui.widgets.footer import Footer
from tui.widgets.page import Page


async def click(pilot: Pilot[int], widget: Widget, text: str) -> None:
    """Click the first occurrence of the text in a page."""
    page = widget if isinstance(widget, Page) else widget.query_one(Page)
    row, line = next((row, line) for row, line in enumerate(page.rows) if text in line)
    inside = page.content_region.offset - page.region.offset
    await pilot.click(page, offset=inside + Offset(line.index(text) + 1, row))


async def wheel(pilot: Pilot[int], page: Page, kind: type[MouseScrollDown | MouseScrollUp]) -> None:
    x, y = page.region.offset
    event = kind(page, 1, 1, 0, 0, 0, False, False, False, x + 1, y + 1)
    page.post_message(event)
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES)
async def test_click_on_a_station_shows_it(home: Home, size: tuple[int, int]) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await pilot.pause(0.3)
        if size[0] >= 100:
            await click(pilot, app.screen.query_one(Rail), "Questions")
        else:
            await click(pilot, app.screen.query_one(Spine), "questions")
        await until(pilot, lambda: shown(app) == "questions")


@pytest.mark.parametrize("size", SIZES)
async def test_click_selects_a_row_and_wheel_moves_the_cursor(home: Home, size: tuple[int, int]) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=size) as pilot:
        await go_to_pane(pilot, 2, QuestionsPane, lambda: pane_of(app, QuestionsPane).state.row is not None)
        questions = pane_of(app, QuestionsPane)
        await until(pilot, lambda: "Question 4 " in questions.query_one(Page).plain)
        await click(pilot, questions, "Question 4 ")
        state = questions.state
        await until(pilot, lambda: state.row is not None and state.row.question.text.startswith("Question 4 "))
        clicked = state.where.cursor
        assert clicked > 0
        await wheel(pilot, questions.query_one(Page), MouseScrollDown)
        await until(pilot, lambda: state.where.cursor == clicked + 3)
        for _ in range(4):
            await wheel(pilot, questions.query_one(Page), MouseScrollUp)
        await until(pilot, lambda: state.where.cursor == 0)


async def test_click_on_a_rule_focuses_the_rules(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to_pane(pilot, 1, PromptPane, lambda: bool(app.screen.query(RulesView)))
        rules = app.screen.query_one(RulesView)
        await until(pilot, lambda: "Never says sorry" in rules.query_one(Page).plain)
        await click(pilot, rules, "Never says sorry")
        await until(pilot, lambda: rules.has_focus and rules.listing is not None and rules.listing.at == 3)


async def test_wheel_scrolls_the_review_and_footer_keys_are_clickable(home: Home) -> None:
    app = open_app(home, make_reviewed_project(home))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_review(pilot, app)
        await wait_until_loaded(pilot, app)
        page = app.screen.query_one("#review", Page)
        cursor = review_state(app).where.cursor
        await wheel(pilot, page, MouseScrollDown)
        await until(pilot, lambda: review_state(app).where.cursor > cursor)
        footer_text = footer(app)
        await pilot.click(Footer, offset=(1 + footer_text.index("? help") + 2, 1))
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, CurateScreen))
        rejected = review_page(app).counts.rejected
        await pilot.click(Footer, offset=(1 + footer_text.index("reject"), 1))
        await until(pilot, lambda: review_page(app).counts.rejected == rejected + 1)


async def test_wheel_scrolls_the_evaluation(home: Home) -> None:
    app = open_app(home, make_compared(home))
    async with app.run_test(size=(80, 24)) as pilot:
        await go_to_pane(pilot, 6, EvaluationPane, lambda: bool(pane_of(app, EvaluationPane).view))
        pane = pane_of(app, EvaluationPane)
        await until(pilot, lambda: pane.max_scroll_y > 0)
        await wheel(pilot, pane.query_one(Page), MouseScrollDown)
        await until(pilot, lambda: pane.scroll_y > 0)
