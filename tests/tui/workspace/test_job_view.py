"""The view of a job, built from the events of its log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.jobs.protocol import (
    AnswerDelta,
    AnswerEnded,
    AnswerStarted,
    Event,
    Metrics,
    Progress,
    SampleAnswer,
    StageStarted,
    StampedEvent,
    StateChanged,
)
from tests.tui.seeds import answering_events
from tui.services.job_view import STREAMS_KEPT, Curve, JobView


def view(events: list[Event]) -> JobView:
    job = JobView(1, "demo")
    for at, event in enumerate(events):
        job.apply(StampedEvent(float(at), event))
    return job


def test_stream_grows_by_deltas_and_ends_with_the_stored_answer() -> None:
    job = view([AnswerStarted("1/0", "teacher", "q"), AnswerDelta("1/0", "ab"), AnswerDelta("1/0", "c")])
    assert job.streams["1/0"].text == "abc"
    assert job.streams["1/0"].state == "writing"
    job.apply(StampedEvent(9.0, AnswerEnded("1/0", "abcd", False, "rule 2")))
    assert (job.streams["1/0"].text, job.streams["1/0"].state, job.streams["1/0"].note) == ("abcd", "failed", "rule 2")


def test_training_has_no_share_before_its_first_step() -> None:
    job = view([StateChanged("running"), Progress(30, 60, "answers")])
    assert job.share == 0.5
    for event in (StageStarted("run"), Progress(87, 87, "general questions"), Progress(0, 99, "the untrained student")):
        job.apply(StampedEvent(3.0, event))
        assert job.share is None
    job.apply(StampedEvent(4.0, Metrics(33, 0.5, {"loss": 1.0})))
    job.apply(StampedEvent(4.0, Progress(33, 99, "training")))
    assert job.share == pytest.approx(1 / 3)
    job.apply(StampedEvent(5.0, StateChanged("done")))
    assert job.share is None


def test_answers_are_counted_by_rule_result_per_stage() -> None:
    job = view([AnswerEnded("1/0", "a", True), AnswerEnded("2/0", "b", False), AnswerEnded("3/0", "", False, "cut")])
    assert (job.rules_kept, job.rules_broken) == (1, 1)
    job.apply(StampedEvent(10.0, StageStarted("evaluation")))
    assert (job.rules_kept, job.rules_broken) == (0, 0)


def test_answer_that_started_before_the_log_is_shown_when_it_ends() -> None:
    job = view([AnswerDelta("7/0", "lost"), AnswerEnded("7/0", "whole", True)])
    assert job.streams["7/0"].text == "whole"


def test_oldest_streams_are_dropped() -> None:
    job = view([AnswerStarted(str(index), "teacher", "q") for index in range(STREAMS_KEPT + 50)])
    assert len(job.streams) == STREAMS_KEPT
    assert "0" not in job.streams
    assert str(STREAMS_KEPT + 49) in job.streams


def test_new_stage_clears_streams_and_progress() -> None:
    job = view([*answering_events(), StageStarted("evaluation")])
    assert job.station == "evaluation"
    assert not job.streams
    assert job.progress is None


def test_resumed_run_replaces_the_curve_from_its_first_new_step() -> None:
    job = view([Metrics(step, 0.0, {"loss": 1.0}) for step in (1, 2, 3, 4)])
    job.apply(StampedEvent(9.0, Metrics(3, 0.0, {"loss": 0.5})))
    assert job.curves["loss"].steps == [1, 2, 3]
    assert job.curves["loss"].values == [1.0, 1.0, 0.5]


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 10)), max_size=60))
def test_curve_is_sorted_by_step_and_keeps_the_latest_value(points: list[tuple[int, float]]) -> None:
    curve = Curve()
    for step, value in points:
        curve.add(step, value)
    assert curve.steps == sorted(set(curve.steps))
    assert len(curve.steps) == len(curve.values)
    if points:
        assert curve.last == points[-1][1]


def test_samples_of_a_question_are_unique_and_ordered_by_step() -> None:
    job = view([SampleAnswer(step, "q", str(step), False) for step in (0, 40, 80, 40)])
    assert [sample.step for sample in job.samples["q"]] == [0, 40]


def test_answers_per_minute_come_from_log_times() -> None:
    job = view([])
    assert job.answers_per_minute is None
    for index in range(5):
        job.apply(StampedEvent(10.0 * index, AnswerEnded(str(index), "a", True)))
    assert job.answers_per_minute == pytest.approx(6.0)


def test_answers_per_minute_ignore_the_time_before_a_pause() -> None:
    job = view([StateChanged("running")])
    for index in range(5):
        job.apply(StampedEvent(10.0 * index, AnswerEnded(str(index), "a", True)))
    job.apply(StampedEvent(50.0, StateChanged("paused")))
    job.apply(StampedEvent(300.0, StateChanged("running")))
    job.apply(StampedEvent(301.0, AnswerEnded("6", "a", True)))
    assert job.answers_per_minute is None
    job.apply(StampedEvent(305.0, AnswerEnded("7", "a", True)))
    assert job.answers_per_minute == pytest.approx(15.0)


@pytest.mark.usefixtures("real_clock")
def test_time_left_counts_down_between_events() -> None:
    job = view([StateChanged("running"), Progress(3, 9, "", 60.0)])
    job.tick(25.0)
    assert job.seconds_left == 35.0
    job.tick(36.0)
    assert job.seconds_left is None, "it takes longer than estimated"
    job.apply(StampedEvent(99.0, Progress(4, 9, "", 50.0)))
    assert job.seconds_left == 50.0
    job.apply(StampedEvent(99.0, StateChanged("paused")))
    job.tick(9.0)
    assert job.seconds_left == 50.0


def test_latest_progress_is_kept() -> None:
    assert view([Progress(1, 9), Progress(4, 9, "x", 3.0)]).progress == Progress(4, 9, "x", 3.0)
