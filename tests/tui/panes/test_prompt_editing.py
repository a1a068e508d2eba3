"""Typing a prompt: what is typed is saved as a version or kept as a draft, and never lost."""

import stat
from pathlib import Path

import pytest
from textual.events import Paste

from engine.paths import Home
from engine.project import DRAFT, Project
from engine.records.prompt import Message, Prompt
from tests.tui.panes.helpers import notified
from tests.tui.panes.prompt_helpers import (
    ELSEWHERE,
    LATER,
    editing,
    field,
    footer_labels,
    mode,
    open_pane,
    pane,
    save_elsewhere,
    start_typing,
    stored_draft,
    stored_prompt,
    text,
    type_text,
)
from tests.tui.piloting import SIZES, until
from tests.tui.seeds import make_stage
from tui.app import DistillApp
from tui.panes.prompt.editor import Editor
from tui.services.prompt import keep_draft, read_draft


class TestEditing:
    @pytest.mark.parametrize("size", SIZES)
    async def test_first_prompt_is_written_with_keys_only(
        self, home: Home, project_without_prompt: Path, size: tuple[int, int]
    ) -> None:
        app = DistillApp(home, project_without_prompt)
        async with app.run_test(size=size, notifications=True) as pilot:
            await open_pane(pilot, app)
            await until(pilot, lambda: "No prompt yet." in text(app) and "m   import a file" in text(app))
            await start_typing(pilot, app)
            await type_text(pilot, "Be kind.\n\n## User\nOpen?\n## Assistant\nYes.")
            await until(pilot, lambda: "1 example turn" in text(app) and "not saved" in text(app))
            await pilot.press("ctrl+g")
            await until(pilot, lambda: mode(app) == "reading" and "version 1" in text(app))
            assert notified(app, "Version 1 is current.")
        turns = (Message("user", "Open?"), Message("assistant", "Yes."))
        assert stored_prompt(project_without_prompt, home) == (1, Prompt((Message("system", "Be kind."), *turns)))

    async def test_saving_lists_the_stations_now_out_of_date(self, home: Home) -> None:
        folder = make_stage(home, "done")
        async with editing(home, folder, (120, 40)) as (pilot, app):
            await type_text(pilot, "Hello. ")
            await pilot.press("f10")
            await until(pilot, lambda: notified(app, "Version 2 is current."))
            assert notified(app, "examples, dataset, run, evaluation, release")

    async def test_invalid_prompt_is_reported_below_the_field_and_kept(
        self, home: Home, project_without_prompt: Path
    ) -> None:
        async with editing(home, project_without_prompt, (80, 24)) as (pilot, app):
            await type_text(pilot, "Be kind.\n## User\nOpen?")
            await pilot.press("ctrl+g")
            await until(pilot, lambda: "✗ Line 2, “## User”: the last example turn has no answer" in text(app))
            assert mode(app) == "editing"
            await type_text(pilot, "\n## Assistant\nYes.")
            await until(pilot, lambda: "✗" not in text(app))
            await pilot.press("ctrl+g")
            await until(pilot, lambda: stored_prompt(project_without_prompt, home)[0] == 1)

    async def test_unsaved_text_is_a_draft_that_can_be_discarded_and_restored(
        self, home: Home, prompt_project: Path
    ) -> None:
        async with editing(home, prompt_project, (120, 40)) as (pilot, app):
            await type_text(pilot, "Hm. ")
            await pilot.press("escape")
            await until(pilot, lambda: "unsaved draft" in text(app))
            await pilot.press("D")
            await until(pilot, lambda: "unsaved draft" not in text(app))
            pane(app).query_one(Editor).post_message(Editor.Typed())  # a late event restores nothing
            await pilot.pause()
            await pilot.press("D")
            await until(pilot, lambda: "unsaved draft" in text(app))
            await start_typing(pilot, app)
            assert field(app).text.startswith("Hm. You answer")
            await pilot.press("ctrl+underscore", "escape")
            await until(pilot, lambda: mode(app) == "reading" and "unsaved draft" not in text(app))
            assert stored_prompt(prompt_project, home) == (2, LATER)

    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("key", ["ctrl+q", "escape"])
    async def test_unsaved_text_survives_quitting_the_app(
        self, home: Home, prompt_project: Path, key: str, size: tuple[int, int]
    ) -> None:
        async with editing(home, prompt_project, size) as (pilot, app):
            await type_text(pilot, "Hm. ")
            await pilot.press(key)
            await pilot.pause()
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=size, notifications=True) as pilot:
            await open_pane(pilot, app)
            await until(pilot, lambda: "unsaved draft" in text(app))
            await start_typing(pilot, app)
            assert field(app).text.startswith("Hm. You answer")
            await pilot.press("ctrl+g")
            await until(
                pilot, lambda: stored_prompt(prompt_project, home)[0] == 3 and not (prompt_project / DRAFT).exists()
            )

    async def test_draft_file_follows_typing_and_is_private(self, home: Home, prompt_project: Path) -> None:
        async with editing(home, prompt_project, (80, 24)) as (pilot, _app):
            await type_text(pilot, "Hm. ")
            await until(pilot, lambda: stored_draft(prompt_project).startswith("Hm. You answer"))
            assert stat.S_IMODE((prompt_project / DRAFT).stat().st_mode) == 0o600
            await pilot.press(*["ctrl+underscore"] * 4)
            await until(pilot, lambda: not stored_draft(prompt_project))

    async def test_saving_over_a_version_saved_elsewhere_needs_a_second_save(
        self, home: Home, prompt_project: Path
    ) -> None:
        async with editing(home, prompt_project, (120, 40)) as (pilot, app):
            await type_text(pilot, "Hm. ")
            save_elsewhere(prompt_project, home)
            await pilot.press("ctrl+g")
            await until(pilot, lambda: notified(app, "Not saved: version 3 was saved elsewhere"))
            assert stored_prompt(prompt_project, home) == (3, ELSEWHERE)
            assert field(app).text.startswith("Hm. You answer")
            await pilot.press("ctrl+g")
            await until(pilot, lambda: stored_prompt(prompt_project, home)[0] == 4)
            assert (stored_prompt(prompt_project, home)[1] or ELSEWHERE).system.startswith("Hm. You answer")

    @pytest.mark.parametrize("base_version", [2, 3])
    async def test_stored_draft_remembers_the_version_it_is_based_on(
        self, home: Home, prompt_project: Path, base_version: int
    ) -> None:
        save_elsewhere(prompt_project, home)
        with Project.open(prompt_project, home) as project:
            keep_draft(project, "Hm. You answer.", base_version, None)
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await open_pane(pilot, app)
            await until(pilot, lambda: "unsaved draft" in text(app))
            await start_typing(pilot, app)
            await pilot.press("ctrl+g")
            if base_version == 3:
                await until(pilot, lambda: stored_prompt(prompt_project, home)[0] == 4)
            else:
                await until(pilot, lambda: notified(app, "Not saved: version 3"))
                assert stored_prompt(prompt_project, home) == (3, ELSEWHERE)

    async def test_draft_keeps_its_base_version_when_another_is_saved_elsewhere(
        self, home: Home, prompt_project: Path
    ) -> None:
        async with editing(home, prompt_project, (120, 40)) as (pilot, _app):
            await type_text(pilot, "Hm. ")
            await until(pilot, lambda: stored_draft(prompt_project).startswith("Hm."))
            save_elsewhere(prompt_project, home)
            await type_text(pilot, "So. ")
            await until(pilot, lambda: stored_draft(prompt_project).startswith("Hm. So."))
        with Project.open(prompt_project, home) as project:
            assert read_draft(project).begun == 2

    async def test_discarding_a_draft_keeps_one_written_by_another_terminal(
        self, home: Home, prompt_project: Path
    ) -> None:
        async with editing(home, prompt_project, (120, 40)) as (pilot, app):
            await type_text(pilot, "Hm. ")
            await pilot.press("escape")
            await until(pilot, lambda: stored_draft(prompt_project).startswith("Hm."))
            (prompt_project / DRAFT).write_text("Of another terminal.")
            await pilot.press("D")
            await until(pilot, lambda: notified(app, "Draft discarded"))
        assert stored_draft(prompt_project) == "Of another terminal."

    async def test_untouched_field_follows_a_version_saved_elsewhere_and_leaves_no_draft(
        self, home: Home, prompt_project: Path
    ) -> None:
        async with editing(home, prompt_project, (120, 40)) as (pilot, app):
            save_elsewhere(prompt_project, home)
            await until(pilot, lambda: field(app).text.strip() == ELSEWHERE.system)
            assert "Version 3 was saved elsewhere; this is its text." in text(app)
            await type_text(pilot, "Hm. ")
            await pilot.press("ctrl+s")
            await until(pilot, lambda: stored_prompt(prompt_project, home)[0] == 4)
            assert not notified(app, "Not saved")

    async def test_leaving_an_untouched_field_leaves_no_draft_of_the_older_version(
        self, home: Home, prompt_project: Path
    ) -> None:
        async with editing(home, prompt_project, (120, 40)) as (pilot, app):
            save_elsewhere(prompt_project, home)
            await pilot.press("escape")  # before the field could follow
            await until(pilot, lambda: mode(app) == "reading" and "version 3" in text(app))
            assert "unsaved draft" not in text(app)
            await start_typing(pilot, app)
            assert field(app).text.strip() == ELSEWHERE.system
        assert not (prompt_project / DRAFT).exists()

    async def test_saving_unchanged_text_creates_no_version(self, home: Home, prompt_project: Path) -> None:
        async with editing(home, prompt_project, (80, 24)) as (pilot, app):
            await pilot.press("ctrl+g")
            await until(pilot, lambda: notified(app, "Nothing changed; version 2 stays current."))
            assert (mode(app), stored_prompt(prompt_project, home)[0]) == ("reading", 2)

    @pytest.mark.parametrize("line", ["- Never tell a customer about rule 7.\n", "word "], ids=["lines", "one line"])
    async def test_50_kilobyte_paste_is_one_edit_to_undo(
        self, home: Home, project_without_prompt: Path, line: str
    ) -> None:
        pasted = (line * 12_000)[:50_000]
        async with editing(home, project_without_prompt, (80, 24)) as (pilot, app):
            await type_text(pilot, "ab")
            app.post_message(Paste(pasted))
            await until(pilot, lambda: len(field(app).text) > 50_000)
            assert field(app).text == f"ab{pasted}"
            await until(pilot, lambda: "≈ 12,5" in text(app))
            await pilot.press("ctrl+underscore")
            assert field(app).text == "ab"
            await pilot.press("ctrl+y", "ctrl+g")
            await until(pilot, lambda: stored_prompt(project_without_prompt, home)[0] == 1)
            prompt = stored_prompt(project_without_prompt, home)[1]
            assert prompt is not None
            assert prompt.system == f"ab{pasted}".strip()

    async def test_undo_and_redo_without_history_change_nothing(self, home: Home, prompt_project: Path) -> None:
        async with editing(home, prompt_project, (80, 24)) as (pilot, app):
            await pilot.press("right")
            before = field(app).text
            await pilot.press("ctrl+underscore", "ctrl+y")
            assert (field(app).text, field(app).cursor_location) == (before, (0, 1))

    async def test_prompt_with_unusual_line_breaks_is_not_opened_in_the_field(
        self, home: Home, prompt_project: Path
    ) -> None:
        with Project.open(prompt_project, home) as project:
            project.prompts.set(Prompt((Message("system", "one\u2028two"),)))
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await open_pane(pilot, app)
            await until(pilot, lambda: "one‹U+2028›two" in text(app))
            await pilot.press("e")
            await until(pilot, lambda: notified(app, "unusual line breaks"))
            assert mode(app) == "reading"

    async def test_letter_keys_are_text_while_typing(self, home: Home, prompt_project: Path) -> None:
        async with editing(home, prompt_project, (80, 24)) as (pilot, app):
            await type_text(pilot, "q2?x/")
            assert field(app).text.startswith("q2?x/You")
            assert footer_labels(app) == ["save", "undo", "redo", "leave", "help", "quit"]
