"""Fixture: the private home of the test as the engine's `Home`."""

from pathlib import Path

import pytest

from engine.paths import Home


@pytest.fixture
def home(private_home: Path) -> Home:
    return Home.locate(private_home)
