"""The list of projects by its keys, over real projects."""

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from engine import demo
from engine.demo import demo_questions
from engine.folders import last_used
from engine.paths import Home
from engine.project import Project
from engine.projects import archive, look
from engine.records.job import LIVE_STATES
from engine.records.options import TeacherSpec
from tests.tui.piloting import form_of, until
from tests.tui.start.conftest import age, read, set_to_work
from tui.app import DistillApp
from tui.forms.screen import FormScreen
from tui.screens.start.forms import DEMO_SENTENCES, QUICK, WHOLE
from tui.screens.start.screen import StartScreen
from tui.screens.workspace.screen import WorkspaceScreen
from tui.widgets.page import Page

SIZES = [(80, 24), (120, 40)]


def names(screen: StartScreen) -> list[str]:
    return [row.name for row in screen.state.rows]


def chosen(screen: StartScreen) -> str:
    return screen.state.chosen.name if screen.state.chosen is not None else ""


def page(screen: StartScreen, place: str) -> str:
    return screen.query_one(f"#{place}", Page).plain


def footer(screen: StartScreen) -> str:
    return str(screen.query_one("Footer").render())


def told(app: DistillApp) -> str:
    return "\n".join(f"{note.title} {note.message}" for note in app._notifications)


def under(pilot: Pilot[int], field: str) -> str:
    error = pilot.app.screen.query_one(f"#error-{field}", Static)
    return str(error.visual).removeprefix("✗ ") if error.display else ""


async def go_to(pilot: Pilot[int], name: str) -> StartScreen:
    screen = await read(pilot)
    await pilot.press("g")
    while chosen(screen) != name:
        before = screen.state.at
        await pilot.press("j")
        assert screen.state.at != before, f"{name} is not listed"
    return screen


@pytest.mark.parametrize("size", SIZES)
async def test_running_projects_come_first_and_are_attached_to(
    shelf: Home, app: DistillApp, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size, notifications=True) as pilot:
        screen = await read(pilot)
        assert names(screen)[:3] == ["insurance-claims", "night-shift", "meridian-desk"]
        assert "● train 41 %" in page(screen, "listed")
        assert "enter attach" in footer(screen)
        await pilot.press("j", "j")
        assert "enter open" in footer(screen)
        await pilot.press("k", "k", "enter")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen) and app.screen.state.facts is not None)
        assert app.screen.state.facts.project == "insurance-claims"
        assert last_used(shelf) == shelf.projects / "insurance-claims"


async def test_the_list_follows_what_happens_on_the_disk(shelf: Home, app: DistillApp) -> None:
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await go_to(pilot, "triage")
        set_to_work(shelf.projects / "scratch", shelf)
        with Project.open(shelf.projects / "insurance-claims", shelf) as project:
            project.jobs.update(1, state="done")
        await until(pilot, lambda: names(screen)[:2] == ["night-shift", "scratch"])
        assert chosen(screen) == "triage"


