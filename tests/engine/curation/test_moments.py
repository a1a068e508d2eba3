"""What is read together is of one moment, whatever another process writes in between."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from engine.curation.automatic import AutomaticCounts, check_examples
from engine.curation.decisions import accept, reject
from engine.curation.freeze import preview
from engine.curation.judging import JudgedExamples, judge_examples
from engine.project import Project
from engine.records.example import Example, ExampleKey
from engine.records.options import TeacherSpec
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.rule import Check, Rule
from engine.records.selection import Selection
from engine.rules.judge import request_sha256, rubric_request
from tests.engine.curation.conftest import GOOD, PROMPT, Answer


def meanwhile(project: Project, monkeypatch: pytest.MonkeyPatch, table: str, write: Callable[[Project], None]) -> None:
    """Let another process write as soon as `table` was read whole."""
    read = getattr(project, table).all

    def reading(*which: object) -> object:
        found = read(*which)
        with Project.open(project.folder) as other:
            write(other)
        return found

    monkeypatch.setattr(getattr(project, table), "all", reading)


def an_answer_more(other: Project) -> None:
    other.questions.add([Question((Message("user", "May I close it?"),), split="train")])
    key = ExampleKey(PROMPT.sha256, other.questions.all()[-1].id, "starter", 0)
    other.examples.add([Example(key, GOOD, "stop", "local")])


def test_an_answer_that_comes_while_the_rules_decide_is_left_to_the_next_time(
    project: Project, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(1)
    meanwhile(project, monkeypatch, "questions", an_answer_more)
    assert check_examples(project) == AutomaticCounts(1, 0)


def test_an_answer_that_comes_while_the_judge_is_asked_is_left_to_the_next_time(
    project: Project, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(1)
    judge = TeacherSpec("endpoint", "m", "http://127.0.0.1:1/v1")
    project.settings.write(replace(project.settings.read(), judge=judge))
    (rule,) = project.rules.add([Rule(0, "Kind", Check("rubric"))])
    request = rubric_request(rule.rubric, project.questions.get(1), GOOD)
    project.judgements.add(judge.name, [(request_sha256(request), ("kept", ""))])
    meanwhile(project, monkeypatch, "questions", an_answer_more)
    assert judge_examples(project, judge) == JudgedExamples(0)


def test_what_is_decided_while_a_preview_is_made_is_no_part_of_it(
    project: Project, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(project, Selection(ids=(answer(1),)))
    meanwhile(project, monkeypatch, "rules", lambda other: (reject(other, Selection(ids=(1,))), None)[1])
    assert preview(project, None).rows("train") == 1
