"""What a person can do with the dataset."""

from tui.actions.words import Action

ACTIONS = (
    Action(
        "freeze",
        "z",
        "freeze",
        "Freeze the accepted answers into a dataset; asks about what is refused.",
        footer=True,
    ),
    Action("reject", "d", "reject refused", "Reject the refused answer under the cursor; the review undoes it."),
    Action("look", "R", "look again", "Look again at what would be frozen."),
)
