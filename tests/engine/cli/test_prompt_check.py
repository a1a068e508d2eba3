"""`prompt check`: its findings, its exit status, prompts that are not in English, and the review of an endpoint."""

import json
from typing import Any

import pytest

from engine.paths import Home
from tests.engine.cli.calling import fail, find, get, succeed
from tests.engine.teachers.hostile_server import good, served

PROMPT = "Be brief.\n\nToday is 3 March 2025.\n\n## User\n\nIs it open?\n\n## Assistant\n\nYes, it is.\n"


@pytest.fixture(autouse=True)
def desk(home: Home) -> None:
    """A project without a prompt."""
    succeed("new", "desk", "--base", "owner/model")


def test_prompt_must_exist() -> None:
    assert "prompt set" in fail("prompt", "check")["next"]


def test_check_reports_each_finding_with_line_problem_and_advice() -> None:
    succeed("prompt", "set", "-", input=PROMPT)
    text, result = find("prompt", "check")
    found = result["findings"]
    assert [(row["kind"], row["line"], row["source"]) for row in found] == [
        ("vague", 1, "program"), ("variable", 3, "program"), ("short", 0, "program"),
    ]  # fmt: skip
    assert all(row["problem"] and row["advice"] for row in found)
    assert "line 3: changes with each request" in text
    assert "to the question" in text
    assert text.endswith("Line numbers are those of the prompt's text.\n")


FOREIGN = {
    "German": "Du bist der Schalter einer Bank. Beginne jede Antwort mit dem Namen der Filiale. Sei freundlich.",
    "Chinese": "你是一家银行的客服。每个回答都必须以分行名称开头。不要使用表格。请保持简短和友好。",
}


def told(*command: str) -> tuple[str, dict[str, Any]]:
    return succeed(*command).out, get(*command)


def test_check_passes_a_prompt_without_problems() -> None:
    demands = "\n".join(f"- Answer requests for form {number} with its number." for number in range(60))
    succeed("prompt", "set", "-", input=f"You answer for a bank. Use at most 40 words.\n\n{demands}")
    assert get("prompt", "check") == {"findings": [], "unread_language": ""}
    assert succeed("prompt", "check").out == "Nothing found.\n"


def test_prompt_that_is_only_short_passes() -> None:
    succeed("prompt", "set", "-", input="You answer for a bank. Answer in at most 40 words.")
    text, result = told("prompt", "check")
    assert [row["kind"] for row in result["findings"]] == ["short"]
    assert "the prompt: short" in text


@pytest.mark.parametrize("language", FOREIGN)
def test_check_and_proposals_say_that_a_prompt_is_not_in_english(language: str) -> None:
    succeed("prompt", "set", "-", input=FOREIGN[language])
    for text, result in (told("prompt", "check"), told("rules", "propose")):
        assert f"The prompt seems to be in {language}" in text
        assert result["unread_language"] == language
    succeed("prompt", "set", "-", input="You answer for a bank. Answer in at most 40 words.")
    for text, result in (told("prompt", "check"), told("rules", "propose")):
        assert "seems" not in text
        assert result["unread_language"] == ""


def test_local_teacher_cannot_check_the_prompt_or_propose_rules() -> None:
    succeed("prompt", "set", "-", input="Be brief.")
    assert "--teacher" in fail("prompt", "check", "--teacher")["next"]
    assert "--teacher" in fail("rules", "propose", "--teacher")["next"]


def test_findings_of_an_endpoint_are_added_to_those_of_the_program() -> None:
    finding = {"kind": "contradiction", "quote": "Be long.", "other_quote": "Be brief.", "problem": "p", "advice": "a"}
    with served(good(json.dumps({"findings": [finding]}))) as server:
        succeed("new", "judged", "--teacher", "peer", "--base-url", server.url)
        succeed("prompt", "set", "-", input="Be brief.\n\nBe long.")
        text, result = find("prompt", "check", "--teacher")
        found = result["findings"]
        assert [(row["source"], row["line"]) for row in found if row["kind"] == "contradiction"] == [("teacher", 3)]
        assert {row["source"] for row in found} == {"program", "teacher"}
        assert "from the teacher" in text
        server.behaviours[:] = [good("I would rather not.")]
        assert "cannot be read" in fail("prompt", "check", "--teacher", status=1)["title"]
