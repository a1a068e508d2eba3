"""`status`: its published fields at every stage of a project, and the actual state of jobs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.jobs.control_file import write_command
from engine.jobs.identity import own_identity
from engine.paths import Home
from engine.project import Project
from engine.records.options import GenerateOptions
from engine.records.station import STATIONS
from tests.engine.cli.calling import get, succeed
from tests.engine.cli.conftest import STAGES
from tests.engine.cli.shapes import STATUS, assert_shape
from tests.tui.seeds import add_job


def states() -> dict[str, str]:
    """The state of each station as the command reports it."""
    return {station["name"]: station["state"] for station in get("status")["stations"]}


@pytest.mark.parametrize("stage", STAGES)
def test_status_has_the_published_fields_at_every_stage(make_staged: Callable[[str], Path], stage: str) -> None:
    make_staged(stage)
    data = get("status")
    assert_shape(data, STATUS)
    assert data["project"] == "meridian-desk"
    assert [station["name"] for station in data["stations"]] == list(STATIONS)


def test_stations_become_ready_one_after_another(home: Home) -> None:
    succeed("new", "desk")
    assert set(states().values()) == {"empty"}
    succeed("prompt", "set", "-", input="Be brief.")
    assert states() | {"prompt": "done", "questions": "ready"} == states()
    succeed("questions", "import", "-", input="Is it open?\nWhere is it?\n")
    assert states() | {"prompt": "done", "questions": "ready", "examples": "empty"} == states()
    succeed("questions", "split")
    assert states() | {"prompt": "done", "questions": "done", "examples": "ready"} == states()


def test_stations_based_on_an_older_prompt_are_stale(finished: Path) -> None:
    assert states()["examples"] == "done"
    succeed("prompt", "set", "-", input="Another prompt.")
    assert states() == {"prompt": "done", "questions": "done"} | dict.fromkeys(STATIONS[2:], "stale")


def test_running_job_is_shown_with_its_progress(make_staged: Callable[[str], Path]) -> None:
    folder = make_staged("generating")
    with Project.open(folder) as project:
        project.jobs.update(1, done=57, total=480, started_at="2026-01-02T03:04:05+00:00")
    data = get("status")
    assert data["stations"][2]["state"] == "running"
    (job,) = data["jobs"]
    assert (job["id"], job["kind"], job["state"], job["pid"]) == (1, "generate", "running", own_identity().pid)
    assert job["progress"] == {"done": 57, "total": 480}
    assert job["started_at"] == "2026-01-02T03:04:05+00:00"
    assert "job 1 generate running 57 of 480" in succeed("status").out
    assert job["asked"] == ""
    with Project.open(folder) as project:
        write_command(folder / project.jobs.get(1).folder, "pause")
    assert "job 1 generate pausing 57 of 480" in succeed("status").out
    assert " pausing " in succeed("jobs", "list").out
    assert [(row["state"], row["asked"]) for row in get("jobs", "list")["jobs"]] == [("running", "pausing")]


@pytest.mark.parametrize("json_output", [False, True], ids=["text", "json"])
def test_job_without_its_process_is_reported_as_lost(new_project: Path, *, json_output: bool) -> None:
    with Project.open(new_project) as project:
        job = add_job(project, GenerateOptions(), "running")
        project.jobs.update(job.id, pid_started_at=1.0)
    if json_output:
        data = get("status")
        assert data["jobs"][0]["state"] == "lost"
        assert data["stations"][2]["state"] == "failed"
    else:
        shown = succeed("status").out
        assert "running" not in shown
        assert "jobs resume 1" in shown


def test_text_shows_every_station(finished: Path) -> None:
    data, shown = get("status"), succeed("status").out.splitlines()
    assert shown[0] == "meridian-desk"
    for line, station in zip(shown[1:], data["stations"], strict=True):
        assert station["name"].capitalize() in line
        assert station["state"] in line
        assert str(station["count"]) in line
        assert station["note"] in line


def test_text_names_the_folder_of_a_project_outside_the_home(home: Home, tmp_path: Path) -> None:
    succeed("new", "desk")
    assert succeed("status").out.splitlines()[0] == "desk"
    succeed("new", tmp_path / "elsewhere" / "desk")
    assert succeed("status").out.splitlines()[0] == f"desk  {tmp_path / 'elsewhere' / 'desk'}"
