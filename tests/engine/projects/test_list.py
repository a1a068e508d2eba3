"""The list of projects: stations, jobs, order, and projects that cannot be read."""

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from engine.errors import SchemaError
from engine.jobs.log import EventLog
from engine.jobs.protocol import AnswerDelta, Note, Progress
from engine.paths import Home, make_private_folder
from engine.project import Project
from engine.projects import ListedJob, find_project, list_projects, look
from engine.records.options import GenerateOptions, ServeOptions
from engine.store.schema import STEPS
from tests.engine.projects.support import make_empty, start_job
from tests.tui.seeds import add_dataset, add_evaluation, add_examples, add_run, make_project


def test_summary_names_the_furthest_station(home: Home) -> None:
    empty = make_empty(home, "empty")
    assert (look(empty, home).station, look(empty, home).note) == (None, "")
    summaries = []
    with make_project(home, "grows") as project:
        summaries.append(look(project.folder, home))
        add_examples(project)
        summaries.append(look(project.folder, home))
        sha256 = add_dataset(project)
        summaries.append(look(project.folder, home))
        add_run(project, sha256, done=False)
        summaries.append(look(project.folder, home))
        run_id = add_run(project, sha256, done=True)
        summaries.append(look(project.folder, home))
        add_evaluation(project, run_id)
        summaries.append(look(project.folder, home))
        project.releases.add("adapter", run_id, "releases/adapter-2", "ab" * 32)
        summaries.append(look(project.folder, home))
    assert [(summary.station, summary.note) for summary in summaries] == [
        ("questions", "48"),
        ("examples", "40, 32 accepted"),
        ("dataset", "32 frozen"),
        ("run", "1, step 88 of 216"),
        ("run", "2, done"),
        ("evaluation", "pass 1.03"),
        ("release", "adapter of run 2"),
    ]


def test_running_projects_come_first_then_the_most_recently_changed(home: Home) -> None:
    for age, name in enumerate(("newest", "new", "older", "oldest")):
        os.utime(make_empty(home, name) / "project.db", (2e9 - age * 60, 2e9 - age * 60))
    with Project.open(home.projects / "oldest", home) as project:
        start_job(project)
    with Project.open(home.projects / "older", home) as project:
        start_job(project)
    os.utime(home.projects / "oldest" / "project.db", (1e9, 1e9))
    assert [summary.name for summary in list_projects(home)] == ["older", "oldest", "newest", "new"]


def test_running_job_is_listed_with_progress_and_time_left(home: Home) -> None:
    with Project.create(home.projects / "busy", home=home) as project:
        number = start_job(project)
        with EventLog(make_private_folder(project.folder / "jobs" / str(number))) as log:
            log.append(Progress(20, 100, seconds_left=400.0))
            log.append(Progress(41, 100, seconds_left=180.0))
            log.append(AnswerDelta("1/0", 'says {"type":"Progress"} itself'))
            log.append(Note("and goes on"))
    assert look(project.folder, home).jobs == (ListedJob(number, "train", "running", 41, 100, 180.0),)


def test_waiting_job_is_listed(home: Home) -> None:
    with Project.create(home.projects / "busy", home=home) as project:
        project.jobs.add(GenerateOptions())
    assert [job.state for job in look(project.folder, home).jobs] == ["waiting"]


def test_killed_job_is_listed_as_such_and_its_stored_state_is_unchanged(home: Home) -> None:
    with Project.create(home.projects / "left", home=home) as project:
        project.jobs.update(start_job(project), pid=2**22 + 1)
        summary = look(project.folder, home)
        assert summary.jobs == ()
        assert summary.failed is not None
        assert (summary.failed.kind, summary.failed.state) == ("train", "lost")
        assert project.jobs.get(1).state == "running"


def test_last_job_is_listed_if_it_failed_and_no_longer_after_another(home: Home) -> None:
    with Project.create(home.projects / "left", home=home) as project:
        project.jobs.update(project.jobs.add(GenerateOptions()).id, state="failed")
        project.jobs.update(project.jobs.add(ServeOptions()).id, state="failed")
        assert look(project.folder, home).failed == ListedJob(1, "generate", "failed", 0, 0, None)
        project.jobs.update(project.jobs.add(GenerateOptions()).id, state="stopped")
        assert look(project.folder, home).failed is None


def test_unreadable_project_is_listed_with_the_reason(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    (home.projects / "broken").mkdir(parents=True)
    (home.projects / "broken" / "project.db").write_text("nonsense " * 100)
    (home.projects / "not-one").mkdir()
    make_empty(home, "newer")
    monkeypatch.setattr("engine.store.migrations.STEPS", STEPS[:-1])
    troubles = {summary.name: summary.trouble for summary in list_projects(home)}
    assert set(troubles) == {"broken", "newer"}
    assert troubles["broken"].startswith("This is not a project")
    assert "newer distill-tui" in troubles["newer"]
    with pytest.raises(SchemaError):
        find_project("newer", home)


def test_inaccessible_project_does_not_hide_others(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = make_empty(home, "secret")
    make_empty(home, "open")
    stat = Path.stat

    def refused(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if secret in self.parents:
            raise PermissionError(13, "Permission denied", str(self))
        return stat(self, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", refused)
    listed = {summary.name: summary.trouble for summary in list_projects(home)}
    assert "Permission denied" in listed["secret"]
    assert listed["open"] == ""


def test_empty_database_is_no_error_and_is_completed_when_opened(home: Home) -> None:
    """As left by a process killed before it wrote the schema."""
    (home.projects / "empty").mkdir(parents=True)
    (home.projects / "empty" / "project.db").touch()
    assert (look(home.projects / "empty", home).trouble, look(home.projects / "empty", home).note) == ("", "")
    find_project("empty", home).close()


@pytest.mark.parametrize(
    "messages",
    ["garbage", "[" * 100_000, "{}", '[{"role": "owner", "content": 1}]'],
    ids=["no JSON", "deep", "no list", "no message"],
)
def test_corrupt_prompt_does_not_hide_other_projects(home: Home, messages: str) -> None:
    broken = make_empty(home, "broken")
    make_empty(home, "well")
    with contextlib.closing(sqlite3.connect(broken / "project.db")) as driver, driver:
        driver.execute("INSERT INTO prompts VALUES (1, 'x', ?, '', 1, '')", (messages,))
    troubles = {project.name: project.trouble for project in list_projects(home)}
    assert "cannot be read" in troubles["broken"]
    assert not troubles["well"]
