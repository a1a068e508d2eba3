"""What a person can do with the figures of the cost."""

from tui.actions.words import Action

ACTIONS = (
    Action("edit", "e,enter", "e", "change figures", "Type other figures; the estimate follows each key.", footer=True),
    Action("next", "tab", "tab", "next field", "Go to the next figure."),
    Action("back", "escape", "esc", "done", "Leave the figures; they are remembered."),
)
