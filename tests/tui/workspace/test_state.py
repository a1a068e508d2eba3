"""The state of the workspace without a terminal: the shown pane, requests to jobs, available actions."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.jobs.protocol import (
    Event,
    StageStarted,
    StampedEvent,
    StateChanged,
)
from engine.records.job import Job, JobState
from engine.records.options import JobKind, ProjectSettings
from engine.records.station import STATIONS, Station, StationName
from tests.engine.evaluation.handmade_evaluations import evaluation
from tests.tui.seeds import training_events
from tui.actions import ACTIONS, PANES
from tui.screens.workspace.state import WorkspaceState
from tui.services.facts import Facts
from tui.services.job_view import JobView


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


def test_shown_pane_follows_the_job_until_the_user_chooses_one() -> None:
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


def test_furthest_station_is_shown_without_a_job() -> None:
    assert WorkspaceState().shown == "prompt"
    assert WorkspaceState(facts=facts(done=3)).shown == "examples"
    ended = view([StateChanged("done")])
    assert WorkspaceState(facts=facts(done=5), job=ended).shown == "run"


@pytest.mark.parametrize(
    ("ended", "pane"), [("stopped", "run"), ("failed", "run"), ("lost", "run"), ("done", "evaluation")]
)
def test_following_stays_at_a_stopped_job_and_moves_on_after_a_finished_one(ended: JobState, pane: str) -> None:
    running = replace(facts(7), evaluation=evaluation(), jobs=(job(1, "train", "running"),))
    state = WorkspaceState(running, view(training_events()))
    assert state.job is not None
    assert state.shown == "run"
    state.job.apply(StampedEvent(99.0, StateChanged(ended)))  # the log may be read before the store
    state.believe_the_store()
    assert state.shown == "run"
    state.take(replace(running, jobs=(job(1, "train", ended),)))
    state.believe_the_store()
    assert state.shown == pane
    state.move(1)
    chosen = state.shown
    state.follow()
    assert chosen != state.shown == pane


def test_failed_server_does_not_choose_the_pane() -> None:
    state = WorkspaceState(replace(facts(3), jobs=(job(1, "serve", "failed"),)), JobView(1, "serve"))
    assert state.shown == "examples"


def test_stop_is_requested_once() -> None:
    state = WorkspaceState(replace(facts(7), jobs=(job(3, "train", "running"),)), view(training_events()))
    assert state.press("stop") == ("stop", 3, "Job 3 will stop at its next safe point. r resumes it.")
    already = (None, 3, "Job 3 is already stopping.")
    for key in ("stop", "pause", "resume"):
        assert state.press(key) == already, "even before the store shows it"
    assert state.facts is not None
    state.take(replace(state.facts, asked={3: "stopping"}))
    assert state.press("stop") == already
    assert JOB_ACTIONS - state.unavailable == {"workspace.follow"}
    state.take(replace(state.facts, asked={}))  # as after another program's request
    assert state.press("pause") == ("pause", 3, "Job 3 will pause at its next safe point.")
    state.take(replace(state.facts, jobs=(job(3, "train", "stopped"),)))
    assert state.press("stop") == (None, 3, "Job 3 is stopped.")
    assert WorkspaceState().press("stop") == (None, 0, "There is no job.")


def job_of(number: int, state: JobState, stage: StationName) -> Job:
    return Job(number, "train", state, "", "", stage)


def test_pause_is_taken_back_by_either_key_until_it_has_come() -> None:
    running = replace(facts(3), jobs=(job_of(3, "running", "run"),), asked={3: "pausing"})
    state = WorkspaceState(facts=running)
    for key in ("pause", "resume"):
        assert state.press(key) == ("resume", 3, "Job 3 continues without a pause.")
    assert "workspace.resume" not in state.unavailable
    assert state.press("stop")[0] == "stop"


def test_job_is_resumed_as_soon_as_its_log_says_that_it_is_paused() -> None:
    job = JobView(3, "train")
    state = WorkspaceState(facts=replace(facts(3), jobs=(job_of(3, "running", "run"),)), job=job)
    job.apply(StampedEvent(0.0, StateChanged("paused")))
    assert state.press("resume") == ("resume", 3, "Resuming job 3.")


@pytest.mark.parametrize("newest", ["done", "running"])
def test_killed_job_of_the_shown_pane_is_resumed_although_another_came_later(newest: JobState) -> None:
    jobs = (job_of(1, "lost", "run"), job_of(2, newest, "examples"))
    state = WorkspaceState(facts=replace(facts(6), jobs=jobs), chosen="run")
    assert state.press("resume") == ("resume", 1, "Resuming job 1.")
    assert "workspace.resume" not in state.unavailable
    state.chosen = "examples"
    assert state.press("resume")[0] is None
    retrained = replace(facts(6), jobs=(*jobs, job_of(3, "done", "run")))
    assert WorkspaceState(facts=retrained, chosen="run").press("resume")[0] is None


@given(st.lists(st.integers(-3, 3), max_size=30))
def test_moving_stops_at_both_ends_of_the_rail(moves: list[int]) -> None:
    state = WorkspaceState(facts=facts(done=1))
    for steps in moves:
        state.move(steps)
        assert state.shown in PANES


def test_live_job_counts_as_newest() -> None:
    jobs = (Job(1, "train", "running", "{}", "jobs/1", "run"), Job(2, "generate", "done", "{}", "jobs/2", "examples"))
    newest = replace(facts(), jobs=jobs).newest_job
    assert newest is not None
    assert newest.id == 1
    assert facts().newest_job is None


def job(number: int, kind: JobKind, state: JobState) -> Job:
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
def test_servers_and_waiting_jobs_do_not_hide_other_work(
    jobs: list[tuple[int, JobKind, JobState]], watched: int | None
) -> None:
    found = replace(facts(), jobs=tuple(job(*each) for each in jobs)).newest_job
    assert (found.id if found is not None else None) == watched


def test_killed_job_beside_a_server_is_shown_and_can_be_resumed() -> None:
    jobs = (job(7, "serve", "running"), job(8, "train", "lost"))
    state = WorkspaceState(replace(facts(3), jobs=jobs), JobView(8, "train"))
    state.believe_the_store()
    assert state.shown == "run"
    assert state.press("resume") == ("resume", 8, "Resuming job 8.")
    assert "workspace.resume" not in state.unavailable
    assert state.press("stop") == ("stop", 8, "Job 8 is put aside. r resumes it.")


def test_starting_server_does_not_change_the_pane() -> None:
    state = WorkspaceState(facts=facts(3))
    before = state.shown
    state.job = JobView(1, "serve")
    state.job.apply(StampedEvent(0.0, StateChanged("running")))
    assert state.shown == before


JOB_ACTIONS = frozenset({"workspace.follow", "workspace.pause", "workspace.resume", "run.pause", "run.keep"})


@pytest.mark.parametrize(
    ("live", "stored", "offered"),
    [
        (None, "done", set()),
        ("running", "running", {"workspace.follow", "workspace.pause", "run.pause", "run.keep"}),
        ("paused", "paused", {"workspace.follow", "workspace.resume", "run.pause", "run.keep"}),
        (None, "lost", {"workspace.resume"}),
    ],
)
def test_footer_offers_the_possible_requests_to_the_job(
    live: JobState | None, stored: JobState, offered: set[str]
) -> None:
    training = None if live is None else view([*training_events(), StateChanged(live)])
    state = WorkspaceState(replace(facts(7), jobs=(job(1, "train", stored),)), training)
    assert JOB_ACTIONS - state.unavailable == offered


def test_footer_omits_actions_of_stations_without_results() -> None:
    assert WorkspaceState(facts(7)).unavailable == JOB_ACTIONS
    assert WorkspaceState(facts(0)).unavailable == JOB_ACTIONS | {
        "prompt.versions", "prompt.trial", "workspace.curate", "run.compare", "evaluation.open", "evaluation.history",
        "release.card",
    }  # fmt: skip
    assert WorkspaceState().unavailable == WorkspaceState(facts(0)).unavailable


def test_server_cannot_be_followed() -> None:
    state = WorkspaceState(facts(7), JobView(1, "serve"))
    assert state.job is not None
    state.job.apply(StampedEvent(0.0, StateChanged("running")))
    assert "workspace.follow" in state.unavailable


def test_unavailable_actions_are_footer_actions() -> None:
    footer = {f"{place}.{action.id}" for place, actions in ACTIONS.items() for action in actions if action.footer}
    assert WorkspaceState().unavailable <= footer


def test_clocks_advance_while_a_job_runs_or_a_dataset_is_frozen() -> None:
    running = view([StateChanged("running")])
    assert WorkspaceState(job=running).tick(1.0)
    assert not WorkspaceState(job=view([StateChanged("paused")])).tick(1.0)
    assert not WorkspaceState().tick(1.0)
    assert WorkspaceState(freezing=True).tick(1.0)
