"""The list of projects by its keys: order, search, archiving, deleting, errors."""

from pathlib import Path

import pytest
from textual.widgets import Input, Static

from engine.folders import last_used
from engine.paths import Home
from engine.project import Project
from engine.projects import look
from tests.hostile import control_characters
from tests.tui.piloting import (
    SIZES,
    facts_of,
    field_error,
    footer,
    screen_text,
    toast_text,
    until,
    wait_for_form,
    wait_for_text,
)
from tests.tui.start.list_helpers import (
    add_live_job,
    listed_names,
    page_text,
    select_project,
    selected_name,
    set_age,
    wait_for_list,
)
from tui.app import DistillApp
from tui.forms.screen import FormScreen
from tui.screens.start.screen import StartScreen
from tui.screens.workspace.screen import WorkspaceScreen
from tui.widgets.page import Page


@pytest.mark.parametrize("size", SIZES)
async def test_running_projects_come_first_and_enter_attaches(
    eight_projects: Home, app: DistillApp, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size, notifications=True) as pilot:
        screen = await wait_for_list(pilot)
        assert listed_names(screen)[:3] == ["insurance-claims", "night-shift", "meridian-desk"]
        assert "● train 41\u00a0%" in page_text(screen, "listed")
        assert "enter attach" in footer(app)
        await pilot.press("j", "j")
        assert "enter open" in footer(app)
        await pilot.press("k", "k", "enter")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen) and app.screen.state.facts is not None)
        assert facts_of(app).project == "insurance-claims"
        assert last_used(eight_projects) == eight_projects.projects / "insurance-claims"


async def test_list_follows_changes_on_disk(eight_projects: Home, app: DistillApp) -> None:
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await select_project(pilot, "triage")
        add_live_job(eight_projects.projects / "scratch", eight_projects)
        with Project.open(eight_projects.projects / "insurance-claims", eight_projects) as project:
            project.jobs.update(1, state="done")
        await until(pilot, lambda: listed_names(screen)[:2] == ["night-shift", "scratch"])
        assert selected_name(screen) == "triage"


