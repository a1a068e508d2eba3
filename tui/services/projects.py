"""Lists projects and starts the demo, off the drawing thread where it takes time."""

from pathlib import Path

from engine.paths import Home
from engine.projects import ProjectSummary as ProjectSummary
from engine.projects import last_used, list_projects


def last_project(home: Home) -> Path | None:
    """The folder of the project that was used last, or None."""
    return last_used(home)


def all_projects(home: Home) -> tuple[ProjectSummary, ...]:
    """Every project of this home, newest first."""
    return list_projects(home)


def start_demo(home: Home) -> Path:
    """Make the demo's project if need be, see that its job runs, and return its folder. Raises DistillError."""
    from engine.demo import ensure_demo_job, open_demo  # the first sight of a project does without it

    with open_demo(home, quick=False, fresh=False) as project:
        ensure_demo_job(project, quick=False)
        return project.folder
