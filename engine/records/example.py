"""Examples: a question with a teacher's answer, and the decisions about it. Knows nothing of models."""

from dataclasses import dataclass
from typing import Literal

from engine.records.rule import CheckResult

FinishReason = Literal["stop", "length", "content_filter", "error"]
TeacherKind = Literal["local", "endpoint"]
Verdict = Literal["accept", "reject", "edit", "flag", "unflag"]
DecisionSource = Literal["person", "rules"]
ExampleState = Literal["undecided", "accepted", "rejected"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and cost of one answer. `counted_here`: the server sent no counts, so they were counted locally."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0  # prompt tokens read from the provider's cache
    written_tokens: int = 0  # prompt tokens written to the provider's cache
    cost_usd: float = 0.0
    counted_here: bool = False


@dataclass(frozen=True, slots=True)
class ExampleKey:
    """Identifies one stored answer, so that nothing is paid for twice."""

    prompt_sha256: str
    question_id: int
    teacher: str  # model name, plus the URL for an endpoint
    attempt: int  # index of the sample for this question, from 0


@dataclass(frozen=True, slots=True)
class Example:
    """A teacher's answer. `token_ids` are the generated ids, including the stop token, if the teacher is local."""

    key: ExampleKey
    answer: str
    finish_reason: FinishReason
    teacher_kind: TeacherKind
    token_ids: tuple[int, ...] | None = None
    usage: Usage = Usage()
    temperature: float = 0.0
    seconds: float = 0.0
    checks: tuple[CheckResult, ...] = ()
    created_at: str = ""
    id: int = 0  # 0 until stored
    carried_from: int = 0  # id of the example, under an older prompt, that this answer was copied from; 0: not copied

    @property
    def ending(self) -> str:
        """What the answer ended by, in words."""
        return self.finish_reason.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Decision:
    """One journal entry: what was decided about an example, and by whom. Bulk decisions share a `step`."""

    example_id: int
    verdict: Verdict
    source: DecisionSource
    edited_answer: str | None = None
    reason: str = ""
    step: int = 0  # 0 until stored; undo and redo move whole steps
    created_at: str = ""


@dataclass(frozen=True, slots=True)
class CuratedExample:
    """An example with its current decision (`None`: undecided) and its flag, if a person set one."""

    example: Example
    decision: Decision | None
    flag: Decision | None = None  # independent of the decision; its reason is the person's note

    @property
    def accepted(self) -> bool:
        return self.decision is not None and self.decision.verdict in ("accept", "edit")

    @property
    def edited(self) -> bool:
        """Whether a person has written its answer; one that was cut off counts as completed even if it is the same."""
        return self.decision is not None and self.decision.edited_answer is not None

    @property
    def whole(self) -> bool:
        """Whether its answer ended on its own, or a person completed it."""
        return self.example.finish_reason == "stop" or self.edited

    @property
    def by_person(self) -> bool:
        """Whether the current decision was made by a person."""
        return self.decision is not None and self.decision.source == "person"

    @property
    def state(self) -> ExampleState:
        """Whether it is undecided, accepted or rejected."""
        if self.decision is None:
            return "undecided"
        return "accepted" if self.accepted else "rejected"

    @property
    def answer(self) -> str:
        """The answer that would be trained on: the edited one, if a person edited it."""
        if self.decision is not None and self.decision.edited_answer is not None:
            return self.decision.edited_answer
        return self.example.answer


@dataclass(frozen=True, slots=True)
class ExampleCounts:
    """Numbers of examples, by decision."""

    total: int = 0
    accepted: int = 0
    rejected: int = 0
    undecided: int = 0
    flagged: int = 0

    @property
    def words(self) -> str:
        """The counts by decision, as text."""
        return f"{self.accepted} accepted, {self.rejected} rejected, {self.undecided} undecided"
