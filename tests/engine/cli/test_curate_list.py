"""`curate list`: what it says about an answer as it is shown, and which answers its filters select."""

from pathlib import Path

import pytest

from engine.project import Project
from engine.records.example import Example, ExampleKey
from engine.records.prompt import Message
from engine.records.question import Question
from tests.engine.cli.calling import fail, get, succeed
from tests.tui import seeds


def test_an_edited_answer_is_listed_with_its_own_failed_rules(finished: Path) -> None:
    succeed("curate", "edit", "5", "-", input="RISK SCORE: 1. Come by today.")
    row = get("curate", "list")["examples"][4]
    assert row["broken_rules"] == [], "the generated answer failed rule 3"
    assert "rule 3" not in succeed("curate", "list", "--limit", "5").out
    succeed("curate", "edit", "1", "-", input="No.")
    row = get("curate", "list")["examples"][0]
    assert 1 in row["broken_rules"]


def test_a_removed_rule_is_no_longer_listed_as_failed(finished: Path) -> None:
    assert get("curate", "list")["examples"][4]["broken_rules"] == [3]
    succeed("rules", "remove", "3")
    assert get("curate", "list")["examples"][4]["broken_rules"] == []


def test_answers_are_found_by_their_text(finished: Path) -> None:
    data = get("curate", "list", "--contains", "YOUR LOANS")
    assert [row["id"] for row in data["examples"]] == list(range(17, 25))
    assert data["matching"] == 8
    assert get("curate", "list", "--contains", "unheard")["examples"] == []
    assert "showing 2 of 8" in succeed("curate", "list", "--contains", "your loans", "--limit", "2").err


@pytest.mark.parametrize("verb", ["list", "reject"])
def test_a_rule_or_topic_that_does_not_exist_is_refused(verb: str, finished: Path) -> None:
    assert fail("curate", verb, "--failing-rule", "77")["title"] == "There is no rule 77."
    error = fail("curate", verb, "--topic", "loan")
    assert (error["title"], error["next"]) == ("There is no topic “loan”.", "Did you mean loans?")
    assert fail("questions", "list", "--topic", "loan")["next"] == "Did you mean loans?"


def test_turns_and_cut_off_answers_are_marked(finished: Path) -> None:
    with Project.open(finished) as project:
        turns = (Message("user", "Is it open?"), Message("assistant", "Yes."), Message("user", "Until when?"))
        project.questions.add([Question(turns)])
        number = project.questions.all()[-1].id
        key = ExampleKey(seeds.PROMPT.sha256, number, "starter", 0)
        project.examples.add([Example(key, "RISK SCORE: 1. And then", "length", "local")])
    listed = succeed("curate", "list", "--contains", "and then").out
    assert "(3 turns) Until when?" in listed
    assert "(cut off; ended by length)" in listed
    assert "(3 turns) Until when?" in succeed("questions", "list").out
    assert "turns)" not in succeed("questions", "list", "--limit", "5").out
