"""What a person can do with evaluations: measure, look back, report; and in what is opened over the table."""

from tui.actions.words import Action

ACTIONS = (
    Action("evaluate", "e", "evaluate", "Measure a run; a form shows what it will take.", footer=True),
    Action("open", "enter", "answers", "Read the answers of the question under the cursor.", footer=True),
    Action(
        "history",
        "equals_sign",
        "history",
        "List all evaluations, or go back; {history.open} shows one.",
        footer=True,
    ),
    Action("figures", "v", "figures", "Show the intervals as figures, or as bars."),
    Action("report", "h", "report", "Write the report of the shown run as one HTML page into the project's folder."),
    Action(
        "improve",
        "i",
        "improve",
        "Let the teacher write training questions like the validation questions that failed; never like test ones.",
    ),
    Action(
        "differing",
        "d",
        "differences",
        "Show the tokens where the student is farthest from the prompted model, or go back.",
    ),
    Action("back", "escape", "back", "Leave what is shown over the table; then show the newest evaluation."),
)
ANSWERS = (
    Action(
        "next_answer",
        "right_square_bracket",
        "next sample",
        "The next sample; after the last, the next question.",
        footer=True,
    ),
    Action(
        "previous_answer",
        "left_square_bracket",
        "before",
        "The sample before, or the question before.",
        footer=True,
    ),
    Action("line_down", "j,down", "next question", "The next question, its worst sample first.", footer=True),
    Action("line_up", "k,up", "before", "The question before, its worst sample first.", footer=True),
    Action("page_down", "pagedown,ctrl+d", "page down", "Down a page of the answers."),
    Action("page_up", "pageup,ctrl+u", "page up", "Up a page of the answers."),
    Action("first", "g,home", "first", "The first question, which is the worst."),
    Action("last", "G,end", "last", "The last question."),
    Action("copy", "y", "copy", "Copy the question and what each arm answered in this sample."),
    Action("leave_answers", "escape,q", "back", "Back to the table.", footer=True),
)
HISTORY = (
    Action("open", "enter", "show", "Show the evaluation under the cursor.", footer=True),
    Action("leave_history", "escape,q,equals_sign", "back", "Back to the evaluation.", footer=True),
)
DIFFERENCES = (Action("leave_differences", "escape,q,enter", "back", "Back to the questions.", footer=True),)
