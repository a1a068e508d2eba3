"""Draws the chat without holding up the screen: a long one is laid out on a thread, while what is shown stays."""

from asyncio import to_thread

from textual.content import Content
from textual.worker import Worker

from engine.evaluation.preference import Standing
from tui.panes.chat.drawing import draw, draw_waiting, room_to_grow
from tui.panes.chat.state import ChatState, Turn
from tui.panes.chat.turns import LaidOut, turn_lines
from tui.panes.pane import Pane
from tui.panes.view import View

_AT_ONCE = 6_000  # characters of answers that are laid out without the screen standing still


class ChatDrawing:
    """Draws the chat of one pane, and redraws the pane once everything is laid out."""

    def __init__(self, pane: Pane, state: ChatState) -> None:
        self._pane = pane
        self._state = state
        self._laid_out = LaidOut()
        self._work: Worker[None] | None = None
        self._first: Turn | None = None  # of the lines drawn last
        self._lines: list[Content] = []

    def draw(self, view: View, standing: Standing) -> list[Content]:
        """The chat; while it grows, with room for more lines."""
        state, rules, width = self._state, view.facts.rules, view.width
        missing = self._laid_out.missing(state.turns, rules, width)
        if sum(turn.characters for turn in missing) > _AT_ONCE:
            if self._work is None or self._work.is_finished:
                self._work = self._pane.run_worker(self._lay_out())
            return self._lines if self._first is state.turns[0] else draw_waiting(state, standing, width)
        lines = draw(state, standing, rules, width, self._laid_out)
        self._first = state.turns[0] if state.turns else None
        self._lines = [*lines, *[Content("")] * room_to_grow(len(lines), view.height)] if state.streaming else lines
        return self._lines

    async def _lay_out(self) -> None:
        """Lay out the finished turns one by one on a thread."""
        while (view := self._pane.view) is not None:
            rules, width = view.facts.rules, view.width
            if not (missing := self._laid_out.missing(self._state.turns, rules, width)):
                break
            for turn in missing:
                lines = await to_thread(turn_lines, turn, rules, width)
                if not self._laid_out.take(turn, lines, rules, width):  # the window has another width by now
                    break
        self._pane.redraw()
