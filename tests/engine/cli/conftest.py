"""Projects at every stage, in the home of the test; the one created last is the current one."""

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
    # Jobs inherit this: several torch processes with many threads each slow each other down on few cores.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return Home.locate(private_home)


@pytest.fixture
def make_staged(home: Home) -> Callable[[str], Path]:
    """A function that creates a project of `tests.tui.seeds` at the named stage and returns its folder."""

    def make(stage: str) -> Path:
        folder = make_stage(home, stage)
        remember(folder, home)
        return folder

    return make


@pytest.fixture(scope="session")
def finished_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a project that has a release; read only, tests copy it."""
    root = tmp_path_factory.mktemp("finished")
    make_stage(Home.locate(root), "done")
    return root


@pytest.fixture
def finished(home: Home, private_home: Path, finished_template: Path) -> Path:
    """The folder of a project with a release, 48 questions, and 40 answers of which 32 are accepted."""
    shutil.copytree(finished_template / "projects", private_home / "projects")
    return home.projects / "meridian-desk"


@pytest.fixture
def new_project(make_staged: Callable[[str], Path]) -> Path:
    """The folder of a project with a prompt, four rules and 48 questions."""
    return make_staged("new")


@pytest.fixture
def input_files(tmp_path: Path) -> dict[str, str]:
    """Paths of files to import, by the placeholder that stands for them in a command line."""
    texts = {
        "PROMPT": "You answer for a bank. Be brief.",
        "RULES": "rules: [{text: Ends well, check: {kind: ends_with, text: .}}]",
        "QUESTIONS": "Is it open?\nWhere is it?\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return {name: str(tmp_path / name) for name in texts}


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model on disk; read only."""
    return make_tiny_base(tmp_path_factory.mktemp("models") / "tiny")
