"""Control codes in foreign text never reach the terminal through Textual's own widgets (toasts, fields, forms)."""

from hypothesis import HealthCheck, given, settings
from rich.cells import cell_len
from rich.segment import Segment
from rich.text import Text
from textual.app import App, ComposeResult
from textual.color import Color
from textual.widgets import Input, Static
from textual.widgets._toast import Toast

from engine.errors import DistillError, StoreError
from engine.paths import Home
from tests.hostile import control_characters, hostile, hostile_text
from tests.tui.piloting import screen_text, until
from tui.app import DistillApp
from tui.forms.screen import Field, FieldNote, FormScreen
from tui.panes.chat.question import QuestionField
from tui.terminal.notice import title
from tui.widgets.choice import Choice
from tui.widgets.guard import CodeFilter, Veil


@given(hostile_text)
def test_drawn_line_has_no_control_codes_and_keeps_its_width(text: str) -> None:
    (filtered,) = CodeFilter().apply([Segment(text)], Color(0, 0, 0))
    assert not control_characters(filtered.text, "")
    if "\t" not in text:
        assert cell_len(filtered.text) == cell_len(text)


@given(hostile_text)
def test_field_replaces_each_control_code_by_one_visible_character(text: str) -> None:
    shown = Text(text)
    before = len(shown)
    Veil().highlight(shown)
    assert len(shown) == before
    assert not control_characters(shown.plain, "")


@given(hostile_text)
def test_window_title_contains_no_control_codes(text: str) -> None:
    sequence = title(text)
    assert sequence.startswith("\x1b]2;")
    assert sequence.endswith("\x07")
    assert not control_characters(sequence[4:-1])


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hostile_text.filter(str.strip))
async def test_toasts_show_hostile_text_without_acting_on_it(home: Home, text: str) -> None:
    app = DistillApp(home)
    async with app.run_test(size=(100, 40), notifications=True) as pilot:
        for show in (
            lambda: app.notify(text, title=text, markup=True),  # a careless caller, or Textual itself
            lambda: app._tell(DistillError(text, text, text)),
            lambda: app.copy_to_clipboard(text),
            lambda: app.screen.notify(f"{text} again", title=text),
        ):
            app.clear_notifications()
            await until(pilot, lambda: not app.screen.query(Toast))
            show()
            await until(pilot, lambda: len(app.screen.query(Toast)) == 1)
            toast = app.screen.query_one(Toast).render()
            assert not control_characters(toast.plain, "\n\t")
            assert not any("@" in str(span.style) for span in toast.spans)
            assert not control_characters(screen_text(app))
        assert app.is_running


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hostile_text.filter(str.strip))
async def test_form_shows_hostile_text_and_keeps_its_value(home: Home, text: str) -> None:
    form = FormScreen(
        text,
        [
            Field("typed", "typed", text, text, check=lambda _value: text),
            Field("empty", "empty", "", text),
            Field("chosen", "chosen", text, choices=(text, "other", f"{text}x")),
        ],
        aside=lambda _values: text,
        errors={"typed": text},
        guide=lambda _values: {"typed": FieldNote(text, text, text), "empty": FieldNote(text, text, text)},
    )
    app = DistillApp(home)
    async with app.run_test(size=(100, 40), notifications=True) as pilot:
        await app.push_screen(form)
        await until(pilot, lambda: form.focused is not None)
        await pilot.press("ctrl+g")
        texts = [str(part.visual) for part in form.query(Static)] + [str(part.render()) for part in form.query(Choice)]
        texts += [part._value.plain for part in form.query(Input)]
        texts += [part.placeholder for part in form.query("#field-empty").results(Input)]
        assert not control_characters("".join(texts), "\n\t"), texts
        assert not control_characters(screen_text(app))
        assert form.values["typed"] == form.query_one("#field-typed", Input).value.strip(), "only its display changes"


async def test_pasted_question_is_shown_clean_and_sent_unchanged() -> None:
    class QuestionApp(App[int]):
        sent = ""

        def compose(self) -> ComposeResult:
            yield QuestionField()

        def on_question_field_sent(self, message: QuestionField.Sent) -> None:
            self.sent = message.text

    app = QuestionApp()
    async with app.run_test(size=(100, 10)) as pilot:
        field = app.query_one(QuestionField)
        field.insert(hostile("why"))
        await until(pilot, lambda: "[@click=app.quit]why" in screen_text(app))
        assert not control_characters(screen_text(app))
        field.focus()
        await pilot.press("enter")
        await until(pilot, lambda: app.sent == hostile("why"))


async def test_read_error_is_shown_clean(home: Home) -> None:
    from tui.screens.workspace.state import WorkspaceState
    from tui.screens.workspace.trouble import Trouble

    class TroubleApp(App[int]):
        def compose(self) -> ComposeResult:
            yield Trouble()

    app = TroubleApp()
    async with app.run_test(size=(80, 24)) as pilot:
        trouble = app.query_one(Trouble)
        trouble.show_trouble(WorkspaceState(), StoreError(*map(hostile, ("title", "message", "next"))), 80)
        await until(pilot, lambda: "[@click=app.quit]next" in screen_text(app))
        assert not control_characters(screen_text(app))
