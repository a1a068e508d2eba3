"""The project that the tests of the review use."""

from pathlib import Path

import pytest

from engine.paths import Home
from tests.tui.curate.review_helpers import make_reviewed_project


@pytest.fixture
def folder(home: Home) -> Path:
    """A project with twenty answers, the last five undecided."""
    return make_reviewed_project(home)
