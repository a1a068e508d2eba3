"""Which of two arms' answers a judge prefers, and whether a person agrees. Knows nothing of how it is asked."""

from dataclasses import dataclass
from typing import Literal

from engine.records.interval import Interval
from engine.records.rate import Rate

Better = Literal["A", "B", "tie"]  # of two answers in the order in which they were shown


@dataclass(frozen=True, slots=True)
class Agreement:
    """The judge on the pairs that a person voted on: the same two answers to the same question."""

    same: Rate  # of the pairs, those on which both preferred the same one, or none
    kappa: float | None  # Cohen's; None where one outcome alone was ever given


@dataclass(frozen=True, slots=True)
class Preference:
    """`arm` against `against` on held-out questions, each pair shown in both orders. A tie: the orders disagree, or
    none is preferred; it counts half a win.
    """

    judge: str
    arm: str
    against: str
    wins: int
    ties: int
    losses: int
    missing: int  # pairs on which a verdict was refused or unreadable: they count neither way
    fault: str  # why the first of them is missing
    win_rate: Interval | None  # of `arm`; None without any pair
    flipped: Rate  # of the pairs that were asked about: the preference went with the place and not with the answer
    longer_characters: float  # by which an answer of `arm` is longer on average
    length_controlled: Interval | None  # the win rate at equal lengths
    length_note: str  # why there is none; else empty
    agreement: Agreement | None = None  # None where a person has voted on no pair of run and prompted
