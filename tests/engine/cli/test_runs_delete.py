"""`runs delete`: removes a run and everything that belongs to it, completely or not at all, and nothing else."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.jobs.identity import own_identity
from engine.project import Project
from engine.records.evaluation import ArmAnswer
from engine.records.job import JobState
from engine.records.options import (
    DemoOptions,
    EvaluateOptions,
    ExportOptions,
    GenerateOptions,
    HarnessOptions,
    JobOptions,
    ServeOptions,
    SweepOptions,
    TrainOptions,
    Trial,
    UpdateOptions,
)
from engine.records.prompt import Message
from engine.records.run import Run, RunState
from engine.records.vote import Vote
from engine.store.votes import VoteTable
from tests.engine.cli.calling import call, fail, get, succeed


@pytest.fixture
def folder(finished: Path) -> Path:
    """The folder of run 1, with an adapter and a checkpoint."""
    run_folder = finished / "runs" / "1"
    for name in ("adapter/adapter_model.safetensors", "checkpoints/step-9/state"):
        (run_folder / name).parent.mkdir(parents=True, exist_ok=True)
        (run_folder / name).write_bytes(b"w" * 1_000_000)
    return run_folder


def add_run(project: Project, state: RunState = "done", *, after: int | None = None) -> Run:
    """Add a run, which starts from the adapter of run `after` if given."""
    first = project.runs.all()[0]
    run = project.runs.add(first.dataset_sha256, replace(first.config, initial_run_id=after))
    project.runs.update(run.id, state=state)
    return run


def add_job(project: Project, options: JobOptions, state: JobState, *, alive: bool = False) -> int:
    job, me = project.jobs.add(options), own_identity()
    project.jobs.update(job.id, state=state)
    if alive:
        project.jobs.update(job.id, pid=me.pid, pid_started_at=me.started_at, boot_id=me.boot_id)
    return job.id


def vote(left: str, right: str) -> Vote:
    return Vote((Message("user", "Why?"),), left, right, "So.", "Because.", "left", blind=True)


def rows_of_run(project: Project, run_id: int) -> dict[str, int]:
    """Count the rows of each table that reference the run."""
    connection = project._connection
    tables = [row[0] for row in connection.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    named = [t for t in tables if any(row["name"] == "run_id" for row in connection.rows(f"PRAGMA table_info({t})"))]
    found = {t: connection.number(f"SELECT count(*) FROM {t} WHERE run_id = ?", (run_id,)) for t in named}
    return {table: count for table, count in found.items() if count}


def test_delete_removes_all_data_of_the_run_and_its_number_is_not_reused(finished: Path, folder: Path) -> None:
    with Project.open(finished) as project:
        other = add_run(project)
        answer = ArmAnswer("distilled", 1, 0, "So.", "stop", (), 1, 1)
        project.evaluations.add_answers(1, "one", [answer])
        project.evaluations.add_answers(other.id, "other", [answer])
        for arms in (("run-1", "prompted"), ("run-2", "run-1@60"), ("run-1+prompt", "run-2"), ("run-11", "prompted")):
            project.votes.add(vote(*arms))
        assert {"evaluations", "curve_points", "releases", "arm_answers"} <= rows_of_run(project, 1).keys()
    data = get("runs", "delete", "1")
    assert (data["deleted"], data["evaluations"], data["votes"]) == (1, 1, 3)
    assert data["freed_mb"] == pytest.approx(2.0)
    assert not folder.exists()
    with Project.open(finished) as project:
        assert rows_of_run(project, 1) == {}
        assert [run.id for run in project.runs.all()] == [other.id]
        assert [each.left for each in project.votes.all()] == ["run-11"]
        assert len(project.evaluations.answers("other")) == 1
        project.runs.delete(other.id)
        assert project.check() == ()
        sha256 = project.datasets.require_latest().sha256
        assert project.runs.add(sha256, other.config).id == 3


def test_other_commands_work_after_the_only_run_is_deleted(finished: Path, folder: Path) -> None:
    succeed("runs", "delete", "1")
    stations = {station["name"]: station["state"] for station in get("status")["stations"]}
    assert (stations["dataset"], stations["run"]) == ("done", "ready")
    assert get("runs", "list") == {"runs": [], "half_deleted": []}
    assert fail("report")["title"] == "Nothing has been evaluated yet."
    for words in (
        ("export",),
        ("evaluate",),
        ("runs", "delete", "1"),
        ("train", "--run", "1"),
        ("export", "--run", "1"),
    ):
        fail(*words)
    succeed("jobs", "list", "--all")
    succeed("projects", "list")


JOBS_USING_RUN_1: list[JobOptions] = [
    TrainOptions(1),
    TrainOptions(2),  # starts from run 1's adapter
    SweepOptions((Trial(3, ""), Trial(1, ""))),
    EvaluateOptions(1),
    EvaluateOptions(3, arms=("run:1",)),
    EvaluateOptions(3, arms=("prompt_back", "checkpoint:1:9")),
    ExportOptions(1),
    HarnessOptions(1, ("ifeval",)),
    ServeOptions(1),
    DemoOptions(),
    UpdateOptions(),
]


@pytest.mark.parametrize("options", JOBS_USING_RUN_1, ids=repr)
@pytest.mark.parametrize("state", ["waiting", "running"])
def test_run_needed_by_a_live_job_is_not_deleted(
    finished: Path, folder: Path, options: JobOptions, state: JobState
) -> None:
    with Project.open(finished) as project:
        add_run(project, after=1)
        add_run(project)
        job = add_job(project, options, state, alive=True)
    error = fail("runs", "delete", "1", "--force", status=1)
    assert error["next"] == f"Wait for it to end, or stop it: distill-tui jobs stop {job}"
    assert folder.is_dir()
    with Project.open(finished) as project:
        assert project.runs.get(1).curve


@pytest.mark.parametrize(
    "options",
    [TrainOptions(3), EvaluateOptions(3, arms=("run:2",)), EvaluateOptions(11), ServeOptions(), GenerateOptions()],
    ids=repr,
)
def test_unrelated_live_job_does_not_block_deletion(finished: Path, folder: Path, options: JobOptions) -> None:
    with Project.open(finished) as project:
        add_run(project)
        add_run(project)
        add_job(project, options, "running", alive=True)
    succeed("runs", "delete", "1")


def test_run_that_others_depend_on_is_deleted_only_with_force(finished: Path, folder: Path) -> None:
    with Project.open(finished) as project:
        job = add_job(project, EvaluateOptions(1), "stopped")
        add_run(project, "stopped", after=1)
        released = finished / project.releases.all()[0].folder
    released.mkdir(parents=True)
    (released / "adapter_model.safetensors").write_bytes(b"r")
    error = fail("runs", "delete", "1", status=1)
    assert f"Job {job} (evaluate) is stopped" in error["message"]
    assert "Run 2 starts from its adapter and is stopped" in error["message"]
    assert str(released) in error["message"]
    assert error["next"] == "To delete it anyway: distill-tui runs delete 1 --force"
    assert folder.is_dir()
    assert f"Its release is kept in {released}" in succeed("runs", "delete", "1", "--force").out
    assert (released / "adapter_model.safetensors").is_file()
    with Project.open(finished) as project:
        assert project.jobs.get(job).note == "Run 1 was deleted."
        assert project.releases.all() == ()


def test_jobs_and_runs_that_no_longer_need_the_run_do_not_block_deletion(finished: Path, folder: Path) -> None:
    with Project.open(finished) as project:
        add_job(project, TrainOptions(1), "stopped")  # another job finished the run since
        add_job(project, EvaluateOptions(1), "lost")
        add_job(project, EvaluateOptions(1), "done")
        add_run(project, after=1)
        add_job(project, ServeOptions(1), "stopped")
    succeed("runs", "delete", "1")


@pytest.mark.parametrize("options", [TrainOptions(2), SweepOptions((Trial(1, ""), Trial(2, "")))], ids=repr)
def test_run_that_its_job_can_resume_is_deleted_only_with_force(finished: Path, options: JobOptions) -> None:
    with Project.open(finished) as project:
        add_run(project, "failed")
        add_job(project, options, "failed")
    assert "needs it to resume" in fail("runs", "delete", "2", status=1)["message"]
    succeed("runs", "delete", "2", "--force")


def link_the_run(folder: Path, elsewhere: Path) -> None:
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)


def link_all_runs(folder: Path, elsewhere: Path) -> None:
    folder.parent.rename(elsewhere)
    folder.parent.symlink_to(elsewhere)


def link_within(folder: Path, elsewhere: Path) -> None:
    (folder / "checkpoints").rename(elsewhere)
    (folder / "checkpoints").symlink_to(elsewhere)


@pytest.mark.parametrize("link", [link_the_run, link_all_runs, link_within])
def test_delete_does_not_follow_links(
    finished: Path, folder: Path, tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    link(folder, elsewhere := tmp_path / "elsewhere")
    before = [*elsewhere.rglob("*")]
    assert any(path.is_file() for path in before)
    data = get("runs", "delete", "1")
    assert [*elsewhere.rglob("*")] == before
    assert (data["elsewhere"] is None) == (link is link_within)
    assert not folder.is_symlink()
    assert get("runs", "list")["half_deleted"] == []


def test_link_to_another_run_leaves_that_run_intact(finished: Path, folder: Path) -> None:
    with Project.open(finished) as project:
        other = finished / add_run(project).folder
    shutil.copytree(folder, other)
    shutil.rmtree(folder)
    folder.symlink_to(other)
    get("runs", "delete", "1")
    assert (other / "adapter" / "adapter_model.safetensors").is_file()


@pytest.mark.parametrize("named", [".", "jobs", "runs", "runs/2"])
def test_folder_tampered_with_in_the_store_is_not_removed(finished: Path, folder: Path, named: str) -> None:
    with Project.open(finished) as project:
        add_run(project)
        (finished / "runs" / "2").mkdir()
        project._connection.write("UPDATE runs SET folder = ? WHERE id = 1", (named,))
    succeed("runs", "delete", "1")
    assert (finished / "project.db").is_file()
    assert (finished / "runs" / "2").is_dir()
    assert not folder.exists()


class Killed(BaseException):
    """An exception that no command catches."""


def test_kill_while_files_are_removed_is_reported_and_can_be_completed(
    finished: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path) -> None:
        (path / "adapter" / "adapter_model.safetensors").unlink()
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("engine.training.deleting.shutil.rmtree", killed)
        with pytest.raises(Killed):
            call("runs", "delete", "1")
    assert folder.is_dir()
    assert "Run 1 is deleted, but its files remain" in succeed("runs", "list").out
    assert get("runs", "list") == {"runs": [], "half_deleted": [1]}
    assert {station["name"]: station["count"] for station in get("status")["stations"]}["run"] == 0
    succeed("projects", "duplicate", "meridian-desk", "copy", "--with", "runs")
    assert get("runs", "list", "--project", "copy")["half_deleted"] == []
    assert get("runs", "delete", "1", "--project", "meridian-desk")["freed_mb"] == pytest.approx(1.0)
    assert not folder.exists()
    assert get("runs", "list", "--project", "meridian-desk")["half_deleted"] == []


def test_failed_file_removal_is_reported_and_can_be_retried(
    finished: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path / "checkpoints"))

    with monkeypatch.context() as patch:
        patch.setattr("engine.training.deleting.shutil.rmtree", refused)
        error = fail("runs", "delete", "1", status=1)
    assert "Permission denied" in error["message"]
    assert error["next"].endswith("distill-tui runs delete 1")
    succeed("runs", "delete", "1")
    assert not folder.exists()


def test_kill_before_the_database_is_updated_deletes_nothing(
    finished: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_table: VoteTable, _run_id: int) -> int:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(VoteTable, "remove_of_run", killed)
        with pytest.raises(Killed):
            call("runs", "delete", "1")
    assert folder.is_dir()
    with Project.open(finished) as project:
        assert project.runs.get(1).curve
        assert project.evaluations.latest(1) is not None
        assert project.runs.half_deleted() == ()
