"""The state of each station: the pure function, fact by fact, and once on a real project."""

from dataclasses import replace

import pytest

from engine.paths import Home
from engine.project import Project
from engine.records.dataset import DatasetSummary
from engine.records.example import Decision, Example, ExampleCounts, ExampleKey
from engine.records.job import JobState
from engine.records.options import (
    CalibrateOptions,
    EvaluateOptions,
    ExportOptions,
    GenerateOptions,
    HarnessOptions,
    TrainOptions,
)
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.records.run import TrainingConfig
from engine.records.station import STATIONS, Station
from engine.stations import StationFacts, judge, read_facts, read_stations
from tests.engine.store.sample_records import dataset

_DATASET = DatasetSummary("d2", "p2", "starter", 320, 40, "")
_COMPLETE = StationFacts(
    student_base="starter",
    prompt_sha256="p2",
    prompt_version=2,
    prompt_versions=2,
    rules=6,
    splits={"train": 320, "validation": 40, "test": 120},
    topics=40,
    examples=ExampleCounts(480, 360, 100, 20),
    accepted_sha256="a",
    datasets=2,
    dataset=_DATASET,
    dataset_accepted_sha256="a",
    runs=1,
    run_id=1,
    run_dataset_sha256="d2",
    run_note="run 1, done, step 100 of 100",
    run_made=True,
    evaluations=1,
    evaluation_run_id=1,
    evaluation_prompt_sha256="p2",
    evaluation_note="pass, run 1",
    releases=1,
    release_run_id=1,
    release_note="adapter of run 1",
)


def _states(facts: StationFacts) -> str:
    """The first letters of the seven states: empty, Ready, running (>), done, stale, failed (!)."""
    letters = {"empty": "e", "ready": "R", "running": ">", "done": "d", "stale": "s", "failed": "!"}
    return "".join(letters[station.state] for station in judge(facts))


_NO_ANSWERS = ExampleCounts(0, 0, 0, 0)
_EMPTY = StationFacts()
_PROMPT = replace(_EMPTY, prompt_sha256="p", prompt_version=1, prompt_versions=1)
_UNSPLIT = replace(_PROMPT, splits={None: 3}, topics=1)
_SPLIT = replace(_UNSPLIT, splits={"train": 2, None: 1})
_ANSWERED = replace(_SPLIT, examples=ExampleCounts(3, 0, 1, 2))
_ACCEPTED = replace(_SPLIT, examples=ExampleCounts(3, 1, 0, 2))


@pytest.mark.parametrize(
    ("facts", "states"),
    [
        (_EMPTY, "eeeeeee"),
        (_PROMPT, "dReeeee"),
        (replace(_EMPTY, splits={"train": 1}, topics=1), "edeeeee"),
        (_UNSPLIT, "dReeeee"),
        (replace(_UNSPLIT, splits={"test": 3}), "ddeeeee"),
        (_SPLIT, "dRReeee"),
        (_ANSWERED, "dRdeeee"),
        (_ACCEPTED, "dRdReee"),
        (replace(_COMPLETE, runs=0, run_id=0, run_made=False, evaluations=0, releases=0), "ddddRee"),
        (replace(_COMPLETE, run_made=False, evaluations=0, releases=0), "ddddRee"),
        (replace(_COMPLETE, evaluations=0, releases=0), "dddddRR"),
        (_COMPLETE, "ddddddd"),
        # A newer prompt makes everything after it stale, down to the release.
        (
            replace(_COMPLETE, prompt_sha256="p3", examples=_NO_ANSWERS, examples_of_older_prompts=480),
            "ddsssss",
        ),
        (replace(_COMPLETE, prompt_sha256="p3", examples=ExampleCounts(9, 9, 0, 0)), "dddssss"),
        (replace(_COMPLETE, questions_newer_than_examples=5), "ddsssss"),
        (replace(_COMPLETE, splits={"train": 320, None: 1}), "dRddddd"),
        (replace(_COMPLETE, accepted_sha256="b"), "dddssss"),
        (replace(_COMPLETE, student_base="other"), "dddssss"),
        (replace(_COMPLETE, run_dataset_sha256="d1"), "ddddsss"),
        (replace(_COMPLETE, run_id=2), "dddddss"),
        (replace(_COMPLETE, evaluation_prompt_sha256="p1"), "dddddsd"),
        (replace(_COMPLETE, evaluation_rules_changed=True), "dddddsd"),
        (replace(_COMPLETE, release_run_id=0), "dddddds"),
        # The state of a job takes precedence.
        (replace(_COMPLETE, live={"examples": "3 of 9"}), "dd>dddd"),
        (replace(_SPLIT, live={"examples": "waiting"}), "dR>eeee"),
        (replace(_COMPLETE, accepted_sha256="b", live={"run": "", "evaluation": ""}), "ddds>>d"),
        (replace(_COMPLETE, trouble={"examples": "no key", "evaluation": "out of memory"}), "dd!dd!d"),
        (replace(_COMPLETE, run_failed=True), "dddd!dd"),
        (replace(_COMPLETE, run_failed=True, live={"run": "again"}), "dddd>dd"),
    ],
)
def test_station_states_follow_from_the_facts(facts: StationFacts, states: str) -> None:
    assert _states(facts) == states
    assert tuple(station.name for station in judge(facts)) == STATIONS
    assert all(station.note for station in judge(facts) if station.state != "running")


