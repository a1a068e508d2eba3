"""A line in which words are typed, such as those that are looked for. Knows nothing of what they are for."""

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
    """A field of one line, which takes all that is pasted: of Textual's own (8.2.8), only the first line comes.

    Its size is its place's: what is typed lays nothing out, as Textual's own does with the whole screen.
    """

    virtual_size = Reactive(Size(0, 0))

    async def _on_key(self, event: Key) -> None:
        await do_in_order(self, event)

    def _on_paste(self, event: Paste) -> None:
        event.text = " ".join(event.text.splitlines())  # the field takes it in after this


class Line(Entry):
    """A place of the action table; ends in `Input.Submitted` or in `Left`."""

    place: ClassVar[Place] = "words"
    BINDINGS: ClassVar[list[BindingType]] = bindings("words")

    class Left(Message):
        """A person wants to leave the words."""

    def __init__(self, placeholder: str = "", *, id: str | None = None) -> None:
        super().__init__(placeholder=placeholder, id=id, compact=True, highlighter=Veil())

    async def action_take(self) -> None:
        """Go on with the words."""
        await self.action_submit()

    def action_leave(self) -> None:
        """Leave them."""
        self.post_message(self.Left())
