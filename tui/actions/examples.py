"""Actions of the examples pane, before and while the teacher answers."""

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
    Action("retry", "R", "ask again", "Ask again only the questions that got no answer."),
    Action("next", "right_square_bracket", "next answer", "Show the next answer that is being written."),
    Action("copy", "y", "copy", "Copy the answer shown in full."),
    Action("back", "escape", "follow any", "Follow whichever answer is being written."),
    *MOVES,
)
