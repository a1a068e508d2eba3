"""Screens with their own keys: where a key is looked up, and which node carries the actions there.

In a window that is too small for any page, a message replaces the page.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.dom import DOMNode
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from engine.clean import clean_text
from engine.errors import DistillError
from tui.actions import ACTIONS, OVER, PaneName, Place
from tui.keys import key_while_typing

Result = TypeVar("Result")


LEAST_COLUMNS, LEAST_ROWS = 60, 20


class TooSmall(Static):
    """Covers the whole screen with a message about its size."""

    DEFAULT_CSS = """
    TooSmall {
        display: none; layer: above; width: 100%; height: 100%; background: $background; content-align: center middle;
        text-align: center;
    }
    """


def over_bindings(only: str = "") -> list[BindingType]:
    """Return the bindings that hold everywhere, or `only` this one, for a modal screen: Textual looks no further there.

    Keys that are letters are left out, because they may be typed there. The bindings have their own names, so that
    letters can be left out of the user's own keys too.
    """
    return [
        Binding(OVER[f"over.{action.id}"], f"app.{action.id}", action.label, show=False, id=f"over.{action.id}")
        for action in ACTIONS["everywhere"]
        if only in ("", action.id)
    ]


class LeftOnce(Screen[Result]):
    """A screen that can be dismissed only once: keys that arrive while it closes would also dismiss the one below."""

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Dismiss the screen, if it is the active one."""
        return super().dismiss(result) if self.is_active else AwaitComplete()


class PlacedScreen(LeftOnce[Result]):
    """A screen that is a place of the action table."""

    DEFAULT_CSS = """
    PlacedScreen { layers: default above; }
    PlacedScreen.-unseen { overflow: hidden; }
    """
    place: ClassVar[Place]

    # Textual calls these handlers in addition to those of a subclass.
    def on_mount(self) -> None:
        """Mount the message about the size over the screen's own widgets."""
        self.mount(TooSmall())
        self._say_size()

    @property
    def is_unseen(self) -> bool:
        """Whether the window is too small for this screen."""
        columns, rows = self.app.size
        return columns < LEAST_COLUMNS or rows < LEAST_ROWS

    @property
    def is_seen(self) -> bool:
        """Whether no other screen hides all of it. Textual's (8.2.8) own `is_current` is true under any screen."""
        stack = self.app.screen_stack
        return self in stack and all(isinstance(over, ModalScreen) for over in stack[stack.index(self) + 1 :])

    def on_resize(self) -> None:
        """Show the message while the window is too small."""
        self._say_size()

    def _say_size(self) -> None:
        columns, rows = self.app.size
        self.set_class(self.is_unseen, "-unseen")
        for word in self.query(TooSmall):
            word.display = self.is_unseen
            least = f"It must be at least {LEAST_COLUMNS}x{LEAST_ROWS}."
            text = f"This window is {columns}x{rows}.\n{least}\n{key_while_typing('everywhere.quit')} quits."
            word.update(Content(text))

    def say_error(self, error: DistillError) -> None:
        """Show in a toast what went wrong, and what to do next."""
        words = clean_text(f"{error.message}\n{error.next}".strip())
        self.notify(words, title=clean_text(error.title), severity="error")

    @property
    def binding_chain(self) -> list[tuple[Place, DOMNode]]:
        """The places whose keys hold now, nearest first, and the nodes that carry the actions there."""
        return [(self.place, self)]


class OverScreen(PlacedScreen[Result], ModalScreen[Result]):
    """A modal screen over another, which stays visible around it. What holds everywhere holds here too."""

    BINDINGS: ClassVar[list[BindingType]] = over_bindings()


@dataclass
class ShowProject(Message):
    """The user wants to see this project."""

    folder: Path


class ShowProjects(Message):
    """The user wants to see the list of projects."""


@dataclass
class ShowPane(Message):
    """The user, or another pane, wants this pane to be shown."""

    pane: PaneName


@dataclass
class Freezing(Message):
    """A dataset is being frozen, or no longer is."""

    now: bool


@dataclass
class ArmsChosen(Message):
    """The chat compares these two arms from now on."""

    arms: tuple[str, str]


@dataclass
class Arranged(Message):
    """The user changed the shown pane or the layout, to be restored the next time. An empty `pane`: no choice."""

    folder: Path
    pane: str
    rail_width: int
    maximised: bool
