"""Text that attacks a terminal is printed as visible characters, whoever wrote it and wherever it appears."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from engine.jobs.protocol import (
    AnswerEnded,
    Event,
    Metrics,
    Note,
    Progress,
    SampleAnswer,
    StageStarted,
    StateChanged,
    WorstTokens,
)
from engine.paths import Home
from engine.project import Project
from engine.records.evaluation import ArmScore
from engine.records.example import Example, ExampleKey
from engine.records.options import GenerateOptions, ProjectSettings, TeacherSpec
from engine.records.rule import CheckResult
from engine.records.run import WorstToken
from tests.engine.cli.calling import assert_clean, call, fail, find, get, succeed
from tests.engine.teachers.hostile_server import error, good, served, status
from tests.hostile import hostile
from tests.tui import seeds

HOSTILE = hostile("x")
# Markup stays text, and codes become visible characters.
SHOWN = ("[@click=app.quit]", "␛]52;c;aGk=␇", "␛[2J", "‹U+009B›31m", "‹U+202E›evil")


@pytest.fixture
def hostile_project(home: Home) -> Path:
    """A project in which every foreign text is hostile, including its evaluation and teacher."""
    with seeds.make_project(home) as project:
        seeds.add_hostile(project)
        prompt = project.prompts.current()
        assert prompt is not None
        question = project.questions.all()[-1]
        project.examples.add(
            [
                Example(
                    ExampleKey(prompt.prompt.sha256, question.id, "starter", 0),
                    HOSTILE,
                    "stop",
                    "local",
                    checks=(CheckResult(1, False, HOSTILE),),
                )
            ]
        )
        run_id = seeds.add_run(project, seeds.add_dataset(project), done=True)
        evaluation = seeds.add_evaluation(project, run_id)
        project.evaluations.add(
            dataclasses.replace(
                evaluation,
                arms=tuple((name, hostile_score(score)) for name, score in evaluation.arms),
                recovered=None,
                recovered_note=HOSTILE,
            )
        )
        project.settings.write(ProjectSettings(teacher=TeacherSpec("endpoint", HOSTILE, "https://llm.example.com/v1")))
        return project.folder


def hostile_score(score: ArmScore) -> ArmScore:
    rules = tuple(dataclasses.replace(rule, text=HOSTILE, kind=HOSTILE) for rule in score.rules)
    return dataclasses.replace(score, rules=rules)


@pytest.mark.parametrize(
    "args",
    ["prompt show", "rules list", "questions list", "curate list", "status", "jobs list --all", "report"],
)
def test_stored_text_is_printed_as_visible_characters(args: str, hostile_project: Path) -> None:
    shown = succeed(*args.split())  # every call checks that its output is clean
    printed = shown.out + shown.err
    assert any(text in printed for text in SHOWN), printed
    assert "evil" in printed or args == "report"


@pytest.mark.parametrize(
    "args",
    ["prompt versions", "prompt versions --diff 1 2", "questions dedupe --dry-run", "projects list",
     "estimate --model gpt-5 --requests-per-day 1", "doctor", "curate check", "curate undo"],
)  # fmt: skip
def test_other_commands_print_no_control_characters(args: str, hostile_project: Path) -> None:
    succeed(*args.split(), input=HOSTILE)


@pytest.mark.parametrize("args", ["rules test", "prompt check"])
def test_problems_are_printed_without_control_characters(args: str, hostile_project: Path) -> None:
    find(*args.split(), input=HOSTILE)


@pytest.mark.parametrize(
    ("args", "place"),
    [("prompt show", ("messages", 0, "content")), ("questions list", ("questions", -1, "text")),
     ("curate list", ("examples", -1, "answer")), ("rules list", ("rules", 0, "text"))],
)  # fmt: skip
def test_json_keeps_every_character(args: str, place: tuple[str | int, ...], hostile_project: Path) -> None:
    value: Any = get(*args.split())
    for step in place:
        value = value[step]
    assert isinstance(value, str)
    assert "\x1b[2J\x9b31m \u202eevil" in value


def test_hostile_prompt_is_stored_unchanged(home: Home) -> None:
    succeed("new", "desk")
    document = f"{HOSTILE}\n\n## User\n\n{HOSTILE}\n\n## Assistant\n\nNo."
    stored = get("prompt", "set", "-", "--note", HOSTILE, input=document)
    shown = get("prompt", "show")
    assert [message["content"] for message in shown["messages"]] == [HOSTILE, HOSTILE, "No."]
    assert shown["sha256"] == stored["sha256"]
    assert_clean(succeed("prompt", "show").out)


def test_arguments_in_errors_are_printed_as_visible_characters(new_project: Path) -> None:
    for args in (("prompt", "set", HOSTILE), ("status", "-p", HOSTILE), ("questions", "import", HOSTILE), (HOSTILE,),
                 ("models", "fetch", HOSTILE), ("new", HOSTILE),
                 ("rules", "add", "x", HOSTILE), ("jobs", "stop", HOSTILE), ("curate", "list", "--state", HOSTILE),
                 ("estimate", "--requests-per-day", "1", "--model", HOSTILE)):  # fmt: skip
        ended = call(*args)
        assert ended.status in (1, 2)
        assert "evil" in ended.err, args


def test_refused_files_are_reported_in_visible_characters(new_project: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(f"rules: [{{text: x, check: {{kind: '{HOSTILE[:18]}'}}, {HOSTILE[:9]}: 1}}]")
    fail("rules", "import", tmp_path / "rules.yaml")
    (tmp_path / "q.jsonl").write_text(f'{{"messages": [{{"role": "\\u001b[2J", "content": "x"}}]}}\n{HOSTILE}\n')
    refused = call("questions", "import", tmp_path / "q.jsonl")
    assert refused.err.count("refused, line") == 2
    assert "␛[2J" in refused.err or "\\x1b[2J" in refused.err


def test_replies_of_a_server_are_printed_as_visible_characters(home: Home) -> None:
    with served(good(HOSTILE), status("400 Bad Request", error(HOSTILE, HOSTILE))) as server:
        succeed("new", "desk", "--teacher", "peer", "--base-url", server.url)
        succeed("prompt", "set", "-", input="Be brief.")
        succeed("rules", "add", "Starts well", "kind=starts_with", "text=A")
        shown = succeed("prompt", "try", "Is it open?").out
        assert all(sign in shown for sign in SHOWN)
        fail("prompt", "try", "Is it open?", status=1)
        server.behaviours[:] = [good(f"1. {HOSTILE}\n2. {HOSTILE}2")]
        assert "evil" in succeed("questions", "synthesize", "--topics", "1", "--per-topic", "1").err


def test_events_of_a_job_are_printed_as_visible_characters(new_project: Path) -> None:
    with Project.open(new_project) as project:
        events: list[Event] = [
            StateChanged("running", HOSTILE),
            StageStarted("examples"),
            Progress(1, 2, HOSTILE, 3.0),
            Note(HOSTILE),
            SampleAnswer(1, HOSTILE, HOSTILE, False),
            WorstTokens(1, (WorstToken(1.0, 1, HOSTILE, HOSTILE, HOSTILE, HOSTILE),)),
            AnswerEnded("1/0", HOSTILE, False, HOSTILE),
            Metrics(1, 0.5, {"validation_kl": 0.5, "all_rules": 0.25, "asked": 4}),
            Metrics(2, 0.6, {"validation_kl": 0.4}, "cross-entropy"),
            Progress(2, 2, HOSTILE, 0.0),
        ]
        seeds.add_job(project, GenerateOptions(), "done", [*events, StateChanged("done")])
        seeds.add_job(project, GenerateOptions(), "failed", [*events, StateChanged("failed", HOSTILE)], HOSTILE)
    shown = succeed("jobs", "follow", "1")
    assert shown.err.count("evil") >= 4
    assert "epoch 0.5  validation KL 0.500, 1 of 4 answers pass" in shown.err
    assert "epoch 0.6  cross-entropy 0.400\n" in shown.err
    failure = fail("jobs", "follow", "2", status=1)
    assert failure["message"] == HOSTILE
