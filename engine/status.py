"""The status JSON: a project's stations and jobs as others read them. Speaks no SQL."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from engine.jobs.liveness import reap
from engine.records.job import LIVE_STATES, Job

if TYPE_CHECKING:
    from engine.project import Project


def status_json(project: "Project") -> dict[str, object]:
    """What `status --json` prints. Jobs whose process is gone are marked so first."""
    reap(project)
    return {
        "project": project.name,
        "folder": str(project.folder),
        "stations": [
            {"name": station.name, "state": station.state, "count": station.count, "note": station.note}
            for station in project.stations()
        ],
        "jobs": [_job_json(project.folder, job) for job in project.jobs.all()],
    }


def heartbeat_age_s(folder: Path) -> float | None:
    """Seconds since the job of this folder last gave a sign of life, or None where it never did."""
    try:
        return max(0.0, time.time() - (folder / "heartbeat").stat().st_mtime)
    except OSError:
        return None


def _job_json(project_folder: Path, job: Job) -> dict[str, object]:
    age = heartbeat_age_s(project_folder / job.folder) if job.state in LIVE_STATES else None
    return {
        "id": job.id,
        "kind": job.kind,
        "pid": job.pid,
        "state": job.state,
        "note": job.note,
        "progress": {"done": job.done, "total": job.total},
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "heartbeat_age_s": None if age is None else round(age, 3),
    }
