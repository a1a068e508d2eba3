"""What goes wrong is told in three sentences with the right exit status, never by a traceback, and costs nothing."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import engine.cli.main
from engine.cli.main import run
from engine.paths import Home
from engine.project import Project
from tests.engine.cli.calling import call, fail, get, succeed

SURROGATE = "\udcff"  # how Python hands over a byte of the command line that is not UTF-8

NO_NUMBERS = (
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
MISSING = (
    ("train", "curate freeze"),
    ("evaluate", "train"),
    ("evaluate --run 7", ""),
    ("export", "train"),
    ("export --run 7", ""),
    ("export --form merged", "train"),
)


@pytest.mark.parametrize("words", NO_NUMBERS)
def test_a_word_that_means_nothing_is_refused_before_anything_happens(words: str, begun: Path) -> None:
    error = fail(*words.split())
    assert error["title"] == "The command was not understood."
    assert error["message"]
    with Project.open(begun) as project:
        assert (project.jobs.all(), project.runs.all()) == ((), ())


@pytest.mark.parametrize(("words", "next_command"), MISSING)
def test_a_station_before_its_turn_names_the_command_that_comes_first(
    words: str, next_command: str, begun: Path
) -> None:
    assert f"distill-tui {next_command}".strip() in fail(*words.split())["next"]
    with Project.open(begun) as project:
        assert (project.jobs.all(), project.runs.all()) == ((), ())


@pytest.mark.parametrize("name", ["", "bänk", "two words", ".hidden"])
def test_a_name_that_no_project_can_have_is_refused(name: str, home: Home) -> None:
    if name == ".hidden":  # a path
        name = f"{home.root}/.hidden"
    error = fail("new", name)
    assert error["title"] == "Invalid project name."
    assert not home.projects.exists()


def test_a_run_that_is_not_there_is_refused_by_number(finished: Path) -> None:
    for command in ("evaluate", "export"):
        assert "7" in fail(command, "--run", "7")["message"]
    assert get("jobs", "list", "--all") == {"jobs": []}


def test_a_run_without_its_adapter_is_not_released(finished: Path) -> None:
    assert fail("export", "--run", "1")["next"]


def test_a_release_takes_no_place_that_is_taken(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    for words in ((), ("--force",)):
        fail("export", "--to", tmp_path / "mine", *words)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "words",
    [("prompt", "set", f"{SURROGATE}.md"), ("status", "-p", SURROGATE), ("new", SURROGATE),
     ("rules", "add", SURROGATE, "kind=json"), ("questions", "list", "--topic", SURROGATE),
     ("prompt", "set", "-", "--note", SURROGATE), ("curate", "list", "--search", SURROGATE),
     ("curate", "reject", "--reason", SURROGATE, "1"), (SURROGATE,), ("models", "fetch", SURROGATE),
     ("estimate", "--model", SURROGATE, "--requests-per-day", "1")],
    ids=lambda words: " ".join(words).replace(SURROGATE, "¿"),
)  # fmt: skip
def test_bytes_that_are_no_text_are_answered_in_text(words: tuple[str, ...], finished: Path) -> None:
    for ended in (call(*words, input="A prompt."), call(*words, "--json", input="A prompt.")):
        assert ended.status in (0, 1, 2)
    assert isinstance(ended.data, dict)
    with Project.open(finished) as project:
        assert project.check() == ()


@pytest.mark.parametrize(
    "words",
    [("status", "-p", "~nobody-of-this-name"), ("status", "--home", "~nobody-of-this-name"),
     ("new", "~nobody-of-this-name/desk"), ("questions", "import", "~nobody-of-this-name/q.txt"),
     ("export", "--to", "~nobody-of-this-name/x"), ("curate", "edit", "1", "~nobody-of-this-name/x"),
     ("status", "-p", "x" * 300), ("new", "./" + "x" * 300), ("rules", "import", "x" * 300)],
    ids=lambda words: " ".join(words)[:40],
)  # fmt: skip
def test_a_path_that_cannot_be_is_refused(words: tuple[str, ...], finished: Path) -> None:
    ended = call(*words, "--json")
    assert ended.status in (1, 2)
    assert ended.data["error"]["title"]
    assert call(*words).out == ""


def test_what_the_system_refuses_is_a_failure_not_a_traceback(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/some/place")

    monkeypatch.setattr("engine.stations.read_facts", refuse)
    error = fail("status", status=1)
    assert "/some/place" in error["message"]
    assert "Permission denied" in error["message"]


def test_ctrl_c_ends_with_its_own_status_and_nothing_on_standard_output(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.stations.read_facts", interrupt)
    for words in (("status",), ("status", "--json")):
        ended = call(*words)
        assert (ended.status, ended.out, ended.err.strip()) == (130, "", "Interrupted.")


def test_a_defect_of_the_program_is_not_hidden(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def divide(*_: object) -> float:
        return 1 / 0

    monkeypatch.setattr("engine.stations.read_facts", divide)
    with pytest.raises(ZeroDivisionError):
        call("status")


@pytest.mark.parametrize("damage", [b"", b"nonsense " * 100, None], ids=["empty", "nonsense", "a folder"])
def test_a_project_that_is_none_is_told_apart_and_left_alone(damage: bytes | None, begun: Path) -> None:
    database = begun / "project.db"
    for path in begun.glob("project.db*"):
        path.unlink()
    if damage is None:
        database.mkdir()
    else:
        database.write_bytes(damage)
    for words in (("status",), ("prompt", "set", "-"), ("jobs", "list")):
        ended = call(*words, "-p", str(begun), "--json", input="A prompt.")
        if damage == b"":
            continue  # to SQLite an empty file is an empty database
        assert ended.status in (1, 2)
        assert ended.data["error"]["next"]
    assert damage is None or damage == b"" or database.read_bytes() == damage


def test_a_newer_projects_database_is_left_alone(begun: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(begun / "project.db")
    connection.execute("PRAGMA user_version = 9999")
    connection.close()
    error = fail("status", status=1)
    assert "newer" in f"{error['title']} {error['message']}".lower()


@pytest.mark.parametrize("words", [("status", "--json"), ("nonsense", "--json"), ("paths", "--json")], ids=" ".join)
def test_the_program_itself_says_the_same(words: tuple[str, ...], begun: Path) -> None:
    """Once across a real process: streams, exit status, and an output that is no UTF-8."""
    program = str(Path(sys.executable).with_name("distill-tui"))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([program, *words], env=environment, capture_output=True, timeout=60)
    here = call(*words)
    assert done.returncode == here.status
    assert json.loads(done.stdout.decode("ascii")) == here.data
    assert b"Traceback" not in done.stderr


def test_signs_that_a_terminal_does_not_have_are_escaped(finished: Path) -> None:
    program = str(Path(sys.executable).with_name("distill-tui"))
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([program, "curate", "list"], env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr.count(b"\n")) == (0, 1)
    assert b"1 \\u2713 Question" in done.stdout


def test_a_reader_that_has_seen_enough_is_no_failure(finished: Path) -> None:
    program = str(Path(sys.executable).with_name("distill-tui"))
    # More than a pipe holds.
    get("questions", "import", "-", input="".join(f"{n} {'long ' * 100}\n" for n in range(1_000)))
    for words in ("questions list", "questions list --json"):
        line = f'"{program}" {words} | head -c 20; echo " ${{PIPESTATUS[0]}}"'
        done = subprocess.run(["bash", "-c", line], env=dict(os.environ), capture_output=True, text=True, timeout=60)
        assert done.stdout.endswith(" 0\n")
        assert done.stderr.startswith("1,048 questions: ")
        assert done.stderr.count("\n") == 1


def test_a_full_disk_is_told_without_a_traceback(finished: Path) -> None:
    program = str(Path(sys.executable).with_name("distill-tui"))
    for words in ("questions list", "questions list --json"):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run([program, *words.split()], stdout=full, stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 1, words
        assert b"Traceback" not in done.stderr


def test_where_nobody_listens_any_more_the_work_goes_on(finished: Path) -> None:
    listener, told = os.pipe()
    os.close(listener)
    words = ["-c", "from engine.cli.invocation import tell\nfor _ in range(3): tell('on')\nprint('done')"]
    done = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, stderr=told, timeout=60)
    os.close(told)
    assert done.stdout == b"done\n"


def test_without_a_terminal_the_app_says_what_there_is_instead() -> None:
    program = str(Path(sys.executable).with_name("distill-tui"))
    done = subprocess.run([program], capture_output=True, text=True, timeout=60, env=dict(os.environ))
    assert (done.returncode, done.stdout) == (2, "")
    assert "--help" in done.stderr


def test_a_command_hands_its_exit_status_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.cli.main.group, "main", lambda *_, **__: 7)
    assert run(["anything"]) == 7


def test_what_a_failed_command_left_behind_is_a_whole_project(begun: Path) -> None:
    """After a row of mistakes the project is as it was."""
    before = {name: get(*name.split()) for name in ("prompt versions", "rules list", "questions list", "status")}
    for words in ("prompt set /no/such", "rules import /no/such", "questions import /no/such.txt", "curate undo x",
                  "train", "evaluate", "export", "curate accept 1", "generate --samples 0"):  # fmt: skip
        assert call(*words.split()).status == 2, words
    assert {name: get(*name.split()) for name in before} == before
    succeed("doctor")
