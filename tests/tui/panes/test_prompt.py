"""The prompt pane by its keys: what is typed is in the store, and nothing that was typed is lost."""

import contextlib
import dataclasses
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Input

from engine.paths import Home
from engine.project import DRAFT, Project
from engine.records.options import TeacherSpec
from engine.records.prompt import Message, Prompt
from engine.records.rule import Check, Rule
from tests.engine.teachers.hostile_server import HostileServer, error, good, served, stalls, status
from tests.tui.piloting import form_of, pane_of, reach, settled, until
from tests.tui.seeds import PROMPT, hostile, make_project, make_stage
from tui.app import DistillApp
from tui.forms.screen import FormScreen
from tui.panes.prompt.editor import DocumentArea, Editor
from tui.panes.prompt.pane import PromptPane
from tui.panes.prompt.state import Mode
from tui.services.prompt import keep_draft, read_draft
from tui.widgets.footer import Footer
from tui.widgets.page import Page
from tui.widgets.scroller import Scroller

SIZES = [(80, 24), (120, 40)]
AT = "2026-01-02T03:04:05+00:00"
LATER = Prompt(
    (
        Message("system", "You answer for Meridian, a small bank. Begin with a risk score, then two short sentences."),
        *PROMPT.example_turns,
    )
)


pane = partial(pane_of, kind=PromptPane)


def mode(app: DistillApp) -> Mode:
    return pane(app).state.mode


def text(app: DistillApp) -> str:
    """What stands in the parts of the pane that are shown, the field's words included."""
    pages = app.screen.query("PromptPane Page").results(Page)
    return "\n".join(page.plain for page in pages if page.is_on_screen or page.region.area)


def said(app: DistillApp) -> str:
    return "\n".join(note.message for note in app._notifications)


def field(app: DistillApp) -> DocumentArea:
    assert isinstance(app.focused, DocumentArea)
    return app.focused


def form(app: DistillApp) -> str:
    """The title of the form that is open, or nothing."""
    return app.screen._title if isinstance(app.screen, FormScreen) else ""


def footer(app: DistillApp) -> list[str]:
    return [action.label for action in app.screen.query_one(Footer)._actions]


async def opened(pilot: Pilot[int], app: DistillApp) -> None:
    await reach(pilot, 1, PromptPane, lambda: app.focused is not None)


async def typing(pilot: Pilot[int], app: DistillApp) -> None:
    """Open the field, and wait until it has the keys."""
    await pilot.press("i")
    await until(pilot, lambda: isinstance(app.focused, DocumentArea))


async def write(pilot: Pilot[int], words: str) -> None:
    await pilot.press(*("enter" if char == "\n" else "space" if char == " " else char for char in words))


def draft(folder: Path) -> str:
    return (folder / DRAFT).read_text() if (folder / DRAFT).exists() else ""


def stored(folder: Path, home: Home) -> tuple[int, Prompt | None]:
    """How many versions there are, and the current prompt."""
    with Project.open(folder, home) as project:
        current = project.prompts.current()
        return len(project.prompts.versions()), current.prompt if current else None


def rules(folder: Path, home: Home) -> tuple[Rule, ...]:
    with Project.open(folder, home) as project:
        return project.rules.all()


@pytest.fixture
def empty(home: Home) -> Path:
    with Project.create(home.projects / "desk", home=home) as project:
        return project.folder


@pytest.fixture
def folder(home: Home) -> Path:
    """A project with two versions of its prompt."""
    with make_project(home) as project:
        project.prompts.set(LATER, "a small bank")
        return project.folder


ELSEWHERE = Prompt((Message("system", "You answer in York."),))


def make_elsewhere(folder: Path, home: Home) -> None:
    """Another terminal, or a command, makes another version the current one."""
    with Project.open(folder, home) as project:
        project.prompts.set(ELSEWHERE)


