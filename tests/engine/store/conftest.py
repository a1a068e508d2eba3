"""A new project for every test, and fixtures that fill it with questions and examples."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.paths import Home
from engine.project import Project
from engine.records.prompt import Message
from engine.records.question import Question
from tests.engine.store.sample_records import PROMPT, example


@pytest.fixture
def project() -> Iterator[Project]:
    home = Home.locate()
    with Project.create(home.projects / "facts") as made:
        yield made


@pytest.fixture
def twelve_questions(project: Project) -> None:
    """Give the project a prompt and twelve questions in three topics, unsplit."""
    project.prompts.set(PROMPT)
    project.questions.add(
        Question((Message("user", f"What is number {number}?"),), topic=f"topic {number % 3}") for number in range(12)
    )


@pytest.fixture
def twelve_examples(project: Project, twelve_questions: None) -> None:
    """Add one example per question, with ids 1 to 12, at a tenth of a dollar each."""
    project.examples.add([example(question.id, f"Number {question.id}.") for question in project.questions.all()])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    return made
