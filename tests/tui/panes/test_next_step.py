"""The next step at a station, with the keys that lead there from another pane."""

from dataclasses import replace

import pytest

from engine.paths import Home
from engine.project import Project
from engine.records.dataset import DatasetSummary
from engine.records.example import ExampleCounts
from engine.records.job import Job, JobState
from engine.records.options import ProjectSettings
from engine.records.prompt import Message, Prompt
from engine.records.rule import Check, Rule
from engine.records.station import Station, StationState
from tests.tui.piloting import SIZES, open_app, pane_text, wait_for_text
from tests.tui.seeds import make_stage
from tui.actions import PaneName
from tui.panes.parts import stale
from tui.panes.steps import next_step, step_from
from tui.services.facts import Facts


@pytest.mark.parametrize(
    ("shown", "state", "expected"),
    [
        ("evaluation", "ready", "e evaluate"),
        ("run", "ready", "6 e evaluate"),
        ("chat", "stale", "6 e evaluate again"),
        ("run", "running", "p pause, x stop"),  # these keys work everywhere
        ("run", "done", ""),
    ],
)
def test_step_shows_the_station_key_before_the_action_key(shown: PaneName, state: StationState, expected: str) -> None:
    station = Station("evaluation", state, 0, "")
    jobs = (Job(1, "evaluate", "running" if state == "running" else "done", "", "", "evaluation"),)
    assert step_from(shown, station, Facts("p", "/p", ProjectSettings(), (station,), jobs=jobs)) == expected


@pytest.mark.parametrize(
    ("state", "job", "expected"),
    [
        ("failed", "failed", "r resume"),
        ("failed", "lost", "r resume"),
        ("running", "paused", "r resume, x stop"),
        ("running", "waiting", "p pause, x stop"),
        ("done", "done", ""),
    ],
)
def test_next_step_depends_on_the_state_of_the_job(state: StationState, job: JobState, expected: str) -> None:
    station, other = Station("run", state, 1, ""), Station("evaluation", "failed", 0, "")
    facts = Facts("p", "/p", ProjectSettings(), (station, other), jobs=(Job(1, "train", job, "", "", "run"),))
    assert step_from("chat", station, facts) == expected
    assert step_from("chat", other, facts) == "6 e evaluate again", "its own job is not the newest"
    if state == "failed":
        assert next_step(facts) == expected


def test_ending_job_has_no_next_step() -> None:
    run, other = Station("run", "running", 1, ""), Station("questions", "running", 1, "")
    jobs = (Job(1, "train", "running", "", "", "run"), Job(2, "synthesize", "running", "", "", "questions"))
    facts = Facts("p", "/p", ProjectSettings(), (run, other), jobs=jobs, asked={1: "stopping"})
    assert step_from("chat", run, facts) == ""
    assert step_from("chat", other, facts) == "p pause, x stop", "the other job continues"


def test_other_jobs_are_controlled_in_the_job_list() -> None:
    run, release = Station("run", "running", 1, ""), Station("release", "running", 0, "")
    jobs = (Job(1, "export", "waiting", "", "", "release"), Job(2, "train", "running", "", "", "run"))
    facts = Facts("p", "/p", ProjectSettings(), (run, release), jobs=jobs)
    assert step_from("chat", run, facts) == "p pause, x stop"
    assert step_from("chat", release, facts) == "L jobs"


def test_next_steps_of_a_new_project_are_prompt_then_rules_then_questions() -> None:
    prompt, questions = Station("prompt", "done", 1, ""), Station("questions", "ready", 0, "")
    facts = Facts("p", "/p", ProjectSettings(), (prompt, questions))
    assert next_step(facts) == "1 R a add a rule"
    with_rules = replace(facts, rules=(Rule(1, "Close with a label.", Check("label", labels=("a",))),))
    assert next_step(with_rules) == "2 m import"
    with_questions = replace(
        facts, stations=(prompt, replace(questions, state="done", count=9), Station("examples", "ready", 0, ""))
    )
    assert next_step(with_questions) == "3 enter generate", "rules are not required"
    without_prompt = replace(
        with_questions, stations=(replace(prompt, state="empty", count=0), *with_questions.stations[1:])
    )
    assert next_step(without_prompt) == "1 e write it"


