"""A rule proposed from the prompt, for a person to confirm. Knows nothing of how it was found."""

from dataclasses import dataclass

from engine.records.finding import FindingSource
from engine.records.rule import Check, Span


@dataclass(frozen=True, slots=True)
class Proposal:
    """A demand of the prompt as a rule, with its position in the prompt."""

    text: str  # the demand; also the rubric for a judge or a person if there is no check
    check: Check | None  # None: no built-in check can test it
    message: int  # index into the prompt's messages
    span: Span  # within that message
    line: int  # line of the prompt's Markdown document, from 1
    source: FindingSource = "program"
    rule: int = 0  # id of a project rule with the same demand; 0: none
