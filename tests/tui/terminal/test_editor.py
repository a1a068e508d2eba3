"""Editing text in the user's external editor: what it saves, its failures, and suspending the app."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from textual.app import SuspendNotSupported

from engine.errors import UsageError
from engine.paths import Home
from tests.tui.piloting import wait_for_toast
from tui.app import DistillApp
from tui.services.editor import edit_text
from tui.terminal.editor import edit


def set_editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Make a shell script the editor; it gets the file as its first argument."""
    path = tmp_path / "editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(path))


# click treats a file with an unchanged modification time as not saved.
TOUCH = 'touch -t 203001010000 "$1"'


def test_saved_text_is_returned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_editor(tmp_path, monkeypatch, f"printf 'two\\nlines \\303\\251\\n' > \"$1\"; {TOUCH}")
    assert edit_text("one line") == "two\nlines é"


def test_file_has_the_exact_text_and_is_deleted_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_editor(tmp_path, monkeypatch, f'cp "$1" {tmp_path}/given; echo "$1" > {tmp_path}/name; {TOUCH}')
    assert edit_text("raw \x1b[31m\n") is None
    assert (tmp_path / "given").read_text() == "raw \x1b[31m\n"
    assert not Path((tmp_path / "name").read_text().strip()).exists()


def test_unsaved_edit_returns_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_editor(tmp_path, monkeypatch, "true")
    assert edit_text("old") is None


def test_unbalanced_quotes_in_the_editor_command_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "vim '")
    with pytest.raises(UsageError, match="No closing quotation"):
        edit_text("old")


@pytest.mark.parametrize(
    ("script", "text", "message"),
    [
        (f'printf new > "$1"; {TOUCH}; exit 1', "old", "Editing failed"),
        (f"printf '\\377' > \"$1\"; {TOUCH}", "old", "not UTF-8"),
        ("true", "a lone \ud800 surrogate", "not UTF-8"),
    ],
)  # fmt: skip
def test_failed_edit_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, text: str, message: str
) -> None:
    set_editor(tmp_path, monkeypatch, script)
    with pytest.raises(UsageError, match=message):
        edit_text(text)


async def test_app_is_suspended_during_the_edit_and_always_resumed(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspensions: list[str] = []

    @contextmanager
    def suspend(self: DistillApp) -> Iterator[None]:
        suspensions.append("away")
        yield  # like Textual's own, does not resume after an error
        suspensions.append("back")

    monkeypatch.setattr(DistillApp, "suspend", suspend)
    app = DistillApp(home, None)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        set_editor(tmp_path, monkeypatch, f'printf new > "$1"; {TOUCH}')
        assert edit(app, "old", "e edits here") == "new"
        set_editor(tmp_path, monkeypatch, "exit 3")
        assert edit(app, "old", "e edits here") is None
        await wait_for_toast(pilot, "The text is unchanged.")
    assert suspensions == ["away", "back"] * 2


async def test_terminal_that_cannot_suspend_offers_the_built_in_editor(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def suspend(self: DistillApp) -> None:
        raise SuspendNotSupported("no")

    monkeypatch.setattr(DistillApp, "suspend", suspend)
    app = DistillApp(home, None)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        assert edit(app, "old", "e edits here") is None
        await wait_for_toast(pilot, "cannot be handed to an editor; e edits here.")
