"""The prompt pane: importing a prompt, its versions, editing it in an external editor, and how it looks."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Input

from engine.paths import Home
from engine.records.prompt import Message, Prompt
from tests.hostile import control_characters, hostile
from tests.tui.panes.helpers import notified
from tests.tui.panes.prompt_helpers import (
    ELSEWHERE,
    LATER,
    field,
    form_title,
    mode,
    open_pane,
    pane,
    save_elsewhere,
    stored_draft,
    stored_prompt,
    text,
)
from tests.tui.piloting import SIZES, screen_text, settled, until, wait_for_form
from tests.tui.seeds import AT, PROMPT, make_project, make_stage
from tui.app import DistillApp
from tui.panes.prompt.editor import DocumentArea


class TestImport:
    async def test_imported_file_is_shown_before_it_is_stored(
        self, home: Home, project_without_prompt: Path, tmp_path: Path
    ) -> None:
        source = tmp_path / "prompt.json"
        source.write_text('[{"role": "system", "content": "Be kind."}]')
        app = DistillApp(home, project_without_prompt)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("m")
            await until(pilot, lambda: form_title(app) == "Import a prompt")
            app.screen.query_one(Input).value = str(tmp_path / "absent")
            await pilot.press("enter")
            await until(pilot, lambda: notified(app, "does not exist"))
            await pilot.press("m")
            await until(pilot, lambda: form_title(app) != "")
            assert app.screen.query_one(Input).value == str(tmp_path / "absent")
            app.screen.query_one(Input).value = str(source)
            await pilot.press("enter")
            await until(
                pilot, lambda: "a system message of ≈ 2 tokens and 0 example turns" in " ".join(text(app).split())
            )
            assert field(app).text == "Be kind.\n"
            assert stored_prompt(project_without_prompt, home) == (0, None)
            await pilot.press("ctrl+g")
            await until(
                pilot,
                lambda: stored_prompt(project_without_prompt, home) == (1, Prompt((Message("system", "Be kind."),))),
            )

    @pytest.mark.parametrize("name", ["", "-"], ids=["a folder", "standard input"])
    async def test_folder_and_standard_input_are_refused(
        self, home: Home, project_without_prompt: Path, tmp_path: Path, name: str
    ) -> None:
        app = DistillApp(home, project_without_prompt)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("m")
            await until(pilot, lambda: form_title(app) != "")
            app.screen.query_one(Input).value = name or str(tmp_path)
            await pilot.press("enter")
            await until(pilot, lambda: notified(app, "Check the path.") or notified(app, "Give a path."))


class TestVersions:
    @pytest.mark.parametrize("size", SIZES)
    async def test_versions_are_compared_and_an_older_one_is_restored(
        self, home: Home, prompt_project: Path, size: tuple[int, int]
    ) -> None:
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=size, notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("v")
            await until(pilot, lambda: "+ You answer for Meridian, a small bank." in text(app))
            assert "from version 1 to 2, the current one" in text(app)
            await until(pilot, lambda: sorted(pane(app).state.versions.counts) == [1, 2])
            assert "unchanged" in text(app)
            await pilot.press("enter")
            await until(pilot, lambda: "unchanged" not in text(app) and "Send it again" in text(app))
            await pilot.press("k")
            await until(pilot, lambda: "this is the current version" in text(app))
            await pilot.press("j", "b")
            await until(pilot, lambda: stored_prompt(prompt_project, home) == (2, PROMPT))
            await until(pilot, lambda: "this is the current version" in text(app))
            await pilot.press("escape")
            await until(pilot, lambda: mode(app) == "reading" and "version 1" in text(app))

    async def test_empty_version_list_names_the_key_that_writes_a_prompt(
        self, home: Home, project_without_prompt: Path
    ) -> None:
        app = DistillApp(home, project_without_prompt)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("v")
            await until(pilot, lambda: "esc e writes one" in text(app))
            await pilot.press("b", "enter", "j", "k", "G", "g", "pagedown", "escape")
            await until(pilot, lambda: mode(app) == "reading")


class TestExternalEditor:
    @pytest.fixture
    def editor_saves(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
        """Replace the external editor with one that saves the given text."""

        def install(saved: str) -> None:
            monkeypatch.setattr(DistillApp, "suspend", lambda self: contextlib.nullcontext())
            monkeypatch.setattr("tui.terminal.editor.edit_text", lambda old: None if saved == old else saved)

        return install

    async def test_text_saved_in_the_editor_becomes_a_new_version(
        self, home: Home, prompt_project: Path, editor_saves: Callable[[str], None]
    ) -> None:
        editor_saves("Be quite kind.")
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("E")
            await until(
                pilot,
                lambda: stored_prompt(prompt_project, home) == (3, Prompt((Message("system", "Be quite kind."),))),
            )

    async def test_invalid_prompt_opens_in_the_field_with_the_reason(
        self, home: Home, prompt_project: Path, editor_saves: Callable[[str], None]
    ) -> None:
        editor_saves("Be kind.\n## User\nOpen?")
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("E")
            await until(pilot, lambda: "✗ Line 2, “## User”" in text(app))
            assert field(app).text == "Be kind.\n## User\nOpen?"
            assert stored_prompt(prompt_project, home)[0] == 2

    async def test_edit_overtaken_by_another_version_opens_in_the_field(
        self, home: Home, prompt_project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def edited(*_args: object) -> str:
            save_elsewhere(prompt_project, home)
            return "Be quite kind.\n"

        monkeypatch.setattr("tui.terminal.editor.edit", edited)
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("E")
            await until(pilot, lambda: mode(app) == "editing")
            assert field(app).text == "Be quite kind.\n"
            assert stored_prompt(prompt_project, home) == (3, ELSEWHERE)
            await pilot.press("ctrl+g")
            await until(pilot, lambda: stored_prompt(prompt_project, home)[0] == 4)

    async def test_overtaken_edit_the_field_cannot_hold_becomes_the_draft(
        self, home: Home, prompt_project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def edited(*_args: object) -> str:
            save_elsewhere(prompt_project, home)
            return "Be quite\u2028kind."

        monkeypatch.setattr("tui.terminal.editor.edit", edited)
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("E")
            await until(pilot, lambda: notified(app, "Not saved: version 3 was saved elsewhere"))
            assert notified(app, "E again makes yours the current one")
            await until(pilot, lambda: "Be quite\u2028kind." in stored_draft(prompt_project))
            assert stored_prompt(prompt_project, home) == (3, ELSEWHERE)

    async def test_editor_is_refused_if_the_terminal_cannot_be_handed_over(
        self, home: Home, prompt_project: Path
    ) -> None:
        app = DistillApp(home, prompt_project)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await open_pane(pilot, app)
            await pilot.press("E")
            await until(pilot, lambda: notified(app, "cannot be handed to an editor"))


@pytest.mark.parametrize("keys", ["", "e", "v", "R", "R enter", "R t"], ids=lambda keys: keys or "reading")
async def test_hostile_text_is_escaped_on_screen(home: Home, keys: str) -> None:
    app = DistillApp(home, make_stage(home, "hostile"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app)
        await until(pilot, lambda: "[@click=app.quit]" in text(app))
        await pilot.press(*keys.split())
        await pilot.pause(0.3)
        assert not control_characters(screen_text(app))
        assert app.is_running
        if keys == "e":
            assert field(app).text.startswith(hostile(PROMPT.system)), "escaped on the screen, unchanged in the field"


SNAPSHOTS = [
    ("new", "", "reading"),
    ("new", "R j", "rule"),
    ("new", "e", "editing"),
    ("new", "v", "versions"),
    ("new", "R enter enter", "rule-form"),
    ("new", "R t", "testing"),
    ("empty", "", "empty"),
]


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.parametrize(("stage", "keys", "name"), SNAPSHOTS, ids=[name for *_, name in SNAPSHOTS])
@pytest.mark.usefixtures("fixed_meter")
def test_pane_matches_its_snapshot(
    snap_compare: Callable[..., bool],
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    keys: str,
    name: str,
    size: tuple[int, int],
) -> None:
    monkeypatch.setattr("engine.store.prompts.now_text", lambda: AT)
    with make_project(home) as project:
        if stage == "empty":
            project.prompts._connection.write("DELETE FROM prompts")
            project.rules.put(())
        else:
            project.prompts.set(LATER, "a small bank")
        folder = project.folder

    async def settle(pilot: Pilot[int]) -> None:
        app = pilot.app
        assert isinstance(app, DistillApp)
        await open_pane(pilot, app)
        if stage != "empty":
            await until(pilot, lambda: "marked in the text" in text(app))
        for key in keys.split():
            await pilot.press(key)
            await pilot.pause(0.2)
            if key == "enter":
                await wait_for_form(pilot)
        if name == "testing":
            app.post_message(Paste("RISK SCORE: 2. I am sorry.\nThe shop has to release it."))
        for field_with_cursor in (*app.screen.query(DocumentArea), *app.screen.query(Input)):
            field_with_cursor.cursor_blink = False
        await settled(pilot)

    assert snap_compare(DistillApp(home, folder), terminal_size=size, run_before=settle)
