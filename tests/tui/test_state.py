"""The workspace's state: events in, words out; no terminal."""

from dataclasses import replace

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
from engine.records.job import Job
from engine.records.options import ProjectSettings
from engine.records.station import STATIONS, Station
from tests.engine.evaluation.made import evaluation
from tests.tui.seeds import answering_events, training_events
from tui.actions import ACTIONS, PANES
from tui.panes.job import STREAMS_KEPT, Curve, JobView
from tui.screens.workspace.state import WorkspaceState
from tui.services.facts import Facts


def view(events: list[Event]) -> JobView:
    job = JobView(1, "demo")
    for at, event in enumerate(events):
        job.apply(StampedEvent(float(at), event))
    return job


def facts(done: int = 0) -> Facts:
    stations = tuple(
        Station(name, "done" if index < done else "empty", 1 if index < done else 0, "")
        for index, name in enumerate(STATIONS)
    )
    return Facts("p", "/p", ProjectSettings(), stations)


def test_streams_grow_by_their_deltas_and_end_with_the_stored_answer() -> None:
    job = view([AnswerStarted("1/0", "teacher", "q"), AnswerDelta("1/0", "ab"), AnswerDelta("1/0", "c")])
    assert job.streams["1/0"].text == "abc"
    assert job.streams["1/0"].state == "writing"
    job.apply(StampedEvent(9.0, AnswerEnded("1/0", "abcd", False, "rule 2")))
    assert (job.streams["1/0"].text, job.streams["1/0"].state, job.streams["1/0"].note) == ("abcd", "failed", "rule 2")


def test_a_training_tells_no_share_before_its_first_step() -> None:
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


def test_answers_are_counted_by_what_the_rules_found() -> None:
    job = view([AnswerEnded("1/0", "a", True), AnswerEnded("2/0", "b", False), AnswerEnded("3/0", "", False, "cut")])
    assert (job.rules_kept, job.rules_broken) == (1, 1)
    job.apply(StampedEvent(10.0, StageStarted("evaluation")))
    assert (job.rules_kept, job.rules_broken) == (0, 0)


def test_a_follower_that_comes_late_still_shows_an_answer_that_ends() -> None:
    job = view([AnswerDelta("7/0", "lost"), AnswerEnded("7/0", "whole", True)])
    assert job.streams["7/0"].text == "whole"


def test_old_streams_are_let_go() -> None:
    job = view([AnswerStarted(str(index), "teacher", "q") for index in range(STREAMS_KEPT + 50)])
    assert len(job.streams) == STREAMS_KEPT
    assert "0" not in job.streams
    assert str(STREAMS_KEPT + 49) in job.streams


def test_a_new_stage_clears_what_the_last_one_streamed() -> None:
    job = view([*answering_events(), StageStarted("evaluation")])
    assert job.station == "evaluation"
    assert not job.streams
    assert job.progress is None


def test_a_resumed_run_redraws_its_curve_from_where_it_went_on() -> None:
    job = view([Metrics(step, 0.0, {"loss": 1.0}) for step in (1, 2, 3, 4)])
    job.apply(StampedEvent(9.0, Metrics(3, 0.0, {"loss": 0.5})))
    assert job.curves["loss"].steps == [1, 2, 3]
    assert job.curves["loss"].values == [1.0, 1.0, 0.5]


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 10)), max_size=60))
def test_a_curve_is_always_in_the_order_of_its_steps(points: list[tuple[int, float]]) -> None:
    curve = Curve()
    for step, value in points:
        curve.add(step, value)
    assert curve.steps == sorted(set(curve.steps))
    assert len(curve.steps) == len(curve.values)
    if points:
        assert curve.last == points[-1][1]


def test_samples_of_one_question_stand_in_the_order_of_steps() -> None:
    job = view([SampleAnswer(step, "q", str(step), False) for step in (0, 40, 80, 40)])
    assert [sample.step for sample in job.samples["q"]] == [0, 40]


def test_answers_a_minute_come_from_the_times_of_the_log() -> None:
    job = view([])
    assert job.answers_per_minute is None
    for index in range(5):
        job.apply(StampedEvent(10.0 * index, AnswerEnded(str(index), "a", True)))
    assert job.answers_per_minute == pytest.approx(6.0)


