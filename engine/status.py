"""The status JSON: a project's stations and jobs, for other programs. Speaks no SQL."""

import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from engine.jobs.control_file import asked_of
from engine.jobs.follow import latest_state_at
from engine.jobs.heartbeat import heartbeat_age_s
from engine.records.job import LIVE_STATES, Job
from engine.records.station import Station

if TYPE_CHECKING:
    from engine.project import Project

_STORED_LATE_S = 1.0  # a job stores its time as it works, but not while it loads a model


def status_json(project: "Project", stations: Iterable[Station]) -> dict[str, object]:
    """Return what `status --json` prints, with the project's stations as they were read."""
    return {
        "project": project.name,
        "folder": str(project.folder),
        "stations": [
            {"name": station.name, "state": station.state, "count": station.count, "note": station.note}
            for station in stations
        ],
        "reminder": reminder_json(project),
        "spending": [asdict(spent) for spent in project.spending.all()],
        "jobs": [job_json(project, job) for job in project.jobs.all()],
    }


def reminder_json(project: "Project") -> dict[str, object]:
    """Return the day of the reminder to check the prompt (null: none is set), and whether it has come."""
    day = project.settings.remind_on()
    return {"date": day or None, "due": is_due(day)}


def is_due(day: str) -> bool:
    """Whether a day, as YYYY-MM-DD in local time, has come; False if it is empty."""
    return bool(day) and day <= datetime.now().astimezone().date().isoformat()


def job_json(project: "Project", job: Job) -> dict[str, object]:
    """Return one job with the fields of the status JSON."""
    age = heartbeat_age_s(project.folder / job.folder) if job.state in LIVE_STATES else None
    work = project.jobs.work(job.id).values()
    worked_s = sum(each.seconds for each in work)
    if job.state == "running" and worked_s < _STORED_LATE_S:
        begun_at = latest_state_at(project.folder / job.folder)
        worked_s = max(worked_s, time.time() - begun_at) if begun_at is not None else worked_s
    return {
        "id": job.id,
        "kind": job.kind,
        "pid": job.pid,
        "stage": job.stage,
        "state": job.state,
        "asked": asked_of(project.folder, job),
        "note": job.note,
        "progress": {"done": job.done, "total": job.total},
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "worked_s": round(worked_s, 3),
        "cost_usd": sum(each.cost_usd for each in work),
        "heartbeat_age_s": None if age is None else round(age, 3),
    }
