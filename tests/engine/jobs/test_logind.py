"""What threatens a job at logout, told by stand-ins for systemd's own programs."""

import os
from pathlib import Path

import pytest

from engine.jobs.logind import Survival, plan_survival

_SCOPE = ("systemd-run", "--user", "--scope", "--quiet", "--collect", "--")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    return folder


def _program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def _loginctl(folder: Path, kills: str, linger: str) -> None:
    _program(folder, "loginctl", f'case "$*" in *KillUserProcesses*) echo {kills};; *Linger*) echo {linger};; esac')


def test_without_systemd_nothing_is_needed(programs: Path) -> None:
    assert plan_survival() == Survival()


def test_a_logind_that_spares_processes_needs_nothing(programs: Path) -> None:
    _loginctl(programs, "no", "no")
    assert plan_survival() == Survival()


def test_a_loginctl_that_fails_needs_nothing(programs: Path) -> None:
    _program(programs, "loginctl", "exit 1")
    assert plan_survival() == Survival()


def test_a_scope_is_used_where_logind_kills(programs: Path) -> None:
    _loginctl(programs, "yes", "yes")
    _program(programs, "systemd-run", "exit 0")
    assert plan_survival() == Survival(_SCOPE)


def test_a_scope_without_linger_is_used_and_said(programs: Path) -> None:
    _loginctl(programs, "yes", "no")
    _program(programs, "systemd-run", "exit 0")
    plan = plan_survival()
    assert plan.prefix == _SCOPE
    assert "enable-linger" in plan.note


def test_a_scope_that_does_not_work_is_said(programs: Path) -> None:
    _loginctl(programs, "yes", "yes")
    assert "Stay logged in" in plan_survival().note
    _program(programs, "systemd-run", "exit 1")
    plan = plan_survival()
    assert plan.prefix == ()
    assert "Stay logged in" in plan.note


def test_root_is_spared(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _loginctl(programs, "yes", "no")
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert plan_survival() == Survival()
