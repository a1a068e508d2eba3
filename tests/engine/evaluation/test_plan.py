"""The plan of an evaluation: which options and adapters share stored answers, and which questions a limit takes."""

import dataclasses
from pathlib import Path

from engine.evaluation.plan import make_plan
from engine.project import Project
from engine.records.prompt import Message
from engine.records.question import Question
from tests.engine.evaluation.evaluation_jobs import OPTIONS
from tests.trained import make_tiny_adapter


def test_answers_key_depends_on_sampling_options_and_adapter(project: Project, base: Path) -> None:
    key = make_plan(project, OPTIONS).key
    assert make_plan(project, dataclasses.replace(OPTIONS, limit=3, batch_rows=2)).key == key
    for changed in ({"temperature": 0.5}, {"seed": 1}, {"max_answer_tokens": 11}):
        assert make_plan(project, dataclasses.replace(OPTIONS, **changed)).key != key
    make_tiny_adapter(base, project.folder / "runs/1/adapter", seed=2)
    assert make_plan(project, OPTIONS).key != key


def test_limit_takes_questions_of_every_topic(project: Project) -> None:
    project.questions.remove(project.questions.ids())
    project.questions.add(
        Question((Message("user", f"{number} of {topic}?"),), topic=topic, split="test")
        for topic in "abcdef"
        for number in range(4)
    )
    before: set[int] = set()
    for limit in (6, 12, 99):
        chosen = make_plan(project, dataclasses.replace(OPTIONS, limit=limit)).questions
        assert before <= (before := {question.id for question in chosen}), "a larger limit only adds questions"
        assert len(chosen) == min(limit, 24)
        assert {question.topic for question in chosen} == set("abcdef")
