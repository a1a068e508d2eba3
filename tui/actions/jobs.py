"""What a person can do to the jobs of a project, one by one."""

from tui.actions.words import Action

ACTIONS = (
    Action("log", "enter", "log", "Read the end of what the job printed; once more, the list.", footer=True),
    Action("pause", "p", "pause", "Pause the job, or let it go on.", footer=True),
    Action("stop", "x", "stop", "End the job at its next safe point; what it made is kept.", footer=True),
    Action("resume", "r", "resume", "Take up a job that stopped, failed or was killed.", footer=True),
    Action("copy", "y", "copy", "Copy why the job ended, or its log."),
    Action("leave", "escape,q", "back", "Close the log; close the list.", footer=True),
)
