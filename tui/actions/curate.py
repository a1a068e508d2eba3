"""Actions of the review."""

from tui.actions.lists import MOVES
from tui.actions.words import Action

ACTIONS = (
    Action("accept", "a", "accept", "Accept the answer, or all marked answers, and go on.", footer=True),
    Action("reject", "x", "reject", "Reject the answer, or all marked answers, and go on.", footer=True),
    Action("edit", "e", "edit", "Edit the answer here, and accept it.", footer=True),
    Action("editor", "E", "open editor", "Edit the answer in your own editor, and accept it."),
    Action("next_undecided", "n", "next undecided", "Go to the next undecided answer in the list."),
    Action("previous_undecided", "N", "previous undecided", "Go to the previous undecided answer in the list."),
    Action("again", "R", "ask again", "Reject the answer and ask the teacher for another one."),
    Action("flag", "f", "flag", "Flag the answer to come back to it, or remove the flag; decisions stay."),
    Action("note", "m", "note", "Flag the answer with a note."),
    Action(
        "undo",
        "u",
        "undo",
        "Undo the last decision or flag, however many answers it covered.",
        footer=True,
    ),
    Action("redo", "ctrl+r", "redo", "Redo what was undone last."),
    Action("mark", "space", "mark", "Mark the answer, or unmark it; keys then act on all marked answers."),
    Action("range", "v", "range", "Start a range of marks that follows the cursor; press again to end it."),
    Action("mark_all", "asterisk", "mark all", "Mark all answers in the list."),
    Action("check", "c", "apply rules", "Let the rules decide the answers that you have not."),
    Action("filter", "t", "filter", "Cycle through all, undecided, accepted, rejected, flagged."),
    Action("choose", "T", "topic or rule", "List only one topic, or only answers that fail one rule."),
    Action(
        "search",
        "slash",
        "search",
        "List only answers whose question or answer has these words; {curate.back} lists all again.",
    ),
    Action("attempt_before", "left_square_bracket", "previous attempt", "Show the previous attempt at this question."),
    Action("attempt_after", "right_square_bracket", "next attempt", "Show the next attempt at this question."),
    Action("compare", "d", "show edit", "Show what an edit changed, word by word, or hide it."),
    Action("whole", "enter", "full page", "Show the answer on the full page, or bring the list back."),
    Action("copy", "y", "copy", "Copy the answer."),
    Action("row_down", "j,down", "down", "Go to the next answer."),
    Action("row_up", "k,up", "up", "Go to the previous answer."),
    Action("rows_down", "ctrl+d", "ten down", "Go ten answers down."),
    Action("rows_up", "ctrl+u", "ten up", "Go ten answers up."),
    Action("answer_down", "pagedown", "scroll down", "Scroll down in a long answer."),
    Action("answer_up", "pageup", "scroll up", "Scroll up in a long answer."),
    Action("first", "g,home", "first", "Go to the first answer."),
    Action("last", "G,end", "last", "Go to the last answer."),
    Action("narrower", "less_than_sign", "shorter list", "Make the list shorter and the answer taller."),
    Action("wider", "greater_than_sign", "longer list", "Make the list longer and the answer shorter."),
    Action("natural", "0", "reset size", "Reset the sizes of list and answer."),
    Action(
        "back",
        "escape,q",
        "back",
        "Clear the marks, then the search, then go back to the workspace.",
        footer=True,
    ),
)
NARROW = (
    Action("choose", "enter", "choose", "List only the entry under the cursor.", footer=True),
    *MOVES,
    Action("leave", "escape,q", "cancel", "Cancel; the list stays unchanged.", footer=True),
)
CORRECTING = (
    Action("save", "ctrl+s,ctrl+g,f10", "save", "Save the edited answer, and accept it.", footer=True),
    Action("leave", "escape", "cancel", "Leave the answer as it was; asks first if you changed the text.", footer=True),
    Action("undo", "ctrl+underscore,ctrl+z", "undo", "Undo the last change to the text.", footer=True),
    Action("redo", "ctrl+y", "redo", "Redo what was undone last.", footer=True),
)
