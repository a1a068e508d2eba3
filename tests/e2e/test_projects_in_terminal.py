"""The list of projects in a pseudo-terminal: creating, duplicating, archiving and deleting projects by keys."""

from pathlib import Path

import pytest

from engine.paths import Home
from engine.projects import list_projects
from tests.e2e.terminal import Terminal
from tests.hostile import hostile
from tests.tui.seeds import make_project

ESC, DOWN = "\x1b", "\x1b[B"


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_projects_are_created_duplicated_archived_and_deleted_by_keys(
    home: Home, tmp_path: Path, columns: int, rows: int
) -> None:
    (tmp_path / "p.md").write_text("Answer in one word.")
    terminal = Terminal(home, columns, rows)
    terminal.until("No projects yet.")
    terminal.press("n")
    terminal.until("New project")
    terminal.press("desk")
    terminal.until("desk")
    for _ in range(6):
        terminal.press(DOWN)
        terminal.until("New project")
    terminal.press(str(tmp_path / "p.md"))
    terminal.until("Next: 1 Prompt, to add rules.")
    terminal.press("\r")
    terminal.until("Answer in one word.", gone="New project")
    terminal.press("o")
    terminal.until("prompt: version 1")
    terminal.press("c")
    terminal.until("Duplicate desk")
    terminal.press("\r")
    terminal.until("▌ desk-2", gone="Duplicate desk")
    terminal.press("a")
    terminal.until("1 archived", gone="desk-2  ")
    terminal.press("u")
    terminal.until("2 projects", gone="1 archived")
    terminal.press("D")
    terminal.until("Delete desk")
    doomed = "desk-2" if "Delete desk-2?" in "\n".join(terminal.screen.display) else "desk"
    terminal.press(doomed + "\r")
    terminal.until("1 project ", gone="type its name")
    assert terminal.quit() == 0
    assert [project.name for project in list_projects(home)] == [{"desk": "desk-2", "desk-2": "desk"}[doomed]]


def test_hostile_project_name_sends_no_hostile_sequence(home: Home) -> None:
    for name in ("other", "evil"):
        make_project(home, name).close()
    name = hostile("name").replace("/", "|")
    (home.projects / "evil").rename(home.projects / name)
    terminal = Terminal(home, 120, 40)
    terminal.until("[@click=app.quit]")
    # Escape and a key right after it would be read as one key: wait until escape has closed its view.
    for key, expected, gone in (
        ("G", "▌", ""),
        ("g", "▌", ""),
        ("/", "part of the name", ""),
        ("q", "▌ [@click", "other"),
        (ESC, "other", ""),
        ("c", "Duplicate [@click", ""),
        (ESC, "2 projects", "Duplicate "),
        ("D", "Delete [@click", ""),
        (ESC, "2 projects", "Delete "),
    ):
        terminal.press(key)
        terminal.until(expected, gone)
    assert terminal.quit() == 0
    sent = terminal.sent.replace(b"\x1b]22;default\x07", b"").replace(b"\x1b]22;text\x07", b"")
    for sequence in (b"\x1b]52", b"\x1b]8;", b"\x9b31m", b"\x07", "\u202e".encode(), "\x9b".encode()):
        assert sequence not in sent
