"""The connection on real files: its safety settings, transactions, and every kind of SQLite failure."""

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


def test_connection_sets_the_safety_pragmas(connection: Connection) -> None:
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


def test_project_files_are_accessible_only_to_their_owner(project: Project) -> None:
    assert stat.S_IMODE(project.folder.stat().st_mode) == 0o700
    files = list(project.folder.glob("project.db*"))
    assert len(files) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_error_inside_a_transaction_rolls_it_back(project: Project) -> None:
    def fail_late() -> None:
        with project.transaction():
            project.questions.add([_question("kept?")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_late()
    assert project.questions.count() == 0


def test_failed_inner_transaction_leaves_the_outer_one_intact(project: Project) -> None:
    with project.transaction():
        project.questions.add([_question("outer")])
        with suppress(ZeroDivisionError), project.transaction():
            project.questions.add([_question("inner")])
            raise ZeroDivisionError
    assert [question.text for question in project.questions.all()] == ["outer"]


def test_snapshot_hides_later_commits_and_refuses_writes(project: Project) -> None:
    with Project.open(project.folder) as other, project.snapshot():
        assert project.questions.count() == 0
        other.questions.add([_question("meanwhile")])
        assert project.questions.count() == 0
        with pytest.raises(RuntimeError, match="snapshot"):
            project.questions.add([_question("lost")])
    assert [question.text for question in project.questions.all()] == ["meanwhile"]


def test_lone_surrogates_are_replaced_and_control_characters_kept(project: Project) -> None:
    raw = "\x1b]52;c;x\x07 \x00 \u202e \U0001f600"
    project.questions.add([_question(raw), _question("half \ud83d pair")])
    assert [question.text for question in project.questions.all()] == [raw, "half \ufffd pair"]


def _hold_the_write_lock(path: Path, held: Event, release: Event) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as driver:
        driver.execute("BEGIN IMMEDIATE")
        held.set()
        release.wait(60)


def test_blocked_write_reports_a_busy_project_after_its_timeout(project: Project) -> None:
    processes = multiprocessing.get_context("spawn")
    held, release = processes.Event(), processes.Event()
    holder = processes.Process(target=_hold_the_write_lock, args=(project.folder / DATABASE, held, release))
    holder.start()
    try:
        assert held.wait(60)
        with Project.open(project.folder, timeout_s=0.2) as other:
            with pytest.raises(StoreError) as caught:
                other.questions.add([_question("q")])
            assert other.questions.count() == 0  # a writer does not block readers
        assert caught.value.title == "The project is busy."
        assert caught.value.next
    finally:
        release.set()
        holder.join()
    project.questions.add([_question("q")])


def test_full_disk_rolls_back_the_write_and_keeps_earlier_data(project: Project, connection: Connection) -> None:
    project.questions.add([_question("before")])
    pages = connection.number("PRAGMA page_count")
    connection.value(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(StoreError, match="disk is full"):
        project.questions.add(_question(f"{number} " + "long " * 500) for number in range(100))
    assert [question.text for question in project.questions.all()] == ["before"]
    connection.value("PRAGMA max_page_count=1000000")
    project.questions.add([_question("after")])
    assert project.check() == ()


def test_write_to_a_read_only_database_is_reported(project: Project, connection: Connection) -> None:
    connection.value("PRAGMA query_only=ON")
    with pytest.raises(StoreError, match="read-only"):
        project.settings.write(ProjectSettings())


def test_project_in_a_folder_that_cannot_be_written_to_can_be_read(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.questions.add([_question("q")])
    project.close()
    project.folder.chmod(0o500)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root could write to it all the same
    try:
        with Project.open(project.folder) as shown:
            assert [question.text for question in shown.questions.all()] == ["q"]
            with pytest.raises(StoreError, match="The project is read-only"):
                shown.questions.add([_question("another")])
            assert [path.name for path in project.folder.iterdir()] == [DATABASE]
            os.utime(project.folder / DATABASE, (0, 0))
            with pytest.raises(StoreError, match="The project has changed"):
                shown.questions.count()
    finally:
        project.folder.chmod(0o700)


@pytest.mark.parametrize("damage", ["removed", "replaced"])
def test_removed_or_replaced_database_is_reported_and_not_recreated(project: Project, damage: str) -> None:
    (project.folder / DATABASE).rename(project.folder / "elsewhere.db")
    if damage == "replaced":
        (project.folder / DATABASE).write_bytes(b"")
    with pytest.raises(StoreError, match="removed or replaced"):
        project.questions.add([_question("q")])
    with pytest.raises(StoreError, match="removed or replaced"):
        project.questions.all()
    assert (project.folder / DATABASE).exists() == (damage == "replaced")


def test_folder_without_a_project_database_is_refused(folder: Path) -> None:
    with pytest.raises(NotFoundError):
        Project.open(folder)
    (folder / "project.db").write_text("plain text, long enough to be read as a header " * 20)
    with pytest.raises(StoreError, match="not a project"):
        Project.open(folder)


def test_database_of_another_program_is_refused_and_left_unchanged(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "project.db")) as driver:
        driver.execute("CREATE TABLE notes (text)")
    before = (folder / "project.db").read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Project.open(folder)
    assert (folder / "project.db").read_bytes() == before
    with closing(sqlite3.connect(folder / "project.db")) as driver:
        assert [row[0] for row in driver.execute("SELECT name FROM sqlite_schema")] == ["notes"]


def test_damaged_database_is_reported(project: Project) -> None:
    project.questions.add(_question(f"{number} " + "word " * 200) for number in range(200))
    project.close()
    with (project.folder / DATABASE).open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * (40 * 4096))
    with pytest.raises(StoreError) as caught, Project.open(project.folder) as damaged:
        damaged.questions.all()
    assert caught.value.title == "The project's database is damaged."


def test_write_ahead_log_stays_short_while_others_are_connected(project: Project, connection: Connection) -> None:
    log = (project.folder / DATABASE).with_name("project.db-wal")
    sizes = []
    with Project.open(project.folder):
        for number in range(4 * COMMITS_PER_CHECKPOINT):
            project.questions.add([_question(f"question {number}")])
            sizes.append(log.stat().st_size)
    # After a checkpoint, the log is overwritten from its beginning instead of growing.
    assert sizes[-1] <= max(sizes[: COMMITS_PER_CHECKPOINT + 1])


def test_checkpoint_during_a_write_fails_as_busy(project: Project) -> None:
    with Project.open(project.folder, timeout_s=0.1) as other:
        with project.transaction():
            project.questions.add([_question("first")])
            with pytest.raises(StoreError, match="busy"):
                other._connection.checkpoint()
        other._connection.checkpoint()
    assert project.questions.count() == 1


def test_check_reports_dangling_references(project: Project, connection: Connection) -> None:
    assert project.check() == ()
    connection.value("PRAGMA foreign_keys=OFF")
    connection.write(
        "INSERT INTO releases (kind, run_id, folder, sha256, created_at) VALUES ('adapter', 9, '', '', '')"
    )
    assert project.check() == ("releases row 1 refers to a missing row in runs",)


def test_batch_with_a_number_too_large_stores_nothing(connection: Connection) -> None:
    with pytest.raises(UsageError, match="too large"):
        connection.write_many("INSERT INTO timings VALUES (?, ?)", [("train", 1.0), ("evaluate", 10**30)])
    assert connection.number("SELECT count(*) FROM timings") == 0


def test_project_works_in_a_folder_whose_name_is_not_utf8(tmp_path: Path) -> None:
    parent = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xffd?#%41"))
    parent.mkdir()
    with Project.create(parent / "odd") as made:
        made.questions.add([_question("kept")])
        made.write_copy(parent, "questions")
    with Project.open(parent) as copy:
        assert [question.text for question in copy.questions.all()] == ["kept"]


def test_incomplete_copy_is_removed_when_the_disk_is_full(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(StoreError, match="No space left"):
        project.write_copy(tmp_path, "questions")
    assert not list(tmp_path.glob("project.db*"))
