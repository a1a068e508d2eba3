"""How two arms differ on the same questions, per rule and overall. Knows nothing of how this is computed."""

from dataclasses import dataclass
from typing import Literal

from engine.records.interval import Interval

Outcome = Literal["better", "kept", "worse", "undecided"]


@dataclass(frozen=True, slots=True)
class Paired:
    """A paired comparison of two arms on one rule, or on all rules together, question by question.

    `better` and `worse` count the questions for which more, or fewer, of the arm's samples pass than of the other's.
    """

    difference: Interval  # in mean pass rate, 0–1: the arm minus the other
    better: int
    worse: int
    p: float  # exact McNemar, two-sided
    p_holm: float  # `p` with Holm's correction over the rules of this comparison
    outcome: Outcome
    more_questions: int | None  # needed to decide at this difference; 0: decided; None: no number would
    questions: int | None = None  # scored for both arms; None in old evaluations: all that were asked


@dataclass(frozen=True, slots=True)
class RulePaired:
    """The comparison of two arms on one rule."""

    id: int
    paired: Paired


@dataclass(frozen=True, slots=True)
class Comparison:
    """How `arm` differs from `against`."""

    arm: str
    against: str
    all_rules: Paired
    rules: tuple[RulePaired, ...]
