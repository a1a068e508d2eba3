"""A shelf of projects in every state, and the app on its list."""

import os
import time
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.folders import DATABASE
from engine.jobs.identity import own_identity
from engine.jobs.log import EventLog
from engine.jobs.protocol import Progress
from engine.paths import Home, make_private_folder
from engine.project import Project
from engine.projects import archive
from engine.records.job import JobState
from engine.records.options import GenerateOptions, TrainOptions
from tests.tui.piloting import until
from tests.tui.seeds import add_dataset, add_evaluation, add_examples, add_run, make_project
from tui.app import DistillApp
from tui.screens.start.screen import StartScreen

HOUR_S = 3600.0


def age(folder: Path, seconds: float) -> None:
    """Let the project have been changed so long ago."""
    changed_at = time.time() - seconds - 1
    os.utime(folder / DATABASE, (changed_at, changed_at))


def set_to_work(folder: Path, home: Home, state: JobState = "running") -> None:
    """Give the project a job that this very process carries out."""
    me = own_identity()
    with Project.open(folder, home) as project:
        job = project.jobs.add(TrainOptions(1) if state == "running" else GenerateOptions())
        project.jobs.update(job.id, state=state, pid=me.pid, pid_started_at=me.started_at, boot_id=me.boot_id,
                            done=41, total=100)  # fmt: skip
        with EventLog(make_private_folder(folder / job.folder)) as log:
            log.append(Progress(41, 100, seconds_left=180.0))


@pytest.fixture(autouse=True)
def whole_list_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, the first list is the whole one."""
    monkeypatch.setattr("tui.services.projects.FIRST_SIGHT_S", float("inf"))


@pytest.fixture
def shelf(home: Home, private_home: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Eight projects: two at work, one archived, one that cannot be read, the others as far as they came."""
    monkeypatch.setenv("HOME", str(private_home.parent))
    with make_project(home, "meridian-desk") as project:
        add_examples(project)
        run_id = add_run(project, add_dataset(project), done=True)
        add_evaluation(project, run_id)
    with make_project(home, "insurance-claims") as project:
        add_examples(project)
        add_run(project, add_dataset(project), done=True)
    with make_project(home, "tone-of-voice") as project:
        add_examples(project)
    make_project(home, "triage").close()
    make_project(home, "support-2025").close()
    archive(home.projects / "support-2025", home)
    Project.create(home.projects / "scratch", home=home).close()
    make_project(home, "night-shift").close()
    broken = make_private_folder(home.projects / "from-a-colleague")
    (broken / DATABASE).write_text("no database " * 100)
    set_to_work(home.projects / "insurance-claims", home)
    set_to_work(home.projects / "night-shift", home, "waiting")
    for number, name in enumerate(
        ("night-shift", "meridian-desk", "tone-of-voice", "triage", "scratch", "from-a-colleague", "insurance-claims",
         "support-2025")
    ):  # fmt: skip
        age(home.projects / name, number * number * 3 * HOUR_S + 240)
    return home


@pytest.fixture
def app(home: Home) -> DistillApp:
    """Of several projects none was used last: the app begins with the list."""
    return DistillApp(home, None)


def screen_of(pilot: Pilot[int]) -> StartScreen:
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, StartScreen))


async def read(pilot: Pilot[int]) -> StartScreen:
    """Wait until the list was read."""
    await until(pilot, lambda: any(isinstance(screen, StartScreen) for screen in pilot.app.screen_stack))
    screen = screen_of(pilot)
    await until(pilot, lambda: screen.state.projects is not None or bool(screen.state.trouble))
    await pilot.pause()
    return screen
