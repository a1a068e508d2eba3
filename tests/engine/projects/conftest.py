"""The home of the test."""

import pytest

from engine.paths import Home


@pytest.fixture
def home() -> Home:
    return Home.locate()
