"""Rules: checkable demands of the prompt, and what a check found. Knows nothing of how checks are run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

CheckKind = Literal[
    "pattern", "starts_with", "ends_with", "contains", "forbidden", "length", "json", "language", "label", "rubric"
]
LengthUnit = Literal["words", "sentences", "lines"]


@dataclass(frozen=True, slots=True)
class Check:
    """How a rule is tested. Which fields are used depends on `kind`; the others keep their defaults."""

    kind: CheckKind
    pattern: str = ""  # pattern: searched anywhere; label: its one group extracts the label
    text: str = ""  # starts_with, ends_with, contains; rubric: what the judge looks for, empty: the rule's own text
    texts: tuple[str, ...] = ()  # forbidden, case-insensitive
    unit: LengthUnit = "words"  # length
    min: int | None = None  # length
    max: int | None = None  # length
    schema: str = ""  # json: a JSON Schema as JSON text; empty: any valid JSON
    code: str = ""  # language: ISO 639-1
    labels: tuple[str, ...] = ()  # label: the allowed set
    gold: bool = False  # label: must also equal the question's gold label


@dataclass(frozen=True, slots=True)
class Rule:
    """One demand of the prompt. `id` is its number in the project, from 1; 0 until stored."""

    id: int
    text: str
    check: Check

    @property
    def needs_judge(self) -> bool:
        """Whether no program can check it: a model judges by its rubric."""
        return self.check.kind == "rubric"

    @property
    def rubric(self) -> str:
        """What a judge looks for."""
        return self.check.text.strip() or self.text


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start:end` of an answer."""

    start: int
    end: int

    def overlaps(self, start: int, end: int) -> bool:
        """Whether some of the characters `start:end` are among these."""
        return self.start < end and start < self.end


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one rule's check found in one answer."""

    rule_id: int
    passed: bool
    note: str = ""  # why it failed, in a few words; empty when it passed
    fixed: tuple[Span, ...] = ()  # the characters that this rule dictates; all others are free
    failing: tuple[Span, ...] = ()  # the characters that break it, where they can be pointed at


def passes_all(results: Sequence[CheckResult]) -> bool:
    """Whether every rule is kept. True of no rules at all."""
    return all(result.passed for result in results)
