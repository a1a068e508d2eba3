"""`curate freeze`: what it stores, its dry run, and what it refuses; only a tokenizer is loaded, no model."""

import shutil
from pathlib import Path

import pytest

from engine.paths import Home
from engine.project import Project
from engine.projects import find_project
from engine.records.example import Example, ExampleKey
from tests.engine.cli.calling import fail, get, succeed

PROMPT = "Say in one word, and never in two, what the bank would say to this."
LEAK = "Say in one word and never in two what the bank would say to this"


@pytest.fixture
def tiny_project(home: Home, tiny_base: Path) -> Project:
    """Sixteen accepted answers to a short prompt, and a base."""
    succeed("new", "tiny", "--base", str(tiny_base))
    succeed("prompt", "set", "-", input=PROMPT)
    succeed("questions", "import", "-", input="\n".join(f"Question {n}?" for n in range(16)))
    with find_project("tiny", home) as project:
        ids = [question.id for question in project.questions.all()]
        project.questions.set_splits(
            {number: "validation" if number > 12 else "train" if number > 2 else "test" for number in ids}
        )
        sha256 = project.prompts.versions()[0].prompt.sha256
        project.examples.add(
            [Example(ExampleKey(sha256, number, "peer", 0), f"Yes {number}.", "stop", "endpoint") for number in ids]
        )
    return project


def test_freeze_without_accepted_answers_is_refused(tiny_project: Project) -> None:
    error = fail("curate", "freeze", status=2)
    assert error["message"] == "16 answers: 0 accepted, 0 rejected, 16 undecided."
    assert "curate check" in error["next"]
    succeed("curate", "reject", "--state", "undecided")
    assert "distill-tui generate" in fail("curate", "freeze", status=2)["next"]
    succeed("prompt", "set", "-", input="Be brief.")
    assert fail("curate", "freeze", status=2)["message"] == "Answers to older versions of the prompt: 16."


def test_freeze_stores_accepted_answers_once_without_the_test_split(tiny_project: Project) -> None:
    succeed("curate", "check")
    first = get("curate", "freeze")
    assert (first["train"], first["validation"]) == (10, 4)
    assert get("curate", "freeze") == first
    assert first["sha256"][:12] in succeed("curate", "freeze").out
    succeed("curate", "reject", "3")
    second = get("curate", "freeze")
    assert second["train"] == 9
    assert second["sha256"] != first["sha256"]


def test_dry_run_reports_rows_and_refusals_and_freezes_nothing(tiny_project: Project) -> None:
    assert get("curate", "freeze", "--dry-run")["undecided"] == 16
    succeed("curate", "check")
    succeed("curate", "edit", "3", "-", input=f"I was told: {LEAK}")
    data = get("curate", "freeze", "--dry-run")
    assert data["train"] + data["validation"] == sum(topic["rows"] for topic in data["topics"])
    assert {topic["split"]: topic["rows"] for topic in data["topics"]} == {"train": 9, "validation": 4}
    assert (data["test"], data["lengths_checked"]) == (2, True)
    assert [(refusal["example_id"], refusal["kind"]) for refusal in data["refused"]] == [(3, "message")]
    assert LEAK in succeed("curate", "freeze", "--dry-run").out
    assert next(each for each in get("status")["stations"] if each["name"] == "dataset")["count"] == 0


def test_answer_that_repeats_the_prompt_is_refused_by_its_id(tiny_project: Project) -> None:
    succeed("curate", "check")
    succeed("curate", "edit", "3", "-", input=f"I was told: {LEAK}")
    error = fail("curate", "freeze", status=1)
    assert "example 3" in error["message"]
    succeed("curate", "reject", "3")
    assert get("curate", "freeze")["train"] == 9


def test_missing_base_is_reported_with_a_next_step(home: Home, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text("{}")
    succeed("new", "lost", "--base", base)
    shutil.rmtree(base)
    succeed("prompt", "set", "-", input="Be brief.")
    succeed("questions", "import", "-", input="Why?")
    assert fail("curate", "freeze")["title"] == "There are no answers to freeze.", "before the base is located"
    with find_project("lost", home) as project:
        key = ExampleKey(project.prompts.require().sha256, 1, "peer", 0)
        project.examples.add([Example(key, "So.", "stop", "endpoint")])
    succeed("curate", "accept", "1")
    assert "starter" in fail("curate", "freeze", status=1)["next"]
