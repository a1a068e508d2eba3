"""A judge's part in an evaluation. Knows nothing of how the judge is asked."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Judged:
    """Summary of a judge's verdicts on rubrics. `judge` has the form of a teacher's name: the model and its URL."""

    judge: str
    verdicts: int  # readable ones, over all arms and rubrics
    missing: int  # not asked, refused or unreadable: counted in no rate, neither as passed nor as failed
    fault: str  # why the first missing verdict is missing; empty if none is
    kin_to: str  # the teacher, if it is of the judge's model family (a judge prefers its own kind); else empty
