"""Rules proposed from the prompt, and the findings of the prompt check."""

from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.paths import Home
from engine.project import Project
from engine.records.prompt import Message, Prompt
from engine.records.rule import Check, Rule
from tests.tui.panes.helpers import notified
from tests.tui.panes.prompt_helpers import form_title
from tests.tui.piloting import SIZES, go_to_pane, open_app, text_of, until
from tests.tui.seeds import RULES, make_project, make_stage
from tui.panes.prompt.advice_views import FindingsView, ProposalsView
from tui.panes.prompt.pane import PromptPane
from tui.panes.prompt.rules_view import RulesView
from tui.services.rules import put_rules
from tui.widgets.page import Page

SYSTEM = """You answer for a bank.

- Begin every answer with "RISK".
- Answer in at most 40 words.
- Be helpful and friendly.
- Never mention [/x] "competitors".
"""


def make_project_without_rules(home: Home) -> Path:
    """A project with a prompt but no rules."""
    folder = make_stage(home, "new")
    with Project.open(folder, home) as project:
        project.prompts.set(Prompt((Message("system", SYSTEM),)))
        project.rules.replace_all(())
    return folder


def stored_rules(folder: Path, home: Home) -> list[str]:
    with Project.open(folder, home) as project:
        return [rule.text for rule in project.rules.all()]


@pytest.mark.parametrize("size", SIZES)
async def test_proposed_rules_are_added_one_by_one_and_undone(home: Home, size: tuple[int, int]) -> None:
    folder = make_project_without_rules(home)
    app = open_app(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await go_to_pane(pilot, 1, PromptPane, lambda: "propose some" in text_of(app, PromptPane))
        await pilot.press("P")
        await until(pilot, lambda: bool(app.screen.query(ProposalsView)))
        view = app.screen.query_one(ProposalsView)
        await until(pilot, lambda: "to add" in view.query_one(Page).plain)
        state = view._state
        open_at_first = len(state.open)
        assert open_at_first >= 2
        await pilot.press("g")
        while state.proposal is not None and state.proposal.check is None:
            await pilot.press("j")
        first = state.proposal
        assert first is not None
        await pilot.press("enter")
        await until(pilot, lambda: len(state.open) == open_at_first - 1)
        assert state.proposal is not None
        assert state.proposal != first
        assert stored_rules(folder, home) == [first.text]
        await pilot.press("u")
        await until(pilot, lambda: len(state.open) == open_at_first)
        assert stored_rules(folder, home) == []
        checked = [each.text for each in state.open if each.check is not None]
        await pilot.press("A")
        await until(pilot, lambda: len(state.open) == open_at_first - len(checked))
        assert stored_rules(folder, home) == checked
        await pilot.press("A")
        await until(pilot, lambda: notified(app, "a adds one as a rubric for a judge"))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen.query_one(RulesView).has_focus)


async def test_proposal_without_a_check_is_added_as_a_rubric(home: Home) -> None:
    folder = make_project_without_rules(home)
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await go_to_pane(pilot, 1, PromptPane, lambda: "propose some" in text_of(app, PromptPane))
        await pilot.press("P")
        await until(pilot, lambda: bool(app.screen.query(ProposalsView)))
        view = app.screen.query_one(ProposalsView)
        await until(pilot, lambda: "rubric for a judge" in view.query_one(Page).plain)
        await pilot.press("g")
        state = view._state
        while state.proposal is not None and state.proposal.check is not None:
            await pilot.press("j")
        assert state.proposal is not None
        rubric = state.proposal.text
        await pilot.press("a")
        await until(pilot, lambda: notified(app, "Only a judge can decide a rubric"))
        with Project.open(folder, home) as project:
            assert [(rule.text, rule.check) for rule in project.rules.all()] == [(rubric, Check("rubric"))]


async def test_prompt_without_proposals_says_that_they_need_english(home: Home) -> None:
    folder = make_project_without_rules(home)
    with Project.open(folder, home) as project:
        project.prompts.set(Prompt((Message("system", "Antworte in höchstens 40 Wörtern."),)))
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await go_to_pane(pilot, 1, PromptPane, lambda: "propose some" in text_of(app, PromptPane))
        await pilot.press("P")
        await until(pilot, lambda: "in English only" in text_of(app, PromptPane))
        await pilot.press("escape", "a")
        await until(pilot, lambda: form_title(app) == "New rule, 1 of 2")


@pytest.mark.parametrize("size", SIZES)
async def test_prompt_check_starts_in_the_column_of_the_prompt(home: Home, size: tuple[int, int]) -> None:
    app = open_app(home, make_project_without_rules(home))
    async with app.run_test(size=size) as pilot:
        await go_to_pane(pilot, 1, PromptPane, lambda: "bank" in text_of(app, PromptPane))
        column = app.screen.query_one("#prompt-title").content_region.x
        await pilot.press("C")
        await until(pilot, lambda: bool(app.screen.query(FindingsView)))
        assert app.screen.query_one(FindingsView).content_region.x == column


async def test_prompt_check_lists_its_findings(home: Home) -> None:
    app = open_app(home, make_project_without_rules(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await go_to_pane(pilot, 1, PromptPane, lambda: "bank" in text_of(app, PromptPane))
        await pilot.press("C")
        await until(pilot, lambda: bool(app.screen.query(FindingsView)))
        page = app.screen.query_one(FindingsView).query_one(Page)
        await until(pilot, lambda: "finding" in page.plain, seconds=60)
        assert "Line numbers are those of the prompt's text." in " ".join(page.plain.split())
        assert "line 5: untestable" in page.plain
        assert "Be helpful and friendly." in page.plain
        assert "prices and traffic: press 8." in page.plain
        await pilot.press("escape")
        await until(pilot, lambda: "bank" in text_of(app, PromptPane) and not page.is_on_screen)


def test_rule_is_not_added_twice(home: Home) -> None:
    with make_project(home) as project:
        new = (Rule(0, "Never says please", Check("forbidden", texts=("please",))),)
        assert len(put_rules(project, new).after) == len(RULES) + 1
        with pytest.raises(UsageError):
            put_rules(project, new)
        assert len(project.rules.all()) == len(RULES) + 1
