"""Fixtures: a project with a prompt, rules and questions, a function that stores answers, and a tiny base."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from engine.model.chat_format import ChatFormat
from engine.paths import Home
from engine.project import Project
from engine.records.example import Example, ExampleKey, FinishReason
from engine.records.options import ProjectSettings
from engine.records.prompt import Message, Prompt
from engine.records.question import Question, Split
from engine.records.rule import Check, Rule
from tests.tiny import make_tiny_base

SYSTEM = (
    "You are the help desk of a small bank in the hills, and you answer every customer kindly and in short sentences "
    "without promising anything. End each answer with: Ask your branch before you act."
)
PROMPT = Prompt(
    (Message("system", SYSTEM), Message("user", "May I?"), Message("assistant", "Yes. Ask your branch before you act."))
)
RULES = (
    Rule(0, "End with the advice.", Check("ends_with", text="Ask your branch before you act.")),
    Rule(0, "At most 40 words.", Check("length", unit="words", max=40)),
)
GOOD = "Of course. Ask your branch before you act."


class StoreAnswer(Protocol):
    """Stores an answer and returns its id."""

    def __call__(
        self, question: int, text: str = GOOD, *, attempt: int = 0, local: bool = True, finish: FinishReason = "stop"
    ) -> int: ...


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("curation") / "tiny", context_length=512)


@pytest.fixture(scope="session")
def chat(base: Path) -> ChatFormat:
    return ChatFormat.load(base)


@pytest.fixture
def project(tmp_path: Path, base: Path) -> Iterator[Project]:
    settings = ProjectSettings(student_base=str(base))
    with Project.create(tmp_path / "bank", settings, Home.locate()) as project:
        project.prompts.set(PROMPT)
        project.rules.add(RULES)
        project.questions.add(Question((Message("user", f"May I open account number {n}?"),)) for n in range(1, 9))
        splits: tuple[Split, ...] = ("train", "train", "train", "train", "train", "validation", "test", "test")
        project.questions.set_splits(dict(enumerate(splits, start=1)))
        yield project


@pytest.fixture
def store_answer(project: Project, base: Path, chat: ChatFormat) -> StoreAnswer:
    """A function that stores an answer and returns its id."""

    def store(
        question: int, text: str = GOOD, *, attempt: int = 0, local: bool = True, finish: FinishReason = "stop"
    ) -> int:
        ids = tuple(chat.completion_ids(text))
        key = ExampleKey(PROMPT.sha256, question, str(base) if local else "peer @ https://peer/v1", attempt)
        kept = ids if finish == "stop" else ids[:-1]
        project.examples.add(
            [Example(key, text, finish, "local" if local else "endpoint", token_ids=kept if local else None)]
        )
        return max(curated.example.id for curated in project.examples.all())

    return store
