"""What a person can do with releases."""

from tui.actions.words import Action

ACTIONS = (
    Action("export", "e", "export", "Export a run: its adapter, or base and adapter merged.", footer=True),
    Action("card", "enter", "model card", "Read the model card of the release under the cursor.", footer=True),
    Action("copy", "y", "copy path", "Copy the path of the release under the cursor."),
    Action("back", "escape", "back", "Close the model card."),
)
