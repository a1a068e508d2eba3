"""The home of the test, as the engine names it."""

from pathlib import Path

import pytest

from engine.paths import Home


@pytest.fixture
def home(private_home: Path) -> Home:
    return Home.locate(private_home)
