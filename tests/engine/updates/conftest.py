"""Fixture: the bank's project, with accepted answers and a dataset."""

from collections.abc import Iterator

import pytest

from engine.curation.automatic import check_examples
from engine.paths import Home
from engine.project import Project
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.rule import Check, Rule
from tests.engine.updates.bank_project import LONG_ANSWER, OLD_PROMPT, SHORT_ANSWER, TOPICS, add_answers, add_dataset


@pytest.fixture
def project() -> Iterator[Project]:
    """Six train and two validation questions; the first three have long answers; all are accepted and frozen."""
    home = Home.locate()
    with Project.create(home.projects / "bank", None, home) as project:
        project.prompts.set(OLD_PROMPT)
        project.rules.add([Rule(0, "At most 9 words", Check("length", max=9))])
        project.questions.add(
            Question((Message("user", f"Tell me about {topic} number {number}."),), topic=str(number),
                     split="train" if number < 6 else "validation")
            for number, topic in enumerate(TOPICS)
        )  # fmt: skip
        add_answers(
            project,
            OLD_PROMPT,
            {question.id: LONG_ANSWER if question.id < 4 else SHORT_ANSWER for question in project.questions.all()},
        )
        check_examples(project)
        add_dataset(project)
        yield project
