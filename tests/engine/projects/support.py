"""Create an empty project, or a running job in a project."""

from pathlib import Path

from engine.paths import Home
from engine.project import Project
from engine.records.options import TrainOptions
from tests.tui.seeds import add_job


def make_empty(home: Home, name: str) -> Path:
    """Create an empty project and return its folder."""
    with Project.create(home.projects / name, home=home) as project:
        return project.folder


def start_job(project: Project) -> int:
    """Add a job that runs in this process, and return its id."""
    job = add_job(project, TrainOptions(1), "running")
    project.jobs.update(job.id, done=41, total=100)
    return job.id
