"""A tmux that is not there, is not this one, or does not answer is no reason to stop."""

from pathlib import Path

import pytest

from tui.services.tmux import load_buffer


def tmux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    path = tmp_path / "tmux"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("script", "environment", "taken"),
    [
        ("cat > taken; exit 0", {"TMUX": "/tmp/x,1,0"}, True),
        ("exit 1", {"TMUX": "/tmp/x,1,0"}, False),
        ("exec sleep 60", {"TMUX": "/tmp/x,1,0"}, False),
        ("cat > taken; exit 0", {}, False),
    ],
)
def test_whether_it_took_the_text_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, environment: dict[str, str], taken: bool
) -> None:
    tmux(tmp_path, monkeypatch, script)
    monkeypatch.chdir(tmp_path)
    assert load_buffer("Grüße", {"PATH": "/usr/bin:/bin", **environment}) is taken
    assert (tmp_path / "taken").exists() is taken
    if taken:
        assert (tmp_path / "taken").read_text() == "Grüße"


def test_without_tmux_nothing_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert load_buffer("x", {"TMUX": "/tmp/x,1,0"}) is False
