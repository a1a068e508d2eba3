"""Actions of the workspace: move between panes, control the job, arrange the screen."""

from tui.actions.words import Action

ACTIONS = (
    Action(
        "follow", "w", "follow", "Show the pane of the running job, and follow the job from pane to pane.", footer=True
    ),
    Action("pane_down", "J,ctrl+down", "next pane", "Show the next pane."),
    Action("pane_up", "K,ctrl+up", "previous pane", "Show the previous pane."),
    Action("pause", "p", "pause", "Pause the job, or let it continue.", footer=True),
    Action("stop", "x", "stop", "Stop the job at its next safe point; its results are kept."),
    Action("resume", "r", "resume", "Resume a job that was stopped, failed or was killed.", footer=True),
    Action("jobs", "L", "jobs", "List all jobs: why they wait, how they ended, and their logs."),
    Action("curate", "c", "review", "Review the teacher's answers, one key per decision.", footer=True),
    Action("update", "B", "update", "Show what a changed prompt or rule affects, and redo only that."),
    Action("maximise", "f", "maximise", "Give the whole screen to the pane, or restore the rail."),
    Action(
        "narrower", "less_than_sign", "narrower", "Make the rail narrower; in a divided pane, shrink its first part."
    ),
    Action("wider", "greater_than_sign", "wider", "Make the rail wider; in a divided pane, enlarge its first part."),
    Action("natural", "0", "reset size", "Reset the width of the rail; in a divided pane, the division."),
    Action(
        "search",
        "slash",
        "search",
        "Search this page; {found.found_next} {found.found_before} go to matches, {found.found_leave} ends it.",
    ),
    Action("projects", "o", "projects", "Choose another project."),
)
