"""`distill-tui projects`: what the list tells, and what is done to a whole project."""

from pathlib import Path

import pytest

from engine.jobs.locks import FileLock
from engine.paths import Home
from engine.project import Project
from tests.engine.cli.calling import fail, get, succeed


def listed(*words: str) -> list[str]:
    return [project["name"] for project in get("projects", "list", *words)["projects"]]


def test_the_list_says_where_a_project_stands(finished: Path) -> None:
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
        "trouble": "",
        "due": None,
    }
    assert "release: adapter of run 1" in succeed("projects", "list").out


def test_a_running_job_is_told_and_keeps_an_archived_project_in_sight(staged, home: Home) -> None:
    folder = staged("training")
    (project,) = get("projects", "list")["projects"]
    assert project["live_jobs"] == 1
    assert project["jobs"][0]["kind"] == "demo"
    assert project["jobs"][0]["seconds_left"] == 201.0
    assert "● demo" in succeed("projects", "list").out
    assert "jobs stop 1" in fail("projects", "archive", "meridian-desk", status=1)["next"]
    (folder / "archived").touch()  # as by a job that was started by name
    assert listed() == ["meridian-desk"]


def test_an_archived_project_is_out_of_the_list_until_it_is_restored(begun: Path) -> None:
    succeed("new", "other")
    assert get("projects", "archive", "meridian-desk") == {"archived": str(begun)}
    assert listed() == ["other"]
    assert sorted(listed("--all")) == ["meridian-desk", "other"]
    assert "1 archived; list them with --all" in succeed("projects", "list").out
    assert get("projects", "restore", "meridian-desk") == {"restored": str(begun)}
    assert sorted(listed()) == ["meridian-desk", "other"]


@pytest.mark.parametrize(("words", "examples", "runs"), [((), 0, 0), (("--with", "examples"), 40, 0),
                                                          (("--with", "runs"), 40, 1)])  # fmt: skip
def test_a_duplicate_has_what_was_asked_for_and_becomes_the_current_one(
    finished: Path, home: Home, words: tuple[str, ...], examples: int, runs: int
) -> None:
    made = get("projects", "duplicate", "meridian-desk", "twin", *words)
    assert made == {"project": "twin", "folder": str(home.projects / "twin")}
    assert get("status")["project"] == "twin"
    with Project.open(home.projects / "twin", home) as twin:
        assert twin.questions.count() == 48
        assert (twin.examples.counts().total, twin.runs.count()) == (examples, runs)


def test_a_duplicate_takes_no_name_that_is_taken_or_none(begun: Path) -> None:
    assert "taken" in fail("projects", "duplicate", "meridian-desk", "meridian-desk")["title"]
    fail("projects", "duplicate", "meridian-desk", "a b")
    fail("projects", "duplicate", "meridian-dsk", "twin")
    assert listed() == ["meridian-desk"]


@pytest.mark.parametrize("command", ["archive", "restore", "delete"])
def test_an_unknown_project_is_named_by_near_ones(begun: Path, command: str) -> None:
    assert "meridian-desk" in fail("projects", command, "meridian-dsk")["next"]


def test_a_damaged_project_is_deleted_like_a_sound_one(begun: Path) -> None:
    (begun / "project.db").write_text("nonsense " * 100)
    assert "Nothing was deleted." in succeed("projects", "delete", "meridian-desk", input="n\n").out
    (begun / "jobs" / "3").mkdir(parents=True)
    lock = FileLock.take(begun / "jobs" / "3" / "lock")
    assert lock is not None
    failed = fail("projects", "delete", "meridian-desk", "--yes", status=1)
    assert "Job 3" in failed["message"]
    assert "--force" in failed["next"]
    lock.release()
    assert get("projects", "delete", "meridian-desk", "--yes") == {"deleted": str(begun)}
    assert not begun.exists()


def test_what_lies_beside_a_file_that_is_no_project_is_not_deleted(begun: Path, tmp_path: Path) -> None:
    (tmp_path / "mine" / "jobs").mkdir(parents=True)
    (tmp_path / "mine" / "project.db").write_text("nonsense " * 100)
    assert "not a project" in fail("projects", "delete", str(tmp_path / "mine"), "--yes", status=1)["title"]
    assert (tmp_path / "mine" / "jobs").is_dir()


def test_a_project_is_kept_unless_a_person_says_yes(begun: Path) -> None:
    assert "Nothing was deleted." in succeed("projects", "delete", "meridian-desk", input="n\n").out
    assert listed() == ["meridian-desk"]
    assert get("projects", "delete", "meridian-desk", "--yes") == {"deleted": str(begun)}
    assert listed() == []
