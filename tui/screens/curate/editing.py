"""Edits one answer in a field over the whole screen. Ends in the text to save, or in nothing.

Knows the question and the answer; nothing of how an answer is stored.
"""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from engine.clean import clean_line
from tui.actions import Place, bindings
from tui.forms.confirm import confirm
from tui.keys import footer_actions, key_of
from tui.panes.prompt.editor import DocumentArea
from tui.widgets.footer import Footer
from tui.widgets.lines import BAD, DIM, STRONG
from tui.widgets.placed import PlacedScreen


class AnswerScreen(PlacedScreen[str | None]):
    """The field, under the question that the answer is for."""

    place: ClassVar[Place] = "correcting"
    BINDINGS: ClassVar[list[BindingType]] = bindings("correcting")
    DEFAULT_CSS = """
    AnswerScreen { background: $background; overflow: hidden; }
    AnswerScreen Vertical { width: 1fr; height: 1fr; padding: 0 1; }
    AnswerScreen #question { height: auto; max-height: 4; margin-bottom: 1; }
    AnswerScreen DocumentArea { height: 1fr; }
    AnswerScreen #note { height: 1; }
    AnswerScreen Footer { border-top: solid $panel-lighten-1; height: 2; }
    """

    def __init__(self, question: str, answer: str) -> None:
        super().__init__()
        self._question, self._answer = question, answer

    def compose(self) -> ComposeResult:
        """Question, field, message line, footer."""
        with Vertical():
            yield Static(Content.styled(clean_line(self._question), STRONG), id="question")
            yield DocumentArea(self._answer)
            yield Static(Content.styled("Saving accepts the answer.", DIM), id="note")
        yield Footer(footer_actions(self.place))

    @property
    def area(self) -> DocumentArea:
        """The field."""
        return self.query_one(DocumentArea)

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
            confirm(self.app, "Discard what you typed?", "The answer stays unchanged.", "discard", self._discard)

    def _discard(self) -> None:
        self.dismiss(None)

    def action_undo(self) -> None:
        """Undo the last change."""
        self.area.undo()

    def action_redo(self) -> None:
        """Redo what was undone last."""
        self.area.redo()
