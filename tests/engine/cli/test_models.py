"""`models`: fetching by name or folder."""

from pathlib import Path

import pytest

from tests.engine.cli.calling import fail, get, succeed


def test_fetching_a_local_folder_returns_it(tiny_base: Path) -> None:
    assert get("models", "fetch", tiny_base) == {"name": str(tiny_base), "folder": str(tiny_base)}
    assert str(tiny_base) in succeed("models", "fetch", tiny_base).out


@pytest.mark.parametrize(
    ("name", "status"),
    [("./no-such-folder", 2), ("/no/such/folder", 2), ("a/b/c", 2), ("nonsense", 2), ("owner/model", 1)],
)
def test_unavailable_model_fails_with_a_next_step(name: str, status: int) -> None:
    error = fail("models", "fetch", name, status=status)
    assert name in error["message"]
    assert error["next"]
    assert get("models", "list") == {"models": []}


def test_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    (tmp_path / "config.json").write_text("{}")
    assert "safetensors" in str(fail("models", "fetch", tmp_path, status=1))
