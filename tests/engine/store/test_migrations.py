"""Migrations: applied completely or not at all, even if a step fails or the process is killed."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import SchemaError
from engine.folders import DATABASE
from engine.project import Project
from engine.projects import list_projects
from engine.records.options import DemoOptions, JobOptions, SweepOptions, TrainOptions, Trial, UpdateOptions
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.rule import Check, Rule
from engine.records.run import TrainingConfig
from engine.store import migrations
from engine.store.connection import Connection
from engine.store.dataclass_json import encode
from engine.store.schema import STEPS
from tests.engine.store.sample_records import dataset

if TYPE_CHECKING:
    from sqlite_utils import Database


def _add_hints(database: "Database") -> None:
    database.executescript("ALTER TABLE questions ADD COLUMN hint TEXT; CREATE TABLE hints (text TEXT)")


def _fail_midway(database: "Database") -> None:
    database.executescript("ALTER TABLE questions ADD COLUMN hint TEXT")
    database.executescript("INSERT INTO no_such_table VALUES (1)")


@pytest.fixture
def existing_project(project: Project) -> Project:
    project.questions.add([Question((Message("user", "kept"),))])
    project.close()
    return project


def _add_step(monkeypatch: pytest.MonkeyPatch, step: Callable[["Database"], None]) -> None:
    monkeypatch.setattr(migrations, "STEPS", (*STEPS, step))


def _version_and_columns(path: Path) -> tuple[int, set[str]]:
    with closing(sqlite3.connect(path)) as driver:
        version: int = driver.execute("PRAGMA user_version").fetchone()[0]
        return version, {row[1] for row in driver.execute("PRAGMA table_info(questions)")}


def test_new_step_is_applied_once_after_a_backup(existing_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _version_and_columns(existing_project.folder / DATABASE)
    _add_step(monkeypatch, _add_hints)
    for _ in range(2):
        with Project.open(existing_project.folder) as reopened:
            assert [question.text for question in reopened.questions.all()] == ["kept"]
    version, columns = _version_and_columns(existing_project.folder / DATABASE)
    assert (version, columns) == (before[0] + 1, before[1] | {"hint"})
    (backup,) = existing_project.folder.glob("*.backup.db*")
    assert _version_and_columns(backup) == before
    assert backup.stat().st_mode & 0o777 == 0o600


def test_failing_step_leaves_the_old_schema(existing_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _version_and_columns(existing_project.folder / DATABASE)
    with monkeypatch.context() as newer:
        _add_step(newer, _fail_midway)
        with pytest.raises(SchemaError) as caught:
            Project.open(existing_project.folder)
    assert "no_such_table" in caught.value.message
    assert _version_and_columns(existing_project.folder / DATABASE) == before
    with Project.open(existing_project.folder) as reopened:
        assert reopened.questions.count() == 1


def test_newer_schema_is_refused_and_listed_as_such(existing_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        _add_step(newer, _add_hints)
        Project.open(existing_project.folder).close()
    with pytest.raises(SchemaError, match="newer distill-tui"):
        Project.open(existing_project.folder)
    (summary,) = list_projects(existing_project.home)
    assert "newer distill-tui" in summary.trouble


def test_listing_projects_migrates_none_of_them(existing_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _version_and_columns(existing_project.folder / DATABASE)
    _add_step(monkeypatch, _add_hints)
    assert [summary.trouble for summary in list_projects(existing_project.home)] == [""]
    assert _version_and_columns(existing_project.folder / DATABASE) == before


# Runs in a separate process: for every STRIDE-th statement of the whole migration, a child is killed just before it.
_KILL_AT_EACH_STATEMENT = """
import os, shutil, signal, sys
from pathlib import Path
from engine.store import migrations
from engine.store.connection import Connection

