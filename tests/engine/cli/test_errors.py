"""Errors: title, message and next step with the right exit status; no traceback, and no change to the project."""

import errno
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

import engine.cli.main
from engine.cli.main import run
from engine.errors import StoreError
from engine.model.adapter_place import ADAPTER_FILES
from engine.paths import Home
from engine.project import Project
from engine.store.connection import Connection
from tests.engine.cli.calling import PROGRAM, call, fail, get, succeed

SURROGATE = "\udcff"  # how Python hands over a byte of the command line that is not UTF-8

INVALID = (
    "prompt show --version first",
    "prompt versions --diff 1",
    "prompt versions --diff 1 x",
    "prompt try --count 0",
    "prompt try --count 21",
    "questions import - --limit 0",
    "questions synthesize --topics 0",
    "questions synthesize --per-topic 51",
    "questions dedupe --threshold 0",
    "questions dedupe --threshold nan",
    "questions split --validation 1",
    "train --objective guess",
    "train --epochs 0",
    "train --epochs nan",
    "train --epochs inf",
    "train --learning-rate nan",
    "train --learning-rate -1",
    "train --cross-entropy-weight 1.5",
    "train --cross-entropy-weight nan",
    "train --batch-rows 0",
    "train --lora-rank 0",
    "train --top-k 0",
    "train --evaluations 0",
    "train --dtype float8",
    "train --preset quick",
    "train --seed x",
    "evaluate --run last",
    "evaluate --split exam",
    "evaluate --samples 0",
    "evaluate --temperature nan",
    "evaluate --temperature -1",
    "evaluate --max-answer-tokens 0",
    "evaluate --limit 0",
    "evaluate --batch-rows 0",
    "export --run last",
    "export --form zip",
    "jobs stop",
    "status surplus",
)
TOO_EARLY = (
    ("train", "curate freeze"),
    ("evaluate", "train"),
    ("evaluate --run 7", ""),
    ("export", "train"),
    ("export --run 7", ""),
    ("export --form merged", "train"),
)


@pytest.mark.parametrize("args", INVALID)
def test_invalid_argument_is_refused_and_starts_nothing(args: str, new_project: Path) -> None:
    error = fail(*args.split())
    assert error["title"] == "The command was not understood."
    assert error["message"]
    with Project.open(new_project) as project:
        assert (project.jobs.all(), project.runs.all()) == ((), ())


@pytest.mark.parametrize("args", ["prompt versions --diff 1", "settings --teacher-usd-per-mtok 1 2"])
def test_option_with_too_few_values_points_to_its_commands_help(args: str, new_project: Path) -> None:
    command = args.partition(" --")[0]
    assert fail(*args.split())["next"] == f"See `distill-tui {command} --help`."
    assert f"`distill-tui {command} --help`" in call("-p", "meridian-desk", *args.split()).err


@pytest.mark.parametrize(("args", "next_command"), TOO_EARLY)
def test_station_without_its_input_names_the_command_to_run_first(
    args: str, next_command: str, new_project: Path
) -> None:
    assert f"distill-tui {next_command}".strip() in fail(*args.split())["next"]
    with Project.open(new_project) as project:
        assert (project.jobs.all(), project.runs.all()) == ((), ())


def test_missing_run_is_refused_by_number(finished: Path) -> None:
    for command in ("evaluate", "export"):
        assert "7" in fail(command, "--run", "7")["title"]
    assert get("jobs", "list", "--all") == {"jobs": []}


def test_run_whose_adapter_is_gone_is_not_exported(finished: Path) -> None:
    assert fail("export", "--run", "1")["title"] == "The adapter of run 1 is gone."


def test_export_never_overwrites_foreign_files(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    for args in ((), ("--force",)):
        fail("export", "--to", tmp_path / "mine", *args)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "args",
    [("prompt", "set", f"{SURROGATE}.md"), ("status", "-p", SURROGATE), ("new", SURROGATE),
     ("rules", "add", SURROGATE, "kind=json"), ("questions", "list", "--topic", SURROGATE),
     ("prompt", "set", "-", "--note", SURROGATE), ("curate", "list", "--search", SURROGATE),
     ("curate", "reject", "--reason", SURROGATE, "1"), (SURROGATE,), ("models", "fetch", SURROGATE),
     ("estimate", "--model", SURROGATE, "--requests-per-day", "1")],
    ids=lambda args: " ".join(args).replace(SURROGATE, "¿"),
)  # fmt: skip
def test_non_utf8_arguments_do_no_harm(args: tuple[str, ...], finished: Path) -> None:
    for ended in (call(*args, input="A prompt."), call(*args, "--json", input="A prompt.")):
        assert ended.status in (0, 1, 2)
    assert isinstance(ended.data, dict)
    with Project.open(finished) as project:
        assert project.check() == ()


