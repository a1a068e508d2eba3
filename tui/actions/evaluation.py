"""Actions of the evaluation pane, and of what opens over its table."""

from tui.actions.words import Action

ACTIONS = (
    Action("evaluate", "e", "evaluate", "Evaluate a run; a form shows what it will take.", footer=True),
    Action("open", "enter", "answers", "Read the answers to the question under the cursor.", footer=True),
    Action(
        "history",
        "equals_sign",
        "history",
        "List all evaluations, or go back; {history.open} shows one.",
        footer=True,
    ),
    Action("figures", "v", "figures", "Show the intervals as figures or as bars."),
    Action("report", "h", "report", "Write a report on the shown run to the project folder, as one HTML page."),
    Action(
        "improve",
        "i",
        "improve",
        "Let the teacher write training questions like the failed validation ones, never like test ones.",
    ),
    Action(
        "differing",
        "d",
        "differences",
        "Show the tokens where student and prompted model differ most, or go back.",
    ),
    Action("back", "escape", "back", "Go back to the table; then show the newest evaluation.", footer=True),
)
ANSWERS = (
    Action(
        "next_answer",
        "right_square_bracket",
        "next sample",
        "Show the next sample, or the next question after the last.",
        footer=True,
    ),
    Action(
        "previous_answer",
        "left_square_bracket",
        "prev",
        "Show the previous sample, or the previous question.",
        footer=True,
    ),
    Action(
        "line_down", "j,down", "next question", "Go to the next question, starting at its worst sample.", footer=True
    ),
    Action("line_up", "k,up", "prev", "Go to the previous question, starting at its worst sample.", footer=True),
    Action("page_down", "pagedown,ctrl+d", "page down", "Scroll down a page in the answers."),
    Action("page_up", "pageup,ctrl+u", "page up", "Scroll up a page in the answers."),
    Action("first", "g,home", "first", "Go to the first question, which is the worst."),
    Action("last", "G,end", "last", "Go to the last question."),
    Action("copy", "y", "copy", "Copy the question and each arm's answer in this sample."),
    Action("leave_answers", "escape,q", "back", "Go back to the table.", footer=True),
)
HISTORY = (
    Action("open", "enter", "show", "Show the evaluation under the cursor.", footer=True),
    Action("leave_history", "escape,q,equals_sign", "back", "Go back to the evaluation.", footer=True),
)
DIFFERENCES = (Action("leave_differences", "escape,q,enter", "back", "Go back to the questions.", footer=True),)
