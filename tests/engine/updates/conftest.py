"""The project of a bank, closed after each test."""

from collections.abc import Iterator

import pytest

from engine.curation.automatic import check_examples
from engine.paths import Home
from engine.project import Project
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.rule import Check, Rule
from tests.engine.updates.bank import LONG, OLD, SHORT, TOPICS, answer, freeze


@pytest.fixture
def project() -> Iterator[Project]:
    """Eight questions, six to train on, two to validate; the first three have long answers; all accepted and frozen."""
    home = Home.locate()
    with Project.create(home.projects / "bank", None, home) as made:
        made.prompts.set(OLD)
        made.rules.add([Rule(0, "At most 9 words", Check("length", max=9))])
        made.questions.add(
            Question((Message("user", f"Tell me about {topic} number {number}."),), topic=str(number),
                     split="train" if number < 6 else "validation")
            for number, topic in enumerate(TOPICS)
        )  # fmt: skip
        answer(made, OLD, {question.id: LONG if question.id < 4 else SHORT for question in made.questions.all()})
        check_examples(made)
        freeze(made)
        yield made
