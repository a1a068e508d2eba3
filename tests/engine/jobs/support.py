"""Helpers shared by the tests of jobs."""

import time
from collections.abc import Callable
from pathlib import Path

from engine.records.options import GenerateOptions, TeacherSpec

STAGES_FOLDER = str(Path(__file__).parent)


def wait_until(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    """Return as soon as the condition is true; fail if it does not become true in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.01)


def options(stage: str, steps: int = 10) -> GenerateOptions:
    """The options that make `steps_worker` run one of its stages."""
    return GenerateOptions(teacher=TeacherSpec(model=stage), limit=steps)
