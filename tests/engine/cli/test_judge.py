"""Naming a judge: once, whole, safely; and that it is kept where a command that wants one finds it."""

from pathlib import Path

from engine.project import Project
from engine.records.options import TeacherSpec
from tests.engine.cli.calling import fail, get
from tests.engine.teachers.hostile_server import good, served


def test_a_judge_is_named_whole_kept_and_asked_for_where_there_is_something_to_judge(begun: Path) -> None:
    assert "--judge-model" in fail("curate", "check", "--judge")["next"]
    assert "both" in fail("curate", "check", "--judge-model", "m")["next"]
    asked = ("curate", "check", "--judge-model", "m", "--judge-url")
    assert "not encrypted" in fail(*asked, "http://llm.example.com/v1")["title"]
    assert "No rule is a rubric" in fail(*asked, "http://127.0.0.1:1/v1")["message"]
    with Project.open(begun) as project:
        assert project.settings.read().judge == TeacherSpec("endpoint", "m", "http://127.0.0.1:1/v1")
    get("rules", "add", "Kind", "kind=rubric")
    assert get("curate", "check").keys() == {"accepted", "rejected"}  # nobody is asked by the way


def test_a_judge_that_says_nothing_readable_is_a_failure_and_nothing_is_decided(finished: Path) -> None:
    get("rules", "add", "Kind", "kind=rubric")
    before = get("curate", "list")
    with served(good("Well …")) as server:
        error = fail("curate", "check", "--judge-model", "m", "--judge-url", server.url, status=1)
    assert error["title"] == "The judge gave no verdicts."
    assert "not JSON" in error["message"]
    assert get("curate", "list") == before