@pytest.mark.parametrize(
    "args",
    [("status", "-p", "~nobody-of-this-name"), ("status", "--home", "~nobody-of-this-name"),
     ("new", "~nobody-of-this-name/desk"), ("questions", "import", "~nobody-of-this-name/q.txt"),
     ("export", "--to", "~nobody-of-this-name/x"), ("curate", "edit", "1", "~nobody-of-this-name/x"),
     ("status", "-p", "x" * 300), ("new", "./" + "x" * 300), ("rules", "import", "x" * 300)],
    ids=lambda args: " ".join(args)[:40],
)  # fmt: skip
def test_impossible_path_is_refused(args: tuple[str, ...], finished: Path) -> None:
    ended = call(*args, "--json")
    assert ended.status in (1, 2)
    assert ended.data["error"]["title"]
    assert call(*args).out == ""


def test_operating_system_error_is_reported_without_a_traceback(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/some/place")

    monkeypatch.setattr("engine.stations.read_facts", refuse)
    error = fail("status", status=1)
    assert "/some/place" in error["message"]
    assert "Permission denied" in error["message"]


def test_ctrl_c_exits_with_130_and_an_empty_stdout(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.stations.read_facts", interrupt)
    for args in (("status",), ("status", "--json")):
        ended = call(*args)
        assert (ended.status, ended.out, ended.err.strip()) == (130, "", "Interrupted.")


def test_bug_in_the_program_is_not_hidden(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def divide(*_: object) -> float:
        return 1 / 0

    monkeypatch.setattr("engine.stations.read_facts", divide)
    with pytest.raises(ZeroDivisionError):
        call("status")


@pytest.mark.parametrize("damage", [b"nonsense " * 100, None], ids=["nonsense", "a folder"])
def test_damaged_project_is_reported_and_left_unchanged(damage: bytes | None, new_project: Path) -> None:
    database = new_project / "project.db"
    for path in new_project.glob("project.db*"):
        path.unlink()
    if damage is None:
        database.mkdir()
    else:
        database.write_bytes(damage)
    for args in (("status",), ("prompt", "set", "-"), ("jobs", "list")):
        ended = call(*args, "-p", str(new_project), "--json", input="A prompt.")
        assert ended.status in (1, 2)
        assert ended.data["error"]["next"]
    assert damage is None or database.read_bytes() == damage


def test_empty_database_file_is_opened_as_an_empty_project(new_project: Path) -> None:
    for path in new_project.glob("project.db*"):
        path.unlink()
    (new_project / "project.db").touch()
    assert {station["count"] for station in get("status")["stations"]} == {0}
    assert get("prompt", "set", "-", input="A prompt.")["version"] == 1
    with Project.open(new_project) as project:
        assert project.check() == ()


def test_newer_database_is_refused(new_project: Path) -> None:
    connection = sqlite3.connect(new_project / "project.db")
    connection.execute("PRAGMA user_version = 9999")
    connection.close()
    error = fail("status", status=1)
    assert "newer" in f"{error['title']} {error['message']}".lower()


@pytest.mark.parametrize("args", [("status", "--json"), ("nonsense", "--json"), ("paths", "--json")], ids=" ".join)
def test_installed_program_gives_the_same_output(args: tuple[str, ...], new_project: Path) -> None:
    """In a real process: streams, exit status, and an output encoding that is not UTF-8."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([PROGRAM, *args], env=environment, capture_output=True, timeout=60)
    here = call(*args)
    assert done.returncode == here.status
    assert json.loads(done.stdout.decode("ascii")) == here.data
    assert b"Traceback" not in done.stderr


def test_characters_the_terminal_cannot_encode_are_escaped(finished: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([PROGRAM, "curate", "list"], env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr.count(b"\n")) == (0, 1)
    assert b"1 \\u2713 Question" in done.stdout


def test_closed_stdout_is_not_an_error(finished: Path) -> None:
    # More than a pipe holds.
    get("questions", "import", "-", input="".join(f"{n} {'long ' * 100}\n" for n in range(1_000)))
    for args in ("questions list", "questions list --json"):
        line = f'"{PROGRAM}" {args} | head -c 20; echo " ${{PIPESTATUS[0]}}"'
        done = subprocess.run(["bash", "-c", line], env=dict(os.environ), capture_output=True, text=True, timeout=60)
        assert done.stdout.endswith(" 0\n")
        assert done.stderr.startswith("1,048 questions: ")
        assert done.stderr.count("\n") == 1


def test_full_disk_exits_with_failure_without_a_traceback(finished: Path) -> None:
    for args, status in (("questions list", 1), ("questions list --json", 1), ("runs delete 99 --json", 2)):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run([PROGRAM, *args.split()], stdout=full, stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == status, args
        assert b"Traceback" not in done.stderr
        assert b"Exception ignored" not in done.stderr


def test_closed_stderr_does_not_stop_the_work(finished: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    args = ["-c", "from engine.cli.invocation import tell\nfor _ in range(3): tell('on')\nprint('done')"]
    done = subprocess.run([sys.executable, *args], stdout=subprocess.PIPE, stderr=write_end, timeout=60)
    os.close(write_end)
    assert done.stdout == b"done\n"


def test_app_without_a_terminal_points_to_help() -> None:
    done = subprocess.run([PROGRAM], capture_output=True, text=True, timeout=60, env=dict(os.environ))
    assert (done.returncode, done.stdout) == (2, "")
    assert "--help" in done.stderr


def test_exit_status_of_a_command_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.cli.main.group, "main", lambda *_, **__: 7)
    assert run(["anything"]) == 7


def test_failed_commands_leave_the_project_unchanged(new_project: Path) -> None:
    before = {name: get(*name.split()) for name in ("prompt versions", "rules list", "questions list", "status")}
    for args in ("prompt set /no/such", "rules import /no/such", "questions import /no/such.txt", "curate undo x",
                 "train", "evaluate", "export", "curate accept 1", "generate --samples 0"):  # fmt: skip
        assert call(*args.split()).status == 2, args
    assert {name: get(*name.split()) for name in before} == before
    succeed("doctor")


def test_unreadable_standard_input_is_named(finished: Path) -> None:
    assert fail("prompt", "set", "-")["title"] == "The prompt cannot be read from standard input."
    assert fail("rules", "import", "-")["title"] == "Rules cannot be read from standard input."


def test_export_to_a_file_is_refused(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "prompt.md").write_text("Be brief.")
    with Project.open(finished) as project:
        folder = finished / project.runs.get(1).folder / "adapter"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ADAPTER_FILES:
        (folder / name).write_bytes(b"a")
    error = fail("export", "--to", tmp_path / "prompt.md")
    assert (error["title"], error["next"]) == ("The destination is not a folder.", "Choose another folder.")


def test_failed_editor_changes_nothing(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = get("curate", "list")
    monkeypatch.setenv("VISUAL", "/bin/false")
    error = fail("curate", "edit", "6", status=1)
    assert (error["title"], error["next"]) == (
        "The editor failed.", "Example 6 was not changed. Set another $EDITOR.",
    )  # fmt: skip
    assert get("curate", "list") == before


def test_one_added_proposal_is_called_one_rule(finished: Path) -> None:
    assert "Added rule 5." in succeed("rules", "propose", "1", "--add").out


def test_full_disk_is_named_as_the_reason(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("engine.projects.list_projects", full)
    assert fail("projects", "list", status=1)["next"] == "Free some space, then try again."


def test_project_that_cannot_be_created_leaves_nothing(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    def full(*_: object) -> NoReturn:
        raise StoreError("The disk is full.", "", "Free some space, then try again.")

    with monkeypatch.context() as small:
        small.setattr(Connection, "write", full)
        error = fail("new", "desk", status=1)
    assert error["title"].startswith("Cannot create the project in ")
    assert "The disk is full." in error["message"]
    assert not (home.projects / "desk").exists()
    succeed("new", "desk")


def test_a_model_that_cannot_exist_is_a_usage_error(home: Home) -> None:
    assert fail("models", "fetch", "nosuch")["title"] == fail("new", "desk", "--base", "nosuch")["title"]


def test_a_long_pattern_is_shortened(finished: Path) -> None:
    pattern = "a" * 300
    get("rules", "add", "Long", "kind=pattern", f"pattern={pattern}")
    line = succeed("rules", "list").out.splitlines()[-1]
    assert len(line) < 120
    assert get("rules", "list")["rules"][-1]["check"]["pattern"] == pattern
