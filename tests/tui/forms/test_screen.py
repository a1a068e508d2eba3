"""A form by its keys: values, errors, the text beside the fields, help, cancelling."""

from collections.abc import Callable

import pytest
from textual import events
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input, Static

from engine.paths import Home
from tests.tui.piloting import settled, until, wait_for_form
from tui.app import DistillApp
from tui.forms.screen import Field, FormScreen, Values
from tui.screens.help.screen import HelpScreen
from tui.settings import Settings
from tui.widgets.page import Page


def whole_number(value: str) -> str:
    return "" if value.isdigit() else "A whole number, such as 8."


FIELDS = (
    Field("samples", "samples a question", "2", check=whole_number),
    Field("teacher", "teacher", "local", choices=("local", "endpoint")),
    Field("name", "name", hint="any name"),
)


def summary(values: Values) -> str:
    return f"{values['samples']} × 120 answers"


def check_together(values: Values) -> str:
    return "A name is needed for an endpoint." if values["teacher"] == "endpoint" and not values["name"] else ""


class FormApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.answers: list[dict[str, str] | None] = []
        self.form = FormScreen("Generate", FIELDS, go="start", aside=summary, whole=check_together)

    def on_mount(self) -> None:
        self.push_screen(self.form, self.answers.append)


def text(app: FormApp, query: str) -> str:
    shown = app.form.query_one(query, Static)
    return str(shown.visual) if shown.display else ""


async def test_enter_submits_typed_and_chosen_values() -> None:
    app = FormApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("backspace", "5", "down", "right", "down", "x", "enter")
        await pilot.pause()
        assert app.answers == [{"samples": "5", "teacher": "endpoint", "name": "x"}]


async def test_invalid_value_is_reported_under_its_field_and_keeps_the_form_open() -> None:
    app = FormApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("backspace", "q", "enter")
        await pilot.pause()
        assert not app.answers
        assert text(app, "#error-samples") == "✗ A whole number, such as 8."
        await pilot.press("backspace", "7")
        await pilot.pause()
        assert text(app, "#error-samples") == ""
        assert text(app, "#aside") == "7 × 120 answers"


async def test_what_is_pending_is_shown_instead_of_the_meaning_while_a_field_is_wrong() -> None:
    app = FormApp()
    app.form = FormScreen("Generate", FIELDS, aside=summary, pending="Enter a number of samples.")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: text(app, "#aside") == "2 × 120 answers")
        await pilot.press("backspace")
        await until(pilot, lambda: text(app, "#aside") == "Enter a number of samples.")
        await pilot.press("7")
        await until(pilot, lambda: text(app, "#aside") == "7 × 120 answers")


async def test_error_of_the_whole_form_is_shown_and_escape_cancels() -> None:
    app = FormApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("down", "right", "enter")
        await pilot.pause()
        assert text(app, "#error--together") == "✗ A name is needed for an endpoint."
        await pilot.press("escape")
        await pilot.pause()
        assert app.answers == [None]


async def test_help_over_a_form_lists_its_keys_and_keeps_its_values(home: Home) -> None:
    app = DistillApp(home, None)
    answers: list[dict[str, str] | None] = []
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.push_screen(FormScreen("Generate", FIELDS), answers.append)
        form = await wait_for_form(pilot)
        await pilot.press("5", "down", "right", "question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        help_page = app.screen.query_one(Page).plain
        assert help_page.startswith("Form\nenter ^g f10  Continue,")
        assert "\nf1            Show all keys." in help_page, "a letter key only types in a form"
        await pilot.press("question_mark", "q", "down", *"q?", "f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("f1", "x")
        await until(pilot, lambda: form.values == {"samples": "5", "teacher": "endpoint", "name": "q?x"})
        await pilot.press("enter")
        await until(pilot, lambda: answers == [{"samples": "5", "teacher": "endpoint", "name": "q?x"}])


async def test_quick_keys_reach_the_right_fields(home: Home) -> None:
    app = DistillApp(home, None)
    answers: list[dict[str, str] | None] = []
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.push_screen(FormScreen("Generate", FIELDS, go="start"), answers.append)
        await wait_for_form(pilot)
        for key in ("5", "down", "down", "q", "up", "up", "6", "enter"):
            # Posted without waiting for the previous key.
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: bool(answers))
    assert answers == [{"samples": "6", "teacher": "local", "name": "q"}]


async def test_custom_keys_work_in_a_form_and_its_help(home: Home) -> None:
    keys = {
        "form.submit": "f5", "form.next_field": "enter", "form.next_choice": "n", "form.leave": "f6",
        "everywhere.help": "f8",
    }  # fmt: skip
    app = DistillApp(home, None, settings=Settings(keys=keys))
    answers: list[dict[str, str] | None] = []
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        for _ in range(2):
            app.push_screen(FormScreen("Generate", FIELDS, go="start"), answers.append)
            form = await wait_for_form(pilot)
            keys_line = str(form.query_one("#form-keys", Static).visual)
            assert keys_line == "f5 start   ↑ enter field   ← n choose   f6 cancel   f8 help"
            await pilot.press("5", "enter", "n", "f8")
            await until(pilot, lambda: isinstance(app.screen, HelpScreen))
            await pilot.press("f8", "enter", *"no", "f6" if answers else "f5")
            await until(pilot, lambda: not isinstance(app.screen, FormScreen))
    assert answers == [{"samples": "5", "teacher": "endpoint", "name": "no"}, None]


async def test_custom_letter_keys_only_type_in_a_form(home: Home) -> None:
    app = DistillApp(home, None, settings=Settings(keys={"everywhere.quit": "X", "everywhere.help": "H"}))
    answers: list[dict[str, str] | None] = []
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.push_screen(FormScreen("Generate", FIELDS, go="start"), answers.append)
        form = await wait_for_form(pilot)
        assert str(form.query_one("#form-keys", Static).visual).endswith("f1 help")
        await pilot.press("5", "down", "X", "H", "right")
        assert app.screen is form, "the same on a choice field"
        await pilot.press("down", *"XH", "f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        help_page = app.screen.query_one(Page).plain
        assert "\nf1            Show all keys." in help_page
        assert "\n^q            Quit; running jobs continue." in help_page
        await pilot.press("H", "enter")
        await until(pilot, lambda: bool(answers))
        await pilot.press("X")
        await until(pilot, lambda: app._exit)
    assert answers == [{"samples": "5", "teacher": "endpoint", "name": "XH"}]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80", "120"])
def test_form_matches_its_snapshot(snap_compare: Callable[..., bool], home: Home, size: tuple[int, int]) -> None:
    form = FormScreen("Generate answers", FIELDS, go="start", aside=lambda values: "About 240 answers, 3 minutes.")

    async def open_form(pilot: Pilot[int]) -> None:
        pilot.app.push_screen(form)
        await until(pilot, lambda: form.is_current and bool(form.query(Input)))
        for field in form.query(Input):
            field.cursor_blink = False
        await pilot.press("backspace", "q", "enter")
        await until(pilot, lambda: any("A whole number" in str(each.visual) for each in form.query(Static)))
        await settled(pilot)

    assert snap_compare(DistillApp(home, None), terminal_size=size, run_before=open_form)


async def test_pasted_lines_are_joined_in_the_field() -> None:
    app = FormApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("down", "down")
        app.post_message(events.Paste("Where is\nmy card?\r\nI lost it.\n"))
        await until(pilot, lambda: app.form.values["name"] == "Where is my card? I lost it.")
