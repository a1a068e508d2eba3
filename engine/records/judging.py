"""What a judge decided in an evaluation. Knows nothing of how it is asked."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Judged:
    """The judge of the rubrics. `judge` names it as a teacher is named: the model with its address."""

    judge: str
    verdicts: int  # that could be read, of all arms and rubrics
    missing: int  # refused or unreadable: in no rate, neither kept nor broken
    fault: str  # why the first missing one is missing; empty where none is
    kin_to: str  # the teacher, where its name is of the judge's family: a judge prefers its like; empty elsewhere
