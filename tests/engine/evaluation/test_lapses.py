"""Lapses: questions on which the student fails a rule that its reference passes."""

from engine.evaluation.lapses import Lapse, find_lapses
from tests.engine.evaluation.handmade_evaluations import arm_answer


def test_lapses_are_rules_the_reference_passes_in_the_same_sample_worst_question_first() -> None:
    answers = [
        arm_answer("prompted", 1, 0, True, True),
        arm_answer("distilled", 1, 0, True, True),
        arm_answer("prompted", 2, 0, True, False),  # the reference fails rule 2 too
        arm_answer("distilled", 2, 0, False, False),
        arm_answer("prompted", 3, 0, True, True),
        arm_answer("distilled", 3, 0, False, True),
        arm_answer("prompted", 3, 1, True, True),
        arm_answer("distilled", 3, 1, False, False),
        arm_answer("unprompted", 3, 1, False, False),
    ]
    assert find_lapses(answers, "prompted") == (
        Lapse(3, broken=3, rules=(1, 2), samples=2, worst_sample=1),
        Lapse(2, broken=1, rules=(1,), samples=1, worst_sample=0),
        Lapse(1, broken=0, rules=(), samples=1, worst_sample=0, passes=True),
    )


def test_student_no_worse_than_a_failing_reference_does_not_pass() -> None:
    answers = [arm_answer(arm, 1, 0, False, True) for arm in ("prompted", "distilled")]
    assert find_lapses(answers, "prompted") == (Lapse(1, broken=0, rules=(), samples=1, worst_sample=0, passes=False),)


def test_samples_that_only_one_arm_answered_are_left_out() -> None:
    answers = [arm_answer("prompted", 1, 0, True, True), arm_answer("distilled", 2, 0, False, False)]
    assert find_lapses(answers, "prompted") == ()
    both = [*answers, arm_answer("distilled", 1, 0, True, False), arm_answer("distilled", 1, 1, False, False)]
    assert find_lapses(both, "prompted") == (Lapse(1, broken=1, rules=(2,), samples=1, worst_sample=0),)


def test_lapses_can_be_relative_to_the_teacher() -> None:
    answers = [
        arm_answer("teacher", 1, 0, True, True),
        arm_answer("prompted", 1, 0, False, False),
        arm_answer("distilled", 1, 0, False, True),
    ]
    assert [lapse.rules for lapse in find_lapses(answers, "teacher")] == [(1,)]