class TestWriting:
    @pytest.mark.parametrize("size", SIZES)
    async def test_a_first_prompt_is_written_by_keys_alone(
        self, home: Home, empty: Path, size: tuple[int, int]
    ) -> None:
        app = DistillApp(home, empty)
        async with app.run_test(size=size, notifications=True) as pilot:
            await opened(pilot, app)
            await until(pilot, lambda: "No prompt yet." in text(app) and "m   import a file" in text(app))
            await typing(pilot, app)
            await write(pilot, "Be kind.\n\n## User\nOpen?\n## Assistant\nYes.")
            await until(pilot, lambda: "1 example turn" in text(app) and "not saved" in text(app))
            await pilot.press("ctrl+g")
            await until(pilot, lambda: mode(app) == "reading" and "version 1" in text(app))
            assert "Version 1 is current." in said(app)
        turns = (Message("user", "Open?"), Message("assistant", "Yes."))
        assert stored(empty, home) == (1, Prompt((Message("system", "Be kind."), *turns)))

    async def test_a_new_version_says_what_is_of_an_older_one(self, home: Home) -> None:
        folder = make_stage(home, "done")
        app = DistillApp(home, folder)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await opened(pilot, app)
            await typing(pilot, app)
            await write(pilot, "Hello. ")
            await pilot.press("f10")
            await until(pilot, lambda: "Version 2 is current." in said(app))
            assert "examples, dataset, run, evaluation, release" in said(app)

    async def test_what_is_no_prompt_is_told_under_the_field_and_stays(self, home: Home, empty: Path) -> None:
        app = DistillApp(home, empty)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await typing(pilot, app)
            await write(pilot, "Be kind.\n## User\nOpen?")
            await pilot.press("ctrl+g")
            await until(pilot, lambda: "✗ Message 2: the last example turn has no answer" in text(app))
            assert mode(app) == "editing"
            await write(pilot, "\n## Assistant\nYes.")
            await until(pilot, lambda: "✗" not in text(app))
            await pilot.press("ctrl+g")
            await until(pilot, lambda: stored(empty, home)[0] == 1)

    async def test_what_is_left_unsaved_is_a_draft_and_can_be_dropped_and_taken_back(
        self, home: Home, folder: Path
    ) -> None:
        app = DistillApp(home, folder)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await opened(pilot, app)
            await typing(pilot, app)
            await write(pilot, "Hm. ")
            await pilot.press("escape")
            await until(pilot, lambda: "unsaved draft" in text(app))
            await pilot.press("D")
            await until(pilot, lambda: "unsaved draft" not in text(app))
            pane(app).query_one(Editor).post_message(Editor.Typed())  # told late, it brings nothing back
            await pilot.pause()
            await pilot.press("D")
            await until(pilot, lambda: "unsaved draft" in text(app))
            await typing(pilot, app)
            assert field(app).text.startswith("Hm. You answer")
            await pilot.press("ctrl+underscore", "escape")
            await until(pilot, lambda: mode(app) == "reading" and "unsaved draft" not in text(app))
            assert stored(folder, home) == (2, LATER)

    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("leaves", ["ctrl+q", "escape"])
    async def test_what_is_not_saved_outlives_the_program(
        self, home: Home, folder: Path, leaves: str, size: tuple[int, int]
    ) -> None:
        app = DistillApp(home, folder)
        async with app.run_test(size=size, notifications=True) as pilot:
            await opened(pilot, app)
            await typing(pilot, app)
            await write(pilot, "Hm. ")
            await pilot.press(leaves)
            await pilot.pause()
        app = DistillApp(home, folder)
        async with app.run_test(size=size, notifications=True) as pilot:
            await opened(pilot, app)
            await until(pilot, lambda: "unsaved draft" in text(app))
            await typing(pilot, app)
            assert field(app).text.startswith("Hm. You answer")
            await pilot.press("ctrl+g")
            await until(pilot, lambda: stored(folder, home)[0] == 3 and not (folder / DRAFT).exists())

    async def test_what_is_typed_is_a_draft_before_the_terminal_goes_away(self, home: Home, folder: Path) -> None:
        app = DistillApp(home, folder)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await typing(pilot, app)
            await write(pilot, "Hm. ")
            await until(pilot, lambda: draft(folder).startswith("Hm. You answer"))
            assert stat.S_IMODE((folder / DRAFT).stat().st_mode) == 0o600
            await pilot.press(*["ctrl+underscore"] * 4)
            await until(pilot, lambda: not draft(folder))

    async def test_what_was_made_elsewhere_meanwhile_is_not_written_over_unsaid(self, home: Home, folder: Path) -> None:
        app = DistillApp(home, folder)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await opened(pilot, app)
            await typing(pilot, app)
            await write(pilot, "Hm. ")
            make_elsewhere(folder, home)
            await pilot.press("ctrl+g")
            await until(pilot, lambda: "Not saved: version 3 was saved elsewhere" in said(app))
            assert stored(folder, home) == (3, ELSEWHERE)
            assert field(app).text.startswith("Hm. You answer")
            await pilot.press("ctrl+g")
            await until(pilot, lambda: stored(folder, home)[0] == 4)
            assert (stored(folder, home)[1] or ELSEWHERE).system.startswith("Hm. You answer")

    @pytest.mark.parametrize("begun", [2, 3])
    async def test_a_draft_of_an_earlier_day_knows_from_which_version_it_began(
        self, home: Home, folder: Path, begun: int
    ) -> None:
        make_elsewhere(folder, home)
        with Project.open(folder, home) as project:
            keep_draft(project, "Hm. You answer.", begun, None)
        app = DistillApp(home, folder)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await opened(pilot, app)
            await until(pilot, lambda: "unsaved draft" in text(app))
            await typing(pilot, app)
            await pilot.press("ctrl+g")
            if begun == 3:
                await until(pilot, lambda: stored(folder, home)[0] == 4)
            else:
                await until(pilot, lambda: "Not saved: version 3" in said(app))
                assert stored(folder, home) == (3, ELSEWHERE)

    async def test_typing_on_after_another_version_came_still_began_before_it(self, home: Home, folder: Path) -> None:
        app = DistillApp(home, folder)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await opened(pilot, app)
            await typing(pilot, app)
            await write(pilot, "Hm. ")
            await until(pilot, lambda: draft(folder).startswith("Hm."))
            make_elsewhere(folder, home)
            await write(pilot, "So. ")
            await until(pilot, lambda: draft(folder).startswith("Hm. So."))
        with Project.open(folder, home) as project:
            assert read_draft(project).begun == 2

    async def test_a_draft_of_another_terminal_stays_where_one_is_dropped(self, home: Home, folder: Path) -> None:
        app = DistillApp(home, folder)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await opened(pilot, app)
            await typing(pilot, app)
            await write(pilot, "Hm. ")
            await pilot.press("escape")
            await until(pilot, lambda: draft(folder).startswith("Hm."))
            (folder / DRAFT).write_text("Of another terminal.")
            await pilot.press("D")
            await until(pilot, lambda: "Draft discarded" in said(app))
        assert draft(folder) == "Of another terminal."

    async def test_saving_what_is_stored_makes_no_version(self, home: Home, folder: Path) -> None:
        app = DistillApp(home, folder)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await typing(pilot, app)
            await pilot.press("ctrl+g")
            await until(pilot, lambda: "Nothing changed; version 2 stays current." in said(app))
            assert (mode(app), stored(folder, home)[0]) == ("reading", 2)

    @pytest.mark.parametrize("line", ["- Never tell a customer about rule 7.\n", "word "], ids=["lines", "one line"])
    async def test_fifty_kilobytes_are_pasted_at_once_and_taken_back_at_once(
        self, home: Home, empty: Path, line: str
    ) -> None:
        pasted = (line * 12_000)[:50_000]
        app = DistillApp(home, empty)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await typing(pilot, app)
            await write(pilot, "ab")
            app.post_message(Paste(pasted))
            await until(pilot, lambda: len(field(app).text) > 50_000)
            assert field(app).text == f"ab{pasted}"
            await until(pilot, lambda: "≈ 12,5" in text(app))
            await pilot.press("ctrl+underscore")
            assert field(app).text == "ab"
            await pilot.press("ctrl+y", "ctrl+g")
            await until(pilot, lambda: stored(empty, home)[0] == 1)
            prompt = stored(empty, home)[1]
            assert prompt is not None
            assert prompt.system == f"ab{pasted}".strip()

    async def test_undo_and_redo_past_their_ends_leave_the_text(self, home: Home, folder: Path) -> None:
        app = DistillApp(home, folder)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await typing(pilot, app)
            await pilot.press("right")
            before = field(app).text
            await pilot.press("ctrl+underscore", "ctrl+y")
            assert (field(app).text, field(app).cursor_location) == (before, (0, 1))

    async def test_a_text_that_the_field_would_change_is_not_opened(self, home: Home, folder: Path) -> None:
        with Project.open(folder, home) as project:
            project.prompts.set(Prompt((Message("system", "one\u2028two"),)))
        app = DistillApp(home, folder)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await until(pilot, lambda: "one‹U+2028›two" in text(app))
            await pilot.press("i")
            await until(pilot, lambda: "unusual line breaks" in said(app))
            assert mode(app) == "reading"

    async def test_letters_are_letters_while_a_person_types(self, home: Home, folder: Path) -> None:
        app = DistillApp(home, folder)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await typing(pilot, app)
            await write(pilot, "q2?x/")
            assert field(app).text.startswith("q2?x/You")
            assert footer(app) == ["save", "leave", "undo", "redo", "help", "quit"]


