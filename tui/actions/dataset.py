"""Actions of the dataset pane."""

from tui.actions.words import Action

ACTIONS = (
    Action(
        "freeze",
        "z",
        "freeze",
        "Freeze the accepted answers into a dataset; asks about refused ones.",
        footer=True,
    ),
    Action("reject", "d", "reject refused", "Reject the refused answer under the cursor; the review can undo it."),
    Action("look", "R", "check again", "Check again what would be frozen."),
)
