"""The next step at a station, as the keys that a person who looks elsewhere would press."""

import pytest

from engine.records.job import Job, JobState
from engine.records.options import ProjectSettings
from engine.records.station import Station, StationState
from tui.actions import PaneName
from tui.screens.workspace.steps import next_step, step_from
from tui.services.facts import Facts


@pytest.mark.parametrize(
    ("shown", "state", "words"),
    [
        ("evaluation", "ready", "e measures"),
        ("run", "ready", "6 e measures"),
        ("chat", "stale", "6 e measures again"),
        ("run", "running", "p pauses, x ends"),  # these hold everywhere
        ("run", "done", ""),
    ],
)
def test_a_key_of_the_station_comes_after_the_key_that_goes_there(
    shown: PaneName, state: StationState, words: str
) -> None:
    station = Station("evaluation", state, 0, "")
    assert step_from(shown, station, Facts("p", "/p", ProjectSettings(), (station,))) == words


@pytest.mark.parametrize(
    ("state", "job", "words"),
    [
        ("failed", "failed", "r takes it up again"),
        ("failed", "lost", "r takes it up again"),
        ("running", "paused", "r goes on, x ends"),
        ("running", "waiting", "p pauses, x ends"),
        ("done", "done", ""),
    ],
)
def test_a_job_that_rests_or_failed_is_taken_up_again(state: StationState, job: JobState, words: str) -> None:
    station, other = Station("run", state, 1, ""), Station("evaluation", "failed", 0, "")
    facts = Facts("p", "/p", ProjectSettings(), (station, other), jobs=(Job(1, "train", job, "", "", "run"),))
    assert step_from("chat", station, facts) == words
    assert step_from("chat", other, facts) == "6 e measures again", "its own job is not the newest"
    if state == "failed":
        assert next_step(facts) == words


def test_nothing_is_to_be_done_about_a_job_that_is_ending() -> None:
    run, other = Station("run", "running", 1, ""), Station("questions", "running", 1, "")
    jobs = (Job(1, "train", "running", "", "", "run"), Job(2, "synthesize", "running", "", "", "questions"))
    facts = Facts("p", "/p", ProjectSettings(), (run, other), jobs=jobs, ending=frozenset({1}))
    assert step_from("chat", run, facts) == ""
    assert step_from("chat", other, facts) == "p pauses, x ends", "another job goes on"


def test_beside_a_job_that_is_watched_another_is_steered_in_the_list_of_jobs() -> None:
    run, release = Station("run", "running", 1, ""), Station("release", "running", 0, "")
    jobs = (Job(1, "export", "waiting", "", "", "release"), Job(2, "train", "running", "", "", "run"))
    facts = Facts("p", "/p", ProjectSettings(), (run, release), jobs=jobs)
    assert step_from("chat", run, facts) == "p pauses, x ends"
    assert step_from("chat", release, facts) == "L steers it"
