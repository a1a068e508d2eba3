"""What a screen with keys of its own tells the app: where a key is looked for, and who carries the actions there."""

from pathlib import Path
from typing import ClassVar, TypeVar

from textual.dom import DOMNode
from textual.message import Message
from textual.screen import Screen

from tui.actions import Place

Result = TypeVar("Result")


class PlacedScreen(Screen[Result]):
    """A screen that is a place of the action table."""

    place: ClassVar[Place]

    @property
    def carriers(self) -> list[tuple[Place, DOMNode]]:
        """The places whose keys hold now, the nearest first, and who carries the actions there."""
        return [(self.place, self)]


class ShowProject(Message):
    """A person wants to see this project."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder


class ShowProjects(Message):
    """A person wants to see the list of projects."""
