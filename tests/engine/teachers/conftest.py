"""A small project to generate for: a prompt, two rules, twelve questions in three splits."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.paths import Home
from engine.project import Project
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.records.rule import Check, Rule


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "kind", home=Home.locate()) as made:
        made.prompts.set(Prompt((Message("system", "Be kind, and end with Bye."),)))
        made.rules.add([Rule(0, "End with Bye.", Check("ends_with", text="Bye."))])
        made.questions.add([Question((Message("user", f"Question {n}?"),), topic=f"t{n % 4}") for n in range(12)])
        splits = {q.id: "test" if q.id > 10 else "validation" if q.id > 8 else "train" for q in made.questions.all()}
        made.questions.set_splits(splits)
        yield made
