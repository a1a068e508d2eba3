"""Scores from answers: rates, the ceiling, and how answers are matched between arms."""

import pytest

from engine.evaluation.scores import ArmMeasures, ceiling, ratio_of_answers, recovered_of_answers, score_arm
from engine.evaluation.statistics import rate_of_samples, wilson
from engine.records.evaluation import ArmAnswer, ArmName
from engine.records.prompt import Message
from engine.records.question import Question
from tests.engine.evaluation.handmade_evaluations import RULES, arm_answer, unjudged

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
    assert score.all_rules == rate_of_samples([(1, True), (1, False), (2, False), (2, True)])
    assert (score.prompt_tokens_mean, score.completion_tokens_mean) == (18, 25)


def test_ceiling_is_how_often_the_second_sample_passes_if_the_first_did() -> None:
    samples = [(True, True), (True, True), (True, False), (False, True), (False, False)]
    answers = [
        arm_answer("prompted", question, sample, passed, passed)
        for question, both in enumerate(samples)
        for sample, passed in enumerate(both)
    ]
    assert ceiling(RULES, answers) == wilson(2, 3)
    assert ceiling(RULES, [answer for answer in answers if answer.sample == 0]) is None
    assert ceiling(RULES, [answer for answer in answers if answer.question_id == 3]) is None
    assert ceiling(RULES, [*map(unjudged, answers[:2]), *answers[2:]]) == wilson(1, 2)


def test_recovered_fraction_matches_answers_by_question_in_any_order() -> None:
    questions = [Question((Message("user", str(index)),), topic="one", id=index) for index in range(1, 41)]

    def answers(arm: ArmName, share: int) -> list[ArmAnswer]:
        rows = [arm_answer(arm, q.id, sample, q.id % 4 < share, True) for q in questions for sample in range(2)]
        return rows[::-1] if arm == "distilled" else rows

    arms: dict[str, list[ArmAnswer]] = {"unprompted": answers("unprompted", 0), "prompted": answers("prompted", 4)}
    found = recovered_of_answers(RULES, questions, arms | {"distilled": answers("distilled", 3)}, "prompted", seed=0)
    assert found.interval is not None
    assert found.interval.value == pytest.approx(0.75)
    assert found.interval.low < 0.75 < found.interval.high


def test_answer_without_a_verdict_is_left_out_of_the_all_rules_rate() -> None:
    answers = [arm_answer("distilled", number, 0, number > 2, True) for number in range(1, 7)]
    passing, failing = unjudged(answers[5]), unjudged(answers[0])
    score = score_arm(RULES, [failing, *answers[1:5], passing], MEASURES)
    assert score.all_rules == wilson(3, 4)
    assert [rule.rate for rule in score.rules] == [wilson(4, 6), wilson(4, 4)]


def test_question_undecided_in_one_arm_is_left_out_of_the_recovered_fraction() -> None:
    questions = [Question((Message("user", str(index)),), topic="one", id=index) for index in range(1, 41)]

    def answers(arm: ArmName, passed: int) -> list[ArmAnswer]:
        return [arm_answer(arm, question.id, 0, question.id <= passed, True) for question in questions]

    arms = {"unprompted": answers("unprompted", 0), "prompted": answers("prompted", 40)}
    arms["distilled"] = [unjudged(each) if each.question_id > 30 else each for each in answers("distilled", 24)]
    found = recovered_of_answers(RULES, questions, arms, "prompted", seed=0)
    assert found.interval is not None
    assert found.interval.value == pytest.approx(24 / 30)
    assert found.questions == 30
    ratio = ratio_of_answers(RULES, questions, arms, "prompted", seed=0)
    assert ratio is not None
    assert ratio.value == pytest.approx(24 / 30)
    arms["unprompted"] = list(map(unjudged, arms["unprompted"]))
    undefined = recovered_of_answers(RULES, questions, arms, "prompted", seed=0)
    assert (undefined.interval, undefined.questions) == (None, 0)
    assert "every rule decided" in undefined.note
    assert ratio_of_answers(RULES, questions, arms, "prompted", seed=0) == ratio
