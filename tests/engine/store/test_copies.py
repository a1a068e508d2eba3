"""Copies of a project: which tables each kind includes, and how a failure is reported."""

import sqlite3
from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.project import Project
from engine.records.chat import Chat
from engine.store.connection import Connection
from engine.store.copies import COPIED_WITH, KEPT, NEVER_COPIED, Kept


def test_every_table_is_listed_as_copied_or_never_copied(project: Project) -> None:
    found = project._connection.rows(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%\\_fts%' ESCAPE '\\' "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_%' ESCAPE '\\'"
    )
    listed = [*NEVER_COPIED, *(table for kept in KEPT for table in COPIED_WITH[kept])]
    assert sorted(row[0] for row in found) == sorted(listed)


class _FullDisk:
    """A database driver that fails every statement because the disk is full."""

    def execute(self, statement: str) -> sqlite3.Cursor:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error


def test_full_disk_during_a_copy_is_reported(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "driver", _FullDisk())
    with pytest.raises(StoreError, match="disk is full"):
        project.write_copy(tmp_path, "questions")


@pytest.mark.parametrize(("kept", "copied"), [("runs", True), ("examples", False), ("questions", False)])
def test_chat_is_copied_only_together_with_runs(project: Project, tmp_path: Path, kept: Kept, copied: bool) -> None:
    project.settings.write_chat(Chat(("prompted", "run-1")))
    (tmp_path / "copy").mkdir()
    project.write_copy(tmp_path / "copy", kept)
    with Project.open(tmp_path / "copy", project.home) as copy:
        assert (copy.settings.chat() is not None) is copied
