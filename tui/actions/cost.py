"""What a person can do with the figures of the cost: go to them, and while they are typed."""

from tui.actions.words import Action

ACTIONS = (
    Action("edit", "e,enter", "e", "change figures", "Type other figures; the estimate follows each key.", footer=True),
)
FIGURES = (
    Action("next", "tab", "enter", "next", "Take the chosen model, or go to the next figure.", footer=True),
    Action("figure_down", "down", "↓", "next", "The next model of the list, or the next figure."),
    Action("figure_up", "up,shift+tab", "↑", "before", "The model before, or the figure before."),
    Action("back", "escape", "esc", "done", "Leave the figures; they are remembered.", footer=True),
)
