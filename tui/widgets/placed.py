"""What a screen with keys of its own tells the app: where a key is looked for, and who carries the actions there.

A window that is too small for any page says so in its place.
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
    """Covers the whole screen with a word on its size."""

    DEFAULT_CSS = """
    TooSmall {
        display: none; layer: above; width: 100%; height: 100%; background: $background; content-align: center middle;
        text-align: center;
    }
    """


def over_bindings(only: str = "") -> list[BindingType]:
    """What holds everywhere, or `only` this of it, on a screen that lies over another: Textual looks no further.

    Keys that are letters stay away: what is typed there would be lost. A person's own keys are named apart, so that of
    them too only such hold that are none.
    """
    return [
        Binding(OVER[f"over.{action.id}"], f"app.{action.id}", action.label, show=False, id=f"over.{action.id}")
        for action in ACTIONS["everywhere"]
        if only in ("", action.id)
    ]


class LeftOnce(Screen[Result]):
    """A screen that can be left once. Keys that come faster than it goes would take what lies under it away as well."""

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """As every screen's, as long as it is the one that is on."""
        return super().dismiss(result) if self.is_active else AwaitComplete()


class PlacedScreen(LeftOnce[Result]):
    """A screen that is a place of the action table."""

    DEFAULT_CSS = """
    PlacedScreen { layers: default above; }
    PlacedScreen.-unseen { overflow: hidden; }
    """
    place: ClassVar[Place]

    # Textual calls these handlers beside those that a screen has of its own.
    def on_mount(self) -> None:
        """Lay the word over whatever the screen is made of."""
        self.mount(TooSmall())
        self._say_size()

    @property
    def is_unseen(self) -> bool:
        """Whether the window is too small for what is here."""
        columns, rows = self.app.size
        return columns < LEAST_COLUMNS or rows < LEAST_ROWS

    @property
    def is_seen(self) -> bool:
        """Whether no other screen hides the whole of it. Textual's (8.2.8) own `is_current` is true under any one."""
        stack = self.app.screen_stack
        return self in stack and all(isinstance(over, ModalScreen) for over in stack[stack.index(self) + 1 :])

    def on_resize(self) -> None:
        """Show the word as long as the window is too small."""
        self._say_size()

    def _say_size(self) -> None:
        columns, rows = self.app.size
        self.set_class(self.is_unseen, "-unseen")
        for word in self.query(TooSmall):
            word.display = self.is_unseen
            least = f"{LEAST_COLUMNS}x{LEAST_ROWS} is the least."
            said = f"This window is {columns}x{rows}.\n{least}\n{key_while_typing('everywhere.quit')} leaves."
            word.update(Content(said))

    def say_error(self, error: DistillError) -> None:
        """Say beside the page what went wrong, and what to do next."""
        words = clean_text(f"{error.message}\n{error.next}".strip())
        self.notify(words, title=clean_text(error.title), severity="error")

    @property
    def carriers(self) -> list[tuple[Place, DOMNode]]:
        """The places whose keys hold now, the nearest first, and who carries the actions there."""
        return [(self.place, self)]


class OverScreen(PlacedScreen[Result], ModalScreen[Result]):
    """A place that lies over another, which is still seen around it. What holds everywhere holds here too."""

    BINDINGS: ClassVar[list[BindingType]] = over_bindings()


@dataclass
class ShowProject(Message):
    """A person wants to see this project."""

    folder: Path


class ShowProjects(Message):
    """A person wants to see the list of projects."""


@dataclass
class ShowPane(Message):
    """A person wants to see this pane, or one asks for another."""

    pane: PaneName


@dataclass
class ArmsChosen(Message):
    """Two arms are compared in the chat from now on."""

    arms: tuple[str, str]


@dataclass
class Arranged(Message):
    """A person chose a pane, none in particular, or the shape of the page; it is to be so the next time."""

    folder: Path
    pane: str
    rail_width: int
    maximised: bool


@dataclass
class Reached(Message):
    """A pane that was gone to has read what it shows."""

    pane: PaneName
    action: str
