"""What a person can do wherever they are."""

from tui.actions.words import Action

ACTIONS = (
    Action("help", "question_mark,f1", "help", "Show every key.", footer=True),
    Action("command_palette", "ctrl+p", "palette", "Find an action, a run, an evaluation, a project by name."),
    Action("jump", "ctrl+o", "jump", "Put letters on panes, rows and fields; press them to go there."),
    Action("quit", "q,ctrl+q", "quit", "Leave; running jobs go on.", footer=True),
)
