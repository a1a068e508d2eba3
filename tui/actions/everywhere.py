"""Actions that are available everywhere."""

from tui.actions.words import Action

ACTIONS = (
    Action("help", "question_mark,f1", "help", "Show all keys.", footer=True),
    Action("command_palette", "ctrl+p", "palette", "Find an action, run, evaluation or project by name."),
    Action("jump", "ctrl+o", "jump", "Label panes, rows and fields with letters; type one to go."),
    Action("quit", "q,ctrl+q", "quit", "Quit; running jobs continue.", footer=True),
)
