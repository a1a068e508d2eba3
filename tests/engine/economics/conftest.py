"""Fixtures: the project of a bank's help desk, with a prompt, rules and questions."""

from collections.abc import Iterator

import pytest

from engine.paths import Home
from engine.project import Project
from tests.tui.seeds import make_project


@pytest.fixture
def project(private_home: object) -> Iterator[Project]:
    with make_project(Home.locate()) as project:
        yield project
