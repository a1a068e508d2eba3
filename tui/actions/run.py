"""Actions of the run pane: train, finish early, look closer, compare."""

from tui.actions.words import Action

ACTIONS = (
    Action("train", "t", "train", "Train a new run; a form shows what it will take.", footer=True),
    Action(
        "keep",
        "b",
        "keep best",
        "Finish training now, with the best checkpoint; asks first.",
        footer=True,
    ),
    Action("pause", "p", "pause", "Pause the training, or let it continue.", footer=True),
    Action("compare", "equals_sign", "compare", "Compare all runs in a table, or go back.", footer=True),
    Action("overlay", "v", "overlay", "Draw another run over the curves; after the last, none."),
    Action("choose", "enter", "overlay", "In the table: draw this run over the curves, or remove it."),
    Action("delete", "D,delete", "delete", "In the table: delete this run for good, if nothing needs it; asks first."),
    Action("log", "l", "log axis", "Draw KL and loss on a logarithmic axis, or a linear one."),
    Action("smooth", "s", "smooth", "Smooth the training loss: off, 0.6, 0.9; measured points stay, dimmed."),
    Action("later", "right", "later", "Move the cursor to a later step and show its values."),
    Action("earlier", "left", "earlier", "Move the cursor to an earlier step and show its values."),
    Action("next_question", "right_square_bracket", "watch next", "Watch the next question."),
    Action("previous_question", "left_square_bracket", "watch previous", "Watch the previous question."),
    Action("differing", "d", "differences", "Show the tokens where student and teacher differ most, or go back."),
    Action(
        "back",
        "escape",
        "back",
        "Close the table, the cursor or the differences; then show the newest run.",
        footer=True,
    ),
)
