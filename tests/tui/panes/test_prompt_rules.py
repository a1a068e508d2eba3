"""The rules beside the prompt: editing, importing and testing them by keys."""

import dataclasses
from pathlib import Path

import pytest
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Input

from engine.paths import Home
from engine.project import Project
from engine.records.rule import Check, Rule
from tests.tui.panes.helpers import notified
from tests.tui.panes.prompt_helpers import (
    field,
    footer_labels,
    form_title,
    mode,
    open_pane,
    shown_facts,
    stored_rules,
    text,
    type_text,
)
from tests.tui.piloting import SIZES, toast_text, until
from tui.app import DistillApp
from tui.panes.prompt.editor import DocumentArea
from tui.widgets.scroller import Scroller


async def wait_for_rules(pilot: Pilot[int], expected: tuple[Rule, ...]) -> None:
    """Wait until the pane shows these rules."""
    await until(pilot, lambda: shown_facts(pilot.app).rules == expected)


class TestRules:
    @pytest.mark.parametrize("size", SIZES)
    async def test_passage_of_the_selected_rule_is_marked(
        self, home: Home, prompt_project: Path, size: tuple[int, int]
    ) -> None:
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=size, notifications=True) as pilot:
            await open_pane(pilot, app)
            await until(pilot, lambda: "marked in the text" in text(app))
            await pilot.press("tab", "j", "j")
            await until(pilot, lambda: "not found in the text" in text(app))
            assert footer_labels(app)[:3] == ["edit", "add", "test"]
            await pilot.press("escape")
            await until(pilot, lambda: footer_labels(app)[:2] == ["edit", "versions"])

    async def test_rule_is_added_edited_and_deleted_and_each_step_undone(
        self, home: Home, prompt_project: Path
    ) -> None:
        before = stored_rules(prompt_project, home)
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("R", "a")
            await until(pilot, lambda: form_title(app) == "New rule, 1 of 2")
            await type_text(pilot, "Signs")
            await pilot.press("down", "right", "enter")
            await until(pilot, lambda: form_title(app) == "New rule, 2 of 2: ends with")
            await pilot.press("escape")
            await until(pilot, lambda: form_title(app) == "New rule, 1 of 2")
            await pilot.press("enter")
            await until(pilot, lambda: form_title(app) == "New rule, 2 of 2: ends with")
            await pilot.press("enter")
            assert form_title(app) != "", "a check needs a text"
            await type_text(pilot, "Yours")
            await pilot.press("enter")
            new = Rule(5, "Signs", Check("ends_with", text="Yours"))
            await until(pilot, lambda: stored_rules(prompt_project, home) == (*before, new))
            await until(pilot, lambda: "▌  5 Signs" in text(app))
            await pilot.press("enter")
            await until(pilot, lambda: form_title(app) == "Rule 5, 1 of 2")
            await pilot.press("enter")
            await until(pilot, lambda: form_title(app).startswith("Rule 5, 2 of 2"))
            await type_text(pilot, "Best")
            await pilot.press("enter")
            changed = dataclasses.replace(new, check=Check("ends_with", text="Best"))
            await until(pilot, lambda: stored_rules(prompt_project, home) == (*before, changed))
            await until(pilot, lambda: "ends with “Best”" in text(app))
            await pilot.press("g", "D")
            await until(pilot, lambda: stored_rules(prompt_project, home) == (*before[1:], changed))
            for expected in ((*before, changed), (*before, new), before):
                await pilot.press("u")
                await wait_for_rules(pilot, expected)
                assert stored_rules(prompt_project, home) == expected
            assert notified(app, "Undone: the last change of the rules.")
            await pilot.press("u")
            await until(pilot, lambda: notified(app, "Nothing to undo."))

    async def test_undo_is_refused_if_the_rules_were_changed_elsewhere(self, home: Home, prompt_project: Path) -> None:
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("R", "D")
            await until(pilot, lambda: len(stored_rules(prompt_project, home)) == 3)
            with Project.open(prompt_project, home) as project:
                project.rules.add([Rule(0, "another", Check("json"))])
            await pilot.press("u")
            await until(pilot, lambda: notified(app, "The rules were changed elsewhere since."))
            assert len(stored_rules(prompt_project, home)) == 4

    async def test_rules_import_can_be_undone(self, home: Home, prompt_project: Path, tmp_path: Path) -> None:
        before = stored_rules(prompt_project, home)
        source = tmp_path / "rules.yaml"
        source.write_text("rules:\n  - text: JSON\n    check: {kind: json}\n")
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("R", "m")
            await until(pilot, lambda: form_title(app) == "Import rules")
            app.screen.query_one(Input).value = str(source)
            await pilot.press("down", "right", "enter")
            await until(
                pilot, lambda: stored_rules(prompt_project, home) == (Rule(len(before) + 1, "JSON", Check("json")),)
            )
            await until(pilot, lambda: notified(app, "Added 1 rule. u undoes it."))
            await pilot.press("m")
            await until(pilot, lambda: form_title(app) == "Import rules")
            app.screen.query_one(Input).value = str(source)
            await pilot.press("enter")
            await until(pilot, lambda: "All these rules exist already." in toast_text(app))
            assert len(stored_rules(prompt_project, home)) == 1
            await pilot.press("u")
            await until(pilot, lambda: stored_rules(prompt_project, home) == before)

    @pytest.mark.parametrize("size", SIZES)
    async def test_own_answer_is_checked_while_it_is_typed(
        self, home: Home, prompt_project: Path, size: tuple[int, int]
    ) -> None:
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=size, notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("R", "t")
            await until(pilot, lambda: "Type or paste an answer" in text(app) and isinstance(app.focused, DocumentArea))
            app.post_message(Paste("RISK SCORE: 2.\nI am sorry."))
            await until(pilot, lambda: "3 of 4 passed" in text(app) and "contains forbidden “sorry”" in text(app))
            await pilot.press("escape")
            await until(pilot, lambda: mode(app) == "reading" and footer_labels(app)[:2] == ["edit", "add"])

    async def test_findings_scroll_while_the_answer_is_typed(self, home: Home, prompt_project: Path) -> None:
        with Project.open(prompt_project, home) as project:
            project.rules.replace_all([Rule(0, f"Rule {number}", Check("json")) for number in range(40)])
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("R", "t")
            await until(pilot, lambda: isinstance(app.focused, DocumentArea))
            await pilot.press("h", "i")
            findings = app.screen.query_one("OwnAnswerView Scroller", Scroller)
            await until(pilot, lambda: findings.max_scroll_y > 0)
            await pilot.press("pagedown", "x")
            await until(pilot, lambda: findings.scroll_offset.y > 0)
            assert field(app).text == "hix"
            await pilot.press("pageup")
            await until(pilot, lambda: findings.scroll_offset.y == 0)

    async def test_without_rules_the_keys_that_add_some_are_named(self, home: Home, prompt_project: Path) -> None:
        with Project.open(prompt_project, home) as project:
            project.rules.put(())
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await open_pane(pilot, app)
            await until(pilot, lambda: "R a   write one" in text(app))
            await pilot.press("R", "D", "j", "G", "u", "enter")
            await until(pilot, lambda: form_title(app) == "New rule, 1 of 2")
