"""The editor of the prompt as one Markdown document, with highlighting, undo, and a message line below.

Control characters are shown as placeholders, one each, and stay in the text unchanged. Knows what a prompt is, and
nothing of the store: it posts what is to be saved.
"""

from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import Key
from textual.message import Message
from textual.timer import Timer
from textual.widgets import TextArea
from textual.widgets.text_area import Edit, EditResult, Selection

from engine.clean import mask_controls
from engine.economics.tokens import estimate_prompt_tokens
from engine.errors import UsageError
from engine.prompts.documents import parse_prompt
from engine.records.prompt import Message as ChatMessage
from engine.records.prompt import Prompt
from tui.actions import Place, bindings
from tui.panes.prompt.drawing import draw_editing, draw_words
from tui.panes.prompt.marking import code_lines, marks_of
from tui.widgets.order import do_in_order
from tui.widgets.page import Page

FIGURES_AFTER_S = 0.25
PLACEHOLDER = (
    "Type or paste the system message here.\n\nExample turns follow, each part under its own heading:\n"
    "## User\na question\n## Assistant\nthe answer as it should be"
)


class DocumentArea(TextArea):
    """A text field that highlights Markdown."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "document-area--turn", "document-area--heading", "document-area--list", "document-area--quote",
        "document-area--code", "document-area--strong",
    }  # fmt: skip
    DEFAULT_CSS = """
    DocumentArea { background: $background; padding: 0; border: none; scrollbar-size-vertical: 1; }
    DocumentArea:focus { border: none; }
    DocumentArea .text-area--cursor-line { background: $surface; }
    DocumentArea .document-area--turn { color: $text-accent; text-style: bold; }
    DocumentArea .document-area--heading { text-style: bold; }
    DocumentArea .document-area--list { color: $text-accent; }
    DocumentArea .document-area--quote { color: $foreground 58%; }
    DocumentArea .document-area--code { color: $text-accent; }
    DocumentArea .document-area--strong { text-style: bold; }
    """

    def __init__(self, text: str = "", *, placeholder: str = "") -> None:
        super().__init__(text, compact=True, placeholder=Content(placeholder))
        self._code: list[bool] | None = None

    async def _on_key(self, event: Key) -> None:
        await do_in_order(self, event)

    def get_line(self, line_index: int) -> Text:
        """Return one line with its highlighting."""
        if self._code is None:
            self._code = code_lines(self.document.lines)
        raw = self.document.get_line(line_index)
        line = Text(mask_controls(raw), end="", no_wrap=True)
        for mark in marks_of(raw, code=self._code[line_index]):
            style = self.get_component_rich_style(f"document-area--{mark.kind}", partial=True)
            line.stylize(style, mark.start, mark.end)
        return line

    def edit(self, edit: Edit) -> EditResult:
        """Apply an edit, which may open or close a code block anywhere."""
        self._code = None
        return super().edit(edit)

    def undo(self) -> None:
        """Undo, as in `edit`. If nothing is left to undo, the cursor stays."""
        if self.history.undo_stack:
            self._let_go()
            super().undo()

    def redo(self) -> None:
        """Redo, as in `undo`."""
        if self.history.redo_stack:
            self._let_go()
            super().redo()

    def _let_go(self) -> None:
        # Textual looks up the cursor when the text is already shorter, before it restores the cursor.
        self.set_reactive(TextArea.selection, Selection())
        self._code = None


class Editor(Vertical):
    """The field, with its figures above and why it cannot be saved below."""

    place: ClassVar[Place] = "editing"
    SCOPED_CSS = False  # the rule for narrow screens starts at the screen
    DEFAULT_CSS = """
    Editor { width: 1fr; height: 1fr; padding: 1 1 0 2; }
    Editor DocumentArea { height: 1fr; }
    Screen.-narrow Editor { padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings("editing")

    @dataclass
    class Save(Message):
        """The user wants to save the text of the field, which is this prompt."""

        prompt: Prompt

    class Typed(Message):
        """The user has typed, and paused."""

    class Leave(Message):
        """The user wants to leave the field."""

    def __init__(self, text: str, stored: str, notice: str = "") -> None:
        super().__init__(id="prompt-editing")
        self.area = DocumentArea(text, placeholder=PLACEHOLDER)
        self._stored, self._notice = stored, notice
        self._refused: tuple[str, str] | None = None  # a text that cannot be saved, and why
        self._waiting: Timer | None = None

    def compose(self) -> ComposeResult:
        """Yield the figures, the field, and the message line."""
        yield Page(classes="title")
        yield self.area
        yield Page(classes="words")

    def begin(self, text: str, stored: str, notice: str = "") -> None:
        """Show another text, as one undoable change."""
        self._stored, self._notice = stored, notice
        if self.area.text != text:
            self.area.replace(text, (0, 0), self.area.document.end)
            self.area.move_cursor((0, 0))
        self._tell()

    def on_text_area_changed(self) -> None:
        """Update the figures when typing pauses: on every key it would be too slow in a long text."""
        if self._waiting is not None:
            self._waiting.stop()
        self._waiting = self.set_timer(FIGURES_AFTER_S, self._paused)

    def on_resize(self) -> None:
        """Draw the messages at the new width."""
        self._tell()

    def action_save(self) -> None:
        """Save the text if it is a valid prompt; else show why it is not."""
        text = self.area.text
        try:
            prompt = parse_prompt(text)
        except UsageError as error:
            self._refused = (text, f"{error.message} {error.next}")
            self._tell()
        else:
            self.post_message(self.Save(prompt))

    def action_leave(self) -> None:
        """Leave the field."""
        self.post_message(self.Leave())

    def action_undo(self) -> None:
        """Undo the last change."""
        self.area.undo()

    def action_redo(self) -> None:
        """Redo what was undone last."""
        self.area.redo()

    def _paused(self) -> None:
        self._waiting = None
        self.post_message(self.Typed())
        self._tell()

    def _tell(self) -> None:
        text = self.area.text
        try:
            prompt = parse_prompt(text)
        except UsageError:
            prompt = Prompt((ChatMessage("system", text),))  # an incomplete turn has tokens too
        width = max(self.content_size.width - 1, 20)
        refused = self._refused[1] if self._refused is not None and text == self._refused[0] else ""
        changed = text.strip() != self._stored.strip()
        self.query_one(".title", Page).show(
            draw_editing(estimate_prompt_tokens(prompt).tokens, len(prompt.example_turns) // 2, width, changed=changed)
        )
        self.query_one(".words", Page).show(draw_words(self._notice, refused, width))


def can_hold(text: str) -> bool:
    """Whether the field returns a text unchanged: it treats some rare separators as line breaks."""
    return "\n".join(text.splitlines()) == text.removesuffix("\n")