async def test_typing_narrows_the_list_and_escape_brings_all_back(shelf: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await go_to(pilot, "scratch")
        await pilot.press("slash", *"sup")
        assert names(screen) == ["support-2025"], "a search finds what is archived too"
        await pilot.press(*["backspace"] * 3, "t", "r", "down", "down", "up")
        assert names(screen) == ["insurance-claims", "triage"] or "triage" in names(screen)
        await pilot.press("enter")
        assert app.focused is None
        assert len(names(screen)) < 7
        await pilot.press("escape")
        assert len(names(screen)) == 7
        assert not screen.query_one("#search", Input).display


async def test_archiving_is_undone_by_u_and_by_the_same_key(shelf: Home, app: DistillApp) -> None:
    folder = shelf.projects / "triage"
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await go_to(pilot, "triage")
        await pilot.press("a")
        await until(pilot, lambda: "triage" not in names(screen))
        assert look(folder, shelf).archived
        assert "2 archived" in page(screen, "header")
        await pilot.press("u")
        await until(pilot, lambda: chosen(screen) == "triage")
        assert not look(folder, shelf).archived
        await pilot.press("a")
        await until(pilot, lambda: "triage" not in names(screen))
        await pilot.press("full_stop")
        assert "support-2025" in names(screen)
        await go_to(pilot, "triage")
        await pilot.press("a")
        await until(pilot, lambda: not look(folder, shelf).archived)
        await pilot.press("full_stop")
        await until(pilot, lambda: "support-2025" not in names(screen) and chosen(screen) == "triage")


async def test_there_is_nothing_to_undo_before_anything_was_done(shelf: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await read(pilot)
        await pilot.press("u")
        await until(pilot, lambda: "Nothing to undo." in told(app))
        assert screen.state.archived == 1


@pytest.mark.parametrize("key", ["a", "x"])
async def test_a_running_project_is_neither_archived_nor_deleted(shelf: Home, app: DistillApp, key: str) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await go_to(pilot, "insurance-claims")
        await pilot.press(key)
        await until(pilot, lambda: "stop" in told(app))
        assert isinstance(app.screen, StartScreen)
        assert not look(shelf.projects / "insurance-claims", shelf).archived


async def test_a_job_that_began_since_the_question_still_saves_its_project(shelf: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await go_to(pilot, "triage")
        await pilot.press("x", *"triage")
        set_to_work(shelf.projects / "triage", shelf)
        await pilot.press("enter")
        await until(pilot, lambda: "jobs stop 1" in told(app))
        assert (shelf.projects / "triage" / "project.db").is_file()


async def test_a_project_is_deleted_only_after_its_name_was_typed(shelf: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await go_to(pilot, "triage")
        await pilot.press("x", "enter")
        await form_of(pilot)
        assert "It is called triage." in under(pilot, "name")
        await pilot.press(*"triag", "enter")
        assert isinstance(app.screen, FormScreen)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert (shelf.projects / "triage").is_dir()
        await pilot.press("x", *"triage", "enter")
        await until(pilot, lambda: not (shelf.projects / "triage").exists())
        await until(pilot, lambda: "triage" not in names(screen) and not screen.state.busy)
        assert chosen(screen) == "scratch"


async def test_a_copy_gets_a_free_name_and_the_cursor(shelf: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await go_to(pilot, "meridian-desk")
        await pilot.press("D")
        asked = await form_of(pilot)
        assert asked.values["name"] == "meridian-desk-2"
        await pilot.press("down", "right", "enter")
        await until(pilot, lambda: chosen(screen) == "meridian-desk-2")
        with Project.open(shelf.projects / "meridian-desk-2", shelf) as twin:
            assert (twin.examples.counts().total, twin.runs.count()) == (40, 0)


async def test_a_name_taken_meanwhile_is_asked_for_again_with_nothing_lost(shelf: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await go_to(pilot, "meridian-desk")
        await pilot.press("D", "down", "right", "right")
        first = await form_of(pilot)
        (shelf.projects / "meridian-desk-2").mkdir()
        (shelf.projects / "meridian-desk-2" / "thesis.txt").write_text("mine")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FormScreen) and app.screen is not first)
        await pilot.pause()
        assert "taken" in under(pilot, "name")
        assert (await form_of(pilot)).values == {"name": "meridian-desk-2", "kept": "and runs"}
        await pilot.press("end", "2")
        assert under(pilot, "name") == ""
        await pilot.press("enter")
        await until(pilot, lambda: chosen(screen) == "meridian-desk-22" and not screen.state.busy)


async def test_a_new_project_is_made_by_keys_alone_and_says_what_is_next(
    home: Home, app: DistillApp, tmp_path: Path
) -> None:
    (tmp_path / "prompt.md").write_text("Answer in one word.\n\n## User\n\na?\n\n## Assistant\n\nb\n")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await read(pilot)
        assert "No projects yet." in page(screen, "listed")
        assert "search" not in footer(screen)
        await pilot.press("n", *"bank", "down", "down", "right", "down", *"large", "down")
        asked = await form_of(pilot)
        asked.query_one("#field-address", Input).value = "https://llm.example.com/v1"
        asked.query_one("#field-prompt", Input).value = str(tmp_path / "prompt.md")
        await until(pilot, lambda: "≈ 7 tokens and 2 example messages. Next: 1 Prompt, to add rules." in str(
            asked.query_one("#aside", Static).visual))  # fmt: skip
        assert "sent to llm.example.com" in str(asked.query_one("#aside", Static).visual)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))
        assert "Created bank. Next: 1 Prompt, to add rules." in told(app)
    with Project.open(home.projects / "bank", home) as project:
        settings = project.settings.read()
        assert settings.student_base == "starter"
        assert settings.teacher == TeacherSpec("endpoint", "large", "https://llm.example.com/v1")
        current = project.prompts.current()
        assert current is not None
        assert (current.note, len(current.prompt.messages)) == ("from prompt.md", 3)
    assert last_used(home) == home.projects / "bank"


async def test_without_a_prompt_file_the_prompt_is_next(home: Home, app: DistillApp) -> None:
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await read(pilot)
        await pilot.press("n", *"bank", "enter")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))
        assert "Next: 1 Prompt." in told(app)
    with Project.open(home.projects / "bank", home) as project:
        assert project.settings.read().teacher == TeacherSpec("local", "starter")


