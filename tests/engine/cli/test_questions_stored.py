"""`questions export` and `questions remove`: the round trip through a file, and what removal takes along or refuses."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.paths import Home
from engine.projects import find_project
from engine.questions.importers import import_questions
from engine.records.example import Example, ExampleKey
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from tests.engine.cli.calling import call, fail, get, succeed

QUESTIONS = (
    Question((Message("user", "Is it open?"),), "hours", "synthesis", label="yes", split="train"),
    Question((Message("user", "Two\nlines,\u2028“quoted”\nand \x9b2J"),), "hours", "q.csv", split="train"),
    Question((Message("user", "Hi"), Message("assistant", "Hello."), Message("user", "Bye")), "", "chat.jsonl"),
    Question((Message("user", '{"text": "not this"}'),), "7", "-", label="007", split="test"),
)


@pytest.fixture(autouse=True)
def desk(home: Home) -> None:
    """A project with questions of every kind."""
    succeed("new", "desk")
    with find_project("desk", home) as project:
        project.questions.add(QUESTIONS)


def questions(*args: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get("questions", "list", *args)["questions"]
    return found


def read_back(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("messages", "topic", "label", "split")}


def test_exported_questions_are_imported_unchanged(tmp_path: Path) -> None:
    before, file = questions(), tmp_path / "questions.jsonl"
    assert get("questions", "export", "--to", file) == {"path": str(file), "questions": 4}
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n")[:-1]]
    assert [{**line, "text": line["messages"][-1]["content"]} for line in lines] == before
    assert get("questions", "import", file)["added"] == 0
    succeed("new", "other")
    assert get("questions", "import", file)["added"] == 4
    assert [read_back(row) for row in questions()] == [read_back(row) for row in before]


words = st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(text=words, topic=words, label=words)
def test_any_imported_question_survives_the_round_trip(
    text: str, topic: str, label: str, home: Home, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    first.write_text(json.dumps({"text": text, "topic": topic, "label": label}) + "\n")
    read = import_questions(str(first)).questions
    with find_project("desk", home) as project:
        project.questions.remove(project.questions.ids())
        project.questions.add(read)
    if read:
        get("questions", "export", "--to", second, "--force")
        assert [replace(each, source="first.jsonl") for each in import_questions(str(second)).questions] == list(read)
        second.write_text(succeed("questions", "export", "--to", "-").out)
        assert [replace(each, source="first.jsonl") for each in import_questions(str(second)).questions] == list(read)


def test_export_takes_a_split_or_a_topic(tmp_path: Path) -> None:
    lines = succeed("questions", "export", "--to", "-", "--split", "train").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [1, 2]
    lines = succeed("questions", "export", "--to", "-", "--topic", "7").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [4]
    assert "this split" in fail("questions", "export", "--to", tmp_path / "q", "--split", "validation")["message"]
    assert "no topic" in fail("questions", "export", "--to", tmp_path / "q", "--topic", "none")["title"]
    assert not list(tmp_path.glob("q*"))


def test_export_overwrites_nothing_unasked(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text("mine")
    assert "--force" in fail("questions", "export", "--to", tmp_path / "q.jsonl")["next"]
    assert (tmp_path / "q.jsonl").read_text() == "mine"
    assert "Wrote 4 questions" in succeed("questions", "export", "--to", tmp_path / "q.jsonl", "--force").out
    refused = call("questions", "export", "--to", "-", "--json")
    assert (refused.status, refused.data["error"]["title"]) == (2, "Cannot combine --to - with --json.")
    succeed("new", "empty")
    assert "nothing to export" in fail("questions", "export", "--to", tmp_path / "none.jsonl")["title"]


def test_removed_questions_are_returned_and_can_be_imported_again() -> None:
    before = questions()
    done = get("questions", "remove", 3, 1, 3)
    assert (done["removed"], done["answers"]) == (2, 0)
    assert done["questions"] == [before[2], before[0]]
    assert [row["id"] for row in questions()] == [2, 4]
    assert "Removed 1 question." in succeed("questions", "remove", 2).out
    again = "\n".join(json.dumps(row) for row in done["questions"])
    assert get("questions", "import", "-", input=again)["added"] == 2
    assert [read_back(row) for row in questions()[1:]] == [read_back(before[2]), read_back(before[0])]


def test_unknown_number_removes_nothing() -> None:
    before = questions()
    for number in (77, 0, 10**30):
        assert fail("questions", "remove", 1, number)["next"]
    fail("questions", "remove")
    fail("questions", "remove", "first")
    assert questions() == before


def test_answered_questions_are_removed_only_by_force(home: Home) -> None:
    with find_project("desk", home) as project:
        sha256 = project.prompts.set(Prompt((Message("system", "Be brief."),))).prompt.sha256
        keys = [ExampleKey(sha256, number, "starter", attempt) for number, attempt in ((1, 0), (2, 0), (2, 1))]
        project.examples.add([Example(key, "Yes.", "stop", "local") for key in keys])
    error = fail("questions", "remove", 2, 3)
    assert error["title"] == "1 question would be removed with 2 answers."
    assert "--force" in error["next"]
    assert len(questions()) == 4
    assert succeed("questions", "remove", 2, 3, "--force").out == "Removed 2 questions, and 2 answers to them.\n"
    with find_project("desk", home) as project:
        assert project.questions.examples_of([1, 2]) == {1: 1}
    assert [row["id"] for row in questions()] == [1, 4]
