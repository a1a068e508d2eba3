"""The widget under every pane: one scrolling page of lines that are drawn for its size.

A pane draws itself anew when it is shown a view and when its own state changes. It knows the store's service, and
nothing of the workspace around it: what it wants of it, it posts as a message.
"""

from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.dom import DOMNode

from tui.actions import PaneName, Place
from tui.panes.job import JobView
from tui.panes.view import View
from tui.services.facts import Facts
from tui.services.store import StoreFailed, StoreService
from tui.widgets.footer import KeysChanged
from tui.widgets.page import Page
from tui.widgets.scroller import Scroller
from tui.widgets.shares import Shares


class Pane(Scroller):
    """One face of the workspace. Subclasses say their `place`, draw their lines and carry its actions."""

    place: ClassVar[PaneName]
    DEFAULT_CSS = "Pane { width: 1fr; height: 1fr; padding: 1 0 0 2; }"
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, store: StoreService) -> None:
        super().__init__(id=f"pane-{self.place}")
        self.store = store
        self.shares = Shares()  # where dividers stand; the workspace's own, once it shows the pane
        self._shown: View | None = None  # what is known, without room
        self._seen: tuple[object, ...] = ()  # of the facts, when the pane read last what is its own
        self._unread = False  # the store failed since
        self._keys_told: tuple[object, ...] = ()  # which keys were told last

    def move_divider(self, steps: int) -> bool:
        """Move the pane's divider so many steps, 0 puts it back; False where the pane is not divided."""
        return False

    def open(self, number: int) -> None:
        """Show what has this number, in a pane that is about one of several."""
        raise NotImplementedError

    def draw(self, view: View) -> list[Content]:
        """The lines of the page for this view."""
        raise NotImplementedError

    @property
    def carriers(self) -> list[tuple[Place, DOMNode]]:
        """Where a key that is pressed now is looked for within the pane, the nearest place first."""
        return [(self.place, self)]

    @property
    def vain(self) -> frozenset[str]:
        """The actions, by place and id, that nothing on the page is there for now."""
        return frozenset()

    @property
    def view(self) -> View | None:
        """What is known, and the room that there is; None before anything was shown."""
        if self._shown is None or not self.size.width:  # one without room is drawn as soon as it has some
            return None
        width = self.line_width
        return View(self._shown.facts, self._shown.job, width, max(self.size.height - 1, 8))

    def show(self, facts: Facts, job: JobView | None) -> None:
        """Take in what is known now, and draw it."""
        self._shown = View(facts, job)
        self.redraw()

    def on_store_failed(self, message: StoreFailed) -> None:
        """The workspace says why; what could not be read can be asked for again."""
        self._unread = True

    def read_again(self) -> None:
        """Read what could not be read: a person who is here already pressed the pane's own key."""
        if self._unread and self._shown is not None:
            self._unread, self._seen = False, ()
            self.show(self._shown.facts, self._shown.job)

    def redraw(self) -> None:
        """Draw the page anew, where anything has been shown. One that is hidden, or is being left, draws nothing."""
        if self.is_mounted and self.display and (view := self.view) is not None:
            self.query_one(".lines", Page).show(self.draw(view), fill=view.height)
            self._tell_keys()

    def on_resize(self) -> None:
        """A page is drawn for its size."""
        self.redraw()

    def _tell_keys(self) -> None:
        """Where something else is shown than before, other keys may hold."""
        told = (*(place for place, _ in self.carriers), self.vain)
        if told != self._keys_told:
            self._keys_told = told
            self.post_message(KeysChanged())
