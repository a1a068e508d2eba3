"""The estimate of an evaluation: its units of work and its time."""

import dataclasses

import pytest

from engine.evaluation.outlook import estimate_evaluation
from engine.evaluation.probes import PROBED as PROBED_ARMS
from engine.evaluation.probes import probe_counts, probes
from engine.records.options import EvaluateOptions, TeacherSpec
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.regressions import Regressions
from tests.engine.evaluation.handmade_evaluations import evaluation

OPTIONS = EvaluateOptions(run_id=1, samples=2)
PROBED = dataclasses.replace(OPTIONS, regressions=True)
JUDGE = TeacherSpec("endpoint", "j", "http://localhost")


def test_answers_are_arms_times_questions_times_samples() -> None:
    estimate = estimate_evaluation(OPTIONS, 30, ())
    assert (estimate.arms, estimate.questions, estimate.units.answers) == (3, 30, 180)
    assert (estimate.seconds, estimate.like) == (None, None)
    fewer = dataclasses.replace(OPTIONS, limit=10, teacher=TeacherSpec("endpoint", "m", "http://localhost"))
    assert estimate_evaluation(fewer, 30, ()).units.answers == 4 * 10 * 2
    assert estimate_evaluation(dataclasses.replace(OPTIONS, limit=99), 30, ()).questions == 30


def test_speed_is_measured_on_a_few_questions_of_each_local_arm() -> None:
    for teacher, timed in (
        (None, 15),
        (TeacherSpec("local", "m"), 20),
        (TeacherSpec("endpoint", "m", "http://localhost"), 15),
    ):
        options = dataclasses.replace(OPTIONS, teacher=teacher)
        assert estimate_evaluation(options, 30, ()).units.timed == timed
    assert estimate_evaluation(OPTIONS, 2, ()).units.timed == 6


def test_time_is_based_on_the_newest_evaluation_with_as_many_arms() -> None:
    old = dataclasses.replace(evaluation(), id=1, evaluate_s=120.0)
    newer = dataclasses.replace(evaluation(), id=2)
    with_teacher = dataclasses.replace(evaluation(teacher=True), id=3)
    estimate = estimate_evaluation(OPTIONS, 30, (old, newer, with_teacher))
    assert estimate.like == newer
    assert estimate.seconds == pytest.approx(60.0 / (3 * 40) * 180)
    assert estimate_evaluation(OPTIONS, 30, (with_teacher,)).like == with_teacher
    regressions = Regressions(54, 64, None, (), (), (), seconds=12.0)
    probed = dataclasses.replace(newer, evaluate_s=72.0, regressions=regressions)
    assert estimate_evaluation(OPTIONS, 30, (probed,)).seconds == estimate.seconds
    with_probes = estimate_evaluation(PROBED, 30, (probed,))
    assert with_probes.seconds == pytest.approx(60.0 / (3 * 40) * 180 + 12.0), (
        "the time of the probes is not counted twice"
    )


def test_reused_answers_are_not_counted_in_the_time_per_answer() -> None:
    all_new = dataclasses.replace(evaluation(), id=1)
    half_reused = dataclasses.replace(evaluation(), id=2, reused=60)
    assert estimate_evaluation(OPTIONS, 30, (all_new, half_reused)).like == all_new
    assert estimate_evaluation(OPTIONS, 30, (half_reused,)).seconds == pytest.approx(60.0 / 60 * 180)
    assert estimate_evaluation(OPTIONS, 30, (dataclasses.replace(half_reused, reused=120),)).seconds is None


@pytest.mark.parametrize("questions", [1, 2, 20, 33])
def test_probe_counts_match_the_probes_that_are_built(questions: int) -> None:
    held_out = [Question((Message("user", f"Q{number}?"),), id=number) for number in range(questions)]
    counts = probe_counts(questions)
    assert {kind: count.answers for kind, count in counts.items()} == {
        kind: len(tasks) * len(PROBED_ARMS[kind]) for kind, tasks in probes(held_out, 0).items()
    }
    units = estimate_evaluation(PROBED, questions, ()).units
    assert units.probes == sum(count.answers for count in counts.values())
    assert units.readings == questions + len(probes(held_out, 0)["general"])
    assert units.total == units.answers + units.probes + units.readings + units.timed
    without = estimate_evaluation(OPTIONS, questions, ()).units
    assert (without.probes, without.readings) == (0, questions)


def test_judge_gives_one_verdict_per_answer_and_rubric() -> None:
    judged = dataclasses.replace(OPTIONS, judge=JUDGE)
    assert estimate_evaluation(judged, 30, (), rubrics=2).units.verdicts == 2 * 180
    assert estimate_evaluation(dataclasses.replace(judged, preference=True), 30, ()).units.verdicts == 30
    assert estimate_evaluation(OPTIONS, 30, (), rubrics=2).units.verdicts == 0, "there is no judge"


def test_probe_time_is_based_on_the_last_evaluation_with_probes() -> None:
    probed = dataclasses.replace(
        evaluation(teacher=True), id=1, regressions=Regressions(54, 64, None, (), (), (), seconds=12.0)
    )
    plain = dataclasses.replace(evaluation(), id=2)
    answers_s = 60.0 / (3 * 40) * 180
    estimate = estimate_evaluation(PROBED, 30, (probed, plain))
    assert estimate.like == plain
    assert estimate.seconds == pytest.approx(answers_s + 12.0), "as in another evaluation, if this one had no probes"
    assert estimate_evaluation(OPTIONS, 30, (probed, plain)).seconds == pytest.approx(answers_s)
    fewer = estimate_evaluation(PROBED, 5, (probed, plain)).seconds
    assert fewer is not None
    assert 60.0 / (3 * 40) * 30 < fewer < 60.0 / (3 * 40) * 30 + 12.0, "fewer questions mean fewer injection probes"
    probe_units = estimate.units.total - estimate.units.answers - estimate.units.timed - 30
    unknown = estimate_evaluation(PROBED, 30, (plain,)).seconds
    assert unknown == pytest.approx(answers_s + 0.5 * probe_units), (
        "as long as other answers, if probes were never timed"
    )
