"""The cost pane as a widget: the figures as fields, and the estimate under them, anew at each key.

Passes what is typed to the state and questions to the service; reckons nothing.
"""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from engine.clean import clean_line
from tui.actions import PaneName, bindings
from tui.panes.cost.drawing import draw, models, title
from tui.panes.cost.state import COLUMNS, FIELDS, MODEL, CostState
from tui.panes.job import JobView
from tui.panes.pane import Pane
from tui.panes.view import View
from tui.services.cost import CostRead, CostService, ModelsFound, PromptCounted
from tui.services.facts import Facts
from tui.services.store import StoreService
from tui.widgets.lines import DIM
from tui.widgets.page import Page

_STACKED_BELOW = 70  # cells: three columns of figures need more
_AIRY_FROM = 26  # lines


class CostPane(Pane):
    """Does distilling pay? The figures can be typed; those left empty are measured, listed or assumed."""

    place: ClassVar[PaneName] = "cost"
    BINDINGS: ClassVar[list[BindingType]] = bindings("cost")
    DEFAULT_CSS = """
    CostPane #figures { height: auto; margin-bottom: 1; }
    CostPane #figures Vertical { width: 1fr; height: auto; margin-right: 1; }
    CostPane .figure { height: 1; }
    CostPane .figure Static { width: 16; height: 1; }
    CostPane .figure Input { width: 1fr; max-width: 12; height: 1; padding: 0 0 0 1; border: none; }
    CostPane .figure Input { background: $surface; }
    CostPane #model { max-width: 44; }
    CostPane .figure Input:focus { background: $panel; }
    CostPane .figure Input.-wrong { color: $text-error; }
    CostPane #listed { width: 1fr; padding-left: 2; }
    CostPane.-airy #figures { margin: 1 0 1 0; }
    CostPane.-stacked #figures { layout: vertical; }
    """

    def __init__(self, store: StoreService) -> None:
        super().__init__(store)
        self.state = CostState()
        self._service = CostService(store, self)
        self._seen: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """The title, the model, three columns of figures, the estimate."""
        yield Page(classes="title")
        with Horizontal(classes="figure"):
            yield Static(Content.styled("model today", DIM))
            yield Input(id=MODEL, compact=True, placeholder="gpt-5, claude-sonnet-4-5, …", select_on_focus=True)
            yield Page(id="listed")
        yield Page(id="models")
        with Horizontal(id="figures"):
            for name, column in COLUMNS:
                with Vertical():
                    yield Static(Content.styled(name, DIM))
                    for item in column:
                        with Horizontal(classes="figure"):
                            yield Static(Content.styled(f" {item.label}", DIM))
                            yield Input(id=item.name, compact=True, select_on_focus=True)
        yield Page(classes="lines")

    @property
    def view(self) -> View | None:
        """As every pane's; the fields take their share of the height."""
        view = super().view
        if view is None or not self.is_mounted:
            return None
        above = self.query_one("#figures").outer_size.height + 3
        return View(view.facts, view.job, view.width, max(view.height - above, 8))

    def show(self, facts: Facts, job: JobView | None) -> None:
        """Reckon anew where the prompt or what was measured has changed."""
        evaluation = facts.evaluation.id if facts.evaluation is not None else 0
        seen = (facts.prompt_version, evaluation, facts.examples.total)
        if seen != self._seen:
            self._seen = seen
            self._ask()
        super().show(facts, job)

    def draw(self, view: View) -> list[Content]:
        """The lines under the fields."""
        return draw(self.state, view.width, view.height)

    def redraw(self) -> None:
        """Draw title, models and estimate anew. Where three columns do not fit, they stand under each other."""
        super().redraw()
        if (view := self.view) is not None:
            self.set_class(view.width < _STACKED_BELOW, "-stacked")
            self.set_class(self.size.height >= _AIRY_FROM or self.state.choosing, "-airy")
            self.query_one(".title", Page).show(title(self.state, view.width, typing=self._field is not None))
            self.query_one("#models", Page).show(models(self.state, view.width))
            self.query_one("#listed", Page).show([Content.styled(self._listed(), DIM)])

    def on_cost_read(self, message: CostRead) -> None:
        """Take in the estimate; the first one fills the fields."""
        first = self.state.page is None
        if not self.state.take(message.page, message.asked):
            return
        with self.prevent(Input.Changed):
            for item in FIELDS:
                field = self.query_one(f"#{item.name}", Input)
                field.placeholder = self.state.hint(item.name)
                if first:
                    field.value = self.state.texts[item.name]
            if first:
                self.query_one(f"#{MODEL}", Input).value = clean_line(self.state.texts[MODEL])
        self.redraw()

    def on_models_found(self, message: ModelsFound) -> None:
        """Show what the name may mean."""
        self.state.found(message.text, message.models)
        self.redraw()

    def on_prompt_counted(self, _message: PromptCounted) -> None:
        """Reckon with the exact count."""
        self._ask()

    def on_input_changed(self, message: Input.Changed) -> None:
        """The estimate follows each key."""
        name, text = message.input.id or "", clean_line(message.value)
        if text != message.value:  # a field shows what it holds, codes and all: it holds clean text alone
            message.input.value = text
            return
        if not self.state.type(name, text):
            return
        message.input.set_class(bool(self.state.error(name)), "-wrong")
        if name == MODEL:
            self.state.choosing = True
            self._service.look_for(text)
        self._ask()
        self.redraw()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Take the chosen model, and go on to the next field; after the last one, leave."""
        if message.input.id == MODEL:
            self._take_model()
        self.action_next()

    def on_descendant_focus(self) -> None:
        """Other keys hold in a field."""
        self.state.choosing = False
        self.redraw()

    def on_descendant_blur(self) -> None:
        """Other keys hold outside of one."""
        self.state.choosing = False
        self.redraw()

    def action_edit(self) -> None:
        """Go to the first field."""
        self.query_one(f"#{MODEL}", Input).focus()

    def action_next(self) -> None:
        """Go to the next field; from the last one back to the page."""
        fields = [MODEL, *(item.name for item in FIELDS)]
        here = fields.index(self._field) + 1 if self._field is not None else 0
        if here < len(fields):
            self.query_one(f"#{fields[here]}").focus()
        else:
            self.focus()

    def action_back(self) -> None:
        """Leave the fields; what was typed is kept."""
        if self._field is not None:
            self.focus()

    def action_line_down(self) -> None:
        """The next model, the next field, or a line down."""
        if self.state.choosing:
            self.state.choose(1)
            self.redraw()
        elif self._field is not None:
            self.action_next()
        else:
            super().action_line_down()

    def action_line_up(self) -> None:
        """The model before, the field before, or a line up."""
        if self.state.choosing:
            self.state.choose(-1)
            self.redraw()
        elif self._field is not None:
            self.screen.focus_previous(Input)
        else:
            super().action_line_up()

    @property
    def _field(self) -> str | None:
        """The name of the field that has the focus."""
        focused = self.screen.focused if self.is_mounted else None
        return focused.id if isinstance(focused, Input) and self in focused.ancestors else None

    def _take_model(self) -> None:
        model = self.state.model
        self.state.choosing = False
        if model is not None:
            self.query_one(f"#{MODEL}", Input).value = model.name

    def _ask(self) -> None:
        if self.state.page is None:
            self._service.read(self.state.ask())
        elif (inputs := self.state.inputs) is not None:
            self._service.reckon(inputs, self.state.ask())

    def _listed(self) -> str:
        """Where the model's prices come from, where the list has them."""
        if self.state.page is None or self.state.choosing:
            return ""
        figure = self.state.page.figures.get("output_usd_per_mtok")
        return figure.source if figure is not None and figure.origin == "listed" else ""
