"""What Textual draws by itself (toasts, fields, forms) shows foreign text as signs, and no code leaves it."""

from hypothesis import HealthCheck, given, settings
from rich.cells import cell_len
from rich.segment import Segment
from rich.text import Text
from textual.app import App
from textual.color import Color
from textual.widgets import Input, Static
from textual.widgets._toast import Toast

from engine.errors import DistillError, StoreError
from engine.paths import Home
from tests.hostile import hostile, hostile_text, obeyed
from tests.tui.piloting import until
from tui.app import DistillApp
from tui.forms.screen import Field, FieldNote, FormScreen
from tui.panes.chat.question import QuestionField
from tui.terminal.notice import title
from tui.widgets.choice import Choice
from tui.widgets.guard import CodeFilter, Veil


def drawn(app: App[int]) -> str:
    """What goes to the terminal, without styles."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


@given(hostile_text)
def test_a_drawn_line_loses_its_codes_and_keeps_its_cells(text: str) -> None:
    (left,) = CodeFilter().apply([Segment(text)], Color(0, 0, 0))
    assert not obeyed(left.text)
    assert "\n" not in left.text
    if "\t" not in text:
        assert cell_len(left.text) == cell_len(text)


@given(hostile_text)
def test_a_field_shows_a_sign_for_each_code_in_its_place(text: str) -> None:
    shown = Text(text)
    before = len(shown)
    Veil().highlight(shown)
    assert len(shown) == before
    assert not obeyed(shown.plain)
    assert "\n" not in shown.plain


@given(hostile_text)
def test_the_title_of_the_window_ends_where_it_should(text: str) -> None:
    sequence = title(text)
    assert sequence.startswith("\x1b]2;")
    assert sequence.endswith("\x07")
    assert not obeyed(sequence[4:-1])


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hostile_text.filter(str.strip))
async def test_toasts_say_what_they_are_told_and_do_nothing(home: Home, text: str) -> None:
    app = DistillApp(home)
    async with app.run_test(size=(100, 40), notifications=True) as pilot:
        app.notify(text, title=text, markup=True)  # a careless caller, or Textual itself
        app._tell(DistillError(text, text, text))
        app.copy_to_clipboard(text)
        await until(pilot, lambda: len(app.screen.query(Toast)) == 3)
        app.screen.notify(f"{text} again", title=text)
        await until(pilot, lambda: any("again" in toast.render().plain for toast in app.screen.query(Toast)))
        for toast in app.screen.query(Toast):
            assert obeyed(toast.render().plain) <= {"\t"}
            assert not any("@" in str(span.style) for span in toast.render().spans)
        assert not obeyed(drawn(app))
        assert app.is_running


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hostile_text.filter(str.strip))
async def test_a_form_shows_whatever_it_is_given(home: Home, text: str) -> None:
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
        told = [str(part.visual) for part in form.query(Static)] + [part.render().plain for part in form.query(Choice)]
        told += [part._value.plain for part in form.query(Input)]
        told += [part.placeholder for part in form.query("#field-empty").results(Input)]
        assert all(obeyed(each) <= {"\t"} for each in told), told
        assert not obeyed(drawn(app))
        assert form.values["typed"] == form.query_one("#field-typed", Input).value.strip(), (
            "shown otherwise, not changed"
        )


async def test_what_is_pasted_into_a_question_is_veiled_and_sent_as_it_was() -> None:
    class Asking(App[int]):
        sent = ""

        def compose(self):
            yield QuestionField()

        def on_question_field_sent(self, message: QuestionField.Sent) -> None:
            self.sent = message.text

    app = Asking()
    async with app.run_test(size=(100, 10)) as pilot:
        field = app.query_one(QuestionField)
        field.insert(hostile("why"))
        await until(pilot, lambda: "[@click=app.quit]why" in drawn(app))
        assert not obeyed(drawn(app))
        field.focus()
        await pilot.press("enter")
        await until(pilot, lambda: app.sent == hostile("why"))


async def test_why_a_project_cannot_be_read_is_shown_clean(home: Home) -> None:
    from tui.screens.workspace.state import WorkspaceState
    from tui.screens.workspace.trouble import Trouble

    class Failing(App[int]):
        def compose(self):
            yield Trouble()

    app = Failing()
    async with app.run_test(size=(80, 24)) as pilot:
        trouble = app.query_one(Trouble)
        trouble.show_trouble(WorkspaceState(), StoreError(*map(hostile, ("title", "message", "next"))), 80)
        await until(pilot, lambda: "[@click=app.quit]next" in drawn(app))
        assert not obeyed(drawn(app))
