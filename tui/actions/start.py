"""What a person can do with the list of projects."""

from tui.actions.words import Action

ACTIONS = (
    Action("open", "enter", "enter", "open", "Open the project.", footer=True),
    Action("demo", "d", "d", "demo", "Run the demo: distil the bundled prompt.", footer=True),
)
