"""What is about this machine and not about one project: paths, models, doctor, keys, and the list of projects."""

import os
import re
import shlex
import sqlite3
import stat
import sys
import tomllib
from contextlib import closing
from pathlib import Path

import pexpect
import pytest

from engine.doctor import _NEEDED, Examination
from engine.paths import Home
from engine.project import Project
from tests.engine.cli.calling import call, fail, get, succeed

URL = "https://llm.example.com:8443/v1"
KEY = "sk-canary-9876543210zyxwvutsrq"


def test_the_paths_are_those_of_the_home(private_home: Path, tmp_path: Path) -> None:
    for words, root in (((), private_home), (("--home", str(tmp_path / "other")), tmp_path / "other")):
        data = get("paths", *words)
        expected = {name: str(root / name) for name in ("projects", "cache", "config", "state")}
        assert data | expected == data
        assert data["root"] == str(root)
        text = succeed("paths", *words).out
        assert all(path in text for path in expected.values())
        assert not root.exists()


def test_without_a_home_there_is_no_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISTILL_TUI_HOME")
    for name in ("DATA", "CACHE", "CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    data = get("paths")
    assert data["root"] is None
    assert data["projects"] == str(tmp_path / "DATA" / "distill-tui" / "projects")
    assert "None" not in succeed("paths").out


def test_a_folder_is_a_model_already(tiny_base: Path) -> None:
    assert get("models", "fetch", tiny_base) == {"name": str(tiny_base), "folder": str(tiny_base)}
    assert str(tiny_base) in succeed("models", "fetch", tiny_base).out


@pytest.mark.parametrize("name", ["./no-such-folder", "/no/such/folder", "a/b/c", "nonsense", "owner/model"])
def test_a_model_that_cannot_be_had_is_a_failure_with_a_way_out(name: str) -> None:
    error = fail("models", "fetch", name, status=1)
    assert name in error["message"]
    assert error["next"]
    assert get("models", "list") == {"models": []}


def test_a_folder_without_safe_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    assert "safetensors" in str(fail("models", "fetch", tmp_path, status=1))


def test_the_doctor_looks_at_the_machine_and_at_the_current_project(begun: Path) -> None:
    data = get("doctor")
    assert all(set(row) >= {"subject", "level", "found", "next"} for row in data["findings"])
    assert {row["level"] for row in data["findings"]} <= {"ok", "warning"}
    by_subject = {row["subject"]: row for row in data["findings"]}
    assert by_subject["database"]["found"] == "meridian-desk is intact"
    text = succeed("doctor").out
    assert all(f"{row['subject']} " in text for row in data["findings"])


def test_the_doctor_needs_no_project(private_home: Path) -> None:
    assert "database" not in {row["subject"] for row in get("doctor")["findings"]}
    assert not private_home.exists()


@pytest.mark.parametrize(
    ("found", "level"), [("5.9rc1", "ok"), ("4.2a1", "ok"), ("4.1.3", "failure"), ("0.1.dev3", "failure")]
)
def test_a_version_before_its_release_is_a_version(
    private_home: Path, monkeypatch: pytest.MonkeyPatch, found: str, level: str
) -> None:
    monkeypatch.setattr("engine.doctor.version", lambda name: found if name == "sqlite-utils" else "99.0")
    data = call("doctor", "--json").data
    assert {row["subject"]: row["level"] for row in data["findings"]}["sqlite-utils"] == level


def test_the_doctor_asks_for_what_the_program_is_installed_with() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    named = dict(re.split(r"(?:\[.*\])?[=>]=", each, maxsplit=1) for each in project["dependencies"])
    assert {name: ".".join(map(str, needed)) for name, needed in _NEEDED.items()} == {
        name: named[name] for name in _NEEDED
    }


def test_what_is_broken_fails_with_all_findings_in_the_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Examination("torch", "failure", "not installed", "Install it.")
    monkeypatch.setattr("engine.doctor.examine", lambda *_: (Examination("python", "ok", "3"), broken))
    text, data = call("doctor"), call("doctor", "--json")
    assert (text.status, data.status) == (1, 1)
    assert "✗ torch" in text.out
    assert "Some checks failed." in text.err
    assert [row["subject"] for row in data.data["findings"]][:2] == ["python", "torch"]
    assert set(data.data["error"]) == {"title", "message", "next"}


@pytest.mark.parametrize("damage", ["no database", "torn page"])
def test_a_damaged_project_is_a_finding_among_the_others(begun: Path, damage: str) -> None:
    with closing(sqlite3.connect(begun / "project.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray((begun / "project.db").read_bytes())
    data[slice(0, 4096) if damage == "no database" else slice(4096 * 3, 4096 * 9)] = b"x" * 4096
    (begun / "project.db").write_bytes(data)
    ended = call("doctor", "--json")
    assert ended.status == 1
    found = {row["subject"]: row for row in ended.data["findings"]}
    assert found["database"]["level"] == "failure"
    assert "python" in found
    text = call("doctor")
    assert text.status == 1
    assert "✗ database" in text.out


class TestKeys:
    """A key goes into one file that only its owner reads, and is never shown."""

    def test_a_key_is_read_from_standard_input_and_never_shown(self, home: Home) -> None:
        for words in (("keys", "save", URL), ("keys", "save", URL, "--json")):
            done = succeed(*words, input=f"{KEY}\n")
            assert KEY not in done.out + done.err
            file = home.config / "keys" / "llm.example.com_8443"
            assert file.read_text() == f"{KEY}\n"
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert str(file) in done.out

    @pytest.mark.parametrize(
        "address", ["http://llm.example.com/v1", "nowhere", f"https://me:{KEY}@llm.example.com/v1"]
    )
    def test_an_unsafe_address_gets_no_key(self, address: str, private_home: Path) -> None:
        assert KEY not in str(fail("keys", "save", address, input=KEY))
        assert not private_home.exists()

    @pytest.mark.parametrize("key", [b"", b"  \n", b"\xff"], ids=["nothing", "blank", "not UTF-8"])
    def test_what_is_no_key_is_not_kept(self, key: bytes, private_home: Path) -> None:
        fail("keys", "save", URL, input=key)
        assert not private_home.exists()

    def test_a_pipe_is_read_also_where_there_is_a_terminal(self, home: Home) -> None:
        program = shlex.quote(str(Path(sys.executable).with_name("distill-tui")))
        line = f"echo {KEY} | {program} keys save {URL}"
        shell = pexpect.spawn("/bin/sh", ["-c", line], env={**os.environ, "LC_ALL": "C.UTF-8"}, timeout=60)
        shell.expect(pexpect.EOF)
        shell.close()
        assert shell.exitstatus == 0
        assert (home.config / "keys" / "llm.example.com_8443").read_text() == f"{KEY}\n"

    def test_a_terminal_is_asked_and_shows_nothing(self, home: Home) -> None:
        program = str(Path(sys.executable).with_name("distill-tui"))
        terminal = pexpect.spawn(program, ["keys", "save", URL], env={**os.environ, "LC_ALL": "C.UTF-8"}, timeout=60)
        terminal.expect_exact("Key:")
        terminal.waitnoecho()
        terminal.sendline(KEY)
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == 0
        assert KEY.encode() not in terminal.before
        assert (home.config / "keys" / "llm.example.com_8443").read_text() == f"{KEY}\n"


class TestProjects:
    """Listing projects, and deleting one for good."""

    @pytest.fixture
    def two(self, home: Home) -> tuple[Path, Path]:
        """An older and a newer project; the newer is the current one."""
        folders = Path(get("new", "zebra")["folder"]), Path(get("new", "ant")["folder"])
        for folder, when in zip(folders, (1_700_000_000, 1_800_000_000), strict=True):
            for path in folder.iterdir():
                os.utime(path, (when, when))
        return folders

    def test_the_list_is_newest_first(self, two: tuple[Path, Path]) -> None:
        rows = get("projects", "list")["projects"]
        assert [row["name"] for row in rows] == ["ant", "zebra"]
        assert [row["changed_at"][:4] for row in rows] == ["2027", "2023"]
        assert [row["live_jobs"] for row in rows] == [0, 0]
        assert [row["folder"] for row in rows] == [str(folder) for folder in reversed(two)]
        assert [line.split()[0] for line in succeed("projects", "list").out.splitlines()] == ["ant", "zebra"]

    def test_a_project_that_cannot_be_read_is_listed_with_its_trouble(self, two: tuple[Path, Path]) -> None:
        (two[0] / "project.db").write_text("nonsense " * 100)
        troubles = {row["name"]: row["trouble"] for row in get("projects", "list")["projects"]}
        assert troubles["ant"] == ""
        assert "not a project" in troubles["zebra"]
        assert "not a project" in succeed("projects", "list").out

    def test_a_deleted_project_is_gone_and_the_other_is_not(self, two: tuple[Path, Path]) -> None:
        assert get("projects", "delete", "zebra", "--yes") == {"deleted": str(two[0])}
        assert [row["name"] for row in get("projects", "list")["projects"]] == ["ant"]
        assert not two[0].exists()
        assert "zebra" in fail("projects", "delete", "zebra", "--yes")["message"]
        assert str(two[1]) in succeed("projects", "delete", str(two[1]), "--yes").out
        assert not two[1].exists()

    def test_a_person_is_asked_first(self, two: tuple[Path, Path]) -> None:
        for answer in ("n\n", "\n"):
            assert "Nothing was deleted." in succeed("projects", "delete", "zebra", input=answer).out
            assert succeed("projects", "delete", "zebra", "--json", input=answer).data == {"deleted": None}
        assert fail("projects", "delete", "zebra", input="")["next"] == "Add --yes."  # nobody is there to answer
        assert two[0].exists()
        done = succeed("projects", "delete", "zebra", "--json", input="y\n")
        assert done.data == {"deleted": str(two[0])}
        assert str(two[0]) in done.err
        assert not two[0].exists()

    def test_files_that_are_not_the_projects_stay(self, home: Home, two: tuple[Path, Path]) -> None:
        (two[0] / "thesis.txt").write_text("mine")
        succeed("projects", "delete", "zebra", "--yes")
        assert [path.name for path in two[0].iterdir()] == ["thesis.txt"]
        with Project.open(two[1], home) as project:
            assert project.check() == ()


def test_the_doctor_says_what_of_the_settings_cannot_be_read(home: Home) -> None:
    assert "settings" not in {row["subject"] for row in get("doctor")["findings"]}, "nothing is written there"
    home.themes.mkdir(parents=True)
    home.settings.write_text('theme = "dusk"\n')
    (home.themes / "mine.yaml").write_text("primary: '#112233'\n")

    def found() -> list[dict[str, str]]:
        return [row for row in get("doctor")["findings"] if row["subject"] == "settings"]

    assert [row["level"] for row in found()] == ["ok"]
    home.settings.write_text("theme = dusk\n")
    (home.themes / "mine.yaml").write_text("primary: [\n")
    (home.themes / "other.yaml").write_bytes(b"\xff")
    told = found()
    assert [row["level"] for row in told] == ["warning"] * 3
    assert "settings.toml" in told[0]["found"]
    assert "line 1" in told[0]["found"]
    assert "mine.yaml" in told[1]["found"]
    assert "not UTF-8" in told[2]["found"]