def test_changed_prompt_with_a_frozen_dataset_leads_to_an_update() -> None:
    older, newer = (Prompt((Message("system", text),)) for text in ("Old.", "New."))
    stations = (Station("prompt", "done", 2, ""), Station("examples", "stale", 40, ""))
    frozen = DatasetSummary("d", older.sha256, "starter", 26, 6, "")
    facts = Facts("p", "/p", ProjectSettings(), stations, prompt=newer, dataset=frozen)
    assert next_step(facts) == "B update"
    assert next_step(replace(facts, dataset=None)) == "3 enter generate"
    assert next_step(replace(facts, prompt=older)) == "3 enter generate", "only new questions are left to answer"


def test_undecided_answers_are_reviewed_before_the_others_are_frozen() -> None:
    examples, dataset = Station("examples", "done", 22, ""), Station("dataset", "ready", 0, "")
    facts = Facts("p", "/p", ProjectSettings(), (examples, dataset), examples=ExampleCounts(22, 1, 0, 21))
    assert next_step(facts) == step_from("chat", examples, facts) == "c review 21"
    assert step_from("chat", dataset, facts) == "", "it has to wait"
    none_accepted = replace(facts, stations=(examples, replace(dataset, state="empty")))
    assert next_step(replace(none_accepted, examples=ExampleCounts(22, 0, 0, 22))) == "c review 22"
    assert next_step(replace(facts, examples=ExampleCounts(22, 1, 21, 0))) == "4 z freeze"
    frozen = replace(
        facts, stations=(examples, replace(dataset, state="done", count=1), Station("run", "ready", 0, ""))
    )
    assert next_step(frozen) == "5 t train", "they were left out on purpose"


def test_added_question_is_split_before_it_is_answered() -> None:
    stations = (Station("questions", "ready", 30, ""), Station("examples", "done", 29, ""))
    assert next_step(Facts("p", "/p", ProjectSettings(), stations)) == "2 S split"


@pytest.mark.parametrize("size", SIZES)
async def test_every_page_whose_work_is_stale_says_why_and_what_is_first(home: Home, size: tuple[int, int]) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.prompts.set(Prompt((Message("system", "Answer in one sentence."),)))
    app = open_app(home, folder)
    async with app.run_test(size=size) as pilot:
        for key, why in (
            ("4", "made from an older prompt"),
            ("5", "its dataset is stale"),
            ("6", "measured with an older prompt"),
            ("7", "its run is stale"),
        ):
            await pilot.press(key)
            await wait_for_text(pilot, pane_text, f"◐ stale: {why}   next: B update")


@pytest.mark.parametrize("width", [20, 40, 80])
def test_why_a_station_is_stale_fits_the_page(width: int) -> None:
    stations = (Station("dataset", "stale", 1, "other examples are accepted now"), Station("run", "done", 1, ""))
    facts = Facts("p", "/p", ProjectSettings(), stations)
    (line,) = stale(facts, "dataset", width)
    assert line.cell_length <= width
    assert line.plain.startswith("◐ stale: other examples are accepted now   next: z freeze again"[: width - 1])
    assert stale(facts, "run", width) == []


def test_stale_station_waits_for_the_one_that_it_is_made_from() -> None:
    stations = (Station("dataset", "stale", 1, ""), Station("run", "stale", 1, ""), Station("release", "stale", 1, ""))
    facts = Facts("p", "/p", ProjectSettings(), stations)
    assert [step_from("prompt", station, facts) for station in stations] == ["4 z freeze again", "", ""]


def test_answers_are_asked_for_again_if_none_is_accepted() -> None:
    stations = (Station("examples", "done", 9, ""), Station("dataset", "stale", 1, ""), Station("run", "stale", 1, ""))
    facts = Facts("p", "/p", ProjectSettings(), stations, examples=ExampleCounts(9, 0, 9, 0))
    assert next_step(facts) == "3 enter generate"
    assert [step_from("prompt", station, facts) for station in stations] == ["3 enter generate", "", ""]


def test_nothing_is_next_while_a_job_runs_at_a_later_station() -> None:
    stations = (Station("dataset", "stale", 1, ""), Station("run", "running", 1, ""))
    assert next_step(Facts("p", "/p", ProjectSettings(), stations)) == ""
    assert next_step(Facts("p", "/p", ProjectSettings(), stations[:1])) == "4 z freeze again"
