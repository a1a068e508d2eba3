"""The connection on real files: its safety settings, and every way in which SQLite can refuse."""

import multiprocessing
import os
import sqlite3
import stat
from contextlib import closing, suppress
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from engine.errors import NotFoundError, StoreError, UsageError
from engine.folders import DATABASE
from engine.project import Project
from engine.records.options import ProjectSettings
from engine.records.prompt import Message
from engine.records.question import Question
from engine.store.connection import COMMITS_PER_CHECKPOINT, Connection


@pytest.fixture
def connection(project: Project) -> Connection:
    return project._connection


def _question(text: str) -> Question:
    return Question((Message("user", text),))


def test_the_safety_settings_hold(connection: Connection) -> None:
    found = {
        name: connection.value(f"PRAGMA {name}")
        for name in ("journal_mode", "foreign_keys", "synchronous", "trusted_schema", "mmap_size", "secure_delete",
                     "wal_autocheckpoint", "busy_timeout")
    }  # fmt: skip
    assert found == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "synchronous": 2,
        "trusted_schema": 0,
        "mmap_size": 0,
        "secure_delete": 1,
        "wal_autocheckpoint": 0,
        "busy_timeout": 60_000,
    }


def test_files_are_private(project: Project) -> None:
    assert stat.S_IMODE(project.folder.stat().st_mode) == 0o700
    files = list(project.folder.glob("project.db*"))
    assert len(files) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_an_error_inside_a_transaction_takes_all_of_it_back(project: Project) -> None:
    def fail_late() -> None:
        with project.transaction():
            project.questions.add([_question("kept?")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_late()
    assert project.questions.count() == 0


def test_an_inner_failure_takes_back_the_inner_part_alone(project: Project) -> None:
    with project.transaction():
        project.questions.add([_question("outer")])
        with suppress(ZeroDivisionError), project.transaction():
            project.questions.add([_question("inner")])
            raise ZeroDivisionError
    assert [question.text for question in project.questions.all()] == ["outer"]


def test_a_snapshot_is_one_moment_and_refuses_writing(project: Project) -> None:
    with Project.open(project.folder) as other, project.snapshot():
        assert project.questions.count() == 0
        other.questions.add([_question("meanwhile")])
        assert project.questions.count() == 0
        with pytest.raises(RuntimeError, match="snapshot"):
            project.questions.add([_question("lost")])
    assert [question.text for question in project.questions.all()] == ["meanwhile"]


def test_text_that_utf8_cannot_carry_is_replaced_and_all_else_is_raw(project: Project) -> None:
    raw = "\x1b]52;c;x\x07 \x00 \u202e \U0001f600"
    project.questions.add([_question(raw), _question("half \ud83d pair")])
    assert [question.text for question in project.questions.all()] == [raw, "half \ufffd pair"]


def _hold_the_write_lock(path: Path, held: Event, release: Event) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as driver:
        driver.execute("BEGIN IMMEDIATE")
        held.set()
        release.wait(60)


def test_a_writer_waits_and_then_says_that_the_project_is_busy(project: Project) -> None:
    processes = multiprocessing.get_context("spawn")
    held, release = processes.Event(), processes.Event()
    holder = processes.Process(target=_hold_the_write_lock, args=(project.folder / DATABASE, held, release))
    holder.start()
    try:
        assert held.wait(60)
        with Project.open(project.folder, timeout_s=0.2) as impatient:
            with pytest.raises(StoreError) as caught:
                impatient.questions.add([_question("q")])
            assert impatient.questions.count() == 0  # readers are not in the way of a writer
        assert caught.value.title == "The project is busy."
        assert caught.value.next
    finally:
        release.set()
        holder.join()
    project.questions.add([_question("q")])


def test_a_full_disk_keeps_what_was_there(project: Project, connection: Connection) -> None:
    project.questions.add([_question("before")])
    pages = connection.number("PRAGMA page_count")
    connection.value(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(StoreError, match="disk is full"):
        project.questions.add(_question(f"{number} " + "long " * 500) for number in range(100))
    assert [question.text for question in project.questions.all()] == ["before"]
    connection.value("PRAGMA max_page_count=1000000")
    project.questions.add([_question("after")])
    assert project.check() == ()


def test_a_read_only_database_is_explained(project: Project, connection: Connection) -> None:
    connection.value("PRAGMA query_only=ON")
    with pytest.raises(StoreError, match="read-only"):
        project.settings.write(ProjectSettings())


@pytest.mark.parametrize("damage", ["removed", "replaced"])
def test_a_database_that_vanished_is_never_made_anew(project: Project, damage: str) -> None:
    (project.folder / DATABASE).rename(project.folder / "elsewhere.db")
    if damage == "replaced":
        (project.folder / DATABASE).write_bytes(b"")
    with pytest.raises(StoreError, match="removed or replaced"):
        project.questions.add([_question("q")])
    with pytest.raises(StoreError, match="removed or replaced"):
        project.questions.all()
    assert (project.folder / DATABASE).exists() == (damage == "replaced")


def test_something_else_is_no_project(folder: Path) -> None:
    with pytest.raises(NotFoundError):
        Project.open(folder)
    (folder / "project.db").write_text("just a text, long enough to be looked at " * 20)
    with pytest.raises(StoreError, match="not a project"):
        Project.open(folder)


def test_a_database_of_another_program_is_left_alone(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "project.db")) as driver:
        driver.execute("CREATE TABLE notes (text)")
    before = (folder / "project.db").read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Project.open(folder)
    assert (folder / "project.db").read_bytes() == before
    with closing(sqlite3.connect(folder / "project.db")) as driver:
        assert [row[0] for row in driver.execute("SELECT name FROM sqlite_schema")] == ["notes"]


def test_a_damaged_database_is_explained(project: Project) -> None:
    project.questions.add(_question(f"{number} " + "word " * 200) for number in range(200))
    project.close()
    with (project.folder / DATABASE).open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * (40 * 4096))
    with pytest.raises(StoreError) as caught, Project.open(project.folder) as damaged:
        damaged.questions.all()
    assert caught.value.title == "The project's database is damaged."


def test_the_log_stays_short_while_others_are_connected(project: Project, connection: Connection) -> None:
    log = (project.folder / DATABASE).with_name("project.db-wal")
    sizes = []
    with Project.open(project.folder):
        for number in range(4 * COMMITS_PER_CHECKPOINT):
            project.questions.add([_question(f"question {number}")])
            sizes.append(log.stat().st_size)
    # Copied into the database, the log starts again from its beginning instead of growing on.
    assert sizes[-1] <= max(sizes[: COMMITS_PER_CHECKPOINT + 1])


def test_a_checkpoint_gives_way_to_a_writer(project: Project) -> None:
    with Project.open(project.folder, timeout_s=0.1) as other:
        with project.transaction():
            project.questions.add([_question("first")])
            with pytest.raises(StoreError, match="busy"):
                other._connection.checkpoint()
        other._connection.checkpoint()
    assert project.questions.count() == 1


def test_dangling_facts_are_found(project: Project, connection: Connection) -> None:
    assert project.check() == ()
    connection.value("PRAGMA foreign_keys=OFF")
    connection.write(
        "INSERT INTO releases (kind, run_id, folder, sha256, created_at) VALUES ('adapter', 9, '', '', '')"
    )
    assert project.check() == ("releases row 1 refers to a missing row in runs",)


def test_a_number_that_is_too_large_is_refused_among_many_too(connection: Connection) -> None:
    with pytest.raises(UsageError, match="too large"):
        connection.write_many("INSERT INTO timings VALUES (?, ?)", [("train", 1.0), ("evaluate", 10**30)])
    assert connection.number("SELECT count(*) FROM timings") == 0


def test_a_folder_whose_name_is_no_utf8_holds_a_project(tmp_path: Path) -> None:
    parent = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xffd?#%41"))
    parent.mkdir()
    with Project.create(parent / "odd") as made:
        made.questions.add([_question("kept")])
        made.write_copy(parent, "questions")
    with Project.open(parent) as copy:
        assert [question.text for question in copy.questions.all()] == ["kept"]


def test_half_a_backup_does_not_stay_on_a_full_disk(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(StoreError, match="No space left"):
        project.write_copy(tmp_path, "questions")
    assert not list(tmp_path.glob("project.db*"))
