"""Loading text into the tmux buffer: a tmux that is missing, fails or hangs is not an error."""

from pathlib import Path

import pytest

from tui.services.tmux import load_buffer


def fake_tmux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    path = tmp_path / "tmux"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("script", "environment", "accepted"),
    [
        ("cat > accepted; exit 0", {"TMUX": "/tmp/x,1,0"}, True),
        ("exit 1", {"TMUX": "/tmp/x,1,0"}, False),
        ("exec sleep 60", {"TMUX": "/tmp/x,1,0"}, False),
        ("cat > accepted; exit 0", {}, False),
    ],
)
def test_result_says_whether_tmux_took_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, environment: dict[str, str], accepted: bool
) -> None:
    fake_tmux(tmp_path, monkeypatch, script)
    monkeypatch.chdir(tmp_path)
    assert load_buffer("Grüße", {"PATH": "/usr/bin:/bin", **environment}) is accepted
    assert (tmp_path / "accepted").exists() is accepted
    if accepted:
        assert (tmp_path / "accepted").read_text() == "Grüße"


def test_missing_tmux_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert load_buffer("x", {"TMUX": "/tmp/x,1,0"}) is False