def test_station_counts_and_notes() -> None:
    notes = {station.name: (station.count, station.note) for station in judge(_COMPLETE)}
    assert notes == {
        "prompt": (2, "version 2, 6 rules"),
        "questions": (480, "40 topics: train 320, validation 40, test 120"),
        "examples": (480, "360 accepted, 100 rejected, 20 undecided"),
        "dataset": (2, "train 320, validation 40"),
        "run": (1, "run 1, done, step 100 of 100"),
        "evaluation": (1, "pass, run 1"),
        "release": (1, "adapter of run 1"),
    }
    assert judge(_UNSPLIT)[1].note == "1 topic: 3 not split yet"
    assert judge(replace(_COMPLETE, trouble={"run": "NaN in step 3"}))[4].note == "NaN in step 3"


def test_unanswered_questions_are_noted() -> None:
    assert judge(replace(_ANSWERED, questions_unanswered=1))[2] == Station(
        "examples", "done", 3, "0 accepted, 1 rejected, 2 undecided; 1 question unanswered"
    )


def test_stopped_generation_leaves_answers_to_ask_for_until_a_dataset_is_frozen() -> None:
    stopped = replace(_ANSWERED, answers_missing=(19, 29))
    assert judge(stopped)[2] == Station("examples", "ready", 3, "stopped, 19 of 29 answers missing")
    assert judge(replace(stopped, answers_missing=(0, 29)))[2].state == "done"
    assert judge(replace(_COMPLETE, answers_missing=(19, 29)))[2].state == "done"


def test_states_of_a_real_project_at_every_station() -> None:
    old, new = Prompt((Message("system", "old"),)), Prompt((Message("system", "new"),))
    with Project.create(Home.locate().projects / "real") as project:
        assert read_facts(project) == StationFacts(
            student_base="starter", accepted_sha256=project.examples.accepted_sha256("")
        )

        def states() -> str:
            return _states(read_facts(project))

        project.prompts.set(old)
        project.questions.add([Question((Message("user", "Why?"),), topic="t", split="train")])
        assert states() == "ddReeee"
        job = project.jobs.add(GenerateOptions())
        assert states() == "dd>eeee"
        project.jobs.update(job.id, state="running", note="5 answers stored")
        waiting = project.jobs.add(GenerateOptions())
        project.jobs.update(waiting.id, note="job 1 (generate) of real asks for the same answers")
        assert read_stations(project)[2].note == "5 answers stored", "not the note of the one that waits"
        project.jobs.update(waiting.id, state="stopped")
        project.examples.add([Example(ExampleKey(old.sha256, 1, "starter", 0), "So.", "stop", "local")])
        project.decisions.decide([Decision(1, "accept", "person")])
        project.jobs.update(job.id, state="stopped", done=1, total=3)
        assert states() == "ddRReee"
        project.jobs.update(job.id, state="done")
        assert states() == "dddReee"
        frozen = dataset(prompt_sha256=old.sha256)
        project.datasets.add(frozen)
        assert states() == "ddddRee"
        run = project.runs.add(frozen.sha256, TrainingConfig("starter"))
        trained = project.jobs.add(TrainOptions(run.id))
        project.jobs.update(trained.id, state="lost", note="was killed")
        assert states() == "dddd!ee"
        project.jobs.update(trained.id, state="done")
        project.runs.update(run.id, state="done", step=5, steps=5, best_step=5)
        assert states() == "dddddRR"
        stopped_run = project.runs.add(frozen.sha256, TrainingConfig("starter"))
        project.runs.update(stopped_run.id, state="stopped", step=0, steps=5)
        assert project.runs.latest_trained() == project.runs.get(run.id)
        assert states() == "dddddRR", "a run without an adapter makes nothing stale"
        assert "run 2, stopped, step 0 of 5" in [station.note for station in read_stations(project)]
        project.releases.add("merged", run.id, "releases/merged-1", "abc")
        project.jobs.add(EvaluateOptions(run.id))
        assert states() == "ddddd>d"
        project.decisions.undo()
        assert states() == "dddss>s"
        project.decisions.redo()
        project.prompts.set(new)
        assert states() == "ddsss>s"
        assert read_stations(project)[2].count == 1


@pytest.mark.parametrize("state", ["failed", "lost", "done"])
def test_calibration_and_harness_jobs_change_no_state_once_they_end(state: JobState) -> None:
    home = Home.locate()
    with Project.create(home.projects / "real") as project:
        project.prompts.set(Prompt((Message("system", "one"),)))
        frozen = dataset(prompt_sha256=project.prompts.require().sha256)
        project.datasets.add(frozen)
        config = TrainingConfig("starter")
        run = project.runs.add(frozen.sha256, config)
        project.runs.update(run.id, state="done", step=5, steps=5, best_step=5)
        release = project.releases.add("merged", run.id, "releases/merged-1", "abc")
        before = [station.state for station in read_stations(project)]
        options = (CalibrateOptions(config, frozen.sha256), HarnessOptions(release.id, ("ifeval",)))
        for job_options in options:
            job = project.jobs.add(job_options)
            assert "running" in [station.state for station in read_stations(project)]
            project.jobs.update(job.id, state=state, note="no memory")
            assert [station.state for station in read_stations(project)] == before
        export = project.jobs.add(ExportOptions(run.id))
        project.jobs.update(export.id, state="failed", note="no room")
        project.jobs.update(project.jobs.add(options[1]).id, state=state)
        assert read_stations(project)[-1].note == "no room", "and hides no earlier failure"
