"""Projects in each state, in the home of the test; the last made one is the current one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.folders import remember
from engine.paths import Home
from tests.tiny import make_tiny_base
from tests.tui.seeds import make_stage

STAGES = ("new", "generating", "training", "done", "hostile")


@pytest.fixture
def home(private_home: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    # Jobs inherit this: several torch processes on few cores spend their time waiting for each other.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return Home.locate(private_home)


@pytest.fixture
def staged(home: Home) -> Callable[[str], Path]:
    """Makes a project of `tests.tui.seeds` at the named stage; its folder."""

    def make(stage: str) -> Path:
        folder = make_stage(home, stage)
        remember(folder, home)
        return folder

    return make


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a project that came as far as a release; only to be copied."""
    root = tmp_path_factory.mktemp("finished")
    make_stage(Home.locate(root), "done")
    return root


@pytest.fixture
def finished(home: Home, private_home: Path, finished_once: Path) -> Path:
    """The folder of a project that came as far as a release: 48 questions, 40 answers of which 32 are accepted."""
    shutil.copytree(finished_once / "projects", private_home / "projects")
    return home.projects / "meridian-desk"


@pytest.fixture
def begun(staged: Callable[[str], Path]) -> Path:
    """The folder of a project with a prompt, four rules and 48 questions."""
    return staged("new")


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model on disk; never written to."""
    return make_tiny_base(tmp_path_factory.mktemp("models") / "tiny")
