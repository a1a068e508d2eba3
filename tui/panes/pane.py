"""The base class of every pane: one scrolling page of lines, drawn for its size.

A pane redraws when it is given new facts and when its own state changes. It knows the store's service, and nothing of
the workspace around it: requests to the workspace are posted as messages.
"""

from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.dom import DOMNode

from tui.actions import PaneName, Place
from tui.keys import key_of
from tui.panes.view import View
from tui.services.facts import Facts
from tui.services.job_view import JobView
from tui.services.store import StoreFailed, StoreService
from tui.widgets.footer import KeysChanged
from tui.widgets.page import Page
from tui.widgets.scroller import Scroller
from tui.widgets.shares import Shares


class Pane(Scroller):
    """One pane of the workspace. Subclasses name their `place`, draw their lines and carry its actions."""

    place: ClassVar[PaneName]
    DEFAULT_CSS = "Pane { width: 1fr; height: 1fr; padding: 1 0 0 2; }"
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, store: StoreService) -> None:
        super().__init__(id=f"pane-{self.place}")
        self.store = store
        self.shares = Shares()  # divider positions; the workspace's own object once it shows the pane
        self._shown: View | None = None  # the latest facts, without a size
        self._seen: tuple[object, ...] = ()  # the facts for which the pane last read its own data
        self._unread = False  # whether the store has failed since
        self._keys_shown: tuple[object, ...] = ()  # what last determined the keys shown

    def move_divider(self, steps: int) -> bool:
        """Move the pane's divider by so many steps; 0 resets it. Returns False if the pane is not divided."""
        return False

    def open(self, number: int) -> None:
        """Show the item with this number, in a pane that shows one of several."""
        raise NotImplementedError

    def draw(self, view: View) -> list[Content]:
        """The lines of the page for this view."""
        raise NotImplementedError

    @property
    def binding_chain(self) -> list[tuple[Place, DOMNode]]:
        """The places in which a key pressed now is looked up within the pane, nearest first."""
        return [(self.place, self)]

    @property
    def unavailable(self) -> frozenset[str]:
        """The actions, by place and id, that would do nothing now."""
        return frozenset()

    @property
    def facts(self) -> Facts | None:
        """The latest facts; None before anything was shown."""
        return self._shown.facts if self._shown is not None else None

    @property
    def job(self) -> JobView | None:
        """The watched job; None if there is none."""
        return self._shown.job if self._shown is not None else None

    @property
    def view(self) -> View | None:
        """What to draw: the latest facts and the available size; None before anything was shown or has a size."""
        if self._shown is None or not self.size.width:  # a pane without a size is drawn as soon as it has one
            return None
        width = self.line_width
        return View(self._shown.facts, self._shown.job, width, max(self.size.height - 1, 8))

    def depends_on(self, facts: Facts) -> tuple[object, ...]:
        """What decides the pane's own data: when it changes, `read` is called. Empty if the pane has no such data."""
        return ()

    def is_stale(self, facts: Facts) -> bool:
        """Whether the pane's own data has to be read again for these facts."""
        return self.depends_on(facts) != self._seen

    def read(self) -> None:
        """Read the pane's own data. What was requested and has not arrived is requested again."""

    def show(self, facts: Facts, job: JobView | None) -> None:
        """Take new facts, read what only this pane shows if they call for it, and draw."""
        self._shown = View(facts, job)
        if self.is_stale(facts):
            self._seen = self.depends_on(facts)
            self.read()
        self.redraw()

    def on_store_failed(self, message: StoreFailed) -> None:
        """Note that reading failed, so that it can be repeated; the workspace says why."""
        self._unread = True

    def read_again(self) -> None:
        """Read again what could not be read: the user pressed the pane's own key while on it."""
        if self._unread and self._shown is not None:
            self._unread, self._seen = False, ()
            self.show(self._shown.facts, self._shown.job)

    def redraw(self) -> None:
        """Redraw the page if it has been shown anything. A hidden or unmounted pane draws nothing."""
        if self.is_mounted and self.display and (view := self.view) is not None:
            self.query_one(".lines", Page).show(self.draw(view), fill=view.height)
            self._tell_keys()

    def on_resize(self) -> None:
        """Redraw for the new size."""
        self.redraw()

    @property
    def _no_prompt(self) -> str:
        """What to say to whoever wants something that needs a prompt."""
        return f"The teacher needs a prompt first: {key_of('workspace.prompt')} shows where to write it."

    def _has_prompt(self) -> bool:
        """Whether there is a prompt; if there is none, the user is told what to do."""
        if self.facts is not None and self.facts.prompt is None:
            self.app.notify(self._no_prompt)
        return self.facts is not None and self.facts.prompt is not None

    def _tell_keys(self) -> None:
        """Announce a change of keys if other places are shown than before."""
        shown = (*(place for place, _ in self.binding_chain), self.unavailable)
        if shown != self._keys_shown:
            self._keys_shown = shown
            self.post_message(KeysChanged())
