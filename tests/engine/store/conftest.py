"""A fresh project for every test, and the facts that most of them need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.paths import Home
from engine.project import Project
from engine.records.prompt import Message
from engine.records.question import Question
from tests.engine.store.facts import PROMPT, example


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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    return made
