"""What a person can do to the workspace: move between panes, steer the job, shape the page."""

from tui.actions.words import Action

ACTIONS = (
    Action("follow", "w", "follow", "Show the pane where the work is, and stay with it.", footer=True),
    Action("pane_down", "J,ctrl+down", "next", "Show the next pane."),
    Action("pane_up", "K,ctrl+up", "previous", "Show the pane before."),
    Action("pause", "p", "pause", "Pause the job, or let it go on.", footer=True),
    Action("stop", "x", "stop", "End the job at its next safe point; what it made is kept."),
    Action("resume", "r", "resume", "Take up a job that stopped, failed or was killed.", footer=True),
    Action("jobs", "L", "jobs", "List all jobs: what waits and why, what ended how, and what each printed."),
    Action("curate", "c", "curate", "Review the teacher's answers, one key a decision.", footer=True),
    Action("update", "B", "update", "See what a changed prompt or rule touches, and redo only that."),
    Action("maximise", "f", "maximise", "Give the whole screen to the pane, or take it back."),
    Action("narrower", "less_than_sign", "narrower", "Make the rail narrower; of a divided pane, its first part."),
    Action("wider", "greater_than_sign", "wider", "Make the rail wider; of a divided pane, its first part."),
    Action("natural", "0", "natural", "Give the rail its own width again; to a divided pane, its own division."),
    Action(
        "search",
        "slash",
        "search",
        "Look for words in what is shown; {found.found_next} {found.found_before} go on, {found.found_leave} restores.",
    ),
    Action("projects", "o", "projects", "Choose another project."),
)
