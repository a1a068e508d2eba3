"""What the prompt pane knows besides the facts: where the user is, the draft, versions, and trial answers.

Pure Python, free of Textual and of I/O. Text here is raw.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from engine.economics.tokens import TokenCount
from engine.errors import DistillError
from engine.records.prompt import Prompt
from engine.records.rule import CheckResult, Rule
from tui.services.prompt import Passage, VersionRow
from tui.services.rules import RuleChanges
from tui.widgets.rows import within

if TYPE_CHECKING:  # showing a project at first compares and tries nothing
    from engine.prompts.compare import ComparedLine
    from engine.records.finding import Finding
    from engine.records.proposal import Proposal
    from tui.services.trial import TriedAnswer

Mode = Literal["reading", "editing", "versions", "trial", "testing", "proposals", "findings"]


@dataclass(slots=True)
class RulesState:
    """The cursor over the rules, and the changes made while the pane was open."""

    cursor: int = 0
    path: str = ""  # of the file imported last
    changes: RuleChanges = field(default_factory=list)
    _wanted: tuple[Rule, Prompt] | None = None  # whose passages were requested last
    _found: tuple[Passage, ...] | None = None

    def rule(self, rules: Sequence[Rule]) -> Rule | None:
        """Return the rule under the cursor; the last one if the list became shorter."""
        if not rules:
            return None
        self.cursor = max(0, min(self.cursor, len(rules) - 1))
        return rules[self.cursor]

    def wants(self, rules: Sequence[Rule], prompt: Prompt | None) -> tuple[Rule, Prompt] | None:
        """Return the rule and prompt whose passages are to be read; None if known or already requested."""
        rule = self.rule(rules)
        if rule is None or prompt is None or self._wanted == (rule, prompt):
            return None
        self._wanted, self._found = (rule, prompt), None
        return self._wanted

    def take(self, rule: Rule, prompt: Prompt, passages: tuple[Passage, ...]) -> bool:
        """Take in passages, if they are the ones requested last."""
        if self._wanted != (rule, prompt):
            return False
        self._found = passages
        return True

    @property
    def passages(self) -> tuple[Passage, ...] | None:
        """Return where the rule under the cursor comes from; None while that is being read."""
        return self._found


@dataclass(slots=True)
class DraftState:
    """What is typed and not saved. `dropped` is the draft discarded last, so that it can be restored."""

    begun: int = 0  # the version that the draft started from
    opened: str | None = None  # what was stored when editing started; None: unknown, in another session
    text: str | None = None
    dropped: str | None = None

    def begin(self, version: int, stored: str) -> None:
        """Start editing what is stored, unless there is a draft, which has its own version."""
        if self.text is None:
            self.begun, self.opened = version, stored

    def keep(self, text: str, stored: str) -> None:
        """Keep what was typed, if it differs from what is stored and from what it started from."""
        same = [known.strip() for known in (stored, self.opened) if known is not None]
        self.text = None if text.strip() in same else text

    def drop(self) -> bool | None:
        """Discard the draft (True), or restore the discarded one (False); None if there is neither."""
        if self.text is not None:
            self.text, self.dropped = None, self.text
            return True
        if self.dropped is not None:
            self.text, self.dropped = self.dropped, None
            return False
        return None


@dataclass(slots=True)
class VersionsState:
    """The list of versions, and what changed since the one under the cursor."""

    rows: tuple[VersionRow, ...] | None = None  # None: not read yet
    counts: dict[int, TokenCount] = field(default_factory=dict)  # by version; as the student counts them
    failure: DistillError | None = None  # why they could not be read
    cursor: int = 0
    whole: bool = False
    lines: "tuple[ComparedLine, ...] | None" = None

    @property
    def row(self) -> VersionRow | None:
        """The version under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def take(self, rows: tuple[VersionRow, ...]) -> None:
        """Take in the list. The cursor starts at the newest version that is not current, which shows a change."""
        first = self.rows is None
        self.rows, self.lines, self.failure = rows, None, None
        other = next((place for place, row in enumerate(rows) if not row.current), 0)
        self.cursor = other if first else within(self.cursor, len(rows))

    def move(self, steps: int) -> bool:
        """Move the cursor within the list. Return whether it moved."""
        before = self.cursor
        self.cursor = within(self.cursor + steps, len(self.rows or ()))
        if self.cursor != before:
            self.lines = None
        return self.cursor != before

    def take_difference(self, version: int, whole: bool, lines: "tuple[ComparedLine, ...]") -> bool:
        """Take in a comparison, if it is the one requested last."""
        wanted = self.row is not None and (self.row.version, self.whole) == (version, whole)
        if wanted:
            self.lines = lines
        return wanted


