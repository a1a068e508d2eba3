"""Fixtures of the start screen: projects in every state, and the app without a last project."""

from pathlib import Path

import pytest

from engine.folders import DATABASE
from engine.paths import Home, make_private_folder
from engine.project import Project
from engine.projects import archive
from tests.tui.seeds import add_dataset, add_evaluation, add_examples, add_run, make_project
from tests.tui.start.list_helpers import add_live_job, set_age
from tui.app import DistillApp

HOUR_S = 3600.0


@pytest.fixture(autouse=True)
def complete_first_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the first list complete, however slow the machine is."""
    monkeypatch.setattr("tui.services.projects.FIRST_SIGHT_S", float("inf"))


@pytest.fixture
def eight_projects(home: Home, private_home: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Eight projects: two with live jobs, one archived, one unreadable, the others at different stations."""
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
    add_live_job(home.projects / "insurance-claims", home)
    add_live_job(home.projects / "night-shift", home, "waiting")
    for number, name in enumerate(
        ("night-shift", "meridian-desk", "tone-of-voice", "triage", "scratch", "from-a-colleague", "insurance-claims",
         "support-2025")
    ):  # fmt: skip
        set_age(home.projects / name, number * number * 3 * HOUR_S + 240)
    return home


@pytest.fixture
def app(home: Home) -> DistillApp:
    """The app, started on the list of projects because none was used last."""
    return DistillApp(home, None)
