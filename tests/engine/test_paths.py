"""Locations of files, private folders, atomic writes, and names of models."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import StoreError, UsageError
from engine.paths import Home, make_private_folder, model_name, write_atomically


def test_explicit_home_overrides_the_environment(tmp_path: Path, private_home: Path) -> None:
    assert Home.locate().root == private_home
    named = Home.locate(tmp_path / "named")
    assert named.root == tmp_path / "named"
    assert (named.projects, named.state) == (tmp_path / "named/projects", tmp_path / "named/state")


def test_xdg_folders_are_used_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISTILL_TUI_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/invalid")
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    home = Home.locate()
    assert home.root is None
    assert home.projects == tmp_path / "data/distill-tui/projects"
    assert home.cache == tmp_path / ".cache/distill-tui"
    assert home.config == tmp_path / ".config/distill-tui"
    assert home.state == tmp_path / ".local/state/distill-tui"


def test_new_folders_are_private_and_existing_ones_keep_their_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    made = make_private_folder(tmp_path / "a" / "b")
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (made, made.parent, tmp_path)] == [0o700, 0o700, 0o755]


def test_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Cannot create a folder"):
        make_private_folder(tmp_path / "file" / "inside")


def test_atomic_write_replaces_a_file_and_keeps_it_private(tmp_path: Path) -> None:
    path = tmp_path / "facts"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.glob(".facts.*")) == []


def test_failed_atomic_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(StoreError, match="Cannot write a file"):
        write_atomically(tmp_path / "taken", b"new")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_atomic_write_keeps_the_old_file_if_a_chunk_fails(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"one "
        raise UsageError("No more.")

    path = tmp_path / "facts"
    write_atomically(path, iter([b"old ", b"facts"]))
    with pytest.raises(UsageError):
        write_atomically(path, chunks())
    assert path.read_bytes() == b"old facts"
    assert list(tmp_path.iterdir()) == [path]


def test_model_folder_becomes_an_absolute_path_and_other_names_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("starter", "owner/model"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.json").write_text("{}")
    absolute = str(tmp_path / "owner/model")
    assert {model_name(name) for name in ("owner/model", "./owner/model", "~/owner/model", absolute)} == {absolute}
    assert [model_name(name) for name in ("starter", "Qwen/Qwen2.5-0.5B")] == ["starter", "Qwen/Qwen2.5-0.5B"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("./none", "neither a folder"), ("gpt-5", "neither a folder"), ("a/b/c", "neither"), ("empty", "config.json")],
)
def test_invalid_model_name_is_refused(name: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=reason):
        model_name(name)
