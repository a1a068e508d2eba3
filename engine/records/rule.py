"""Rules: checkable demands of the prompt, and check results. Knows nothing of how checks are run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

CheckKind = Literal[
    "pattern", "starts_with", "ends_with", "contains", "forbidden", "length", "json", "language", "label", "rubric"
]
LengthUnit = Literal["words", "sentences", "lines"]


@dataclass(frozen=True, slots=True)
class Check:
    """How a rule is tested. `kind` decides which fields are used; the others keep their defaults."""

    kind: CheckKind
    pattern: str = ""  # pattern: matches anywhere; label: its single group captures the label
    text: str = ""  # starts_with, ends_with, contains; rubric: what the judge looks for (empty: the rule's text)
    texts: tuple[str, ...] = ()  # forbidden, case-insensitive
    unit: LengthUnit = "words"  # length
    min: int | None = None  # length
    max: int | None = None  # length
    schema: str = ""  # json: a JSON Schema as JSON text; empty: any valid JSON
    code: str = ""  # language: ISO 639-1
    labels: tuple[str, ...] = ()  # label: the allowed labels
    gold: bool = False  # label: must also be the question's gold label


@dataclass(frozen=True, slots=True)
class Rule:
    """One demand of the prompt. `id` is its number in the project, from 1, or 0 until stored."""

    id: int
    text: str
    check: Check

    @property
    def needs_judge(self) -> bool:
        """Whether only a model can check it, by its rubric."""
        return self.check.kind == "rubric"

    @property
    def rubric(self) -> str:
        """The text that tells a judge what to look for."""
        return self.check.text.strip() or self.text


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start:end` of an answer."""

    start: int
    end: int

    def overlaps(self, start: int, end: int) -> bool:
        """Whether this span shares characters with `start:end`."""
        return self.start < end and start < self.end


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one rule's check on one answer."""

    rule_id: int
    passed: bool
    note: str = ""  # why it failed, in a few words; empty if it passed
    fixed: tuple[Span, ...] = ()  # characters dictated by this rule; all others are free
    failing: tuple[Span, ...] = ()  # characters that break the rule, if they can be located


def passes_all(results: Sequence[CheckResult]) -> bool:
    """Whether every result passed. True if there are none."""
    return all(result.passed for result in results)
