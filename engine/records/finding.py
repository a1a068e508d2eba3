"""What a check of the prompt finds. Knows nothing of how it was found."""

from dataclasses import dataclass
from typing import Literal

FindingKind = Literal["contradiction", "duplicate", "vague", "untestable", "rule", "example", "variable", "length"]
FindingSource = Literal["program", "teacher"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a prompt. Lines are those of its Markdown document, from 1; 0: all of it."""

    kind: FindingKind
    line: int
    quote: str  # the words of the prompt that it is about; foreign text
    problem: str
    advice: str
    other_line: int = 0  # the other end of a contradiction or a duplicate; 0: there is none
    source: FindingSource = "program"
