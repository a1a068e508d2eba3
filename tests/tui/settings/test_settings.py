"""The user's settings: reading them, reporting errors, and the state that the app remembers beside them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Input

from engine.errors import DistillError
from engine.paths import Home, make_private_folder
from tests.tui.piloting import footer, shown, until, wait_for_toast
from tests.tui.seeds import make_stage
from tui.app import DistillApp
from tui.screens.help.screen import HelpScreen
from tui.services.settings import Memory, read_settings, save_copy
from tui.settings import Remembered, Settings, parse_remembered, parse_settings, remembered_text
from tui.widgets.page import Page

ALL_SETTINGS = """
theme = "paper"
mouse = false
bell = "always"
slow = true
ascii = true
[keys]
workspace.pause = "P"
"curate.accept" = "y,f5"
"""


def test_all_settings_are_read() -> None:
    settings, errors = parse_settings(ALL_SETTINGS, "settings.toml")
    assert not errors
    keys = {"workspace.pause": "P", "curate.accept": "y,f5"}
    assert settings == Settings("paper", mouse=False, bell="always", slow=True, ascii=True, keys=keys)


def test_empty_file_means_defaults() -> None:
    assert parse_settings("", "settings.toml") == (Settings(), ())


@pytest.mark.parametrize(
    ("text", "message", "next"),
    [
        ('thme = "paper"', "s.toml: thme.", "Did you mean theme?"),
        ("quite_else = 1", "s.toml: quite_else.", "Known names: theme, mouse, bell, slow, ascii, keys."),
        ('mouse = "no"', "s.toml: mouse must be true or false.", "The default is used."),
        ("theme = 3", "s.toml: theme must be a name in quotes.", "The default is used."),
        ('bell = "loud"', "s.toml: bell must be one of off, blur, always.", "The default is used."),
        ("keys = 3", "s.toml: keys must be a table.", 'Use [keys], then place.action = "key".'),
        ("[keys]\nstart.open = 3", "s.toml: start.open must be keys in quotes.", 'Such as "p" or "p,f5".'),
        ("keys = 3\nslow", "s.toml: Expected '=' after a key in a key/value pair (at end of document).", ""),
        ("mouse = true\nbell = off\n", "s.toml: Invalid value (at line 2, column 8).", ""),
    ],
)
def test_invalid_setting_is_reported_and_the_default_used(text: str, message: str, next: str) -> None:
    settings, errors = parse_settings(text, "s.toml")
    assert settings == Settings()
    assert [error.message for error in errors] == [message]
    assert errors[0].next.startswith(next)


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_reported(text: str) -> None:
    settings, errors = parse_settings(text, "s.toml")
    assert errors or isinstance(settings, Settings)


@pytest.mark.parametrize("text", ["a = " + "[" * 5_000, "a = " + "9" * 5_000], ids=["deep", "long"])
def test_unparsable_file_is_reported(text: str) -> None:
    settings, errors = parse_settings(text, "s.toml")
    assert settings == Settings()
    assert [error.title for error in errors] == ["Cannot read the settings."]


def test_byte_order_mark_is_ignored(home: Home) -> None:
    make_private_folder(home.config)
    home.settings.write_text("\ufeffmouse = false\r\n", encoding="utf-8")
    assert read_settings(home, {}) == (Settings(mouse=False), ())


def test_project_path_that_is_not_utf8_is_remembered(home: Home) -> None:
    memory = Memory(home, lambda error: pytest.fail(str(error)))
    memory.arrange(Path("/work/b\udcffd"), "run", 0)
    memory.close()
    assert Memory(home, lambda _: None).remembered.panes == {"/work/b\udcffd": "run"}


def test_environment_variable_sets_slow(home: Home) -> None:
    assert not read_settings(home, {})[0].slow
    assert not read_settings(home, {"DISTILL_TUI_SLOW": "0"})[0].slow
    assert read_settings(home, {"DISTILL_TUI_SLOW": "1"})[0].slow


def test_unreadable_file_is_reported_and_left_unchanged(home: Home) -> None:
    home.config.mkdir(parents=True)
    home.settings.write_bytes(b"theme = '\xff'")
    settings, errors = read_settings(home, {})
    assert settings == Settings()
    assert "it is not UTF-8 text" in errors[0].message
    assert home.settings.read_bytes() == b"theme = '\xff'"
    home.settings.unlink()
    home.settings.mkdir()
    assert "Is a directory" in read_settings(home, {})[1][0].message


def test_theme_chosen_in_the_app_lasts_until_the_settings_change(home: Home) -> None:
    errors: list[DistillError] = []
    memory = Memory(home, errors.append)
    memory.choose_theme("mist", Settings(theme="paper"))
    memory.close()
    remembered = Memory(home, errors.append).remembered
    assert remembered.theme_over(Settings(theme="paper")) == "mist"
    assert remembered.theme_over(Settings(theme="ember")) == "ember"
    assert remembered.theme_over(Settings()) == ""
    assert not errors


def test_two_instances_keep_each_others_memory(home: Home) -> None:
    errors: list[DistillError] = []
    first, second = Memory(home, errors.append), Memory(home, errors.append)
    first.arrange(Path("/a"), "run", 30)
    first.close()
    second.arrange(Path("/b"), "cost", 30)
    second.close()
    assert Memory(home, errors.append).remembered.panes == {"/a": "run", "/b": "cost"}
    assert not errors


def test_write_error_of_the_memory_is_reported_once(home: Home) -> None:
    home.state.parent.mkdir(parents=True)
    home.state.write_text("a file where a folder should be")
    errors: list[DistillError] = []
    memory = Memory(home, errors.append)
    memory.arrange(Path("/a"), "run", 30)
    memory.arrange(Path("/a"), "cost", 30)
    memory.close()
    assert len(errors) == 1
    assert memory.remembered.panes == {"/a": "cost"}


@given(
    st.builds(
        Remembered,
        theme=st.text(),
        instead_of=st.text(),
        rail_width=st.integers(0, 99),
        shares=st.dictionaries(st.text(), st.integers()),
        maximised=st.booleans(),
        panes=st.dictionaries(st.text(), st.text()),
    )
)
def test_memory_round_trips_through_its_file_format(remembered: Remembered) -> None:
    assert parse_remembered(remembered_text(remembered)) == remembered


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"theme": 3, "rail_width": "wide", "shares": {"prompt": "half"}}',
        pytest.param("[" * 9_000, id="deep"),
    ],
)
def test_broken_memory_file_is_treated_as_empty(text: str) -> None:
    assert parse_remembered(text) == Remembered()


def test_saved_copy_is_readable_only_by_its_owner(home: Home) -> None:
    path = save_copy(home, "the prompt")
    assert path.read_text() == "the prompt"
    assert path.stat().st_mode & 0o077 == 0


async def test_custom_key_works_and_misspelt_one_is_reported(home: Home) -> None:
    settings, errors = parse_settings('[keys]\nworkspace.pane_down = "f9"\nworkspace.stpo = "y"\nthme = 1', "s.toml")
    app = DistillApp(home, make_stage(home, "done"), settings, errors=errors)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await wait_for_toast(pilot, "Did you mean workspace.stop?")
        await wait_for_toast(pilot, "s.toml: thme must be keys in quotes.")
        await pilot.press("1", "f9")
        await until(pilot, lambda: shown(app) == "questions")
        await pilot.press("J")
        assert shown(app) == "questions"


async def test_custom_keys_are_shown_in_footer_palette_and_help(home: Home) -> None:
    settings = Settings(keys={"everywhere.quit": "f9", "workspace.pane_down": "f8", "workspace.cost": "f7"})
    app = DistillApp(home, make_stage(home, "done"), settings)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        await until(pilot, lambda: "f9 quit" in footer(app))
        offered = {command.title for command in app.get_system_commands(app.screen)}
        assert {"Quit   f9", "Next pane   f8", "Cost   f7", "Run   5"} <= offered
        await pilot.press("q", "question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        rows = [line.split() for line in app.screen.query_one(Page).plain.split("\n")]
        assert ["f8", "Show", "the", "next", "pane."] in rows
        await pilot.press("escape", "f9")
    assert app.return_code == 0


async def test_cursor_does_not_blink_in_slow_mode(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "done"), Settings(slow=True))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) == "evaluation")
        field = Input()
        await app.screen.mount(field)
        field.focus()
        await until(pilot, lambda: field.has_focus and not field.cursor_blink)
