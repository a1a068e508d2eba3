"""How much a run measures at its evaluations, so that all of them together stay within their share of it. Pure.

Counted as work is, in trained tokens. The divergence is measured at every point of the curve, for the best step is
chosen by it. Answers are sampled at every point where that can be paid for, to as many questions as can be; then to
fewer, and not before the first step. Two answers at each evaluation of what was trained are never left out: a person
is to see the prompt sink in, however short the run.
"""

from dataclasses import dataclass
from typing import Literal

from engine.training.costs import BEYOND_LONGEST, SCORED_COST, RowTokens, decoding_cost

VALIDATION_SHARE = 0.08  # of what the steps cost, for all validation passes together
_ROWS_WANTED = (8, 4)  # that are scored at each point before an answer is sampled

Places = Literal["every", "trained"]  # every point; all but the one before the first step
# From the dearest: the rates of sixteen answers help to choose a step, four or fewer are there to be read.
_SAMPLED: tuple[tuple[Places, int], ...] = (
    ("every", 16), ("trained", 16), ("every", 8), ("trained", 8), ("every", 4), ("trained", 4), ("every", 2),
    ("trained", 2),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ValidationPlan:
    """What is measured at the points of a run's curve, and what all of it costs, in trained tokens."""

    scored: int  # rows at each point
    asked: int  # questions at each point where answers are sampled
    sampled: Places
    cost: float

    def samples(self, *, first: bool) -> bool:
        """Whether answers are sampled at a point: the one before the first step, or another."""
        return self.sampled == "every" or not first


def plan_validation(trained: float, points: int, rows: int, tokens: RowTokens) -> ValidationPlan:
    """The plan for `points` points of a curve beside `trained` tokens of steps, measured on some of `rows` rows.

    Where the steps are so few that nothing fits, the least is planned: four rows a point, two answers after training.
    """
    budget = VALIDATION_SHARE * trained
    scoring = points * tokens.mean * SCORED_COST  # of one row at all points

    def cost(scored: int, places: Places, asked: int) -> float:
        untrained = tokens.longest_answer + BEYOND_LONGEST  # it has not learned where an answer ends
        # The more answers, the nearer is the longest of them to the longest of all.
        trained = tokens.answer + (tokens.longest_answer - tokens.answer) * asked / (asked + 8)
        first = decoding_cost(asked, untrained, untrained + tokens.question)
        later = (points - 1) * decoding_cost(asked, trained, tokens.mean)
        return scored * scoring + later + (first if places == "every" else 0.0)

    choices = [(min(rows, scored), places, min(rows, asked)) for scored in _ROWS_WANTED for places, asked in _SAMPLED]
    scored, places, asked = next((one for one in choices if cost(*one) <= budget), choices[-1])
    spare = budget - cost(scored, places, asked)
    if scoring and spare > 0:
        scored = min(rows, scored + int(spare // scoring))
    return ValidationPlan(scored, asked, places, cost(scored, places, asked) if rows else 0.0)
