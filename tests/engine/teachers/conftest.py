"""A small project to generate for, a misbehaving server, prices of one cent per token, and retries without waiting."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from engine.economics.prices import Prices
from engine.paths import Home
from engine.project import Project
from engine.records.prompt import Message, Prompt
from engine.records.question import Question, Split
from engine.records.rule import Check, Rule
from engine.teachers import budget
from engine.teachers.endpoint import EndpointTeacher
from tests.engine.teachers.hostile_server import HostileServer


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project with a prompt, a rule and twelve questions in three splits."""
    with Project.create(tmp_path / "kind", home=Home.locate()) as made:
        made.prompts.set(Prompt((Message("system", "Be kind, and end with Bye."),)))
        made.rules.add([Rule(0, "End with Bye.", Check("ends_with", text="Bye."))])
        made.questions.add([Question((Message("user", f"Question {n}?"),), topic=f"t{n % 4}") for n in range(12)])
        splits: tuple[Split, ...] = (*("train",) * 8, "validation", "validation", "test", "test")
        made.questions.set_splits(dict(enumerate(splits, start=1)))
        yield made


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    async with HostileServer() as running:
        yield running


@pytest.fixture
def cent_per_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each token of an answer costs one cent, and prompts cost nothing."""
    monkeypatch.setattr(budget, "prices_for", lambda *_: Prices(0.0, 10_000.0, 0.0))


@pytest.fixture
def no_retry_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EndpointTeacher, "_wait", lambda *_: 0.0)
