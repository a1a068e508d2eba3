"""Creating and copying projects: the forms, their checks, and what is stored."""

from pathlib import Path

import pytest
from textual.widgets import Input

from engine.folders import last_used
from engine.paths import Home
from engine.project import Project
from engine.records.options import TeacherSpec
from engine.teachers.keys import find_key
from tests.tui.piloting import field_error, footer, form_aside, toast_text, until, wait_for_form, wait_for_text
from tests.tui.start.list_helpers import (
    page_text,
    select_project,
    selected_name,
    wait_for_list,
)
from tui.app import DistillApp
from tui.forms.screen import FormScreen
from tui.screens.start.screen import StartScreen
from tui.screens.workspace.screen import WorkspaceScreen

AT = "https://llm.example.com/v1"


async def test_copy_gets_a_free_name_and_is_selected(eight_projects: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await select_project(pilot, "meridian-desk")
        await pilot.press("c")
        form = await wait_for_form(pilot)
        assert form.values["name"] == "meridian-desk-2"
        await pilot.press("down", "right", "enter")
        await until(pilot, lambda: selected_name(screen) == "meridian-desk-2")
        with Project.open(eight_projects.projects / "meridian-desk-2", eight_projects) as twin:
            assert (twin.examples.counts().total, twin.runs.count()) == (40, 0)


async def test_name_taken_meanwhile_reopens_the_form_with_its_values(eight_projects: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await select_project(pilot, "meridian-desk")
        await pilot.press("c", "down", "right", "right")
        first = await wait_for_form(pilot)
        (eight_projects.projects / "meridian-desk-2").mkdir()
        (eight_projects.projects / "meridian-desk-2" / "thesis.txt").write_text("mine")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FormScreen) and app.screen is not first)
        await pilot.pause()
        assert "taken" in field_error(app, "name")
        assert (await wait_for_form(pilot)).values == {"name": "meridian-desk-2", "kept": "and runs"}
        await pilot.press("end", "2")
        assert field_error(app, "name") == ""
        await pilot.press("enter")
        await until(pilot, lambda: selected_name(screen) == "meridian-desk-22" and not screen.state.busy)


async def test_new_project_is_created_by_keys_and_names_the_next_step(
    home: Home, app: DistillApp, tmp_path: Path
) -> None:
    (tmp_path / "prompt.md").write_text("Answer in one word.\n\n## User\n\na?\n\n## Assistant\n\nb\n")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await wait_for_list(pilot)
        assert "No projects yet." in page_text(screen, "listed")
        assert "search" not in footer(app)
        await pilot.press("n", *"bank", "down", "down", "right", "down", *"large", "down")
        form = await wait_for_form(pilot)
        form.query_one("#field-address", Input).value = AT
        form.query_one("#field-key", Input).value = "sk-typed"
        form.query_one("#field-prompt", Input).value = str(tmp_path / "prompt.md")
        await wait_for_text(pilot, form_aside, "≈ 7 tokens and 2 example messages. Next: 1 Prompt, to add rules.")
        assert "sent to llm.example.com" in form_aside(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))
        assert "Created bank. Next: 1 Prompt, to add rules." in toast_text(app)
    with Project.open(home.projects / "bank", home) as project:
        settings = project.settings.read()
        assert settings.student_base == "starter"
        assert find_key(AT, home) == "sk-typed"
        assert settings.teacher == TeacherSpec("endpoint", "large", AT)
        current = project.prompts.current()
        assert current is not None
        assert (current.note, len(current.prompt.messages)) == ("from prompt.md", 3)
    assert last_used(home) == home.projects / "bank"


async def test_prompt_path_is_no_error_while_it_is_typed(
    home: Home, app: DistillApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "prompt.md").write_text("Answer in one word.")
    monkeypatch.chdir(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for_list(pilot)
        await pilot.press("n")
        form = await wait_for_form(pilot)
        for typed, words in (
            ("te", "Names there that start like this: 1."),
            ("texts", "A folder so far."),
            ("texts/pro", "Names there that start like this: 1."),
            ("texts/prompt.md", "The prompt has ≈"),
            ("texts/none", "\ntexts/none does not exist."),
        ):
            form.query_one("#field-prompt", Input).value = typed
            await wait_for_text(pilot, form_aside, words)


async def test_new_project_without_a_prompt_file_names_the_prompt_as_next(home: Home, app: DistillApp) -> None:
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await wait_for_list(pilot)
        await pilot.press("n", *"bank", "enter")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))
        assert "Next: 1 Prompt." in toast_text(app)
    with Project.open(home.projects / "bank", home) as project:
        assert project.settings.read().teacher == TeacherSpec("local", "starter")


async def test_project_name_is_checked_while_it_is_typed(eight_projects: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait_for_list(pilot)
        await pilot.press("n", *"triage")
        await wait_for_form(pilot)
        assert field_error(app, "name") == "A project with this name exists."
        await pilot.press("2")
        assert field_error(app, "name") == ""
        await pilot.press("space", "x")
        assert "no dot first" in field_error(app, "name")
        await pilot.press(*["backspace"] * 9, "enter")
        assert field_error(app, "name") == "A project needs a name."


async def test_endpoint_errors_are_shown_under_their_fields(home: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait_for_list(pilot)
        await pilot.press("n", *"bank", "down", "down", "right", "enter")
        form = await wait_for_form(pilot)
        assert "Enter a model." in field_error(app, "model")
        assert "https://host/v1" in field_error(app, "address")
        form.query_one("#field-address", Input).value = "http://llm.example.com/v1"
        await pilot.press("enter")
        assert "not encrypted" in field_error(app, "address")
        form.query_one("#field-teacher").focus()
        await pilot.press("left")
        assert field_error(app, "model") == field_error(app, "address") == ""


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [("prompt", "nothing.md", "does not exist"), ("prompt", "tools.json", "tool"), ("prompt", "bytes.md", "UTF-8"),
     ("prompt", "large.md", "larger than"), ("prompt", ".", "not a file"), ("student", "./none", "neither a folder"),
     ("student", "models", "no config.json"), ("student", "gpt-5", "neither a folder")],
)  # fmt: skip
async def test_file_errors_reopen_the_form_with_its_values(
    home: Home, app: DistillApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, value: str, error: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "bytes.md").write_bytes(b"\xff\xfe\xfa")
    (tmp_path / "large.md").write_text("x" * 2_000_001)
    (tmp_path / "tools.json").write_text('{"messages": [], "tools": [{"type": "function"}]}')
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait_for_list(pilot)
        await pilot.press("n", *"bank")
        first = await wait_for_form(pilot)
        first.query_one(f"#field-{field}", Input).value = value
        values = first.values
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FormScreen) and app.screen is not first)
        await pilot.pause()
        assert error in field_error(app, field)
        again = await wait_for_form(pilot)
        assert again.values == values
        assert app.focused is again.query_one(f"#field-{field}")
        assert not (home.projects / "bank").exists()
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, StartScreen))


async def test_model_folder_is_accepted_as_student(
    home: Home, app: DistillApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait_for_list(pilot)
        await pilot.press("n", *"bank")
        (await wait_for_form(pilot)).query_one("#field-student", Input).value = "./base"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))
    with Project.open(home.projects / "bank", home) as project:
        settings = project.settings.read()
    # Jobs run in the project's folder.
    assert settings.student_base == settings.teacher.model == str(tmp_path / "base")
