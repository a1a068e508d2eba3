"""Fixtures: a tiny random base, an adapter for it, and a project with a finished run that uses both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.paths import Home
from engine.project import Project
from tests.trained import make_tiny_adapter, make_tiny_base, make_trained_project, use_one_thread


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("models") / "tiny-base", default_system="You are tiny.")


@pytest.fixture(scope="session")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_adapter(base, tmp_path_factory.mktemp("adapter"))


@pytest.fixture
def single_threaded(monkeypatch: pytest.MonkeyPatch) -> None:
    use_one_thread(monkeypatch)


@pytest.fixture
def project(private_home: Path, single_threaded: None, base: Path, adapter: Path) -> Iterator[Project]:
    with make_trained_project(Home.locate(), base, adapter) as project:
        yield project
