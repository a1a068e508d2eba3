"""What a person can do while the teacher answers, and before."""

from tui.actions.lists import MOVES
from tui.actions.words import Action

ACTIONS = (
    Action(
        "generate",
        "enter,a",
        "generate",
        "Let the teacher answer; a form shows what it will take.",
        footer=True,
    ),
    Action("retry", "R", "ask again", "Ask again what nobody answered, and nothing else."),
    Action("next", "tab", "next", "Read the next answer that is being written."),
    Action("copy", "y", "copy", "Copy the answer that is shown in full."),
    Action("back", "escape", "follow", "Read whatever is being written."),
    *MOVES,
)
