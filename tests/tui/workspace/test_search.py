"""Search by the same keys in every list and page; escape restores the place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Input

from engine.jobs.protocol import StageStarted, StateChanged
from engine.paths import Home
from engine.project import Project
from engine.records.options import GenerateOptions
from engine.records.prompt import Message, Prompt
from tests.tui.panes.measured_projects import make_compared
from tests.tui.piloting import SIZES, go_to_pane, open_app, pane_of, shown, text_of, until, workspace
from tests.tui.seeds import PROMPT, add_job, make_stage
from tui.panes.evaluation.pane import EvaluationPane
from tui.panes.pane import Pane
from tui.panes.prompt.pane import PromptPane
from tui.panes.prompt.rules_view import RulesView
from tui.panes.prompt.text_view import TextView
from tui.panes.questions.pane import QuestionsPane
from tui.panes.release.pane import ReleasePane
from tui.panes.run.pane import RunPane
from tui.screens.workspace.search import SearchLine
from tui.widgets.footer import Footer
from tui.widgets.listing import Listed, Listing, from_here, matching, places
from tui.widgets.page import Page


@given(st.lists(st.text("abAB ", max_size=6)), st.text("ab", min_size=1, max_size=2), st.integers(0, 8))
def test_next_visits_every_match_once(texts: list[str], query: str, at: int) -> None:
    rows = matching(texts, query)
    assert rows == [row for row, text in enumerate(texts) if query.lower() in text.lower()]
    seen: list[int | None] = []
    for _ in rows:
        seen.append(from_here(rows, at, 1))
        at = (seen[-1] or 0) + 1
    assert sorted(row for row in seen if row is not None) == rows
    assert (from_here(rows, at, -1) is None) == (not rows)


def test_search_text_is_literal_and_ignores_case() -> None:
    assert places("a.c abc A.C", "a.c") == [(0, 3), (8, 11)]
    assert places("abc", "") == []


def listing_of(listed: Listed) -> Listing:
    result = listed.listing
    assert result is not None
    return result


def search_line(pilot: Pilot[int]) -> SearchLine:
    return workspace(pilot.app).query_one(SearchLine)


async def test_search_in_rules_and_escape_restores_the_cursor(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await go_to_pane(pilot, 1, PromptPane, lambda: "rules" in text_of(app, PromptPane))
        rules = app.screen.query_one(RulesView)
        await pilot.press("R")
        await until(pilot, lambda: rules.has_focus)
        hits = matching(listing_of(rules).texts(), "s")
        assert len(hits) >= 3
        await pilot.press("slash", "s")
        await until(pilot, lambda: listing_of(rules).at == hits[0])
        await pilot.press("enter", "n")  # outside a search, n does nothing
        await until(pilot, lambda: rules.has_focus and listing_of(rules).at == hits[1])
        await pilot.press("N", "N")
        await until(pilot, lambda: listing_of(rules).at == hits[-1])
        await pilot.press("escape")
        await until(pilot, lambda: listing_of(rules).at == 0 and not search_line(pilot).on)
        assert rules.has_focus
        # Escape keeps the cursor after it was moved away from a match.
        await pilot.press("slash", "s", "enter", "n", "j", "escape")
        await until(pilot, lambda: not search_line(pilot).on)
        assert listing_of(rules).at == hits[1] + 1
        await pilot.press("slash", *"no such words")
        await until(pilot, lambda: "no match" in search_line(pilot).query_one(Page).plain)
        assert listing_of(rules).at == hits[1] + 1


async def test_search_scrolls_a_page_and_escape_scrolls_back(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await go_to_pane(pilot, 1, PromptPane, lambda: "rules" in text_of(app, PromptPane))
        text = app.screen.query_one(TextView)
        await until(pilot, lambda: text.max_scroll_y > 0)
        await pilot.press("slash", *"number of the account", "enter")
        row = matching(text.query_one(Page).rows, "number of the account")[0]
        seen = range(text.scroll_offset.y, text.scroll_offset.y + text.size.height)
        assert row in seen
        assert text.has_focus
        await pilot.press("escape")
        await until(pilot, lambda: text.scroll_offset.y == 0 and not search_line(pilot).on)


@pytest.mark.parametrize("size", SIZES)
async def test_search_in_topics_and_releases(home: Home, size: tuple[int, int]) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=size, notifications=True) as pilot:
        await go_to_pane(pilot, 2, QuestionsPane, lambda: pane_of(app, QuestionsPane).state.total > 0)
        await pilot.press("T")
        questions = pane_of(app, QuestionsPane)
        await until(pilot, lambda: bool(questions.state.topics))
        names = [topic.topic for topic in questions.state.topics or ()]
        await pilot.press("slash", *names[-1])
        await until(pilot, lambda: questions.state.topic_at == len(names) - 1)
        await pilot.press("escape")
        await until(pilot, lambda: questions.state.topic_at == 0 and questions.state.mode == "topics")
        await go_to_pane(pilot, 7, ReleasePane, lambda: bool(pane_of(app, ReleasePane).state.releases))
        await pilot.press("slash", *"adapter", "enter")
        await until(pilot, lambda: "1 of 1" in search_line(pilot).query_one(Page).plain)
        footer = app.screen.query_one(Footer)
        await until(pilot, lambda: footer._actions[0].id == "found_next")
        await pilot.press("2")
        await until(pilot, lambda: not search_line(pilot).on and footer._actions[0].id != "found_next")


@pytest.mark.parametrize(
    ("number", "kind", "key", "title", "last", "all_rows"),
    [
        (6, EvaluationPane, "equals_sign", "Evaluations", "run 1", "run"),
        (5, RunPane, "equals_sign", "Runs", "run 1", "rank"),
        (1, PromptPane, "v", "Versions", "version 1", "version"),
    ],
    ids=["evaluations", "runs", "versions"],
)
async def test_search_in_evaluations_runs_and_versions(
    home: Home, number: int, kind: type[Pane], key: str, title: str, last: str, all_rows: str
) -> None:
    folder = make_compared(home)
    with Project.open(folder, home) as project:
        for text in ("Be brief.", "Be kind."):
            project.prompts.set(Prompt((*PROMPT.messages, Message("user", text))))
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await go_to_pane(pilot, number, kind, lambda: text_of(app, kind) != "")
        await pilot.press(key)
        await until(pilot, lambda: title in text_of(app, kind))
        listed = next(node for _, node in workspace(app).binding_chain if isinstance(node, Listed))
        await until(pilot, lambda: len(listing_of(listed).texts()) > 1 and last in listing_of(listed).texts()[-1])
        start, count = listing_of(listed).at, len(listing_of(listed).texts())
        await pilot.press("slash", *last)
        await until(pilot, lambda: listing_of(listed).at == count - 1)
        await pilot.press("escape")
        await until(pilot, lambda: listing_of(listed).at == start and not search_line(pilot).on)
        await pilot.press("slash", *all_rows, "enter", "n")
        await until(pilot, lambda: listing_of(listed).at == (start + 1) % count)
        await pilot.press("N", "N")
        await until(pilot, lambda: listing_of(listed).at == (start - 1) % count)
        await pilot.press("escape")
        await until(pilot, lambda: listing_of(listed).at == start and not search_line(pilot).on)
        assert title in text_of(app, kind)


@pytest.mark.parametrize("size", SIZES)
async def test_pane_does_not_change_while_search_text_is_typed(home: Home, size: tuple[int, int]) -> None:
    folder = make_stage(home, "done")
    app = open_app(home, folder)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await pilot.press("slash", "r")
        await until(pilot, lambda: search_line(pilot).typing)
        with Project.open(folder, home) as project:
            add_job(project, GenerateOptions(), "running", [StateChanged("running"), StageStarted("examples")])
        state = workspace(app).state
        await until(pilot, lambda: state.job is not None and state.job.kind == "generate" and state.job.live)
        workspace(app)._draw()
        await pilot.press(*"isk 5")
        assert (shown(app), search_line(pilot).query_one(Input).value) == ("evaluation", "risk 5")
        await pilot.press("enter")
        await until(pilot, lambda: shown(app) == "examples")


async def test_pasted_lines_are_searched_as_one_line(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24)) as pilot:
        await go_to_pane(pilot, 1, PromptPane, lambda: "rules" in text_of(app, PromptPane))
        await pilot.press("slash")
        await until(pilot, lambda: search_line(pilot).typing)
        app.post_message(Paste("RISK\r\nSCORE\n"))
        await until(pilot, lambda: search_line(pilot).query_one(Input).value == "RISK SCORE")
