"""Actions on the figures of the cost pane: edit them, undo a change, and move between the fields."""

from tui.actions.words import Action

ACTIONS = (
    Action("edit", "e,enter", "edit figures", "Edit the figures; the estimate updates as you type.", footer=True),
    Action("undo", "u", "undo", "Undo the last change to a figure.", footer=True),
)
FIGURES = (
    Action("next", "enter,tab", "accept", "Accept the figure, or the model, and go to the next field.", footer=True),
    Action("figure_down", "down", "next", "Go to the next model, or the next field."),
    Action("figure_up", "up,shift+tab", "previous", "Go to the previous model, or the previous field."),
    Action("back", "escape", "leave", "Leave the figures, discarding what you typed in this one.", footer=True),
)