@dataclass(slots=True)
class TrialState:
    """The questions being tried, and their answers."""

    number: int = 0
    asked: int = 0
    teacher: str = ""
    version: int = 0  # of the prompt that is tried
    note: str = ""  # what the next answer is waiting for
    answers: "list[TriedAnswer]" = field(default_factory=list)
    running: bool = False
    stopped: bool = False
    error: DistillError | None = None

    def begin(self, number: int, asked: int, teacher: str, version: int) -> None:
        """Start a trial."""
        self.number, self.asked, self.teacher, self.version, self.note = number, asked, teacher, version, ""
        self.answers, self.running, self.stopped, self.error = [], True, False, None

    def answer(self, number: int, answer: "TriedAnswer") -> None:
        """Take in an answer; one from an earlier trial is dropped."""
        if number == self.number:
            self.answers.append(answer)
            self.note = ""

    def take_note(self, number: int, note: str) -> None:
        """Take in what the next answer is waiting for."""
        if number == self.number:
            self.note = note

    def end(self, number: int, error: DistillError | None) -> None:
        """End the trial."""
        if number == self.number:
            self.running, self.error = False, error


@dataclass(slots=True)
class OwnAnswerState:
    """An answer of the user's own, with its rule results."""

    text: str = ""
    rules: tuple[Rule, ...] = ()
    results: tuple[CheckResult, ...] | None = None
    failure: DistillError | None = None  # why it could not be checked


@dataclass(slots=True)
class ProposalsState:
    """Rules that the prompt asks for, and the one under the cursor."""

    proposals: "tuple[Proposal, ...] | None" = None  # None: not read yet
    failure: DistillError | None = None  # why they could not be read
    cursor: int = 0

    @property
    def proposal(self) -> "Proposal | None":
        """Return the proposal under the cursor."""
        return self.proposals[self.cursor] if self.proposals else None

    @property
    def open(self) -> "tuple[Proposal, ...]":
        """Return the proposals that can be added: no rule says the same."""
        return tuple(each for each in self.proposals or () if not each.rule)

    def take(self, proposals: "tuple[Proposal, ...]") -> None:
        """Take in the proposals."""
        self.proposals, self.failure = proposals, None
        self.move(0)

    def move(self, steps: int) -> None:
        """Move the cursor within the list."""
        self.cursor = within(self.cursor + steps, len(self.proposals or ()))

    def go_on(self) -> None:
        """Go to the next proposal that can be added; stay if none follows."""
        later = (self.proposals or ())[self.cursor + 1 :]
        steps = next((step for step, each in enumerate(later, 1) if not each.rule), 0)
        self.move(steps)


@dataclass(slots=True)
class FindingsState:
    """The findings about the prompt."""

    findings: "tuple[Finding, ...] | None" = None  # None: the check is running
    error: DistillError | None = None

    def begin(self) -> None:
        """Start a check."""
        self.findings, self.error = None, None


@dataclass(slots=True)
class PromptState:
    """The pane's whole state."""

    mode: Mode = "reading"
    path: str = ""  # of the file imported last
    rules: RulesState = field(default_factory=RulesState)
    draft: DraftState = field(default_factory=DraftState)
    versions: VersionsState = field(default_factory=VersionsState)
    trial: TrialState = field(default_factory=TrialState)
    own_answer: OwnAnswerState = field(default_factory=OwnAnswerState)
    proposals: ProposalsState = field(default_factory=ProposalsState)
    findings: FindingsState = field(default_factory=FindingsState)
