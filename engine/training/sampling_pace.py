"""How many answers an evaluation samples if the run measured the cost of decoding. Pure; knows no device.

The measurement and the decision are in the run's state, so a resumed run samples as many.
"""

from engine.training.costs import RowTokens
from engine.training.stages import Course
from engine.training.state import TrainingState
from engine.training.validation_plan import VALIDATION_SHARE, ValidationPlan, answers_within


def answers_due(plan: ValidationPlan, tokens: RowTokens, state: TrainingState, course: Course) -> int:
    """Return how many answers to sample at the current point of `state`; `tokens`: the lengths of validation rows.

    Before the first step, as planned. After it, as decided at the first such point: from the speed of the steps so far
    and of the sampling before them, so that all validation stays within its share of the whole run.
    """
    if state.answers >= 0:
        return state.answers
    stepped_s, behind = state.train_s - state.validation_s, course.cost(0, state.step)
    if state.step == 0 or not (plan.by_measure and state.decoding_step_s and stepped_s and behind):
        return plan.answers(first=state.step == 0)
    token_s = stepped_s / behind
    left = VALIDATION_SHARE * course.cost(0, course.steps) - state.validation_s / token_s
    points = sum(step >= state.step for step in course.evaluation_steps())
    return answers_within(left, points, plan.scored, tokens, state.decoding_step_s / token_s)
