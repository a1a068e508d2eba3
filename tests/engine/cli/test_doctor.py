"""`doctor`: checks of the machine, the settings and the current project."""

import re
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from engine.doctor import _NEEDED, Examination
from engine.paths import Home
from tests.engine.cli.calling import call, get, succeed


def test_doctor_checks_the_machine_and_the_current_project(new_project: Path) -> None:
    data = get("doctor")
    assert all(set(row) >= {"subject", "level", "found", "next"} for row in data["findings"])
    assert {row["level"] for row in data["findings"]} <= {"ok", "warning"}
    by_subject = {row["subject"]: row for row in data["findings"]}
    assert by_subject["database"]["found"] == "meridian-desk is intact"
    assert by_subject["sqlite"]["found"] == sqlite3.sqlite_version
    text = succeed("doctor").out
    assert all(f"{row['subject']} " in text for row in data["findings"])


def test_doctor_needs_no_project(private_home: Path) -> None:
    assert "database" not in {row["subject"] for row in get("doctor")["findings"]}
    assert not private_home.exists()


@pytest.mark.parametrize(
    ("found", "level"), [("5.9rc1", "ok"), ("4.2a1", "ok"), ("4.1.3", "failure"), ("0.1.dev3", "failure")]
)
def test_prerelease_versions_are_compared(
    private_home: Path, monkeypatch: pytest.MonkeyPatch, found: str, level: str
) -> None:
    monkeypatch.setattr("engine.doctor.version", lambda name: found if name == "sqlite-utils" else "99.0")
    data = call("doctor", "--json").data
    assert {row["subject"]: row["level"] for row in data["findings"]}["sqlite-utils"] == level


def test_required_versions_match_pyproject() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    declared = dict(re.split(r"(?:\[.*\])?[=>]=", each, maxsplit=1) for each in project["dependencies"])
    assert {name: ".".join(map(str, version)) for name, version in _NEEDED.items()} == {
        name: declared[name] for name in _NEEDED
    }


def test_failed_check_exits_with_failure_and_all_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Examination("torch", "failure", "not installed", "Install it.")
    monkeypatch.setattr("engine.doctor.examine", lambda *_: (Examination("python", "ok", "3"), broken))
    text, data = call("doctor"), call("doctor", "--json")
    assert (text.status, data.status) == (1, 1)
    assert "✗ torch" in text.out
    assert "Some checks failed." in text.err
    assert [row["subject"] for row in data.data["findings"]][:2] == ["python", "torch"]
    assert set(data.data["error"]) == {"code", "title", "message", "next"}


def test_doctor_says_what_a_job_would_say_about_a_logout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def logout() -> tuple[str, str, str]:
        rows = {row["subject"]: row for row in get("doctor")["findings"]}
        return rows["logout"]["level"], rows["logout"]["found"], rows["logout"]["next"]

    program = tmp_path / "loginctl"
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_SESSION_ID", "1")
    monkeypatch.setattr("os.getuid", lambda: 1000)
    assert logout() == ("ok", "jobs outlive the session", "")
    for kills, level in (("no", "ok"), ("yes", "warning")):
        program.write_text(f'#!/bin/sh\ncase "$*" in *KillUserProcesses*) echo {kills};; *) echo no;; esac\n')
        program.chmod(0o755)
        assert logout()[0] == level
    assert logout()[2] == "Stay logged in while a job runs."
    (tmp_path / "systemd-run").write_text("#!/bin/sh\n")
    (tmp_path / "systemd-run").chmod(0o755)
    assert "not your last logout" in logout()[1]
    assert "loginctl enable-linger" in logout()[2]


@pytest.mark.parametrize("damage", ["no database", "torn page"])
def test_damaged_project_is_one_of_the_findings(new_project: Path, damage: str) -> None:
    with closing(sqlite3.connect(new_project / "project.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray((new_project / "project.db").read_bytes())
    data[slice(0, 4096) if damage == "no database" else slice(4096 * 3, 4096 * 9)] = b"x" * 4096
    (new_project / "project.db").write_bytes(data)
    ended = call("doctor", "--json")
    assert ended.status == 1
    found = {row["subject"]: row for row in ended.data["findings"]}
    assert found["database"]["level"] == "failure"
    assert "python" in found
    text = call("doctor")
    assert text.status == 1
    assert "✗ database" in text.out


def test_unreadable_settings_and_themes_are_warnings(home: Home) -> None:
    assert "settings" not in {row["subject"] for row in get("doctor")["findings"]}, "there are no settings to check"
    home.themes.mkdir(parents=True)
    home.settings.write_text('theme = "dusk"\n')
    (home.themes / "mine.yaml").write_text("primary: '#112233'\n")

    def findings() -> list[dict[str, str]]:
        return [row for row in get("doctor")["findings"] if row["subject"] == "settings"]

    assert [row["level"] for row in findings()] == ["ok"]
    home.settings.write_text("theme = dusk\n")
    (home.themes / "mine.yaml").write_text("primary: [\n")
    (home.themes / "other.yaml").write_bytes(b"\xff")
    rows = findings()
    assert [row["level"] for row in rows] == ["warning"] * 3
    assert "settings.toml" in rows[0]["found"]
    assert "line 1" in rows[0]["found"]
    assert "mine.yaml" in rows[1]["found"]
    assert "not UTF-8" in rows[2]["found"]
