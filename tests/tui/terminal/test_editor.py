"""A person's own editor: what it saves comes back, and whatever it does the old text is not lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from textual.app import SuspendNotSupported

from engine.errors import UsageError
from engine.paths import Home
from tests.tui.test_settings import told
from tui.app import DistillApp
from tui.services.editor import edit_text
from tui.terminal.editor import edit


def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """An editor that does this to the file that it is given."""
    path = tmp_path / "editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(path))


# click takes a file whose time has not changed for one that was not saved.
LATER = 'touch -t 203001010000 "$1"'


def test_what_is_saved_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(tmp_path, monkeypatch, f"printf 'two\\nlines \\303\\251\\n' > \"$1\"; {LATER}")
    assert edit_text("one line") == "two\nlines é"


def test_the_file_is_given_as_it_is_and_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(tmp_path, monkeypatch, f'cp "$1" {tmp_path}/given; echo "$1" > {tmp_path}/name; {LATER}')
    assert edit_text("raw \x1b[31m\n") is None
    assert (tmp_path / "given").read_text() == "raw \x1b[31m\n"
    assert not Path((tmp_path / "name").read_text().strip()).exists()


def test_what_is_not_saved_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(tmp_path, monkeypatch, "true")
    assert edit_text("old") is None


def test_an_editor_whose_quotes_never_close_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "vim '")
    with pytest.raises(UsageError, match="No closing quotation"):
        edit_text("old")


@pytest.mark.parametrize(
    ("script", "text", "said"),
    [
        (f'printf new > "$1"; {LATER}; exit 1', "old", "Editing failed"),
        (f"printf '\\377' > \"$1\"; {LATER}", "old", "not UTF-8"),
        ("true", "a lone \ud800 surrogate", "not UTF-8"),
    ],
)  # fmt: skip
def test_an_editor_that_fails_leaves_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, text: str, said: str
) -> None:
    editor(tmp_path, monkeypatch, script)
    with pytest.raises(UsageError, match=said):
        edit_text(text)


async def test_the_terminal_is_lent_and_taken_back(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lent: list[str] = []

    @contextmanager
    def suspend(self: DistillApp) -> Iterator[None]:
        lent.append("away")
        yield  # as Textual's own, which an error never takes back
        lent.append("back")

    monkeypatch.setattr(DistillApp, "suspend", suspend)
    app = DistillApp(home, None)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        editor(tmp_path, monkeypatch, f'printf new > "$1"; {LATER}')
        assert edit(app, "old", "e edits here") == "new"
        editor(tmp_path, monkeypatch, "exit 3")
        assert edit(app, "old", "e edits here") is None
        await told(pilot, "The text is unchanged.")
    assert lent == ["away", "back"] * 2


async def test_a_terminal_that_cannot_be_lent_says_what_can_be_done(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def suspend(self: DistillApp) -> None:
        raise SuspendNotSupported("no")

    monkeypatch.setattr(DistillApp, "suspend", suspend)
    app = DistillApp(home, None)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        assert edit(app, "old", "e edits here") is None
        await told(pilot, "cannot be handed to an editor; e edits here.")
