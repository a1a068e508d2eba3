"""A project over a tiny random model, and the environment of the installed program."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.paths import Home
from engine.project import Project
from engine.records.options import ProjectSettings, TeacherSpec
from engine.records.prompt import Message, Prompt
from engine.records.question import Question, Split
from tests.tiny import make_tiny_base

PROMPT = Prompt((Message("system", "Answer in one word."), Message("user", "a?"), Message("assistant", "b")))

_SPLITS: tuple[tuple[str, Split, int], ...] = (("a", "train", 40), ("b", "validation", 12), ("c", "test", 8))


@pytest.fixture
def home(private_home: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    # Jobs inherit this: several torch processes on few cores mostly wait for each other.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return Home.locate(private_home)


@pytest.fixture
def project(home: Home, tmp_path: Path) -> Iterator[Project]:
    """Sixty questions and a tiny model as teacher and student."""
    base = str(make_tiny_base(tmp_path / "base"))
    settings = ProjectSettings(student_base=base, teacher=TeacherSpec(model=base))
    with Project.create(home.projects / "survivor", settings, home) as project:
        project.prompts.set(PROMPT)
        project.questions.add(
            Question((Message("user", f"question {index} of {topic}?"),), topic=topic, split=split)
            for topic, split, count in _SPLITS
            for index in range(count)
        )
        yield project


def until(condition: Callable[[], bool], timeout_s: float = 180.0) -> None:
    """Wait for a condition; fail after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "timed out waiting for the condition"
        time.sleep(0.05)


def environment(home: Home) -> dict[str, str]:
    """The environment variables of the installed program."""
    return {**os.environ, "DISTILL_TUI_HOME": str(home.root), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
