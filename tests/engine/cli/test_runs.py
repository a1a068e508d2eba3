"""The runs command: what a run holds on the disk, and that only what is needed no more is given back."""

from pathlib import Path

import pytest

from engine.jobs.identity import own_identity
from engine.model.adapter_place import ADAPTER_FILES
from engine.project import Project
from engine.records.options import EvaluateOptions, GenerateOptions
from engine.records.run import Run
from tests.engine.cli.calling import fail, get, succeed

BYTES = 1_500_000


def place(folder: Path, run: Run) -> Path:
    """An adapter and two checkpoints in the run's folder; the folder of the checkpoints."""
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
        return place(finished, project.runs.get(1))


def test_a_finished_run_gives_back_its_checkpoints_and_keeps_its_adapter(finished: Path, checkpoints: Path) -> None:
    (row,) = get("runs", "list")["runs"]
    assert (row["id"], row["state"], row["best_step"], row["validation_kl"]) == (1, "done", 216, 0.12)
    assert row["held_mb"] == pytest.approx(2 * BYTES / 1e6, abs=0.01)
    assert "validation KL 0.120, all rules 94% of 16" in succeed("runs", "list").out
    assert get("runs", "free", "1") == {"runs": [1], "freed_mb": 2 * BYTES / 1e6}
    assert not checkpoints.exists()
    assert {path.name for path in (checkpoints.parent / "adapter").iterdir()} == set(ADAPTER_FILES)
    assert get("report")["verdict"] == "pass"
    assert succeed("runs", "free", "--done").out == "Freed 0 MB from 1 run.\n"


def test_a_run_that_goes_on_from_its_checkpoints_keeps_them(finished: Path, checkpoints: Path) -> None:
    with Project.open(finished) as project:
        stopped = project.runs.add(project.runs.get(1).dataset_sha256, project.runs.get(1).config)
        project.runs.update(stopped.id, state="stopped", step=9, steps=18)
        kept = place(finished, stopped)
    error = fail("runs", "free", "1", str(stopped.id), status=1)
    assert error["next"] == "Finish it first: distill-tui train --run 2"
    assert checkpoints.is_dir(), "all are looked at before the first is freed"
    assert get("runs", "free", "--done")["runs"] == [1]
    assert kept.is_dir()


def test_while_a_job_may_need_checkpoints_none_is_freed(finished: Path, checkpoints: Path) -> None:
    me = own_identity()
    with Project.open(finished) as project:
        for options in (EvaluateOptions(1), GenerateOptions()):
            job = project.jobs.add(options)
            project.jobs.update(job.id, state="running", pid=me.pid, pid_started_at=me.started_at, boot_id=me.boot_id)
    assert "(evaluate) is running" in fail("runs", "free", "1", status=1)["message"]
    assert checkpoints.is_dir()
    with Project.open(finished) as project:
        project.jobs.update(project.jobs.all()[-2].id, state="done")
    succeed("runs", "free", "1")


def test_nothing_is_freed_behind_a_link(finished: Path, checkpoints: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    checkpoints.parent.rename(elsewhere)
    checkpoints.parent.symlink_to(elsewhere)
    assert "outside the project" in fail("runs", "free", "1", status=1)["title"]
    assert (elsewhere / "checkpoints" / "step-9").is_dir()


def test_a_number_that_is_told_twice_is_one_run(finished: Path, checkpoints: Path) -> None:
    assert get("runs", "free", "1", "1")["runs"] == [1]


def test_a_run_that_lost_its_adapter_keeps_no_other_from_giving_back(finished: Path, checkpoints: Path) -> None:
    with Project.open(finished) as project:
        first = project.runs.get(1)
        other = project.runs.add(first.dataset_sha256, first.config)
        project.runs.update(other.id, state="done")
    assert get("runs", "free", "--done")["runs"] == [1]


def test_without_an_adapter_the_checkpoints_are_all_that_there_is(finished: Path, checkpoints: Path) -> None:
    (checkpoints.parent / "adapter" / ADAPTER_FILES[0]).unlink()
    fail("runs", "free", "1")
    assert checkpoints.is_dir()


@pytest.mark.parametrize("words", [(), ("1", "--done"), ("9",), ("first",)], ids=str)
def test_nothing_is_freed_by_a_slip_of_the_hand(words: tuple[str, ...], finished: Path, checkpoints: Path) -> None:
    fail("runs", "free", *words)
    assert checkpoints.is_dir()