async def test_a_name_is_checked_while_it_is_typed(shelf: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await read(pilot)
        await pilot.press("n", *"triage")
        await form_of(pilot)
        assert under(pilot, "name") == "A project with this name exists."
        await pilot.press("2")
        assert under(pilot, "name") == ""
        await pilot.press("space", "x")
        assert "no dot first" in under(pilot, "name")
        await pilot.press(*["backspace"] * 9, "enter")
        assert under(pilot, "name") == "A project needs a name."


async def test_an_endpoint_needs_a_model_and_an_address_each_told_under_its_field(home: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await read(pilot)
        await pilot.press("n", *"bank", "down", "down", "right", "enter")
        asked = await form_of(pilot)
        assert "Name the model" in under(pilot, "model")
        assert "https://host/v1" in under(pilot, "address")
        asked.query_one("#field-address", Input).value = "http://llm.example.com/v1"
        await pilot.press("enter")
        assert "not encrypted" in under(pilot, "address")
        asked.query_one("#field-teacher").focus()
        await pilot.press("left")
        assert under(pilot, "model") == under(pilot, "address") == ""


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [("prompt", "nothing.md", "does not exist"), ("prompt", "tools.json", "tool"), ("prompt", "bytes.md", "UTF-8"),
     ("prompt", "large.md", "larger than"), ("prompt", ".", "not a file"), ("student", "./none", "neither a folder"),
     ("student", "models", "no config.json"), ("student", "gpt-5", "neither a folder")],
)  # fmt: skip
async def test_what_the_disk_says_against_it_comes_back_under_its_field_with_nothing_lost(
    home: Home, app: DistillApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, value: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "bytes.md").write_bytes(b"\xff\xfe\xfa")
    (tmp_path / "large.md").write_text("x" * 2_000_001)
    (tmp_path / "tools.json").write_text('{"messages": [], "tools": [{"type": "function"}]}')
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await read(pilot)
        await pilot.press("n", *"bank")
        first = await form_of(pilot)
        first.query_one(f"#field-{field}", Input).value = value
        given = first.values
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FormScreen) and app.screen is not first)
        await pilot.pause()
        assert words in under(pilot, field)
        again = await form_of(pilot)
        assert again.values == given
        assert app.focused is again.query_one(f"#field-{field}")
        assert not (home.projects / "bank").exists()
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, StartScreen))


async def test_a_folder_with_a_model_is_a_student(
    home: Home, app: DistillApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await read(pilot)
        await pilot.press("n", *"bank")
        (await form_of(pilot)).query_one("#field-student", Input).value = "./base"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))
    with Project.open(home.projects / "bank", home) as project:
        settings = project.settings.read()
    # Jobs run in the project's folder.
    assert settings.student_base == settings.teacher.model == str(tmp_path / "base")


async def test_a_broken_project_is_listed_with_its_trouble_and_says_it_when_opened(
    shelf: Home, app: DistillApp
) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await go_to(pilot, "from-a-colleague")
        assert "! This is not a project." in page(screen, "listed")
        assert "is not an SQLite database" in page(screen, "about").replace("\n", " ")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))
        workspace = app.screen
        await until(pilot, lambda: any("not a project" in str(part.visual) for part in workspace.query(Static)) or any(
            "not a project" in part.plain for part in workspace.query(Page)))  # fmt: skip
    assert last_used(shelf) is None, "the next start does not end in it again"


