"""What a person can do in the chat pane, and while they type a question there."""

from tui.actions.words import Action

VOTES = (
    Action("vote_left", "left", "A better", "The left answer is better.", footer=True),
    Action("vote_right", "right", "B better", "The right answer is better.", footer=True),
    Action("vote_tie", "equals_sign", "tie", "Both answers are as good.", footer=True),
    Action("vote_both_bad", "0", "both bad", "Neither answer is any good.", footer=True),
)
ACTIONS = (
    *VOTES,
    Action("ask", "enter,i", "ask", "Type a question for both arms.", footer=True),
    Action("blind", "b", "blind", "Hide which arm is which and shuffle the sides, or stop it.", footer=True),
    Action("arms", "a", "arms", "Compare other arms.", footer=True),
    Action("unvote", "U", "take back", "Take the last vote back."),
    Action("reveal", "u", "reveal", "Show which arm is which; there is no vote on this turn then."),
    Action("weaker", "minus", "weaker", "Turn the adapter's strength down by 10 %."),
    Action("stronger", "plus", "stronger", "Turn the adapter's strength up by 10 %."),
    Action("again", "R", "again", "Let both answer the same question again."),
    Action("rewrite", "e", "rewrite", "Change the last question and send it again."),
    Action("keep", "t", "train on it", "Make the question one to train on, never one to test with.", footer=True),
    Action("copy", "y", "copy A", "Copy the answer at the left; {chat.copy_right} copies the one at the right."),
    Action("copy_right", "Y", "copy B", "Copy the answer at the right."),
    Action("begin", "n", "new talk", "Begin a new talk; {chat.restore} brings the last one back."),
    Action("restore", "B", "bring back", "Bring back the talk as it was before turns were dropped last."),
    Action("halt", "escape", "halt", "Stop both answers where they are."),
)
ASKING = (
    Action("send", "enter", "send", "Send the question to both arms.", footer=True),
    Action("newline", "ctrl+j,alt+enter", "new line", "A new line in the question.", footer=True, shown="alt+enter"),
    Action("leave", "escape", "leave", "Leave the field; the question stays.", footer=True),
    Action("scroll_up", "pageup", "up", "Scroll the talk up."),
    Action("scroll_down", "pagedown", "down", "Scroll the talk down."),
    Action("end", "end", "end", "To the end of the line; where the cursor is there, follow the answers again."),
    Action("follow", "ctrl+end", "follow", "Follow the answers again."),
)
