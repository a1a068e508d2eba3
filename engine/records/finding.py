"""Findings of a prompt check. Knows nothing of how they are found."""

from dataclasses import dataclass
from typing import Literal

FindingKind = Literal[
    "contradiction", "duplicate", "vague", "untestable", "rule", "example", "variable", "length", "short"
]  # fmt: skip
FindingSource = Literal["program", "teacher"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem in a prompt. Lines refer to its Markdown document, from 1; 0: the whole document."""

    kind: FindingKind
    line: int
    quote: str  # the words of the prompt concerned; untrusted text
    problem: str
    advice: str
    other_line: int = 0  # the other line of a contradiction or duplicate; 0: none
    source: FindingSource = "program"

    @property
    def is_problem(self) -> bool:
        """Whether something in the prompt should change; that it is short is only worth knowing."""
        return self.kind != "short"
