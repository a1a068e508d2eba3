"""`paths`: below the home, or in the XDG folders."""

from pathlib import Path

import pytest

from tests.engine.cli.calling import get, succeed


def test_paths_are_below_the_home(private_home: Path, tmp_path: Path) -> None:
    for args, root in (((), private_home), (("--home", str(tmp_path / "other")), tmp_path / "other")):
        data = get("paths", *args)
        expected = {name: str(root / name) for name in ("projects", "cache", "config", "state")}
        assert data | expected == data
        assert data["root"] == str(root)
        text = succeed("paths", *args).out
        assert all(path in text for path in expected.values())
        assert not root.exists()


def test_paths_without_a_home_follow_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISTILL_TUI_HOME")
    for name in ("DATA", "CACHE", "CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    data = get("paths")
    assert data["root"] is None
    assert data["projects"] == str(tmp_path / "DATA" / "distill-tui" / "projects")
    assert "None" not in succeed("paths").out
