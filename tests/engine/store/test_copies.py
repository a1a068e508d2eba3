"""Every table says with what it is copied, and what cannot be copied is told."""

import sqlite3
from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.project import Project
from engine.records.talk import Talk
from engine.store.connection import Connection
from engine.store.copies import COPIED_WITH, KEPT, NEVER_COPIED, Kept


def test_every_table_of_the_schema_has_its_place(project: Project) -> None:
    found = project._connection.rows(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%\\_fts%' ESCAPE '\\' "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_%' ESCAPE '\\'"
    )
    placed = [*NEVER_COPIED, *(table for kept in KEPT for table in COPIED_WITH[kept])]
    assert sorted(row[0] for row in found) == sorted(placed)


class _FullDisk:
    """The driver of a copy whose disk has no room to write it once more."""

    def execute(self, statement: str) -> sqlite3.Cursor:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error


def test_a_copy_that_finds_no_room_says_so(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "driver", _FullDisk())
    with pytest.raises(StoreError, match="disk is full"):
        project.write_copy(tmp_path, "questions")


@pytest.mark.parametrize(("kept", "goes_along"), [("runs", True), ("examples", False), ("questions", False)])
def test_a_talk_goes_along_with_the_runs_alone(project: Project, tmp_path: Path, kept: Kept, goes_along: bool) -> None:
    project.settings.keep_talk(Talk(("prompted", "run-1")))
    (tmp_path / "copy").mkdir()
    project.write_copy(tmp_path / "copy", kept)
    with Project.open(tmp_path / "copy", project.home) as copy:
        assert (copy.settings.talk() is not None) is goes_along
