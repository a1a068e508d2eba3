"""What a person can do with the list of projects."""

from tui.actions.lists import MOVES
from tui.actions.words import Action

ACTIONS = (
    Action("open", "enter", "open", "Open the project; where a job runs, attach to it.", footer=True),
    Action("new", "n", "new", "Make a project: its name, student, teacher and prompt.", footer=True),
    Action("demo", "d", "demo", "Run the demo: distil the bundled prompt.", footer=True),
    Action("search", "slash", "search", "List only the projects whose names hold what is typed.", footer=True),
    Action("duplicate", "D", "duplicate", "Make a copy with the same prompt, rules and questions."),
    Action("archive", "a", "archive", "Keep the project out of the list, or bring an archived one back."),
    Action("undo", "u", "undo", "Take back what was archived or brought back last."),
    Action("archived", "full_stop", "archived", "List the archived projects too, or hide them again."),
    Action("delete", "x", "delete", "Delete the project for good, after its name was typed."),
    *MOVES,
    Action("back", "escape", "back", "Leave the search; all projects are listed again."),
)
