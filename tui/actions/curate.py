"""What a person can do while reviewing answers."""

from tui.actions.words import Action

ACTIONS = (
    Action("accept", "a", "a", "accept", "Accept the answer, and go on to the next.", footer=True),
    Action("reject", "x", "x", "reject", "Reject the answer, and go on to the next.", footer=True),
    Action("edit", "e", "e", "edit", "Change the answer in your editor, and accept it.", footer=True),
    Action("next_undecided", "n", "n", "next open", "Go to the next answer that is undecided.", footer=True),
    Action("undo", "u", "u", "undo", "Take back the last step of decisions."),
    Action("redo", "ctrl+r", "^r", "redo", "Decide again what was taken back."),
    Action("check", "v", "v", "rules decide", "Let the rules decide what no person decided."),
    Action("filter", "t", "t", "filter", "List all, the undecided, the accepted, or the rejected."),
    Action("search", "slash", "/", "search", "Look for words in questions and answers."),
    Action("row_down", "j,down", "j", "down", "The next answer."),
    Action("row_up", "k,up", "k", "up", "The answer before."),
    Action("rows_down", "pagedown,ctrl+d", "PgDn", "ten down", "Ten answers on."),
    Action("rows_up", "pageup,ctrl+u", "PgUp", "ten up", "Ten answers back."),
    Action("first", "g,home", "g", "first", "The first answer."),
    Action("last", "G,end", "G", "last", "The last answer."),
    Action("back", "escape", "esc", "back", "Go back to the stations."),
)
