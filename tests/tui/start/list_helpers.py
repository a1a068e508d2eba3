"""Helpers for tests of the start screen: projects of a given age, running jobs, and reading the list."""

import os
import time
from pathlib import Path

from textual.pilot import Pilot

from engine.folders import DATABASE
from engine.jobs.protocol import Progress
from engine.paths import Home
from engine.project import Project
from engine.records.job import JobState
from engine.records.options import GenerateOptions, TrainOptions
from tests.tui.piloting import until
from tests.tui.seeds import add_job
from tui.screens.start.screen import StartScreen
from tui.widgets.page import Page


def set_age(folder: Path, seconds: float) -> None:
    """Make the project look as if it was last changed `seconds` ago."""
    changed_at = time.time() - seconds - 1
    os.utime(folder / DATABASE, (changed_at, changed_at))


def add_live_job(folder: Path, home: Home, state: JobState = "running") -> None:
    """Add a job in a live state, with this process as its worker."""
    options = TrainOptions(1) if state == "running" else GenerateOptions()
    with Project.open(folder, home) as project:
        job = add_job(project, options, state, [Progress(41, 100, seconds_left=180.0)])
        project.jobs.update(job.id, done=41, total=100)


def start_screen_of(pilot: Pilot[int]) -> StartScreen:
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, StartScreen))


async def wait_for_list(pilot: Pilot[int]) -> StartScreen:
    """Wait until the list of projects has been read; return its screen."""
    await until(pilot, lambda: any(isinstance(screen, StartScreen) for screen in pilot.app.screen_stack))
    screen = start_screen_of(pilot)
    await until(pilot, lambda: screen.state.projects is not None or bool(screen.state.trouble))
    await pilot.pause()
    return screen


def listed_names(screen: StartScreen) -> list[str]:
    return [row.name for row in screen.state.rows]


def selected_name(screen: StartScreen) -> str:
    return screen.state.chosen.name if screen.state.chosen is not None else ""


def page_text(screen: StartScreen, place: str) -> str:
    return screen.query_one(f"#{place}", Page).plain


async def select_project(pilot: Pilot[int], name: str) -> StartScreen:
    screen = await wait_for_list(pilot)
    await pilot.press("g")
    while selected_name(screen) != name:
        before = screen.state.at
        await pilot.press("j")
        assert screen.state.at != before, f"{name} is not listed"
    return screen
