"""What a person can do with runs: train, end early, look closer, compare."""

from tui.actions.words import Action

ACTIONS = (
    Action("train", "t", "train", "Train a new run; a form shows what it will take.", footer=True),
    Action(
        "keep",
        "b",
        "keep best",
        "End the training now, as done, with its best checkpoint; asks once more.",
        footer=True,
    ),
    Action("pause", "p", "pause", "Pause the training, or let it go on.", footer=True),
    Action("compare", "equals_sign", "compare", "Compare all runs in a table, or go back.", footer=True),
    Action("overlay", "v", "overlay", "Lay the next earlier run over the curves; after the last, none."),
    Action("choose", "enter", "overlay", "In the table: lay this run over the curves, or take it off."),
    Action("delete", "D,delete", "delete", "In the table: delete this run for good, if nothing needs it; asks first."),
    Action("log", "l", "log axis", "Draw KL and loss on a logarithmic axis, or back."),
    Action("smooth", "s", "smooth", "Smooth the training loss: off, 0.6, 0.9; the measured points stay, dim."),
    Action("later", "right", "later", "Move the cursor to a later step; the values there are told."),
    Action("earlier", "left", "earlier", "Move the cursor to an earlier step."),
    Action("next_question", "right_square_bracket", "next question", "Watch the next question."),
    Action("previous_question", "left_square_bracket", "question before", "Watch the question before."),
    Action("differing", "d", "differences", "Show the tokens where student and teacher differ most, or go back."),
    Action("back", "escape", "back", "Leave the table, or take the cursor away; then show the newest run."),
)
