"""Completion of file paths while they are typed, alone and in a form."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App
from textual.widgets import Input, Static

from tests.tui.piloting import until
from tui.forms.screen import Field, FormScreen
from tui.services import paths
from tui.services.paths import _in_common, completed


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("traffic-may.jsonl", "traffic-june.jsonl", "prompt.md", ".hidden", "evil\x1b[2J.md"):
        (tmp_path / name).write_text("")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "qwen").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("tr", "traffic-"),
        ("traffic-", None),
        ("traffic-m", "traffic-may.jsonl"),
        ("traffic-may.jsonl", None),
        ("mo", "models/"),
        ("models/", None),
        ("models/q", "models/qwen/"),
        ("~/pro", "~/prompt.md"),
        ("~nobody-of-this-name/x", None),
        ("", None),
        ("h", None),
        (".h", ".hidden"),
        ("evil", None),
        ("no/such/place", None),
        ("prompt.md/x", None),
        ("x\0y/z", None),
    ],
)
def test_path_is_completed_up_to_the_first_ambiguity(folder: Path, typed: str, expected: str | None) -> None:
    assert completed(typed) == expected
    if typed and not typed.startswith("~") and "\0" not in typed:
        assert completed(f"{folder}/{typed}") == (expected and f"{folder}/{expected}")


@pytest.mark.usefixtures("folder")
def test_folder_with_too_many_names_completes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "_MOST_NAMES", 3)
    assert completed("pro") is None


@given(names=st.lists(st.text(alphabet="ab", max_size=5), min_size=1))
def test_first_and_last_sorted_name_share_the_common_prefix_of_all(names: list[str]) -> None:
    prefixes = [names[0][:length] for length in range(len(names[0]) + 1)]
    longest = max((prefix for prefix in prefixes if all(name.startswith(prefix) for name in names)), key=len)
    assert _in_common(min(names), max(names)) == longest


class FormApp(App[None]):
    """A form with a path field and a plain field."""

    def on_mount(self) -> None:
        fields = [Field("path", "file", path=True), Field("word", "word")]
        self.push_screen(FormScreen("Where", fields))


@pytest.mark.usefixtures("folder")
async def test_right_arrow_accepts_the_suggestion_only_in_path_fields() -> None:
    app = FormApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, FormScreen) and app.focused is not None)
        assert "→ complete" in str(app.screen.query_one("#form-keys", Static).visual)
        path, word = app.screen.query_one("#field-path", Input), app.screen.query_one("#field-word", Input)
        await pilot.press(*"models/q")
        await until(pilot, lambda: path._suggestion == "models/qwen/")
        assert path.value == "models/q"
        await pilot.press("right")
        await until(pilot, lambda: path.value == "models/qwen/")
        await pilot.press("down", *"pro", "right")
        await until(pilot, lambda: word.value == "pro")
        assert word.suggester is None
