"""`evaluate`: which run it measures, and what it refuses before a job starts."""

from pathlib import Path

import pytest

from engine.project import Project
from engine.records.options import EvaluateOptions
from engine.records.run import Run
from tests.engine.cli.calling import fail, get, succeed


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[EvaluateOptions]:
    """The evaluations that were started; none of them runs."""
    made: list[EvaluateOptions] = []
    monkeypatch.setattr("engine.cli.evaluate.start_and_follow", lambda _, options, **_rest: made.append(options))
    return made


def add_running_run(folder: Path) -> Run:
    """Add a run that is being trained; it has no adapter yet."""
    with Project.open(folder) as project:
        first = project.runs.all()[0]
        run = project.runs.add(first.dataset_sha256, first.config)
        project.runs.update(run.id, state="running", step=3, steps=9)
        return run


def place_adapter(folder: Path, run_id: int) -> None:
    adapter = folder / "runs" / str(run_id) / "adapter"
    adapter.mkdir(parents=True)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (adapter / name).write_text("{}")


def test_newest_run_with_an_adapter_is_evaluated_while_a_newer_one_trains(
    finished: Path, started: list[EvaluateOptions]
) -> None:
    place_adapter(finished, 1)
    newer = add_running_run(finished)
    succeed("evaluate", "--detach")
    assert [options.run_id for options in started] == [1] != [newer.id]


def test_rules_without_a_judge_are_named_unless_none_is_wanted(finished: Path, started: list[EvaluateOptions]) -> None:
    place_adapter(finished, 1)
    get("rules", "add", "Kind", "kind=rubric")
    assert "rule 5 cannot be measured" in succeed("evaluate", "--detach").err
    assert "cannot be measured" not in succeed("evaluate", "--no-judge", "--detach").err
    assert len(started) == 2


def test_run_without_an_adapter_is_refused_before_a_job_starts(finished: Path) -> None:
    newer = add_running_run(finished)
    for args in (("--run", newer.id), ("--run", newer.id, "--detach")):
        error = fail("evaluate", *args)
        assert error["title"] == f"Run {newer.id} has no adapter yet."
        assert error["next"] == "Wait for that."
    assert get("jobs", "list", "--all") == {"jobs": []}


def test_first_run_that_is_still_training_is_refused_before_a_job_starts(finished: Path) -> None:
    with Project.open(finished) as project:
        project.runs.update(1, state="running", step=3, steps=9, best_step=0)
    assert fail("evaluate", "--detach")["title"] == "Run 1 has no adapter yet."
    assert get("jobs", "list", "--all") == {"jobs": []}


def test_empty_split_is_refused_before_a_job_starts(finished: Path) -> None:
    place_adapter(finished, 1)
    with Project.open(finished) as project:
        project.questions.remove(question.id for question in project.questions.all(split="test"))
    assert fail("evaluate", "--detach", status=1)["title"] == "There are no questions to evaluate on."
    assert get("jobs", "list", "--all") == {"jobs": []}
