"""From answers to scores: rates, ceiling, and which answers belong together."""

import pytest

from engine.evaluation.scores import ArmMeasures, ceiling, recovered_of_answers, score_arm
from engine.evaluation.statistics import wilson
from engine.records.evaluation import ArmName
from engine.records.prompt import Message
from engine.records.question import Question
from tests.engine.evaluation.made import RULES, arm_answer

MEASURES = ArmMeasures(None, 60.0, 20.0)


def test_each_rule_and_all_rules_together_are_counted_over_every_sample() -> None:
    answers = [
        arm_answer("distilled", 1, 0, True, True, tokens=10),
        arm_answer("distilled", 1, 1, True, False, tokens=20),
        arm_answer("distilled", 2, 0, False, True, tokens=30),
        arm_answer("distilled", 2, 1, True, True, tokens=40),
    ]
    score = score_arm(RULES, answers, MEASURES)
    assert [(rule.id, rule.kind, rule.rate.passed, rule.rate.total) for rule in score.rules] == [
        (1, "pattern", 3, 4),
        (2, "label", 3, 4),
    ]
    assert score.all_rules == wilson(2, 4)
    assert (score.prompt_tokens_mean, score.completion_tokens_mean) == (18, 25)


def test_the_ceiling_is_how_often_the_second_sample_passes_where_the_first_did() -> None:
    samples = [(True, True), (True, True), (True, False), (False, True), (False, False)]
    answers = [
        arm_answer("prompted", question, sample, passed, passed)
        for question, both in enumerate(samples)
        for sample, passed in enumerate(both)
    ]
    assert ceiling(answers) == wilson(2, 3)
    assert ceiling([answer for answer in answers if answer.sample == 0]) is None
    assert ceiling([answer for answer in answers if answer.question_id == 3]) is None


def test_recovered_is_matched_by_question_whatever_the_order_of_the_answers() -> None:
    questions = [Question((Message("user", str(index)),), topic="one", id=index) for index in range(1, 41)]

    def answers(arm: ArmName, share: int) -> list:
        rows = [arm_answer(arm, q.id, sample, q.id % 4 < share, True) for q in questions for sample in range(2)]
        return rows[::-1] if arm == "distilled" else rows

    arms: dict = {"unprompted": answers("unprompted", 0), "prompted": answers("prompted", 4)}
    found = recovered_of_answers(questions, arms | {"distilled": answers("distilled", 3)}, "prompted", seed=0)
    assert found.interval is not None
    assert found.interval.value == pytest.approx(0.75)
    assert found.interval.low < 0.75 < found.interval.high
