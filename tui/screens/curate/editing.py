"""Edits one answer in a field over the whole screen. Ends in the text to save, or in nothing.

Knows the question and the answer; nothing of how an answer is stored.
"""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from engine.clean import clean_line
from tui.actions import OVER, Place, bindings
from tui.forms.confirm import confirm
from tui.keys import footer_actions, key_of
from tui.panes.prompt.editor import DocumentArea
from tui.widgets.footer import Footer
from tui.widgets.lines import BAD, DIM, STRONG
from tui.widgets.placed import OverScreen

_NOTE = Content.styled("Saving accepts the answer.", DIM)
_UNCHANGED = "The answer stays unchanged."


class AnswerScreen(OverScreen[str | None]):
    """The field, under the question that the answer is for. Modal: a letter typed before it has focus does nothing."""

    place: ClassVar[Place] = "correcting"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("correcting"),
        Binding(OVER["over.quit"], "quit", "quit", show=False, id="over.quit"),
    ]
    DEFAULT_CSS = """
    AnswerScreen { background: $background; overflow: hidden; }
    AnswerScreen Vertical { width: 1fr; height: 1fr; padding: 0 1; }
    AnswerScreen #question { height: auto; max-height: 4; margin-bottom: 1; }
    AnswerScreen DocumentArea { height: 1fr; }
    AnswerScreen #note { height: auto; max-height: 2; }
    AnswerScreen Footer { border-top: solid $panel-lighten-1; height: 2; }
    """

    def __init__(self, question: str, answer: str, text: str) -> None:
        """`answer`: as stored; `text`: what the field starts with."""
        super().__init__()
        self._question, self._answer, self._text = question, answer, text

    def compose(self) -> ComposeResult:
        """Question, field, message line, footer."""
        with Vertical():
            yield Static(Content.styled(clean_line(self._question), STRONG), id="question")
            yield DocumentArea(self._text)
            yield Static(_NOTE, id="note")
        yield Footer(footer_actions(self.place))

    @property
    def area(self) -> DocumentArea:
        """The field."""
        return self.query_one(DocumentArea)

    def on_text_area_changed(self) -> None:
        """Take back what was said of the text before."""
        self.query_one("#note", Static).update(_NOTE)

    def action_save(self) -> None:
        """End in the text, unless it is empty."""
        if self.area.text.strip():
            self.dismiss(self.area.text)
        else:
            words = f"✗ An empty answer cannot be saved; in the review, {key_of('curate.reject')} rejects it."
            self.query_one("#note", Static).update(Content.styled(words, BAD))

    def action_leave(self) -> None:
        """Cancel; ask first if that loses what was typed."""
        if self.area.text == self._answer:
            self.dismiss(None)
        else:
            confirm(self.app, "Discard what you typed?", _UNCHANGED, "discard", self._discard)

    def action_quit(self) -> None:
        """Quit the app; ask first if that loses what was typed."""

        def leave() -> None:
            self.app.call_later(self.app.action_quit)

        if self.area.text == self._answer:
            leave()
        else:
            confirm(self.app, "Quit and discard what you typed?", _UNCHANGED, "quit", leave)

    def _discard(self) -> None:
        self.dismiss(None)

    def action_undo(self) -> None:
        """Undo the last change."""
        self.area.undo()

    def action_redo(self) -> None:
        """Redo what was undone last."""
        self.area.redo()
