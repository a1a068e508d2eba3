"""Actions of the release pane."""

from tui.actions.words import Action

ACTIONS = (
    Action("export", "e", "export", "Export a run as an adapter, merged weights or GGUF.", footer=True),
    Action("card", "enter", "model card", "Read the model card of the release under the cursor.", footer=True),
    Action("copy", "y", "copy path", "Copy the path of the release under the cursor."),
    Action("back", "escape", "back", "Close the model card.", footer=True),
)
