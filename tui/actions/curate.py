"""What a person can do while reviewing answers."""

from tui.actions.lists import MOVES
from tui.actions.words import Action

ACTIONS = (
    Action("accept", "a", "accept", "Accept the answer, or all that are marked, and go on.", footer=True),
    Action("reject", "x", "reject", "Reject the answer, or all that are marked, and go on.", footer=True),
    Action("edit", "e", "edit", "Change the answer in your editor, and accept it.", footer=True),
    Action("next_undecided", "n", "next open", "Go to the next answer listed that is undecided."),
    Action("previous_undecided", "N", "open before", "Go to the last one listed before that is undecided."),
    Action("again", "r", "ask again", "Ask the teacher again: the answer is rejected, another comes beside it."),
    Action("flag", "f", "flag", "Put a flag on it to come back to, or take it down; decisions stay."),
    Action("note", "m", "note", "Write the note that is kept with the flag; the flag goes up with it."),
    Action(
        "undo",
        "u",
        "undo",
        "Take back the last step of decisions or flags, however many it was about.",
        footer=True,
    ),
    Action("redo", "ctrl+r", "redo", "Decide again what was taken back."),
    Action("mark", "space", "mark", "Mark the answer, or let go of its mark; keys then act on all marked."),
    Action("range", "v,V", "range", "Begin a range of marks that follows the cursor; again, and it stays."),
    Action("mark_all", "A", "mark all", "Mark everything in this list, however long it is."),
    Action("check", "c", "rules decide", "Let the rules decide what no person decided."),
    Action("filter", "t", "filter", "List all, the undecided, the accepted, the rejected, or the flagged."),
    Action("choose", "F", "topic, rule", "List one topic only, or the answers that break one rule."),
    Action(
        "search",
        "slash",
        "search",
        "List what has these words in question or answer; {curate.back} brings the list back.",
    ),
    Action("attempt_before", "left_square_bracket", "attempt before", "Show the attempt before at this question."),
    Action("attempt_after", "right_square_bracket", "next attempt", "Show the next attempt at this question."),
    Action("compare", "d", "compare", "Show what an edit changed, word by word, or the answer alone again."),
    Action("whole", "enter", "whole answer", "Give the whole page to the answer, or take it back."),
    Action("copy", "y", "copy", "Copy the answer."),
    Action("row_down", "j,down", "down", "The next answer."),
    Action("row_up", "k,up", "up", "The answer before."),
    Action("rows_down", "ctrl+d", "ten down", "Ten answers on."),
    Action("rows_up", "ctrl+u", "ten up", "Ten answers back."),
    Action("answer_down", "pagedown", "more of it", "Scroll down in an answer that is longer than its place."),
    Action("answer_up", "pageup", "back in it", "Scroll up in it."),
    Action("first", "g,home", "first", "The first answer."),
    Action("last", "G,end", "last", "The last answer."),
    Action("narrower", "less_than_sign", "shorter list", "Give the list less of the page, and the answer more."),
    Action("wider", "greater_than_sign", "longer list", "Give the list more of the page, and the answer less."),
    Action("natural", "0", "natural", "Share the page between list and answer as it was at first."),
    Action(
        "back",
        "escape,q",
        "back",
        "Let go of the marks, then of the search, then go back to the stations.",
        footer=True,
    ),
)
NARROW = (
    Action("choose", "enter", "choose", "List only what is under the cursor.", footer=True),
    *MOVES,
    Action("leave", "escape,q", "leave", "Leave; the list stays as it was.", footer=True),
)