async def test_the_demo_is_started_and_shown(home: Home, app: DistillApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await read(pilot)
        await pilot.press("d")
        await form_of(pilot)
        await pilot.press("right", "enter")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))
        with Project.open(home.projects / "demo-quick", home) as project:
            (job,) = project.jobs.all()
            assert job.state in LIVE_STATES
            from engine.jobs.control import stop

            stop(project, job, force=True)


async def test_a_click_goes_to_a_project_and_another_opens_it(shelf: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await read(pilot)
        listed = screen.query_one("#listed", Page)
        top = listed.content_region.y - listed.region.y
        await pilot.click("#listed", offset=(10, top + 4))
        assert chosen(screen) == names(screen)[4]
        await pilot.click("#listed", offset=(10, top + 15))
        assert chosen(screen) == names(screen)[4], "there is nothing"
        await pilot.click("#listed", offset=(10, top + 4))
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))


async def test_hundreds_are_moved_through_by_pages(home: Home, app: DistillApp) -> None:
    for number in range(60):
        Project.create(home.projects / f"p{number:02}", home=home).close()
        age(home.projects / f"p{number:02}", number * 60)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await read(pilot)
        await pilot.press("G")
        assert chosen(screen) == "p59"
        assert "p59" in page(screen, "listed")
        await pilot.press("pageup", "ctrl+u")
        assert 0 < screen.state.at < 40
        await pilot.press("g")
        assert chosen(screen) == "p00"
        await pilot.press("ctrl+d", "pagedown")
        assert f"▌ {chosen(screen)}" in page(screen, "listed")


async def test_names_of_folders_are_shown_and_never_obeyed(home: Home, app: DistillApp) -> None:
    name = "[@click=app.quit]x[x] \x1b]52;c;aGk=\x07\x9b31m"
    for folder in (name, "other"):
        Project.create(home.projects / "made", home=home).close()
        (home.projects / "made").rename(home.projects / folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await go_to(pilot, name)
        for keys in ("D", "x"):
            await pilot.press(keys)
            await form_of(pilot)
            await pilot.press("enter")
            await pilot.pause()
            for screen in app.screen_stack:
                text = "\n".join(strip.text for strip in screen._compositor.render_strips())
                assert not any((ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 for char in text)
                if isinstance(screen, StartScreen):
                    assert "[@click=app.quit]" in text
            await pilot.press("escape")
        await pilot.press("a")
        await until(pilot, lambda: "Archived" in told(app))
        assert "\x1b" not in told(app)


async def test_a_shelf_that_cannot_be_read_says_so(
    shelf: Home, app: DistillApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    iterdir = Path.iterdir

    def refused(self: Path) -> object:
        if self == shelf.projects:
            raise PermissionError(13, "Permission denied", str(self))
        return iterdir(self)

    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await read(pilot)
        with monkeypatch.context() as broken:
            broken.setattr(Path, "iterdir", refused)
            await until(pilot, lambda: "Permission denied" in page(screen, "listed"))
        await until(pilot, lambda: "triage" in page(screen, "listed"))


async def test_one_long_wish_at_a_time(shelf: Home, app: DistillApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await read(pilot)
        screen.state.busy = "Duplicating meridian-desk …"
        for key in ("n", "d", "D", "x"):
            app.clear_notifications()
            await pilot.press("j", "j", key)
            assert "Duplicating meridian-desk …" in told(app)
            assert app.screen is screen


def test_the_form_of_the_demo_counts_its_questions() -> None:
    assert DEMO_SENTENCES[WHOLE].startswith(f"{len(list(demo_questions()))} questions")
    smaller = (demo.QUICK.train_questions, demo.QUICK.validation_questions, demo.QUICK.test_questions)
    assert DEMO_SENTENCES[QUICK].startswith(f"{sum(count or 0 for count in smaller)} questions")


async def test_an_archived_demo_comes_back_when_it_is_asked_for(
    home: Home, app: DistillApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    Project.create(home.projects / "demo", home=home).close()
    archive(home.projects / "demo", home)
    monkeypatch.setattr("engine.demo.ensure_demo_job", lambda project, quick: None)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await read(pilot)
        assert "Every project is archived." in page(screen, "listed")
        await pilot.press("d")
        await form_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))
    assert not look(home.projects / "demo", home).archived