class TestEditor:
    @pytest.fixture
    def lent(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
        """Lend the terminal to an editor that saves this text."""

        def lend(saved: str) -> None:
            monkeypatch.setattr(DistillApp, "suspend", lambda self: contextlib.nullcontext())
            monkeypatch.setattr("tui.terminal.editor.edit_text", lambda old: None if saved == old else saved)

        return lend

    async def test_what_a_persons_editor_saves_is_a_new_version(
        self, home: Home, folder: Path, lent: Callable[[str], None]
    ) -> None:
        lent("Be quite kind.")
        app = DistillApp(home, folder)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("e")
            await until(pilot, lambda: stored(folder, home) == (3, Prompt((Message("system", "Be quite kind."),))))

    async def test_what_is_no_prompt_opens_here_with_the_reason(
        self, home: Home, folder: Path, lent: Callable[[str], None]
    ) -> None:
        lent("Be kind.\n## User\nOpen?")
        app = DistillApp(home, folder)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("e")
            await until(pilot, lambda: "✗ Message 2" in text(app))
            assert field(app).text == "Be kind.\n## User\nOpen?"
            assert stored(folder, home)[0] == 2

    async def test_what_was_made_elsewhere_meanwhile_stands_and_the_text_opens_here(
        self, home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def edited(*_asked: object) -> str:
            make_elsewhere(folder, home)
            return "Be quite kind.\n"

        monkeypatch.setattr("tui.terminal.editor.edit", edited)
        app = DistillApp(home, folder)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("e")
            await until(pilot, lambda: mode(app) == "editing")
            assert field(app).text == "Be quite kind.\n"
            assert stored(folder, home) == (3, ELSEWHERE)
            await pilot.press("ctrl+g")
            await until(pilot, lambda: stored(folder, home)[0] == 4)

    async def test_what_the_field_cannot_hold_is_kept_where_it_was_overtaken(
        self, home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def edited(*_asked: object) -> str:
            make_elsewhere(folder, home)
            return "Be quite\u2028kind."

        monkeypatch.setattr("tui.terminal.editor.edit", edited)
        app = DistillApp(home, folder)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("e")
            await until(pilot, lambda: "Not saved: version 3 was saved elsewhere" in said(app))
            assert "e again makes yours the current one" in said(app)
            await until(pilot, lambda: "Be quite\u2028kind." in draft(folder))
            assert stored(folder, home) == (3, ELSEWHERE)

    async def test_without_a_terminal_to_lend_the_way_out_is_told(self, home: Home, folder: Path) -> None:
        app = DistillApp(home, folder)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("e")
            await until(pilot, lambda: "cannot be handed to an editor" in said(app))


class TestFiles:
    async def test_a_file_is_seen_before_it_is_stored(self, home: Home, empty: Path, tmp_path: Path) -> None:
        source = tmp_path / "prompt.json"
        source.write_text('[{"role": "system", "content": "Be kind."}]')
        app = DistillApp(home, empty)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("m")
            await until(pilot, lambda: form(app) == "Import a prompt")
            app.screen.query_one(Input).value = str(tmp_path / "absent")
            await pilot.press("enter")
            await until(pilot, lambda: "does not exist" in said(app))
            await pilot.press("m")
            await until(pilot, lambda: form(app) != "")
            assert app.screen.query_one(Input).value == str(tmp_path / "absent")
            app.screen.query_one(Input).value = str(source)
            await pilot.press("enter")
            await until(
                pilot, lambda: "a system message of ≈ 2 tokens and 0 example turns" in " ".join(text(app).split())
            )
            assert field(app).text == "Be kind.\n"
            assert stored(empty, home) == (0, None)
            await pilot.press("ctrl+g")
            await until(pilot, lambda: stored(empty, home) == (1, Prompt((Message("system", "Be kind."),))))

    @pytest.mark.parametrize("name", ["", "-"], ids=["a folder", "standard input"])
    async def test_what_is_no_file_is_refused(self, home: Home, empty: Path, tmp_path: Path, name: str) -> None:
        app = DistillApp(home, empty)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("m")
            await until(pilot, lambda: form(app) != "")
            app.screen.query_one(Input).value = name or str(tmp_path)
            await pilot.press("enter")
            await until(pilot, lambda: "Check the path." in said(app) or "Give a path." in said(app))


class TestVersions:
    @pytest.mark.parametrize("size", SIZES)
    async def test_versions_are_compared_and_an_older_one_comes_back(
        self, home: Home, folder: Path, size: tuple[int, int]
    ) -> None:
        app = DistillApp(home, folder)
        async with app.run_test(size=size, notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("v")
            await until(pilot, lambda: "+ You answer for Meridian, a small bank." in text(app))
            assert "from version 1 to 2, the current one" in text(app)
            assert "unchanged" in text(app)
            await pilot.press("enter")
            await until(pilot, lambda: "unchanged" not in text(app) and "Send it again" in text(app))
            await pilot.press("k")
            await until(pilot, lambda: "this is the current version" in text(app))
            await pilot.press("j", "b")
            await until(pilot, lambda: stored(folder, home) == (2, PROMPT))
            await until(pilot, lambda: "this is the current version" in text(app))
            await pilot.press("escape")
            await until(pilot, lambda: mode(app) == "reading" and "version 1" in text(app))

    async def test_without_a_prompt_the_list_names_the_key(self, home: Home, empty: Path) -> None:
        app = DistillApp(home, empty)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("v")
            await until(pilot, lambda: "esc i writes one" in text(app))
            await pilot.press("b", "enter", "j", "k", "G", "g", "pagedown", "escape")
            await until(pilot, lambda: mode(app) == "reading")


class TestRules:
    @pytest.mark.parametrize("size", SIZES)
    async def test_the_words_a_rule_comes_from_are_marked(
        self, home: Home, folder: Path, size: tuple[int, int]
    ) -> None:
        app = DistillApp(home, folder)
        async with app.run_test(size=size, notifications=True) as pilot:
            await opened(pilot, app)
            await until(pilot, lambda: "marked in the text" in text(app))
            await pilot.press("tab", "j", "j")
            await until(pilot, lambda: "not found in the text" in text(app))
            assert footer(app)[:3] == ["edit", "new", "test"]
            await pilot.press("escape")
            await until(pilot, lambda: footer(app)[:2] == ["edit", "versions"])

    async def test_a_rule_is_written_changed_removed_and_taken_back(self, home: Home, folder: Path) -> None:
        before = rules(folder, home)
        app = DistillApp(home, folder)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("R", "n")
            await until(pilot, lambda: form(app) == "New rule, 1 of 2")
            await write(pilot, "Signs")
            await pilot.press("down", "right", "enter")
            await until(pilot, lambda: form(app) == "New rule, 2 of 2: ends with")
            await pilot.press("escape")
            await until(pilot, lambda: form(app) == "New rule, 1 of 2")
            await pilot.press("enter")
            await until(pilot, lambda: form(app) == "New rule, 2 of 2: ends with")
            await pilot.press("enter")
            assert form(app) != "", "an empty text is no check"
            await write(pilot, "Yours")
            await pilot.press("enter")
            new = Rule(5, "Signs", Check("ends_with", text="Yours"))
            await until(pilot, lambda: rules(folder, home) == (*before, new))
            await until(pilot, lambda: "▌  5 Signs" in text(app))
            await pilot.press("enter")
            await until(pilot, lambda: form(app) == "Rule 5, 1 of 2")
            await pilot.press("enter")
            await until(pilot, lambda: form(app).startswith("Rule 5, 2 of 2"))
            await write(pilot, "Best")
            await pilot.press("enter")
            changed = dataclasses.replace(new, check=Check("ends_with", text="Best"))
            await until(pilot, lambda: rules(folder, home) == (*before, changed))
            await until(pilot, lambda: "ends with «Best»" in text(app))
            await pilot.press("g", "d")
            await until(pilot, lambda: rules(folder, home) == (*before[1:], changed))
            for expected in ((*before, changed), (*before, new), before):
                await pilot.press("u")
                await until(pilot, lambda expected=expected: rules(folder, home) == expected)
                await until(pilot, lambda expected=expected: pane(app)._shown.facts.rules == expected)
            await pilot.press("u")
            await until(pilot, lambda: "No change of the rules" in said(app))

    async def test_rules_that_somebody_else_changed_are_not_put_back(self, home: Home, folder: Path) -> None:
        app = DistillApp(home, folder)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("R", "d")
            await until(pilot, lambda: len(rules(folder, home)) == 3)
            with Project.open(folder, home) as project:
                project.rules.add([Rule(0, "another", Check("json"))])
            await pilot.press("u")
            await until(pilot, lambda: "The rules were changed elsewhere since." in said(app))
            assert len(rules(folder, home)) == 4

    async def test_a_file_of_rules_is_read_and_taken_back(self, home: Home, folder: Path, tmp_path: Path) -> None:
        before = rules(folder, home)
        source = tmp_path / "rules.yaml"
        source.write_text("rules:\n  - text: JSON\n    check: {kind: json}\n")
        app = DistillApp(home, folder)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("R", "m")
            await until(pilot, lambda: form(app) == "Import rules")
            app.screen.query_one(Input).value = str(source)
            await pilot.press("down", "right", "enter")
            await until(pilot, lambda: rules(folder, home) == (Rule(1, "JSON", Check("json")),))
            await until(pilot, lambda: "Read 1 rule" in said(app))
            await pilot.press("u")
            await until(pilot, lambda: rules(folder, home) == before)

    @pytest.mark.parametrize("size", SIZES)
    async def test_an_answer_of_ones_own_is_checked_while_it_is_typed(
        self, home: Home, folder: Path, size: tuple[int, int]
    ) -> None:
        app = DistillApp(home, folder)
        async with app.run_test(size=size, notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("R", "t")
            await until(pilot, lambda: "Type or paste an answer" in text(app) and isinstance(app.focused, DocumentArea))
            app.post_message(Paste("RISK SCORE: 2.\nI am sorry."))
            await until(pilot, lambda: "3 of 4 passed" in text(app) and "contains «sorry»" in text(app))
            await pilot.press("escape")
            await until(pilot, lambda: mode(app) == "reading" and footer(app)[:2] == ["edit", "new"])

    async def test_what_many_rules_find_is_scrolled_while_the_answer_is_typed(self, home: Home, folder: Path) -> None:
        with Project.open(folder, home) as project:
            project.rules.replace_all([Rule(0, f"Rule {number}", Check("json")) for number in range(40)])
        app = DistillApp(home, folder)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
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

    async def test_without_rules_the_keys_that_bring_some_are_told(self, home: Home, folder: Path) -> None:
        with Project.open(folder, home) as project:
            project.rules.put(())
        app = DistillApp(home, folder)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await until(pilot, lambda: "R n   write one" in text(app))
            await pilot.press("R", "d", "j", "G", "u", "enter")
            await until(pilot, lambda: form(app) == "New rule, 1 of 2")


class TestTrial:
    @pytest.fixture
    def server(self, home: Home, folder: Path) -> Iterator[HostileServer]:
        with served(good("RISK SCORE: 2. ", "It is open.")) as server:
            with Project.open(folder, home) as project:
                settings = project.settings.read()
                teacher = TeacherSpec("endpoint", "peer", server.url)
                project.settings.write(dataclasses.replace(settings, teacher=teacher))
            yield server

    @pytest.mark.parametrize("size", SIZES)
    async def test_the_teacher_answers_and_the_rules_stand_beside(
        self, home: Home, folder: Path, server: HostileServer, size: tuple[int, int]
    ) -> None:
        app = DistillApp(home, folder)
        async with app.run_test(size=size, notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("T")
            await until(pilot, lambda: form(app) == "Try the prompt")
            await write(pilot, "Open?")
            await pilot.press("enter")
            await until(pilot, lambda: "1 of 1 pass every rule" in text(app))
            assert "RISK SCORE: 2. It is open." in text(app)
            assert "✓ 1 Starts with a risk score" in text(app)
            await pilot.press("escape")
            await until(pilot, lambda: mode(app) == "reading")
            await pilot.press("T")
            await until(pilot, lambda: mode(app) == "trial" and "1 of 1 pass every rule" in text(app))
        assert server.requests[0].question == "Open?"

    async def test_a_trial_is_stopped_by_its_key(self, home: Home, folder: Path, server: HostileServer) -> None:
        server.behaviours[:] = [good("RISK SCORE: 2. ", "It is open."), stalls()]
        app = DistillApp(home, folder)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("T")
            await until(pilot, lambda: form(app) == "Try the prompt")
            await pilot.press("enter")
            await until(pilot, lambda: "is answering question 2" in text(app))
            await pilot.press("x")
            await until(pilot, lambda: "Stopped." in text(app) and "1 of 3 answered" in text(app))
            await until(pilot, lambda: not pane(app).state.trial.running)
            await pilot.press("x")  # which stops a job elsewhere
            await until(pilot, lambda: "No question is being asked." in said(app))
            assert "There is no job." not in said(app)

    async def test_a_teacher_that_refuses_is_told_in_words(
        self, home: Home, folder: Path, server: HostileServer
    ) -> None:
        server.behaviours[:] = [status("401 Unauthorized", error("No such key"))]
        app = DistillApp(home, folder)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("T")
            await until(pilot, lambda: form(app) == "Try the prompt")
            await pilot.press("enter")
            await until(pilot, lambda: "✗" in text(app) and "T tries again" in text(app))

    async def test_there_has_to_be_something_to_ask(self, home: Home, empty: Path) -> None:
        app = DistillApp(home, empty)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("T")
            await until(pilot, lambda: "No prompt yet: i writes one" in said(app))
            with Project.open(empty, home) as project:
                project.prompts.set(PROMPT)
            await until(pilot, lambda: pane(app)._shown.facts.prompt is not None)
            await pilot.press("T")
            await until(pilot, lambda: form(app) == "Try the prompt")
            await pilot.press("enter")
            await pilot.pause()
            assert form(app) == "Try the prompt"


@pytest.mark.parametrize("keys", ["", "i", "v", "R", "R enter", "R t"], ids=lambda keys: keys or "reading")
async def test_hostile_text_is_shown_and_never_obeyed(home: Home, keys: str) -> None:
    app = DistillApp(home, make_stage(home, "hostile"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "[@click=app.quit]" in text(app))
        await pilot.press(*keys.split())
        await pilot.pause(0.3)
        shown = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert not any((ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 for char in shown)
        assert "\u202e" not in shown
        assert app.is_running
        if keys == "i":
            assert field(app).text.startswith(hostile(PROMPT.system)), "veiled, not changed"


PICTURES = [
    ("new", "", "reading"),
    ("new", "R j", "rule"),
    ("new", "i", "editing"),
    ("new", "v", "versions"),
    ("new", "R enter enter", "rule-form"),
    ("new", "R t", "testing"),
    ("empty", "", "empty"),
]


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.parametrize(("stage", "keys", "name"), PICTURES, ids=[name for *_, name in PICTURES])
@pytest.mark.usefixtures("still_meter")
def test_the_pane_looks_as_it_did(
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
        await opened(pilot, app)
        if stage != "empty":
            await until(pilot, lambda: "marked in the text" in text(app))
        for key in keys.split():
            await pilot.press(key)
            await pilot.pause(0.2)
            if key == "enter":
                await form_of(pilot)
        if name == "testing":
            app.post_message(Paste("RISK SCORE: 2. I am sorry.\nThe shop has to release it."))
        for typed in (*app.screen.query(DocumentArea), *app.screen.query(Input)):
            typed.cursor_blink = False
        await settled(pilot)

    assert snap_compare(DistillApp(home, folder), terminal_size=size, run_before=settle)


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.usefixtures("still_meter")
def test_a_trial_looks_as_it_did(
    snap_compare: Callable[..., bool], home: Home, folder: Path, size: tuple[int, int]
) -> None:
    with served(good("RISK SCORE: 2. ", "It is open."), good("I am sorry. ", "It is shut."), stalls()) as server:
        with Project.open(folder, home) as project:
            settings = project.settings.read()
            project.settings.write(dataclasses.replace(settings, teacher=TeacherSpec("endpoint", "peer", server.url)))

        async def settle(pilot: Pilot[int]) -> None:
            app = pilot.app
            assert isinstance(app, DistillApp)
            await opened(pilot, app)
            await pilot.press("T")
            await until(pilot, lambda: form(app) != "")
            await pilot.press("enter")
            await until(pilot, lambda: "is answering question 3" in text(app))
            pane(app).state.trial.teacher = "peer @ 127.0.0.1"
            pane(app).redraw()
            await pilot.pause()

        assert snap_compare(DistillApp(home, folder), terminal_size=size, run_before=settle)
