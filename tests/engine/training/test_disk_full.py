"""A disk that is full at each place that a training writes to: it ends cleanly, says what to do, and goes on later."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import SafetensorError

from engine.errors import DistillError, StoreError, TrainingError
from engine.jobs import log as log_module
from engine.jobs.context import JobContext
from engine.jobs.protocol import Event, Metrics, Note
from engine.project import Project
from engine.records.run import CurvePoint
from engine.store.runs import RunTable
from engine.training import state as state_module
from tests.engine.training.test_job import carry_out, events_of, make_run

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def refuse(*_given: object, **_named: object) -> object:
    raise FULL


def at_step(step: int, happens: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something happen once this step is told."""
    emit = JobContext.emit

    def telling(self: JobContext, event: Event) -> None:
        emit(self, event)
        if isinstance(event, Metrics) and event.step == step and "loss" in event.values:
            happens()

    monkeypatch.setattr(JobContext, "emit", telling)


def ends_and_goes_on(project: Project, number: int, monkeypatch: pytest.MonkeyPatch, error: type[DistillError]) -> str:
    """The reason of the end; with room again the run is done."""
    with pytest.raises(error) as caught:
        carry_out(project, number)
    assert caught.value.next
    monkeypatch.undo()
    first_step = next(
        event.step for event in events_of(carry_out(project, number)) if isinstance(event, Metrics) and event.step
    )
    done = project.runs.get(number)
    assert (done.state, done.step, done.reason) == ("done", 12, "")
    return f"{caught.value} Went on with step {first_step}."


def test_the_teachers_distributions(project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_run(project, model_folder)
    fsync = os.fsync

    def full(file: int) -> None:
        if "/caches/" in str(Path(f"/proc/self/fd/{file}").readlink()):
            raise FULL
        fsync(file)

    monkeypatch.setattr(os, "fsync", full)
    reason = ends_and_goes_on(project, made.id, monkeypatch, StoreError)
    assert "No space left" in reason
    assert "free space" in reason
    assert reason.endswith("step 1.")
    assert [path.suffix for path in project.caches.iterdir()] == [".safetensors"], "nothing half written stays"


def test_a_checkpoint(project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_run(project, model_folder)

    def fill() -> None:
        full = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
        monkeypatch.setattr(state_module, "save_file", lambda *_given, **_named: (_ for _ in ()).throw(full))

    at_step(7, fill, monkeypatch)
    with pytest.raises(TrainingError):
        carry_out(project, made.id)
    failed = project.runs.get(made.id)
    assert failed.state == "failed"
    assert "No space left" in failed.reason
    assert "resume the job" in failed.reason
    assert ends_and_goes_on(project, made.id, monkeypatch, TrainingError).endswith("step 7.")


def test_the_adapter_in_its_place(project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_run(project, model_folder)
    monkeypatch.setattr("engine.training.job.shutil.copytree", refuse)
    with pytest.raises(TrainingError, match=r"adapter: No space left.*resume the job"):
        carry_out(project, made.id)
    assert project.runs.get(made.id).state == "failed"
    monkeypatch.undo()
    told = [event for event in events_of(carry_out(project, made.id)) if isinstance(event, Metrics)]
    assert project.runs.get(made.id).state == "done"
    assert not [event for event in told if "loss" in event.values], "no step is made again"


def test_the_event_log(project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_run(project, model_folder)
    with monkeypatch.context() as patch:
        lacking: list[int] = []

        class Full:
            """The module `os` of the log alone."""

            def __getattr__(self, name: str) -> object:
                return refuse if name == "write" and lacking else getattr(os, name)

        patch.setattr(log_module, "os", Full())
        at_step(3, lambda: lacking.append(1), patch)
        inner = JobContext.emit

        def room_again(self: JobContext, event: Event) -> None:
            if isinstance(event, Metrics) and event.step == 9 and "loss" in event.values:
                lacking.clear()
            inner(self, event)

        patch.setattr(JobContext, "emit", room_again)
        context = carry_out(project, made.id)
    assert project.runs.get(made.id).state == "done", "a stage whose facts are stored does not die of its log"
    events = events_of(context)
    told = [event.step for event in events if isinstance(event, Metrics) and "loss" in event.values]
    assert told == [1, 2, 3, 9, 10, 11, 12]
    assert any(isinstance(event, Note) and "could not be written" in event.text for event in events)


def test_the_database(project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own refusal: the point of the curve comes with more than the pages that are left can hold."""
    made = make_run(project, model_folder)
    driver = project.runs._connection.driver
    driver.execute("CREATE TABLE filler (rest BLOB)")
    add = RunTable.add_curve_point

    def cramped(table: RunTable, run_id: int, point: CurvePoint) -> None:
        with table._connection.transaction():
            add(table, run_id, point)
            if point.step == 6:
                driver.execute(f"PRAGMA max_page_count = {driver.execute('PRAGMA page_count').fetchone()[0]}")
                driver.execute("INSERT INTO filler VALUES (zeroblob(1000000))")

    monkeypatch.setattr(RunTable, "add_curve_point", cramped)
    with pytest.raises(StoreError, match=r"disk is full.*Free some space"):
        carry_out(project, made.id)
    failed = project.runs.get(made.id)
    assert failed.state == "failed"
    assert "Free some space" in failed.reason
    assert [point.step for point in failed.curve] == [0]
    driver.execute("PRAGMA max_page_count = 1000000")
    driver.execute("DROP TABLE filler")
    monkeypatch.undo()
    carry_out(project, made.id)
    done = project.runs.get(made.id)
    assert (done.state, [point.step for point in done.curve]) == ("done", [0, 6, 12])
