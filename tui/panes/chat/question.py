"""The question field: enter sends, ctrl+j or alt+enter starts a new line. Knows nothing of arms."""

from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.content import Content
from textual.events import Key
from textual.message import Message
from textual.widgets import TextArea

from engine.clean import mask_controls
from tui.actions import Place, bindings
from tui.widgets.order import do_in_order


class QuestionField(TextArea):
    """A text field that grows with what is typed, up to a few lines."""

    place: ClassVar[Place] = "asking"
    DEFAULT_CSS = """
    QuestionField { height: auto; max-height: 6; border: none; padding: 0 1; background: $surface; }
    QuestionField:focus { border: none; background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings("asking")

    @dataclass
    class Sent(Message):
        """The user sent a question."""

        text: str

    class Left(Message):
        """The user left the field."""

    @dataclass
    class Scrolled(Message):
        """The user scrolled the chat by pages; 0 means follow its end again."""

        pages: int

    def __init__(self) -> None:
        super().__init__(id="question", compact=True, placeholder=Content("ask both arms …"), show_line_numbers=False)

    async def _on_key(self, event: Key) -> None:
        await do_in_order(self, event)

    def get_line(self, line_index: int) -> Text:
        """One line, with a visible sign for each control code in pasted text."""
        return Text(mask_controls(self.document.get_line(line_index)), end="", no_wrap=True)

    def action_send(self) -> None:
        """Send what was typed, unless it is empty."""
        if text := self.text.strip():
            self.clear()
            self.post_message(self.Sent(text))

    def action_newline(self) -> None:
        """Insert a new line."""
        self.insert("\n")

    def action_leave(self) -> None:
        """Go back to the chat; what was typed stays."""
        self.post_message(self.Left())

    def action_scroll_up(self) -> None:
        """Scroll the chat up."""
        self.post_message(self.Scrolled(-1))

    def action_scroll_down(self) -> None:
        """Scroll the chat down."""
        self.post_message(self.Scrolled(1))

    def action_end(self) -> None:
        """Go to the end of the line; if already there, follow the answers again."""
        if self.selection.is_empty and self.cursor_location == self.get_cursor_line_end_location():
            self.action_follow()
        else:
            self.action_cursor_line_end()

    def action_follow(self) -> None:
        """Follow the answers again."""
        self.post_message(self.Scrolled(0))
