"""How a job survives logout, with fake scripts in place of systemd's programs."""

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


def test_nothing_is_needed_without_systemd(programs: Path) -> None:
    assert plan_survival() == Survival()


def test_nothing_is_needed_if_logind_spares_processes(programs: Path) -> None:
    _loginctl(programs, "no", "no")
    assert plan_survival() == Survival()


def test_nothing_is_needed_if_loginctl_fails(programs: Path) -> None:
    _program(programs, "loginctl", "exit 1")
    assert plan_survival() == Survival()


def test_scope_is_used_if_logind_kills_processes(programs: Path) -> None:
    _loginctl(programs, "yes", "yes")
    _program(programs, "systemd-run", "exit 0")
    assert plan_survival() == Survival(_SCOPE)


def test_scope_without_linger_comes_with_advice(programs: Path) -> None:
    _loginctl(programs, "yes", "no")
    _program(programs, "systemd-run", "exit 0")
    plan = plan_survival()
    assert plan.prefix == _SCOPE
    assert "not your last logout" in plan.trouble
    assert "enable-linger" in plan.advice


def test_user_is_told_to_stay_logged_in_if_no_scope_works(programs: Path) -> None:
    _loginctl(programs, "yes", "yes")
    assert "Stay logged in" in plan_survival().advice
    _program(programs, "systemd-run", "exit 1")
    plan = plan_survival()
    assert plan.prefix == ()
    assert "does not work here" in plan.trouble
    assert "Stay logged in" in plan.advice


def test_nothing_is_needed_for_root(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _loginctl(programs, "yes", "no")
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert plan_survival() == Survival()
