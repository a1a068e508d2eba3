"""`projects`: the list, and archiving, duplicating and deleting whole projects."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.jobs.locks import FileLock
from engine.paths import Home
from engine.project import Project
from tests.engine.cli.calling import fail, get, succeed


def listed(*args: str) -> list[str]:
    return [project["name"] for project in get("projects", "list", *args)["projects"]]


def test_list_shows_the_furthest_station(finished: Path) -> None:
    (project,) = get("projects", "list")["projects"]
    assert project.pop("changed_at").startswith("20")
    assert project == {
        "name": "meridian-desk",
        "folder": str(finished),
        "archived": False,
        "station": "release",
        "note": "adapter of run 1",
        "live_jobs": 0,
        "jobs": [],
        "failed": None,
        "trouble": "",
        "due": None,
        "current": True,
    }
    assert "release: adapter of run 1" in succeed("projects", "list").out


def test_failed_job_is_listed(make_staged: Callable[[str], Path]) -> None:
    make_staged("failed")
    assert succeed("projects", "list").out.rstrip().endswith("✗ generate failed")
    (project,) = get("projects", "list")["projects"]
    assert (project["failed"]["kind"], project["failed"]["state"]) == ("generate", "failed")


def test_running_job_is_listed_and_keeps_an_archived_project_visible(
    make_staged: Callable[[str], Path], home: Home
) -> None:
    folder = make_staged("training")
    (project,) = get("projects", "list")["projects"]
    assert project["live_jobs"] == 1
    assert project["jobs"][0]["kind"] == "demo"
    assert project["jobs"][0]["seconds_left"] == 201.0
    assert "● demo" in succeed("projects", "list").out
    assert "jobs stop 1" in fail("projects", "archive", "meridian-desk", status=1)["next"]
    (folder / "archived").touch()  # as if a job had been started later, by project name
    assert listed() == ["meridian-desk"]


def test_archived_project_is_hidden_until_it_is_restored(new_project: Path) -> None:
    succeed("new", "other")
    assert get("projects", "archive", "meridian-desk") == {"archived": str(new_project)}
    assert listed() == ["other"]
    assert sorted(listed("--all")) == ["meridian-desk", "other"]
    assert "1 archived; list them with --all" in succeed("projects", "list").out
    assert get("projects", "restore", "meridian-desk") == {"restored": str(new_project)}
    assert sorted(listed()) == ["meridian-desk", "other"]


@pytest.mark.parametrize(("args", "examples", "runs"), [((), 0, 0), (("--with", "examples"), 40, 0),
                                                          (("--with", "runs"), 40, 1)])  # fmt: skip
def test_duplicate_has_what_was_requested_and_becomes_current(
    finished: Path, home: Home, args: tuple[str, ...], examples: int, runs: int
) -> None:
    created = get("projects", "duplicate", "meridian-desk", "twin", *args)
    assert created == {"project": "twin", "folder": str(home.projects / "twin")}
    assert get("status")["project"] == "twin"
    with Project.open(home.projects / "twin", home) as twin:
        assert twin.questions.count() == 48
        assert (twin.examples.counts().total, twin.runs.count()) == (examples, runs)


def test_duplicate_refuses_taken_and_invalid_names(new_project: Path) -> None:
    assert "taken" in fail("projects", "duplicate", "meridian-desk", "meridian-desk")["title"]
    fail("projects", "duplicate", "meridian-desk", "a b")
    fail("projects", "duplicate", "meridian-dsk", "twin")
    assert listed() == ["meridian-desk"]


@pytest.mark.parametrize("command", ["archive", "restore", "delete"])
def test_unknown_project_is_refused_with_a_suggestion(new_project: Path, command: str) -> None:
    assert "meridian-desk" in fail("projects", command, "meridian-dsk")["next"]


def test_damaged_project_can_be_deleted_unless_a_job_holds_its_lock(new_project: Path) -> None:
    (new_project / "project.db").write_text("nonsense " * 100)
    assert "Nothing was deleted." in succeed("projects", "delete", "meridian-desk", input="n\n").out
    (new_project / "jobs" / "3").mkdir(parents=True)
    lock = FileLock.take(new_project / "jobs" / "3" / "lock")
    assert lock is not None
    error = fail("projects", "delete", "meridian-desk", "--yes", status=1)
    assert "Job 3" in error["message"]
    assert "--force" in error["next"]
    lock.release()
    assert get("projects", "delete", "meridian-desk", "--yes") == {"deleted": str(new_project)}
    assert not new_project.exists()


def test_folder_without_a_valid_project_is_not_deleted(new_project: Path, tmp_path: Path) -> None:
    (tmp_path / "mine" / "jobs").mkdir(parents=True)
    (tmp_path / "mine" / "project.db").write_text("nonsense " * 100)
    assert "not a project" in fail("projects", "delete", str(tmp_path / "mine"), "--yes", status=1)["title"]
    assert (tmp_path / "mine" / "jobs").is_dir()


@pytest.fixture
def two_projects(home: Home) -> tuple[Path, Path]:
    """An older and a newer project; the newer is the current one."""
    folders = Path(get("new", "zebra")["folder"]), Path(get("new", "ant")["folder"])
    for folder, when in zip(folders, (1_700_000_000, 1_800_000_000), strict=True):
        for path in folder.iterdir():
            os.utime(path, (when, when))
    return folders


def test_list_is_newest_first(two_projects: tuple[Path, Path]) -> None:
    rows = get("projects", "list")["projects"]
    assert [row["name"] for row in rows] == ["ant", "zebra"]
    assert [row["changed_at"][:4] for row in rows] == ["2027", "2023"]
    assert [row["live_jobs"] for row in rows] == [0, 0]
    assert [row["folder"] for row in rows] == [str(folder) for folder in reversed(two_projects)]
    lines = succeed("projects", "list").out.splitlines()
    assert [line.removeprefix("*").split()[0] for line in lines] == ["ant", "zebra"]


def test_unreadable_project_is_listed_with_the_reason(two_projects: tuple[Path, Path]) -> None:
    (two_projects[0] / "project.db").write_text("nonsense " * 100)
    troubles = {row["name"]: row["trouble"] for row in get("projects", "list")["projects"]}
    assert troubles["ant"] == ""
    assert "not a project" in troubles["zebra"]
    assert "not a project" in succeed("projects", "list").out


def test_delete_removes_only_the_named_project(two_projects: tuple[Path, Path]) -> None:
    assert get("projects", "delete", "zebra", "--yes") == {"deleted": str(two_projects[0])}
    assert [row["name"] for row in get("projects", "list")["projects"]] == ["ant"]
    assert not two_projects[0].exists()
    assert "zebra" in fail("projects", "delete", "zebra", "--yes")["message"]
    assert str(two_projects[1]) in succeed("projects", "delete", str(two_projects[1]), "--yes").out
    assert not two_projects[1].exists()


def test_delete_asks_for_confirmation(two_projects: tuple[Path, Path]) -> None:
    for answer in ("n\n", "\n"):
        assert "Nothing was deleted." in succeed("projects", "delete", "zebra", input=answer).out
        assert succeed("projects", "delete", "zebra", "--json", input=answer).data == {"deleted": None}
    assert fail("projects", "delete", "zebra", input="")["next"] == "Add --yes."  # stdin is closed: nobody can answer
    assert two_projects[0].exists()
    done = succeed("projects", "delete", "zebra", "--json", input="y\n")
    assert done.data == {"deleted": str(two_projects[0])}
    assert str(two_projects[0]) in done.err
    assert not two_projects[0].exists()


def test_delete_keeps_foreign_files(home: Home, two_projects: tuple[Path, Path]) -> None:
    (two_projects[0] / "thesis.txt").write_text("mine")
    succeed("projects", "delete", "zebra", "--yes")
    assert [path.name for path in two_projects[0].iterdir()] == ["thesis.txt"]
    with Project.open(two_projects[1], home) as project:
        assert project.check() == ()
