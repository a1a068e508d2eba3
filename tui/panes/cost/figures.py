"""The figures of the cost as fields in three columns under the model's name, walked by keys.

Shares the pane's state; what is typed goes up as a message. Reckons nothing.
"""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
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
_WALK = (MODEL, *(item.name for item in FIELDS))


class Figures(Vertical):
    """The fields; an empty one shows what it counts as."""

    place: ClassVar[Place] = "figures"
    BINDINGS: ClassVar[list[BindingType]] = bindings("figures")
    DEFAULT_CSS = """
    Figures { width: 1fr; height: auto; margin-bottom: 1; }
    Figures #columns { height: auto; }
    Figures #columns Vertical { width: 1fr; height: auto; margin-right: 1; }
    Figures .figure { height: 1; }
    Figures .figure Static { width: 16; height: 1; }
    Figures .figure Input { width: 1fr; max-width: 12; height: 1; padding: 0 0 0 1; border: none; }
    Figures .figure Input { background: $surface; }
    Figures #model { max-width: 44; }
    Figures .figure Input:focus { background: $panel; }
    Figures .figure Input.-wrong { color: $text-error; }
    Figures #listed { width: 1fr; padding-left: 2; }
    Figures.-airy #columns { margin-top: 1; }
    Figures.-stacked #columns { layout: vertical; }
    """

    class Typed(Message):
        """A field holds another text (the state knows it already), or without a name: the figures look otherwise."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    class Left(Message):
        """A person is done with the figures."""

    def __init__(self, state: CostState) -> None:
        super().__init__(id="figures")
        self._state = state

    def compose(self) -> ComposeResult:
        """The model, the models that its name may mean, three columns of figures."""
        with Horizontal(classes="figure"):
            yield Static(Content.styled("model today", DIM))
            yield Entry(id=MODEL, compact=True, placeholder="gpt-5, gpt-5 @ azure, …", select_on_focus=True)
            yield Page(id="listed")
        yield Page(id="models")
        with Horizontal(id="columns"):
            for name, column in COLUMNS:
                with Vertical():
                    yield Static(Content.styled(name, DIM))
                    for item in column:
                        with Horizontal(classes="figure"):
                            yield Static(Content.styled(f" {item.label}", DIM))
                            yield Entry(id=item.name, compact=True, select_on_focus=True)

    @property
    def field(self) -> str | None:
        """The name of the field that has the focus."""
        focused = self.screen.focused if self.is_mounted else None
        return focused.id if isinstance(focused, Input) and self in focused.ancestors else None

    def enter(self) -> None:
        """Give the keys to the first field."""
        self._input(MODEL).focus()

    def on_mount(self) -> None:
        """An estimate that came before the fields were there is shown in them now."""
        if self._state.page is not None:
            self.fill()
            self.post_message(self.Typed(""))

    def fill(self) -> None:
        """Let the fields that are there hold the state's texts."""
        with self.prevent(Input.Changed):
            for field in self.query(Input):
                field.value = clean_line(self._state.texts[field.id or MODEL])

    def show(self, width: int, *, airy: bool) -> None:
        """Draw for `width` cells. Where three columns do not fit, they stand under each other."""
        self.set_class(width < _STACKED_BELOW, "-stacked")
        self.set_class(airy or self._state.choosing, "-airy")
        for field in self.query("#columns Input").results(Input):
            name = field.id or ""
            field.placeholder = self._state.hint(name)
            field.set_class(bool(self._state.error(name)), "-wrong")
        for page in self.query("#models").results(Page):
            page.show(models(self._state, width))
        for page in self.query("#listed").results(Page):
            page.show([Content.styled(self._state.listed, DIM)])

    def on_resize(self) -> None:
        """What stands below has another height now."""
        self.post_message(self.Typed(""))

    def on_input_changed(self, message: Input.Changed) -> None:
        """The estimate follows each key."""
        message.stop()
        name, text = message.input.id or "", clean_line(message.value)
        if text != message.value:  # a field shows what it holds, codes and all: it holds clean text alone
            message.input.value = text
        elif self._state.type(name, text):
            self._state.choosing = name == MODEL
            self.post_message(self.Typed(name))

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Enter goes on."""
        message.stop()
        self.action_next()

    def on_descendant_focus(self) -> None:
        """Models are listed only while a name is being typed."""
        self._state.choosing = False

    def action_next(self) -> None:
        """Take the chosen model; go to the next field, and from the last one back to the page."""
        if (model := self._state.model) is not None:
            self._input(MODEL).value = model.name
        self._state.choosing = False
        self._walk(1)

    def action_figure_down(self) -> None:
        """The next model, or the next field."""
        self._step(1)

    def action_figure_up(self) -> None:
        """The model before, or the field before."""
        self._step(-1)

    def action_back(self) -> None:
        """Leave; what was typed is kept."""
        self._state.choosing = False
        self.post_message(self.Left())

    def _step(self, steps: int) -> None:
        if self._state.choosing:
            self._state.choose(steps)
            self.post_message(self.Typed(""))
        else:
            self._walk(steps)

    def _walk(self, steps: int) -> None:
        place = _WALK.index(self.field or MODEL) + steps
        if 0 <= place < len(_WALK):
            self._input(_WALK[place]).focus()
        else:
            self.action_back()

    def _input(self, name: str) -> Input:
        return self.query_one(f"#{name}", Input)
