"""Two views that review the prompt for its author: rules proposed from it, and findings about it.

Neither decides anything: a rule is stored only when the user adds it, and findings are fixed in the text.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from engine.errors import DistillError
from engine.records.rule import Rule
from tui.actions import Place, bindings
from tui.keys import key_of
from tui.panes.prompt.advice_drawing import draw_findings, draw_proposals
from tui.panes.prompt.side_view import SideView
from tui.panes.prompt.state import FindingsState, ProposalsState
from tui.services.program import Program, Result
from tui.services.prompt import propose, read_findings
from tui.services.store import StoreFailed, StoreService
from tui.widgets.listing import Listing

if TYPE_CHECKING:
    from engine.records.proposal import Proposal


@dataclass
class TakeRules(Message):
    """The user wants these rules stored."""

    rules: tuple[Rule, ...]


class UndoRules(Message):
    """The user wants the last change to the rules undone."""


class ProposalsView(SideView):
    """Rules that the prompt's own sentences ask for; a key adds the one under the cursor."""

    place: ClassVar[Place] = "proposals"
    left_for: ClassVar[str] = "rules"
    BINDINGS: ClassVar[list[BindingType]] = bindings("proposals")

    def __init__(self, store: StoreService, state: ProposalsState) -> None:
        super().__init__()
        self._store = store
        self._state = state
        self._rules: tuple[Rule, ...] | None = None

    @property
    def choices(self) -> Listing | None:
        """The proposals."""
        return Listing(self._state.cursor, self._move, lambda: [each.text for each in self._state.proposals or ()])

    def show(self, rules: tuple[Rule, ...]) -> None:
        """Read the prompt again if the rules changed: proposals that are rules already say so."""
        if rules != self._rules:
            self._rules = rules
            self._store.ask(propose, self._take, self)
        self.redraw()

    def read_again(self) -> None:
        """Read the prompt again if it could not be read."""
        if self._state.failure is not None:
            self._state.failure = None
            self._store.ask(propose, self._take, self)
            self.redraw()

    def lines(self, width: int) -> list[Content]:
        """The proposals."""
        return draw_proposals(self._state, width)

    def on_store_failed(self, message: StoreFailed) -> None:
        """Show why the prompt could not be read."""
        self._state.failure = message.error
        self.redraw()

    def action_accept(self) -> None:
        """Store the rule under the cursor, and go to the next one that can be added."""
        proposal = self._state.proposal
        if proposal is None:
            return
        if self._add(proposal):
            self._state.go_on()
            self.redraw()

    def action_accept_all(self) -> None:
        """Store every proposed rule that has a check and is not a rule yet."""
        from engine.prompts.proposals import rules_of

        if rules := rules_of([each for each in self._state.open if each.check is not None]):
            self.post_message(TakeRules(rules))
        elif self._state.open:
            way = f"{key_of('proposals.accept')} adds one as a rubric for a judge"
            self.app.notify(f"No proposal with a check is left to add; {way}.")
        else:
            self.app.notify("No rule is left to add.")

    def action_undo(self) -> None:
        """Undo the last change to the rules."""
        self.post_message(UndoRules())

    def _take(self, proposals: "tuple[Proposal, ...]") -> None:
        self._state.take(proposals)
        self.redraw()

    def _add(self, proposal: "Proposal") -> bool:
        from engine.prompts.proposals import rules_of

        if proposal.rule:
            self.app.notify(f"Rule {proposal.rule} already covers this.")
            return False
        self.post_message(TakeRules(rules_of([proposal])))
        return True

    def _move(self, steps: int) -> None:
        self._state.move(steps)
        self.redraw()


class FindingsView(SideView):
    """What is vague, contradictory, untestable or repeated in the prompt, and what does not pay."""

    place: ClassVar[Place] = "findings"
    BINDINGS: ClassVar[list[BindingType]] = bindings("findings")

    def __init__(self, store: StoreService, state: FindingsState) -> None:
        super().__init__()
        # Tokens are counted in a separate process: the tokenizer, once loaded here, would stay in memory.
        self._program = Program(store.folder, store.home, self)
        self._state = state

    def read(self) -> None:
        """Check the prompt as stored now."""
        self._state.begin()
        self._program.start("check", ["prompt", "check"], self._take)
        self.redraw()

    def lines(self, width: int) -> list[Content]:
        """The findings."""
        return draw_findings(self._state, width)

    def action_again(self) -> None:
        """Check again."""
        self.read()

    def _take(self, result: Result) -> None:
        self._state.findings, self._state.error = (
            (None, result) if isinstance(result, DistillError) else (read_findings(result), None)
        )
        self.redraw()
