"""Fixtures that several modules of the panes share."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.curation.freeze import freeze, preview
from engine.paths import Home
from engine.project import Project
from engine.store.dataclass_json import encode
from engine.teachers import keys
from tests.tui.panes.dataset_helpers import CharacterTokenizer
from tests.tui.panes.prompt_helpers import LATER
from tests.tui.seeds import AT, make_project
from tui.services import program


@pytest.fixture
def project_without_prompt(home: Home) -> Path:
    with Project.create(home.projects / "desk", home=home) as project:
        return project.folder


@pytest.fixture
def prompt_project(home: Home) -> Path:
    """A project with two versions of its prompt."""
    with make_project(home) as project:
        project.prompts.set(LATER, "a small bank")
        return project.folder


@pytest.fixture
def no_api_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No API key or endpoint comes from the environment or the keyring."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(keys, "_from_keyring", lambda base_url: None)


@pytest.fixture
def freeze_commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Run the program's commands in this process; the arguments of each command, in order."""
    recorded: list[list[str]] = []

    def carry_out(args: list[str], folder: Path, home: Home, tell: Callable[[str], None]) -> program.Answer:
        recorded.append(args)
        with Project.open(folder, home) as project:
            if "--dry-run" in args:
                shown: program.Answer = json.loads(encode(preview(project, CharacterTokenizer())))
                return shown
            made = freeze(project, CharacterTokenizer(), allow_leaks="--allow-leaks" in args)
        rows = (len(made.split(split)) for split in ("train", "validation"))
        return dict(zip(("train", "validation"), rows, strict=True)) | {"sha256": made.sha256}

    monkeypatch.setattr(program, "carry_out", carry_out)
    monkeypatch.setattr("engine.curation.freeze.now_text", lambda: AT)
    return recorded