def test_what_came_before_a_break_tells_no_pace() -> None:
    job = view([StateChanged("running")])
    for index in range(5):
        job.apply(StampedEvent(10.0 * index, AnswerEnded(str(index), "a", True)))
    job.apply(StampedEvent(50.0, StateChanged("paused")))
    job.apply(StampedEvent(300.0, StateChanged("running")))
    job.apply(StampedEvent(301.0, AnswerEnded("6", "a", True)))
    assert job.answers_per_minute is None
    job.apply(StampedEvent(305.0, AnswerEnded("7", "a", True)))
    assert job.answers_per_minute == pytest.approx(15.0)


@pytest.mark.usefixtures("moving_clock")
def test_the_time_left_goes_on_between_two_events() -> None:
    job = view([StateChanged("running"), Progress(3, 9, "", 60.0)])
    job.tick(25.0)
    assert job.seconds_left == 35.0
    job.tick(36.0)
    assert job.seconds_left is None, "it takes longer than was told"
    job.apply(StampedEvent(99.0, Progress(4, 9, "", 50.0)))
    assert job.seconds_left == 50.0
    job.apply(StampedEvent(99.0, StateChanged("paused")))
    job.tick(9.0)
    assert job.seconds_left == 50.0


def test_the_screen_follows_the_work_until_a_person_chooses() -> None:
    state = WorkspaceState(facts=facts(done=2), job=view(training_events()))
    shown = [state.shown]
    state.move(-1)
    shown.append(state.shown)
    assert state.job is not None
    state.job.apply(StampedEvent(99.0, StageStarted("evaluation")))
    shown.append(state.shown)
    state.follow()
    shown.append(state.shown)
    assert shown == ["run", "dataset", "dataset", "evaluation"]


def test_without_work_the_furthest_station_is_shown() -> None:
    assert WorkspaceState().shown == "prompt"
    assert WorkspaceState(facts=facts(done=3)).shown == "examples"
    ended = view([StateChanged("done")])
    assert WorkspaceState(facts=facts(done=5), job=ended).shown == "run"


@pytest.mark.parametrize(
    ("ended", "pane"), [("stopped", "run"), ("failed", "run"), ("lost", "run"), ("done", "evaluation")]
)
def test_following_stays_where_a_job_stopped_and_goes_on_from_where_one_is_done(ended: str, pane: str) -> None:
    running = replace(facts(7), evaluation=evaluation(), jobs=(job(1, "train", "running"),))
    state = WorkspaceState(running, view(training_events()))
    assert state.job is not None
    assert state.shown == "run"
    state.job.apply(StampedEvent(99.0, StateChanged(ended)))  # the log may be read before the store is
    state.believe_the_store()
    assert state.shown == "run"
    state.take(replace(running, jobs=(job(1, "train", ended),)))
    state.believe_the_store()
    assert state.shown == pane
    state.move(1)
    chosen = state.shown
    state.follow()
    assert chosen != state.shown == pane


def test_a_server_that_failed_keeps_nobody() -> None:
    state = WorkspaceState(replace(facts(3), jobs=(job(1, "serve", "failed"),)), JobView(1, "serve"))
    assert state.shown == "examples"


def test_a_job_is_asked_to_stop_once() -> None:
    state = WorkspaceState(replace(facts(7), jobs=(job(3, "train", "running"),)), view(training_events()))
    assert state.wish_for("stop") == ("stop", 3, "Job 3 will stop at its next safe point. r resumes it.")
    already = (None, 3, "Job 3 is already stopping.")
    assert [state.wish_for(asked) for asked in ("stop", "pause", "resume")] == [already] * 3  # before it is read
    assert state.facts is not None
    state.take(replace(state.facts, ending=frozenset({3})))
    assert state.wish_for("stop") == already
    assert JOB_KEYS - state.unavailable == {"workspace.follow"}
    state.take(replace(state.facts, ending=frozenset()))  # as where another program wished otherwise
    assert state.wish_for("pause") == ("pause", 3, "Job 3 will pause at its next safe point.")
    state.take(replace(state.facts, jobs=(job(3, "train", "stopped"),)))
    assert state.wish_for("stop") == (None, 3, "Job 3 is stopped.")
    assert WorkspaceState().wish_for("stop") == (None, 0, "There is no job.")


@given(st.lists(st.integers(-3, 3), max_size=30))
def test_the_rail_ends_at_both_ends(moves: list[int]) -> None:
    state = WorkspaceState(facts=facts(done=1))
    for steps in moves:
        state.move(steps)
        assert state.shown in PANES


def test_the_newest_job_is_a_live_one_where_there_is_one() -> None:
    from engine.records.job import Job

    jobs = (Job(1, "train", "running", "{}", "jobs/1", "run"), Job(2, "generate", "done", "{}", "jobs/2", "examples"))
    newest = replace(facts(), jobs=jobs).newest_job
    assert newest is not None
    assert newest.id == 1
    assert facts().newest_job is None


