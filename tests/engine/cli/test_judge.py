"""`curate check` with a judge: how one is named and stored, and replies that cannot be read."""

from pathlib import Path

from engine.project import Project
from engine.records.options import TeacherSpec
from tests.engine.cli.calling import call, fail, get, succeed
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
    assert "judged" not in get("curate", "check")  # no judge is asked without --judge


def test_rules_that_nobody_judges_are_named(finished: Path) -> None:
    for text in ("Kind", "Calm"):
        get("rules", "add", text, "kind=rubric")
    assert get("curate", "check")["unjudged"] == [5, 6]
    said = succeed("curate", "check").err
    assert said == (
        "No judge has decided on rules 5, 6. Ask one: distill-tui curate check --judge "
        "--judge-model MODEL --judge-url URL\n"
    )
    assert "cannot be measured" not in call("evaluate", "--run", "99").err, "not beside another error"


def test_unreadable_verdicts_fail_and_decide_nothing(finished: Path) -> None:
    get("rules", "add", "Kind", "kind=rubric")
    before = get("curate", "list")
    with served(good("Well …")) as server:
        error = fail("curate", "check", "--judge-model", "m", "--judge-url", server.url, status=1)
    assert error["title"] == "The judge gave no verdicts."
    assert "not JSON" in error["message"]
    assert get("curate", "list") == before
