"""`curate check` with a judge: how one is named and stored, and replies that cannot be read."""

from pathlib import Path

from engine.project import Project
from engine.records.options import TeacherSpec
from tests.engine.cli.calling import fail, get
from tests.engine.teachers.hostile_server import good, served


def test_judge_needs_a_model_and_a_safe_url_and_is_stored(new_project: Path) -> None:
    assert "--judge-model" in fail("curate", "check", "--judge")["next"]
    assert "both" in fail("curate", "check", "--judge-model", "m")["next"]
    args = ("curate", "check", "--judge-model", "m", "--judge-url")
    assert "not encrypted" in fail(*args, "http://llm.example.com/v1")["title"]
    assert "No rule is a rubric" in fail(*args, "http://127.0.0.1:1/v1")["message"]
    with Project.open(new_project) as project:
        assert project.settings.read().judge == TeacherSpec("endpoint", "m", "http://127.0.0.1:1/v1")
    get("rules", "add", "Kind", "kind=rubric")
    assert get("curate", "check").keys() == {"accepted", "rejected"}  # no judge is asked without --judge


def test_unreadable_verdicts_fail_and_decide_nothing(finished: Path) -> None:
    get("rules", "add", "Kind", "kind=rubric")
    before = get("curate", "list")
    with served(good("Well …")) as server:
        error = fail("curate", "check", "--judge-model", "m", "--judge-url", server.url, status=1)
    assert error["title"] == "The judge gave no verdicts."
    assert "not JSON" in error["message"]
    assert get("curate", "list") == before
