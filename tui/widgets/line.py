"""A one-line text field, such as a search field. Knows nothing of what the text is for."""

from typing import ClassVar

from textual.binding import BindingType
from textual.events import Key, Paste
from textual.geometry import Size
from textual.message import Message
from textual.reactive import Reactive
from textual.widgets import Input

from tui.actions import Place, bindings
from tui.widgets.guard import Veil
from tui.widgets.order import do_in_order


class Entry(Input):
    """A one-line field that takes all of a paste: Textual's own (8.2.8) takes only the first line.

    Its size does not depend on its text: in Textual's own, typing lays out the whole screen again.
    """

    virtual_size = Reactive(Size(0, 0))

    async def _on_key(self, event: Key) -> None:
        await do_in_order(self, event)

    def _on_paste(self, event: Paste) -> None:
        event.text = " ".join(event.text.splitlines())  # the field inserts it after this


class Line(Entry):
    """A field that is a place of the action table; ends in `Input.Submitted` or in `Left`."""

    place: ClassVar[Place] = "words"
    BINDINGS: ClassVar[list[BindingType]] = bindings("words")

    class Left(Message):
        """The user wants to leave the field."""

    def __init__(self, placeholder: str = "", *, id: str | None = None) -> None:
        super().__init__(placeholder=placeholder, id=id, compact=True, highlighter=Veil())

    async def action_take(self) -> None:
        """Submit the text."""
        await self.action_submit()

    def action_leave(self) -> None:
        """Leave the field."""
        self.post_message(self.Left())
