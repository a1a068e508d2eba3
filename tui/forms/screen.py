"""A short form over the screen: one line per field, its error below it, and text that follows what is typed.

Knows nothing of what is asked for. What was typed is lost only when the user leaves with escape.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from engine.clean import clean_line, clean_text
from tui.actions import Place, bindings
from tui.keys import footer_actions, key_of
from tui.services.paths import PathSuggester
from tui.widgets.auto_height import Words
from tui.widgets.choice import Choice
from tui.widgets.guard import Veil
from tui.widgets.line import Entry
from tui.widgets.lines import ACCENT, BAD, DIM, STRONG
from tui.widgets.placed import OverScreen
from tui.widgets.toasts import clear_messages

Values = Mapping[str, str]
NOTHING: Values = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a form. ← and → switch between `choices`; without them the field is typed."""

    id: str
    label: str
    value: str = ""
    hint: str = ""
    choices: tuple[str, ...] = ()
    secret: bool = False
    path: bool = False  # completed from the files at that path
    live: bool = False  # errors are shown while typing, not only when the form is submitted
    check: Callable[[str], str] = field(default=lambda _value: "")  # returns what is wrong, or an empty string


@dataclass(frozen=True, slots=True)
class FieldNote:
    """The note beside a field: the value it takes while empty, why, and what that is based on."""

    instead: str = ""
    why: str = ""
    basis: str = ""
    shown: bool = True  # False: the field has no effect now


_MOVES = ("next_field", "field_before")
_TOGETHER = "-together"  # errors that belong to no single field
Guide = Callable[[Values], Mapping[str, FieldNote]]


class _Fields(VerticalScroll, can_focus=False, inherit_bindings=False):
    """The lines of a form, scrolled by the form's own keys."""


class _Entry(Entry):
    """A field for typing."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave enter to the form: the user may have bound it to something else."""
        return action != "submit"


