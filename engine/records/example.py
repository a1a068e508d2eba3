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
    """Tokens and money of one answer. `counted_here` marks counts that the server did not send."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0  # of the prompt tokens, read from the provider's cache
    written_tokens: int = 0  # of the prompt tokens, written to the provider's cache
    cost_usd: float = 0.0
    counted_here: bool = False


@dataclass(frozen=True, slots=True)
class ExampleKey:
    """One key, one stored completion: nothing is paid for twice."""

    prompt_sha256: str
    question_id: int
    teacher: str  # the model's name, with its address for an endpoint
    attempt: int  # from 0; the n-th sample of this question


@dataclass(frozen=True, slots=True)
class Example:
    """A teacher's answer. `token_ids` are the produced ids, stop token included, where the teacher is local."""

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
    carried_from: int = 0  # the example of an older prompt that this answer was given as; 0: it was given to this one


@dataclass(frozen=True, slots=True)
class Decision:
    """One entry of the journal: what was decided about an example, by whom. Bulk decisions share a `step`."""

    example_id: int
    verdict: Verdict
    source: DecisionSource
    edited_answer: str | None = None
    reason: str = ""
    step: int = 0  # 0 until stored; undo and redo move whole steps
    created_at: str = ""


@dataclass(frozen=True, slots=True)
class CuratedExample:
    """An example with the decision that stands now (`None`: undecided), and the flag where a person put one up."""

    example: Example
    decision: Decision | None
    flag: Decision | None = None  # beside the decision, which it changes nothing about; its reason is the note

    @property
    def accepted(self) -> bool:
        return self.decision is not None and self.decision.verdict in ("accept", "edit")

    @property
    def by_person(self) -> bool:
        """Whether what stands about it was decided by a person."""
        return self.decision is not None and self.decision.source == "person"

    @property
    def state(self) -> ExampleState:
        """The word for where it stands."""
        if self.decision is None:
            return "undecided"
        return "accepted" if self.accepted else "rejected"

    @property
    def answer(self) -> str:
        """The answer as it would be trained on: edited where a person edited it."""
        if self.decision is not None and self.decision.edited_answer is not None:
            return self.decision.edited_answer
        return self.example.answer
