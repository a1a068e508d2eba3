"""The status JSON: its published fields, and the actual state of jobs."""

import json
import os
import time

import pytest

from engine.jobs.heartbeat import HEARTBEAT_FILE
from engine.jobs.identity import boot_id
from engine.jobs.liveness import mark_lost_jobs
from engine.paths import Home
from engine.project import Project
from engine.records.options import GenerateOptions, TrainOptions
from engine.records.station import STATIONS
from engine.stations import read_stations
from engine.status import status_json
from tests.tui.seeds import add_job


def test_status_json_has_the_published_fields() -> None:
    with Project.create(Home.locate().projects / "shown") as project:
        running = add_job(project, GenerateOptions(), "running")
        project.jobs.update(running.id, done=1, total=2, started_at="2026-01-01T00:00:00+00:00")
        killed = add_job(project, TrainOptions(1), "running")
        project.jobs.update(killed.id, pid_started_at=1.0)
        heartbeat = project.folder / running.folder / HEARTBEAT_FILE
        heartbeat.write_text(f"{time.monotonic() - 30} {boot_id()}")
        mark_lost_jobs(project)
        status = json.loads(json.dumps(status_json(project, read_stations(project))))
    assert status["project"] == "shown"
    assert [station["name"] for station in status["stations"]] == list(STATIONS)
    assert {tuple(station) for station in status["stations"]} == {("name", "state", "count", "note")}
    first, second = status["jobs"]
    assert first["heartbeat_age_s"] == pytest.approx(30, abs=5)
    expected = {
        "id": 1,
        "kind": "generate",
        "pid": os.getpid(),
        "state": "running",
        "progress": {"done": 1, "total": 2},
    }
    assert expected.items() <= first.items()
    assert first["started_at"] == "2026-01-01T00:00:00+00:00"
    assert (second["state"], second["heartbeat_age_s"]) == ("lost", None)
    assert status["stations"][4]["state"] == "failed"
