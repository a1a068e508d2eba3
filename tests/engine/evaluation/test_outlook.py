"""What an evaluation will take."""

import dataclasses

import pytest

from engine.evaluation.outlook import estimate_evaluation
from engine.records.options import EvaluateOptions, TeacherSpec
from engine.records.regressions import Regressions
from tests.engine.evaluation.made import evaluation

OPTIONS = EvaluateOptions(run_id=1, samples=2)


def test_answers_are_arms_times_questions_times_samples() -> None:
    estimate = estimate_evaluation(OPTIONS, 30, ())
    assert (estimate.arms, estimate.questions, estimate.answers) == (3, 30, 180)
    assert (estimate.seconds, estimate.like) == (None, None)
    fewer = dataclasses.replace(OPTIONS, limit=10, teacher=TeacherSpec("endpoint", "m", "http://localhost"))
    assert estimate_evaluation(fewer, 30, ()).answers == 4 * 10 * 2
    assert estimate_evaluation(dataclasses.replace(OPTIONS, limit=99), 30, ()).questions == 30


def test_time_is_that_of_the_newest_evaluation_with_as_many_arms() -> None:
    old = dataclasses.replace(evaluation(), id=1, evaluate_s=120.0)
    newer = dataclasses.replace(evaluation(), id=2)
    with_teacher = dataclasses.replace(evaluation(teacher=True), id=3)
    estimate = estimate_evaluation(OPTIONS, 30, (old, newer, with_teacher))
    assert estimate.like == newer
    assert estimate.seconds == pytest.approx(60.0 / (3 * 40) * 180)
    assert estimate_evaluation(OPTIONS, 30, (with_teacher,)).like == with_teacher
    beside = Regressions(54, 64, None, (), (), (), seconds=12.0)
    probed = dataclasses.replace(newer, evaluate_s=72.0, regressions=beside)
    assert estimate_evaluation(OPTIONS, 30, (probed,)).seconds == estimate.seconds
    again = estimate_evaluation(dataclasses.replace(OPTIONS, regressions=True), 30, (probed,))
    assert again.seconds == pytest.approx(60.0 / (3 * 40) * 180 + 12.0)


def test_answers_that_were_there_already_take_no_time() -> None:
    whole = dataclasses.replace(evaluation(), id=1)
    half = dataclasses.replace(evaluation(), id=2, reused=60)
    assert estimate_evaluation(OPTIONS, 30, (whole, half)).like == whole
    assert estimate_evaluation(OPTIONS, 30, (half,)).seconds == pytest.approx(60.0 / 60 * 180)
    assert estimate_evaluation(OPTIONS, 30, (dataclasses.replace(half, reused=120),)).seconds is None