def test_progress_is_the_newest_told() -> None:
    assert view([Progress(1, 9), Progress(4, 9, "x", 3.0)]).progress == Progress(4, 9, "x", 3.0)


def job(number: int, kind: str, state: str) -> Job:
    return Job(number, kind, state, "{}", f"jobs/{number}", "run")


@pytest.mark.parametrize(
    ("jobs", "watched"),
    [
        ([(1, "train", "running"), (2, "serve", "running")], 1),
        ([(1, "train", "failed"), (2, "serve", "running")], 1),
        ([(1, "serve", "running"), (2, "train", "lost")], 2),
        ([(1, "serve", "running"), (2, "train", "stopped")], 2),
        ([(1, "serve", "running"), (2, "train", "failed"), (3, "train", "done")], 1),
        ([(1, "serve", "running"), (2, "serve", "waiting")], 1),
        ([(1, "train", "failed"), (2, "serve", "done")], 1),
        ([(1, "train", "waiting"), (2, "generate", "running"), (3, "serve", "waiting")], 2),
        ([(1, "serve", "stopped")], None),
        ([(1, "train", "running"), (2, "evaluate", "waiting")], 1),
        ([(1, "train", "paused"), (2, "evaluate", "waiting"), (3, "generate", "waiting")], 1),
        ([(1, "train", "done"), (2, "evaluate", "waiting"), (3, "serve", "running")], 2),
    ],
)
def test_neither_a_server_nor_a_job_that_waits_hides_work(
    jobs: list[tuple[int, str, str]], watched: int | None
) -> None:
    found = replace(facts(), jobs=tuple(job(*each) for each in jobs)).newest_job
    assert (found.id if found is not None else None) == watched


def test_beside_a_server_a_job_that_was_killed_is_told_and_taken_up() -> None:
    jobs = (job(7, "serve", "running"), job(8, "train", "lost"))
    state = WorkspaceState(replace(facts(3), jobs=jobs), JobView(8, "train"))
    state.believe_the_store()
    assert state.shown == "run"
    assert state.wish_for("resume") == ("resume", 8, "Resuming job 8.")
    assert "workspace.resume" not in state.unavailable
    assert state.wish_for("stop") == (None, 8, "Job 8 was killed. L lists the others.")


def test_a_server_takes_nobody_to_another_pane() -> None:
    state = WorkspaceState(facts=facts(3))
    before = state.shown
    state.job = JobView(1, "serve")
    state.job.apply(StampedEvent(0.0, StateChanged("running")))
    assert state.shown == before


JOB_KEYS = frozenset({"workspace.follow", "workspace.pause", "workspace.resume", "run.pause", "run.keep"})


@pytest.mark.parametrize(
    ("live", "stands", "offered"),
    [
        (None, "done", set()),
        ("running", "running", {"workspace.follow", "workspace.pause", "run.pause", "run.keep"}),
        ("paused", "paused", {"workspace.follow", "workspace.resume", "run.pause", "run.keep"}),
        (None, "lost", {"workspace.resume"}),
    ],
)
def test_the_footer_offers_what_the_job_can_be_asked(live: str | None, stands: str, offered: set[str]) -> None:
    training = None if live is None else view([*training_events(), StateChanged(live)])
    state = WorkspaceState(replace(facts(7), jobs=(job(1, "train", stands),)), training)
    assert JOB_KEYS - state.unavailable == offered


def test_the_footer_offers_nothing_of_a_station_that_made_nothing() -> None:
    assert WorkspaceState(facts(7)).unavailable == JOB_KEYS
    assert WorkspaceState(facts(0)).unavailable == JOB_KEYS | {
        "prompt.versions", "prompt.trial", "workspace.curate", "run.compare", "evaluation.open", "evaluation.history",
        "release.card",
    }  # fmt: skip
    assert WorkspaceState().unavailable == WorkspaceState(facts(0)).unavailable


def test_a_server_is_no_work_to_follow() -> None:
    state = WorkspaceState(facts(7), JobView(1, "serve"))
    assert state.job is not None
    state.job.apply(StampedEvent(0.0, StateChanged("running")))
    assert "workspace.follow" in state.unavailable


def test_what_is_not_told_is_a_key_of_the_table_that_a_footer_would_tell() -> None:
    told = {f"{place}.{action.id}" for place, actions in ACTIONS.items() for action in actions if action.footer}
    assert WorkspaceState().unavailable <= told
