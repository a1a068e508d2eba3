"""Checks, judging and previews read one consistent state while another process writes."""

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
from tests.engine.curation.conftest import GOOD, PROMPT, StoreAnswer


def write_after_reading(
    project: Project, monkeypatch: pytest.MonkeyPatch, table: str, write: Callable[[Project], None]
) -> None:
    """Let another connection call `write` right after `table` was read."""
    read = getattr(project, table).all

    def reading(*which: object) -> object:
        found = read(*which)
        with Project.open(project.folder) as other:
            write(other)
        return found

    monkeypatch.setattr(getattr(project, table), "all", reading)


def add_question_with_answer(other: Project) -> None:
    other.questions.add([Question((Message("user", "May I close it?"),), split="train")])
    key = ExampleKey(PROMPT.sha256, other.questions.all()[-1].id, "starter", 0)
    other.examples.add([Example(key, GOOD, "stop", "local")])


def test_answer_added_during_the_automatic_check_is_left_for_the_next_check(
    project: Project, store_answer: StoreAnswer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_answer(1)
    write_after_reading(project, monkeypatch, "questions", add_question_with_answer)
    assert check_examples(project) == AutomaticCounts(1, 0)


def test_answer_added_during_judging_is_left_for_the_next_judging(
    project: Project, store_answer: StoreAnswer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_answer(1)
    judge = TeacherSpec("endpoint", "m", "http://127.0.0.1:1/v1")
    project.settings.write(replace(project.settings.read(), judge=judge))
    (rule,) = project.rules.add([Rule(0, "Kind", Check("rubric"))])
    request = rubric_request(rule.rubric, project.questions.get(1), GOOD)
    project.judgements.add(judge.name, [(request_sha256(request), ("kept", ""))])
    write_after_reading(project, monkeypatch, "questions", add_question_with_answer)
    assert judge_examples(project, judge) == JudgedExamples(0)


def test_decision_made_during_a_preview_does_not_change_it(
    project: Project, store_answer: StoreAnswer, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(project, Selection(ids=(store_answer(1),)))
    write_after_reading(project, monkeypatch, "rules", lambda other: (reject(other, Selection(ids=(1,))), None)[1])
    assert preview(project, None).rows("train") == 1
