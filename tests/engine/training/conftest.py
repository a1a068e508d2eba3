"""A tiny model folder that the real loaders read, dataset rows for it, and a project."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.model.load import load_base
from engine.model.local_model import LocalModel
from engine.paths import Home
from engine.project import Project
from engine.records.dataset import DatasetRow
from engine.records.options import ProjectSettings
from engine.records.prompt import Message
from engine.records.question import Split
from tests.engine.training.trainer_helpers import PROMPT, RULES, MakeRow
from tests.tiny import make_tiny_base
from tests.trained import use_one_thread


@pytest.fixture(autouse=True)
def single_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    use_one_thread(monkeypatch)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("tiny") / "base", hidden_size=64)


@pytest.fixture
def local(model_folder: Path) -> LocalModel:
    return load_base(model_folder, device="cpu", dtype="float32")


@pytest.fixture
def make_row(local: LocalModel) -> MakeRow:
    """A row from texts; with `edited_from` None the teacher's distribution applies to the whole answer."""

    def make(
        number: int, question: str, answer: str, *, edited_from: int | None = None, split: Split = "train"
    ) -> DatasetRow:
        completion = tuple(local.format.completion_ids(answer))
        return DatasetRow(
            example_id=number,
            question_id=number,
            split=split,
            question_ids=tuple(local.format.question_ids([Message("user", question)])),
            completion_ids=completion,
            edited_from=len(completion) if edited_from is None else edited_from,
            fixed=(False,) * len(completion),
        )

    return make


@pytest.fixture
def rows(make_row: MakeRow) -> list[DatasetRow]:
    """Sixteen training rows and four validation rows."""
    train = [make_row(number, f"question {number}", "A" + "b" * (number % 5)) for number in range(1, 17)]
    return train + [make_row(number, f"question {number}", "Abb", split="validation") for number in range(17, 21)]


@pytest.fixture
def project(private_home: Path, model_folder: Path) -> Iterator[Project]:
    home = Home.locate()
    with Project.create(home.projects / "p", ProjectSettings(student_base=str(model_folder)), home) as project:
        project.prompts.set(PROMPT)
        project.rules.add(RULES)
        yield project
