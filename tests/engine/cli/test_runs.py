"""`runs list` and `runs free`: disk space of a run, and that only checkpoints no longer needed are removed."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.model.adapter_place import ADAPTER_FILES
from engine.project import Project
from engine.records.options import EvaluateOptions, GenerateOptions
from engine.records.run import KILLED, Run
from tests.engine.cli.calling import fail, get, succeed
from tests.tui.seeds import add_job

BYTES = 1_500_000


def write_run_files(folder: Path, run: Run) -> Path:
    """Write an adapter and two checkpoints into the run's folder; return the folder of the checkpoints."""
    for name in ADAPTER_FILES:
        (folder / run.folder / "adapter" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / run.folder / "adapter" / name).write_bytes(b"a")
    checkpoints = folder / run.folder / "checkpoints"
    for step in ("step-9", "step-18.tmp"):
        (checkpoints / step).mkdir(parents=True)
        (checkpoints / step / "optimizer.safetensors").write_bytes(b"o" * BYTES)
    return checkpoints


@pytest.fixture
def checkpoints(finished: Path) -> Path:
    with Project.open(finished) as project:
        return write_run_files(finished, project.runs.get(1))


def test_freeing_a_done_run_removes_checkpoints_and_keeps_the_adapter(finished: Path, checkpoints: Path) -> None:
    (row,) = get("runs", "list")["runs"]
    assert (row["id"], row["state"], row["best_step"], row["validation_kl"]) == (1, "done", 216, 0.12)
    assert row["measure"] == "KL"
    assert row["held_mb"] == pytest.approx(2 * BYTES / 1e6, abs=0.01)
    assert "validation KL 0.120, 15 of 16 answers pass" in succeed("runs", "list").out
    assert get("runs", "free", "1") == {"runs": [1], "freed_mb": 2 * BYTES / 1e6}
    assert not checkpoints.exists()
    assert {path.name for path in (checkpoints.parent / "adapter").iterdir()} == set(ADAPTER_FILES)
    assert get("report")["verdict"] == "pass"
    assert succeed("runs", "free", "--done").out == "Freed 0 MB from 1 run.\n"


def test_cross_entropy_is_named_as_such(finished: Path) -> None:
    with Project.open(finished) as project:
        first = project.runs.get(1)
        other = project.runs.add(first.dataset_sha256, first.config)
        project.runs.add_curve_point(other.id, replace(first.curve[-1], measure="cross-entropy"))
    assert [row["measure"] for row in get("runs", "list")["runs"]] == ["KL", "cross-entropy"]


def test_stopped_run_keeps_the_checkpoints_it_resumes_from(finished: Path, checkpoints: Path) -> None:
    with Project.open(finished) as project:
        stopped = project.runs.add(project.runs.get(1).dataset_sha256, project.runs.get(1).config)
        project.runs.update(stopped.id, state="stopped", step=9, steps=18)
        kept = write_run_files(finished, stopped)
    error = fail("runs", "free", "1", str(stopped.id), status=1)
    assert error["next"] == "Finish it first: distill-tui train --run 2"
    assert checkpoints.is_dir(), "all runs are checked before the first is freed"
    assert get("runs", "free", "--done")["runs"] == [1]
    assert kept.is_dir()


def test_checkpoints_that_a_job_may_need_are_not_freed(finished: Path, checkpoints: Path) -> None:
    with Project.open(finished) as project:
        for options in (EvaluateOptions(1), GenerateOptions()):
            add_job(project, options, "running")
    assert "(evaluate) is running" in fail("runs", "free", "1", status=1)["message"]
    assert checkpoints.is_dir()
    with Project.open(finished) as project:
        other = project.runs.add(project.runs.get(1).dataset_sha256, project.runs.get(1).config)
        project.jobs.update(project.jobs.all()[-2].id, state="done")
        add_job(project, EvaluateOptions(other.id), "running")
    succeed("runs", "free", "1")


def test_nothing_is_freed_outside_the_project(finished: Path, checkpoints: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    checkpoints.parent.rename(elsewhere)
    checkpoints.parent.symlink_to(elsewhere)
    assert "outside the project" in fail("runs", "free", "1", status=1)["title"]
    assert (elsewhere / "checkpoints" / "step-9").is_dir()


def test_repeated_run_number_counts_once(finished: Path, checkpoints: Path) -> None:
    assert get("runs", "free", "1", "1")["runs"] == [1]


def test_run_without_an_adapter_does_not_block_freeing_others(finished: Path, checkpoints: Path) -> None:
    with Project.open(finished) as project:
        first = project.runs.get(1)
        other = project.runs.add(first.dataset_sha256, first.config)
        project.runs.update(other.id, state="done")
    assert get("runs", "free", "--done")["runs"] == [1]


def test_checkpoints_are_kept_if_the_adapter_is_missing(finished: Path, checkpoints: Path) -> None:
    (checkpoints.parent / "adapter" / ADAPTER_FILES[0]).unlink()
    fail("runs", "free", "1")
    assert checkpoints.is_dir()


@pytest.mark.parametrize("args", [(), ("1", "--done"), ("9",), ("first",)], ids=str)
def test_invalid_arguments_free_nothing(args: tuple[str, ...], finished: Path, checkpoints: Path) -> None:
    fail("runs", "free", *args)
    assert checkpoints.is_dir()


def test_killed_run_is_listed_as_killed_with_its_time(finished: Path) -> None:
    with Project.open(finished) as project:
        project.runs.update(1, state="stopped", reason=KILLED, train_s=900.0)
    assert " killed  216 of 216" in (listed := succeed("runs", "list").out)
    assert "15 min" in listed
    assert get("runs", "list")["runs"][0]["state"] == "stopped"


def test_list_has_a_header(finished: Path) -> None:
    header, row = succeed("runs", "list").out.splitlines()
    assert header.split() == ["run", "state", "step", "best", "validation", "time", "disk"]
    assert row.index("216 of 216") == header.index("step")
