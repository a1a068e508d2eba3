"""Actions of the project list."""

from tui.actions.lists import MOVES
from tui.actions.words import Action

ACTIONS = (
    Action("open", "enter", "open", "Open the project, and attach to its job if one is running.", footer=True),
    Action("new", "n", "new", "Create a project: its name, student, teacher and prompt.", footer=True),
    Action("demo", "d", "demo", "Run the demo: distil the bundled prompt.", footer=True),
    Action("search", "slash", "search", "List only projects whose names contain what you type.", footer=True),
    Action("duplicate", "c", "duplicate", "Copy the project, with its prompt, rules and questions."),
    Action("archive", "a", "archive", "Hide the project, or restore an archived one."),
    Action("undo", "u", "undo", "Undo the last archiving or restoring."),
    Action("archived", "full_stop", "archived", "Show the archived projects too, or hide them."),
    Action("delete", "D,delete", "delete", "Delete the project for good, after you type its name."),
    *MOVES,
    Action("back", "escape", "back", "Leave the search and list all projects.", footer=True),
)
