"""How much a run measures: as much as its share of the work allows, but at least a few rows and answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.demo import FULL, QUICK
from engine.records.run import TrainingConfig
from engine.training.costs import SCORED_COST, RowTokens
from engine.training.validation_plan import VALIDATION_SHARE, answers_within, plan_validation
from engine.training.work import work_of

DEMO = RowTokens(question=21.0, answer=25.0, longest=73, longest_answer=41, prompt=400)


@pytest.mark.parametrize(
    ("config", "train", "validation"), [(FULL.training, 527, 58), (FULL.training, 400, 40), (QUICK.training, 60, 18)]
)
def test_validation_of_demo_runs_takes_less_than_a_tenth_of_their_training(
    config: TrainingConfig, train: int, validation: int
) -> None:
    work = work_of(config, train, validation, DEMO)
    assert 0 < work.validation_share < 0.1
    plan = work.validation
    assert plan.scored >= 4
    assert plan.asked >= 2, "the user sees answers"
    assert plan.answers(first=False) == plan.asked
    # The estimate contains exactly the plan beside the steps and the work done once.
    steps = work.first * work.first_steps
    assert work.until(work.steps) - work.once - steps == pytest.approx(plan.cost)


def test_longer_run_asks_more_questions_at_more_points() -> None:
    plans = [plan_validation(trained, 4, 40, DEMO) for trained in (3_000, 28_000, 36_000, 44_000, 60_000, 10**7)]
    assert [plan.sampled for plan in plans] == ["trained", "trained", "trained", "trained", "every", "every"]
    assert [plan.asked for plan in plans] == [2, 4, 8, 16, 16, 16]
    assert plans[-1].scored == 40


@given(
    trained=st.floats(0, 1e7),
    points=st.integers(2, 12),
    rows=st.integers(0, 500),
    question=st.floats(1, 300),
    answer=st.integers(1, 400),
)
def test_all_evaluations_together_stay_within_their_share_or_are_minimal(
    trained: float, points: int, rows: int, question: float, answer: int
) -> None:
    tokens = RowTokens(question, answer, longest=600, longest_answer=2 * answer)
    plan = plan_validation(trained, points, rows, tokens)
    least = (min(4, rows), min(2, rows), "trained")
    assert plan.cost <= VALIDATION_SHARE * trained + 1e-6 or (plan.scored, plan.asked, plan.sampled) == least
    assert plan.scored <= rows
    assert plan.asked <= min(16, rows)
    if plan.cost <= VALIDATION_SHARE * trained and plan.scored < rows:  # one more row would exceed the share
        assert plan.cost + points * tokens.mean * SCORED_COST > VALIDATION_SHARE * trained


@pytest.mark.parametrize(("trained", "samples"), [(10**7, (True, True)), (42_000, (False, True)), (3, (False, True))])
def test_points_at_which_answers_are_sampled(trained: float, samples: tuple[bool, ...]) -> None:
    plan = plan_validation(trained, 4, 40, DEMO)
    assert tuple(plan.answers(first=first) > 0 for first in (True, False)) == samples
    assert plan.asked >= 2, "two at each evaluation after the first step, whatever they cost"


def test_on_a_gpu_two_answers_are_timed_before_the_first_step() -> None:
    plan = plan_validation(60_000, 4, 40, DEMO, on_gpu=True)
    assert plan.by_measure
    assert (plan.answers(first=True), plan.answers(first=False)) == (2, 2), "timed before the first step"
    assert plan.most_asked == 16
    assert not plan_validation(60_000, 4, 40, DEMO).by_measure, "on the CPU every run measures the same"


@pytest.mark.parametrize("step_cost", [1.0, 14.0, 100.0, 1_000.0])
def test_remaining_budget_sets_the_number_of_sampled_answers(step_cost: float) -> None:
    def cost(asked: int) -> float:
        """The cost of one point with eight rows; its longest answer is between the mean and the maximum length."""
        steps = 25 + 16 * asked / (asked + 8)
        return 8 * 46 * SCORED_COST + steps * step_cost + asked * 46 * SCORED_COST

    for asked, fewer in ((16, 8), (8, 4), (4, 2), (2, 2)):
        assert answers_within(3 * cost(asked) + 1e-6, 3, 8, DEMO, step_cost) == asked
        assert answers_within(3 * cost(asked) - 1e-6, 3, 8, DEMO, step_cost) == fewer
