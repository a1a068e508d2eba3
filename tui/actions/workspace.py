"""Actions of the workspace: move between panes, control the job, arrange the screen."""

from tui.actions.words import Action

ACTIONS = (
    Action("follow", "w", "follow", "Show the pane of the running job, and follow the job.", footer=True),
    Action("pane_down", "J,ctrl+down", "next pane", "Show the next pane."),
    Action("pane_up", "K,ctrl+up", "previous pane", "Show the previous pane."),
    Action("pause", "p", "pause", "Pause the job, or let it continue.", footer=True),
    Action("stop", "x", "stop", "Stop the job at its next safe point; put a failed one aside."),
    Action("resume", "r", "resume", "Resume a job that was stopped, failed or was killed.", footer=True),
    Action("jobs", "L", "jobs", "List all jobs: why they wait, how they ended, their logs."),
    Action("curate", "c", "review", "Review the teacher's answers, one key per decision.", footer=True),
    Action("update", "B", "update", "See what a changed prompt or rule affects; redo only that."),
    Action("settings", "comma", "settings", "Change the project's student, teacher, judge and temperature."),
    Action("maximise", "f", "maximise", "Give the whole screen to the pane, or restore the rail."),
    Action("narrower", "less_than_sign", "narrower", "Shrink the rail, or the first part of a divided pane."),
    Action("wider", "greater_than_sign", "wider", "Widen the rail, or enlarge the first part of a divided pane."),
    Action("natural", "0", "reset size", "Reset the rail, or the parts of a divided pane."),
    Action(
        "search",
        "slash",
        "search",
        "Search this page; {found.found_next} {found.found_before} go to matches, {found.found_leave} ends it.",
    ),
    # The footer shows it only if this project cannot be read.
    Action("projects", "o", "projects", "Choose another project.", footer=True),
)
