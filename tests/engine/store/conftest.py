"""A fresh project for every test, and the facts that most of them need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.paths import Home
from engine.project import Project
from engine.records.example import Example, ExampleKey, Usage
from engine.records.prompt import Message, Prompt
from engine.records.question import Question

PROMPT = Prompt((Message("system", "Answer in one line."),))


@pytest.fixture
def project() -> Iterator[Project]:
    home = Home.locate()
    with Project.create(home.projects / "facts") as made:
        yield made


@pytest.fixture
def asked(project: Project) -> Project:
    """With a prompt and twelve questions in three topics, unsplit."""
    project.prompts.set(PROMPT)
    project.questions.add(
        Question((Message("user", f"What is number {number}?"),), topic=f"topic {number % 3}") for number in range(12)
    )
    return project


@pytest.fixture
def answered(asked: Project) -> Project:
    """With one example for each question, ids 1 to 12, each at a tenth of a dollar."""
    asked.examples.add([example(question.id, f"Number {question.id}.") for question in asked.questions.all()])
    return asked


def example(question_id: int, answer: str, attempt: int = 0) -> Example:
    key = ExampleKey(PROMPT.sha256, question_id, "teacher", attempt)
    usage = Usage(prompt_tokens=10, completion_tokens=5, cost_usd=0.1)
    return Example(key, answer, "stop", "local", token_ids=(5, 70_000, question_id), usage=usage)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    return made
