"""What a person can do with evaluations: measure, read the answers, look back, report."""

from tui.actions.words import Action

ACTIONS = (
    Action("evaluate", "e", "e", "evaluate", "Measure a run; a form shows what it will take.", footer=True),
    Action("open", "enter", "enter", "answers", "Read the answers of the question under the cursor.", footer=True),
    Action(
        "history",
        "equals_sign",
        "=",
        "history",
        "List all evaluations, or go back; {evaluation.open} shows one.",
        footer=True,
    ),
    Action("figures", "v", "v", "figures", "Show the intervals as figures, or as bars."),
    Action(
        "report", "h", "h", "report", "Write the report of the shown run as one HTML page into the project's folder."
    ),
    Action(
        "improve",
        "i",
        "i",
        "improve",
        "Let the teacher write training questions like the validation questions that failed; never like test ones.",
    ),
    Action(
        "differing",
        "d",
        "d",
        "differences",
        "Show the tokens where the student is farthest from the prompted model, or go back.",
    ),
    Action("next_answer", "right_square_bracket", "]", "next", "The next sample; after the last, the next question."),
    Action("previous_answer", "left_square_bracket", "[", "before", "The sample before, or the question before."),
    Action("back", "escape", "esc", "back", "Leave the answers or the history; then show the newest evaluation."),
)
