"""The cost pane as a widget: the figures, and the estimate below, updated on every key.

Asks the service and shows the answers; calculates nothing.
"""

from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.dom import DOMNode

from engine.economics.labels import label
from engine.economics.prices import ListedModel
from tui.actions import PaneName, Place, bindings
from tui.panes.cost.drawing import draw, title
from tui.panes.cost.figures import Figures
from tui.panes.cost.state import MODEL, CostState
from tui.panes.pane import Pane
from tui.panes.view import View
from tui.services.cost import CostPage, CostService, PromptCounted, look_for
from tui.services.facts import Facts
from tui.services.store import StoreService
from tui.undoing import NOTHING_LEFT, undone
from tui.widgets.page import Page

_AIRY_FROM = 26  # lines


class CostPane(Pane):
    """Does distilling pay? Figures can be typed; those left empty are measured, listed or assumed."""

    place: ClassVar[PaneName] = "cost"
    BINDINGS: ClassVar[list[BindingType]] = bindings("cost")

    def __init__(self, store: StoreService) -> None:
        super().__init__(store)
        self.state = CostState()
        self._service = CostService(store, self)
        self._title, self._figures = Page(classes="title"), Figures(self.state)

    def compose(self) -> ComposeResult:
        """Yield the title, the figures and the estimate."""
        yield self._title
        yield self._figures
        yield Page(classes="lines")

    @property
    def binding_chain(self) -> list[tuple[Place, DOMNode]]:
        """Return the active places: only the fields while a figure is typed."""
        return [("figures", self._figures)] if self._figures.field is not None else super().binding_chain

    @property
    def unavailable(self) -> frozenset[str]:
        """Undo, if nothing was changed."""
        return frozenset() if self.state.changes else frozenset({"cost.undo"})

    @property
    def view(self) -> View | None:
        """Return the pane's view, less the height of title and figures."""
        if (view := super().view) is None:
            return None
        return View(view.facts, view.job, view.width, max(view.height - self._figures.outer_size.height - 2, 8))

    def depends_on(self, facts: Facts) -> tuple[object, ...]:
        """The prompt and the measurements."""
        evaluation = facts.evaluation.id if facts.evaluation is not None else 0
        return (facts.prompt_version, evaluation, facts.examples.total)

    def read(self) -> None:
        """Recalculate."""
        self._ask()

    def draw(self, view: View) -> list[Content]:
        """Draw the lines under the figures."""
        return draw(self.state, view.width, view.height)

    def redraw(self) -> None:
        """Redraw title, figures and estimate."""
        super().redraw()
        self._redraw_figures()

    def on_prompt_counted(self, _message: PromptCounted) -> None:
        """Recalculate with the exact token count."""
        self._ask()

    def on_figures_typed(self, message: Figures.Typed) -> None:
        """Update the estimate as the user types; errors are shown at once."""
        if message.name == MODEL and self.state.choosing:
            text = self.state.texts[MODEL]
            self.store.ask(lambda _project: look_for(text), partial(self._show_models, text), self)
        if not message.name or not self._ask():
            self.redraw()

    def on_figures_left(self) -> None:
        """Give the focus back to the page."""
        self.focus()

    def on_descendant_focus(self) -> None:
        """Redraw: a field has other keys."""
        self._redraw_figures()

    def on_descendant_blur(self) -> None:
        """Redraw: outside a field there are other keys."""
        self._redraw_figures()

    def action_edit(self) -> None:
        """Go to the first field."""
        self._figures.enter()

    def action_undo(self) -> None:
        """Undo the last change to a figure."""
        if (name := self.state.undo()) is None:
            self.notify(NOTHING_LEFT, timeout=4)
            return
        self._figures.fill()
        if not self._ask():
            self.redraw()
        words = "the model" if name == MODEL else label(name)
        self.notify(undone(words), timeout=4)

    def _redraw_figures(self) -> None:
        """Redraw title and figures; the estimate stays unchanged."""
        if self.is_mounted and self.display and (view := self.view) is not None:
            self._figures.show(view.width, airy=self.size.height >= _AIRY_FROM)
            self._title.show(title(self.state, view.width, typing=self._figures.field is not None))
            self._tell_keys()

    def _ask(self) -> bool:
        """Request a new estimate. Return whether one will come: not while a field is invalid."""
        if self.state.page is None:
            self.store.ask(self._service.read, partial(self._take, self.state.ask()), self)
        elif (inputs := self.state.inputs) is not None:
            estimate = partial(self._service.estimate, inputs=inputs, keep=self.state.texts == self.state.taken)
            self.store.ask(estimate, partial(self._take, self.state.ask()), self)
        else:
            return False
        return True

    def _take(self, asked: int, page: CostPage) -> None:
        """Take in the estimate; the first one fills the fields."""
        first = self.state.page is None
        if self.state.take(page, asked):
            if first:
                self._figures.fill()
            self.redraw()

    def _show_models(self, text: str, models: tuple[ListedModel, ...]) -> None:
        self.state.found(text, models)
        self._redraw_figures()