async def test_search_filters_the_list_and_escape_clears_it(eight_projects: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await select_project(pilot, "scratch")
        await pilot.press("slash", *"sup")
        assert listed_names(screen) == ["support-2025"], "a search also finds archived projects"
        await pilot.press(*["backspace"] * 3, "t", "r", "down", "down", "up")
        assert listed_names(screen) == ["triage"]
        await pilot.press("enter")
        assert app.focused is None
        assert len(listed_names(screen)) < 7
        await pilot.press("escape")
        assert len(listed_names(screen)) == 7
        assert not screen.query_one("#search", Input).display


async def test_archiving_is_undone_by_u_or_the_archive_key(eight_projects: Home, app: DistillApp) -> None:
    folder = eight_projects.projects / "triage"
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await select_project(pilot, "triage")
        await pilot.press("a")
        await until(pilot, lambda: "triage" not in listed_names(screen))
        assert look(folder, eight_projects).archived
        assert "2 archived" in page_text(screen, "header")
        await until(pilot, lambda: "Archived triage. u undoes it." in toast_text(app))
        await pilot.press("u")
        await until(pilot, lambda: selected_name(screen) == "triage")
        await until(pilot, lambda: "Undone: archiving triage." in toast_text(app))
        assert not look(folder, eight_projects).archived
        await pilot.press("a")
        await until(pilot, lambda: "triage" not in listed_names(screen))
        await pilot.press("full_stop")
        assert "support-2025" in listed_names(screen)
        await select_project(pilot, "triage")
        await pilot.press("a")
        await until(pilot, lambda: not look(folder, eight_projects).archived)
        await pilot.press("full_stop")
        await until(pilot, lambda: "support-2025" not in listed_names(screen) and selected_name(screen) == "triage")


async def test_undo_without_a_change_is_reported(eight_projects: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await wait_for_list(pilot)
        await pilot.press("u")
        await until(pilot, lambda: "Nothing to undo." in toast_text(app))
        assert screen.state.archived == 1


@pytest.mark.parametrize("key", ["a", "D"])
async def test_running_project_is_neither_archived_nor_deleted(eight_projects: Home, app: DistillApp, key: str) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await select_project(pilot, "insurance-claims")
        await pilot.press(key)
        await until(pilot, lambda: "stop" in toast_text(app))
        assert isinstance(app.screen, StartScreen)
        assert not look(eight_projects.projects / "insurance-claims", eight_projects).archived


async def test_job_started_during_confirmation_prevents_deletion(eight_projects: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await select_project(pilot, "triage")
        await pilot.press("D", *"triage")
        add_live_job(eight_projects.projects / "triage", eight_projects)
        await pilot.press("enter")
        await until(pilot, lambda: "stop it: enter L x." in toast_text(app))
        assert (eight_projects.projects / "triage" / "project.db").is_file()


async def test_project_is_deleted_only_after_its_name_is_typed(eight_projects: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await select_project(pilot, "triage")
        await pilot.press("D", "enter")
        await wait_for_form(pilot)
        assert "It is called triage." in field_error(app, "name")
        await pilot.press(*"triag", "enter")
        assert isinstance(app.screen, FormScreen)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert (eight_projects.projects / "triage").is_dir()
        await pilot.press("D", *"triage", "enter")
        await until(pilot, lambda: not (eight_projects.projects / "triage").exists())
        await until(pilot, lambda: "triage" not in listed_names(screen) and not screen.state.busy)
        assert selected_name(screen) == "scratch"


async def test_unreadable_project_shows_its_error_in_the_list_and_when_opened(
    eight_projects: Home, app: DistillApp
) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await select_project(pilot, "from-a-colleague")
        assert "! This is not a project." in page_text(screen, "listed")
        assert "is not an SQLite database" in page_text(screen, "about").replace("\n", " ")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))
        workspace = app.screen
        await until(pilot, lambda: any("not a project" in str(part.visual) for part in workspace.query(Static)) or any(
            "not a project" in part.plain for part in workspace.query(Page)))  # fmt: skip
    assert last_used(eight_projects) is None, "the next start does not reopen it"


async def test_click_selects_a_project_and_second_click_opens_it(eight_projects: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await wait_for_list(pilot)
        listed = screen.query_one("#listed", Page)
        top = listed.content_region.y - listed.region.y
        await pilot.click("#listed", offset=(10, top + 4))
        assert selected_name(screen) == listed_names(screen)[4]
        await pilot.click("#listed", offset=(10, top + 15))
        assert selected_name(screen) == listed_names(screen)[4], "there is no row at this place"
        await pilot.click("#listed", offset=(10, top + 4))
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))


async def test_long_list_is_paged(home: Home, app: DistillApp) -> None:
    for number in range(60):
        Project.create(home.projects / f"p{number:02}", home=home).close()
        set_age(home.projects / f"p{number:02}", number * 60)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await wait_for_list(pilot)
        await pilot.press("G")
        assert selected_name(screen) == "p59"
        assert "p59" in page_text(screen, "listed")
        await pilot.press("pageup", "ctrl+u")
        assert 0 < screen.state.at < 40
        await pilot.press("g")
        assert selected_name(screen) == "p00"
        await pilot.press("ctrl+d", "pagedown")
        assert f"▌ {selected_name(screen)}" in page_text(screen, "listed")


async def test_hostile_folder_names_are_shown_literally(home: Home, app: DistillApp) -> None:
    name = "[@click=app.quit]x[x] \x1b]52;c;aGk=\x07\x9b31m"
    for folder in (name, "other"):
        Project.create(home.projects / "made", home=home).close()
        (home.projects / "made").rename(home.projects / folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await select_project(pilot, name)
        for key, words in (("c", "Duplicate [@click=app.quit]"), ("D", "Delete [@click=app.quit]")):
            await until(pilot, lambda: "▌ [@click=app.quit]" in screen_text(app))
            assert not control_characters(screen_text(app))
            await pilot.press(key)
            await wait_for_text(pilot, screen_text, words)
            assert not control_characters(screen_text(app))
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, StartScreen))
        await pilot.press("a")
        await until(pilot, lambda: "Archived [@click=app.quit]" in toast_text(app))
        assert not control_characters(toast_text(app))


async def test_unreadable_projects_folder_is_reported(
    eight_projects: Home, app: DistillApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    iterdir = Path.iterdir

    def refused(self: Path) -> object:
        if self == eight_projects.projects:
            raise PermissionError(13, "Permission denied", str(self))
        return iterdir(self)

    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await wait_for_list(pilot)
        with monkeypatch.context() as broken:
            broken.setattr(Path, "iterdir", refused)
            await until(pilot, lambda: "Permission denied" in page_text(screen, "listed"))
        await until(pilot, lambda: "triage" in page_text(screen, "listed"))


async def test_only_one_long_request_at_a_time(eight_projects: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await wait_for_list(pilot)
        screen.state.busy = "Duplicating meridian-desk …"
        for key in ("n", "d", "c", "D"):
            app.clear_notifications()
            await pilot.press("j", "j", key)
            assert "Duplicating meridian-desk …" in toast_text(app)
            assert app.screen is screen
