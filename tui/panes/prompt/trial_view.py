"""The teacher's answers to a few questions, as they arrive. Knows how to ask for them, and nothing of the store."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from engine.records.rule import Rule
from tui.actions import Place, bindings
from tui.panes.prompt.other_drawing import draw_trial
from tui.panes.prompt.side_view import SideView
from tui.panes.prompt.state import TrialState
from tui.services.store import StoreService
from tui.services.trial import TrialAnswered, TrialEnded, TrialNoted, TrialService
from tui.widgets.footer import KeysChanged


class TrialView(SideView):
    """The teacher's answers to a few questions, with their rule results."""

    place: ClassVar[Place] = "trial"
    BINDINGS: ClassVar[list[BindingType]] = bindings("trial")

    def __init__(self, store: StoreService, state: TrialState) -> None:
        super().__init__()
        self._service = TrialService(store.folder, store.home, self)
        self._state = state
        self._rules: tuple[Rule, ...] = ()
        self._version = 0  # of the current prompt

    def begin(self, questions: Sequence[str], count: int, teacher: str) -> None:
        """Ask these questions, or `count` stored ones."""
        number = self._service.start(questions, count)
        self._state.begin(number, len(questions) or count, teacher, self._version)
        self.post_message(KeysChanged())
        self.redraw()

    def show(self, rules: tuple[Rule, ...], version: int) -> None:
        """Draw with the current rules and version of the prompt."""
        self._rules, self._version = rules, version
        self.redraw()

    def lines(self, width: int) -> list[Content]:
        """The answers, and what the trial is doing."""
        return draw_trial(self._state, self._rules, self._version, width)

    def on_unmount(self) -> None:
        """Stop asking: nobody would see the answers."""
        self._service.stop()

    def on_trial_answered(self, message: TrialAnswered) -> None:
        """Take in an answer."""
        message.stop()
        self._state.answer(message.trial, message.answer)
        self.redraw()

    def on_trial_noted(self, message: TrialNoted) -> None:
        """Show what the next answer is waiting for."""
        message.stop()
        self._state.take_note(message.trial, message.note)
        self.redraw()

    def on_trial_ended(self, message: TrialEnded) -> None:
        """Show how the trial ended."""
        message.stop()
        self._state.end(message.trial, message.error)
        self.post_message(KeysChanged())
        self.redraw()

    def action_end(self) -> None:
        """Stop asking. The trial may have just ended by itself; the key must not stop a job here."""
        if not self._state.running:
            self.notify("No question is being asked.", timeout=3)
            return
        self._state.stopped = True
        self._service.stop()