folder, stride = Path(sys.argv[1]), int(sys.argv[2])
migrations._as_migrations()  # imported once, before the children are forked
nth = 1 - stride
while True:
    nth += stride
    path = folder / f"{nth}.db"
    Connection.create_file(path)
    child = os.fork()
    if child == 0:
        connection = Connection(path)
        seen = [0]
        def count(statement):
            seen[0] += 1
            if seen[0] == nth:
                os.kill(os.getpid(), signal.SIGKILL)
        connection.driver.set_trace_callback(count)
        migrations.migrate(connection)
        connection.close()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    connection = Connection(path)
    version = connection.number("PRAGMA user_version")
    tables = connection.number("SELECT count(*) FROM sqlite_schema")
    assert connection.check() == ()
    assert (version, tables) == (0, 0) or (version == len(migrations.STEPS) and tables > 20), (nth, version, tables)
    migrations.migrate(connection)
    assert connection.number("PRAGMA user_version") == len(migrations.STEPS)
    connection.close()
    if status == 0:
        break
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
print(nth)
"""


@pytest.mark.parametrize("stride", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_migration_killed_at_any_statement_is_complete_or_absent(folder: Path, stride: int) -> None:
    result = subprocess.run(
        [sys.executable, "-c", _KILL_AT_EACH_STATEMENT, str(folder), str(stride)],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 60


def test_no_backup_is_made_if_another_process_migrated_first(
    existing_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _version_and_columns(existing_project.folder / DATABASE)
    _add_step(monkeypatch, _add_hints)
    found_versions: list[int] = []

    def migrate_meanwhile(connection: Connection) -> int:
        found = check_schema(connection)
        if not found_versions:
            found_versions.append(found)
            Project.open(existing_project.folder).close()
        return found

    check_schema = migrations.check_schema
    monkeypatch.setattr(migrations, "check_schema", migrate_meanwhile)
    Project.open(existing_project.folder).close()
    (backup,) = existing_project.folder.glob("*.backup.db*")
    assert _version_and_columns(backup) == before


def _at(minute: int) -> str:
    return f"2026-01-01T00:{minute:02d}:00.000+00:00"


@contextmanager
def _schema_before(name: str) -> Iterator[None]:
    """Create projects with the schema from before the step of this name."""
    step = next(place for place, each in enumerate(STEPS) if each.__name__ == name)
    with pytest.MonkeyPatch.context() as older:
        older.setattr(migrations, "STEPS", STEPS[:step])
        yield


def test_jobs_of_older_runs_are_inferred_from_options_and_times(folder: Path) -> None:
    with _schema_before("jobs_of_runs"), Project.create(folder / "old") as project:
        project.datasets.add(dataset())
    folder = folder / "old"
    jobs: list[tuple[JobOptions, int, int | None]] = [
        (DemoOptions(), 0, 8),
        (TrainOptions(2), 10, 15),
        (UpdateOptions(), 20, 24),  # killed
        (UpdateOptions(), 25, 30),  # continued its run
        (SweepOptions((Trial(4, ""), Trial(5, ""))), 31, 36),
        (TrainOptions(99), 37, 38),  # its run was deleted
        (UpdateOptions(), 40, None),
    ]
    runs = {1: (5, "done"), 2: (9, "done"), 3: (22, "done"), 4: (29, "running"), 5: (29, "done"), 6: (42, "running")}
    with closing(sqlite3.connect(folder / DATABASE)) as driver, driver:
        for number, (options, began, ended) in enumerate(jobs, start=1):
            ended_at = "" if ended is None else _at(ended)
            driver.execute(
                "INSERT INTO jobs (id, kind, state, options, folder, stage, created_at, ended_at) "
                "VALUES (?, ?, 'done', ?, ?, 'run', ?, ?)",
                (
                    number,
                    options.kind,
                    encode(options),
                    f"jobs/{number}",
                    _at(began),
                    ended_at,
                ),
            )
        for number, (made, state) in runs.items():
            driver.execute(
                "INSERT INTO runs (id, dataset_sha256, config, state, folder, created_at) VALUES (?, ?, ?, ?, ?, ?)",
                (number, dataset().sha256, encode(TrainingConfig("starter")), state, f"runs/{number}", _at(made)),
            )
    with Project.open(folder) as project:
        assert project.runs.trained_by() == {1: (1,), 2: (2,), 3: (3, 4), 4: (5,), 6: (7,)}
        project.runs.delete(4)
        project.runs.add_job(3, 7)
        assert project.runs.trained_by() == {1: (1,), 2: (2,), 3: (3, 4, 7), 6: (7,)}


_PASSED = """INSERT INTO examples (prompt_sha256, question_id, teacher, attempt, finish_reason, teacher_kind,
    temperature, seconds, prompt_tokens, completion_tokens, cached_tokens, written_tokens, cost_usd, counted_here,
    created_at, checks, answer) VALUES ('p', 1, 't', 0, 'stop', 'local', 0, 0, 0, 0, 0, 0, 0, 0, '', ?, 'a')"""


@pytest.mark.parametrize("answered", [True, False], ids=["example", "verdict"])
@pytest.mark.parametrize(
    ("kept", "checked", "next_number"), [((1, 3), (3,), 4), ((1,), (3,), 4), ((), (3,), 4), ((), (), 1)]
)
def test_older_rules_keep_their_numbers_and_results_never_get_another_rule(
    folder: Path, kept: tuple[int, ...], checked: tuple[int, ...], next_number: int, *, answered: bool
) -> None:
    rule = Rule(0, "old", Check("json"))
    with _schema_before("numbers_of_rules"), Project.create(folder / "old") as project:
        project.rules.put([replace(rule, id=number) for number in kept])
    with closing(sqlite3.connect(folder / "old" / DATABASE)) as driver, driver:
        for number in checked:  # a rule that was never broken has results too
            if answered:
                driver.execute(_PASSED, (f'[{{"rule_id": {number}, "passed": true}}]',))
            else:
                driver.execute("INSERT INTO verdicts VALUES ('k', 'j', 'prompted', 1, 0, ?, 1, '', 1)", (number,))
    with Project.open(folder / "old") as project:
        assert project.rules.all() == tuple(replace(rule, id=number) for number in kept)
        (added,) = project.rules.add([rule])
        assert added.id == next_number