class FormScreen(OverScreen[dict[str, str] | None]):
    """Asks for some fields; returns their values, or None if the user left."""

    place: ClassVar[Place] = "form"
    CSS_PATH = "form.tcss"
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-tall")]  # noqa: RUF012 - declared by Screen
    # The next field must have the focus before a fast typist's next key arrives, or it would go into this one.
    BINDINGS: ClassVar[list[BindingType]] = [
        replace(binding, priority=True) if isinstance(binding, Binding) and binding.action in _MOVES else binding
        for binding in bindings("form")
    ]

    def __init__(
        self,
        title: str,
        fields: Sequence[Field],
        *,
        go: str = "continue",
        aside: Callable[[Values], str] = lambda _values: "",
        pending: str | None = None,
        whole: Callable[[Values], str] = lambda _values: "",
        values: Values = NOTHING,
        errors: Values = NOTHING,
        guide: Guide | None = None,
    ) -> None:
        """`aside` describes what the values mean, at each change; `pending` is shown instead while a field is wrong.

        `whole` says what is wrong with the values together, once each is right.

        `guide` gives the value that each field takes while empty, and why, also at each change.

        `values`, by field, is what was typed before, in place of the fields' own values; `errors` is what was wrong
        when it was tried, shown until the value changes.
        """
        super().__init__()
        self._title, self._go = title, go
        self._fields = tuple(replace(item, value=values.get(item.id, item.value)) for item in fields)
        self._refused = {item.id: (item.value, errors[item.id]) for item in self._fields if item.id in errors}
        self._aside, self._pending, self._whole, self._guide = aside, pending, whole, guide
        self._notes: Mapping[str, FieldNote] = {}

    def compose(self) -> ComposeResult:
        """Yield the title, one line per field, the text below, the keys."""
        with _Fields(id="form", classes="guided" if self._guide is not None else None):
            yield Static(Content.styled(clean_line(self._title), STRONG), id="form-title")
            for item in self._fields:
                with Horizontal(classes="field", id=f"row-{item.id}"):
                    yield Static(Content(item.label), classes="label")
                    if item.choices:
                        yield Choice(item.choices, item.value, id=f"field-{item.id}")
                    else:
                        yield _Entry(
                            item.value, placeholder=item.hint, id=f"field-{item.id}", compact=True,
                            password=item.secret, highlighter=Veil(),
                            suggester=PathSuggester() if item.path else None,
                        )  # fmt: skip
                        if self._guide is not None:
                            yield Words(id=f"note-{item.id}", classes="note")
                yield Words(id=f"error-{item.id}", classes="error")
            yield Words(id=f"error-{_TOGETHER}", classes="error")
            if self._guide is not None:
                yield Words(id="why")
            yield Words(id="aside")
            yield Static(self._keys(), id="form-keys")

    def on_mount(self) -> None:
        """Describe the initial values, and show what was wrong with them before."""
        clear_messages(self.app)  # they would cover the fields
        self.tell()
        for item, (_, error) in self._refused.items():
            self._say(item, error)
            self.query_one(f"#field-{item}").focus()

    def on_descendant_focus(self) -> None:
        """Highlight the label of the focused field, and show its reason in full."""
        for row in self.query(".field"):
            row.set_class(self.focused is not None and self.focused.parent is row, "-here")
        self._tell_why()

    def on_input_changed(self) -> None:
        """Update the text for what is typed."""
        self.tell()

    def on_choice_changed(self) -> None:
        """Update the text for what is chosen."""
        self.tell()

    @property
    def heading(self) -> str:
        """The title of the form."""
        return self._title

    @property
    def values(self) -> dict[str, str]:
        """The current value of each field, without surrounding blanks."""
        found: dict[str, str] = {}
        for item in self._fields:
            widget = self.query_one(f"#field-{item.id}")
            found[item.id] = widget.value.strip() if isinstance(widget, Input | Choice) else ""
        return found

    def action_submit(self) -> None:
        """Return the values if all are valid; else show what is wrong below the field, and focus it."""
        values, wrong = self.values, ""
        for item in self._fields:
            error = item.check(values[item.id])
            self._say(item.id, error)
            wrong = wrong or (item.id if error else "")
        if wrong:
            self.query_one(f"#field-{wrong}").focus()
            return
        if error := self._whole(values):
            self._say(_TOGETHER, error)
            return
        self.dismiss(values)

    def action_next_field(self) -> None:
        """Go to the next field."""
        self.focus_next()

    def action_field_before(self) -> None:
        """Go to the previous field."""
        self.focus_previous()

    def action_next_choice(self) -> None:
        """Choose the next option, if the field offers several."""
        if isinstance(self.focused, Choice):
            self.focused.turn(1)

    def action_choice_before(self) -> None:
        """Choose the previous option."""
        if isinstance(self.focused, Choice):
            self.focused.turn(-1)

    def action_page_down(self) -> None:
        """Scroll down."""
        self.query_one(_Fields).scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        """Scroll up."""
        self.query_one(_Fields).scroll_page_up(animate=False)

    def action_leave(self) -> None:
        """Leave without doing anything."""
        self.dismiss(None)

    def tell(self) -> None:
        """Describe the values again; also call this when what is known about them has changed."""
        values, wrong = self.values, False
        self._say(_TOGETHER, "")
        for item in self._fields:
            shown, value = self.query_one(f"#error-{item.id}", Words), values[item.id]
            error = item.check(value)
            wrong = wrong or bool(error)
            # An error disappears as soon as it is fixed; most appear only when the form is submitted.
            if shown.display and not error and value != self._refused.get(item.id, ("\n", ""))[0]:
                self._say(item.id, "")
            elif item.live and value and error:
                self._say(item.id, error)
        text = self._pending if wrong and self._pending is not None else self._aside(values)
        self.query_one("#aside", Words).update(Content(clean_text(text)))
        if self._guide is not None:
            self._tell_guided(self._guide(values))

    def _keys(self) -> Content:
        hints = [(key_of("form.submit"), self._go), (key_of("form.field_before", "form.next_field"), "field")]
        if any(item.choices for item in self._fields):
            hints.append((key_of("form.choice_before", "form.next_choice"), "choose"))
        if any(item.path for item in self._fields):
            hints.append(("→", "complete"))
        hints.append((key_of("form.leave"), "cancel"))
        hints += [(action.shown, action.label) for action in footer_actions(self.place) if action.id == "help"]
        parts = [Content.assemble((key, ACCENT), (f" {words}", DIM)) for key, words in hints]
        return Content("   ").join(parts)

    def _tell_guided(self, notes: Mapping[str, FieldNote]) -> None:
        self._notes = notes
        for item in self._fields:
            one = notes.get(item.id, FieldNote())
            self.query_one(f"#row-{item.id}").display = one.shown
            for entry in self.query(f"#field-{item.id}").results(Input):
                entry.placeholder = clean_line(one.instead) or item.hint
            for note in self.query(f"#note-{item.id}").results(Words):
                note.update(Content.styled(clean_line(one.why), DIM))
        self._tell_why()

    def _tell_why(self) -> None:
        focused = self.focused
        item = next((item for item in self._fields if focused is not None and focused.id == f"field-{item.id}"), None)
        one = self._notes.get(item.id) if item is not None else None
        basis = f" ({one.basis})" if one is not None and one.basis else ""
        for place in self.query("#why").results(Words):
            why = f"{one.why[:1].upper()}{one.why[1:]}{basis}." if one is not None and one.why else ""
            place.update(Content.styled(clean_text(why), DIM))

    def _say(self, field_id: str, error: str) -> None:
        place = self.query_one(f"#error-{field_id}", Words)
        place.update(Content.styled(f"✗ {clean_text(error)}", BAD))
        place.display = bool(error)
