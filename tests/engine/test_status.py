"""The status JSON: its published fields, and the actual state of jobs."""

import json
import time

import pytest

from engine.jobs.heartbeat import HEARTBEAT_FILE
from engine.jobs.identity import boot_id, own_identity
from engine.jobs.liveness import mark_lost_jobs
from engine.paths import Home, make_private_folder
from engine.project import Project
from engine.records.options import GenerateOptions, TrainOptions
from engine.records.station import STATIONS
from engine.stations import read_stations
from engine.status import status_json


def test_status_json_has_the_published_fields() -> None:
    with Project.create(Home.locate().projects / "shown") as project:
        running = project.jobs.add(GenerateOptions())
        me = own_identity()
        project.jobs.update(
            running.id, state="running", pid=me.pid, pid_started_at=me.started_at, boot_id=me.boot_id,
            done=1, total=2, started_at="2026-01-01T00:00:00+00:00",
        )  # fmt: skip
        killed = project.jobs.add(TrainOptions(1))
        project.jobs.update(killed.id, state="running", pid=me.pid, pid_started_at=1.0, boot_id=me.boot_id)
        heartbeat = make_private_folder(project.folder / running.folder) / HEARTBEAT_FILE
        heartbeat.write_text(f"{time.monotonic() - 30} {boot_id()}")
        mark_lost_jobs(project)
        status = json.loads(json.dumps(status_json(project, read_stations(project))))
    assert status["project"] == "shown"
    assert [station["name"] for station in status["stations"]] == list(STATIONS)
    assert {tuple(station) for station in status["stations"]} == {("name", "state", "count", "note")}
    first, second = status["jobs"]
    assert first["heartbeat_age_s"] == pytest.approx(30, abs=5)
    expected = {"id": 1, "kind": "generate", "pid": me.pid, "state": "running", "progress": {"done": 1, "total": 2}}
    assert expected.items() <= first.items()
    assert first["started_at"] == "2026-01-01T00:00:00+00:00"
    assert (second["state"], second["heartbeat_age_s"]) == ("lost", None)
    assert status["stations"][4]["state"] == "failed"
