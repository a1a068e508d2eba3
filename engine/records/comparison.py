"""How two arms differ on the same questions: rule by rule and together. Knows nothing of how it is reckoned."""

from dataclasses import dataclass
from typing import Literal

from engine.records.interval import Interval

Outcome = Literal["better", "kept", "worse", "undecided"]


@dataclass(frozen=True, slots=True)
class Paired:
    """One demand, kept by an arm and by the arm that it is held against, question by question.

    `better` and `worse` count the questions of which the arm kept it in more, or in fewer, samples than the other.
    """

    difference: Interval  # of the mean pass share, 0–1: the arm less the other
    better: int
    worse: int
    p: float  # exact McNemar, two-sided
    p_holm: float  # the same, corrected over the rules of this comparison
    outcome: Outcome
    more_questions: int | None  # that would decide, should the difference stay; 0: decided; None: no number would
    questions: int | None = None  # that tell of both arms; None: of those made before it was kept, all that were asked


@dataclass(frozen=True, slots=True)
class RulePaired:
    """One rule's part of a comparison."""

    id: int
    paired: Paired


@dataclass(frozen=True, slots=True)
class Comparison:
    """`arm` held against `against`."""

    arm: str
    against: str
    all_rules: Paired
    rules: tuple[RulePaired, ...]
