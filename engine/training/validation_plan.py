"""How much a run measures at its evaluations, so that all of them together stay within their share of it. Pure.

Costs are in trained tokens, as for all work. The divergence is measured at every point of the curve, because it decides
which step is best. Answers are sampled at every point and to as many questions as the budget allows; if it is short,
to fewer questions, and none before the first step. Each evaluation after the first step samples at least two answers:
the user should see the prompt sink in, however short the run.

On a GPU the cost of decoding is not known in advance. Two answers are sampled before the first step to measure it, and
the first evaluation after that decides for all of them.
"""

from dataclasses import dataclass
from typing import Literal

from engine.training.costs import BEYOND_LONGEST, SCORED_COST, RowTokens, decoding_cost, decoding_step_cost

VALIDATION_SHARE = 0.08  # of the cost of the steps, for all validation passes together
WATCHED_QUESTIONS = 2  # the fewest answers of an evaluation after the first step
_ROWS_WANTED = (8, 4)  # scored at each point before any budget goes to answers

Places = Literal["every", "trained"]  # every point; all except the one before the first step
# Most expensive first: the rates of sixteen answers help to choose a step, four or fewer are only for reading.
_SAMPLED: tuple[tuple[Places, int], ...] = (
    ("every", 16), ("trained", 16), ("every", 8), ("trained", 8), ("every", 4), ("trained", 4),
    ("every", WATCHED_QUESTIONS), ("trained", WATCHED_QUESTIONS),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ValidationPlan:
    """What is measured at the points of a run's curve, and its total cost in trained tokens."""

    scored: int  # rows at each point
    asked: int  # questions at each point where answers are sampled
    sampled: Places
    cost: float
    by_measure: bool = False  # `asked` is a first guess: the cost of decoding is measured before the first step

    @property
    def most_asked(self) -> int:
        """The most questions that any point may ask."""
        return _SAMPLED[0][1] if self.by_measure else self.asked

    def answers(self, *, first: bool) -> int:
        """How many answers are sampled at a point; `first`: the one before the first step."""
        if self.sampled == "every" or not first:
            return self.asked
        return WATCHED_QUESTIONS if self.by_measure else 0


def plan_validation(
    trained: float, points: int, rows: int, tokens: RowTokens, *, on_gpu: bool = False
) -> ValidationPlan:
    """Return the plan for `points` points of a curve beside `trained` tokens of steps, measured on some of `rows` rows.

    If there are too few steps for any plan to fit, it is the smallest: four rows per point, two answers after a step.
    """
    budget = VALIDATION_SHARE * trained
    scoring = points * tokens.mean * SCORED_COST  # of one row at all points
    step_cost = decoding_step_cost(on_gpu=on_gpu)

    def cost(scored: int, places: Places, asked: int) -> float:
        untrained = tokens.longest_answer + BEYOND_LONGEST  # it has not learned where an answer ends
        at_first = asked if places == "every" else WATCHED_QUESTIONS if on_gpu else 0
        first = decoding_cost(at_first, untrained, untrained + tokens.question, step_cost) if at_first else 0.0
        return scored * scoring + first + (points - 1) * _sampling_cost(asked, tokens, step_cost)

    choices = [(min(rows, scored), places, min(rows, asked)) for scored in _ROWS_WANTED for places, asked in _SAMPLED]
    scored, places, asked = next((one for one in choices if cost(*one) <= budget), choices[-1])
    spare = budget - cost(scored, places, asked)
    if scoring and spare > 0:
        scored = min(rows, scored + int(spare // scoring))
    return ValidationPlan(scored, asked, places, cost(scored, places, asked) if rows else 0.0, by_measure=on_gpu)


def answers_within(left: float, points: int, scored: int, tokens: RowTokens, step_cost: float) -> int:
    """Return how many answers each of `points` remaining points can sample for `left` trained tokens; at least two.

    The budget includes scoring. `step_cost`: the measured cost of a decoding step.
    """
    scoring = scored * tokens.mean * SCORED_COST
    choices = dict.fromkeys(asked for _, asked in _SAMPLED)
    fitting = (each for each in choices if points * (scoring + _sampling_cost(each, tokens, step_cost)) <= left)
    return next(fitting, WATCHED_QUESTIONS)


def _sampling_cost(asked: int, tokens: RowTokens, step_cost: float) -> float:
    """Return the cost of the answers of one point after the first step."""
    # The more answers, the closer the longest of them is to the longest of all.
    longest = tokens.answer + (tokens.longest_answer - tokens.answer) * asked / (asked + 8)
    return decoding_cost(asked, longest, tokens.mean, step_cost)
