"""Create an empty project, or a running job in a project."""

from pathlib import Path

from engine.jobs.identity import own_identity
from engine.paths import Home
from engine.project import Project
from engine.records.options import TrainOptions


def make_empty(home: Home, name: str) -> Path:
    """Create an empty project and return its folder."""
    with Project.create(home.projects / name, home=home) as project:
        return project.folder


def start_job(project: Project) -> int:
    """Add a job that runs in this process, and return its id."""
    job = project.jobs.add(TrainOptions(1))
    me = own_identity()
    project.jobs.update(job.id, state="running", pid=me.pid, pid_started_at=me.started_at, boot_id=me.boot_id,
                        done=41, total=100)  # fmt: skip
    return job.id
