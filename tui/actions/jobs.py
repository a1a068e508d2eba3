"""Actions on a project's jobs, one by one."""

from tui.actions.words import Action

ACTIONS = (
    Action("log", "enter", "log", "Show the end of the job's log, or go back to the list.", footer=True),
    Action("pause", "p", "pause", "Pause the job, or let it continue.", footer=True),
    Action("stop", "x", "stop", "Stop the job at its next safe point; put a failed one aside.", footer=True),
    Action("resume", "r", "resume", "Resume a job that was stopped, failed or was killed.", footer=True),
    Action("copy", "y", "copy", "Copy why the job ended, or its log."),
    Action("leave", "escape,q", "back", "Close the log, then the list.", footer=True),
)
