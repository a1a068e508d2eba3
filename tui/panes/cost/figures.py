"""The figures of the cost pane as fields, in three columns under the model's name.

Shares the pane's state; what is typed goes up as a message. Calculates nothing.
"""

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import DescendantBlur
from textual.message import Message
from textual.widgets import Input, Static

from engine.clean import clean_line
from tui.actions import Place, bindings
from tui.panes.cost.drawing import models
from tui.panes.cost.state import COLUMNS, FIELDS, MODEL, CostState
from tui.widgets.line import Entry
from tui.widgets.lines import DIM
from tui.widgets.page import Page

_STACKED_BELOW = 70  # cells: three columns of figures need more


class Figures(Vertical):
    """The fields; an empty one shows its default. A column's labels are one widget: each widget costs time per key."""

    place: ClassVar[Place] = "figures"
    BINDINGS: ClassVar[list[BindingType]] = bindings("figures")
    DEFAULT_CSS = """
    Figures { width: 1fr; height: auto; margin-bottom: 1; }
    Figures #named { height: 1; }
    Figures #columns { height: auto; }
    Figures .column { width: 1fr; height: auto; margin-right: 1; }
    Figures .words { width: 16; }
    Figures .fields { width: 1fr; height: auto; padding-top: 1; }
    Figures Input.figure { width: 1fr; max-width: 12; height: 1; padding: 0 0 0 1; border: none; }
    Figures Input.figure { background: $surface; }
    Figures Input.figure:focus { background: $panel; }
    Figures Input.figure.-wrong { color: $text-error; }
    Figures #model { max-width: 44; }
    Figures #listed { width: 1fr; padding-left: 2; }
    Figures.-stacked #columns { layout: vertical; }
    """

    @dataclass
    class Typed(Message):
        """A field's text changed (the state has it already); without a name, only the layout changed."""

        name: str

    class Left(Message):
        """The user is done with the figures."""

    def __init__(self, state: CostState) -> None:
        super().__init__(id="figures")
        self._state = state
        self._listed, self._models, self._columns = Page(id="listed"), Page(id="models"), Horizontal(id="columns")
        names = (MODEL, *FIELDS)
        self._entries = {name: Entry(id=name, classes="figure", compact=True, select_on_focus=True) for name in names}
        self._entries[MODEL].placeholder = "gpt-5, gpt-5 @ azure, …"

    def compose(self) -> ComposeResult:
        """Yield the model, the models that match its name, and three columns of figures."""
        with Horizontal(id="named"):
            yield Static(Content.styled("model today", DIM), classes="words")
            yield self._entries[MODEL]
            yield self._listed
        yield self._models
        with self._columns:
            for name, column in COLUMNS.items():
                with Horizontal(classes="column"):
                    words = "\n ".join((name, *column.values()))
                    yield Static(Content.styled(words, DIM), classes="words")
                    with Vertical(classes="fields"):
                        yield from (self._entries[field] for field in column)

    @property
    def field(self) -> str | None:
        """Return the name of the field that has the focus."""
        focused = self.screen.focused if self.is_mounted else None
        return next((name for name, entry in self._entries.items() if entry is focused), None)

    def enter(self) -> None:
        """Give the focus to the first field."""
        self._entries[MODEL].focus()

    def on_mount(self) -> None:
        """Show an estimate that arrived before the fields were mounted."""
        if self._state.page is not None:
            self.fill()
            self.post_message(self.Typed(""))

    def fill(self) -> None:
        """Fill the mounted fields with the state's texts."""
        with self.prevent(Input.Changed):
            for name, entry in self._entries.items() if self.is_mounted else ():
                entry.value = clean_line(self._state.texts[name])

    def show(self, width: int, *, airy: bool) -> None:
        """Draw for `width` cells. If three columns do not fit, they are stacked."""
        self.set_class(width < _STACKED_BELOW, "-stacked")
        self._columns.styles.margin = (1 if airy or self._state.choosing else 0, 0, 0, 0)
        for name in FIELDS:
            self._entries[name].placeholder = self._state.hint(name)
            self._entries[name].set_class(bool(self._state.error(name)), "-wrong")
        self._models.show(models(self._state, width))
        self._listed.show([Content.styled(self._state.listed, DIM)])

    def on_resize(self) -> None:
        """Redraw what is below, whose height has changed."""
        self.post_message(self.Typed(""))

    def on_input_changed(self, message: Input.Changed) -> None:
        """Update the estimate as the user types."""
        message.stop()
        name, text = message.input.id or "", clean_line(message.value)
        if text != message.value:  # a field shows its text raw, so it may only hold clean text
            message.input.value = text
        elif self._state.type(name, text):
            self._state.choosing = name == MODEL
            self.post_message(self.Typed(name))

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Accept the field and go on."""
        message.stop()
        self.action_next()

    def on_descendant_focus(self) -> None:
        """Hide the list of models, which is shown only while a name is typed."""
        self._state.choosing = False

    def on_descendant_blur(self, event: DescendantBlur) -> None:
        """Accept the text of a field that is left, but not when the whole window loses the focus."""
        name = event.widget.id or ""
        if self.app.app_focus and self._state.keep(name):
            self.fill()
            self.post_message(self.Typed(name))

    def action_next(self) -> None:
        """Accept the selected model; go to the next field, or from the last one back to the page."""
        if (model := self._state.model) is not None:
            self._state.type(MODEL, model.name)
            self.fill()
        self._walk(1)

    def action_figure_down(self) -> None:
        """Go to the next model, or the next field."""
        self._step(1)

    def action_figure_up(self) -> None:
        """Go to the previous model, or the previous field."""
        self._step(-1)

    def action_back(self) -> None:
        """Leave the figures; an unaccepted text is replaced by the one before."""
        if (name := self.field) is not None and self._state.give_up(name):
            self.fill()
            self.post_message(self.Typed(name))
        self._leave()

    def _step(self, steps: int) -> None:
        if self._state.choosing:
            self._state.choose(steps)
            self.post_message(self.Typed(""))
        else:
            self._walk(steps)

    def _walk(self, steps: int) -> None:
        """Go to another field, unless what is typed in this one is wrong: the page says why."""
        if (name := self.field) is not None and self._state.error(name):
            return
        names = tuple(self._entries)
        place = names.index(self.field or MODEL) + steps
        if 0 <= place < len(names):
            self._state.choosing = False
            self._entries[names[place]].focus()
        else:
            self._leave()

    def _leave(self) -> None:
        self._state.choosing = False
        self.post_message(self.Left())
