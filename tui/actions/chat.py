"""Actions of the chat pane, and of its question field."""

from tui.actions.words import Action

VOTES = (
    Action("vote_left", "left", "A better", "Vote for the left answer.", footer=True),
    Action("vote_right", "right", "B better", "Vote for the right answer.", footer=True),
    Action("vote_tie", "equals_sign", "tie", "Both answers are equally good.", footer=True),
    Action("vote_both_bad", "0", "both bad", "Neither answer is good.", footer=True),
)
ACTIONS = (
    *VOTES,
    Action("ask", "enter,i", "ask", "Type a question for both arms.", footer=True),
    Action("blind", "b", "blind", "Hide which arm is which and shuffle the sides, or stop hiding it.", footer=True),
    Action("arms", "a", "arms", "Choose which arms to compare.", footer=True),
    Action("unvote", "u", "undo vote", "Undo the last vote."),
    Action("reveal", "v", "reveal", "Show which arm is which; you can then no longer vote on this turn."),
    Action("weaker", "minus", "weaker", "Lower the adapter's strength by 10 %."),
    Action("stronger", "plus", "stronger", "Raise the adapter's strength by 10 %."),
    Action("again", "R", "ask again", "Ask both arms the same question again, at the current strength."),
    Action("rewrite", "e", "edit question", "Edit the last question and send it again."),
    Action(
        "keep",
        "t",
        "add as question",
        "Add the question to the project's train split, never to validation or test.",
        footer=True,
    ),
    Action("copy", "y", "copy A", "Copy the left answer; {chat.copy_right} copies the right one."),
    Action("copy_right", "Y", "copy B", "Copy the right answer."),
    Action("begin", "n", "new chat", "Start a new chat; {chat.restore} restores the last one."),
    Action("restore", "N", "restore", "Restore the chat as it was before turns were last dropped."),
    Action("halt", "escape", "stop answers", "Stop both answers."),
)
ASKING = (
    Action("send", "enter", "send", "Send the question to both arms.", footer=True),
    Action(
        "newline", "ctrl+j,alt+enter", "new line", "Start a new line in the question.", footer=True, shown="alt+enter"
    ),
    Action("leave", "escape", "leave", "Leave the field; the question stays in it.", footer=True),
    Action("scroll_up", "pageup", "scroll up", "Scroll up in the chat."),
    Action("scroll_down", "pagedown", "scroll down", "Scroll down in the chat."),
    Action("end", "end", "line end", "Go to the end of the line; from there, follow the answers again."),
    Action("follow", "ctrl+end", "follow", "Follow the answers again."),
)
