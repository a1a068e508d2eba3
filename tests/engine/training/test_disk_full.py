"""A disk that is full wherever training writes: the run fails with advice, and resumes once there is space."""

import errno
import os
from pathlib import Path

import pytest
from safetensors import SafetensorError

from engine.errors import StoreError, TrainingError
from engine.jobs import log as log_module
from engine.jobs.context import JobContext
from engine.jobs.protocol import Event, Metrics
from engine.project import Project
from engine.records.run import CurvePoint
from engine.store.runs import RunTable
from engine.training import state as state_module
from tests.engine.training.job_helpers import at_step, events_of, is_step, make_run, notes_of, steps_of, train

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def raise_full(*_args: object, **_kwargs: object) -> object:
    raise FULL


def first_step_of_rest(project: Project, run_id: int) -> int:
    """Train the failed run to its end; return the first step that was taken."""
    first_step = next(
        event.step for event in events_of(train(project, run_id)) if isinstance(event, Metrics) and event.step
    )
    done = project.runs.get(run_id)
    assert (done.state, done.step, done.reason) == ("done", 12, "")
    return first_step


def test_full_disk_while_caching_teacher_distributions(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_run = make_run(project, model_folder)
    fsync = os.fsync

    def fail_in_caches(file: int) -> None:
        if "/caches/" in str(Path(f"/proc/self/fd/{file}").readlink()):
            raise FULL
        fsync(file)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail_in_caches)
        with pytest.raises(StoreError, match="No space left") as caught:
            train(project, new_run.id)
    assert "free space" in caught.value.next
    assert first_step_of_rest(project, new_run.id) == 1
    assert [path.suffix for path in project.caches.iterdir()] == [".safetensors"], "no partly written file is left"


def test_full_disk_while_saving_a_checkpoint(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_run = make_run(project, model_folder)

    with monkeypatch.context() as patch:

        def fill_disk(_context: JobContext) -> None:
            full = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
            patch.setattr(state_module, "save_file", lambda *_args, **_kwargs: (_ for _ in ()).throw(full))

        at_step(7, fill_disk, patch)
        for _ in range(2):
            with pytest.raises(TrainingError):
                train(project, new_run.id)
            failed = project.runs.get(new_run.id)
            assert failed.state == "failed"
            assert "No space left" in failed.reason
            assert "resume the job" in failed.reason
    assert first_step_of_rest(project, new_run.id) == 7


def test_full_disk_while_copying_the_best_adapter(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_run = make_run(project, model_folder)
    with monkeypatch.context() as patch:
        patch.setattr("engine.training.job.shutil.copytree", raise_full)
        with pytest.raises(TrainingError, match=r"adapter: No space left.*resume the job"):
            train(project, new_run.id)
    assert project.runs.get(new_run.id).state == "failed"
    context = train(project, new_run.id)
    assert project.runs.get(new_run.id).state == "done"
    assert not steps_of(context), "no step is repeated"


def test_full_disk_for_the_event_log_loses_events_but_not_the_run(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_run = make_run(project, model_folder)
    with monkeypatch.context() as patch:
        full = False

        class FullDisk:
            """The module `os` as the event log sees it."""

            def __getattr__(self, name: str) -> object:
                return raise_full if name == "write" and full else getattr(os, name)

        def fill_disk(_context: JobContext) -> None:
            nonlocal full
            full = True

        patch.setattr(log_module, "os", FullDisk())
        at_step(3, fill_disk, patch)
        emit = JobContext.emit

        def free_disk_at_step_9(self: JobContext, event: Event) -> None:
            nonlocal full
            if is_step(event) and event.step == 9:
                full = False
            emit(self, event)

        patch.setattr(JobContext, "emit", free_disk_at_step_9)
        context = train(project, new_run.id)
    assert project.runs.get(new_run.id).state == "done"
    assert [metrics.step for metrics in steps_of(context)] == [1, 2, 3, 9, 10, 11, 12]
    assert any("could not be written" in note for note in notes_of(context))


def test_full_disk_for_the_database(project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite itself refuses: a point of the curve is added together with more than its remaining pages can hold."""
    new_run = make_run(project, model_folder)
    driver = project.runs._connection.driver
    driver.execute("CREATE TABLE filler (rest BLOB)")
    add = RunTable.add_curve_point

    def add_with_filler(table: RunTable, run_id: int, point: CurvePoint) -> None:
        with table._connection.transaction():
            add(table, run_id, point)
            if point.step == 6:
                driver.execute(f"PRAGMA max_page_count = {driver.execute('PRAGMA page_count').fetchone()[0]}")
                driver.execute("INSERT INTO filler VALUES (zeroblob(1000000))")

    with monkeypatch.context() as patch:
        patch.setattr(RunTable, "add_curve_point", add_with_filler)
        with pytest.raises(StoreError, match=r"disk is full.*Free some space"):
            train(project, new_run.id)
    failed = project.runs.get(new_run.id)
    assert failed.state == "failed"
    assert "Free some space" in failed.reason
    assert [point.step for point in failed.curve] == [0]
    driver.execute("PRAGMA max_page_count = 1000000")
    driver.execute("DROP TABLE filler")
    train(project, new_run.id)
    done = project.runs.get(new_run.id)
    assert (done.state, [point.step for point in done.curve]) == ("done", [0, 6, 12])
