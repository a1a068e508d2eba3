"""A rule that is proposed from the prompt, for a person to confirm. Knows nothing of how it was found."""

from dataclasses import dataclass

from engine.records.finding import FindingSource
from engine.records.rule import Check, Span


@dataclass(frozen=True, slots=True)
class Proposal:
    """A demand of the prompt as a rule, with the place that it comes from."""

    text: str  # what it demands; where there is no check, the rubric for a judge or a person
    check: Check | None  # None: no check of the program measures it
    message: int  # index into the prompt's messages
    span: Span  # of that message
    line: int  # of the prompt's Markdown document, from 1
    source: FindingSource = "program"
    rule: int = 0  # the project's rule that demands the same already; 0: none does
