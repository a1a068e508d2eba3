"""What a person can do with the figures of the cost: go to them, take a change back, and while they are typed."""

from tui.actions.words import Action

ACTIONS = (
    Action("edit", "e,enter", "change figures", "Type other figures; the estimate follows each key.", footer=True),
    Action("undo", "u", "undo", "Take back the last change of a figure.", footer=True),
)
FIGURES = (
    Action("next", "tab", "take", "Take what is typed, or the chosen model; go on.", footer=True, shown="enter"),
    Action("figure_down", "down", "next", "The next model of the list, or the next figure."),
    Action("figure_up", "up,shift+tab", "before", "The model before, or the figure before."),
    Action("back", "escape", "leave", "Leave the figures, and give up what is typed in this one.", footer=True),
)
