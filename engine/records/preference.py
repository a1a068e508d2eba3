"""Which of two arms' answers a judge prefers, and whether a person agrees. Knows nothing of how the judge is asked."""

from dataclasses import dataclass
from typing import Literal

from engine.records.interval import Interval
from engine.records.rate import Rate

Better = Literal["A", "B", "tie"]  # of two answers, in the order shown


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often the judge agrees with a person, on the same pairs of answers."""

    same: Rate  # pairs on which both preferred the same answer, or both said tie
    kappa: float | None  # Cohen's kappa; None if both only ever gave one outcome


@dataclass(frozen=True, slots=True)
class Preference:
    """`arm` against `against` on held-out questions, each pair shown in both orders.

    A pair is a tie if the two orders disagree or neither answer is preferred. A tie counts as half a win.
    """

    judge: str
    arm: str
    against: str
    wins: int
    ties: int
    losses: int
    missing: int  # pairs without a readable verdict, counted neither way
    fault: str  # why the first missing pair is missing
    win_rate: Interval | None  # of `arm`; None if there are no pairs
    flipped: Rate  # pairs where the preference followed the position, not the answer
    longer_characters: float  # how much longer an answer of `arm` is, on average
    length_controlled: Interval | None  # the win rate at equal lengths
    length_note: str  # why there is no length-controlled rate, or empty
    agreement: Agreement | None = None  # None: no votes on the student and the prompted base
