"""The views of the prompt pane: which one is shown, and which one has the focus.

A view is created when first needed, because most are never needed in a session. Its name is that of its mode, which
is also the place whose keys it carries. Knows nothing of typing or saving.
"""

from collections.abc import Callable
from typing import Self, TypeVar

from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.dom import DOMNode
from textual.widget import Widget

from tui.actions import TEXT_PLACES, Place
from tui.keys import key_of
from tui.panes.pane import Pane
from tui.panes.prompt.rules_view import RulesView
from tui.panes.prompt.state import Mode, PromptState
from tui.panes.prompt.text_view import TextView
from tui.services.store import StoreService
from tui.widgets.page import Page
from tui.widgets.placed import ShowPane

ViewKind = TypeVar("ViewKind", bound=Widget)


class ModesPane(Pane, can_focus=False):
    """The text with the rules beside it, or one of the other views in their place."""

    SCOPED_CSS = False  # the rules for narrow screens start at the screen
    DEFAULT_CSS = """
    PromptPane { padding: 0; overflow: hidden hidden; layout: vertical; }
    #prompt-title { height: auto; padding: 1 1 0 2; }
    #prompt-reading { height: 1fr; layout: horizontal; }
    #prompt-text { padding: 0 0 0 2; }
    #prompt-rules { padding: 0 0 0 1; border-left: solid $panel-lighten-1; }
    .side { padding: 1 0 0 2; }
    Screen.-narrow #prompt-title { padding: 0 1; }
    Screen.-narrow #prompt-reading { layout: vertical; }
    Screen.-narrow #prompt-text { padding: 0 0 0 1; }
    Screen.-narrow #prompt-rules { border-left: none; border-top: solid $panel-lighten-1; }
    Screen.-narrow .side { padding: 0 0 0 1; }
    """

    def __init__(self, store: StoreService) -> None:
        super().__init__(store)
        self.state = PromptState()

    def compose(self) -> ComposeResult:
        """Yield the reading view; the others are mounted when needed."""
        yield Page(id="prompt-title")
        with Container(id="prompt-reading"):
            yield TextView()
            yield RulesView(self.store, self.state.rules)

    def on_mount(self) -> None:
        """Give the focus to the text."""
        if self.display:
            self.focus()

    def on_resize(self) -> None:
        """Place text and rules side by side, or one above the other in a narrow window."""
        self._divide()

    def move_divider(self, steps: int) -> bool:
        """Move the divider between text and rules, if both are shown."""
        if self.state.mode != "reading" or not any(rules.display for rules in self.query(RulesView)):
            return False
        self.post_message(self.shares.move("prompt", steps))
        self._divide()
        return True

    def focus(self, scroll_visible: bool = True) -> Self:
        """Give the focus to the view that is shown."""
        if (inner := self._holder) is not None:
            inner.focus(scroll_visible)
        return self

    @property
    def binding_chain(self) -> list[tuple[Place, DOMNode]]:
        """Return the view's keys before the pane's; while the user types, only the field's own keys."""
        own: list[tuple[Place, DOMNode]] = [(self.place, self)]
        mode = self.state.mode
        if mode == "reading":
            return [("rules", rules) for rules in self.query(RulesView) if rules.has_focus] + own
        return [(mode, self.query_one(f"#prompt-{mode}")), *([] if mode in TEXT_PLACES else own)]

    @property
    def scrolled(self) -> VerticalScroll:
        """Return the text; other views scroll themselves."""
        return next(iter(self.query(TextView)), self)

    @property
    def unavailable(self) -> frozenset[str]:
        """Stopping a trial, while none is running."""
        return frozenset() if self.state.trial.running else frozenset({"trial.end"})

    def action_propose(self) -> None:
        """Propose rules from the prompt."""
        from tui.panes.prompt.advice_views import ProposalsView

        if self._has_prompt():
            view = self._made(ProposalsView, lambda: ProposalsView(self.store, self.state.proposals))
            self._turn_to("proposals")
            view.focus()
            view.read_again()

    def action_check(self) -> None:
        """Check the prompt."""
        from tui.panes.prompt.advice_views import FindingsView

        if self._has_prompt():
            view = self._made(FindingsView, lambda: FindingsView(self.store, self.state.findings))
            self._turn_to("findings")
            view.focus()
            view.read()

    @property
    def _holder(self) -> Widget | None:
        """Return the widget to focus when the pane is shown."""
        mode = self.state.mode
        selector = "#prompt-text" if mode == "reading" else f"#prompt-{mode}"
        return next(iter(self.query(f"{selector} DocumentArea" if mode in TEXT_PLACES else selector)), None)

    def _divide(self) -> None:
        """Give the text its share, and the rules the rest."""
        share = self.shares.of("prompt")
        over = self.screen.has_class("-narrow")
        for kind, of in ((TextView, share), (RulesView, 100 - share)):
            for part in self.query(kind):  # along the other axis each takes the full size
                part.styles.width, part.styles.height = ("1fr", f"{of}fr") if over else (f"{of}fr", "1fr")

    def _turn_to(self, mode: Mode) -> None:
        self.state.mode = mode
        if mode != "reading":
            self.post_message(ShowPane(self.place))  # stay here: a job that starts would otherwise switch panes
        for part in self.children:
            part.display = part.id == f"prompt-{mode}" or (mode == "reading" and part.id == "prompt-title")
        self.redraw()

    def _made(self, kind: type[ViewKind], make: Callable[[], ViewKind]) -> ViewKind:
        """Return the view of this kind, mounting it if needed."""
        if not self.query(kind):
            self.mount(make())
        return self.query_one(kind)

    @property
    def _no_prompt(self) -> str:
        return f"No prompt yet: {key_of('prompt.edit')} writes one."
